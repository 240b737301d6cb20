package storagetest

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testSync(t *testing.T, open Open) {
	item := func(id, name string) *customer.Customer {
		return &customer.Customer{Name: name, ExternalSystem: "erp", ExternalID: id}
	}
	dids := func(outcomes []customer.Outcome) (all []customer.Did) {
		for _, o := range outcomes {
			all = append(all, o.Did)
		}
		return all
	}
	t.Run("the same customers again change nothing; what differs is written; new ones are made", func(t *testing.T) {
		b := setup(t, open)
		items := []*customer.Customer{item("1", "a"), item("2", "b"), item("3", "c")}
		first, err := b.Customers.Sync(t.Context(), boss, items, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasCreated, customer.WasCreated, customer.WasCreated}, dids(first))
		again, err := b.Customers.Sync(t.Context(), boss, items, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasUnchanged, customer.WasUnchanged, customer.WasUnchanged}, dids(again))
		require.Equal(t, first[1].ID, again[1].ID)
		items[1].Name, items[1].Level = "b2", customer.LevelA
		third, err := b.Customers.Sync(t.Context(), boss, append(items, item("4", "d")), nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasUnchanged, customer.WasUpdated, customer.WasUnchanged, customer.WasCreated}, dids(third))
		c := b.get(first[1].ID)
		require.Equal(t, "b2", c.Name)
		require.EqualValues(t, 2, c.Version)
		b.agree()
	})
	t.Run("a later sync writes what the item says, or what the mask names, never owner, pool, stage or clocks", func(t *testing.T) {
		b := setup(t, open)
		made := item("1", "a")
		made.Industry, made.Source, made.OwnerID, made.OwnedSince = "C35", "web", "li", b.now().Add(-9*day)
		made.FirstFollowupAt, made.LastFollowupAt, made.Stage = b.now().Add(-8*day), b.now().Add(-2*day), customer.Won
		out, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{made}, nil)
		require.NoError(t, err)
		c := b.get(out[0].ID)
		require.Equal(t, []any{kernel.UserID("li"), customer.Won, made.OwnedSince.UTC(), made.LastFollowupAt.UTC()}, []any{c.OwnerID, c.Stage, c.OwnedSince, c.LastFollowupAt})

		later := item("1", "a2")
		later.OwnerID, later.Stage, later.Level = "wang", customer.Lost, customer.LevelC
		_, err = b.Customers.Sync(t.Context(), boss, []*customer.Customer{later}, nil)
		require.NoError(t, err)
		c = b.get(c.ID)
		require.Equal(t, []any{"a2", "C35", customer.LevelC, kernel.UserID("li"), customer.Won}, []any{c.Name, c.Industry, c.Level, c.OwnerID, c.Stage})
		_, err = b.Customers.Sync(t.Context(), boss, []*customer.Customer{later}, &customer.SyncOptions{Fields: []customer.Field{"industry"}})
		require.NoError(t, err)
		require.Empty(t, b.get(c.ID).Industry, "the mask names it, so empty is meant")
		require.Equal(t, "web", b.get(c.ID).Source)
		_, err = b.Customers.Sync(t.Context(), boss, []*customer.Customer{later}, &customer.SyncOptions{Fields: []customer.Field{"owner_id"}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "fields")
		b.agree()
	})
	t.Run("a deleted match stays deleted and is reported; a new one with its key may be made by hand", func(t *testing.T) {
		b := setup(t, open)
		out, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{item("1", "a")}, nil)
		require.NoError(t, err)
		require.NoError(t, b.Customers.Delete(t.Context(), boss, out[0].ID, 1))
		again, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{item("1", "b")}, nil)
		require.NoError(t, err)
		require.Equal(t, customer.Outcome{ID: out[0].ID, Did: customer.WasDeleted}, again[0])
		require.NoError(t, b.Customers.Create(t.Context(), boss, item("1", "c")))
		third, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{item("1", "c2")}, nil)
		require.NoError(t, err)
		require.Equal(t, customer.WasUpdated, third[0].Did)
		require.NotEqual(t, out[0].ID, third[0].ID)
	})
	t.Run("an owner's cap refuses the item, or sends it to the pool", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		items := []*customer.Customer{item("1", "a"), item("2", "b"), item("3", "c"), item("4", "d")}
		for _, i := range items {
			i.OwnerID = "li"
		}
		items[0].Stage, items[3].OwnerID = customer.Won, "nobody"
		out, err := b.Customers.Sync(t.Context(), boss, items, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasCreated, customer.WasCreated, customer.WasRefused, customer.WasRefused}, dids(out))
		require.Equal(t, customer.NoPlace, out[2].Err.Reason)
		require.Equal(t, kernel.NotAMember, out[3].Err.Reason)
		b.agree()
		out, err = b.Customers.Sync(t.Context(), boss, items, &customer.SyncOptions{ToPool: true})
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasUnchanged, customer.WasUnchanged, customer.WasCreated, customer.WasCreated}, dids(out))
		require.Empty(t, b.owner(out[2].ID))
		b.agree()
	})
	t.Run("a taken code refuses its item only", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x", Code: "K"}))
		bad := item("1", "a")
		bad.Code = "K"
		out, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{bad, item("2", "b")}, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasRefused, customer.WasCreated}, dids(out))
		require.Equal(t, "code", out[0].Err.Field)
		late := item("2", "b")
		late.Code = "K"
		out, err = b.Customers.Sync(t.Context(), boss, []*customer.Customer{late}, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.Did{customer.WasRefused}, dids(out))
		b.agree()
	})
	t.Run("clocks that no life could have left are refused with their item", func(t *testing.T) {
		b := setup(t, open)
		now := b.now()
		for field, change := range map[string]func(c *customer.Customer){
			"owned_since":       func(c *customer.Customer) { c.OwnerID, c.OwnedSince = "li", now.Add(time.Microsecond) },
			"last_followup_at":  func(c *customer.Customer) { c.LastFollowupAt = now },
			"first_followup_at": func(c *customer.Customer) { c.OwnerID, c.OwnedSince, c.FirstFollowupAt = "li", now.Add(-day), now },
			"external_id":       func(c *customer.Customer) { c.ExternalID = "1" },
			"standing":          func(c *customer.Customer) { c.Standing = customer.Blacklisted },
			"external_system":   func(c *customer.Customer) { c.ExternalSystem = "shop" },
		} {
			bad := item("2", "b")
			change(bad)
			_, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{item("1", "a"), bad}, nil)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			i, _ := e.Item()
			require.Equal(t, []any{field, 1}, []any{e.Field, i})
		}
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers"))
	})
	t.Run("5,000 customers, twice, by two at once: each is there once", func(t *testing.T) {
		b := setup(t, open)
		items := make([]*customer.Customer, 5000)
		for i := range items {
			items[i] = item(strconv.Itoa(i), "customer "+strconv.Itoa(i))
		}
		var created [2]int
		together(2, func(i int) {
			mine := append([]*customer.Customer{}, items[i*2000:]...)
			mine = append(mine, items[:i*2000]...)
			var out []customer.Outcome
			err := insist(func() (err error) { out, err = b.Customers.Sync(t.Context(), boss, mine, nil); return err })
			if err != nil && !errors.Is(err, crm.ErrRetry) {
				t.Error(err)
			}
			for _, o := range out {
				if o.Did == customer.WasCreated {
					created[i]++
				}
			}
		})
		require.Equal(t, 5000, created[0]+created[1])
		require.Equal(t, 5000, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
}
