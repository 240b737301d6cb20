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
	fresh := make([]Fresh, len(cs))
	for i, x := range cs {
		fresh[i] = freshCustomer(x)
	}
	p, err := PlanNew(ctx, c, Customers, fresh...)
	if err != nil || p == nil {
		return nil, err
	}
	return &newPlan{p}, nil
}

func freshCustomer(x *customer.Customer) Fresh {
	return Fresh{
		Record: Record{
			ID: int64(x.ID), Seq: x.Seq, Version: x.Version, Ownership: x.Ownership, Region: x.Region, TakesPlace: x.Stage != customer.Won,
		},
		Industry: x.Industry, VIP: x.Level == customer.LevelA,
	}
}

type newPlan struct{ *NewPlan }

// Assign see [customer.AssignPlan].
func (p *newPlan) Assign(ctx context.Context, made []*customer.Customer) error {
	fresh, byID := make([]Fresh, len(made)), map[int64]*customer.Customer{}
	for i, x := range made {
		fresh[i], byID[int64(x.ID)] = freshCustomer(x), x
	}
	gifts, err := p.Give(ctx, fresh...)
	for id, to := range gifts {
		x := byID[id]
		x.OwnerID, x.OwnedSince = to, p.c.Now
		x.Version, x.Seq = x.Version+1, x.Seq+1
	}
	return err
}

// Fresh is a record that is being made without an owner, and has no tags yet.
type Fresh struct {
	Record
	Industry string
	VIP      bool // of level A
}

func (x Fresh) traits() traits { return traits{x.Region, x.Industry, x.VIP} }

// NewPlan is who may get records that are being made.
type NewPlan struct {
	c    *kernel.Call[Tx]
	kind Kind
	d    *dispatcher
}

// PlanNew finds that out; nil when none of their home pools wants it (Settings.AssignNew). It locks nothing.
func PlanNew(ctx context.Context, c *kernel.Call[Tx], k Kind, xs ...Fresh) (*NewPlan, error) {
	var ids []ID
	for _, x := range xs {
		ids = append(ids, x.PoolID)
	}
	if ids = distinct(ids); len(ids) == 0 {
		return nil, nil
	}
	found, err := c.Tx.Pools(k).Get(ctx, c.Actor.Tenant, ids...)
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
	d := newDispatcher(c, k, pools)
	var subjects []subject
	for _, x := range xs {
		if pools[x.PoolID] != nil {
			subjects = append(subjects, subject{x.traits(), x.PoolID})
		}
	}
	if err := d.match(ctx, c, subjects); err != nil {
		return nil, err
	}
	return &NewPlan{c, k, d}, nil
}

// Users are all whose counters Give will lock: those of explicit owners are locked with them, in one order.
func (p *NewPlan) Users() []kernel.UserID { return p.d.users() }

// Give gives those of the records, now written, that somebody can get, with operation log, audit and events, and tells to
// whom; their version and seq have risen by one. Their rows are this transaction's own, so nobody else has seen them.
func (p *NewPlan) Give(ctx context.Context, made ...Fresh) (map[int64]kernel.UserID, error) {
	var ids []int64
	conditional := false
	for _, x := range made {
		home := p.d.pools[x.PoolID]
		if home == nil {
			continue
		}
		ids = append(ids, x.ID)
		conditional = conditional || home.ClaimCondition != ""
		p.d.add(x.Record, x.traits())
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if conditional {
		if err := p.d.readFacts(ctx, p.c, ids); err != nil {
			return nil, err
		}
	}
	if err := p.d.begin(ctx, p.c); err != nil {
		return nil, err
	}
	for _, id := range ids {
		_ = p.d.give(id) // what it refuses stays in the pool, where a create without an owner belongs
	}
	if err := p.c.Tx.Pool(p.kind).Give(ctx, p.d.giving); err != nil {
		return nil, err
	}
	gifts := make(map[int64]kernel.UserID, len(p.d.giving.Gifts))
	for _, g := range p.d.giving.Gifts {
		gifts[g.Record.ID] = g.To
	}
	return gifts, nil
}
