package pool

import (
	"cmp"
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Preview is what a run would do now.
type Preview[I RecordID] struct {
	Due    int             `json:"due"`     // so many records it would release
	Owned  int             `json:"owned"`   // of so many that the tenant's members own
	ByRule []PreviewRule   `json:"by_rule"` // in the order in which the rules win, pool by pool
	Rows   []PreviewRow[I] `json:"rows"`    // a page of what it would release, pool by pool, by id
	Next   string          `json:"next,omitempty"`
}

// PreviewRule is how many records a rule would decide about: release, warn of or keep.
type PreviewRule struct {
	Pool   ID     `json:"pool"`
	Rule   RuleID `json:"rule,omitempty"` // 0: one that is not saved
	Name   string `json:"name"`
	Action Action `json:"action"`
	Wins   int    `json:"wins"`
}

// PreviewRow is a record that a run would release.
type PreviewRow[I RecordID] struct {
	ID    I             `json:"id"`
	Owner kernel.UserID `json:"owner"`
	Pool  ID            `json:"pool"`
	Rule  RuleID        `json:"rule,omitempty"`
	Name  string        `json:"name"` // of the rule
}

// Preview is a dry run: it changes nothing and says what Recycle would do, by the same statements. With rules it says what
// these would do, saved or not, all taken as enabled and as all that their pools have (PoolID 0 is the default pool);
// other pools are left out. Without rules it asks the enabled ones of all pools. The page is that of Rows. It needs the
// permission pool.recycle, from a role that reaches all.
func (s *Service[I]) Preview(ctx context.Context, a kernel.Actor, rules []Rule, page kernel.Page) (Preview[I], error) {
	const op = "pool.Preview"
	w, err := page.Open("preview", 2)
	if err == nil && len(rules) > mostRules {
		err = kernel.Invalidf("rules", kernel.TooMany, "a pool has at most %d rules", mostRules)
	}
	for i, r := range rules {
		err = kernel.FirstError(err, kernel.At(i, r.check()), kernel.At(i, s.kind.knows("condition", r.Condition)))
	}
	if err != nil {
		return Preview[I]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.PoolRecycle, func(ctx context.Context, c *kernel.Call[Tx]) (p Preview[I], err error) {
		sweeps, err := s.previewed(ctx, c, rules)
		if err != nil {
			return p, err
		}
		if p.Owned, err = c.Tx.Pool(s.kind).Owned(ctx, a.Tenant); err != nil {
			return p, err
		}
		for _, sweep := range sweeps {
			if err := s.previewRules(ctx, c, *sweep, &p); err != nil {
				return p, err
			}
		}
		err = s.previewRows(ctx, c, sweeps, w, &p)
		return p, err
	})
}

// previewed are the sweeps to ask about, by pool.
func (s *Service[I]) previewed(ctx context.Context, c *kernel.Call[Tx], given []Rule) (sweeps []*Sweep, err error) {
	pools, rules, err := s.previewedRules(ctx, c, given)
	if err != nil {
		return nil, err
	}
	days, err := countings(ctx, c.Tx, c.Actor.Tenant, c.Rights.Zone, pools...)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		sweep, err := newSweep(c.Actor, p, rules[p.ID], days[p.ID])
		if err != nil {
			return nil, err
		}
		if len(sweep.Rules) > 0 {
			sweep.at(c.Now, c.Rights.Zone)
			sweeps = append(sweeps, sweep)
		}
	}
	return sweeps, nil
}

func (s *Service[I]) previewedRules(ctx context.Context, c *kernel.Call[Tx], given []Rule) (pools []*Pool, rules map[ID][]*Rule, err error) {
	rules = map[ID][]*Rule{}
	if len(given) == 0 {
		if pools, err = c.Tx.Pools(s.kind).List(ctx, c.Actor.Tenant, kernel.Window{Limit: mostPools}); err != nil {
			return nil, nil, err
		}
		ids := make([]ID, len(pools))
		for i, p := range pools {
			ids[i] = p.ID
		}
		saved, err := c.Tx.Pools(s.kind).Rules(ctx, c.Actor.Tenant, ids...)
		for _, r := range saved {
			rules[r.PoolID] = append(rules[r.PoolID], r)
		}
		return pools, rules, err
	}
	ids := make([]ID, len(given))
	for i, r := range given {
		ids[i] = r.PoolID
	}
	if pools, err = c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, ids...); err != nil {
		return nil, nil, err
	}
	for i, r := range given {
		at := slices.IndexFunc(pools, func(p *Pool) bool { return p.ID == r.PoolID || r.PoolID == 0 && p.IsDefault })
		if at < 0 {
			return nil, nil, kernel.At(i, kernel.Invalidf("pool_id", kernel.Unknown, "the tenant has no such pool"))
		}
		if err := r.countedBy(pools[at].Counting); err != nil {
			return nil, nil, kernel.At(i, err)
		}
		r.PoolID, r.Enabled = pools[at].ID, true
		rules[r.PoolID] = append(rules[r.PoolID], &r)
	}
	for _, own := range rules {
		slices.SortStableFunc(own, func(a, b *Rule) int { // those that are not saved are younger than those that are
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(min(1, b.ID), min(1, a.ID)), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
	}
	return pools, rules, nil
}

// previewRules counts what each rule decides about: each by itself, as if no other acted.
func (s *Service[I]) previewRules(ctx context.Context, c *kernel.Call[Tx], sweep Sweep, p *Preview[I]) error {
	rules := sweep.Rules
	for i, rule := range rules {
		sweep.Rules = slices.Clone(rules)
		for k := range sweep.Rules {
			sweep.Rules[k].Acts = k == i
		}
		n, err := c.Tx.Pool(s.kind).Due(ctx, sweep)
		if err != nil {
			return err
		}
		if rule.Acts {
			p.Due += n
		}
		p.ByRule = append(p.ByRule, PreviewRule{Pool: sweep.Pool.ID, Rule: rule.ID, Name: rule.Name, Action: rule.Action, Wins: n})
	}
	return nil
}

func (s *Service[I]) previewRows(ctx context.Context, c *kernel.Call[Tx], sweeps []*Sweep, w kernel.Window, p *Preview[I]) error {
	var rows []PreviewRow[I]
	for _, sweep := range sweeps {
		after := int64(0)
		if len(w.After) > 0 && int64(sweep.Pool.ID) < w.After[0] || len(rows) > w.Limit ||
			!slices.ContainsFunc(sweep.Rules, func(x SweepRule) bool { return x.Acts }) {
			continue
		}
		if len(w.After) > 0 && int64(sweep.Pool.ID) == w.After[0] {
			after = w.After[1]
		}
		ids, err := c.Tx.Pool(s.kind).Candidates(ctx, *sweep, after, w.Limit+1-len(rows))
		if err != nil || len(ids) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		facts, err := c.Tx.Pool(s.kind).Facts(ctx, c.Actor.Tenant, sweep.SpendFrom, sweep.SpendUntil, ids...)
		if err != nil {
			return err
		}
		records, err := c.Tx.Pool(s.kind).Look(ctx, c.Actor.Tenant, ids...)
		if err != nil {
			return err
		}
		for _, r := range records {
			row := PreviewRow[I]{ID: I(r.ID), Owner: r.OwnerID, Pool: sweep.Pool.ID}
			if i := winner(sweep.Rules, facts[r.ID], sweep.Now, sweep.Days); i >= 0 {
				row.Rule, row.Name = sweep.Rules[i].ID, sweep.Rules[i].Name
			}
			rows = append(rows, row)
		}
	}
	l := kernel.Cut("preview", w, rows, func(r PreviewRow[I]) []int64 { return []int64{int64(r.Pool), int64(r.ID)} })
	p.Rows, p.Next = l.Items, l.Next
	return nil
}
