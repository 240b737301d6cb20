package pool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

// SimulateOptions may be nil, and so may each field.
type SimulateOptions struct {
	// From is the instant from which the rules are taken to have been in force: what they would have taken before it, they
	// take at it. Zero is the beginning of the log.
	From time.Time
	// To is the first instant at which they are not any more, not in the future. Defaults to the instant after now.
	To time.Time
	// RunsAt is when runs happen, once a day in the tenant's zone, such as calendar.At(3, 0): a record is taken by the first
	// run that finds it due. nil takes it at the very instant at which it is due (Due).
	RunsAt *calendar.Time
	// Examples is how many of the ownerships that the rules would have ended are listed, 0 to 1,000.
	Examples int
	// After goes on behind the records of another call: its Simulation.Next. Give it the same From and To, and the reports
	// make one: Simulation.Add.
	After string
	// Limit ends the call after so many records; Simulation.Next goes on. 0 is no limit.
	Limit int
	// Batch is how many records are read at once, 1 to 5,000. Defaults to 1,000.
	Batch int
	// Progress, if not nil, is told after every batch.
	Progress func(SimulationProgress)
}

// SimulationProgress is how far a simulation is.
type SimulationProgress struct {
	Records    int `json:"records"` // done
	Of         int `json:"of"`      // there were so many when it began
	Ownerships int `json:"ownerships"`
	Released   int `json:"released"` // by the rules that are tried
}

const (
	mostExamples   = 1_000
	mostRecords    = 5_000
	defaultRecords = 1_000
)

// check fills in the defaults, and says behind which record to begin.
func (o *SimulateOptions) check(now time.Time) (after int64, err error) {
	o.From, o.To = kernel.Instant(o.From), kernel.Instant(o.To)
	if o.To.IsZero() {
		o.To = now.Add(time.Microsecond)
	}
	if o.Batch == 0 {
		o.Batch = defaultRecords
	}
	w, err := kernel.Page{After: o.After}.Open("simulation", 1)
	if len(w.After) == 1 {
		after = w.After[0]
	}
	if err := kernel.FirstError(kernel.CheckInstant("from", o.From), kernel.CheckInstant("to", o.To), err); err != nil {
		return 0, err
	}
	switch {
	case o.To.After(now.Add(time.Microsecond)):
		return 0, kernel.Invalid("to", kernel.InFuture)
	case !o.From.Before(o.To):
		return 0, kernel.Invalidf("from", kernel.OutOfRange, "not before to")
	case o.RunsAt != nil && (*o.RunsAt < 0 || *o.RunsAt >= 24*60):
		return 0, kernel.Invalidf("runs_at", kernel.OutOfRange, "00:00 to 23:59")
	case o.Examples < 0 || o.Examples > mostExamples:
		return 0, kernel.Invalidf("examples", kernel.OutOfRange, "0 to %d", mostExamples)
	case o.Limit < 0:
		return 0, kernel.Invalidf("limit", kernel.OutOfRange, "not below 0")
	case o.Batch < 1 || o.Batch > mostRecords:
		return 0, kernel.Invalidf("batch", kernel.OutOfRange, "1 to %d", mostRecords)
	}
	return after, nil
}

// Simulate replays what is on record by other rules, and changes nothing: which ownerships they would have ended, and what
// the owners did with those records later in reality. Beside it stands what the enabled rules would have done by the same
// reckoning, and what runs recorded. The rules are taken as Preview takes them: all as enabled, as all that their pools
// have (PoolID 0 is the default pool), other pools left out; without any, the enabled ones of all pools.
//
// The facts are those of the instant, as operation log, interactions, orders and audit trail have them: owner, home pool,
// clocks, locks, orders, spend, stage, level, standing, type, industry, source, region and potential. What has no history
// is taken as it is now: tags, open opportunities, contracts and cases, the status of orders, and who belongs to which
// pool (a member that left did so when it did). An interaction or order counts from when it was written down; one that
// was deleted or cancelled never. An ownership that the log does not tell of is not looked at.
//
// It reads a batch of records at a time, each by itself, and holds what is on record about one batch at most. An error
// comes with what was counted before it and where to go on (Next). It needs the permission pool.recycle.
func (s *Service[I]) Simulate(ctx context.Context, a kernel.Actor, rules []Rule, opts *SimulateOptions) (Simulation[I], error) {
	const op = "pool.Simulate"
	var o SimulateOptions
	if opts != nil {
		o = *opts
	}
	now := s.core.Clock.Now()
	after, err := o.check(now)
	if err == nil {
		err = s.kind.checkRules(rules)
	}
	if err != nil {
		return Simulation[I]{}, kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolRecycle)
	if err != nil {
		return Simulation[I]{}, kernel.Wrap(op, err)
	}
	x := &simulation[I]{s: s, by: a, rights: rights, o: o, now: now, after: after, report: Simulation[I]{From: o.From, To: o.To}}
	if err := x.plan(ctx, rules); err != nil {
		return Simulation[I]{}, kernel.Wrap(op, err)
	}
	err = x.all(ctx)
	x.report.judge()
	return x.report, kernel.Wrap(op, err)
}

// checkRules refuses rules that could not be saved either.
func (k Kind) checkRules(rules []Rule) (err error) {
	if len(rules) > mostRules {
		return kernel.Invalidf("rules", kernel.TooMany, "a pool has at most %d rules", mostRules)
	}
	for i, r := range rules {
		err = kernel.FirstError(err, kernel.At(i, r.check()), kernel.At(i, k.knows("condition", r.Condition)))
	}
	return err
}

// simulation is one under way.
type simulation[I RecordID] struct {
	s       *Service[I]
	by      kernel.Actor
	rights  kernel.Rights
	o       SimulateOptions
	now     time.Time
	after   int64
	of      int
	changed ruleset
	present ruleset
	pools   []ID
	left    map[Membership]time.Time // when a member of a pool left; zero: it did not
	rules   map[*SweepRule]int       // their place in the outcome of their set
	report  Simulation[I]
}

// plan reads pools and rules.
func (x *simulation[I]) plan(ctx context.Context, given []Rule) error {
	return x.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: x.by, Now: x.now, Rights: x.rights}
		pools, rules, err := x.s.previewedRules(ctx, c, given)
		if err != nil {
			return err
		}
		for _, p := range pools {
			x.pools = append(x.pools, p.ID)
		}
		saved, err := tx.Pools(x.s.kind).Rules(ctx, x.by.Tenant, x.pools...)
		if err != nil {
			return err
		}
		days, err := countings(ctx, tx, x.by.Tenant, x.rights.Zone, pools...)
		if err != nil {
			return err
		}
		x.changed, x.present, x.rules = ruleset{}, ruleset{}, map[*SweepRule]int{}
		for _, p := range pools {
			present := slices.DeleteFunc(slices.Clone(saved), func(r *Rule) bool { return r.PoolID != p.ID })
			for _, set := range []struct {
				rules []*Rule
				all   ruleset
				out   *Outcome
			}{{rules[p.ID], x.changed, &x.report.Changed}, {present, x.present, &x.report.Present}} {
				sweep, err := newSweep(x.by, p, set.rules, days[p.ID])
				if err != nil {
					return err
				}
				set.all[p.ID] = simulate(sweep)
				x.enlist(sweep, set.out)
			}
		}
		x.of, err = tx.Histories(x.s.kind).Count(ctx, x.by.Tenant, x.after)
		return err
	})
}

// enlist gives every rule that releases its line.
func (x *simulation[I]) enlist(sweep *Sweep, out *Outcome) {
	for i := range sweep.Rules {
		if rule := &sweep.Rules[i]; rule.Acts {
			x.rules[rule] = len(out.ByRule)
			out.ByRule = append(out.ByRule, RuleTally{Pool: sweep.Pool.ID, Rule: rule.ID, Name: rule.Name})
		}
	}
}

// all goes through the records in the order of their ids. What is told stays true when it is cut short.
func (x *simulation[I]) all(ctx context.Context) error {
	for size := x.o.Batch; ; {
		x.report.Next = cursorOf(x.after)
		batch := size
		if x.o.Limit > 0 {
			if batch = min(batch, x.o.Limit-x.report.Records); batch == 0 {
				return nil
			}
		}
		histories, err := x.read(ctx, batch)
		if err != nil {
			return err
		}
		if len(histories) == 0 {
			x.report.Next = ""
			return nil
		}
		if err := x.replay(histories); err != nil {
			return err
		}
		x.after = histories[len(histories)-1].ID
		size = min(x.o.Batch, 2*len(histories)) // where much is on record, few are read at once
		x.report.Records += len(histories)
		if x.o.Progress != nil {
			x.o.Progress(SimulationProgress{x.report.Records, x.of, x.report.Ownerships, x.report.Changed.Released})
		}
	}
}

func cursorOf(id int64) string {
	return kernel.Cut("simulation", kernel.Window{Limit: 1}, []int64{id, 0}, func(id int64) []int64 { return []int64{id} }).Next
}

// read is a batch of histories, and to which pools their owners belong.
func (x *simulation[I]) read(ctx context.Context, atMost int) (histories []History, err error) {
	err = x.s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) error {
		histories, err = tx.Histories(x.s.kind).Histories(ctx, x.by.Tenant, x.after, atMost)
		if err != nil {
			return err
		}
		var users []kernel.UserID
		for _, h := range histories {
			for _, op := range h.Operations {
				if op.To != "" {
					users = append(users, op.To)
				}
			}
			slices.Sort(users)
			users = slices.Compact(users)
		}
		found, err := tx.Histories(x.s.kind).Memberships(ctx, x.by.Tenant, x.pools, users)
		x.left = make(map[Membership]time.Time, len(found))
		for _, m := range found {
			x.left[Membership{Pool: m.Pool, User: m.User}] = m.Until
		}
		return err
	})
	return histories, err
}

// replay judges a batch: all of it is counted, or nothing.
func (x *simulation[I]) replay(histories []History) error {
	before := x.report.clone()
	for i := range histories {
		if err := x.record(&histories[i]); err != nil {
			x.report = before
			return err
		}
	}
	return nil
}

// clone is a copy that shares no counts.
func (s *Simulation[I]) clone() Simulation[I] {
	c := *s
	for _, o := range []*Outcome{&c.Changed, &c.Present} {
		o.ByRule, o.ByPool, o.ByMonth = slices.Clone(o.ByRule), slices.Clone(o.ByPool), slices.Clone(o.ByMonth)
	}
	c.Recorded.ByRule, c.Recorded.ByPool, c.Recorded.ByMonth = slices.Clone(c.Recorded.ByRule), slices.Clone(c.Recorded.ByPool), slices.Clone(c.Recorded.ByMonth)
	c.Examples = slices.Clone(c.Examples)
	return c
}

func (x *simulation[I]) record(h *History) error {
	r := &replay{
		rules: []ruleset{x.changed, x.present}, runs: runs{x.o.RunsAt, x.rights.Zone}, zone: x.rights.Zone,
		from: x.o.From, to: x.o.To, now: x.now,
		exposed: func(p ID, user kernel.UserID) (time.Time, bool) {
			left, ok := x.left[Membership{Pool: p, User: user}]
			return left, ok
		},
	}
	var owned, changed, present bool
	err := r.run(h, x.s.kind, func(o *ownership) {
		x.recorded(o)
		if !o.inside {
			return
		}
		owned = true
		x.report.Ownerships++
		x.outcome(&x.report.Changed, r, o, o.taken[0], &changed)
		x.outcome(&x.report.Present, r, o, o.taken[1], &present)
		if o.taken[0] != nil && o.taken[1] != nil {
			x.report.Both++
		}
		if t := o.taken[0]; t != nil && len(x.report.Examples) < x.o.Examples {
			x.report.Examples = append(x.report.Examples, exampleOf[I](h, r, o))
		}
	})
	if owned {
		x.report.Owned++
	}
	if err != nil {
		err = fmt.Errorf("what is on record about %s %d: %w", x.s.kind, h.ID, err)
	}
	return err
}

// within tells whether a run recycled it in the window, in one of the pools.
func (x *simulation[I]) within(o *ownership) bool {
	return o.ended != nil && o.ended.Action == customer.Recycled && !o.end.Before(x.o.From) && o.end.Before(x.o.To) && x.changed[o.ended.Pool] != nil
}

func (x *simulation[I]) recorded(o *ownership) {
	if !x.within(o) {
		return
	}
	r, op := &x.report.Recorded, o.ended
	r.Recycled++
	tally(&r.ByRule, RuleCount{Pool: op.Pool, Rule: op.Rule, Name: op.Text}, countByRule).Released++
	tally(&r.ByPool, PoolCount{Pool: op.Pool}, countByPool).Released++
	tally(&r.ByMonth, MonthCount{Month: x.month(o.end)}, countByMonth).Released++
}

func (x *simulation[I]) month(at time.Time) string { return at.In(x.rights.Zone).Format("2006-01") }

func (x *simulation[I]) outcome(out *Outcome, r *replay, o *ownership, t *taken, counted *bool) {
	if t == nil {
		if x.within(o) {
			out.Spared++
		}
		return
	}
	one := Tally{Released: 1, Later: r.later(o, t)}
	out.Tally.add(one)
	out.ByRule[x.rules[t.rule]].add(one)
	tally(&out.ByPool, PoolTally{Pool: t.pool}, byPool).add(one)
	tally(&out.ByMonth, MonthTally{Month: x.month(t.at)}, byMonth).add(one)
	if !*counted {
		*counted = true
		out.Records++
	}
}

func exampleOf[I RecordID](h *History, r *replay, o *ownership) SimulatedOwner[I] {
	t := o.taken[0]
	e := SimulatedOwner[I]{
		ID: I(h.ID), Owner: o.owner, Pool: t.pool, Rule: t.rule.ID, Name: t.rule.Name, Since: o.since, At: t.at, Ended: o.end, Later: r.later(o, t),
	}
	if o.taken[1] != nil {
		e.Present = o.taken[1].at
	}
	if o.ended != nil {
		e.How = o.ended.Action
	}
	return e
}

func byPool(a, b PoolTally) int   { return cmp.Compare(a.Pool, b.Pool) }
func byMonth(a, b MonthTally) int { return strings.Compare(a.Month, b.Month) }

func countByPool(a, b PoolCount) int   { return cmp.Compare(a.Pool, b.Pool) }
func countByMonth(a, b MonthCount) int { return strings.Compare(a.Month, b.Month) }
func countByRule(a, b RuleCount) int {
	return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Rule, b.Rule), strings.Compare(a.Name, b.Name))
}
