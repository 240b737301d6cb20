package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// WarnOptions may be nil, and so may each field.
type WarnOptions struct {
	// Steps are how long before its due instant the owner of a record is warned, each once per ownership and due instant. With
	// the shortest one the superior is named too. Elapsed time, whatever a pool counts: 1 minute to 365 days, in seconds, at
	// most 10. Defaults to DefaultSteps.
	Steps []time.Duration
	// Horizon is how far ahead due instants are noted for DueList and Private, from the longest step to 365 days. Defaults to
	// the longest step.
	Horizon time.Duration
	// Pools limits the run to some pools. Defaults to all.
	Pools []ID
	// Batch is how many records go in one transaction, 1 to 10,000. Defaults to 1,000.
	Batch int
	// Progress, if not nil, is told after every batch.
	Progress func(WarnReport)
}

func (o *WarnOptions) check() (err error) {
	if o.Steps, err = checkSteps(o.Steps); err != nil {
		return err
	}
	if o.Horizon == 0 {
		o.Horizon = o.Steps[0]
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	switch {
	case o.Horizon < o.Steps[0] || o.Horizon > longestStep:
		return kernel.Invalidf("horizon", kernel.OutOfRange, "from the longest step to 365 days")
	case o.Batch < 0 || o.Batch > kernel.MaxItems:
		return kernel.Invalidf("batch", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	}
	return nil
}

// WarnReport is what a warning run did.
type WarnReport struct {
	Looked int         `json:"looked"`           // so many records were judged: those of which something is new
	Noted  int         `json:"noted"`            // of so many a note was written
	Warned int         `json:"warned"`           // events customer.due_soon
	ByStep []StepCount `json:"by_step"`          // of these, from the longest step
	ByRule []RuleTold  `json:"by_rule"`          // events customer.warned, by warn rule, pool by pool
	Left   int         `json:"left"`             // there was something to write, but others held the record: for the next run
	Failed []Failure   `json:"failed,omitempty"` // at most 100; the run went on without them
}

// copied is the report as it is now: the receiver may keep it.
func (r WarnReport) copied() WarnReport {
	r.ByStep, r.ByRule = slices.Clone(r.ByStep), slices.Clone(r.ByRule)
	return r
}

// StepCount is how many owners were warned with a step.
type StepCount struct {
	Step   time.Duration `json:"step"`
	Warned int           `json:"warned"`
}

// RuleTold is of how many records a warn rule was told.
type RuleTold struct {
	Pool ID     `json:"pool"`
	Rule RuleID `json:"rule"`
	Name string `json:"name"`
	Told int    `json:"told"`
}

// Warn tells owners of what rules are going to take from them: an event customer.due_soon (DueSoon) for each step that
// has come, once per ownership and due instant, and customer.warned (RuleWarning) for each rule with the action Warn that
// wins, once per ownership. Of several steps that came since the last run only the last is told. It notes due instants on
// the way, for DueList and Private. Due instants are those of DueAt, so a run of Recycle takes a record when its warning
// said, unless something happens to it.
//
// It works in batches that each commit. Killed at any instant it goes on when it is run again; two runs at once tell
// nobody twice; a bad row is reported and does not stop the rest. What it did until an error or a cancelled context is in
// the report. It needs the permission pool.recycle; inside a host's transaction it is refused. Run it daily, before Recycle.
func (s *Service[I]) Warn(ctx context.Context, a kernel.Actor, opts *WarnOptions) (report WarnReport, err error) {
	const op = "pool.Warn"
	var o WarnOptions
	if opts != nil {
		o = *opts
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolRecycle)
	if err := kernel.FirstError(err, o.check()); err != nil {
		return report, kernel.Wrap(op, err)
	}
	for _, step := range o.Steps {
		report.ByStep = append(report.ByStep, StepCount{Step: step})
	}
	run := &warnRun[I]{run: run[I]{s: s, by: a, rights: rights, o: RecycleOptions{Pools: o.Pools}, report: &Report{}}, o: o, report: &report}
	if err := run.plan(ctx); err != nil {
		return report, kernel.Wrap(op, err)
	}
	for _, w := range run.warners {
		if err := run.pool(ctx, w); err != nil {
			return report, kernel.Wrap(op, err)
		}
	}
	return report, kernel.Wrap(op, run.rest(ctx))
}

// warnRun is one warning run under way. The pools and the instants of its sweeps are those of a recycle run.
type warnRun[I RecordID] struct {
	run[I]
	o       WarnOptions
	warners []*warner
	report  *WarnReport
}

// plan reads pools and rules. Also pools without a rule are looked at: their records may have notes of before.
func (r *warnRun[I]) plan(ctx context.Context) error {
	return r.s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
		pools, err := r.pools(ctx, tx)
		if err != nil {
			return err
		}
		days, err := countings(ctx, tx, r.by.Tenant, r.rights.Zone, pools...)
		if err != nil {
			return err
		}
		ids := make([]ID, len(pools))
		for i, p := range pools {
			ids[i] = p.ID
		}
		rules, err := tx.Pools(r.s.kind).Rules(ctx, r.by.Tenant, ids...)
		if err != nil {
			return err
		}
		calendars, err := r.calendars(ctx, tx, pools)
		if err != nil {
			return err
		}
		for _, p := range pools {
			own := slices.DeleteFunc(slices.Clone(rules), func(x *Rule) bool { return x.PoolID != p.ID })
			sweep, err := newSweep(r.by, p, own, days[p.ID])
			if err != nil {
				return err
			}
			r.at(sweep)
			stamp, err := stampOf(sweep, r.rights.Zone, calendars[p.Calendar], &r.o)
			if err != nil {
				return err
			}
			r.warners = append(r.warners, &warner{sweep, r.o.Steps, r.o.Horizon, stamp})
			for _, rule := range sweep.Rules {
				if rule.Action == Warn {
					r.report.ByRule = append(r.report.ByRule, RuleTold{Pool: p.ID, Rule: rule.ID, Name: rule.Name})
				}
			}
		}
		return r.gone(ctx, tx)
	})
}

// gone adds the pools that were deleted and still have notes: with no rule, all of them are cleaned.
func (r *warnRun[I]) gone(ctx context.Context, tx Tx) error {
	if len(r.o.Pools) > 0 {
		return nil
	}
	noted, err := tx.Dues(r.s.kind).Pools(ctx, r.by.Tenant)
	for _, id := range noted {
		if !slices.ContainsFunc(r.warners, func(w *warner) bool { return w.Pool.ID == id }) {
			r.warners = append(r.warners, &warner{Sweep: &Sweep{By: r.by, Pool: &Pool{ID: id}}, steps: r.o.Steps, horizon: r.o.Horizon})
		}
	}
	return err
}

// calendars are the versions of those that the pools count by.
func (r *warnRun[I]) calendars(ctx context.Context, tx Tx, pools []*Pool) (map[team.CalendarID]int64, error) {
	var ids []team.CalendarID
	for _, p := range pools {
		if p.Calendar != 0 {
			ids = append(ids, p.Calendar)
		}
	}
	versions := map[team.CalendarID]int64{}
	if len(ids) == 0 {
		return versions, nil
	}
	found, err := tx.Calendars().Get(ctx, r.by.Tenant, ids...)
	for _, c := range found {
		versions[c.ID] = c.Version
	}
	return versions, err
}

// nearPage is how many records are looked up at once: each look-up reads all that the rules' indexes name.
const nearPage = 100_000

// pool walks what is new in one pool, in the order of the ids: what a rule may take soon and whose note is not right, and
// the notes that no rule stands behind any more.
func (r *warnRun[I]) pool(ctx context.Context, w *warner) error {
	for after := int64(0); ; {
		var found []Doubt
		r.at(w.Sweep)
		err := r.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
			found, err = tx.Dues(r.s.kind).Near(ctx, *w.Sweep, w.Now.Add(r.o.Horizon), w.stamp, after, nearPage)
			return err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].ID
		for batch := range slices.Chunk(found, r.o.Batch) {
			ids, err := r.cleaned(ctx, batch)
			if err == nil {
				err = r.batch(ctx, w, ids)
			}
			if err != nil {
				return err
			}
		}
		if len(found) < nearPage {
			return nil
		}
	}
}

// cleaned cleans those of the notes that no rule stands behind and that are worn, and returns who is left to be judged.
func (r *warnRun[I]) cleaned(ctx context.Context, found []Doubt) ([]int64, error) {
	var ids, unnamed []int64
	for _, d := range found {
		ids = append(ids, d.ID)
		if !d.Named {
			unnamed = append(unnamed, d.ID)
		}
	}
	worn, err := r.wipe(ctx, unnamed) // in the order of the ids
	return slices.DeleteFunc(ids, func(id int64) bool { _, is := slices.BinarySearch(worn, id); return is }), err
}

// wipe cleans what is worn of the notes. Nobody is told anything of those; but they would stand in lists, or pile up.
func (r *warnRun[I]) wipe(ctx context.Context, ids []int64) (worn []int64, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = r.commit(ctx, func(ctx context.Context, tx Tx) (err error) {
		worn, err = tx.Dues(r.s.kind).Wipe(ctx, r.by.Tenant, ids...)
		return err
	})
	return worn, err
}

// rest cleans the notes without a due instant whose ownership has ended.
func (r *warnRun[I]) rest(ctx context.Context) error {
	for after := int64(0); ; {
		var ids []int64
		err := r.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
			ids, err = tx.Dues(r.s.kind).Ended(ctx, r.by.Tenant, after, pageOfIDs)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		for batch := range slices.Chunk(ids, r.o.Batch) {
			if _, err := r.wipe(ctx, batch); err != nil {
				return err
			}
		}
		if len(ids) < pageOfIDs {
			return nil
		}
	}
}

// batch judges some records, and writes about those whose notes are not right or whose owners are to be told.
func (r *warnRun[I]) batch(ctx context.Context, w *warner, ids []int64) error {
	var stale []int64
	r.at(w.Sweep)
	err := r.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) error {
		records, err := tx.Pool(r.s.kind).Look(ctx, r.by.Tenant, ids...)
		if err != nil {
			return err
		}
		all, err := r.judge(ctx, tx, w, records)
		for _, t := range all {
			r.report.Looked++
			if t.fresh {
				stale = append(stale, t.record.ID)
			}
		}
		return err
	})
	if err == nil && len(stale) > 0 {
		err = r.write(ctx, w, stale)
	}
	if err == nil && r.o.Progress != nil {
		r.o.Progress(r.report.copied())
	}
	return err
}

// judge gathers what decisions about records of the pool need, in a fixed number of statements, and decides.
func (r *warnRun[I]) judge(ctx context.Context, tx Tx, w *warner, records []Record) ([]told, error) {
	records = slices.DeleteFunc(records, func(x Record) bool { return x.OwnerID == "" || x.PoolID != w.Pool.ID })
	ids := make([]int64, len(records))
	for i, x := range records {
		ids[i] = x.ID
	}
	facts, err := tx.Pool(r.s.kind).Facts(ctx, r.by.Tenant, w.SpendFrom, w.SpendUntil, ids...)
	if err != nil {
		return nil, err
	}
	exposed, err := tx.Pool(r.s.kind).Exposed(ctx, r.by.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	notes, err := tx.Dues(r.s.kind).Notes(ctx, r.by.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	all := make([]told, len(records))
	for i, x := range records {
		var had *Note
		if n, ok := notes[x.ID]; ok {
			had = &n
		}
		_, open := slices.BinarySearch(exposed, x.ID)
		all[i] = w.judge(x, facts[x.ID], open, had)
	}
	return all, nil
}

// commit runs one transaction, a few times if it must: deadlocks and busy writers pass.
func (r *warnRun[I]) commit(ctx context.Context, fn func(ctx context.Context, tx Tx) error) (err error) {
	for range 5 {
		if err = r.s.core.Unit(ctx, kernel.OwnCommit, fn); !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	return err
}

// write does one transaction. A batch that fails for another reason than the moment's is halved until the bad record stands
// alone; it is reported and does not stop the rest.
func (r *warnRun[I]) write(ctx context.Context, w *warner, ids []int64) error {
	var done []told
	err := r.commit(ctx, func(ctx context.Context, tx Tx) (err error) {
		r.at(w.Sweep)
		done, err = r.writeHeld(ctx, tx, w, ids)
		return err
	})
	switch {
	case err == nil:
		r.count(done, len(ids))
		return nil
	case ctx.Err() != nil, errors.Is(err, kernel.ErrRetry), errors.Is(err, kernel.ErrUnknownOutcome):
		return err
	case len(ids) == 1:
		if len(r.report.Failed) == mostFailures {
			return err // this is no bad record but a bad day
		}
		r.report.Failed = append(r.report.Failed, Failure{kernel.Ref{Kind: string(r.s.kind), ID: ids[0]}, err.Error()})
		return nil
	}
	half := len(ids) / 2
	if err := r.write(ctx, w, ids[:half]); err != nil {
		return err
	}
	return r.write(ctx, w, ids[half:])
}

// writeHeld judges again what it holds: by facts and notes that are younger than the locks, so that what another run has
// told, and what was followed up meanwhile, counts.
func (r *warnRun[I]) writeHeld(ctx context.Context, tx Tx, w *warner, ids []int64) ([]told, error) {
	records, err := tx.Dues(r.s.kind).Hold(ctx, r.by.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	all, err := r.judge(ctx, tx, w, records)
	if err != nil {
		return nil, err
	}
	var notes []Note
	for _, t := range all {
		if t.fresh {
			notes = append(notes, t.note)
		}
	}
	events, err := r.events(ctx, tx, all)
	if err != nil {
		return nil, err
	}
	return all, kernel.FirstError(tx.Dues(r.s.kind).Write(ctx, r.by.Tenant, notes...), tx.Dues(r.s.kind).Tell(ctx, r.by, w.Now, events...))
}

func (r *warnRun[I]) events(ctx context.Context, tx Tx, all []told) (events []Told, err error) {
	last := r.o.Steps[len(r.o.Steps)-1]
	var owners []kernel.UserID
	for _, t := range all {
		if t.due != nil && t.step == last {
			owners = append(owners, t.record.OwnerID)
		}
	}
	slices.Sort(owners)
	superiors, err := tx.Private(r.s.kind).Superiors(ctx, r.by.Tenant, slices.Compact(owners)...)
	for _, t := range all {
		if t.due != nil {
			data := DueSoon{Owner: t.record.OwnerID, DueAt: t.note.DueAt, StepSeconds: int64(t.step / time.Second), Rule: t.due.ID, Name: t.due.Name}
			if t.step == last {
				data.Superior = superiors[t.record.OwnerID]
			}
			events = append(events, Told{t.record, "due_soon", data})
		}
		if t.warn != nil {
			events = append(events, Told{t.record, "warned", RuleWarning{Owner: t.record.OwnerID, Rule: t.warn.ID, Name: t.warn.Name}})
		}
	}
	return events, err
}

func (r *warnRun[I]) count(done []told, asked int) {
	r.report.Left += asked - len(done)
	for _, t := range done {
		if t.fresh {
			r.report.Noted++
		}
		if t.due != nil {
			r.report.Warned++
			r.report.ByStep[slices.Index(r.o.Steps, t.step)].Warned++
		}
		if t.warn != nil {
			i := slices.IndexFunc(r.report.ByRule, func(c RuleTold) bool { return c.Rule == t.warn.ID })
			r.report.ByRule[i].Told++
		}
	}
}
