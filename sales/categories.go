package sales

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Categories is the use cases of product categories.
type Categories struct{ core kernel.Service[Tx] }

// Create makes a category; id, version and times are filled in. A name that a sibling has is a conflict ("name"), a parent
// that does not exist invalid ("parent", reason Unknown). A tenant has at most MostCategories (refused, reason TooMany).
func (s *Categories) Create(ctx context.Context, a kernel.Actor, x *Category) error {
	const op = "sales.Categories.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("category", kernel.Empty))
	}
	draft := &Category{Name: x.Name, Parent: x.Parent, Sort: x.Sort}
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := manage(ctx, &s.core, a, op, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Category, error) {
		n, err := c.Tx.Categories().Count(ctx, a.Tenant)
		if err == nil && n >= MostCategories {
			err = &kernel.Error{Code: kernel.ErrRefused, Field: "category", Reason: kernel.TooMany}
		}
		if err == nil {
			err = categoriesExist(ctx, c, "parent", draft.Parent)
		}
		if err != nil {
			return nil, err
		}
		draft.Version, draft.CreatedAt, draft.UpdatedAt = 1, c.Now, c.Now
		free, err := c.Tx.Categories().Insert(ctx, a.Tenant, draft)
		if err := named(free, err); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: draft.Ref(), Ref: draft.Ref(), Type: "product_category.created", After: draft})
	})
	if err == nil {
		*x = *made
	}
	return err
}

// categoriesExist refuses categories that the tenant does not have; 0 is none. They stay until the transaction ends.
func categoriesExist(ctx context.Context, c *kernel.Call[Tx], field string, ids ...CategoryID) error {
	asked := slices.DeleteFunc(slices.Clone(ids), func(id CategoryID) bool { return id == 0 })
	slices.Sort(asked)
	found, err := c.Tx.Categories().Existing(ctx, c.Actor.Tenant, slices.Compact(asked)...)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if id == 0 || slices.Contains(found, id) {
			continue
		}
		err := kernel.Invalidf(field, kernel.Unknown, "there is no category %d", id)
		if len(ids) > 1 {
			return kernel.At(i, err)
		}
		return err
	}
	return nil
}

// Update renames or moves a category that was read: its Version must be the last, else the error is a conflict with reason
// Stale. It cannot come below itself (invalid, "parent", reason Cycle): of two moves at once that would make a circle, one
// is refused.
func (s *Categories) Update(ctx context.Context, a kernel.Actor, x *Category) error {
	const op = "sales.Categories.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("category", kernel.Empty))
	}
	given := *x
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := manage(ctx, &s.core, a, op, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Category, error) {
		all, err := c.Tx.Categories().LockAll(ctx, a.Tenant)
		if err != nil {
			return nil, err
		}
		tree := treeOf(all)
		cur := tree[given.ID]
		switch {
		case cur == nil:
			return nil, kernel.ErrNotFound
		case given.Version != cur.Version:
			return nil, kernel.StaleVersion(given.Version, cur.Version)
		case given.Parent != 0 && tree[given.Parent] == nil:
			return nil, kernel.Invalidf("parent", kernel.Unknown, "there is no category %d", given.Parent)
		case tree.below(given.Parent, given.ID):
			return nil, kernel.Invalidf("parent", kernel.Cycle, "a category cannot be below itself")
		}
		next := *cur
		next.Name, next.Parent, next.Sort = given.Name, given.Parent, given.Sort
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			return cur, nil
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		free, err := c.Tx.Categories().Update(ctx, a.Tenant, &next)
		if err := named(free, err); err != nil {
			return nil, err
		}
		return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: "product_category.updated", Before: was, After: is})
	})
	if err == nil {
		*x = *made
	}
	return err
}

// tree is the categories of a tenant.
type tree map[CategoryID]*Category

func treeOf(all []*Category) tree {
	t := make(tree, len(all))
	for _, x := range all {
		t[x.ID] = x
	}
	return t
}

// below tells whether id is another category or hangs on it. The tree has no circle, so climbing ends.
func (t tree) below(id, other CategoryID) bool {
	for ; id != 0; id = t[id].Parent {
		if id == other {
			return true
		}
	}
	return false
}

// Delete deletes a category that neither products, deleted ones included, nor other categories hang on; otherwise it is
// refused (reason InUse).
func (s *Categories) Delete(ctx context.Context, a kernel.Actor, id CategoryID) error {
	_, err := manage(ctx, &s.core, a, "sales.Categories.Delete", id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		all, err := c.Tx.Categories().LockAll(ctx, a.Tenant)
		if err != nil {
			return kernel.None{}, err
		}
		gone := treeOf(all)[id]
		if gone == nil {
			return kernel.None{}, kernel.ErrNotFound
		}
		deleted, err := c.Tx.Categories().Delete(ctx, a.Tenant, id)
		if err == nil && !deleted {
			err = &kernel.Error{Code: kernel.ErrRefused, Field: "category", Reason: kernel.InUse}
		}
		if err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: gone.Ref(), Ref: gone.Ref(), Type: "product_category.deleted", Before: gone})
	})
	return err
}

// List returns a page of the categories, in the order they were made. A tree is made of it by Parent and Sort.
func (s *Categories) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*Category], error) {
	const op = "sales.Categories.List"
	w, err := p.Open("categories", 1)
	if err != nil {
		return kernel.List[*Category]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Category], error) {
		found, err := c.Tx.Categories().List(ctx, a.Tenant, w)
		return kernel.Cut("categories", w, found, func(x *Category) []int64 { return []int64{int64(x.ID)} }), err
	})
}
