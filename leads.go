package crm

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/storage"
)

// leadAuthority is the rights of an authority over leads.
type leadAuthority struct{ kernel.Authority }

// Rights see [kernel.Authority].
func (l leadAuthority) Rights(ctx context.Context, a Actor) (kernel.Rights, error) {
	r, err := l.Authority.Rights(ctx, a)
	return r.OfLeads(), err
}

// openedMost is how many follow-ups LeadPool.Open shows.
const openedMost = 200

// wireLeads makes leads and their pool, which is that of customers over a second kind.
func wireLeads(c *CRM, authority kernel.Authority) {
	of := leadAuthority{authority}
	c.Sales.Leads = sales.NewLeads(kernel.Service[sales.Tx]{
		Unit: unit(c.store, func(tx storage.Tx) sales.Tx { return tx }), Authority: of, Clock: c.opts.Clock,
	}, customer.NewMaker(c.Customers), c.Sales.Opportunities, leadAssigner{})
	c.LeadPool = pool.NewServiceShowing[sales.LeadID](pool.Leads, kernel.Service[pool.Tx]{
		Unit: unit(c.store, func(tx storage.Tx) pool.Tx { return tx }), Authority: of, Clock: c.opts.Clock,
	}, showLead)
}

// showLead reads a lead that a member opens in the pool, with its newest follow-ups.
func showLead(ctx context.Context, c *kernel.Call[pool.Tx], id int64) (*pool.Opened, error) {
	tx, _ := c.Tx.(storage.Tx)
	t := c.Actor.Tenant
	found, err := tx.Leads().Get(ctx, t, kernel.Scope{All: true}, sales.LeadID(id))
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	happened, err := tx.Leads().FollowUps(ctx, t, sales.LeadID(id), kernel.Window{Limit: openedMost})
	o := &pool.Opened{Lead: found[0], More: len(happened) > openedMost}
	for _, x := range happened[:min(len(happened), openedMost)] {
		o.Interactions = append(o.Interactions, &x.Interaction)
	}
	return o, err
}

// leadAssigner is the pool's assignment of new records, for leads.
type leadAssigner struct{}

// Plan see [sales.LeadAssigner].
func (leadAssigner) Plan(ctx context.Context, by *kernel.Call[sales.Tx], xs []*sales.Lead) (sales.LeadAssignPlan, error) {
	tx, _ := by.Tx.(storage.Tx)
	c := &kernel.Call[pool.Tx]{Tx: tx, Actor: by.Actor, Now: by.Now, Rights: by.Rights, Scope: by.Scope}
	p, err := pool.PlanNew(ctx, c, pool.Leads, freshLeads(xs)...)
	if err != nil || p == nil {
		return nil, err
	}
	return leadPlan{p, by.Now}, nil
}

func freshLeads(xs []*sales.Lead) []pool.Fresh {
	fresh := make([]pool.Fresh, len(xs))
	for i, x := range xs {
		fresh[i] = pool.Fresh{
			Record:   pool.Record{ID: int64(x.ID), Seq: x.Seq, Version: x.Version, Ownership: x.Ownership, Region: x.Region, TakesPlace: true},
			Industry: x.Industry, VIP: x.Level == customer.LevelA,
		}
	}
	return fresh
}

type leadPlan struct {
	*pool.NewPlan
	now time.Time
}

// Assign see [sales.LeadAssignPlan].
func (p leadPlan) Assign(ctx context.Context, made []*sales.Lead) error {
	gifts, err := p.Give(ctx, freshLeads(made)...)
	for _, x := range made {
		if to, given := gifts[int64(x.ID)]; given {
			x.OwnerID, x.OwnedSince = to, p.now
			x.Version, x.Seq = x.Version+1, x.Seq+1
		}
	}
	return err
}
