package pool

import (
	"context"

	"github.com/openseas/crm/kernel"
)

// Rules returns the rules of a pool, enabled or not, in the order in which they win.
func (s *Pools) Rules(ctx context.Context, a kernel.Actor, id ID) ([]*Rule, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Pools.Rules", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Rule, error) {
		p, err := onePool(c.Tx.Pools(s.kind).Get(ctx, a.Tenant, id))
		if err != nil {
			return nil, err
		}
		return c.Tx.Pools(s.kind).Rules(ctx, a.Tenant, p.ID)
	})
}

// PutRule writes a rule of a pool: a new one when its ID is 0 (its PoolID may be 0 for the default pool), else over the
// one that was read, whose Version must be the last. A condition that cannot be understood is invalid ("condition"), with
// a *condition.SyntaxError that says where and what was expected; one with a fraction of a day is invalid (WholeDays) in a
// pool that counts calendar or working days. On success r is as written.
func (s *Pools) PutRule(ctx context.Context, a kernel.Actor, r *Rule) error {
	const op = "pool.Pools.PutRule"
	given := *r
	if err := kernel.FirstError(given.check(), s.kind.knows("condition", given.Condition)); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Rule, error) {
		return s.putRule(ctx, c, given)
	})
	if err == nil {
		*r = *written
	}
	return err
}

func (s *Pools) putRule(ctx context.Context, c *kernel.Call[Tx], given Rule) (*Rule, error) {
	var before any
	next := given
	next.BuiltIn, next.Version, next.CreatedAt = false, 1, c.Now
	if given.ID != 0 {
		cur, err := c.Tx.Pools(s.kind).Rule(ctx, c.Actor.Tenant, given.ID)
		switch {
		case err != nil:
			return nil, err
		case cur == nil:
			return nil, kernel.ErrNotFound
		}
		next = *cur
		next.Name, next.Condition, next.Action, next.Priority, next.Enabled = given.Name, given.Condition, given.Action, given.Priority, given.Enabled
		given.PoolID, before = cur.PoolID, cur
	}
	p, err := s.lock(ctx, c, given.PoolID)
	if err != nil {
		return nil, err
	}
	if err := given.countedBy(p.Counting); err != nil {
		return nil, err
	}
	rules, err := c.Tx.Pools(s.kind).Rules(ctx, c.Actor.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rules { // read again under the pool's lock
		if r.ID == given.ID && given.Version != r.Version {
			return nil, kernel.StaleVersion(given.Version, r.Version)
		}
	}
	switch {
	case before != nil:
		next.Version = given.Version + 1
	case len(rules) >= mostRules:
		return nil, kernel.Invalidf("rule", kernel.TooMany, "a pool has at most %d rules", mostRules)
	}
	next.PoolID, next.UpdatedAt = p.ID, c.Now
	ok, err := c.Tx.Pools(s.kind).PutRule(ctx, c.Actor.Tenant, &next)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, kernel.Taken("name")
	}
	return &next, c.Record(ctx, kernel.Change{Subject: p.Ref(), Ref: next.Ref(), Type: "pool_rule.put", Before: before, After: next})
}

// DeleteRule deletes a rule.
func (s *Pools) DeleteRule(ctx context.Context, a kernel.Actor, id RuleID) error {
	_, err := kernel.Do(ctx, &s.core, a, "pool.Pools.DeleteRule", kernel.PoolManage, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		r, err := c.Tx.Pools(s.kind).Rule(ctx, a.Tenant, id)
		if err == nil && r == nil {
			err = kernel.ErrNotFound
		}
		if err != nil {
			return kernel.None{}, err
		}
		p, err := s.lock(ctx, c, r.PoolID)
		if err != nil {
			return kernel.None{}, err
		}
		if err := c.Tx.Pools(s.kind).DeleteRule(ctx, a.Tenant, id); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: p.Ref(), Ref: r.Ref(), Type: "pool_rule.deleted", Before: r})
	})
	return err
}

// UseDefaults switches the built-in rules of a pool on (0: of the default pool). Until somebody does, no rule takes a
// record from anybody.
func (s *Service[I]) UseDefaults(ctx context.Context, a kernel.Actor, id ID) error {
	_, err := kernel.Do(ctx, &s.core, a, "pool.UseDefaults", kernel.PoolManage, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		p, err := s.Pools.lock(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		rules, err := c.Tx.Pools(s.kind).Rules(ctx, a.Tenant, p.ID)
		if err != nil {
			return kernel.None{}, err
		}
		var changes []kernel.Change
		for _, r := range rules {
			if !r.BuiltIn || r.Enabled {
				continue
			}
			next := *r
			next.Enabled, next.Version, next.UpdatedAt = true, r.Version+1, c.Now
			if _, err := c.Tx.Pools(s.kind).PutRule(ctx, a.Tenant, &next); err != nil {
				return kernel.None{}, err
			}
			changes = append(changes, kernel.Change{
				Subject: p.Ref(), Ref: r.Ref(), Type: "pool_rule.put",
				Before: map[string]any{"enabled": false}, After: map[string]any{"enabled": true},
			})
		}
		return kernel.None{}, c.Record(ctx, changes...)
	})
	return err
}
