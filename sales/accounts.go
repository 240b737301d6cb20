package sales

import (
	"context"
	"errors"
	"slices"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// PaymentRepository keeps payments, and what they pay. Every call is a fixed number of statements.
type PaymentRepository interface {
	// Insert must give ids to payments of locked contracts and write them, but those whose host's key another contract's
	// payment has: these it returns ("external_id").
	Insert(ctx context.Context, t kernel.TenantID, ps ...*Payment) ([]Taken, error)
	// Get must return the payments that exist and of whose contracts the owner or the customer lies within the scope, with
	// their allocations, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...PaymentID) ([]*Payment, error)
	// Of must return all payments of contracts with their allocations, by contract, date and place.
	Of(ctx context.Context, t kernel.TenantID, contracts ...ContractID) ([]*Payment, error)
	// ByKey must return the payments whose host's keys have one of the systems and one of the ids, without allocations.
	ByKey(ctx context.Context, t kernel.TenantID, systems, ids []string) ([]*Payment, error)
	// Unallocate must delete the allocations of payments of locked contracts.
	Unallocate(ctx context.Context, t kernel.TenantID, ids ...PaymentID) error
	// Allocate must write the allocations of payments, which have none.
	Allocate(ctx context.Context, t kernel.TenantID, ps ...*Payment) error
	// List must return w.Limit+1 payments at most, by date and id, without allocations: see Payments.List. The window's first
	// key is the date as a number such as 20260131.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f PaymentFilter, w kernel.Window) ([]*Payment, error)
}

// account is a contract under its lock, with all payments.
type account struct {
	was, x   *Contract // as it was read, and as it becomes
	payments []*Payment
	had      map[PaymentID][]Allocation // as they are stored
}

// openAccounts locks contracts within the scope of the call, after their customers, and reads what was paid. What is not
// within reach is left out.
func openAccounts(ctx context.Context, c *kernel.Call[Tx], ids ...ContractID) (map[ContractID]*account, error) {
	r, tenant := c.Tx.Contracts(), c.Actor.Tenant
	found, err := r.Planned(ctx, tenant, c.Scope, ids...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	customers := make([]customer.ID, len(found))
	for i, x := range found {
		customers[i] = x.CustomerID
	}
	slices.Sort(customers)
	alive, err := c.Tx.Customers().Lock(ctx, tenant, kernel.Scope{All: true}, false, slices.Compact(customers)...)
	if err != nil {
		return nil, err
	}
	locked, reached := make(map[customer.ID]bool, len(alive)), []ContractID{}
	for _, of := range alive {
		locked[of.ID] = true
	}
	for _, x := range found {
		if locked[x.CustomerID] {
			reached = append(reached, x.ID)
		}
	}
	if err := r.Lock(ctx, tenant, reached...); err != nil {
		return nil, err
	}
	if found, err = r.Planned(ctx, tenant, c.Scope, reached...); err != nil {
		return nil, err
	}
	return accountsOf(ctx, c, found...)
}

// accountsOf reads what was paid for locked contracts.
func accountsOf(ctx context.Context, c *kernel.Call[Tx], xs ...*Contract) (map[ContractID]*account, error) {
	all, ids := make(map[ContractID]*account, len(xs)), make([]ContractID, len(xs))
	for i, x := range xs {
		next := *x
		all[x.ID], ids[i] = &account{was: x, x: &next, had: map[PaymentID][]Allocation{}}, x.ID
	}
	payments, err := c.Tx.Payments().Of(ctx, c.Actor.Tenant, ids...)
	for _, p := range payments {
		a := all[p.ContractID]
		a.payments, a.had[p.ID] = append(a.payments, p), p.Allocations
	}
	return all, err
}

// add settles the contract with more payments, or leaves it as it was.
func (a *account) add(over calc.Overpaid, more ...*Payment) error {
	if len(a.payments)+len(more) > mostPayments {
		return &kernel.Error{Code: kernel.ErrRefused, Field: "contract_id", Reason: kernel.TooMany}
	}
	last := 0
	for _, p := range a.payments {
		last = max(last, p.Place)
	}
	for i, p := range more {
		p.Place = last + 1 + i
	}
	next := *a.x
	all := append(slices.Clone(a.payments), more...)
	if err := next.settle(all, over); err != nil {
		return inPayment(err)
	}
	*a.x, a.payments = next, all
	return nil
}

// inPayment is an error of a replay in the words of a payment.
func inPayment(err error) error {
	var e *kernel.Error
	if !errors.As(kernel.Single(err), &e) {
		return err
	}
	named := *e
	switch named.Field {
	case "payments.amount":
		named.Field = "amount"
	case "payments.plan":
		named.Field = "plan_id"
	}
	return &named
}

// reallocated are the payments that pay something else than they did.
func (a *account) reallocated() (all []*Payment) {
	for _, p := range a.payments {
		same := slices.EqualFunc(a.had[p.ID], p.Allocations, func(x, y Allocation) bool { return x.PlanID == y.PlanID && x.Amount.Equal(y.Amount) })
		if !same {
			all = append(all, p)
		}
	}
	return all
}

// saveAccounts writes contracts that were settled, and what their payments pay; new payments are written already. It returns
// the changes of those that were completed or opened again.
func saveAccounts(ctx context.Context, c *kernel.Call[Tx], accounts ...*account) ([]kernel.Change, error) {
	var changes []kernel.Change
	var xs []*Contract
	var moved []*Payment
	var gone []PaymentID
	active := map[customer.ID]int64{}
	for _, a := range accounts {
		if event := a.x.conclude(a.was, c.Today()); event != "" {
			a.x.Version, a.x.UpdatedAt, a.x.UpdatedBy = a.was.Version+1, c.Now, c.Actor.User
			was, is := kernel.Diff(a.was, a.x)
			changes = append(changes, kernel.Change{Ref: a.x.Ref(), Type: event, Before: was, After: is, Subject: subjectOf(a.x.CustomerID)})
		}
		active[a.x.CustomerID] += a.x.activity() - a.was.activity()
		xs = append(xs, a.x)
		for _, p := range a.reallocated() {
			if moved = append(moved, p); len(a.had[p.ID]) > 0 {
				gone = append(gone, p.ID)
			}
		}
	}
	err := c.Tx.Payments().Unallocate(ctx, c.Actor.Tenant, gone...)
	if err == nil {
		err = c.Tx.Contracts().Settle(ctx, c.Actor.Tenant, xs...)
	}
	if err == nil {
		err = c.Tx.Payments().Allocate(ctx, c.Actor.Tenant, moved...)
	}
	if err == nil {
		err = countActive(ctx, c, active)
	}
	return changes, err
}

// activity is what the contract adds to its customer's active ones.
func (x *Contract) activity() int64 {
	if x.active() {
		return 1
	}
	return 0
}

// countActive changes the numbers of active contracts of locked customers.
func countActive(ctx context.Context, c *kernel.Call[Tx], by map[customer.ID]int64) error {
	var ids []customer.ID
	for id, n := range by {
		if n != 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	facts, err := c.Tx.Customers().Facts(ctx, c.Actor.Tenant, ids...)
	if err != nil || len(facts) == 0 {
		return err
	}
	for i := range facts {
		facts[i].ActiveContracts += by[facts[i].CustomerID]
	}
	return c.Tx.Customers().PutFacts(ctx, c.Actor.Tenant, facts...)
}

// replan writes the instalments of a locked contract in place of those that it has, and allocates anew what was paid.
func (s *Contracts) replan(ctx context.Context, c *kernel.Call[Tx], cur, next *Contract) error {
	accounts, err := accountsOf(ctx, c, cur)
	if err != nil {
		return err
	}
	a := accounts[cur.ID]
	var allocated []PaymentID
	for _, p := range a.payments {
		if p.PlanID != 0 && !slices.ContainsFunc(next.Plans, func(x Plan) bool { return x.ID == p.PlanID }) {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "plans", Reason: kernel.InUse}
		}
		if len(p.Allocations) > 0 {
			allocated = append(allocated, p.ID)
		}
	}
	if err := c.Tx.Payments().Unallocate(ctx, c.Actor.Tenant, allocated...); err != nil {
		return err
	}
	if err := c.Tx.Contracts().PutPlans(ctx, c.Actor.Tenant, cur.ID, next.Plans); err != nil || len(a.payments) == 0 {
		return err
	}
	if err := next.settle(a.payments, s.o.Overpayment); err != nil {
		return inPayment(err)
	}
	if err := c.Tx.Contracts().Settle(ctx, c.Actor.Tenant, next); err != nil {
		return err
	}
	return c.Tx.Payments().Allocate(ctx, c.Actor.Tenant, a.payments...)
}
