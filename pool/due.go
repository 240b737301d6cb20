package pool

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// Due is when a rule takes a record, if nothing happens to it until then.
type Due struct {
	At   time.Time `json:"at"` // past: it has been due since then
	Rule RuleID    `json:"rule"`
	Name string    `json:"name"` // of the rule
}

// winner is the index of the rule that acts on a record: the first that is true; -1 is none. Runs ask the same in SQL.
func winner(rules []SweepRule, f condition.Facts, now time.Time, days condition.Counting) int {
	return slices.IndexFunc(rules, func(r SweepRule) bool { return r.Parsed.Eval(f, now, days) == condition.True })
}

// DueAt is the first instant at which a rule that acts wins, with all facts as they are: the one of a record that is due
// now, else the next one to come; nil when there is none. Rules stand in the order in which they win. What they say
// changes only where a comparison of days turns, so these instants are all that is looked at: it is exact. Until locked,
// which is zero for no lock, no rule takes the record.
func DueAt(rules []SweepRule, f condition.Facts, locked, now time.Time, days condition.Counting) *Due {
	if f.OwnedSince.IsZero() {
		return nil
	}
	turns := turnsOf(rules, f, locked, days)
	var due *Due
	for i, at := range turns {
		switch w := winner(rules, f, at, days); {
		case w < 0 || !rules[w].Acts || at.Before(locked):
			due = nil
		case due == nil:
			due = &Due{at, rules[w].ID, rules[w].Name}
		}
		if due != nil && (i+1 == len(turns) || turns[i+1].After(now)) {
			return due
		}
	}
	return nil
}

// turnsOf are the instants at which what rules say of an owned record may change, in order.
func turnsOf(rules []SweepRule, f condition.Facts, locked time.Time, days condition.Counting) []time.Time {
	turns := []time.Time{f.OwnedSince} // what was before it is not this owner's
	if locked.After(f.OwnedSince) {
		turns = append(turns, locked)
	}
	for _, r := range rules {
		for _, test := range dayTests(r.Parsed.Root(), nil) {
			if at, ok := test.Turn(&f, days); ok && at.After(f.OwnedSince) {
				turns = append(turns, at)
			}
		}
	}
	slices.SortFunc(turns, time.Time.Compare)
	return slices.CompactFunc(turns, time.Time.Equal)
}

// newSweep makes a sweep of the enabled rules of a pool, which stand in the order in which they win; of those that
// release, all act, or only some.
func newSweep(by kernel.Actor, p *Pool, rules []*Rule, days condition.Counting, only ...RuleID) (*Sweep, error) {
	sweep := &Sweep{By: by, Pool: p, Days: days}
	for _, rule := range rules {
		if !rule.Enabled {
			continue
		}
		parsed, err := condition.Parse(rule.Condition)
		if err != nil { // a rule of a newer version: without it others would win that must not
			return nil, err
		}
		acts := rule.Action == Release && (len(only) == 0 || slices.Contains(only, rule.ID))
		sweep.Rules = append(sweep.Rules, SweepRule{Rule: *rule, Parsed: parsed, Acts: acts})
	}
	return sweep, nil
}

// at sets the instant that a sweep judges by.
func (s *Sweep) at(now time.Time, zone *time.Location) {
	s.Now = now
	s.SpendFrom, s.SpendUntil = trailingYear(now, zone)
}

// DueAt returns when rules take the records, by id: "days left" of a list, in a few statements for at most 10,000. It has
// no entry for what lies in its pool or outside the actor's scope, for what no rule ever takes, and for records whose
// owner is no active member of their home pool. All other facts are taken as they are now, spend included.
func (s *Service[I]) DueAt(ctx context.Context, a kernel.Actor, ids ...I) (map[I]Due, error) {
	const op = "pool.DueAt"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (map[I]Due, error) {
		records, err := c.Tx.Pool(s.kind).Look(ctx, a.Tenant, numbers(ids)...)
		if err != nil {
			return nil, err
		}
		records = slices.DeleteFunc(records, func(r Record) bool { return !c.Scope.Sees(r.OwnerID, r.Region, int64(r.PoolID)) })
		p, err := s.prospect(ctx, c, records)
		if err != nil {
			return nil, err
		}
		all := map[I]Due{}
		for _, r := range records {
			if due := p.due(r); due != nil {
				all[I(r.ID)] = *due
			}
		}
		return all, nil
	})
}

// prospect is what is needed to say when records are due.
type prospect struct {
	now     time.Time
	facts   map[int64]condition.Facts
	exposed map[int64]bool // the owner is an active member of the home pool
	rules   map[ID][]*Rule // of the pools, enabled or not
	sweeps  map[ID]*Sweep
}

// prospect gathers it in a fixed number of statements.
func (s *Service[I]) prospect(ctx context.Context, c *kernel.Call[Tx], records []Record) (*prospect, error) {
	p := &prospect{now: c.Now, exposed: map[int64]bool{}, rules: map[ID][]*Rule{}, sweeps: map[ID]*Sweep{}}
	var ids []int64
	var home []ID
	for _, r := range records {
		ids, home = append(ids, r.ID), append(home, r.PoolID)
	}
	slices.Sort(home)
	home = slices.Compact(home)
	pools, err := c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, home...)
	if err != nil {
		return nil, err
	}
	days, err := countings(ctx, c.Tx, c.Actor.Tenant, c.Rights.Zone, pools...)
	if err != nil {
		return nil, err
	}
	rules, err := c.Tx.Pools(s.kind).Rules(ctx, c.Actor.Tenant, home...)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		p.rules[r.PoolID] = append(p.rules[r.PoolID], r)
	}
	for _, x := range pools {
		if p.sweeps[x.ID], err = newSweep(c.Actor, x, p.rules[x.ID], days[x.ID]); err != nil {
			return nil, err
		}
	}
	from, until := trailingYear(c.Now, c.Rights.Zone)
	if p.facts, err = c.Tx.Pool(s.kind).Facts(ctx, c.Actor.Tenant, from, until, ids...); err != nil {
		return nil, err
	}
	exposed, err := c.Tx.Pool(s.kind).Exposed(ctx, c.Actor.Tenant, ids...)
	for _, id := range exposed {
		p.exposed[id] = true
	}
	return p, err
}

func (p *prospect) due(r Record) *Due {
	sweep := p.sweeps[r.PoolID]
	if sweep == nil || r.OwnerID == "" || !p.exposed[r.ID] {
		return nil
	}
	return DueAt(sweep.Rules, p.facts[r.ID], r.LockUntil, p.now, sweep.Days)
}
