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
	"github.com/openseas/crm/team"
)

func testClaim(t *testing.T, open Open) {
	t.Run("it sets the owner and the clock, clears the others, and writes one line", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "hello", Followup: true}))
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		b.wait(40 * day)
		before := b.get(id)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
		c := b.get(id)
		require.EqualValues(t, "wang", c.OwnerID)
		require.Equal(t, b.now().UTC(), c.OwnedSince)
		require.True(t, c.PoolEnteredAt.IsZero() && c.FirstFollowupAt.IsZero() && c.LastFollowupAt.IsZero())
		require.Equal(t, before.Version+1, c.Version)
		log, err := b.Pool.Log(t.Context(), wang, customer.OperationFilter{Record: int64(id)}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, log.Items, 1, "of the rows before it, none is wang's")
		require.Equal(t, []any{customer.Claimed, kernel.UserID("wang"), kernel.UserID("wang"), b.now().UTC()},
			[]any{log.Items[0].Action, log.Items[0].Actor, log.Items[0].To, log.Items[0].At})
		b.agree()
	})
	t.Run("protection and cool-down end at their very instant", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		for _, id := range ids {
			require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		}
		b.wait(7*day - time.Microsecond)
		r := requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[0]), pool.Protected)
		b.wait(time.Microsecond)
		require.Equal(t, b.now().UTC(), r.Until)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, ids[0]))
		b.wait(23*day - time.Microsecond)
		r = requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[1]), pool.CoolDown)
		b.wait(time.Microsecond)
		require.Equal(t, b.now().UTC(), r.Until)
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[1]))
		b.agree()
	})
	t.Run("each reason is typed, and of several the first is told", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = 1, 1 })
		ids := b.create(3, "")
		claim := func(id customer.ID) error { return b.Pool.Claim(t.Context(), li, id) }
		require.NoError(t, claim(ids[0]))
		r := requireRefusal(t, claim(ids[1]), pool.CapReached)
		require.Equal(t, 1, r.Limit)
		require.NoError(t, b.Customers.SetStage(t.Context(), li, ids[0], customer.Won, ""))
		r = requireRefusal(t, claim(ids[1]), pool.QuotaUsed)
		require.Equal(t, []any{1, time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC)}, []any{r.Limit, r.Until}, "until midnight in Shanghai")
		b.settings(func(p *pool.Pool) { p.ClaimCondition = `level == "A"` })
		requireRefusal(t, claim(ids[1]), pool.Condition)
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, ids[2], "x"))
		requireRefusal(t, claim(ids[2]), pool.Blacklisted)
		requireRefusal(t, claim(ids[0]), pool.Taken)
		requireRefusal(t, claim(1<<40), pool.NotFound)
		b.agree()
	})
	t.Run("who took it is told to those who may see that customer only", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		require.NoError(t, b.Pool.Claim(t.Context(), li, id))
		require.Empty(t, requireRefusal(t, b.Pool.Claim(t.Context(), wang, id), pool.Taken).By)
		require.EqualValues(t, "li", requireRefusal(t, b.Pool.Claim(t.Context(), head, id), pool.Taken).By)
	})
	t.Run("a customer of a pool that the claimer does not belong to is not found", func(t *testing.T) {
		b := setup(t, open)
		other := b.pool("other", 0, pool.Member{User: "wang"})
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: other}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, c.ID), pool.NotFound)
		requireRefusal(t, b.Pool.Claim(t.Context(), admin, c.ID), pool.ForeignPool) // who sees everything learns more
		require.NoError(t, b.Pool.Claim(t.Context(), wang, c.ID))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, c.ID), pool.NotFound)
		requireRefusal(t, b.Pool.Claim(t.Context(), otherLi, c.ID), pool.NotFound)
		b.agree()
	})
	t.Run("membership goes by user, by department and by the departments below", func(t *testing.T) {
		b := setup(t, open)
		east, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "East", Parent: b.sales})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "zhao", Role: team.Seller, Department: east.ID}))
		id := b.pool("sales", 0, pool.Member{Department: b.sales})
		for _, who := range []crm.Actor{li, {Tenant: "acme", User: "zhao"}} {
			c := &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: id}}
			require.NoError(t, b.Customers.Create(t.Context(), boss, c))
			require.NoError(t, b.Pool.Claim(t.Context(), who, c.ID))
		}
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, id, []pool.Member{{Department: east.ID}}))
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: id}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, c.ID), pool.NotFound)
		b.agree()
	})
	t.Run("editing a customer in the pool does not restart its protection", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		b.wait(7 * day)
		c := b.get(id)
		c.Industry = "C35"
		require.NoError(t, b.Customers.Update(t.Context(), admin, c))
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
	})
	t.Run("a won customer needs no place but counts against the quota", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = 0, 2 })
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		ids := b.create(4, "")
		for _, id := range ids[:3] {
			_, err := b.Customers.RecordDeal(t.Context(), boss, customer.Deal{CustomerID: id, Number: decimal.NewFromInt(int64(id)).String(), At: b.now(), Amount: decimal.NewFromInt(1)})
			require.NoError(t, err)
		}
		requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[3]), pool.CapReached)
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]), "a released won customer can be claimed again")
		requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[1]), pool.QuotaUsed)
		b.agree()
	})
	t.Run("claim, release and claim again is two of the day's quota", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.DailyQuota = 1 })
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		id := b.create(1, "")[0]
		require.NoError(t, b.Pool.Claim(t.Context(), li, id))
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, id), pool.QuotaUsed)
		b.wait(24*time.Hour - 30*time.Minute - time.Microsecond) // the last microsecond of the day in Shanghai
		requireRefusal(t, b.Pool.Claim(t.Context(), li, id), pool.QuotaUsed)
		b.wait(time.Microsecond)
		require.NoError(t, b.Pool.Claim(t.Context(), li, id))
		b.agree()
	})
	t.Run("behind a claim of the next day a late one is to be tried again: the quota of a day does not begin twice", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.DailyQuota = 2 })
		ids := b.create(4, "")
		b.wait(midnight.Sub(start))
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]))
		b.wait(-time.Microsecond)
		late := li
		late.Request = "r1"
		require.ErrorIs(t, b.Pool.Claim(t.Context(), li, ids[1]), crm.ErrRetry)
		require.ErrorIs(t, b.Pool.Claim(t.Context(), late, ids[1]), crm.ErrRetry)
		_, err := b.Pool.ClaimMany(t.Context(), li, ids[1:3], pool.WhatCanBeHad)
		require.ErrorIs(t, err, crm.ErrRetry)
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[0]), pool.Taken)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, ids[3]), "who did not claim on the next day")
		b.wait(time.Microsecond)
		require.NoError(t, b.Pool.Claim(t.Context(), late, ids[1]))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[2]), pool.QuotaUsed)
		b.agree()
	})
	t.Run("so it is when it waits for the counter", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("one writer at a time")
		}
		ids, got := b.create(3, ""), make(chan error, 1)
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]))
		b.wait(midnight.Sub(start))
		tx := b.begin()
		require.NoError(t, b.In(tx).Pool.Claim(t.Context(), li, ids[1]))
		b.wait(-time.Microsecond)
		go func() { got <- b.Pool.Claim(t.Context(), li, ids[2]) }()
		b.waiting(1)
		require.NoError(t, tx.Commit())
		require.ErrorIs(t, <-got, crm.ErrRetry)
		b.wait(time.Microsecond)
		require.Equal(t, 1, b.count("SELECT claims_used FROM crm_counters WHERE user_id = 'li' AND kind = 'customer' AND claims_day = '2026-03-01'"))
		b.agree()
	})
	t.Run("a member's own limits go before the tenant's", func(t *testing.T) {
		b := setup(t, open)
		one, zero := 1, 0
		ids := b.create(4, "")
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), admin, "li", pool.Limits{Cap: &one}))
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), admin, "wang", pool.Limits{DailyQuota: &zero}))
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]))
		require.Equal(t, 1, requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[1]), pool.CapReached).Limit)
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[1]), pool.QuotaUsed)
		b.policy(func(p *pool.Policy) { p.Cap = 0 })
		requireRefusal(t, b.Pool.Claim(t.Context(), head, ids[1]), pool.CapReached)
		two := 2
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), admin, "head", pool.Limits{Cap: &two}))
		require.NoError(t, b.Pool.Claim(t.Context(), head, ids[1]), "an own cap above a tenant's of none")
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), admin, "li", pool.Limits{}))
		requireRefusal(t, b.Pool.Claim(t.Context(), li, ids[2]), pool.CapReached)
		require.ErrorIs(t, b.Pool.Pools.SetLimits(t.Context(), li, "li", pool.Limits{}), crm.ErrDenied)
		got, err := b.Pool.Counter(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, customer.Counter{User: "li", Places: 1, Cap: 0, DailyQuota: 20, ClaimsDay: "2026-02-28", ClaimsUsed: 1, OpenLimit: 100, OpensDay: "2026-02-28"}, got)
		b.agree()
	})
	t.Run("a claim condition decides by the facts of the customer", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) {
			p.ClaimCondition = `region in ["33", "31"] and not ("VIP" in tags) and spend < 1000`
		})
		in := &customer.Customer{Name: "x", Region: "330102"}
		out := &customer.Customer{Name: "x", Region: "440106"}
		unset := &customer.Customer{Name: "x"}
		rich := &customer.Customer{Name: "x", Region: "330102"}
		for _, c := range []*customer.Customer{in, out, unset, rich} {
			require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		}
		_, err := b.Customers.RecordDeal(t.Context(), boss, customer.Deal{CustomerID: rich.ID, Number: "1", At: b.now(), Amount: decimal.NewFromInt(1000)})
		require.NoError(t, err)
		for _, c := range []*customer.Customer{out, unset, rich} {
			requireRefusal(t, b.Pool.Claim(t.Context(), li, c.ID), pool.Condition)
		}
		require.NoError(t, b.Pool.Claim(t.Context(), li, in.ID))
		b.wait(366 * day)
		require.NoError(t, b.Pool.Claim(t.Context(), li, rich.ID), "the order has left the trailing year")
		b.agree()
	})
	t.Run("many: an outcome for each, places in the order asked", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 2 })
		ids := b.create(4, "")
		require.NoError(t, b.Pool.Claim(t.Context(), wang, ids[1]))
		asked := []customer.ID{ids[3], ids[1], 1 << 40, ids[2], ids[0], ids[3]}
		got, err := b.Pool.ClaimMany(t.Context(), li, asked, pool.AllOrNothing)
		requireRefusal(t, err, pool.Taken)
		var e *crm.Error
		require.ErrorAs(t, err, &e)
		i, ok := e.Item()
		require.True(t, ok)
		require.Equal(t, 1, i)
		require.Empty(t, got.Claimed)
		require.Len(t, got.Refused, 4, "every reason is listed")
		b.agree()
		got, err = b.Pool.ClaimMany(t.Context(), li, asked, pool.WhatCanBeHad)
		require.NoError(t, err)
		require.Equal(t, []customer.ID{ids[3], ids[2]}, got.Claimed)
		for i, want := range []kernel.Reason{pool.Taken, pool.NotFound, pool.CapReached, pool.Taken} {
			require.Equal(t, want, got.Refused[i].Why.Reason, i)
		}
		b.agree()
		got, err = b.Pool.ClaimMany(t.Context(), li, nil, pool.AllOrNothing)
		require.NoError(t, err)
		require.Empty(t, got)
	})
	t.Run("a batch of five with the third protected: all or nothing leaves none, what can be had four", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "")
		protected := b.create(1, "wang")[0]
		require.NoError(t, b.Pool.Release(t.Context(), wang, protected, nil))
		ids = append(append(ids, protected), b.create(2, "")...)
		_, err := b.Pool.ClaimMany(t.Context(), li, ids, pool.AllOrNothing)
		requireRefusal(t, err, pool.Protected)
		require.Zero(t, b.operations(customer.Claimed))
		got, err := b.Pool.ClaimMany(t.Context(), li, ids, pool.WhatCanBeHad)
		require.NoError(t, err)
		require.Len(t, got.Claimed, 4)
		require.Len(t, got.Refused, 1)
		b.agree()
	})
	t.Run("only an active member with the right claims, in any process at once", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "")
		require.ErrorIs(t, b.Pool.Claim(t.Context(), boss, ids[0]), crm.ErrDenied)
		require.ErrorIs(t, b.Pool.Claim(t.Context(), crm.Actor{Tenant: "acme", User: "stranger"}, ids[0]), crm.ErrDenied)
		require.ErrorIs(t, b.Pool.Claim(t.Context(), crm.Actor{Tenant: "nowhere", User: "li"}, ids[0]), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Claim(t.Context(), crm.Actor{User: "li"}, ids[0]), crm.ErrInvalid)
		other := b.open(func(o *crm.Options) { o.KeepRights = time.Minute })
		require.NoError(t, other.Pool.Claim(t.Context(), li, ids[0]))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "li"))
		require.Error(t, other.Pool.Claim(t.Context(), li, ids[1]), "its rights are still kept in the other process, the claim asks anew")
		require.Empty(t, b.owner(ids[1]))
	})
	t.Run("the same request twice claims once", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "")
		who := li
		who.Request = "r-1"
		require.NoError(t, b.Pool.Claim(t.Context(), who, ids[0]))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		require.NoError(t, b.Pool.Claim(t.Context(), who, ids[0]), "it answers as the first time")
		require.Empty(t, b.owner(ids[0]))
		requireError(t, b.Pool.Claim(t.Context(), who, ids[1]), crm.ErrConflict, kernel.Reused, "actor.request")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_operations WHERE request = 'r-1'"))
		b.agree()
	})
}
