package bunstore

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/customer/condition"
)

var conditionNow = time.Date(2026, 3, 9, 3, 0, 0, 0, time.UTC)

func conditionTestInput() conditionInput {
	return conditionInput{
		Now:   conditionNow,
		Spend: spendWindow{conditionNow.AddDate(-1, 0, 0), conditionNow},
		Table: func(name string) safeName { return safeName("crm_" + name) },
	}
}

func compiled(t *testing.T, text string) conditionSQL {
	t.Helper()
	c, err := condition.Parse(text)
	require.NoError(t, err, text)
	w, err := compileCondition(c, conditionTestInput())
	require.NoError(t, err, text)
	require.Equal(t, len(w.Args), strings.Count(w.SQL, "?"), text)
	return w
}

func TestConditionAsSQL(t *testing.T) {
	const deal = "CASE WHEN f.last_order_at >= t.first_followup_at THEN NULL ELSE t.first_followup_at END"
	const spend = "coalesce((SELECT sum(o.amount) FROM crm_orders AS o WHERE o.tenant_id = t.tenant_id AND o.customer_id = t.id" +
		" AND o.status IN ('paid', 'shipped', 'completed') AND o.ordered_at >= ? AND o.ordered_at < ?), 0)"
	const tag = "EXISTS (SELECT 1 FROM crm_customer_tags AS ct JOIN crm_tags AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id" +
		" WHERE ct.tenant_id = t.tenant_id AND ct.customer_id = t.id AND g.name = ? AND g.deleted_at IS NULL)"
	day := func(n int) moment { return moment(conditionNow.Add(-24 * time.Hour * time.Duration(n))) }
	later := func(m moment) moment { return moment(time.Time(m).Add(time.Microsecond)) }
	num := func(s string) amount { return amountOf(decimal.RequireFromString(s)) }
	window := []any{moment(conditionNow.AddDate(-1, 0, 0)), moment(conditionNow)}

	for text, want := range map[string]conditionSQL{
		// days: the index is on the instant, so the days become one
		`followup_days > 7`:          {"coalesce(t.last_followup_at, t.owned_since) < ?", []any{day(7)}, false},
		`owned_days >= 7`:            {"t.owned_since < ?", []any{later(day(7))}, false},
		`deal_days <= 90`:            {deal + " >= ?", []any{day(90)}, true},
		`last_order_days < 1`:        {"f.last_order_at >= ?", []any{later(day(1))}, true},
		`last_interaction_days > 30`: {"f.last_interaction_at < ?", []any{day(30)}, true},
		// texts
		`level == "A"`:                 {"t.level = ?", []any{"A"}, false},
		`level != "A"`:                 {"NOT (t.level = ?)", []any{"A"}, false},
		`standing in ["active"]`:       {"t.standing = ?", []any{"active"}, false},
		`stage in ["won", "lost"]`:     {"t.stage IN (?)", []any{bun.List([]string{"won", "lost"})}, false},
		`type not in ["individual"]`:   {"NOT (t.type = ?)", []any{"individual"}, false},
		`industry == "'); DROP TABLE"`: {"t.industry = ?", []any{"'); DROP TABLE"}, false},
		`source == "?0"`:               {"t.source = ?", []any{"?0"}, false},
		`region == "3301"`:             {"((t.region >= ? AND t.region < ?))", []any{"3301", "3301:"}, false},
		`region not in ["33", "35"]`: {
			"NOT (((t.region >= ? AND t.region < ?) OR (t.region >= ? AND t.region < ?)))",
			[]any{"33", "33:", "35", "35:"},
			false,
		},
		`"VIP" in tags`:     {tag, []any{"VIP"}, false},
		`"VIP" not in tags`: {"NOT (" + tag + ")", []any{"VIP"}, false},
		// counts, of which no fraction reaches the database
		`orders == 3`:             {"f.orders = ?", []any{int64(3)}, true},
		`orders != 2.0000`:        {"f.orders <> ?", []any{int64(2)}, true},
		`open_opportunities > 2`:  {"f.open_opportunities > ?", []any{int64(2)}, true},
		`active_contracts > 2.5`:  {"f.active_contracts > ?", []any{int64(2)}, true},
		`open_cases >= 2.5`:       {"f.open_cases >= ?", []any{int64(3)}, true},
		`orders < 2.5`:            {"f.orders < ?", []any{int64(3)}, true},
		`orders <= 2.5`:           {"f.orders <= ?", []any{int64(2)}, true},
		`orders <= -2.5`:          {"f.orders <= ?", []any{int64(-3)}, true},
		`orders < 99999999999999`: {"f.orders < ?", []any{int64(99999999999999)}, true},
		`orders == 2.5`:           {"1 = 0", nil, true},
		`orders != 2.5`:           {"1 = 1", nil, true},
		// amounts
		`spend >= -50000.5`:   {spend + " >= ?", append(window[:2:2], num("-50000.5")), false},
		`potential == 0.0001`: {"t.annual_potential = ?", []any{num("0.0001")}, false},
		`potential != 1`:      {"t.annual_potential <> ?", []any{num("1")}, false},
		// logic
		`level == "A" or level == "B" and not (orders > 1)`: {
			"(t.level = ? OR (t.level = ? AND NOT (f.orders > ?)))",
			[]any{"A", "B", int64(1)},
			true,
		},
	} {
		require.Equal(t, want, compiled(t, text), text)
	}
}

// A fact that is added to the language needs a column here.
func TestEveryFactHasAColumn(t *testing.T) {
	for _, f := range condition.AllFacts() {
		text := string(f) + " > 1"
		switch {
		case f == condition.Tags:
			text = `"x" in tags`
		case f.Kind() == condition.KindRegion:
			text = `region == "33"`
		case f.Values() != nil:
			text = string(f) + ` == "` + f.Values()[0] + `"`
		case f.Kind() == condition.KindText:
			text = string(f) + ` == "x"`
		}
		compiled(t, text)
	}
	require.Len(t, conditionColumns, len(condition.AllFacts())-2, "spend and tags are no columns")
}

// Values are quoted by bun, and what looks like a placeholder in one is none.
func TestConditionValuesAreArguments(t *testing.T) {
	w := compiled(t, `industry in ["it's ?0 \\", 'a"b'] and source == "?TableAlias"`)
	want := `(t.industry IN ('it''s ?0 \', 'a"b') AND t.source = '?TableAlias')`
	for _, d := range []schema.Dialect{sqlitedialect.New(), pgdialect.New()} {
		require.Equal(t, want, schema.NewQueryGen(d).FormatQuery(w.SQL, w.Args...), d.Name())
	}
}

func TestSpendNeedsItsWindow(t *testing.T) {
	c, err := condition.Parse(`level == "A" and spend > 1`)
	require.NoError(t, err)
	in := conditionTestInput()
	in.Spend = spendWindow{}
	_, err = compileCondition(c, in)
	require.ErrorContains(t, err, "spend needs the trailing year")
}

// Over a span of time a condition is true where it is true at any instant of it: "more than" is asked at the end, "less
// than" at the begin, and a "not" goes down to the comparisons.
func TestConditionOverASpan(t *testing.T) {
	until := conditionNow.Add(48 * time.Hour)
	ago := func(at time.Time, days int, more time.Duration) moment {
		return moment(at.Add(-24*time.Hour*time.Duration(days) + more))
	}
	const µs = time.Microsecond
	const from = "coalesce(t.last_followup_at, t.owned_since)"
	for text, want := range map[string]struct {
		sql  string
		args []any
	}{
		`followup_days > 7`:           {from + " < ?", []any{ago(until, 7, 0)}},
		`followup_days >= 7`:          {from + " < ?", []any{ago(until, 7, µs)}},
		`followup_days < 7`:           {from + " >= ?", []any{ago(conditionNow, 7, µs)}},
		`followup_days <= 7`:          {from + " >= ?", []any{ago(conditionNow, 7, 0)}},
		`not (followup_days > 7)`:     {from + " >= ?", []any{ago(conditionNow, 7, 0)}},
		`not (followup_days < 7)`:     {from + " < ?", []any{ago(until, 7, µs)}},
		`not (followup_days <= 7)`:    {from + " < ?", []any{ago(until, 7, 0)}},
		`not (followup_days >= 7)`:    {from + " >= ?", []any{ago(conditionNow, 7, µs)}},
		`not not (followup_days < 7)`: {from + " >= ?", []any{ago(conditionNow, 7, µs)}},
		`deal_days > 7`: {
			"t.first_followup_at < ? AND CASE WHEN f.last_order_at >= t.first_followup_at THEN NULL ELSE t.first_followup_at END < ?",
			[]any{ago(until, 7, 0), ago(until, 7, 0)},
		},
		`level != "A"`:                              {"NOT (t.level = ?)", []any{"A"}},
		`not (level != "A")`:                        {"t.level = ?", []any{"A"}},
		`not (owned_days < 3 and level == "A")`:     {"(t.owned_since < ? OR NOT (t.level = ?))", []any{ago(until, 3, µs), "A"}},
		`not (owned_days < 3 or not (orders == 0))`: {"(t.owned_since < ? AND f.orders = ?)", []any{ago(until, 3, µs), int64(0)}},
	} {
		c, err := condition.Parse(text)
		require.NoError(t, err, text)
		in := conditionTestInput()
		in.Until = until
		got, err := compileCondition(c, in)
		require.NoError(t, err, text)
		require.Equal(t, want.sql, got.SQL, text)
		require.Equal(t, want.args, got.Args, text)
	}
}
