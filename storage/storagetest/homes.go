package storagetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// at makes customers in a pool, or of an owner with this home.
func (b *bundle) at(home customer.PoolID, n int, owner kernel.UserID) (ids []customer.ID) {
	b.t.Helper()
	cs := make([]*customer.Customer, n)
	for i := range cs {
		cs[i] = &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: owner, PoolID: home}}
	}
	_, err := b.Customers.CreateMany(b.t.Context(), boss, cs, kernel.AllOrNothing)
	require.NoError(b.t, err)
	for _, c := range cs {
		ids = append(ids, c.ID)
	}
	return ids
}

func testMoves(t *testing.T, open Open) {
	t.Run("owned or not, it only changes its home: protection, owner and clocks go on", func(t *testing.T) {
		b := setup(t, open)
		east := b.pool("east", 0, pool.Member{User: "wang"}, pool.Member{User: "li"})
		ids := b.create(2, "li")
		b.followup(li, ids[1])
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		b.wait(3 * day)
		before := []*customer.Customer{b.get(ids[0]), b.get(ids[1])}
		got, err := b.Pool.MoveToPool(t.Context(), admin, ids, east, pool.AllOrNothing, &pool.MoveOptions{Reason: "new region", Note: "n"})
		require.NoError(t, err)
		require.Equal(t, ids, got.Moved)
		for i, was := range before {
			want := was.Ownership
			want.PoolID = east
			c := b.get(ids[i])
			require.Equal(t, want, c.Ownership)
			require.Equal(t, was.Version+1, c.Version)
			o := b.last(ids[i])
			require.Equal(t, []any{customer.Moved, was.OwnerID, was.OwnerID, east, "new region", "n"}, []any{o.Action, o.From, o.To, o.PoolID, o.Reason, o.Note})
		}
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.moved'"))
		b.wait(4*day - time.Microsecond)
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[0]), pool.Protected)
		b.wait(time.Microsecond)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, ids[0]))
		b.agree()
	})
	t.Run("by who manages pools, or administers both; else refused or not found", func(t *testing.T) {
		b := setup(t, open)
		west := b.pool("west", 0, pool.Member{User: "li", Admin: true}, pool.Member{User: "wang"})
		east := b.pool("east", 0, pool.Member{User: "li", Admin: true})
		id, foreign := b.at(west, 1, "")[0], b.create(1, "")[0]
		move := func(a crm.Actor, id customer.ID, to pool.ID) error {
			_, err := b.Pool.MoveToPool(t.Context(), a, []customer.ID{id}, to, pool.AllOrNothing, nil)
			return err
		}
		requireError(t, move(wang, id, east), crm.ErrDenied, "", "pool.manage")
		requireError(t, move(li, id, 0), crm.ErrDenied, "", "pool.manage")
		require.NoError(t, move(li, id, east))
		requireRefusal(t, move(li, id, east), pool.SamePool)
		requireRefusal(t, move(li, foreign, east), pool.NotAdmin)
		requireRefusal(t, move(li, b.create(1, "admin")[0], east), pool.NotFound)
		requireRefusal(t, move(otherBoss, id, 0), pool.NotFound)
		requireError(t, move(otherBoss, id, east), crm.ErrInvalid, kernel.Unknown, "to")
		requireError(t, move(boss, id, 1<<40), crm.ErrInvalid, kernel.Unknown, "to")
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "li"))
		require.ErrorIs(t, move(li, id, west), crm.ErrDenied)
		require.NoError(t, move(boss, id, 0))
		require.Equal(t, 2, b.operations(customer.Moved))
		b.agree()
	})
	t.Run("many, an outcome for each, and once per request", func(t *testing.T) {
		b := setup(t, open)
		east := b.pool("east", 0)
		ids, there := b.create(3, "li"), b.at(east, 1, "")[0]
		by := admin
		by.Request = "m"
		asked := []customer.ID{ids[2], there, ids[0], ids[0], 1 << 40}
		_, err := b.Pool.MoveToPool(t.Context(), by, asked, east, pool.AllOrNothing, nil)
		requireRefusal(t, err, pool.SamePool)
		for range 2 {
			got, err := b.Pool.MoveToPool(t.Context(), by, asked, east, pool.WhatCanBeHad, nil)
			require.NoError(t, err)
			require.Equal(t, []customer.ID{ids[2], ids[0]}, got.Moved)
			require.Len(t, got.Refused, 3)
		}
		require.Equal(t, 2, b.operations(customer.Moved))
		b.agree()
	})
	t.Run("an empty pool is deleted with its members and rules; the default one never", func(t *testing.T) {
		b := setup(t, open)
		east := b.pool("east", 0, pool.Member{User: "li"})
		p, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, p.ID, 0), crm.ErrRefused, pool.DefaultPool, "id")
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, p.ID, east), crm.ErrRefused, pool.DefaultPool, "id")
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, 0, east), crm.ErrRefused, pool.DefaultPool, "id")
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, east, east), crm.ErrInvalid, kernel.Malformed, "into")
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, east, 1<<40), crm.ErrInvalid, kernel.Unknown, "into")
		require.ErrorIs(t, b.Pool.Pools.Delete(t.Context(), boss, 1<<40, 0), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Pools.Delete(t.Context(), otherBoss, east, 0), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Pools.Delete(t.Context(), li, east, 0), crm.ErrDenied)
		require.ErrorIs(t, b.Pool.Pools.Delete(t.Context(), li, east, p.ID), crm.ErrDenied)
		tx := b.begin()
		require.NoError(t, b.In(tx).Pool.Pools.Delete(t.Context(), boss, east, 0))
		require.NoError(t, tx.Commit())
		_, err = b.Pool.Pools.Get(t.Context(), boss, east)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.Zero(t, b.count("SELECT count(*) FROM crm_pool_members"))
		require.Equal(t, 2*len(pool.DefaultRules()), b.count("SELECT count(*) FROM crm_pool_rules r JOIN crm_pools p ON p.tenant_id = r.tenant_id AND p.id = r.pool_id WHERE p.kind = 'customer'"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_audit WHERE type = 'pool.deleted'"))
		b.agree()
	})
	t.Run("a pool that is a home is deleted only with the pool that takes its customers, deleted ones silently", func(t *testing.T) {
		b := setup(t, open)
		east, west := b.pool("east", 0, pool.Member{User: "li"}), b.pool("west", 0, pool.Member{User: "wang"})
		ids := append(b.at(east, 2, ""), b.at(east, 3, "li")...)
		gone := b.at(east, 1, "li")[0]
		require.NoError(t, b.Customers.Delete(t.Context(), boss, gone, 1))
		requireError(t, b.Pool.Pools.Delete(t.Context(), boss, east, 0), crm.ErrRefused, kernel.InUse, "id")
		tx := b.begin()
		requireError(t, b.In(tx).Pool.Pools.Delete(t.Context(), boss, east, west), crm.ErrInvalid, kernel.OwnCommits, "")
		require.NoError(t, tx.Rollback())
		require.NoError(t, b.Pool.Pools.Delete(t.Context(), admin, east, west))
		for i, id := range ids {
			c := b.get(id)
			require.Equal(t, []any{west, []kernel.UserID{"", "", "li", "li", "li"}[i]}, []any{c.PoolID, c.OwnerID})
			o := b.last(id)
			require.Equal(t, []any{customer.Moved, "pool deleted", "east"}, []any{o.Action, o.Reason, o.Note})
		}
		c, err := b.Customers.Restore(t.Context(), boss, gone)
		require.NoError(t, err)
		require.Equal(t, []any{west, kernel.UserID("li")}, []any{c.PoolID, c.OwnerID})
		require.Equal(t, 5, b.operations(customer.Moved))
		b.agree()
	})
	t.Run("deleted customers alone do not make it a home: they go to the default pool", func(t *testing.T) {
		b := setup(t, open)
		east := b.pool("east", 0)
		id := b.at(east, 1, "")[0]
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, 1))
		require.NoError(t, b.Pool.Pools.Delete(t.Context(), boss, east, 0))
		c, err := b.Customers.Restore(t.Context(), boss, id)
		require.NoError(t, err)
		p, err := b.Pool.Pools.Get(t.Context(), boss, c.PoolID)
		require.NoError(t, err)
		require.True(t, p.IsDefault)
		b.agree()
	})
	t.Run("cancelled in the middle, everything has a home; called again it goes to the end", func(t *testing.T) {
		b := setup(t, open)
		east, west := b.pool("east", 0), b.pool("west", 0)
		for range 3 {
			b.at(east, 700, "")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var batches atomic.Int32
		c := b.open(func(o *crm.Options) { // the clock is read once per unit of work
			o.Clock = func() time.Time {
				if batches.Add(1) == 4 {
					cancel()
				}
				return b.now()
			}
		})
		require.Error(t, c.Pool.Pools.Delete(ctx, boss, east, west))
		moved := b.operations(customer.Moved)
		require.Positive(t, moved)
		require.Less(t, moved, 2_100)
		b.agree()
		require.NoError(t, b.Pool.Pools.Delete(t.Context(), boss, east, west))
		require.Equal(t, 2_100, b.operations(customer.Moved))
		require.Equal(t, 2_100, b.count("SELECT count(*) FROM crm_customers WHERE pool_id = $1", int64(west)))
		b.agree()
	})
	t.Run("beside claims, releases into it and new customers, nothing is lost", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota, p.Cap = 10_000, 10_000 })
		east, west := b.pool("east", 0, pool.Member{User: "li"}), b.pool("west", 0, pool.Member{User: "li"})
		ids := append(b.at(east, 100, ""), b.at(east, 50, "li")...)
		var deleted atomic.Bool
		together(8, func(i int) {
			if i == 0 {
				if err := insist(func() error { return b.Pool.Pools.Delete(t.Context(), boss, east, west) }); err != nil {
					t.Error(err)
				}
				deleted.Store(true)
				return
			}
			for n := range 10 {
				id := ids[(i*31+n*7)%150]
				err := insist(func() error {
					switch i % 4 {
					case 0:
						return b.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: east}})
					case 1:
						return b.Pool.Claim(t.Context(), li, id)
					case 2:
						_, err := b.Pool.MoveToPool(t.Context(), boss, []customer.ID{id}, east, pool.AllOrNothing, nil)
						return err
					}
					return b.Pool.Release(t.Context(), li, id, &pool.ReleaseOptions{To: east})
				})
				switch {
				case err == nil, errors.Is(err, crm.ErrRefused), errors.Is(err, kernel.Unknown), errors.Is(err, crm.ErrRetry):
				default:
					t.Error(err)
				}
			}
		})
		require.True(t, deleted.Load())
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers WHERE pool_id = $1", int64(east)))
		b.agree()
	})
}
