package sales

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Record takes over reports of the host about its orders, at most 10,000 of one system, with at most 100,000 lines and
// refunds in all; each report is the whole order as it stands, and one call has one report of an order. It returns an outcome
// for each, in the order given (rules.md, Orders and credit): a report with a lower sequence than the last is kept in the
// history and changes nothing; the same sequence with the same content changes nothing, with other content is refused
// (conflict, sequence, Reused); one that names another customer than the order has is refused (refused, customer_id,
// ReadOnly). The rest is recorded.
//
// In the same transaction an order that becomes paid, shipped or completed makes its customer won; the customer's facts count
// orders that are not cancelled; another status than before leaves an automatic interaction, which is no follow-up.
//
// Errors, with the item's index, and nothing is written: invalid for a field; not found for a customer that does not exist
// within the scope. It needs the permission customer.sync.
func (s *Orders) Record(ctx context.Context, a kernel.Actor, reports ...*Order) ([]OrderOutcome, error) {
	const op = "sales.Orders.Record"
	drafts, err := s.drafts(reports)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerSync, drafts, func(ctx context.Context, c *kernel.Call[Tx]) ([]OrderOutcome, error) {
		r := &orderReports{c: c, drafts: slices.Clone(drafts), outcomes: make([]OrderOutcome, len(drafts))}
		return r.outcomes, r.run(ctx)
	})
}

func (s *Orders) drafts(reports []*Order) ([]*Order, error) {
	if err := kernel.CheckItems("orders", len(reports)); err != nil {
		return nil, err
	}
	drafts, seen, rows, now := make([]*Order, len(reports)), make(map[string]bool, len(reports)), 0, s.core.Clock.Now()
	for i, x := range reports {
		if x == nil {
			return nil, kernel.At(i, kernel.Invalid("order", kernel.Empty))
		}
		d, err := s.o.orderDraft(x, now)
		switch {
		case err != nil:
			return nil, kernel.At(i, err)
		case i > 0 && d.System != drafts[0].System:
			return nil, kernel.At(i, kernel.Invalidf("system", kernel.Malformed, "one call is about orders of one system"))
		case seen[d.Number]:
			return nil, kernel.At(i, kernel.Invalid("number", kernel.Duplicate))
		}
		seen[d.Number], drafts[i] = true, d
		if rows += len(d.Lines) + len(d.Refunds); rows > mostReported {
			return nil, kernel.At(i, kernel.Invalidf("lines", kernel.TooMany, "at most %d lines and refunds in one call", mostReported))
		}
	}
	return drafts, nil
}

// orderReports is one call of Record under way.
type orderReports struct {
	c        *kernel.Call[Tx]
	drafts   []*Order
	outcomes []OrderOutcome
	hashes   []string

	customers    map[customer.ID]*customer.Customer // locked
	fresh        []int                              // drafts of orders that are new
	later        []int                              // drafts of orders that change
	prior        map[string]*Order                  // by number
	reports      []OrderReport
	changes      []kernel.Change
	interactions []*customer.Interaction
}

func (r *orderReports) run(ctx context.Context) error {
	if len(r.drafts) == 0 {
		return nil
	}
	for _, step := range []func(context.Context) error{r.lock, r.judge, r.write, r.win, r.count, r.meet, r.tell} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lock locks the customers in the order of their ids.
func (r *orderReports) lock(ctx context.Context) error {
	of, err := r.named(ctx)
	if err != nil {
		return err
	}
	ids := slices.DeleteFunc(slices.Clone(of), func(id customer.ID) bool { return id == 0 })
	slices.Sort(ids)
	locked, err := r.c.Tx.Customers().Lock(ctx, r.c.Actor.Tenant, r.c.Scope, false, slices.Compact(ids)...)
	if err != nil {
		return err
	}
	r.customers = make(map[customer.ID]*customer.Customer, len(locked))
	for _, x := range locked {
		r.customers[x.ID] = x
	}
	for i, d := range r.drafts {
		x, field := r.customers[of[i]], "customer_id"
		if d.CustomerKey != "" {
			field = "customer_key"
		}
		if x == nil || !d.isOf(x) {
			return kernel.At(i, &kernel.Error{Code: kernel.ErrNotFound, Field: field})
		}
		whole := *d // the draft is what makes two calls the same
		whole.CustomerID = x.ID
		r.drafts[i] = &whole
	}
	return nil
}

// isOf tells whether the report names the customer: a key may have moved to another one before the lock.
func (x *Order) isOf(of *customer.Customer) bool {
	return x.CustomerKey == "" || of.ExternalID == x.CustomerKey && of.ExternalSystem == x.System
}

// named are the customers of the reports, 0 for a key that none has within the scope.
func (r *orderReports) named(ctx context.Context) ([]customer.ID, error) {
	var keys []string
	for _, d := range r.drafts {
		if d.CustomerKey != "" {
			keys = append(keys, d.CustomerKey)
		}
	}
	slices.Sort(keys)
	found, err := r.c.Tx.Customers().ByKey(ctx, r.c.Actor.Tenant, r.c.Scope, r.drafts[0].System, slices.Compact(keys)...)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]customer.ID, len(found))
	for _, x := range found {
		byKey[x.ExternalID] = x.ID
	}
	of := make([]customer.ID, len(r.drafts))
	for i, d := range r.drafts {
		if of[i] = d.CustomerID; d.CustomerKey != "" {
			of[i] = byKey[d.CustomerKey]
		}
	}
	return of, nil
}

// judge decides about each report, by the order of its number as it is under the customers' locks.
func (r *orderReports) judge(ctx context.Context) error {
	numbers := make([]string, len(r.drafts))
	r.hashes = make([]string, len(r.drafts))
	for i, d := range r.drafts {
		hash, err := d.hash()
		if err != nil {
			return err
		}
		numbers[i], r.hashes[i] = d.Number, hash
		if sum, differs := d.linesTotal(); differs {
			r.outcomes[i].Warning, r.outcomes[i].LinesTotal = LinesDiffer, sum
		} else {
			r.outcomes[i].LinesTotal = sum
		}
	}
	orders := r.c.Tx.Orders()
	found, err := orders.ByNumber(ctx, r.c.Actor.Tenant, r.drafts[0].System, numbers...)
	if err != nil {
		return err
	}
	r.prior = make(map[string]*Order, len(found))
	for _, x := range found {
		r.prior[x.Number] = x
	}
	var asked []OrderReport
	for _, d := range r.drafts {
		if p := r.prior[d.Number]; p != nil && p.CustomerID == d.CustomerID && d.Sequence <= p.Sequence {
			asked = append(asked, OrderReport{OrderID: p.ID, Sequence: d.Sequence})
		}
	}
	reported, err := orders.Reported(ctx, r.c.Actor.Tenant, asked...)
	if err != nil {
		return err
	}
	known := make(map[OrderReport]string, len(reported))
	for _, x := range reported {
		known[OrderReport{OrderID: x.OrderID, Sequence: x.Sequence}] = x.Hash
	}
	for i := range r.drafts {
		r.judgeOne(i, known)
	}
	slices.SortFunc(r.fresh, func(i, j int) int { return cmp.Compare(r.drafts[i].Number, r.drafts[j].Number) })
	return nil
}

func (r *orderReports) judgeOne(i int, known map[OrderReport]string) {
	d, out := r.drafts[i], &r.outcomes[i]
	p := r.prior[d.Number]
	switch {
	case p == nil:
		r.fresh = append(r.fresh, i)
		return
	case p.CustomerID != d.CustomerID:
		r.refuseCustomer(i)
		return
	}
	out.ID = p.ID
	hash, before := known[OrderReport{OrderID: p.ID, Sequence: d.Sequence}]
	switch {
	case d.Sequence > p.Sequence:
		r.later = append(r.later, i)
	case !before:
		out.Result = OrderStale
		r.reports = append(r.reports, r.report(i, true))
	case hash == r.hashes[i]:
		out.Result = OrderUnchanged
	default:
		out.Result, out.Err = OrderRefused, &kernel.Error{Code: kernel.ErrConflict, Field: "sequence", Reason: kernel.Reused}
	}
}

func (r *orderReports) refuseCustomer(i int) {
	r.outcomes[i].Result, r.outcomes[i].Err = OrderRefused, &kernel.Error{Code: kernel.ErrRefused, Field: "customer_id", Reason: kernel.ReadOnly}
}

func (r *orderReports) report(i int, stale bool) OrderReport {
	d := r.drafts[i]
	return OrderReport{
		OrderID: r.outcomes[i].ID, Sequence: d.Sequence, Status: d.Status, Total: d.Total, OrderedAt: d.OrderedAt, Hash: r.hashes[i], Stale: stale,
		ReportedAt: r.c.Now, ReportedBy: r.c.Actor.User,
	}
}

// write writes orders and history. An order that another call of another customer has written since is not ours: two calls
// for one customer wait for each other at its lock.
func (r *orderReports) write(ctx context.Context) error {
	now, by := r.c.Now, r.c.Actor.User
	fresh, later := make([]*Order, len(r.fresh)), make([]*Order, len(r.later))
	for n, i := range r.fresh {
		fresh[n] = r.drafts[i]
		fresh[n].CreatedAt, fresh[n].CreatedBy, fresh[n].UpdatedAt, fresh[n].UpdatedBy = now, by, now, by
	}
	for n, i := range r.later {
		later[n] = r.drafts[i]
		p := r.prior[later[n].Number]
		later[n].ID, later[n].CreatedAt, later[n].CreatedBy, later[n].UpdatedAt, later[n].UpdatedBy = p.ID, p.CreatedAt, p.CreatedBy, now, by
	}
	orders, tenant := r.c.Tx.Orders(), r.c.Actor.Tenant
	if err := orders.Insert(ctx, tenant, fresh...); err != nil {
		return err
	}
	r.fresh = slices.DeleteFunc(r.fresh, func(i int) bool {
		taken := r.drafts[i].ID == 0
		if taken {
			r.refuseCustomer(i)
		}
		return taken
	})
	if err := orders.Update(ctx, tenant, later...); err != nil {
		return err
	}
	for _, i := range slices.Concat(r.fresh, r.later) {
		r.outcomes[i].ID, r.outcomes[i].Result = r.drafts[i].ID, OrderRecorded
		r.reports = append(r.reports, r.report(i, false))
	}
	return orders.Report(ctx, tenant, r.reports...)
}

// recorded are the indexes of orders that are new or changed, in the order given: so are their events.
func (r *orderReports) recorded() []int {
	all := slices.Concat(r.fresh, r.later)
	slices.Sort(all)
	return all
}

// win makes customers won whose orders have become paid, shipped or completed.
func (r *orderReports) win(ctx context.Context) error {
	won := map[customer.ID]bool{}
	for _, i := range r.recorded() {
		d := r.drafts[i]
		if p := r.prior[d.Number]; d.Status.bought() && (p == nil || !p.Status.bought()) {
			won[d.CustomerID] = true
		}
	}
	winners := make([]*customer.Customer, 0, len(won))
	for id := range won {
		winners = append(winners, r.customers[id])
	}
	slices.SortFunc(winners, func(x, y *customer.Customer) int { return cmp.Compare(x.ID, y.ID) })
	return customer.Win(ctx, asCustomers(r.c), winners...)
}

// count keeps the facts. The first and the last order are asked anew only where one of those that are known may be gone.
func (r *orderReports) count(ctx context.Context) error {
	all := r.recorded()
	if len(all) == 0 {
		return nil
	}
	touched := make([]customer.ID, len(all))
	for n, i := range all {
		touched[n] = r.drafts[i].CustomerID
	}
	slices.Sort(touched)
	touched = slices.Compact(touched)
	found, err := r.c.Tx.Customers().Facts(ctx, r.c.Actor.Tenant, touched...)
	if err != nil {
		return err
	}
	facts := make(map[customer.ID]*customer.Facts, len(found))
	for i := range found {
		facts[found[i].CustomerID] = &found[i]
	}
	var moved []customer.ID
	for _, i := range all {
		d := r.drafts[i]
		f, ok := facts[d.CustomerID]
		if !ok {
			return kernel.ErrNotFound
		}
		if r.countOne(f, d, r.prior[d.Number]) {
			moved = append(moved, d.CustomerID)
		}
	}
	slices.Sort(moved)
	bounds, err := r.c.Tx.Orders().Bounds(ctx, r.c.Actor.Tenant, slices.Compact(moved)...)
	if err != nil {
		return err
	}
	for _, b := range bounds {
		facts[b.CustomerID].FirstOrderAt, facts[b.CustomerID].LastOrderAt = b.FirstOrderAt, b.LastOrderAt
	}
	return r.c.Tx.Customers().PutFacts(ctx, r.c.Actor.Tenant, found...)
}

// countOne counts an order in its customer's facts, and the interaction that its new status leaves. It tells whether an
// instant that the facts may have had from it is gone.
func (r *orderReports) countOne(f *customer.Facts, d, p *Order) (moved bool) {
	if p != nil && p.Status != d.Status {
		at := d.ChangedAt
		if at.IsZero() {
			at = r.c.Now
		}
		r.interactions = append(r.interactions, &customer.Interaction{
			CustomerID: d.CustomerID, Type: customer.Other, Direction: customer.Inbound, Subject: "order " + d.Number + ": " + string(d.Status), At: at,
			Staff: r.c.Actor.User, SessionTag: "order", Automatic: true, Version: 1, CreatedAt: r.c.Now, CreatedBy: r.c.Actor.User, UpdatedAt: r.c.Now,
		})
		f.Interactions++
		f.LastInteractionAt = latest(f.LastInteractionAt, at)
	}
	if p != nil && p.counts() {
		f.Orders--
		moved = !d.counts() || !p.OrderedAt.Equal(d.OrderedAt)
	}
	if d.counts() {
		f.Orders++
		f.LastOrderAt = latest(f.LastOrderAt, d.OrderedAt)
		if f.FirstOrderAt.IsZero() || d.OrderedAt.Before(f.FirstOrderAt) {
			f.FirstOrderAt = d.OrderedAt
		}
	}
	return moved
}

func latest(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}

// meet writes the interactions.
func (r *orderReports) meet(ctx context.Context) error {
	return r.c.Tx.Interactions().Insert(ctx, r.c.Actor.Tenant, r.interactions...)
}

// tell writes what became of the orders as events of their customers.
func (r *orderReports) tell(ctx context.Context) error {
	for _, i := range r.recorded() {
		d := r.drafts[i]
		change := kernel.Change{Ref: d.Ref(), Type: "order.recorded", After: d.head()}
		if p := r.prior[d.Number]; p != nil {
			change.Type = "order.changed"
			change.Before, change.After = diffOrders(p, d)
		}
		r.changes = append(r.changes, about(d.CustomerID, change))
	}
	for _, x := range r.interactions {
		r.changes = append(r.changes, about(x.CustomerID, kernel.Change{Ref: x.Ref(), Type: "interaction.created", After: x}))
	}
	return r.c.Record(ctx, r.changes...)
}

func diffOrders(was, is *Order) (before, after any) {
	p, d := was.head(), is.head()
	p.Refunds, p.ChangedAt = nil, time.Time{}
	b, a := kernel.Diff(p, d)
	return b, a
}

func about(id customer.ID, change kernel.Change) kernel.Change {
	change.Subject = subjectOf(id)
	return change
}
