package main

import (
	"context"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
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
	return &contestant{
		name: "crm", kept: c, anew: anew,
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
