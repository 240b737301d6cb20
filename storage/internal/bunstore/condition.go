package bunstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/pool"
)

// conditionInput is what SQL cannot know by itself: date arithmetic is made in Go and bound (rules.md, Time).
type conditionInput struct {
	Now   time.Time
	Until time.Time                  // not zero: true is what may be true at any instant from Now to Until
	Days  condition.Counting         // nil: condition.Elapsed
	Spend spendWindow                // needed by conditions that use spend
	Table func(name string) safeName // Store.table: the name of "orders" is crm_orders, or as the host has it
	Kind  pool.Kind                  // of the records; empty: customers
}

// spendWindow is the trailing year as instants: From is the first one in it, To the first one after it.
type spendWindow struct{ From, To time.Time }

// conditionSQL is a condition for bun: q.Where(w.SQL, w.Args...). Its alias t is the customers' table, and f, if
// NeedsFacts is set, that of their facts, which has a row for every customer. It is NULL where Go says unknown.
type conditionSQL struct {
	SQL        string
	Args       []any
	NeedsFacts bool
}

// compileCondition makes of a condition for one customer ([condition.Condition.Eval]) the same for many. All values are
// arguments, all columns come from conditionColumns.
func compileCondition(c *condition.Condition, in conditionInput) (conditionSQL, error) {
	if in.Days == nil {
		in.Days = condition.Elapsed{}
	}
	if in.Kind == "" {
		in.Kind = pool.Customers
	}
	w := conditionWriter{in: in}
	w.node(c.Root())
	if w.err != nil {
		return conditionSQL{}, fmt.Errorf("condition %q: %w", c, w.err)
	}
	return conditionSQL{w.sql.String(), w.args, w.facts}, nil
}

// conditionColumns are where the facts are stored, but for tags and spend, which are questions to other tables. Facts of
// days are the instants that they are counted from. An expression index serves that of followup_days as it stands here.
var conditionColumns = map[condition.Fact]string{
	condition.FollowupDays:        "coalesce(t.last_followup_at, t.owned_since)",
	condition.OwnedDays:           "t.owned_since",
	condition.DealDays:            "CASE WHEN f.last_order_at >= t.first_followup_at THEN NULL ELSE t.first_followup_at END",
	condition.LastOrderDays:       "f.last_order_at",
	condition.LastInteractionDays: "f.last_interaction_at",
	condition.Level:               "t.level",
	condition.Standing:            "t.standing",
	condition.Stage:               "t.stage",
	condition.Type:                "t.type",
	condition.Industry:            "t.industry",
	condition.Source:              "t.source",
	condition.Region:              "t.region",
	condition.OpenOpportunities:   "f.open_opportunities",
	condition.ActiveContracts:     "f.active_contracts",
	condition.OpenCases:           "f.open_cases",
	condition.Orders:              "f.orders",
	condition.Potential:           "t.annual_potential",
}

var conditionOps = map[condition.Op]string{
	condition.Equal: "=", condition.NotEqual: "<>", condition.Less: "<", condition.AtMost: "<=",
	condition.Greater: ">", condition.AtLeast: ">=",
}

// conditionWriter keeps the first error, so that the rest reads as what it writes.
type conditionWriter struct {
	in    conditionInput
	sql   strings.Builder
	args  []any
	facts bool
	not   bool // with Until: the opposite of what comes is written
	err   error
}

func (w *conditionWriter) write(sql string, args ...any) {
	w.sql.WriteString(sql)
	w.args = append(w.args, args...)
}

func (w *conditionWriter) table(name string) string { return string(w.in.Table(name)) }

func (w *conditionWriter) failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *conditionWriter) node(n condition.Node) {
	switch n := n.(type) {
	case condition.And:
		w.run(n.Nodes, !w.not)
	case condition.Or:
		w.run(n.Nodes, w.not)
	case condition.Not:
		w.opposite(n.Node)
	case condition.Compare:
		if w.not && n.Fact.Kind() == condition.KindDays {
			n.Op = oppositeOps[n.Op]
			w.compare(n)
			return
		}
		w.leaf(func() { w.compare(n) })
	case condition.In:
		w.leaf(func() { w.texts(n) })
	case condition.HasTag:
		w.leaf(func() { w.hasTag(n) })
	default:
		w.failf("no SQL for %T", n)
	}
}

// opposite writes what is true when a node is false. Over a span of time that is not when it is not true: "more than 7
// days" may be true at its end and false at its begin. So the "not" goes down to the comparisons, each of which is
// asked at the instant at which it is true if it ever is.
func (w *conditionWriter) opposite(n condition.Node) {
	if !w.in.Until.IsZero() {
		w.not = !w.not
		w.node(n)
		w.not = !w.not
		return
	}
	w.write("NOT (")
	w.node(n)
	w.write(")")
}

var oppositeOps = map[condition.Op]condition.Op{
	condition.Less: condition.AtLeast, condition.AtLeast: condition.Less, condition.Greater: condition.AtMost, condition.AtMost: condition.Greater,
}

func (w *conditionWriter) leaf(write func()) {
	if !w.not {
		write()
		return
	}
	w.write("NOT (")
	write()
	w.write(")")
}

func (w *conditionWriter) run(nodes []condition.Node, and bool) {
	between := " OR "
	if and {
		between = " AND "
	}
	w.write("(")
	for i, n := range nodes {
		if i > 0 {
			w.write(between)
		}
		w.node(n)
	}
	w.write(")")
}

func (w *conditionWriter) column(f condition.Fact) string {
	column, ok := kinds[w.in.Kind].conditionColumns[f]
	if !ok {
		w.failf("no column for %s", f)
	}
	if strings.Contains(column, "f.") {
		w.facts = true
	}
	return column
}

func (w *conditionWriter) compare(c condition.Compare) {
	switch {
	case c.Fact == condition.Spend:
		w.spend()
		w.write(" "+conditionOps[c.Op]+" ?", amountOf(c.Number))
	case c.Fact.Kind() == condition.KindDays:
		at := w.in.Now
		if (c.Op == condition.Greater || c.Op == condition.AtLeast) && w.in.Until.After(at) {
			at = w.in.Until // more days go by; "less than" is true now if it ever is
		}
		cut, before := c.Cut(at, w.in.Days)
		if before && c.Fact == condition.DealDays && !w.in.Until.IsZero() {
			// What follows from it, for the index. It is false where the other may be unknown: over a span no "not" stands above it.
			w.write("t.first_followup_at < ? AND ", moment(cut))
		}
		if before {
			w.write(w.column(c.Fact)+" < ?", moment(cut))
		} else {
			w.write(w.column(c.Fact)+" >= ?", moment(cut))
		}
	case c.Fact.Kind() == condition.KindCount:
		w.count(c)
	default:
		w.write(w.column(c.Fact)+" "+conditionOps[c.Op]+" ?", amountOf(c.Number))
	}
}

// count compares an integer column with an integer, whatever the condition says: the engines compare integers with
// fractions each in its own way, SQLite by floating point.
func (w *conditionWriter) count(c condition.Compare) {
	column, n := w.column(c.Fact), c.Number
	switch c.Op {
	case condition.Greater, condition.AtMost:
		n = n.Floor()
	case condition.Less, condition.AtLeast:
		n = n.Ceil()
	case condition.Equal, condition.NotEqual:
		if !n.IsInteger() { // no count is equal to it
			w.write(map[condition.Op]string{condition.Equal: "1 = 0", condition.NotEqual: "1 = 1"}[c.Op])
			return
		}
	}
	w.write(column+" "+conditionOps[c.Op]+" ?", n.IntPart())
}

// spend is the sum over the trailing year, 0 when there was no order (rules.md, Grade). Refunds come off here once they
// have a table.
func (w *conditionWriter) spend() {
	if !kinds[w.in.Kind].spends {
		w.write("0")
		return
	}
	window := w.in.Spend
	if window.From.IsZero() || window.To.IsZero() { // NULL would make everybody's spend 0
		w.failf("spend needs the trailing year")
	}
	w.write("coalesce((SELECT sum(o.amount) FROM "+w.table("orders")+" AS o"+
		" WHERE o.tenant_id = t.tenant_id AND o.customer_id = t.id AND o.status IN ('paid', 'shipped', 'completed')"+
		" AND o.ordered_at >= ? AND o.ordered_at < ?), 0)", moment(window.From), moment(window.To))
}

func (w *conditionWriter) texts(n condition.In) {
	column := w.column(n.Fact)
	if n.Fact.Kind() == condition.KindRegion {
		w.regions(column, n.Texts)
		return
	}
	if len(n.Texts) == 1 {
		w.write(column+" = ?", n.Texts[0])
		return
	}
	w.write(column+" IN (?)", bun.List(n.Texts))
}

// regions matches by prefix as a range, which an index serves: codes are digits, and ':' is the character after '9' in
// the binary order that text has on both engines.
func (w *conditionWriter) regions(column string, codes []string) {
	w.write("(")
	for i, code := range codes {
		if i > 0 {
			w.write(" OR ")
		}
		w.write("("+column+" >= ? AND "+column+" < ?)", code, code+":")
	}
	w.write(")")
}

// hasTag is never NULL, as a customer without tags has none.
func (w *conditionWriter) hasTag(n condition.HasTag) {
	w.write("EXISTS (SELECT 1 FROM "+w.table(kinds[w.in.Kind].tags)+" AS ct JOIN "+w.table("tags")+" AS g"+
		" ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id WHERE ct.tenant_id = t.tenant_id AND ct."+kinds[w.in.Kind].tagged+" = t.id"+
		" AND g.name = ? AND g.deleted_at IS NULL)", n.Tag)
}
