package pool

import (
	"context"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Pools is the use cases of the pools of one kind, their members, rules and limits. Changes need the permission
// pool.manage, from a role that reaches all; reading the permission team.read.
type Pools struct {
	kind Kind
	core kernel.Service[Tx]
}

// Create makes a pool, without members unless it is public, with the built-in rules switched off. A zero Protection or
// CoolDown means none; begin with DefaultSettings. A name that another pool has is a conflict ("name").
func (s *Pools) Create(ctx context.Context, a kernel.Actor, p *Pool) error {
	const op = "pool.Pools.Create"
	n := *p
	n.ID, n.Kind, n.IsDefault = 0, s.kind, false
	if err := kernel.FirstError(n.check(), s.kind.knows("claim_condition", n.ClaimCondition)); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, n, func(ctx context.Context, c *kernel.Call[Tx]) (*Pool, error) {
		n.Version, n.CreatedAt, n.UpdatedAt = 1, c.Now, c.Now
		if err := s.checkCounting(ctx, c, &n); err != nil {
			return nil, err
		}
		var rules []*Rule
		for _, r := range s.kind.DefaultRules() {
			r.Version, r.CreatedAt, r.UpdatedAt = 1, c.Now, c.Now
			rules = append(rules, &r)
		}
		ok, err := c.Tx.Pools(s.kind).Insert(ctx, a.Tenant, &n, rules...)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, kernel.Taken("name")
		}
		return &n, c.Record(ctx, kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: "pool.created", After: n})
	})
	if err == nil {
		*p = *made
	}
	return err
}

// Get returns a pool; 0 asks for the tenant's default pool.
func (s *Pools) Get(ctx context.Context, a kernel.Actor, id ID) (*Pool, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Pools.Get", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Pool, error) {
		return onePool(c.Tx.Pools(s.kind).Get(ctx, a.Tenant, id))
	})
}

func onePool(found []*Pool, err error) (*Pool, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// List returns a page of the pools, in the order they were made.
func (s *Pools) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Pool], error) {
	const op = "pool.Pools.List"
	w, err := p.Open("pools", 1)
	if err != nil {
		return kernel.List[*Pool]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Pool], error) {
		found, err := c.Tx.Pools(s.kind).List(ctx, a.Tenant, w)
		return kernel.Cut("pools", w, found, func(p *Pool) []int64 { return []int64{int64(p.ID)} }), err
	})
}

// Update writes name, description, public, priority and settings of a pool that was read: its Version must be the last.
// On success p is as written.
func (s *Pools) Update(ctx context.Context, a kernel.Actor, p *Pool) error {
	const op = "pool.Pools.Update"
	given := *p
	if err := kernel.FirstError(given.check(), s.kind.knows("claim_condition", given.ClaimCondition)); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Pool, error) {
		cur, err := s.lock(ctx, c, given.ID)
		if err != nil {
			return nil, err
		}
		if given.Version != cur.Version {
			return nil, kernel.StaleVersion(given.Version, cur.Version)
		}
		next := *cur
		next.Name, next.Description, next.Public, next.Priority, next.Settings = given.Name, given.Description, given.Public, given.Priority, given.Settings
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			return cur, nil
		}
		if err := s.checkCounting(ctx, c, &next); err != nil {
			return nil, err
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		ok, err := c.Tx.Pools(s.kind).Update(ctx, a.Tenant, &next)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, kernel.Taken("name")
		}
		return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: "pool.updated", Before: was, After: is})
	})
	if err == nil {
		*p = *written
	}
	return err
}

func (s *Pools) lock(ctx context.Context, c *kernel.Call[Tx], id ID) (*Pool, error) {
	p, err := c.Tx.Pools(s.kind).Lock(ctx, c.Actor.Tenant, id)
	if err == nil && p == nil {
		err = kernel.ErrNotFound
	}
	return p, err
}

// Members returns who belongs to a pool that is not public.
func (s *Pools) Members(ctx context.Context, a kernel.Actor, id ID) ([]Member, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Pools.Members", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]Member, error) {
		if _, err := onePool(c.Tx.Pools(s.kind).Get(ctx, a.Tenant, id)); err != nil {
			return nil, err
		}
		return c.Tx.Pools(s.kind).Members(ctx, a.Tenant, id)
	})
}

// SetMembers replaces the list of a pool's members, at most 10,000 lines. An empty list belongs to nobody: nobody claims
// from the pool, and its rules recycle nobody. A public pool's list says only who administers it.
func (s *Pools) SetMembers(ctx context.Context, a kernel.Actor, id ID, members []Member) error {
	const op = "pool.Pools.SetMembers"
	if err := checkMembers(members); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, []any{id, members}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		p, err := s.lock(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		before, err := c.Tx.Pools(s.kind).Members(ctx, a.Tenant, id)
		if err != nil {
			return kernel.None{}, err
		}
		if err := c.Tx.Pools(s.kind).SetMembers(ctx, a.Tenant, id, members...); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{
			Subject: p.Ref(), Ref: p.Ref(), Type: "pool.members_set",
			Before: map[string]any{"members": before}, After: map[string]any{"members": members},
		})
	})
	return err
}

func checkMembers(members []Member) error {
	if err := kernel.CheckItems("members", len(members)); err != nil {
		return err
	}
	seen := map[Member]bool{}
	for i, m := range members {
		key := Member{User: m.User, Department: m.Department}
		err := kernel.CheckLine("user", string(m.User), 200)
		switch {
		case err != nil:
		case (m.User == "") == (m.Department == 0):
			err = kernel.Invalidf("member", kernel.Malformed, "either a user or a department")
		case seen[key]:
			err = kernel.Invalid("member", kernel.Duplicate)
		}
		if err != nil {
			return kernel.At(i, err)
		}
		seen[key] = true
	}
	return nil
}

// Policy returns the tenant's policy for records of the kind.
func (s *Pools) Policy(ctx context.Context, a kernel.Actor) (Policy, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Pools.Policy", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (Policy, error) {
		return c.Tx.Policies(s.kind).Policy(ctx, a.Tenant)
	})
}

// SetPolicy writes the tenant's policy. A cap below what members have already only stops new ones.
func (s *Pools) SetPolicy(ctx context.Context, a kernel.Actor, p Policy) error {
	const op = "pool.Pools.SetPolicy"
	if err := p.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, p, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		before, err := c.Tx.Policies(s.kind).Policy(ctx, a.Tenant)
		if err != nil || before == p {
			return kernel.None{}, err
		}
		if err := c.Tx.Policies(s.kind).SetPolicy(ctx, a.Tenant, p); err != nil {
			return kernel.None{}, err
		}
		ref := kernel.Ref{Kind: "policy"}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: ref, Ref: ref, Type: "policy.set", Before: before, After: p})
	})
	return err
}

// SetLimits gives a member limits of its own, or takes them away.
func (s *Pools) SetLimits(ctx context.Context, a kernel.Actor, user kernel.UserID, l Limits) error {
	const op = "pool.Pools.SetLimits"
	err := kernel.CheckName("user", string(user), 200)
	for field, n := range map[string]*int{"cap": l.Cap, "daily_quota": l.DailyQuota, "open_limit": l.OpenLimit} {
		if n != nil && (*n < 0 || *n > 1_000_000) {
			err = kernel.FirstError(err, kernel.Invalidf(field, kernel.OutOfRange, "0 to 1,000,000"))
		}
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	_, err = kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, []any{user, l}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		if _, err := c.Tx.Counters(string(s.kind)).Lock(ctx, a.Tenant, user); err != nil {
			return kernel.None{}, err
		}
		before, err := c.Tx.Policies(s.kind).SetLimits(ctx, a.Tenant, user, l)
		if err != nil {
			return kernel.None{}, err
		}
		ref := kernel.Ref{Kind: "policy"}
		return kernel.None{}, c.Record(ctx, kernel.Change{
			Subject: ref, Ref: ref, Type: "limits.set",
			Before: map[string]any{"user": user, "limits": before}, After: map[string]any{"user": user, "limits": l},
		})
	})
	return err
}

// Counter returns how many places, claims and openings of the day the actor has in use, and its limits.
func (s *Service[I]) Counter(ctx context.Context, a kernel.Actor) (customer.Counter, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Counter", kernel.PoolClaim, func(ctx context.Context, c *kernel.Call[Tx]) (customer.Counter, error) {
		m, err := c.Tx.Pool(s.kind).Counter(ctx, a.Tenant, a.User)
		if m.ClaimsDay != c.Today() {
			m.ClaimsDay, m.ClaimsUsed = c.Today(), 0
		}
		if m.OpensDay != c.Today() {
			m.OpensDay, m.OpensUsed = c.Today(), 0
		}
		return m, err
	})
}

// Log returns a page of the operation log, newest first: of records that the actor, or somebody in its scope, has or had.
func (s *Service[I]) Log(ctx context.Context, a kernel.Actor, f customer.OperationFilter, p kernel.Page) (kernel.List[customer.Operation], error) {
	const op = "pool.Log"
	w, err := p.Open("operations", 1)
	errs := []error{
		err, kernel.CheckLine("actor", string(f.Actor), 200), kernel.CheckLine("owner", string(f.Owner), 200),
		kernel.CheckInstant("from", f.From), kernel.CheckInstant("to", f.To), kernel.CheckItems("actions", len(f.Actions)),
	}
	for _, action := range f.Actions {
		errs = append(errs, kernel.CheckLine("actions", string(action), 50))
	}
	if err := kernel.FirstError(errs...); err != nil {
		return kernel.List[customer.Operation]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[customer.Operation], error) {
		found, err := c.Tx.Operations(string(s.kind)).List(ctx, a.Tenant, c.Scope, f, w)
		for i := range found {
			if o := &found[i]; o.Masked && !c.Rights.System {
				o.Mask()
			} else {
				o.Masked = false
			}
		}
		return kernel.Cut("operations", w, found, func(o customer.Operation) []int64 { return []int64{o.ID} }), err
	})
}
