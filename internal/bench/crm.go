package main

import (
	"context"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage/sqlite"
)

// openCRM is this library, as the quick start opens it. Its clock stands still, so rights that are read once stay kept.
func openCRM(ctx context.Context, e engine, _ *data) (*contestant, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	c, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	anew, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock, KeepRights: -1})
	if err != nil {
		return nil, err
	}
	sync := func(ctx context.Context, tenant int, all []*customer.Customer) error {
		outcomes, err := c.Customers.Sync(ctx, boss(tenant), all, nil)
		for _, o := range outcomes {
			if o.Err != nil {
				return o.Err
			}
		}
		return err
	}
	return &contestant{
		name: "crm", kept: c, anew: anew, sync: sync, load: sync,
		get: func(ctx context.Context, w who, id int64) (*customer.Customer, error) {
			return c.Customers.Get(ctx, w.actor(), customer.ID(id))
		},
		list: func(ctx context.Context, w who, q query) ([]*customer.Customer, error) {
			l, err := c.Customers.List(ctx, w.actor(), q.filter, crm.Page{Limit: q.limit, After: cursor(q.after)})
			return l.Items, err
		},
		claim: func(ctx context.Context, w who, id int64) error { return c.Pool.Claim(ctx, w.actor(), customer.ID(id)) },
		followUp: func(ctx context.Context, w who, x *customer.Interaction) error {
			return c.Customers.Interactions.Add(ctx, w.actor(), x)
		},
		recycle: func(ctx context.Context, tenant int) (int, error) {
			report, err := c.Pool.Recycle(ctx, boss(tenant), &pool.RecycleOptions{})
			return report.Released, err
		},
		claimMany: func(ctx context.Context, w who, ids []int64) error {
			all := make([]customer.ID, len(ids))
			for i, id := range ids {
				all[i] = customer.ID(id)
			}
			_, err := c.Pool.ClaimMany(ctx, w.actor(), all, crm.AllOrNothing)
			return err
		},
		close: db.Close,
	}, nil
}

// openGroup is this library with group commit, for what that changes.
func openGroup(ctx context.Context, e engine, _ *data) (*contestant, error) {
	if e.pg {
		return nil, nil //nolint:nilnil // there is none
	}
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	c, err := crm.New(ctx, sqlite.New(db, &sqlite.Options{GroupCommit: true}), &crm.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	return &contestant{
		name:  "group",
		claim: func(ctx context.Context, w who, id int64) error { return c.Pool.Claim(ctx, w.actor(), customer.ID(id)) },
		followUp: func(ctx context.Context, w who, x *customer.Interaction) error {
			return c.Customers.Interactions.Add(ctx, w.actor(), x)
		},
		close: db.Close,
	}, nil
}

// cursor is that of the list of customers after an id.
func cursor(id int64) string {
	if id == 0 {
		return ""
	}
	return kernel.Cut("customers", kernel.Window{Limit: 1}, []int64{id, id}, func(x int64) []int64 { return []int64{x} }).Next
}
