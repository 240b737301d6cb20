package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// judged are the instants at which rules are judged: near midnight, on a 29 February and on the day after one, in the
// tenant's zone. lately is after all of them: what customers did until then may lie in their future.
var (
	judged = []time.Time{
		time.Date(2026, 2, 27, 16, 30, 0, 0, time.UTC),
		time.Date(2028, 2, 29, 4, 0, 0, 123457000, time.UTC),
		time.Date(2028, 2, 29, 16, 0, 0, 0, time.UTC),
	}
	lately      = time.Date(2028, 3, 4, 0, 0, 0, 0, time.UTC)
	shanghai, _ = time.LoadLocation("Asia/Shanghai")
)

// year is the trailing year of an instant's day (rules.md, Time).
func year(now time.Time) (from, until time.Time) {
	today := kernel.DateOf(now, shanghai)
	return today.YearBefore().Next().Start(shanghai), today.Next().Start(shanghai)
}

// bought is an order, with a status that only a later module can set.
type bought struct {
	At     time.Time
	Amount decimal.Decimal
	Status string
}

// person is a customer as it is meant to be: the test's own account of its facts.
type person struct {
	customer.Customer
	Second        bool // in the second pool
	Clocked       bool // its clocks are stated by a sync, else it is created at OwnedSince
	Tags          []string
	Orders        []bought
	Followups     []time.Time
	Others        []time.Time // interactions that are no follow-ups
	Opportunities int64
	Contracts     int64
	Cases         int64
	Blacklist     bool
	Deleted       bool
}

// crowdOf makes random people.
func crowdOf(r *rand.Rand, n int) []*person {
	people := make([]*person, n)
	for i := range people {
		people[i] = aPerson(r, i)
	}
	return people
}

func aPerson(r *rand.Rand, i int) *person {
	maybe := func(list ...string) string { return pick(r, "", pick(r, list...), pick(r, list...)) }
	x := &person{Customer: customer.Customer{
		Name: fmt.Sprint("customer ", i), Type: pick(r, customer.Enterprise, customer.Individual), Standing: pick(r, customer.Active, customer.Inactive),
		Level: customer.Level(maybe("A", "B", "C", "D")), Industry: maybe(words...), Source: maybe(words...), Region: maybe(regions...),
		Stage: pick(r, customer.Potential, customer.Potential, customer.Won, customer.Lost),
	}, Second: r.IntN(5) == 0, Clocked: r.IntN(3) > 0, Blacklist: r.IntN(12) == 0, Deleted: r.IntN(20) == 0}
	if r.IntN(3) > 0 {
		x.AnnualPotential = decimal.NewNullDecimal(decimal.RequireFromString(pick(r, amounts...)).Abs())
	}
	if x.OwnerID = pick(r, li.User, wang.User, li.User, wang.User, head.User, "gone", ""); x.OwnerID != "" {
		x.OwnedSince = before(r)
	}
	if x.Clocked && x.OwnerID != "" && r.IntN(3) > 0 {
		x.FirstFollowupAt, x.LastFollowupAt = before(r), before(r)
		if x.LastFollowupAt.Before(x.FirstFollowupAt) || r.IntN(4) == 0 {
			x.LastFollowupAt = x.FirstFollowupAt
		}
		if x.OwnedSince.After(x.FirstFollowupAt) {
			x.OwnedSince = x.FirstFollowupAt
		}
	}
	for range r.IntN(3) {
		x.Tags = append(x.Tags, pick(r, tagNames...))
	}
	slices.Sort(x.Tags)
	x.Tags = slices.Compact(x.Tags)
	x.happens(r)
	return x
}

// happens is what a customer does: orders at the boundaries of the trailing year, and at its follow-ups.
func (x *person) happens(r *rand.Rand) {
	for range r.IntN(3) {
		x.Followups = append(x.Followups, before(r))
	}
	for range r.IntN(2) {
		x.Others = append(x.Others, before(r))
	}
	for range r.IntN(4) {
		from, until := year(pick(r, judged...))
		at := pick(r, before(r), from.Add(beside(r)), until.Add(beside(r)))
		if first := x.facts(judged[0]).FirstFollowupAt; !first.IsZero() && r.IntN(3) == 0 {
			at = first.Add(beside(r)) // a deal, or just not
		}
		x.Orders = append(x.Orders, bought{at, decimal.RequireFromString(pick(r, amounts...)), pick(r, "completed", "completed", "paid", "shipped", "placed", "cancelled")})
	}
	if r.IntN(2) == 0 {
		x.Opportunities, x.Contracts, x.Cases = int64(r.IntN(4)), int64(r.IntN(4)), int64(r.IntN(4))
	}
	if len(x.Orders) > 0 {
		x.Stage = customer.Won
	}
}

// before is an instant at, or a microsecond beside, one that a rule can cut at.
func before(r *rand.Rand) time.Time {
	n := decimal.RequireFromString(pick(r, dayNumbers...))
	micros := n.Mul(decimal.NewFromInt(day.Microseconds())).IntPart()
	return pick(r, judged...).Add(-time.Duration(micros) * time.Microsecond).Add(beside(r))
}

func beside(r *rand.Rand) time.Duration {
	return pick(r, 0, 0, -time.Microsecond, time.Microsecond, time.Duration(r.Int64N(int64(day))).Truncate(time.Microsecond))
}

// facts is what conditions read of the person at an instant, by rules.md rather than by the library.
func (x *person) facts(now time.Time) condition.Facts {
	f := condition.Facts{
		OwnedSince: x.OwnedSince, FirstFollowupAt: x.FirstFollowupAt,
		Level: string(x.Level), Standing: string(x.Standing), Stage: string(x.Stage), Type: string(x.Type),
		Industry: x.Industry, Source: x.Source, Region: x.Region, Tags: x.Tags,
		OpenOpportunities: x.Opportunities, ActiveContracts: x.Contracts, OpenCases: x.Cases, Potential: x.AnnualPotential,
	}
	if x.Blacklist {
		f.Standing = string(customer.Blacklisted)
	}
	last := x.LastFollowupAt
	for _, at := range x.Followups {
		if x.OwnerID == "" || at.Before(x.OwnedSince) {
			continue
		}
		if f.FirstFollowupAt.IsZero() || at.Before(f.FirstFollowupAt) {
			f.FirstFollowupAt = at
		}
		last = later(last, at)
	}
	if f.FollowupFrom = last; last.IsZero() {
		f.FollowupFrom = x.OwnedSince
	}
	for _, at := range slices.Concat(x.Followups, x.Others) {
		f.LastInteractionAt = later(f.LastInteractionAt, at)
	}
	from, until := year(now)
	for _, o := range x.Orders {
		if o.Status == "cancelled" {
			continue
		}
		f.Orders++
		f.LastOrderAt = later(f.LastOrderAt, o.At)
		if o.Status != "placed" && !o.At.Before(from) && o.At.Before(until) {
			f.Spend = f.Spend.Add(o.Amount)
		}
	}
	return f
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// show writes facts so that equal ones are equal texts.
func show(f condition.Facts) string {
	when := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	potential := "-"
	if f.Potential.Valid {
		potential = f.Potential.Decimal.StringFixed(4)
	}
	tags := slices.Sorted(slices.Values(f.Tags))
	return fmt.Sprintf("followup from %s, owned %s, first followup %s, last order %s, last interaction %s, level %q, standing %s, stage %s, type %s, industry %q, "+
		"source %q, region %q, tags %q, opportunities %d, contracts %d, cases %d, orders %d, spend %s, potential %s",
		when(f.FollowupFrom), when(f.OwnedSince), when(f.FirstFollowupAt), when(f.LastOrderAt), when(f.LastInteractionAt), f.Level, f.Standing, f.Stage, f.Type,
		f.Industry, f.Source, f.Region, tags, f.OpenOpportunities, f.ActiveContracts, f.OpenCases, f.Orders, f.Spend.StringFixed(4), potential)
}
