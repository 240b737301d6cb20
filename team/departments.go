package team

import (
	"context"

	"github.com/openseas/crm/kernel"
)

// Departments is the use cases of the department tree.
type Departments struct {
	core  kernel.Service[Tx]
	cache *Cache
}

func (d *Department) check() error {
	if d.Key != "" {
		if err := kernel.CheckName("key", d.Key, 100); err != nil {
			return err
		}
	}
	if d.Sort < -1_000_000 || d.Sort > 1_000_000 {
		return kernel.Invalidf("sort", kernel.OutOfRange, "between -1,000,000 and 1,000,000")
	}
	return kernel.FirstError(kernel.CheckName("name", d.Name, 100), kernel.CheckLine("head", string(d.Head), 200))
}

// Create makes a department under its Parent, or a root. A key that another department has is a conflict ("key").
func (s *Departments) Create(ctx context.Context, a kernel.Actor, d Department) (*Department, error) {
	const op = "team.Departments.Create"
	if err := d.check(); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return manageTree(ctx, &s.core, s.cache, a, op, d, func(ctx context.Context, c *kernel.Call[Tx]) (*Department, error) {
		n := d
		n.Version, n.CreatedAt, n.UpdatedAt = 1, c.Now, c.Now
		if err := parentExists(ctx, c, n.Parent); err != nil {
			return nil, err
		}
		taken, err := c.Tx.Departments().Insert(ctx, a.Tenant, &n)
		if err != nil {
			return nil, err
		}
		if len(taken) > 0 {
			return nil, kernel.Taken("key")
		}
		if err := c.Tx.Departments().Rebuild(ctx, a.Tenant); err != nil {
			return nil, err
		}
		return &n, c.Record(ctx, kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: "department.created", After: n})
	})
}

func oneDepartment(found []*Department, err error) (*Department, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func parentExists(ctx context.Context, c *kernel.Call[Tx], id DepartmentID) error {
	if id == 0 {
		return nil
	}
	found, err := c.Tx.Departments().Get(ctx, c.Actor.Tenant, id)
	if err == nil && len(found) == 0 {
		err = kernel.Invalidf("parent", kernel.Unknown, "the tenant has no such department")
	}
	return err
}

// Update writes key, name, parent, head and place of a department that was read: its Version must be the last. A
// department cannot come below itself (invalid, reason Cycle).
func (s *Departments) Update(ctx context.Context, a kernel.Actor, d Department) (*Department, error) {
	const op = "team.Departments.Update"
	if err := d.check(); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return manageTree(ctx, &s.core, s.cache, a, op, d, func(ctx context.Context, c *kernel.Call[Tx]) (*Department, error) {
		cur, err := oneDepartment(c.Tx.Departments().Get(ctx, a.Tenant, d.ID))
		if err != nil {
			return nil, err
		}
		if d.Version != cur.Version {
			return nil, kernel.StaleVersion(d.Version, cur.Version)
		}
		if err := parentExists(ctx, c, d.Parent); err != nil {
			return nil, err
		}
		next := *cur
		next.Key, next.Name, next.Parent, next.Head, next.Sort = d.Key, d.Name, d.Parent, d.Head, d.Sort
		_, moved, err := saveDepartments(ctx, c, []*Department{cur}, []*Department{&next})
		if err != nil || !moved {
			return &next, err
		}
		return &next, c.Tx.Departments().Rebuild(ctx, a.Tenant)
	})
}

// saveDepartments writes those that differ, with their changes. moved tells that a parent did: the tree is to be rebuilt.
func saveDepartments(ctx context.Context, c *kernel.Call[Tx], cur, next []*Department) (written int, moved bool, err error) {
	var changed []*Department
	var changes []kernel.Change
	for i, n := range next {
		was, is := kernel.Diff(cur[i], n)
		if is == nil {
			continue
		}
		moved = moved || n.Parent != cur[i].Parent
		n.Version, n.UpdatedAt = cur[i].Version+1, c.Now
		changed = append(changed, n)
		changes = append(changes, kernel.Change{Subject: n.Ref(), Ref: n.Ref(), Type: "department.updated", Before: was, After: is})
	}
	taken, err := c.Tx.Departments().Update(ctx, c.Actor.Tenant, changed...)
	if err != nil {
		return 0, false, err
	}
	if len(taken) > 0 {
		return 0, false, kernel.Taken("key")
	}
	return len(changed), moved, c.Record(ctx, changes...)
}

// Delete deletes a department that has neither members, active or not, nor departments below it, that no pool's list
// of members names, and that is the team of no territory; otherwise it is refused (reason InUse).
func (s *Departments) Delete(ctx context.Context, a kernel.Actor, id DepartmentID) error {
	const op = "team.Departments.Delete"
	_, err := manageTree(ctx, &s.core, s.cache, a, op, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		gone, err := oneDepartment(c.Tx.Departments().Get(ctx, a.Tenant, id))
		if err != nil {
			return kernel.None{}, err
		}
		used, err := c.Tx.Departments().Delete(ctx, a.Tenant, id)
		if err != nil {
			return kernel.None{}, err
		}
		if len(used) > 0 {
			return kernel.None{}, &kernel.Error{Code: kernel.ErrRefused, Field: "department", Reason: kernel.InUse}
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: gone.Ref(), Ref: gone.Ref(), Type: "department.deleted", Before: gone})
	})
	return err
}

// List returns a page of the departments, in the order they were made.
func (s *Departments) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Department], error) {
	const op = "team.Departments.List"
	w, err := p.Open("departments", 1)
	if err != nil {
		return kernel.List[*Department]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.TeamRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Department], error) {
		found, err := c.Tx.Departments().List(ctx, a.Tenant, w)
		return kernel.Cut("departments", w, found, func(d *Department) []int64 { return []int64{int64(d.ID)} }), err
	})
}
