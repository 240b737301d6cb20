package pool

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// Territories is the use cases of the territories of one kind of record. Changes need the permission pool.manage, reading
// the permission team.read.
type Territories struct {
	kind  Kind
	core  kernel.Service[Tx]
	pools *Pools
}

// Put writes a territory: a new one when its ID is 0, else over the one that was read, whose Version must be the last.
// Several may match the same records: see Territory for which wins. Invalid are a region that is no division code or that
// ends with the zeros of a province or city ("regions", Malformed), a department ("department") or a member ("members") that
// the tenant does not have (Unknown), and neither or both of these; a name that another territory has is a conflict
// ("name"). A tenant has at most 500. On success x is as written.
func (s *Territories) Put(ctx context.Context, a kernel.Actor, x *Territory) error {
	const op = "pool.Territories.Put"
	given := *x
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolManage, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Territory, error) {
		return s.put(ctx, c, given)
	})
	if err == nil {
		*x = *written
	}
	return err
}

func (s *Territories) put(ctx context.Context, c *kernel.Call[Tx], next Territory) (*Territory, error) {
	if err := s.lock(ctx, c); err != nil {
		return nil, err
	}
	if err := knownTeam(ctx, c, &next); err != nil {
		return nil, err
	}
	var before any
	if next.ID == 0 {
		all, err := s.all(ctx, c)
		if err == nil && len(all) >= mostTerritories {
			err = kernel.Invalidf("territory", kernel.TooMany, "a tenant has at most %d territories", mostTerritories)
		}
		if err != nil {
			return nil, err
		}
		next.Version, next.CreatedAt = 1, c.Now
	} else {
		cur, err := s.one(ctx, c, next.ID)
		switch {
		case err != nil:
			return nil, err
		case next.Version != cur.Version:
			return nil, kernel.StaleVersion(next.Version, cur.Version)
		}
		next.Version, next.CreatedAt, before = cur.Version+1, cur.CreatedAt, cur
	}
	next.UpdatedAt = c.Now
	ok, err := c.Tx.Territories(s.kind).Put(ctx, c.Actor.Tenant, &next)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, kernel.Taken("name")
	}
	return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: "territory.put", Before: before, After: next})
}

// lock makes changes of territories wait for each other: names, versions and their number are judged under it. They have
// no row of their own to wait for, so it is that of the default pool.
func (s *Territories) lock(ctx context.Context, c *kernel.Call[Tx]) error {
	_, err := s.pools.lock(ctx, c, 0)
	return err
}

func (s *Territories) all(ctx context.Context, c *kernel.Call[Tx]) ([]*Territory, error) {
	return c.Tx.Territories(s.kind).List(ctx, c.Actor.Tenant, kernel.Window{Limit: mostTerritories})
}

func (s *Territories) one(ctx context.Context, c *kernel.Call[Tx], id TerritoryID) (*Territory, error) {
	x, err := c.Tx.Territories(s.kind).Get(ctx, c.Actor.Tenant, id)
	if err == nil && x == nil {
		err = kernel.ErrNotFound
	}
	return x, err
}

// knownTeam refuses a department and members that the tenant does not have. Members may be inactive: a territory must not
// become impossible to save when one of them leaves.
func knownTeam(ctx context.Context, c *kernel.Call[Tx], x *Territory) error {
	if x.Department != 0 {
		found, err := c.Tx.Departments().Get(ctx, c.Actor.Tenant, x.Department)
		if err == nil && len(found) == 0 {
			err = kernel.Invalidf("department", kernel.Unknown, "the tenant has no department %d", x.Department)
		}
		return err
	}
	found, err := c.Tx.Members().Get(ctx, c.Actor.Tenant, x.Members...)
	if err != nil || len(found) == len(x.Members) {
		return err
	}
	for _, user := range x.Members {
		if !slices.ContainsFunc(found, func(m *team.Member) bool { return m.User == user }) {
			return kernel.Invalidf("members", kernel.Unknown, "%q is no member of the tenant", string(user))
		}
	}
	return nil
}

// Get returns a territory.
func (s *Territories) Get(ctx context.Context, a kernel.Actor, id TerritoryID) (*Territory, error) {
	return kernel.Ask(ctx, &s.core, a, "pool.Territories.Get", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Territory, error) {
		return s.one(ctx, c, id)
	})
}

// List returns a page of the territories, enabled or not, in the order they were made.
func (s *Territories) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Territory], error) {
	const op = "pool.Territories.List"
	w, err := p.Open("territories", 1)
	if err != nil {
		return kernel.List[*Territory]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Territory], error) {
		found, err := c.Tx.Territories(s.kind).List(ctx, a.Tenant, w)
		return kernel.Cut("territories", w, found, func(x *Territory) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Delete deletes a territory. Whoever got records by it keeps them.
func (s *Territories) Delete(ctx context.Context, a kernel.Actor, id TerritoryID) error {
	_, err := kernel.Do(ctx, &s.core, a, "pool.Territories.Delete", kernel.PoolManage, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		if err := s.lock(ctx, c); err != nil {
			return kernel.None{}, err
		}
		gone, err := s.one(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		if err := c.Tx.Territories(s.kind).Delete(ctx, a.Tenant, id); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: gone.Ref(), Ref: gone.Ref(), Type: "territory.deleted", Before: gone})
	})
	return err
}
