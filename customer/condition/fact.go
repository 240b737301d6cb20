package condition

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Fact is something that a condition can ask about a customer, as the language spells it.
type Fact string

// The facts (rules.md, The condition language). Later modules add theirs here, in the table below and to [Facts];
// adapters then need to know where the fact is stored.
const (
	FollowupDays        Fact = "followup_days"         // since the last follow-up, or since the customer was owned
	OwnedDays           Fact = "owned_days"            // since the customer was owned
	DealDays            Fact = "deal_days"             // since the first follow-up, absent when there was an order since
	LastOrderDays       Fact = "last_order_days"       // since the last order that was not cancelled
	LastInteractionDays Fact = "last_interaction_days" // since the last interaction of any kind
	Level               Fact = "level"                 // A, B, C or D
	Standing            Fact = "standing"              // active, inactive or blacklist
	Stage               Fact = "stage"                 // potential, won or lost
	Type                Fact = "type"                  // enterprise or individual
	Industry            Fact = "industry"
	Source              Fact = "source"
	Region              Fact = "region" // a division code; a condition names the digits that it starts with
	Tags                Fact = "tags"   // the names of the customer's tags
	OpenOpportunities   Fact = "open_opportunities"
	ActiveContracts     Fact = "active_contracts"
	OpenCases           Fact = "open_cases"
	Orders              Fact = "orders"    // not cancelled
	Spend               Fact = "spend"     // in the trailing year; refunds can make it negative
	Potential           Fact = "potential" // annual potential stated on the customer
)

// Kind says how a fact is compared, and how adapters store it.
type Kind int

// The kinds of facts.
const (
	KindDays   Kind = iota + 1 // an instant; what is compared are the days since: < <= > >=
	KindText                   // == != in, "not in"; of some facts only the values of an enumeration
	KindRegion                 // ==, in, "not in", by prefix
	KindTags                   // "VIP" in tags
	KindCount                  // an integer, never absent: all six comparisons
	KindAmount                 // up to 4 decimals: all six comparisons
)

// operators are what may stand after a fact of the kind; before tags stand other ones.
func (k Kind) operators() []string {
	switch k {
	case KindDays:
		return []string{"<", "<=", ">", ">="}
	case KindText:
		return []string{"==", "!=", "in", "not in"}
	case KindRegion:
		return []string{"==", "in", "not in"}
	case KindCount, KindAmount:
		return []string{"==", "!=", "<", "<=", ">", ">="}
	}
	return nil
}

// spec is all that the language knows about a fact. Exactly one of the functions is set, but for tags.
type spec struct {
	fact   Fact
	kind   Kind
	values []string                         // of an enumeration; nil: any text but the empty one
	since  func(*Facts) time.Time           // KindDays: zero when absent
	text   func(*Facts) string              // KindText, KindRegion: empty when absent
	number func(*Facts) decimal.NullDecimal // KindCount, KindAmount
}

// table is the one place where facts are added. Nothing changes it.
var table = []spec{
	{fact: FollowupDays, kind: KindDays, since: func(f *Facts) time.Time { return f.FollowupFrom }},
	{fact: OwnedDays, kind: KindDays, since: func(f *Facts) time.Time { return f.OwnedSince }},
	{fact: DealDays, kind: KindDays, since: (*Facts).dealFrom},
	{fact: LastOrderDays, kind: KindDays, since: func(f *Facts) time.Time { return f.LastOrderAt }},
	{fact: LastInteractionDays, kind: KindDays, since: func(f *Facts) time.Time { return f.LastInteractionAt }},
	{fact: Level, kind: KindText, values: []string{"A", "B", "C", "D"}, text: func(f *Facts) string { return f.Level }},
	{
		fact: Standing, kind: KindText, values: []string{"active", "inactive", "blacklist"},
		text: func(f *Facts) string { return f.Standing },
	},
	{
		fact: Stage, kind: KindText, values: []string{"potential", "won", "lost"},
		text: func(f *Facts) string { return f.Stage },
	},
	{
		fact: Type, kind: KindText, values: []string{"enterprise", "individual"},
		text: func(f *Facts) string { return f.Type },
	},
	{fact: Industry, kind: KindText, text: func(f *Facts) string { return f.Industry }},
	{fact: Source, kind: KindText, text: func(f *Facts) string { return f.Source }},
	{fact: Region, kind: KindRegion, text: func(f *Facts) string { return f.Region }},
	{fact: Tags, kind: KindTags},
	{
		fact: OpenOpportunities, kind: KindCount,
		number: func(f *Facts) decimal.NullDecimal { return count(f.OpenOpportunities) },
	},
	{
		fact: ActiveContracts, kind: KindCount,
		number: func(f *Facts) decimal.NullDecimal { return count(f.ActiveContracts) },
	},
	{fact: OpenCases, kind: KindCount, number: func(f *Facts) decimal.NullDecimal { return count(f.OpenCases) }},
	{fact: Orders, kind: KindCount, number: func(f *Facts) decimal.NullDecimal { return count(f.Orders) }},
	{fact: Spend, kind: KindAmount, number: func(f *Facts) decimal.NullDecimal { return decimal.NewNullDecimal(f.Spend) }},
	{fact: Potential, kind: KindAmount, number: func(f *Facts) decimal.NullDecimal { return f.Potential }},
}

func count(n int64) decimal.NullDecimal { return decimal.NewNullDecimal(decimal.NewFromInt(n)) }

// lookup is nil for what is no fact. (Nineteen short names: a scan is as quick as a map.)
func lookup(f Fact) *spec {
	for i := range table {
		if table[i].fact == f {
			return &table[i]
		}
	}
	return nil
}

// AllFacts are the facts that the language knows, in the order of rules.md.
func AllFacts() []Fact {
	facts := make([]Fact, len(table))
	for i, s := range table {
		facts[i] = s.fact
	}
	return facts
}

// Kind is the kind of a fact, or 0 for a text that is no fact.
func (f Fact) Kind() Kind {
	if s := lookup(f); s != nil {
		return s.kind
	}
	return 0
}

// Values are what a fact can be, where that is an enumeration; nil for all others.
func (f Fact) Values() []string {
	if s := lookup(f); s != nil {
		return slices.Clone(s.values)
	}
	return nil
}

// nearest is the fact that a word was probably meant to be; empty if none is near.
func nearest(word string) Fact {
	best, at := Fact(""), 1+max(1, (len(word)+1)/3) // a third of it may be wrong
	for _, s := range table {
		if d := distance(word, string(s.fact)); d < at {
			best, at = s.fact, d
		}
	}
	return best
}

// distance is how many bytes must be put in, taken out or replaced to make one word of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
