package main

import (
	"context"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
)

// contestant is one way to do the work of the cases: the CRM, or what a host might write instead. All have handles of their
// own on the same database, with the same settings, and leave the same rows behind. What a contestant leaves nil it does not
// take part in.
type contestant struct {
	name string
	// get is a point read, of a customer that the member may see.
	get func(ctx context.Context, w who, id int64) (*customer.Customer, error)
	// list is a page of customers.
	list func(ctx context.Context, w who, q query) ([]*customer.Customer, error)
	// claim takes a customer out of the pool, with every rule, the counter, log, audit and event.
	claim func(ctx context.Context, w who, id int64) error
	// followUp records a follow-up, with the clocks and facts of its customer, audit and event. The interaction gets its id.
	followUp func(ctx context.Context, w who, x *customer.Interaction) error
	// recycle releases all customers of a tenant that are due, in batches, and tells how many.
	recycle func(ctx context.Context, tenant int) (int, error)
	// sweep only finds them: the query of a sweep by itself, for what is compared with it.
	sweep func(ctx context.Context, tenant int) error

	// claimMany claims many of one tenant for one member, all or none.
	claimMany func(ctx context.Context, w who, ids []int64) error
	// sync mirrors customers by their host keys: those that are there are brought up to date, the others created.
	sync func(ctx context.Context, tenant int, all []*customer.Customer) error
	// load creates customers that nobody has, as the first sync of a house does.
	load func(ctx context.Context, tenant int, all []*customer.Customer) error

	// rows releases a number of a tenant's due customers, each in a transaction of its own.
	rows func(ctx context.Context, tenant, n int) error

	close func() error

	// kept and anew are for what only the CRM does: with rights that are kept, and rights that are read at every call.
	kept, anew *crm.CRM
}

// query asks for a page of the customers that one of the owners has, and of those that lie in one of the pools, by id. It is
// what the filter asks for within what the member may see.
type query struct {
	filter customer.Filter
	owners []crm.UserID
	pools  []int64
	after  int64
	limit  int
}

// raw is the contestant that the others are compared with.
const raw = "raw"

// contestants opens all of them, also those before one that fails. A new one is a file with a function like these.
func contestants(ctx context.Context, e engine, d *data) ([]*contestant, error) {
	all := make([]*contestant, 0, 6)
	for _, open := range []func(context.Context, engine, *data) (*contestant, error){openRaw, openCRM, openGORM, openBun, openTx, openGroup} {
		c, err := open(ctx, e, d)
		if err != nil {
			return all, err
		}
		if c == nil { // not on this engine
			continue
		}
		all = append(all, c)
	}
	return all, nil
}
