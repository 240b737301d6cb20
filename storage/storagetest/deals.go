package storagetest

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

func testDeals(t *testing.T, open Open) {
	amount := decimal.RequireFromString("1234.5678")
	t.Run("a deal wins the customer, frees its place and counts in its facts, once per number", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		d := customer.Deal{CustomerID: id, System: "erp", Number: "O-1", At: b.now().Add(-day), Amount: amount}
		for _, want := range []bool{true, false, false} {
			recorded, err := b.Customers.RecordDeal(t.Context(), li, d)
			require.NoError(t, err)
			require.Equal(t, want, recorded)
		}
		require.Equal(t, customer.Won, b.get(id).Stage)
		require.Zero(t, b.count("SELECT places FROM crm_counters WHERE user_id = 'li'"))
		facts, err := b.Customers.Facts(t.Context(), li, id)
		require.NoError(t, err)
		require.Equal(t, customer.Facts{CustomerID: id, Orders: 1, FirstOrderAt: d.At.UTC(), LastOrderAt: d.At.UTC()}, facts)
		d.Amount = decimal.Zero
		_, err = b.Customers.RecordDeal(t.Context(), li, d)
		requireError(t, err, crm.ErrConflict, kernel.Reused, "number")
		d.Number, d.At = "O-2", d.At.Add(-day)
		_, err = b.Customers.RecordDeal(t.Context(), li, d)
		require.NoError(t, err)
		facts, err = b.Customers.Facts(t.Context(), li, id)
		require.NoError(t, err)
		require.EqualValues(t, 2, facts.Orders)
		require.Equal(t, d.At.UTC(), facts.FirstOrderAt)
		require.Equal(t, d.At.Add(day).UTC(), facts.LastOrderAt)
		b.agree()
	})
	t.Run("a lost customer that buys is won again", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Customers.SetStage(t.Context(), li, id, customer.Lost, "silent"))
		_, err := b.Customers.RecordDeal(t.Context(), li, customer.Deal{CustomerID: id, Number: "1", At: b.now(), Amount: amount})
		require.NoError(t, err)
		require.Equal(t, []any{customer.Won, ""}, []any{b.get(id).Stage, b.get(id).LostReason})
		b.agree()
	})
	t.Run("what is no deal is refused, and foreign customers are not found", func(t *testing.T) {
		b := setup(t, open)
		id, foreign := b.create(1, "li")[0], b.create(1, "wang")[0]
		good := customer.Deal{CustomerID: id, Number: "1", At: b.now(), Amount: amount}
		for field, change := range map[string]func(d *customer.Deal){
			"number": func(d *customer.Deal) { d.Number = "" },
			"at":     func(d *customer.Deal) { d.At = b.now().Add(time.Microsecond) },
			"amount": func(d *customer.Deal) { d.Amount = decimal.NewFromInt(-1) },
		} {
			d := good
			change(&d)
			_, err := b.Customers.RecordDeal(t.Context(), li, d)
			require.ErrorIs(t, err, crm.ErrInvalid)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
		}
		good.CustomerID = foreign
		_, err := b.Customers.RecordDeal(t.Context(), li, good)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.Zero(t, b.count("SELECT count(*) FROM crm_orders"))
	})
	t.Run("the same number twice at once is one deal", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		d := customer.Deal{CustomerID: id, Number: "1", At: b.now(), Amount: amount}
		together(8, func(int) {
			if err := insist(func() error { _, err := b.Customers.RecordDeal(t.Context(), li, d); return err }); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_orders"))
		facts, err := b.Customers.Facts(t.Context(), li, id)
		require.NoError(t, err)
		require.EqualValues(t, 1, facts.Orders)
		b.agree()
	})
}
