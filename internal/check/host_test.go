package check

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// Inside a host's transaction, too, any statement may fail. What the CRM could not do leaves the transaction usable, unless
// the connection or the caller is gone; then the error says that the host may begin anew, and nothing is left of either.
func TestEveryStatementMayFailInsideAHostsTransaction(t *testing.T) {
	onTrial(t, func(t *testing.T, x *trial) {
		if x.task.alone {
			call, request := x.ready()
			x.refuseInside(t, kernel.OwnCommits, func(in *crm.CRM) error { return call(t.Context(), in, request) })
			return
		}
		call, request := x.ready()
		tx := x.begin(t)
		x.i.arm(busy, -1, nil) // counted, as before
		require.NoError(t, call(t.Context(), x.In(tx), request))
		_, x.steps = x.i.disarm()
		require.NoError(t, tx.Commit())
		everywhere := []fault{busy, cutAfter, cancelled}
		if x.i.pg { // where another connection takes its time, and the same code has met the same faults on SQLite
			everywhere = everywhere[:1]
		}
		for _, f := range []fault{busy, cutAfter, cancelled} {
			for _, n := range x.points(f, everywhere...) {
				x.failInside(t, f, n)
			}
		}
	})
}

// begin is a transaction of the host, which has written something: orders of the number of the last request.
func (x *trial) begin(t *testing.T) *sql.Tx {
	t.Helper()
	tx, err := x.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { tx.Rollback() })
	require.NoError(t, x.hostWrites(tx, "before"))
	return tx
}

func (x *trial) hostWrites(tx *sql.Tx, what string) error {
	_, err := tx.Exec(fmt.Sprintf("INSERT INTO erp_orders VALUES ('%d %s')", x.last, what))
	return err
}

// hostWrote counts what the host's last transaction left.
func (x *trial) hostWrote() int {
	return x.count(fmt.Sprintf("SELECT count(*) FROM erp_orders WHERE id LIKE '%d %%'", x.last))
}

// failInside runs the task inside a host's transaction with a fault at the n-th statement, and then in another one.
func (x *trial) failInside(t *testing.T, f fault, n int) {
	call, request := x.ready()
	tx := x.begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x.i.arm(f, n, cancel)
	err := call(ctx, x.In(tx), request)
	hit, _ := x.i.disarm()
	about := fmt.Sprintf("%s, at statement %d of %d (%.100s): %v", f, n, x.steps, hit, err)
	require.NotEmpty(t, hit, about)
	usable := x.hostWrites(tx, "after")
	committed := usable
	if usable == nil {
		committed = tx.Commit()
	}
	switch {
	case err == nil: // the fault did no harm, or it came too late for that
		require.Equal(t, x.want*boolean(committed == nil), x.left(request), about)
		require.Equal(t, 2*boolean(committed == nil), x.hostWrote(), about)
	case f == busy:
		require.NoError(t, committed, "the host's transaction is not usable: %s", about)
	case f == cutAfter:
		require.Error(t, committed, about)
	}
	tx.Rollback() //nolint:errcheck // it is over, or gone
	if err == nil {
		return
	}
	require.ErrorIs(t, err, crm.ErrRetry, about)
	require.NotErrorIs(t, err, crm.ErrUnknownOutcome, about)
	require.Zero(t, x.left(request), about)
	require.Equal(t, 2*boolean(committed == nil), x.hostWrote(), about)

	again, err := x.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer again.Rollback()
	require.NoError(t, call(t.Context(), x.In(again), request), "asking again: %s", about)
	require.NoError(t, again.Commit())
	require.Equal(t, x.want, x.left(request), "asked again: %s", about)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// refuseInside demands a refusal that does not hurt the host's transaction.
func (x *trial) refuseInside(t *testing.T, why error, call func(in *crm.CRM) error) {
	t.Helper()
	x.last++
	tx := x.begin(t)
	err := call(x.In(tx))
	require.ErrorIs(t, err, why)
	_, typed := errors.AsType[kernel.Code](err)
	require.True(t, typed, "%v", err)
	require.NoError(t, x.hostWrites(tx, "after"), "after %v", err)
	require.NoError(t, tx.Commit())
	require.Equal(t, 2, x.hostWrote())
}

// What a rule or the state of things refuses costs the host nothing but the call.
func TestRefusalsLeaveAHostsTransactionUsable(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		h := build(t, fresh(t))
		x := &trial{house: h}
		h.exec("CREATE TABLE erp_orders (id TEXT PRIMARY KEY)")
		h.policy(func(p *pool.Policy) { p.Cap = 3 })
		ctx := t.Context()
		mine, free := h.create(3, "li"), h.create(2, "")
		released := h.create(1, "wang")[0]
		require.NoError(t, h.Pool.Release(ctx, wang, released, nil))
		known := &customer.Customer{Name: "known", Code: "K", ExternalSystem: "erp", ExternalID: "1"}
		require.NoError(t, h.Customers.Create(ctx, boss, known))
		deal := customer.Deal{CustomerID: released, Number: "1", At: h.now(), Amount: decimal.NewFromInt(1)}
		_, err := h.Customers.RecordDeal(ctx, boss, deal)
		require.NoError(t, err)
		stale, err := h.Customers.Get(ctx, li, mine[0])
		require.NoError(t, err)
		require.NoError(t, h.Customers.SetStage(ctx, li, mine[0], customer.Lost, "price"))
		require.NoError(t, h.Customers.Interactions.Add(ctx, as(li, "used"), &customer.Interaction{CustomerID: mine[0], Type: customer.Call, Subject: "x"}))
		for _, refused := range []struct {
			why  error
			call func(in *crm.CRM) error
		}{
			{pool.Taken, func(in *crm.CRM) error { return in.Pool.Claim(ctx, wang, mine[0]) }},
			{pool.Protected, func(in *crm.CRM) error { return in.Pool.Claim(ctx, wang, released) }},
			{pool.CapReached, func(in *crm.CRM) error { return in.Pool.Claim(ctx, li, free[0]) }},
			{pool.NotOwned, func(in *crm.CRM) error { return in.Pool.Release(ctx, li, free[0], nil) }},
			{crm.ErrNotFound, func(in *crm.CRM) error { return in.Pool.Release(ctx, wang, 1<<40, nil) }},
			{crm.ErrDenied, func(in *crm.CRM) error { return in.Customers.Delete(ctx, li, mine[0], 1) }},
			{crm.ErrInvalid, func(in *crm.CRM) error { return in.Customers.Create(ctx, li, &customer.Customer{}) }},
			{kernel.Stale, func(in *crm.CRM) error { return in.Customers.Update(ctx, li, stale) }},
			{kernel.Reused, func(in *crm.CRM) error {
				other := deal
				other.CustomerID = free[0]
				_, err := in.Customers.RecordDeal(ctx, boss, other)
				return err
			}},
			{kernel.Duplicate, func(in *crm.CRM) error {
				return in.Customers.Create(ctx, li, &customer.Customer{Name: "x", Code: "K"})
			}},
			{kernel.InFuture, func(in *crm.CRM) error {
				return in.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: mine[0], Type: customer.Call, Subject: "x", At: h.now().Add(day)})
			}},
			{crm.ErrConflict, func(in *crm.CRM) error { // the request of another content
				return in.Customers.Interactions.Add(ctx, as(li, "used"), &customer.Interaction{CustomerID: mine[0], Type: customer.Call, Subject: "y"})
			}},
			{customer.NoPlace, func(in *crm.CRM) error {
				return in.Customers.Create(ctx, li, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
			}},
			{kernel.NotAMember, func(in *crm.CRM) error { return in.Pool.Claim(ctx, crm.Actor{Tenant: "acme", User: "nobody"}, free[0]) }},
		} {
			x.refuseInside(t, refused.why, refused.call)
		}
		h.agree()
	})
}
