package customer

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Deal is an order of the host, as far as customers need to know of it: who bought, when, for how much. It becomes a
// completed order.
type Deal struct {
	CustomerID ID              `json:"customer_id"`
	System     string          `json:"system,omitempty"` // at most 50: the host's system; empty is a system of its own
	Number     string          `json:"number"`           // at most 100, unique in the tenant and system
	At         time.Time       `json:"at"`               // when it was ordered; not in the future
	Amount     decimal.Decimal `json:"amount"`           // in the tenant's currency, |x| < 10^14, 4 decimals
}

// DealRepository keeps deals as orders.
type DealRepository interface {
	// Put must write the deal, or return the one that has its system and number already.
	Put(ctx context.Context, t kernel.TenantID, d Deal, by kernel.UserID, now time.Time) (prior *Deal, err error)
}

func (d *Deal) check(now time.Time) error {
	d.At = kernel.Instant(d.At)
	if err := kernel.FirstError(checkCode("system", d.System, 50), kernel.CheckName("number", d.Number, 100),
		kernel.CheckInstant("at", d.At), kernel.CheckPositive("amount", d.Amount)); err != nil {
		return err
	}
	switch {
	case d.At.IsZero():
		return kernel.Invalid("at", kernel.Empty)
	case d.At.After(now):
		return kernel.Invalid("at", kernel.InFuture)
	}
	return nil
}

// RecordDeal writes an order of a customer, which makes the customer won (rules.md, Stage and places): its place under
// the owner's cap is free from then on. The same number again with the same content changes nothing and reports false;
// with other content it is a conflict (reason Reused): name the order's own time, and not that of the call. The customer
// must lie within the actor's customer.update, which those of a pool do only for the system actor and for roles that
// reach everything.
func (s *Service) RecordDeal(ctx context.Context, a kernel.Actor, d Deal) (recorded bool, err error) {
	const op = "customer.RecordDeal"
	if err := d.check(s.core.Clock.Now()); err != nil {
		return false, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, d, func(ctx context.Context, c *kernel.Call[Tx]) (bool, error) {
		cur, err := one(c.Tx.Customers().Lock(ctx, a.Tenant, c.Scope, false, d.CustomerID))
		if err != nil {
			return false, err
		}
		prior, err := c.Tx.Deals().Put(ctx, a.Tenant, d, a.User, c.Now)
		if err != nil {
			return false, err
		}
		if prior != nil {
			if prior.CustomerID == d.CustomerID && prior.At.Equal(d.At) && prior.Amount.Equal(d.Amount) {
				return false, nil
			}
			return false, &kernel.Error{Code: kernel.ErrConflict, Field: "number", Reason: kernel.Reused}
		}
		return true, recordDeal(ctx, c, cur, d)
	})
}

func recordDeal(ctx context.Context, c *kernel.Call[Tx], cur *Customer, d Deal) error {
	facts, err := factsOf(ctx, c, cur.ID)
	if err != nil {
		return err
	}
	facts.Orders++
	if facts.FirstOrderAt.IsZero() || d.At.Before(facts.FirstOrderAt) {
		facts.FirstOrderAt = d.At
	}
	if d.At.After(facts.LastOrderAt) {
		facts.LastOrderAt = d.At
	}
	if err := c.Tx.Customers().PutFacts(ctx, c.Actor.Tenant, facts); err != nil {
		return err
	}
	if err := Win(ctx, c, cur); err != nil {
		return err
	}
	touched, err := c.Tx.Customers().Touch(ctx, c.Actor.Tenant, kernel.Scope{All: true}, cur.ID, 1)
	if err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: cur.Ref(), Seq: touched.Seq, Ref: cur.Ref(), Type: "order.recorded", After: d})
}

// Win makes customers won that the transaction has just locked, and frees their places under their owners' caps (rules.md,
// Stage and places); those that are won already stay as they are. It is for modules in which the first order or contract
// happens, and writes each customer's next event: nothing else may have written one since the lock. It is a fixed number of
// statements.
func Win(ctx context.Context, c *kernel.Call[Tx], curs ...*Customer) error {
	var won []*Customer
	var changes []kernel.Change
	places := map[kernel.UserID]int{}
	for _, cur := range curs {
		next := *cur
		next.Stage, next.LostReason = Won, ""
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			continue
		}
		next.Version, next.Seq, next.UpdatedAt, next.UpdatedBy = cur.Version+1, cur.Seq+1, c.Now, c.Actor.User
		won = append(won, &next)
		changes = append(changes, kernel.Change{Subject: next.Ref(), Seq: next.Seq, Ref: next.Ref(), Type: "customer.won", Before: was, After: is})
		if cur.TakesPlace() {
			places[cur.OwnerID]--
		}
	}
	taken, err := c.Tx.Customers().Update(ctx, c.Actor.Tenant, won...)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return kernel.Taken(taken[0].Field)
	}
	if err := c.Record(ctx, changes...); err != nil {
		return err
	}
	return addPlaces(ctx, c, places)
}
