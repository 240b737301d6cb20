package sales

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Orders is the use cases of the host's orders. One is within reach when its customer is. What happens to them is an event of
// the customer.
type Orders struct {
	core kernel.Service[Tx]
	o    Options
}

// OrderRepository keeps orders. Every call is a fixed number of statements, whatever the number of orders.
type OrderRepository interface {
	// ByNumber must return the orders of a system that have these numbers, of whatever customer, without lines.
	ByNumber(ctx context.Context, t kernel.TenantID, system string, numbers ...string) ([]*Order, error)
	// Reported must return the reports in the history that have the order and sequence of one of these.
	Reported(ctx context.Context, t kernel.TenantID, of ...OrderReport) ([]OrderReport, error)
	// Insert must give ids to orders, whose customers are locked, and write them with lines and refunds, except those whose
	// number another order has: these keep the id 0. They come in the order of their numbers.
	Insert(ctx context.Context, t kernel.TenantID, xs ...*Order) error
	// Update must write all columns, lines and refunds of orders whose customers are locked.
	Update(ctx context.Context, t kernel.TenantID, xs ...*Order) error
	// Report must write rows of the history.
	Report(ctx context.Context, t kernel.TenantID, rs ...OrderReport) error
	// Bounds must return when the customers ordered first and last, cancelled orders left out: as Facts in which nothing
	// else is set.
	Bounds(ctx context.Context, t kernel.TenantID, of ...customer.ID) ([]customer.Facts, error)
	// Get must return the orders that exist and whose customer lies within the scope, with lines and refunds.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...OrderID) ([]*Order, error)
	// List must return w.Limit+1 orders at most, by OrderedAt and id, the keys of w.After, without lines and refunds: see
	// Orders.List.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f OrderFilter, w kernel.Window) ([]*Order, error)
	// History must return w.Limit+1 reports at most, by sequence.
	History(ctx context.Context, t kernel.TenantID, id OrderID, w kernel.Window) ([]OrderReport, error)
	// Spend must sum up orders and refunds from an instant until before another, of the customers within the scope: those
	// without any may be left out. Net need not be set.
	Spend(ctx context.Context, t kernel.TenantID, s kernel.Scope, f OrderFilter, of ...customer.ID) ([]Spend, error)
}

// Get returns an order with its lines and refunds.
func (s *Orders) Get(ctx context.Context, a kernel.Actor, id OrderID) (*Order, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Orders.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Order, error) {
		return only(c.Tx.Orders().Get(ctx, a.Tenant, c.Scope, id))
	})
}

// List returns a page of orders without lines and refunds, by the time they were ordered: those whose customer lies in the
// actor's scope.
func (s *Orders) List(ctx context.Context, a kernel.Actor, f OrderFilter, p kernel.Page) (kernel.List[*Order], error) {
	const op = "sales.Orders.List"
	w, err := p.Open("orders", 2)
	f.From, f.Until = kernel.Instant(f.From), kernel.Instant(f.Until)
	err = kernel.FirstError(err, kernel.CheckInstant("from", f.From), kernel.CheckInstant("until", f.Until), checkCount("statuses", len(f.Statuses)))
	for _, status := range f.Statuses {
		err = kernel.FirstError(err, kernel.OneOf("statuses", status, orderStatuses...))
	}
	if err != nil {
		return kernel.List[*Order]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Order], error) {
		found, err := c.Tx.Orders().List(ctx, a.Tenant, c.Scope, f, w)
		return kernel.Cut("orders", w, found, func(x *Order) []int64 { return []int64{x.OrderedAt.UnixMicro(), int64(x.ID)} }), err
	})
}

// History returns a page of the reports of an order, by sequence; stale ones are marked.
func (s *Orders) History(ctx context.Context, a kernel.Actor, id OrderID, p kernel.Page) (kernel.List[OrderReport], error) {
	const op = "sales.Orders.History"
	w, err := p.Open("order-history", 1)
	if err != nil {
		return kernel.List[OrderReport]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[OrderReport], error) {
		if _, err := only(c.Tx.Orders().Get(ctx, a.Tenant, c.Scope, id)); err != nil {
			return kernel.List[OrderReport]{}, err
		}
		found, err := c.Tx.Orders().History(ctx, a.Tenant, id, w)
		return kernel.Cut("order-history", w, found, func(x OrderReport) []int64 { return []int64{x.Sequence} }), err
	})
}

// Spend sums up what customers paid for in the year that ends with today in the tenant's zone (rules.md, Grade): totals of
// orders that are paid, shipped or completed and were ordered in it, less refunds of such orders dated in it. Nothing of it
// is kept: it is asked of the orders, by index. It returns one for each id, in the order asked; at most 10,000.
func (s *Orders) Spend(ctx context.Context, a kernel.Actor, ids ...customer.ID) ([]Spend, error) {
	const op = "sales.Orders.Spend"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]Spend, error) {
		seen, err := c.Tx.Customers().Get(ctx, a.Tenant, c.Scope, ids...)
		if err != nil {
			return nil, err
		}
		exists := make(map[customer.ID]bool, len(seen))
		for _, x := range seen {
			exists[x.ID] = true
		}
		if i := slices.IndexFunc(ids, func(id customer.ID) bool { return !exists[id] }); i >= 0 {
			return nil, kernel.At(i, &kernel.Error{Code: kernel.ErrNotFound, Field: "customer_id"})
		}
		today := c.Today()
		year := OrderFilter{From: today.YearBefore().Next().Start(c.Rights.Zone), Until: today.Next().Start(c.Rights.Zone)}
		found, err := c.Tx.Orders().Spend(ctx, a.Tenant, c.Scope, year, ids...)
		if err != nil {
			return nil, err
		}
		of := make(map[customer.ID]Spend, len(found))
		for _, x := range found {
			of[x.CustomerID] = x
		}
		all := make([]Spend, len(ids))
		for i, id := range ids {
			x := of[id]
			all[i] = Spend{CustomerID: id, Orders: x.Orders, Refunds: x.Refunds, Net: x.Orders.Sub(x.Refunds)}
		}
		return all, nil
	})
}

// Approval tells whether an order of this total by the customer needs approval, and why: see OrderPolicy.
func (s *Orders) Approval(ctx context.Context, a kernel.Actor, of customer.ID, total decimal.Decimal) (OrderApproval, error) {
	const op = "sales.Orders.Approval"
	if err := kernel.CheckPositive("total", total); err != nil {
		return OrderApproval{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (OrderApproval, error) {
		x, err := only(c.Tx.Customers().Get(ctx, a.Tenant, c.Scope, of))
		if err != nil {
			return OrderApproval{}, err
		}
		return s.o.orderPolicy().Explain(x.Level, total), nil
	})
}
