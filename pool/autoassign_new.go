package pool

import (
	"context"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Assigner gives new customers that nobody owns to members, where their home pool says so (Settings.AssignNew), in the
// transaction that makes them. crm.New hands it to the service of customers.
type Assigner struct {
	narrow func(customer.Tx) Tx
}

// NewAssigner is for crm.New; narrow shows this module its repositories of a transaction.
func NewAssigner(narrow func(customer.Tx) Tx) *Assigner { return &Assigner{narrow} }

// Plan see [customer.Assigner].
func (s *Assigner) Plan(ctx context.Context, by *kernel.Call[customer.Tx], cs []*customer.Customer) (customer.AssignPlan, error) {
	c := &kernel.Call[Tx]{Tx: s.narrow(by.Tx), Actor: by.Actor, Now: by.Now, Rights: by.Rights, Scope: by.Scope}
	var ids []ID
	for _, x := range cs {
		ids = append(ids, x.PoolID)
	}
	if ids = distinct(ids); len(ids) == 0 {
		return nil, nil
	}
	found, err := c.Tx.Pools(Customers).Get(ctx, c.Actor.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	pools := map[ID]*Pool{}
	for _, p := range found {
		if p.AssignNew {
			pools[p.ID] = p
		}
	}
	if len(pools) == 0 {
		return nil, nil
	}
	d := newDispatcher(c, Customers, pools)
	var subjects []subject
	for _, x := range cs {
		if pools[x.PoolID] != nil {
			subjects = append(subjects, subject{traitsOfNew(x), x.PoolID})
		}
	}
	if err := d.match(ctx, c, subjects); err != nil {
		return nil, err
	}
	return &newPlan{c, d}, nil
}

// traitsOfNew are those of a customer that is being made, and has no tags yet.
func traitsOfNew(x *customer.Customer) traits {
	return traits{x.Region, x.Industry, x.Level == customer.LevelA}
}

type newPlan struct {
	c *kernel.Call[Tx]
	d *dispatcher
}

// Users see [customer.AssignPlan].
func (p *newPlan) Users() []kernel.UserID { return p.d.users() }

// Assign see [customer.AssignPlan]. Their rows are this transaction's own, so nobody else has seen them.
func (p *newPlan) Assign(ctx context.Context, made []*customer.Customer) error {
	var ids []int64
	byID := map[int64]*customer.Customer{}
	conditional := false
	for _, x := range made {
		home := p.d.pools[x.PoolID]
		if home == nil {
			continue
		}
		ids, byID[int64(x.ID)] = append(ids, int64(x.ID)), x
		conditional = conditional || home.ClaimCondition != ""
		p.d.add(Record{
			ID: int64(x.ID), Seq: x.Seq, Version: x.Version, Ownership: x.Ownership, Region: x.Region, TakesPlace: x.Stage != customer.Won,
		}, traitsOfNew(x))
	}
	if len(ids) == 0 {
		return nil
	}
	if conditional {
		if err := p.d.readFacts(ctx, p.c, ids); err != nil {
			return err
		}
	}
	if err := p.d.begin(ctx, p.c); err != nil {
		return err
	}
	for _, id := range ids {
		_ = p.d.give(id) // what it refuses stays in the pool, where a create without an owner belongs
	}
	if err := p.c.Tx.Pool(Customers).Give(ctx, p.d.giving); err != nil {
		return err
	}
	for _, g := range p.d.giving.Gifts {
		x := byID[g.Record.ID]
		x.OwnerID, x.OwnedSince = g.To, p.c.Now
		x.Version, x.Seq = x.Version+1, x.Seq+1
	}
	return nil
}
