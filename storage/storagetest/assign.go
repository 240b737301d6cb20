package storagetest

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// last is the newest line of the operation log about a customer.
func (b *bundle) last(id customer.ID) customer.Operation {
	b.t.Helper()
	log, err := b.Pool.Log(b.t.Context(), boss, customer.OperationFilter{Record: int64(id)}, crm.Page{Limit: 1})
	require.NoError(b.t, err)
	require.NotEmpty(b.t, log.Items)
	return log.Items[0]
}

func testAssign(t *testing.T, open Open) {
	t.Run("a transfer begins a new ownership: clocks empty, places moved, one line that says why", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		b.followup(li, id)
		before := b.get(id)
		b.wait(day)
		by := head
		by.Request = "r1"
		opts := &pool.AssignOptions{Reason: "region changed", Note: "li moves\nto Shanghai"}
		require.NoError(t, b.Pool.Assign(t.Context(), by, id, "wang", opts))
		require.NoError(t, b.Pool.Assign(t.Context(), by, id, "wang", opts), "the same request again changes nothing")
		require.ErrorIs(t, b.Pool.Assign(t.Context(), by, id, "li", opts), kernel.Reused)
		c := b.get(id)
		require.Equal(t, []any{kernel.UserID("wang"), b.now().UTC(), before.Version + 1}, []any{c.OwnerID, c.OwnedSince, c.Version})
		require.True(t, c.PoolEnteredAt.IsZero() && c.FirstFollowupAt.IsZero() && c.LastFollowupAt.IsZero())
		o := b.last(id)
		o.ID = 0
		require.Equal(t, customer.Operation{
			Kind: customer.Kind, RecordID: int64(id), Action: customer.Transferred, Actor: "head", From: "li", To: "wang", PoolID: c.PoolID,
			Reason: "region changed", Note: "li moves\nto Shanghai", Request: "r1", At: b.now().UTC(),
		}, o)
		require.Equal(t, []int{0, 1}, []int{b.places("li"), b.places("wang")})
		require.Equal(t, 1, b.operations(customer.Transferred))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.transferred'"))
		b.agree()
	})
	t.Run("an assignment asks neither protection nor cool-down nor quota, but blacklist, condition and cap", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.DailyQuota, p.Cap = 0, 2 })
		ids := b.create(4, "")
		mine := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Release(t.Context(), li, mine, nil))
		require.NoError(t, b.Pool.Assign(t.Context(), head, mine, "li", nil), "protected, and li was its last owner")
		require.Equal(t, customer.Assigned, b.last(mine).Action)
		require.True(t, b.get(mine).PoolEnteredAt.IsZero())
		require.Zero(t, b.count("SELECT claims_used FROM crm_counters WHERE user_id = 'li'"))
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, ids[0], "x"))
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[0], "li", nil), pool.Blacklisted)
		b.settings(func(p *pool.Pool) { p.ClaimCondition = `level == "A"` })
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[1], "li", nil), pool.Condition)
		b.settings(func(p *pool.Pool) { p.ClaimCondition = "" })
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[1], "li", nil))
		require.Equal(t, 2, requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[2], "li", nil), pool.CapReached).Limit)
		b.agree()
	})
	t.Run("blacklisted and won customers are transferred; a won one takes no place", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, ids[0], "x"))
		require.NoError(t, b.Customers.SetStage(t.Context(), li, ids[1], customer.Won, ""))
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[0], "wang", nil))
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[1], "wang", nil))
		require.Equal(t, []int{0, 1}, []int{b.places("li"), b.places("wang")})
		b.agree()
	})
	t.Run("who shall get it is an active member of its home pool, and not its owner", func(t *testing.T) {
		b := setup(t, open)
		own := b.pool("own", 9, pool.Member{User: "li"})
		ids := b.create(1, "li")
		require.Equal(t, own, b.get(ids[0]).PoolID)
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[0], "li", nil), pool.SameOwner)
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[0], "wang", nil), pool.NotPoolMember)
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[0], "nobody", nil), pool.NotPoolMember)
		requireRefusal(t, b.Pool.Assign(t.Context(), boss, ids[0], kernel.SystemUser, nil), pool.NotPoolMember)
		require.Zero(t, b.count("SELECT count(*) FROM crm_counters WHERE user_id IN ('nobody', '$system')"))
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, own, []pool.Member{{User: "li"}, {User: "wang"}}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		requireRefusal(t, b.Pool.Assign(t.Context(), head, ids[0], "wang", nil), pool.NotPoolMember)
		requireError(t, b.Pool.Assign(t.Context(), head, ids[0], "", nil), crm.ErrInvalid, kernel.Empty, "to")
		b.agree()
	})
	t.Run("an owned one by who may assign over its owner, one in the pool by the pool's members, both by an administrator", func(t *testing.T) {
		b := setup(t, open)
		lis, admins, free := b.create(2, "li"), b.create(1, "admin")[0], b.create(1, "")[0]
		require.ErrorIs(t, b.Pool.Assign(t.Context(), li, lis[0], "wang", nil), crm.ErrDenied)
		requireRefusal(t, b.Pool.Assign(t.Context(), head, admins, "li", nil), pool.NotFound)
		require.NoError(t, b.Pool.Assign(t.Context(), head, free, "wang", nil))
		assigner := crm.Actor{Tenant: "acme", User: "assigner"}
		_, err := b.Team.Roles.Put(t.Context(), boss, team.Role{Name: "assigner", Reach: team.ReachOwn, Permissions: []kernel.Permission{team.PoolAssign}})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "assigner", Role: "assigner", MoreRoles: []team.RoleName{team.Auditor}}))
		requireRefusal(t, b.Pool.Assign(t.Context(), assigner, lis[0], "wang", nil), pool.NotOwner)
		other := b.pool("other", 0, pool.Member{User: "wang"}, pool.Member{User: "li"})
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: other}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		requireRefusal(t, b.Pool.Assign(t.Context(), assigner, c.ID, "wang", nil), pool.ForeignPool)
		requireRefusal(t, b.Pool.Assign(t.Context(), head, c.ID, "wang", nil), pool.NotFound)
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, other, []pool.Member{{User: "wang"}, {User: "li"}, {User: "assigner", Admin: true}}))
		require.NoError(t, b.Pool.Assign(t.Context(), assigner, c.ID, "wang", nil))
		require.NoError(t, b.Pool.Assign(t.Context(), assigner, c.ID, "li", nil))
		requireRefusal(t, b.Pool.Assign(t.Context(), boss, 1<<40, "li", nil), pool.NotFound)
		_, err = b.Pool.AssignMany(t.Context(), otherBoss, []customer.ID{c.ID}, "li", pool.AllOrNothing, nil)
		requireRefusal(t, err, pool.NotFound)
		b.agree()
	})
	t.Run("above the cap only with the permission, and the log says which", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 2 })
		ids, over := b.create(2, "head"), &pool.AssignOptions{OverrideCap: true}
		ids = append(ids, b.create(1, "")...)
		err := b.Pool.Assign(t.Context(), head, ids[0], "wang", over)
		require.ErrorIs(t, err, crm.ErrDenied)
		got, err := b.Pool.AssignMany(t.Context(), admin, ids, "wang", pool.AllOrNothing, over)
		require.NoError(t, err)
		require.Equal(t, ids, got.Assigned)
		for i, want := range []bool{false, false, true} {
			require.Equal(t, want, b.last(ids[i]).OverCap, i)
		}
		require.Equal(t, 3, b.places("wang"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_audit WHERE after LIKE '%over_cap%'"))
		b.agree()
	})
	t.Run("many of several owners and of the pool, an outcome for each, places in the order asked", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 3 })
		lis, heads, free, foreign := b.create(2, "li"), b.create(1, "head")[0], b.create(2, ""), b.create(1, "admin")[0]
		asked := []customer.ID{free[1], foreign, lis[1], lis[1], heads, lis[0], free[0]}
		got, err := b.Pool.AssignMany(t.Context(), head, asked, "wang", pool.AllOrNothing, nil)
		requireRefusal(t, err, pool.NotFound)
		var e *crm.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, 1, e.Index)
		require.Len(t, got.Refused, 4)
		require.Zero(t, b.places("wang"))
		got, err = b.Pool.AssignMany(t.Context(), head, asked, "wang", pool.WhatCanBeHad, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.ID{free[1], lis[1], heads}, got.Assigned)
		for i, want := range []kernel.Reason{pool.NotFound, pool.SameOwner, pool.CapReached, pool.CapReached} {
			require.Equal(t, want, got.Refused[i].Why.Reason, i)
		}
		require.Equal(t, []int{1, 2}, []int{b.operations(customer.Assigned), b.operations(customer.Transferred)})
		got, err = b.Pool.AssignMany(t.Context(), head, nil, "wang", pool.WhatCanBeHad, nil)
		require.NoError(t, err)
		require.Empty(t, got)
		b.agree()
	})
	t.Run("over-long or hostile texts are refused", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for name, text := range badTexts {
			require.ErrorIs(t, b.Pool.Assign(t.Context(), head, id, "wang", &pool.AssignOptions{Reason: text}), crm.ErrInvalid, name)
			require.ErrorIs(t, b.Pool.Assign(t.Context(), head, id, kernel.UserID(text), nil), crm.ErrInvalid, name)
		}
		require.EqualValues(t, "li", b.owner(id))
	})
	t.Run("inside a host's transaction, and undone with it", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		tx := b.begin()
		require.NoError(t, b.In(tx).Pool.Assign(t.Context(), head, ids[0], "wang", nil))
		requireRefusal(t, b.In(tx).Pool.Assign(t.Context(), head, ids[0], "wang", nil), pool.SameOwner)
		require.NoError(t, tx.Rollback())
		require.EqualValues(t, "li", b.owner(ids[0]))
		tx = b.begin()
		require.NoError(t, b.In(tx).Pool.Assign(t.Context(), head, ids[1], "wang", nil))
		require.NoError(t, tx.Commit())
		require.EqualValues(t, "wang", b.owner(ids[1]))
		b.agree()
	})
}

func testAssignRaces(t *testing.T, open Open) {
	t.Run("transfers to and fro by 16, beside claims, releases and sweeps: no deadlock, and the counters agree", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota, p.Cap = 10_000, 45 })
		b.rule(pool.Rule{Condition: "followup_days > 1", Action: pool.Release})
		ids := append(b.create(30, "li"), b.create(30, "wang")...)
		b.wait(2 * day)
		together(19, func(i int) {
			for n := range 6 {
				part := append([]customer.ID{}, ids[(i*7+n*11)%40:][:20]...)
				if i%2 == 1 {
					for l, r := 0, len(part)-1; l < r; l, r = l+1, r-1 {
						part[l], part[r] = part[r], part[l]
					}
				}
				var err error
				switch {
				case i < 16:
					_, err = b.Pool.AssignMany(t.Context(), boss, part, []kernel.UserID{"li", "wang"}[(i+n)%2], pool.WhatCanBeHad, nil)
				case i == 16:
					_, err = b.Pool.ClaimMany(t.Context(), wang, part, pool.WhatCanBeHad)
				case i == 17:
					_, err = b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100, Batch: 7})
				default:
					err = b.Pool.Claim(t.Context(), li, part[n])
				}
				if err != nil && !errors.Is(err, crm.ErrRefused) {
					t.Error(err)
				}
			}
		})
		require.LessOrEqual(t, max(b.places("li"), b.places("wang")), 45)
		b.agree()
	})
	t.Run("assignments, transfers and claims at the edge of a cap: never above it", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 10 })
		b.create(7, "wang")
		lis, free := b.create(8, "li"), b.create(16, "")
		var won atomic.Int32
		together(24, func(i int) {
			err := insist(func() error {
				switch {
				case i < 8:
					return b.Pool.Assign(t.Context(), head, lis[i], "wang", nil)
				case i < 16:
					return b.Pool.Assign(t.Context(), head, free[i-8], "wang", nil)
				}
				return b.Pool.Claim(t.Context(), wang, free[i-8])
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pool.CapReached):
				t.Error(err)
			}
		})
		require.EqualValues(t, 3, won.Load())
		require.Equal(t, 10, b.places("wang"))
		b.agree()
	})
	t.Run("one customer given to many at once ends with the last, every change in the log", func(t *testing.T) {
		b := setup(t, open)
		actors, id := b.members(12), b.create(1, "li")[0]
		together(12, func(i int) {
			if err := insist(func() error { return b.Pool.Assign(t.Context(), boss, id, actors[i].User, nil) }); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, 12, b.operations(customer.Transferred))
		require.Equal(t, b.last(id).To, b.owner(id))
		b.agree()
	})
}

func (b *bundle) places(user kernel.UserID) int {
	b.t.Helper()
	return b.count("SELECT coalesce(max(places), 0) FROM crm_counters WHERE user_id = '" + string(user) + "'")
}
