package storagetest

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testRaces(t *testing.T, open Open) {
	t.Run("64 on one customer: one winner, all others refused as taken", func(t *testing.T) {
		b := setup(t, open)
		actors, id := b.members(64), b.create(1, "")[0]
		var won atomic.Int32
		together(64, func(i int) {
			err := insist(func() error { return b.Pool.Claim(t.Context(), actors[i], id) })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pool.Taken):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 1, b.operations(customer.Claimed))
		b.agree()
	})
	t.Run("20 claims at the edge of a cap, with nine of ten places in use: one", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = 10, 100 })
		b.create(9, "li")
		ids := b.create(20, "")
		var won atomic.Int32
		together(20, func(i int) {
			err := insist(func() error { return b.Pool.Claim(t.Context(), li, ids[i]) })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pool.CapReached):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		b.agree()
	})
	t.Run("claim, release and claim again by many at once never exceed the quota", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.DailyQuota = 15 })
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		ids := b.create(10, "")
		together(10, func(i int) {
			for range 4 {
				err := insist(func() error { return b.Pool.Claim(t.Context(), li, ids[i]) })
				if errors.Is(err, pool.QuotaUsed) {
					return
				}
				if err == nil {
					err = insist(func() error { return b.Pool.Release(t.Context(), li, ids[i], nil) })
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		require.Equal(t, 15, b.operations(customer.Claimed))
		require.Equal(t, 15, b.count("SELECT claims_used FROM crm_counters WHERE user_id = 'li'"))
		b.agree()
	})
	t.Run("32 claims of a member with five places, one by one and many at once: five", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 5 })
		ids := b.create(32, "")
		together(32, func(i int) {
			err := insist(func() (err error) {
				if i%2 == 0 {
					return b.Pool.Claim(t.Context(), li, ids[i])
				}
				_, err = b.Pool.ClaimMany(t.Context(), li, []customer.ID{ids[i], ids[i-1]}, pool.WhatCanBeHad)
				return err
			})
			if err != nil && !errors.Is(err, crm.ErrRefused) {
				t.Error(err)
			}
		})
		require.Equal(t, 5, b.count("SELECT places FROM crm_counters WHERE user_id = 'li'"))
		b.agree()
	})
	t.Run("16 want the same 20 at once, each in another order: one winner each, no deadlock", func(t *testing.T) {
		b := setup(t, open)
		actors, ids := b.members(16), b.create(20, "")
		var won atomic.Int32
		together(16, func(i int) {
			asked := slices.Concat(ids[i:], ids[:i])
			got, err := b.Pool.ClaimMany(t.Context(), actors[i], asked, pool.WhatCanBeHad)
			if err != nil {
				t.Error(err)
			}
			won.Add(int32(len(got.Claimed)))
		})
		require.EqualValues(t, 20, won.Load())
		require.Equal(t, 20, b.operations(customer.Claimed))
		b.agree()
	})
	t.Run("many of several owners are released beside claims, in any order, without a deadlock", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota = 10_000 })
		ids := append(b.create(20, "li"), b.create(20, "wang")...)
		together(8, func(i int) {
			asked := slices.Concat(ids[i*5:], ids[:i*5])
			if i%2 == 1 {
				slices.Reverse(asked)
			}
			for range 5 {
				var err error
				if i < 4 {
					_, err = b.Pool.ReleaseMany(t.Context(), admin, asked, pool.WhatCanBeHad, nil)
				} else {
					_, err = b.Pool.ClaimMany(t.Context(), []crm.Actor{li, wang}[i%2], asked[:20], pool.WhatCanBeHad)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		b.agree()
	})
	t.Run("creating with an owner and claiming at the edge of a cap: never above it", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 6 })
		ids := b.create(10, "")
		together(20, func(i int) {
			err := insist(func() error {
				if i%2 == 0 {
					return b.Pool.Claim(t.Context(), li, ids[i/2])
				}
				return b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
			})
			if err != nil && !errors.Is(err, crm.ErrRefused) {
				t.Error(err)
			}
		})
		require.Equal(t, 6, b.count("SELECT count(*) FROM crm_customers WHERE owner_id = 'li'"))
		b.agree()
	})
	t.Run("of many who update the version they read, one wins", func(t *testing.T) {
		b := setup(t, open)
		c := b.get(b.create(1, "li")[0])
		var won, stale atomic.Int32
		together(8, func(i int) {
			mine := *c
			mine.Name = string(rune('a' + i))
			err := insist(func() error { return b.Customers.Update(t.Context(), li, &mine) })
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, kernel.Stale):
				stale.Add(1)
			default:
				t.Error(err)
			}
		})
		require.Equal(t, []int32{1, 7}, []int32{won.Load(), stale.Load()})
		b.agree()
	})
	t.Run("of many who make the same code at once, one wins", func(t *testing.T) {
		b := setup(t, open)
		var won atomic.Int32
		together(8, func(int) {
			err := insist(func() error { return b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Code: "K"}) })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, crm.ErrConflict):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
	t.Run("stages, deletions and claims at once leave every place counted", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota = 1000 })
		ids := b.create(6, "li")
		together(6, func(i int) {
			for n := range 6 {
				id := ids[(i+n)%6]
				err := insist(func() error {
					switch n % 3 {
					case 0:
						return b.Customers.SetStage(t.Context(), boss, id, []customer.Stage{customer.Won, customer.Potential}[i%2], "")
					case 1:
						return b.Pool.Release(t.Context(), boss, id, nil)
					}
					return b.Pool.Claim(t.Context(), wang, id)
				})
				if err != nil && !errors.Is(err, crm.ErrRefused) {
					t.Error(err)
				}
			}
		})
		b.agree()
	})
}
