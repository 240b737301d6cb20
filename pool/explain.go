package pool

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// What keeps a record from being recycled, besides NotOwned.
const (
	OwnerNotInPool kernel.Reason = "owner_not_in_pool" // its owner is no active member of its home pool
	NoReleaseRule  kernel.Reason = "no_release_rule"   // no rule of its home pool that releases is enabled
	NeverDue       kernel.Reason = "never_due"         // no such rule ever wins, with the facts as they are
)

// Check is one condition of a claim.
type Check struct {
	Reason kernel.Reason `json:"reason"` // of the refusal, if it does not hold
	Holds  bool          `json:"holds"`
	Until  time.Time     `json:"until,omitzero"`  // when time lifts it
	Limit  int           `json:"limit,omitempty"` // the cap or quota
	Used   int           `json:"used,omitempty"`  // of it
	By     kernel.UserID `json:"by,omitempty"`    // who has it
}

// RuleVerdict is what a rule says about a record now.
type RuleVerdict struct {
	Rule    Rule            `json:"rule"`
	Verdict condition.Truth `json:"verdict"` // 1 true, 0 unknown, -1 false; a rule acts only on true
	Wins    bool            `json:"wins"`    // it is the first of the enabled ones that is true
}

// Explanation is all that the pool's rules say about one record, at one instant.
type Explanation struct {
	Ref       kernel.Ref      `json:"ref"`
	At        time.Time       `json:"at"`
	Owner     kernel.UserID   `json:"owner,omitempty"`
	Pool      ID              `json:"pool"`      // its home pool
	Claimable bool            `json:"claimable"` // by the actor, now: every check holds
	Claim     []Check         `json:"claim"`     // in the order in which refusals name them
	Rules     []RuleVerdict   `json:"rules"`     // of the home pool, in the order in which they win
	Due       *Due            `json:"due,omitempty"`
	Locked    time.Time       `json:"locked,omitzero"` // until when its owner keeps it from the rules, if that is to come
	Stops     []kernel.Reason `json:"stops,omitempty"` // what keeps it from ever being recycled; empty when Due is set
}

// Explain tells whether the actor may claim a record, condition by condition, and which rule will take it from its owner,
// when, and what would stop that. It decides by the functions that claim and recycle. A record outside the actor's scope
// is not found, unless it lies in a pool that the actor belongs to.
func (s *Service[I]) Explain(ctx context.Context, a kernel.Actor, id I) (Explanation, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Explain", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (x Explanation, err error) {
		records, err := c.Tx.Pool(s.kind).Look(ctx, a.Tenant, int64(id))
		if err != nil {
			return x, err
		}
		j, err := s.judge(ctx, c, records)
		if err != nil {
			return x, err
		}
		if !j.readable(int64(id)) {
			return x, kernel.ErrNotFound
		}
		if j.counter, err = c.Tx.Pool(s.kind).Counter(ctx, a.Tenant, a.User); err != nil {
			return x, err
		}
		p, err := s.prospect(ctx, c, records)
		if err != nil {
			return x, err
		}
		r := records[0]
		x = Explanation{Ref: kernel.Ref{Kind: string(s.kind), ID: r.ID}, At: c.Now, Owner: r.OwnerID, Pool: r.PoolID}
		j.facts, j.days = p.facts, map[ID]condition.Counting{r.PoolID: p.sweeps[r.PoolID].Days}
		_, member := j.belongs[r.PoolID]
		x.Claim = append([]Check{{Reason: ForeignPool, Holds: member}}, j.attempt(r).Checks()...)
		x.Claimable = !slices.ContainsFunc(x.Claim, func(c Check) bool { return !c.Holds })
		x.Rules = p.verdicts(r)
		x.Due = p.due(r)
		if r.IsLocked(c.Now) {
			x.Locked = r.LockUntil
		}
		x.Stops = p.stops(r, x.Due)
		return x, nil
	})
}

// readable tells whether the actor may read a record: within its scope, or lying in a pool that it belongs to.
func (j *judge) readable(id int64) bool {
	r, ok := j.records[id]
	_, member := j.belongs[r.PoolID]
	return ok && j.pools[r.PoolID] != nil && (j.sees.Sees(r.OwnerID, r.Region, int64(r.PoolID)) || member && r.OwnerID == "")
}

func (p *prospect) verdicts(r Record) (all []RuleVerdict) {
	won := false
	for _, rule := range p.rules[r.PoolID] {
		v := RuleVerdict{Rule: *rule}
		if parsed, err := condition.Parse(rule.Condition); err == nil { // else a newer version's, switched off
			v.Verdict = parsed.Eval(p.facts[r.ID], p.now, p.sweeps[r.PoolID].Days)
		}
		v.Wins = !won && rule.Enabled && v.Verdict == condition.True
		won = won || v.Wins
		all = append(all, v)
	}
	return all
}

func (p *prospect) stops(r Record, due *Due) (why []kernel.Reason) {
	if due != nil {
		return nil
	}
	releases := slices.ContainsFunc(p.sweeps[r.PoolID].Rules, func(x SweepRule) bool { return x.Acts })
	if r.OwnerID == "" {
		why = append(why, NotOwned)
	} else if !p.exposed[r.ID] {
		why = append(why, OwnerNotInPool)
	}
	if !releases {
		why = append(why, NoReleaseRule)
	}
	if len(why) == 0 {
		why = append(why, NeverDue)
	}
	return why
}
