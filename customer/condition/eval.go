package condition

import (
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Truth is what a condition says about a customer. The order False, Unknown, True makes "and" the least of its parts, "or"
// the greatest and "not" the negative (Kleene's logic, which is that of SQL with NULL for Unknown).
type Truth int8

// The truths.
const (
	False   Truth = -1
	Unknown Truth = 0 // an absent fact decides
	True    Truth = 1
)

// String is "true", "false" or "unknown".
func (t Truth) String() string {
	switch t {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "unknown"
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Facts are what a condition needs to know about one customer. Times are UTC, to the microsecond; zero is absent. An
// empty text is absent; Standing, Stage and Type never are. Counts are never absent.
type Facts struct {
	FollowupFrom      time.Time // the last follow-up of this ownership, else OwnedSince
	OwnedSince        time.Time
	FirstFollowupAt   time.Time // of this ownership
	LastOrderAt       time.Time // not cancelled
	LastInteractionAt time.Time

	Level, Standing, Stage, Type string
	Industry, Source, Region     string
	Tags                         []string

	OpenOpportunities, ActiveContracts, OpenCases, Orders int64

	Spend     decimal.Decimal     // of the trailing year
	Potential decimal.NullDecimal // stated on the customer
}

// dealFrom is the first follow-up, unless an order came at it or later: that was the deal (rules.md, No deal).
func (f *Facts) dealFrom() time.Time {
	if !f.LastOrderAt.IsZero() && !f.LastOrderAt.Before(f.FirstFollowupAt) {
		return time.Time{}
	}
	return f.FirstFollowupAt
}

// Counting says what a day is: elapsed time, calendar days, or working days. It turns a comparison of days into one
// comparison of instants, which an index serves and which Go and SQL decide alike.
type Counting interface {
	// Cut must return the instant such that at now "days > n" (with orEqual "days >= n") holds exactly for those instants
	// counted from that lie before it. It must be UTC and to the microsecond. n is 0 to 36500, with at most 4 decimals.
	Cut(now time.Time, orEqual bool, n decimal.Decimal) time.Time
	// Reach is Cut seen from the other side: it must return the first now at which "days > n" (with orEqual "days >= n")
	// holds for an instant counted from; false when it never does.
	Reach(from time.Time, orEqual bool, n decimal.Decimal) (now time.Time, ok bool)
}

// Elapsed counts N days as N × 24 h of elapsed time (rules.md, Time). It is the default.
type Elapsed struct{}

// Cut is N × 24 h before now, to the microsecond.
func (Elapsed) Cut(now time.Time, orEqual bool, n decimal.Decimal) time.Time {
	cut := kernel.Instant(now).Add(-elapsed(n))
	if orEqual { // the instant itself counts too, and instants are whole microseconds
		cut = cut.Add(time.Microsecond)
	}
	return cut
}

// Reach is N × 24 h after an instant, or the microsecond after that.
func (Elapsed) Reach(from time.Time, orEqual bool, n decimal.Decimal) (time.Time, bool) {
	now := kernel.Instant(from).Add(elapsed(n))
	if !orEqual {
		now = now.Add(time.Microsecond)
	}
	return now, true
}

func elapsed(n decimal.Decimal) time.Duration {
	const step = 24 * time.Hour / 10_000 // of the fourth decimal: whole microseconds, so nothing is rounded
	return step * time.Duration(n.Shift(4).IntPart())
}

// Cut turns a comparison of a fact of [KindDays] into one with an instant: it holds for instants counted from that lie
// before the cut, or, if before is false, at it or later.
func (c Compare) Cut(now time.Time, days Counting) (cut time.Time, before bool) {
	switch c.Op {
	case Less, AtMost: // the opposites of >= and >
		return days.Cut(now, c.Op == Less, c.Number), false
	default:
		return days.Cut(now, c.Op == AtLeast, c.Number), true
	}
}

// Turn is the instant at which a comparison of a fact of [KindDays] changes what it says about a customer, for good; false
// when it never does, as the fact is absent.
func (c Compare) Turn(f *Facts, days Counting) (time.Time, bool) {
	s := lookup(c.Fact)
	if s == nil || s.kind != KindDays {
		return time.Time{}, false
	}
	from := s.since(f)
	if from.IsZero() {
		return time.Time{}, false
	}
	return days.Reach(from, c.Op == Less || c.Op == AtLeast, c.Number)
}

// Eval decides about one customer, at one instant. A nil days is [Elapsed].
func (c *Condition) Eval(f Facts, now time.Time, days Counting) Truth {
	if days == nil {
		days = Elapsed{}
	}
	e := evaluation{facts: &f, now: now, days: days}
	return e.node(c.root)
}

type evaluation struct {
	facts *Facts
	now   time.Time
	days  Counting
}

func (e *evaluation) node(n Node) Truth {
	switch n := n.(type) {
	case And:
		t := True
		for i := 0; i < len(n.Nodes) && t != False; i++ {
			t = min(t, e.node(n.Nodes[i]))
		}
		return t
	case Or:
		t := False
		for i := 0; i < len(n.Nodes) && t != True; i++ {
			t = max(t, e.node(n.Nodes[i]))
		}
		return t
	case Not:
		return -e.node(n.Node)
	case Compare:
		return e.compare(n)
	case In:
		return e.in(n)
	case HasTag:
		return truth(slices.Contains(e.facts.Tags, n.Tag))
	}
	return Unknown
}

func (e *evaluation) compare(c Compare) Truth {
	s := lookup(c.Fact)
	if s.kind == KindDays {
		from := s.since(e.facts)
		if from.IsZero() {
			return Unknown
		}
		cut, before := c.Cut(e.now, e.days)
		return truth(from.Before(cut) == before)
	}
	x := s.number(e.facts)
	if !x.Valid {
		return Unknown
	}
	order := x.Decimal.Compare(c.Number)
	switch c.Op {
	case Equal:
		return truth(order == 0)
	case NotEqual:
		return truth(order != 0)
	case Less:
		return truth(order < 0)
	case AtMost:
		return truth(order <= 0)
	case Greater:
		return truth(order > 0)
	default:
		return truth(order >= 0)
	}
}

func (e *evaluation) in(n In) Truth {
	s := lookup(n.Fact)
	text := s.text(e.facts)
	switch {
	case text == "":
		return Unknown
	case s.kind == KindRegion:
		return truth(slices.ContainsFunc(n.Texts, func(code string) bool { return strings.HasPrefix(text, code) }))
	}
	return truth(slices.Contains(n.Texts, text))
}
