package storagetest

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testTimeline(t *testing.T, open Open) {
	t.Run("tells interactions, steps of the ownership and orders, newest first", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(time.Hour)
		x := &customer.Interaction{CustomerID: id, Type: customer.Visit, Subject: "first visit", Staff: "wang", Followup: true}
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		b.wait(time.Hour)
		deal := customer.Deal{CustomerID: id, Number: "O-1", At: b.now(), Amount: decimal.RequireFromString("1234.5")}
		_, err := b.Customers.RecordDeal(t.Context(), li, deal)
		require.NoError(t, err)
		b.wait(time.Hour)
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))

		l, err := b.Customers.Timeline(t.Context(), boss, id, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Next)
		for i := range l.Items {
			require.Positive(t, l.Items[i].Ref.ID)
			require.Equal(t, time.UTC, l.Items[i].At.Location())
			require.Equal(t, l.Items[i].Ref.Kind == customer.OrderKind, l.Items[i].Amount.Valid)
			if l.Items[i].Amount.Valid {
				require.True(t, deal.Amount.Equal(l.Items[i].Amount.Decimal))
			}
			l.Items[i].Ref.ID, l.Items[i].Amount = 0, decimal.NullDecimal{}
		}
		ref := func(kind string) kernel.Ref { return kernel.Ref{Kind: kind} }
		require.Equal(t, []customer.Entry{
			{At: start.Add(3 * time.Hour), Ref: ref("operation"), By: "li", What: "release", From: "li"},
			{At: start.Add(2 * time.Hour), Ref: ref("order"), By: "li", What: "completed", Subject: "O-1"},
			{At: start.Add(time.Hour), Ref: ref("interaction"), By: "wang", What: "visit", Subject: "first visit"},
			{At: start, Ref: ref("operation"), By: kernel.SystemUser, What: "create", To: "li"},
		}, l.Items)
	})
	t.Run("pages of any size neither repeat nor skip among entries of one instant", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		id := b.create(1, "li")[0]
		for i := range 9 {
			if i == 5 {
				b.wait(time.Microsecond)
			}
			b.followUp(li, id, time.Time{})
			_, err := b.Customers.RecordDeal(t.Context(), li, customer.Deal{CustomerID: id, Number: string(rune('a' + i)), At: b.now(), Amount: decimal.Zero})
			require.NoError(t, err)
			if i%4 == 0 {
				require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
				require.NoError(t, b.Pool.Claim(t.Context(), li, id))
			}
		}
		whole, err := b.Customers.Timeline(t.Context(), li, id, crm.Page{Limit: 500})
		require.NoError(t, err)
		require.Len(t, whole.Items, 1+9+9+6)
		for i := 1; i < len(whole.Items); i++ {
			requireBefore(t, whole.Items[i-1], whole.Items[i])
		}
		for limit := 1; limit <= 25; limit++ {
			var got []customer.Entry
			for p := (crm.Page{Limit: limit}); ; {
				l, err := b.Customers.Timeline(t.Context(), li, id, p)
				require.NoError(t, err)
				got = append(got, l.Items...)
				if p.After = l.Next; p.After == "" {
					break
				}
				require.Len(t, l.Items, limit)
			}
			require.Equal(t, whole.Items, got, "pages of %d", limit)
		}
	})
	t.Run("what happens between two pages does not move the older entries, and what was deleted is gone", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		var all []*customer.Interaction
		for i := range 4 {
			all = append(all, b.followUp(li, id, start.Add(time.Duration(i+1)*time.Hour)))
		}
		first, err := b.Customers.Timeline(t.Context(), li, id, crm.Page{Limit: 2})
		require.NoError(t, err)
		b.followUp(li, id, time.Time{})
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, all[2].ID, 1)) // the one that the cursor stands on
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, all[1].ID, 1))
		rest, err := b.Customers.Timeline(t.Context(), li, id, crm.Page{After: first.Next})
		require.NoError(t, err)
		require.Len(t, rest.Items, 2)
		require.Equal(t, all[0].Ref(), rest.Items[0].Ref)
		require.Equal(t, "create", rest.Items[1].What)
	})
	t.Run("a cursor of another list, or a forged one, is refused", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for range 3 {
			b.followUp(li, id, time.Time{})
		}
		l, err := b.Customers.Interactions.List(t.Context(), li, id, crm.Page{Limit: 1})
		require.NoError(t, err)
		for _, after := range []string{l.Next, "dGltZWxpbmUvenp6enp6enp6enp6LzEvMQ"} { // timeline/zzzzzzzzzzzz/1/1
			_, err = b.Customers.Timeline(t.Context(), li, id, crm.Page{After: after})
			requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
		}
	})
	t.Run("each customer has its own", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.followUp(li, ids[0], time.Time{})
		l, err := b.Customers.Timeline(t.Context(), li, ids[1], crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		l, err = b.Customers.Timeline(t.Context(), li, ids[0], crm.Page{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, x.Ref(), l.Items[0].Ref) // of one instant, the interaction is the newest
	})
}

// requireBefore compares two entries in the order of the timeline.
func requireBefore(t *testing.T, newer, older customer.Entry) {
	t.Helper()
	switch {
	case !newer.At.Equal(older.At):
		require.True(t, newer.At.After(older.At))
	case newer.Rank() != older.Rank():
		require.Greater(t, newer.Rank(), older.Rank())
	default:
		require.Greater(t, newer.Ref.ID, older.Ref.ID)
	}
}
