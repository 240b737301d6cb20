package team

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Roles is the use cases of roles.
type Roles struct {
	core  kernel.Service[Tx]
	cache *Cache
}

// maxRoles bounds the roles of a tenant: they are read whole whenever rights are resolved.
const maxRoles = 200

func (r *Role) check() error {
	if err := kernel.FirstError(kernel.CheckName("name", string(r.Name), 50), kernel.CheckLine("title", r.Title, 100),
		kernel.OneOf("reach", r.Reach, ReachOwn, ReachDepartment, ReachTree, ReachRegions, ReachAll)); err != nil {
		return err
	}
	if r.Reach == "" {
		return kernel.Invalid("reach", kernel.Empty)
	}
	slices.Sort(r.Permissions)
	r.Permissions = slices.Compact(r.Permissions)
	for _, p := range r.Permissions {
		if p == "" {
			return kernel.Invalid("permissions", kernel.Unknown)
		}
		if err := kernel.OneOf("permissions", p, Permissions()...); err != nil {
			return err
		}
	}
	return nil
}

// Put defines a role, or takes the place of the one with its name, a built-in one included.
func (s *Roles) Put(ctx context.Context, a kernel.Actor, r Role) (*Role, error) {
	const op = "team.Roles.Put"
	r.Permissions = slices.Clone(r.Permissions)
	if err := r.check(); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return manageTree(ctx, &s.core, s.cache, a, op, r, func(ctx context.Context, c *kernel.Call[Tx]) (*Role, error) {
		own, err := c.Tx.Roles().All(ctx, a.Tenant)
		if err != nil {
			return nil, err
		}
		n := r
		n.ID, n.Version, n.CreatedAt, n.UpdatedAt = 0, 1, c.Now, c.Now
		var before any
		if i := slices.IndexFunc(own, func(o *Role) bool { return o.Name == n.Name }); i >= 0 {
			n.ID, n.Version, n.CreatedAt, before = own[i].ID, own[i].Version+1, own[i].CreatedAt, own[i]
		} else if len(own) >= maxRoles {
			return nil, kernel.Invalidf("role", kernel.TooMany, "a tenant has at most %d roles", maxRoles)
		}
		if err := c.Tx.Roles().Put(ctx, a.Tenant, &n); err != nil {
			return nil, err
		}
		return &n, c.Record(ctx, kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: "role.put", Before: before, After: n})
	})
}

// List returns the roles that members can have: those the tenant defined, and the built-in ones that none of them
// replaces, with ID 0.
func (s *Roles) List(ctx context.Context, a kernel.Actor) ([]*Role, error) {
	return kernel.Ask(ctx, &s.core, a, "team.Roles.List", kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Role, error) {
		roles, err := c.Tx.Roles().All(ctx, a.Tenant)
		for _, b := range builtin() {
			if !slices.ContainsFunc(roles, func(r *Role) bool { return r.Name == b.Name }) {
				roles = append(roles, &b)
			}
		}
		return roles, err
	})
}

// Delete deletes a role that the tenant defined; a built-in one of its name is back then. A role that a member has is
// refused (reason InUse), unless a built-in one takes its place.
func (s *Roles) Delete(ctx context.Context, a kernel.Actor, name RoleName) error {
	const op = "team.Roles.Delete"
	_, err := manageTree(ctx, &s.core, s.cache, a, op, name, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		own, err := c.Tx.Roles().All(ctx, a.Tenant)
		if err != nil {
			return kernel.None{}, err
		}
		i := slices.IndexFunc(own, func(r *Role) bool { return r.Name == name })
		if i < 0 {
			return kernel.None{}, kernel.ErrNotFound
		}
		replaced := slices.ContainsFunc(builtin(), func(r Role) bool { return r.Name == name })
		gone, err := c.Tx.Roles().Delete(ctx, a.Tenant, name, !replaced)
		if err != nil {
			return kernel.None{}, err
		}
		if !gone {
			return kernel.None{}, &kernel.Error{Code: kernel.ErrRefused, Field: "role", Reason: kernel.InUse}
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: own[i].Ref(), Ref: own[i].Ref(), Type: "role.deleted", Before: own[i]})
	})
	return err
}
