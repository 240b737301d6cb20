package storagetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// order is a report of two lines over 100.00, as of now.
func (b *bundle) order(of customer.ID, number string, sequence int64, status sales.OrderStatus) *sales.Order {
	return &sales.Order{
		System: "erp", Number: number, Sequence: sequence, CustomerID: of, Status: status, Total: dec("100"), OrderedAt: b.now().UTC().Add(-day),
		Lines: []sales.OrderLine{
			{Code: "P1", Name: "pump", Quantity: dec("2"), UnitPrice: dec("45"), Amount: dec("90")},
			{Code: "F", Name: "freight", Quantity: dec("1"), UnitPrice: dec("10"), Amount: dec("10")},
		},
	}
}

func (b *bundle) record(reports ...*sales.Order) []sales.OrderOutcome {
	b.t.Helper()
	out, err := b.Sales.Orders.Record(b.t.Context(), boss, reports...)
	require.NoError(b.t, err)
	require.Len(b.t, out, len(reports))
	return out
}

func (b *bundle) getOrder(id sales.OrderID) *sales.Order {
	b.t.Helper()
	x, err := b.Sales.Orders.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return x
}

func (b *bundle) factsOf(id customer.ID) customer.Facts {
	b.t.Helper()
	f, err := b.Customers.Facts(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return f
}

func testOrders(t *testing.T, open Open) {
	t.Run("reports of one order go by their sequence, and each is in the history", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		first := b.record(b.order(of, "1", 5, sales.OrderPlaced))[0]
		require.Equal(t, sales.OrderRecorded, first.Result)
		requireMoney(t, "100", first.LinesTotal)
		require.Empty(t, first.Warning)
		got := b.getOrder(first.ID)
		want := b.order(of, "1", 5, sales.OrderPlaced)
		requireSame(t, sales.Order{Lines: want.Lines}, sales.Order{Lines: got.Lines})
		require.Equal(t, []any{want.Number, want.OrderedAt, sales.OrderPlaced}, []any{got.Number, got.OrderedAt, got.Status})
		before := b.count("SELECT count(*) FROM crm_audit")
		require.Equal(t, sales.OrderUnchanged, b.record(b.order(of, "1", 5, sales.OrderPlaced))[0].Result)
		other := b.record(b.order(of, "1", 5, sales.OrderPaid))[0]
		require.Equal(t, sales.OrderRefused, other.Result)
		requireError(t, other.Err, crm.ErrConflict, kernel.Reused, "sequence")
		for range 2 {
			require.Contains(t, []sales.OrderResult{sales.OrderStale, sales.OrderUnchanged}, b.record(b.order(of, "1", 3, sales.OrderCancelled))[0].Result)
		}
		require.Equal(t, sales.OrderRefused, b.record(b.order(of, "1", 3, sales.OrderPaid))[0].Result, "a stale sequence is taken too")
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"), "none of them changed anything")
		require.Equal(t, customer.Potential, b.get(of).Stage)
		require.Equal(t, sales.OrderPlaced, b.getOrder(first.ID).Status)
		require.Equal(t, sales.OrderRecorded, b.record(b.order(of, "1", 6, sales.OrderPaid))[0].Result)
		require.Equal(t, customer.Won, b.get(of).Stage)
		l, err := b.Sales.Orders.History(t.Context(), li, first.ID, crm.Page{})
		require.NoError(t, err)
		var history []any
		for _, x := range l.Items {
			history = append(history, x.Sequence, x.Status, x.Stale)
		}
		require.Equal(t, []any{int64(3), sales.OrderCancelled, true, int64(5), sales.OrderPlaced, false, int64(6), sales.OrderPaid, false}, history)
		b.agree()
	})
	t.Run("paid, it wins its customer and frees its place; a new status is an interaction and no follow-up", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		clocks := b.get(of).Ownership
		require.Equal(t, 1, b.places("li"))
		out := b.record(b.order(of, "1", 1, sales.OrderPlaced))[0]
		require.Equal(t, 1, b.places("li"))
		require.Zero(t, b.factsOf(of).Interactions)
		paid := b.order(of, "1", 2, sales.OrderPaid)
		paid.ChangedAt = b.now().UTC().Add(-time.Hour)
		b.record(paid)
		require.Zero(t, b.places("li"))
		require.Equal(t, clocks, b.get(of).Ownership)
		l, err := b.Customers.Interactions.List(t.Context(), li, of, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		x := l.Items[0]
		require.Equal(t, []any{"order 1: paid", true, false, paid.ChangedAt}, []any{x.Subject, x.Automatic, x.Followup, x.At})
		require.Equal(t, x.At, b.factsOf(of).LastInteractionAt)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'order.changed'"))
		require.NoError(t, b.Customers.SetStage(t.Context(), li, of, customer.Lost, "silent"))
		b.record(b.order(of, "1", 3, sales.OrderShipped))
		require.Equal(t, customer.Lost, b.get(of).Stage, "it bought nothing new")
		b.record(b.order(of, "2", 1, sales.OrderCompleted))
		require.Equal(t, customer.Won, b.get(of).Stage)
		require.Equal(t, sales.OrderShipped, b.getOrder(out.ID).Status)
		b.agree()
	})
	t.Run("a cancelled order is no order of the facts, until it is one again", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		var at []time.Time
		for i := range 3 {
			x := b.order(of, strconv.Itoa(i), 1, sales.OrderPlaced)
			x.OrderedAt = b.now().UTC().Add(time.Duration(i-9) * day)
			at = append(at, x.OrderedAt)
			b.record(x)
		}
		report := func(i int, sequence int64, status sales.OrderStatus, when time.Time) {
			x := b.order(of, strconv.Itoa(i), sequence, status)
			x.OrderedAt = when
			b.record(x)
			b.agree()
		}
		facts := func(n int64, first, last time.Time) {
			t.Helper()
			f := b.factsOf(of)
			require.Equal(t, []any{n, first, last}, []any{f.Orders, f.FirstOrderAt, f.LastOrderAt})
		}
		facts(3, at[0], at[2])
		report(2, 2, sales.OrderCancelled, at[2])
		facts(2, at[0], at[1])
		report(0, 2, sales.OrderCancelled, at[0])
		facts(1, at[1], at[1])
		report(1, 2, sales.OrderPlaced, at[1].Add(-20*day))
		facts(1, at[1].Add(-20*day), at[1].Add(-20*day))
		report(1, 3, sales.OrderCancelled, at[1])
		facts(0, time.Time{}, time.Time{})
		report(2, 3, sales.OrderPaid, at[2])
		facts(1, at[2], at[2])
	})
	t.Run("spend is what is paid for in the trailing year, less refunds dated in it", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(3, "li")
		old, paid, placed, gone := b.order(ids[0], "old", 1, sales.OrderCompleted), b.order(ids[0], "paid", 1, sales.OrderPaid),
			b.order(ids[0], "placed", 1, sales.OrderPlaced), b.order(ids[0], "gone", 1, sales.OrderCancelled)
		old.OrderedAt = b.now().AddDate(-1, 0, -2)
		old.Refunds = []sales.OrderRefund{{At: b.now(), Amount: dec("30.0001")}, {At: old.OrderedAt, Amount: dec("5")}}
		gone.Refunds = []sales.OrderRefund{{At: b.now(), Amount: dec("100")}}
		only := b.order(ids[1], "only", 1, sales.OrderCompleted)
		only.OrderedAt, only.Refunds = old.OrderedAt, []sales.OrderRefund{{At: b.now(), Amount: dec("1")}}
		b.record(old, paid, placed, gone, only)
		got, err := b.Sales.Orders.Spend(t.Context(), li, ids[2], ids[0], ids[1])
		require.NoError(t, err)
		for i, want := range []string{"0", "69.9999", "-1"} {
			requireMoney(t, want, got[i].Net)
		}
		requireMoney(t, "30.0001", got[1].Refunds)
		requireSame(t, sales.Order{Refunds: old.Refunds}, sales.Order{Refunds: b.getOrder(b.record(old)[0].ID).Refunds})
		_, err = b.Sales.Orders.Spend(t.Context(), wang, ids...)
		require.ErrorIs(t, err, crm.ErrNotFound)
		b.agree()
	})
	t.Run("the host's words are mapped, its customer's key is found, and lines that differ are a warning", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) {
			o.Sales.OrderStatuses = map[string]sales.OrderStatus{"已付款": sales.OrderPaid}
		})
		_, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{{Name: "x", ExternalSystem: "erp", ExternalID: "K1"}}, nil)
		require.NoError(t, err)
		x := b.order(0, "1", 0, "已付款")
		x.CustomerKey, x.Total = "K1", dec("99.9999")
		out := b.record(x)[0]
		require.Equal(t, sales.LinesDiffer, out.Warning)
		requireMoney(t, "100", out.LinesTotal)
		got := b.getOrder(out.ID)
		requireMoney(t, "99.9999", got.Total)
		require.Equal(t, sales.OrderPaid, got.Status)
		x.Number, x.CustomerKey = "2", "K2"
		_, err = b.Sales.Orders.Record(t.Context(), boss, b.order(got.CustomerID, "3", 0, sales.OrderPaid), x)
		e := requireError(t, err, crm.ErrNotFound, "", "customer_key")
		require.Equal(t, 1, e.Index)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_orders"))
		b.agree()
	})
	testOrderRefusals(t, open)
	testOrderLists(t, open)
}

func testOrderRefusals(t *testing.T, open Open) {
	t.Run("what is no report refuses all, with its index; another tenant's customer is not found", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		for field, change := range map[string]func(x *sales.Order){
			"number": func(x *sales.Order) { x.Number = "" }, "status": func(x *sales.Order) { x.Status = "lost" },
			"total":        func(x *sales.Order) { x.Total = dec("-1") },
			"ordered_at":   func(x *sales.Order) { x.OrderedAt = b.now().Add(time.Hour) },
			"changed_at":   func(x *sales.Order) { x.ChangedAt = b.now().Add(time.Hour) },
			"sequence":     func(x *sales.Order) { x.Sequence = -1 },
			"customer_id":  func(x *sales.Order) { x.CustomerID = 0 },
			"customer_key": func(x *sales.Order) { x.CustomerKey = "both" },
			"system":       func(x *sales.Order) { x.System = "another" },
			"lines[1].amount": func(x *sales.Order) {
				x.Lines[1].Amount = dec("0.00001")
			},
			"refunds[0].amount": func(x *sales.Order) { x.Refunds = []sales.OrderRefund{{At: b.now()}} },
			"refunds[0].at":     func(x *sales.Order) { x.Refunds = []sales.OrderRefund{{Amount: dec("1")}} },
		} {
			x := b.order(of, "2", 1, sales.OrderPaid)
			change(x)
			_, err := b.Sales.Orders.Record(t.Context(), boss, b.order(of, "1", 1, sales.OrderPaid), x)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, []any{field, 1}, []any{e.Field, e.Index})
		}
		_, err := b.Sales.Orders.Record(t.Context(), boss, b.order(of, "1", 1, sales.OrderPaid), b.order(of, "1", 2, sales.OrderPaid))
		requireError(t, err, crm.ErrInvalid, kernel.Duplicate, "number")
		_, err = b.Sales.Orders.Record(t.Context(), otherBoss, b.order(of, "1", 1, sales.OrderPaid))
		requireError(t, err, crm.ErrNotFound, "", "customer_id")
		_, err = b.Sales.Orders.Record(t.Context(), li, b.order(of, "1", 1, sales.OrderPaid))
		require.ErrorIs(t, err, crm.ErrDenied)
		require.Zero(t, b.count("SELECT count(*) FROM crm_orders"))
	})
	t.Run("an order stays with its customer, and the rest of the call is done", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		b.record(b.order(ids[0], "1", 1, sales.OrderPaid))
		out := b.record(b.order(ids[1], "1", 2, sales.OrderPaid), b.order(ids[1], "2", 1, sales.OrderPaid))
		requireError(t, out[0].Err, crm.ErrRefused, kernel.ReadOnly, "customer_id")
		require.Equal(t, []sales.OrderResult{sales.OrderRefused, sales.OrderRecorded}, []sales.OrderResult{out[0].Result, out[1].Result})
		b.agree()
	})
	t.Run("one number from many at once is one order; the highest sequence stands", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(3, "li")
		together(8, func(i int) {
			numbers := []string{"1", "2", "3"}
			if i%2 == 0 {
				numbers = []string{"3", "2", "1"}
			}
			var reports []*sales.Order
			for n, number := range numbers {
				of := ids[0]
				if number == "2" {
					of = ids[1+i%2] // two customers about one number
				}
				if n == 0 {
					of = ids[0]
				}
				reports = append(reports, b.order(of, number, int64(i), sales.OrderPaid))
			}
			if err := insist(func() error { _, err := b.Sales.Orders.Record(t.Context(), boss, reports...); return err }); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_orders"))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_orders WHERE sequence = 7 AND number <> '2'"))
		require.Equal(t, 16, b.count("SELECT count(*) FROM crm_order_reports AS r JOIN crm_orders AS o ON o.id = r.order_id WHERE o.number <> '2'"))
		require.Equal(t, 6, b.count("SELECT count(*) FROM crm_order_lines"))
		b.agree()
	})
	t.Run("inside the host's transaction it happens with it, or not at all; a request is recorded once", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		for _, commit := range []bool{false, true} {
			tx := b.begin()
			_, err := b.In(tx).Sales.Orders.Record(t.Context(), boss, b.order(of, "1", 1, sales.OrderPaid))
			require.NoError(t, err)
			if commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
				require.Zero(t, b.count("SELECT count(*) FROM crm_orders"))
				require.Equal(t, customer.Potential, b.get(of).Stage)
			}
		}
		who := boss
		who.Request = "r1"
		var outs [2][]sales.OrderOutcome
		for i := range outs {
			var err error
			outs[i], err = b.Sales.Orders.Record(t.Context(), who, b.order(of, "1", 1, sales.OrderCompleted), b.order(of, "2", 1, sales.OrderPaid))
			require.NoError(t, err)
		}
		requireSame(t, map[string]any{"outcomes": outs[0]}, map[string]any{"outcomes": outs[1]})
		require.Equal(t, sales.OrderRecorded, outs[1][1].Result, "the first call's outcome, and not unchanged")
		b.agree()
	})
}

func testOrderLists(t *testing.T, open Open) {
	t.Run("lists go by time, page by page, within the scope", func(t *testing.T) {
		b := setup(t, open)
		mine, others := b.create(1, "li")[0], b.create(1, "wang")[0]
		var reports []*sales.Order
		for i := range 7 {
			x := b.order(mine, strconv.Itoa(i), 1, []sales.OrderStatus{sales.OrderPlaced, sales.OrderPaid}[i%2])
			x.OrderedAt = b.now().Add(time.Duration(-i/2) * day) // two at each instant
			reports = append(reports, x)
		}
		b.record(append(reports, b.order(others, "other", 1, sales.OrderPaid))...)
		list := func(f sales.OrderFilter) (numbers []string) {
			t.Helper()
			var last time.Time
			for p := (crm.Page{Limit: 2}); ; {
				l, err := b.Sales.Orders.List(t.Context(), li, f, p)
				require.NoError(t, err)
				for _, x := range l.Items {
					require.False(t, x.OrderedAt.Before(last))
					last = x.OrderedAt
					numbers = append(numbers, x.Number)
				}
				if l.Next == "" {
					return numbers
				}
				p.After = l.Next
			}
		}
		require.ElementsMatch(t, []string{"0", "1", "2", "3", "4", "5", "6"}, list(sales.OrderFilter{}))
		require.ElementsMatch(t, []string{"1", "3", "5"}, list(sales.OrderFilter{Customer: mine, Statuses: []sales.OrderStatus{sales.OrderPaid}}))
		require.ElementsMatch(t, []string{"2", "3"}, list(sales.OrderFilter{From: b.now().Add(-day), Until: b.now()}))
		require.Empty(t, list(sales.OrderFilter{Customer: others}))
	})
	t.Run("an order above the limit of its customer's level needs approval", func(t *testing.T) {
		b := setup(t, open)
		c := b.get(b.create(1, "li")[0])
		c.Level = customer.LevelB
		require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		for total, needed := range map[string]bool{"100000": false, "100000.0001": true} {
			got, err := b.Sales.Orders.Approval(t.Context(), li, c.ID, dec(total))
			require.NoError(t, err)
			require.Equal(t, needed, got.Needed, got.Why)
		}
		_, err := b.Sales.Orders.Approval(t.Context(), wang, c.ID, dec("1"))
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("what RecordDeal wrote is an order, which a report takes over", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		_, err := b.Customers.RecordDeal(t.Context(), li, customer.Deal{CustomerID: of, System: "erp", Number: "1", At: b.now(), Amount: dec("7")})
		require.NoError(t, err)
		out := b.record(b.order(of, "1", 0, sales.OrderCancelled))[0]
		require.Equal(t, sales.OrderRecorded, out.Result)
		require.Zero(t, b.factsOf(of).Orders)
		b.agree()
	})
}
