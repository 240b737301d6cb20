package pool

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

// ruleset is what is simulated: the rules of some pools, in the order in which they win.
type ruleset map[ID]*simulated

// simulated is a sweep of one pool, with what the replay needs of its rules at hand.
type simulated struct {
	*Sweep
	tests  []condition.Compare // of days, in all rules
	spends bool                // a rule asks for spend, which changes at midnight
	acts   bool
}

func simulate(s *Sweep) *simulated {
	x := &simulated{Sweep: s}
	for _, r := range s.Rules {
		x.tests = dayTests(r.Parsed.Root(), x.tests)
		x.spends = x.spends || slices.Contains(r.Parsed.Facts(), condition.Spend)
		x.acts = x.acts || r.Acts
	}
	return x
}

// runs says when runs happen: at every instant, or once a day.
type runs struct {
	daily *calendar.Time
	zone  *time.Location
}

// next is the first run at an instant or after it.
func (r runs) next(at time.Time) time.Time {
	if r.daily == nil {
		return at
	}
	local := at.In(r.zone)
	for days := 0; ; days++ {
		run := time.Date(local.Year(), local.Month(), local.Day()+days, int(*r.daily)/60, int(*r.daily)%60, 0, 0, r.zone).UTC()
		if !run.Before(at) {
			return run
		}
	}
}

// taken is a release that never happened.
type taken struct {
	at   time.Time
	pool ID
	rule *SweepRule
}

// ownership is one time that a record was owned by one member.
type ownership struct {
	owner  kernel.UserID
	since  time.Time // what owned_days count from
	end    time.Time // zero: it lasts
	ended  *PastOperation
	pool   ID       // its home pool at the end of it
	inside bool     // some of it lies in the window, in a pool that is simulated
	taken  []*taken // by each of the rulesets; nil: by none of its rules
}

// replay runs through what happened to one record, and asks each ruleset when it would first have taken it from each of
// its owners. Between two things that are on record no fact changes, so that the instants at which comparisons of days
// turn, and those at which an order leaves the trailing year, are all that is looked at: it is exact. What happens at one
// instant is over before a run at that instant begins.
type replay struct {
	rules    []ruleset
	runs     runs
	zone     *time.Location
	from, to time.Time // releases are looked for in [from, to)
	now      time.Time // what is later is not looked at
	// exposed tells whether the rules of the pool apply to what the member owns, and until when; zero: to this day.
	exposed func(p ID, user kernel.UserID) (until time.Time, ok bool)

	h       *History
	orders  []PastOrder // known by now, in the order of the log below
	facts   condition.Facts
	fields  pastFields
	stated  stated
	locked  time.Time
	begins  time.Time // of the stretch that nothing changes in
	current ownership
	won     []time.Time
	yield   func(*ownership)
}

// run tells each ownership as it ends, the last one too if it lasts.
func (r *replay) run(h *History, k Kind, yield func(*ownership)) error {
	changes, err := h.read(k)
	if err != nil {
		return err
	}
	r.h, r.yield, r.facts, r.orders, r.won = h, yield, h.Facts, nil, nil
	r.facts.OwnedSince, r.facts.FollowupFrom, r.facts.FirstFollowupAt = time.Time{}, time.Time{}, time.Time{}
	r.facts.LastOrderAt, r.facts.LastInteractionAt, r.facts.Orders, r.facts.Spend = time.Time{}, time.Time{}, 0, decimal.Zero
	r.stated, r.locked, r.current = stated{}, time.Time{}, ownership{}
	if r.fields, err = h.begin(changes); err != nil {
		return err
	}
	r.fields.into(&r.facts)
	slices.SortFunc(h.Interactions, func(a, b PastInteraction) int { return a.At.Compare(b.At) })
	slices.SortFunc(h.Orders, func(a, b PastOrder) int { return a.At.Compare(b.At) })
	for _, e := range h.log(changes, r.now) {
		if err := r.step(e, changes); err != nil {
			return err
		}
	}
	if r.current.owner != "" {
		r.search(r.now, true)
		r.close(time.Time{}, nil)
	}
	return nil
}

// entry is a thing on record, by its kind and place there.
type entry struct {
	at   time.Time
	kind int8
	i    int
}

// The kinds of entries, in the order in which those of one instant are taken: a claim before the lock that its owner put on
// it, and a run behind what it knew.
const (
	aBirth int8 = iota
	anOperation
	aChange
	anInteraction
	anOrder
	aRun // an operation of one, and those that followed it at once
)

// log is everything in the order in which it was written down.
func (h *History) log(changes []past, now time.Time) []entry {
	all := make([]entry, 0, len(changes)+len(h.Interactions)+len(h.Orders)+len(h.Operations))
	add := func(at time.Time, kind int8, i int) {
		if !at.After(now) {
			all = append(all, entry{at, kind, i})
		}
	}
	for i, c := range changes {
		kind := aChange
		if c.made != nil {
			kind = aBirth
		}
		add(c.at, kind, i)
	}
	for i, x := range h.Interactions {
		add(x.Known, anInteraction, i)
	}
	for i, x := range h.Orders {
		add(x.Known, anOrder, i)
	}
	kind := anOperation
	for i, x := range h.Operations {
		switch {
		case x.Action == customer.Recycled:
			kind = aRun
		case i > 0 && !x.At.Equal(h.Operations[i-1].At):
			kind = anOperation
		}
		add(x.At, kind, i)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.kind, b.kind)) })
	return all
}

// step looks for a release before a thing happened, and lets it happen.
func (r *replay) step(e entry, changes []past) error {
	r.search(e.at, e.kind == aRun && r.h.Operations[e.i].Action == customer.Recycled)
	r.begins = e.at
	switch e.kind {
	case aBirth, aChange:
		return r.change(changes[e.i])
	case anInteraction:
		r.interaction(r.h.Interactions[e.i])
	case anOrder:
		r.order(r.h.Orders[e.i])
	case anOperation, aRun:
		r.operation(&r.h.Operations[e.i])
	}
	return nil
}

func (r *replay) change(c past) error {
	if c.made != nil {
		return decode(c.made, &r.stated)
	}
	was := r.fields
	for name, raw := range c.after {
		if name == "lock_until" {
			r.locked = time.Time{}
			if err := decode(raw, &r.locked); err != nil {
				return err
			}
		}
		if err := r.fields.set(name, raw); err != nil {
			return err
		}
	}
	if r.fields.stage == string(customer.Won) && was.stage != r.fields.stage {
		r.won = append(r.won, c.at)
	}
	r.fields.into(&r.facts)
	return nil
}

func (r *replay) interaction(x PastInteraction) {
	f := &r.facts
	if x.At.After(f.LastInteractionAt) {
		f.LastInteractionAt = x.At
	}
	if !x.Followup || r.current.owner == "" || x.At.Before(f.OwnedSince) {
		return // it moves no clock (rules.md, Follow-up)
	}
	if f.FirstFollowupAt.IsZero() || x.At.Before(f.FirstFollowupAt) {
		f.FirstFollowupAt = x.At
	}
	if x.At.After(f.FollowupFrom) {
		f.FollowupFrom = x.At
	}
}

func (r *replay) order(x PastOrder) {
	r.orders = append(r.orders, x)
	r.facts.Orders++
	if x.At.After(r.facts.LastOrderAt) {
		r.facts.LastOrderAt = x.At
	}
}

func (r *replay) operation(op *PastOperation) {
	if op.To == r.current.owner { // it stays with its owner, or in a pool
		r.current.pool = op.Pool
		return
	}
	if r.current.owner != "" {
		r.close(op.At, op)
	}
	r.current = ownership{owner: op.To, pool: op.Pool, since: op.At, taken: make([]*taken, len(r.rules))}
	r.locked = time.Time{}
	f := &r.facts
	f.OwnedSince, f.FollowupFrom, f.FirstFollowupAt = op.At, op.At, time.Time{}
	switch {
	case op.To == "":
		f.OwnedSince, f.FollowupFrom = time.Time{}, time.Time{}
	case op.Action == customer.Created && !r.stated.OwnedSince.IsZero():
		f.OwnedSince, f.FollowupFrom = r.stated.OwnedSince, r.stated.OwnedSince
		if !r.stated.LastFollowupAt.IsZero() {
			f.FirstFollowupAt, f.FollowupFrom = r.stated.FirstFollowupAt, r.stated.LastFollowupAt
		}
		r.current.since = f.OwnedSince
	}
}

func (r *replay) close(end time.Time, by *PastOperation) {
	r.current.end, r.current.ended = end, by
	r.yield(&r.current)
	r.current = ownership{}
}

// search asks the rulesets about the stretch until an instant, and with it where nothing else is known of it: a run took
// the record then, or it is now.
func (r *replay) search(until time.Time, with bool) {
	from := later(r.begins, r.from)
	if with {
		until = until.Add(time.Microsecond)
	}
	if r.to.Before(until) {
		until = r.to
	}
	if r.current.owner == "" || r.fields.deleted || !from.Before(until) {
		return
	}
	for i, rules := range r.rules {
		s := rules[r.current.pool]
		if s == nil {
			continue
		}
		r.current.inside = true
		if r.current.taken[i] != nil || !s.acts {
			continue
		}
		left, ok := r.exposed(r.current.pool, r.current.owner)
		switch {
		case !ok:
			continue
		case !left.IsZero() && left.Before(until):
			r.current.taken[i] = r.first(s, from, left)
		default:
			r.current.taken[i] = r.first(s, from, until)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// first is the first run in [from, until) that takes the record, while nothing happens to it.
func (r *replay) first(s *simulated, from, until time.Time) *taken {
	turns := r.turns(s, from, until)
	for i, at := range turns {
		end := until
		if i+1 < len(turns) {
			end = turns[i+1]
		}
		if at.Before(r.locked) {
			continue
		}
		if s.spends {
			r.facts.Spend = r.spend(at)
		}
		w := winner(s.Rules, r.facts, at, s.Days)
		if w < 0 || !s.Rules[w].Acts {
			continue
		}
		if run := r.runs.next(at); run.Before(end) {
			return &taken{run, r.current.pool, &s.Rules[w]}
		}
	}
	return nil
}

// turns are the instants in [from, until), from itself first, at which a rule may change its mind.
func (r *replay) turns(s *simulated, from, until time.Time) []time.Time {
	turns := []time.Time{from}
	add := func(at time.Time) {
		if at.After(from) && at.Before(until) {
			turns = append(turns, at)
		}
	}
	add(r.locked)
	for _, test := range s.tests {
		if at, ok := test.Turn(&r.facts, s.Days); ok {
			add(at)
		}
	}
	if s.spends {
		for _, o := range r.orders {
			add(leavesYear(o.At, r.zone))
		}
	}
	slices.SortFunc(turns, time.Time.Compare)
	return slices.CompactFunc(turns, time.Time.Equal)
}

// leavesYear is the first instant at which an order is no longer in the trailing year (rules.md, Time).
func leavesYear(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	d := kernel.Date(time.Date(local.Year()+1, local.Month(), local.Day(), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	return d.Start(zone)
}

func (r *replay) spend(at time.Time) (sum decimal.Decimal) {
	from, until := trailingYear(at, r.zone)
	for _, o := range r.orders {
		if o.Paid && !o.At.Before(from) && o.At.Before(until) {
			sum = sum.Add(o.Amount)
		}
	}
	return sum
}

// Later is what a member did in reality with records that the rules would have taken from it, between that instant and
// the end of the ownership, or today.
type Later struct {
	FollowedUp int             `json:"followed_up"` // so many ownerships with a follow-up
	Ordered    int             `json:"ordered"`     // with an order
	Won        int             `json:"won"`         // in which the record was won
	Amount     decimal.Decimal `json:"amount"`      // of those orders
}

// later is what happened after a release that never was, before the ownership ended.
func (r *replay) later(o *ownership, t *taken) (l Later) {
	end := o.end
	if end.IsZero() {
		end = r.now.Add(time.Microsecond)
	}
	meetings := between(r.h.Interactions, t.at, end, func(x PastInteraction) time.Time { return x.At })
	if slices.ContainsFunc(meetings, func(x PastInteraction) bool { return x.Followup && !x.Known.After(r.now) }) {
		l.FollowedUp = 1
	}
	for _, x := range between(r.h.Orders, t.at, end, func(x PastOrder) time.Time { return x.At }) {
		if !x.Known.After(r.now) {
			l.Ordered, l.Amount = 1, l.Amount.Add(x.Amount)
		}
	}
	if len(between(r.won, t.at, end, func(x time.Time) time.Time { return x })) > 0 {
		l.Won = 1
	}
	return l
}

// between are the items, which stand in the order of their times, after one instant and before another.
func between[T any](items []T, after, before time.Time, of func(T) time.Time) []T {
	first := sort.Search(len(items), func(i int) bool { return of(items[i]).After(after) })
	rest := items[first:]
	return rest[:sort.Search(len(rest), func(i int) bool { return !of(rest[i]).Before(before) })]
}
