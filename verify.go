package crm

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
)

// Finding is what Verify found: see [storage.Finding].
type Finding = storage.Finding

// VerifyOptions may be nil, and so may each field.
type VerifyOptions struct {
	// Page is how many rows are looked at in one statement of each check, 1 to 10,000. Defaults to 1,000.
	Page int
	// Most is how many findings the report names, 1 to 10,000; all are counted. Defaults to 100.
	Most int
	// Progress, if not nil, is told after every page. The report is its own copy, but for the list of findings, which only grows.
	Progress func(VerifyReport)
}

// VerifyReport is what was looked at, and what is wrong.
type VerifyReport struct {
	Rows     int            `json:"rows"`               // looked at so far, over all tables
	Section  string         `json:"section"`            // the table that is being walked; after the end the last one
	Done     bool           `json:"done"`               // everything was looked at
	Total    int            `json:"total"`              // findings, those that are not named too
	ByCheck  map[string]int `json:"by_check,omitempty"` // how many, by the name of the check
	Findings []Finding      `json:"findings,omitempty"` // at most VerifyOptions.Most
}

const (
	verifyPage = 1_000
	verifyMost = 100
)

func (o *VerifyOptions) filled() (VerifyOptions, error) {
	var f VerifyOptions
	if o != nil {
		f = *o
	}
	if f.Page == 0 {
		f.Page = verifyPage
	}
	if f.Most == 0 {
		f.Most = verifyMost
	}
	switch {
	case f.Page < 0 || f.Page > kernel.MaxItems:
		return f, kernel.Invalidf("page", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	case f.Most < 0 || f.Most > kernel.MaxItems:
		return f, kernel.Invalidf("most", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	}
	return f, nil
}

// Verify counts again what the CRM keeps twice, and reports each row that says something else: places and today's claims
// against the customers and the operation log, owners and pools against its last lines, facts against interactions and
// orders, versions against events and audit rows, unique values, and children without a parent (rules.md, Cap, quota,
// cool-down). docs/verify.md lists the checks. On a sound database it reports nothing, whatever is written meanwhile: each
// check of a page is one statement, and a finding is reported when a second look finds it again.
//
// It only reads, in pages of rows in the order of their keys: memory does not grow with the tables, no lock is held, and it
// can be cancelled at any time; what was found until then is in the report. It is a nightly job, and serves after a restore.
// It needs the permission audit.read, from a role that reaches all, or the system actor.
func (c *CRM) Verify(ctx context.Context, a Actor, opts *VerifyOptions) (VerifyReport, error) {
	const op = "crm.Verify"
	o, err := opts.filled()
	if err != nil {
		return VerifyReport{}, kernel.Wrap(op, err)
	}
	rights, _, err := c.core.Enter(ctx, a, kernel.AuditRead)
	if err != nil {
		return VerifyReport{}, kernel.Wrap(op, err)
	}
	v := verification{core: c.core, by: a, zone: rights.Zone, o: o}
	err = v.run(ctx)
	return v.report, kernel.Wrap(op, err)
}

// verification is one call of Verify under way.
type verification struct {
	core   kernel.Service[storage.Tx]
	by     Actor
	zone   *time.Location
	o      VerifyOptions
	report VerifyReport
}

// read runs fn outside transactions: every statement sees what is committed when it begins.
func (v *verification) read(ctx context.Context, fn func(ctx context.Context, r storage.VerifyRepository) error) error {
	return v.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx storage.Tx) error { return fn(ctx, tx.Verify()) })
}

func (v *verification) run(ctx context.Context) error {
	var sections []storage.Section
	err := v.read(ctx, func(_ context.Context, r storage.VerifyRepository) error {
		sections = r.Sections()
		return nil
	})
	for _, s := range sections {
		if err == nil {
			v.report.Section = s.Name
			err = v.walk(ctx, s.Name)
		}
	}
	v.report.Done = err == nil
	return err
}

// walk looks at one table, page by page.
func (v *verification) walk(ctx context.Context, section string) error {
	for look, rows := (storage.Look{Section: section}), v.o.Page; rows == v.o.Page; look.After = look.UpTo {
		err := v.read(ctx, func(ctx context.Context, r storage.VerifyRepository) (err error) {
			look.UpTo, rows, err = r.Page(ctx, v.by.Tenant, section, look.After, v.o.Page)
			return err
		})
		if err != nil {
			return err
		}
		if rows == 0 {
			return nil
		}
		found, err := v.page(ctx, look)
		if err != nil {
			return err
		}
		v.count(rows, found)
		if v.o.Progress != nil {
			told := v.report
			told.ByCheck = maps.Clone(told.ByCheck)
			v.o.Progress(told)
		}
	}
	return nil
}

// page is what is wrong with a page at two looks.
func (v *verification) page(ctx context.Context, look storage.Look) (found []Finding, err error) {
	for range 2 {
		var seen []Finding
		today := kernel.DateOf(v.core.Clock.Now(), v.zone)
		look.Today, look.Start, look.Next = today, today.Start(v.zone), today.Next().Start(v.zone)
		err := v.read(ctx, func(ctx context.Context, r storage.VerifyRepository) (err error) {
			seen, err = r.Findings(ctx, v.by.Tenant, look)
			return err
		})
		if err != nil || len(seen) == 0 {
			return nil, err
		}
		if found == nil {
			found = seen
			continue
		}
		again := map[storage.Finding]bool{}
		for _, f := range seen {
			again[storage.Finding{Check: f.Check, Ref: f.Ref, Key: f.Key}] = true
		}
		found = slices.DeleteFunc(found, func(f Finding) bool { return !again[storage.Finding{Check: f.Check, Ref: f.Ref, Key: f.Key}] })
	}
	return found, nil
}

func (v *verification) count(rows int, found []Finding) {
	v.report.Rows += rows
	v.report.Total += len(found)
	for _, f := range found {
		if v.report.ByCheck == nil {
			v.report.ByCheck = map[string]int{}
		}
		v.report.ByCheck[f.Check]++
		if len(v.report.Findings) < v.o.Most {
			v.report.Findings = append(v.report.Findings, f)
		}
	}
}
