package bunstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
)

type verify tx

// section is a table that is walked by its key, a page at a time. {page} in the text of a check is the page, over the
// alias t; {table} is the table, and ?kind the kind of its records.
type section struct {
	name   string
	kind   string // of the reference in a finding
	table  string
	text   string // the part of the key that is a text, if any
	number string // the part of the key that is a number, if any
	fixed  string // what else the rows must be
	checks []invariant
}

// invariant is a query for rows that break it: id, key, expected, found. Expected and found are texts, or instants.
type invariant struct {
	name     string
	query    string
	instants bool
}

// sections are what is walked: small tables first, then the records with all that is counted of them.
func sections() (all []section) {
	all = append(all, teamSections...)
	for _, kind := range recordKinds() {
		k, table := string(kind), recordTables[kind]
		all = append(all,
			section{name: k + ".counters", kind: "member", table: "crm_counters", text: "user_id", fixed: "t.kind = '" + k + "'", checks: counterChecks},
			section{name: k + ".records", kind: k, table: table, number: "id", checks: recordChecks})
		for i := range all[len(all)-2:] {
			s := &all[len(all)-2+i]
			s.checks = forKind(s.checks, k, table)
		}
	}
	return append(append(append(all, customerSections...), salesSections...), leadSections...)
}

// forKind writes kind and table of records into checks.
func forKind(checks []invariant, kind, table string) []invariant {
	written := slices.Clone(checks)
	for i := range written {
		written[i].query = strings.NewReplacer("{table}", table, "{kind}", "'"+kind+"'").Replace(written[i].query)
	}
	return written
}

func sectionOf(name string) (section, error) {
	all := sections()
	i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
	if i < 0 {
		return section{}, bug("there is no section %q to verify", name)
	}
	return all[i], nil
}

// Sections see [storage.VerifyRepository].
func (r *verify) Sections() (list []storage.Section) {
	for _, s := range sections() {
		names := make([]string, len(s.checks))
		for i, c := range s.checks {
			names[i] = c.name
		}
		list = append(list, storage.Section{Name: s.name, Checks: names})
	}
	return list
}

// behind is the condition of keys behind or up to a mark; op is > or <=.
func (s section) behind(op string, m storage.Mark) schema.QueryWithArgs {
	switch {
	case s.text == "":
		return schema.SafeQuery("t."+s.number+" "+op+" ?", []any{m.Number})
	case s.number == "":
		return schema.SafeQuery("t."+s.text+" "+op+" ?", []any{m.Text})
	}
	return schema.SafeQuery("(t."+s.text+", t."+s.number+") "+op+" (?, ?)", []any{m.Text, m.Number})
}

// rows is the condition of the section's rows of a tenant.
func (s section) rows() string {
	switch {
	case s.table == "crm_tenants":
		return "t.id = ?tenant"
	case s.fixed != "":
		return "t.tenant_id = ?tenant AND " + s.fixed
	}
	return "t.tenant_id = ?tenant"
}

// Page see [storage.VerifyRepository].
func (r *verify) Page(
	ctx context.Context, tenant kernel.TenantID, name string, after storage.Mark, atMost int,
) (last storage.Mark, count int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return last, 0, err
	}
	s, err := sectionOf(name)
	if err != nil {
		return last, 0, err
	}
	keys := slices.DeleteFunc([]string{s.text, s.number}, func(c string) bool { return c == "" })
	var rows []struct {
		Text   string
		Number int64
	}
	text, number := "''", "0"
	if s.text != "" {
		text = "t." + s.text
	}
	if s.number != "" {
		number = "t." + s.number
	}
	err = t.raw("SELECT "+text+" AS text, "+number+" AS number FROM "+s.table+" AS t WHERE "+s.rows()+" AND ?after ORDER BY t."+
		strings.Join(keys, ", t.")+" LIMIT ?most", binds{"tenant": n, "after": s.behind(">", after), "most": atMost}).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return last, 0, err
	}
	end := rows[len(rows)-1]
	return storage.Mark{Text: end.Text, Number: end.Number}, len(rows), nil
}

// Findings see [storage.VerifyRepository].
func (r *verify) Findings(ctx context.Context, tenant kernel.TenantID, l storage.Look) (found []storage.Finding, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	s, err := sectionOf(l.Section)
	if err != nil {
		return nil, err
	}
	args := binds{
		"tenant": n, "after": s.behind(">", l.After), "upto": s.behind("<=", l.UpTo),
		"today": string(l.Today), "start": moment(l.Start), "next": moment(l.Next), "from": l.After.Number, "to": l.UpTo.Number,
	}
	later := "+ 10000000"
	if t.pg {
		later = "+ interval '10 seconds'"
	}
	for _, c := range s.checks {
		text := strings.NewReplacer("{page}", s.rows()+" AND ?after AND ?upto", "{+seconds}", later).Replace(c.query)
		var some []storage.Finding
		if c.instants {
			some, err = lookAt[moment](ctx, t, text, args)
		} else {
			some, err = lookAt[nullText](ctx, t, text, args)
		}
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			f.Check, f.Ref.Kind = c.name, s.kind
			found = append(found, f)
		}
	}
	return found, nil
}

// lookAt runs one check, whose answers are of one kind of column.
func lookAt[V nullText | moment](ctx context.Context, t *tx, text string, args binds) ([]storage.Finding, error) {
	var rows []struct {
		ID       int64
		Key      string
		Expected V
		Found    V
	}
	if err := t.raw(text, args).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	found := make([]storage.Finding, len(rows))
	for i, x := range rows {
		found[i] = storage.Finding{Ref: kernel.Ref{ID: x.ID}, Key: x.Key, Expected: asFound(x.Expected), Found: asFound(x.Found)}
	}
	return found, nil
}

// asFound is a value in a finding; nothing is "none".
func asFound(v any) string {
	switch v := v.(type) {
	case nullText:
		if v != "" {
			return string(v)
		}
	case moment:
		if at := time.Time(v); !at.IsZero() {
			return at.Format(time.RFC3339Nano)
		}
	}
	return "none"
}
