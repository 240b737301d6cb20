package storagetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func testAutoAssignNew(t *testing.T, open Open) {
	t.Run("a new customer without an owner has one after its creation: two lines of history, and the struct is as written", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		id := b.territory(pool.Territory{Name: "east", Regions: []string{"33"}, Members: []kernel.UserID{"wang", "head"}})
		c := &customer.Customer{Name: "x", Region: "330106"}
		require.NoError(t, b.Customers.Create(t.Context(), li, c), "li needs no right to assign: the pool says so")
		require.Equal(t, b.get(c.ID), c)
		require.Equal(t, []any{kernel.UserID("head"), b.now().UTC(), int64(2), int64(2)}, []any{c.OwnerID, c.OwnedSince, c.Version, c.Seq})
		o := b.last(c.ID)
		require.Equal(t, []any{customer.Assigned, kernel.UserID("li"), kernel.UserID("head"), int64(id), "territory east · region 33"},
			[]any{o.Action, o.Actor, o.To, o.RuleID, o.Rule})
		require.Equal(t, []string{"customer.created", "customer.assigned"}, b.types(c.Ref()))
		require.Equal(t, []int{0, 1}, []int{b.operations(customer.Created), b.places("head")})
		b.agree()
	})
	t.Run("it stays in the pool where no territory matches, nobody is free, or the claim condition does not hold", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		b.territory(pool.Territory{Regions: []string{"33"}, Members: only("wang")})
		for i, c := range []customer.Customer{{Region: "34"}, {Region: "33"}, {Region: "33"}} {
			require.Equal(t, i == 1, b.owner(b.lying(c)) == "wang", i)
		}
		b.policy(func(p *pool.Policy) { p.Cap = 9 })
		b.settings(func(p *pool.Pool) { p.ClaimCondition = `level == "B"` })
		require.Empty(t, b.owner(b.lying(customer.Customer{Region: "33"})))
		require.EqualValues(t, "wang", b.owner(b.lying(customer.Customer{Region: "33", Level: customer.LevelB})))
		b.settings(func(p *pool.Pool) { p.ClaimCondition = "" })
		b.territory(pool.Territory{VIP: true, Members: only("head")})
		require.EqualValues(t, "head", b.owner(b.lying(customer.Customer{Region: "33", Level: customer.LevelA})))
		b.agree()
	})
	t.Run("only in pools that say so, and never one that names its owner", func(t *testing.T) {
		b := setup(t, open)
		b.territory(pool.Territory{Members: only("wang")})
		require.Empty(t, b.owner(b.lying(customer.Customer{})))
		assignNew(t.Context(), t, b.CRM, true)
		other := b.pool("other", 0, pool.Member{User: "wang"})
		require.Empty(t, b.owner(b.at(other, 1, "")[0]))
		require.EqualValues(t, "li", b.owner(b.create(1, "li")[0]))
		require.EqualValues(t, "wang", b.owner(b.lying(customer.Customer{})))
		for id, want := range map[pool.ID]bool{0: true, other: false} {
			p, err := b.Pool.Pools.Get(t.Context(), boss, id)
			require.NoError(t, err)
			require.Equal(t, want, p.AssignNew)
		}
		b.agree()
	})
	t.Run("many at once, some with owners: each place is given once", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		b.policy(func(p *pool.Policy) { p.Cap = 3 })
		b.territory(pool.Territory{Members: []kernel.UserID{"li", "wang"}})
		cs := make([]*customer.Customer, 9)
		for i := range cs {
			cs[i] = &customer.Customer{Name: "x"}
		}
		cs[0].OwnerID, cs[8].OwnerID, cs[4].Code, cs[5].Code = "li", "li", "K", "K"
		got, err := b.Customers.CreateMany(t.Context(), boss, cs, kernel.WhatCanBeHad)
		require.NoError(t, err)
		require.Equal(t, []int{3, 3}, []int{b.places("li"), b.places("wang")})
		require.Equal(t, customer.WasRefused, got[5].Did)
		require.EqualValues(t, "li", b.owner(cs[8].ID), "who names its owner comes first")
		free := 0
		for i, c := range cs {
			if got[i].Err == nil {
				require.Equal(t, b.get(c.ID), c)
				if c.OwnerID == "" {
					free++
				}
			}
		}
		require.Equal(t, 2, free)
		b.agree()
	})
	t.Run("a first sync likewise, with those that fall back to the pool; a second changes nothing", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		b.policy(func(p *pool.Policy) { p.Cap = 2 })
		b.create(2, "li")
		b.territory(pool.Territory{Members: only("wang")})
		items := []*customer.Customer{
			{Name: "a", ExternalSystem: "erp", ExternalID: "1"},
			{Name: "b", ExternalSystem: "erp", ExternalID: "2", Ownership: customer.Ownership{OwnerID: "li"}},
			{Name: "c", ExternalSystem: "erp", ExternalID: "3", Ownership: customer.Ownership{OwnerID: "who left"}},
		}
		got, err := b.Customers.Sync(t.Context(), boss, items, &customer.SyncOptions{ToPool: true})
		require.NoError(t, err)
		require.Equal(t, []kernel.UserID{"wang", "wang", ""}, []kernel.UserID{b.owner(got[0].ID), b.owner(got[1].ID), b.owner(got[2].ID)})
		before := b.operations(customer.Assigned)
		got, err = b.Customers.Sync(t.Context(), boss, items, &customer.SyncOptions{ToPool: true})
		require.NoError(t, err)
		require.Equal(t, customer.WasUnchanged, got[0].Did)
		require.Equal(t, before, b.operations(customer.Assigned))
		b.agree()
	})
	t.Run("the same request again gives nothing to anybody, and a create that is undone takes no turn", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		b.territory(pool.Territory{Members: []kernel.UserID{"li", "wang"}})
		by := boss
		by.Request = "r1"
		first, again := customer.Customer{Name: "x"}, customer.Customer{Name: "x"}
		require.NoError(t, b.Customers.Create(t.Context(), by, &first))
		require.NoError(t, b.Customers.Create(t.Context(), by, &again))
		require.Equal(t, first, again)
		require.EqualValues(t, "li", again.OwnerID)
		tx := b.begin()
		undone := customer.Customer{Name: "x"}
		require.NoError(t, b.In(tx).Customers.Create(t.Context(), boss, &undone))
		require.EqualValues(t, "wang", undone.OwnerID)
		require.NoError(t, tx.Rollback())
		next := customer.Customer{Name: "x"}
		require.NoError(t, b.Customers.Create(t.Context(), boss, &next))
		require.EqualValues(t, "wang", next.OwnerID)
		b.agree()
	})
}

func testAutoAssignRaces(t *testing.T, open Open) {
	t.Run("200 new ones in bursts from two processes: shares differ by one item at most", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		processes := []*crm.CRM{b.CRM, b.open(nil)}
		d := b.department(team.Department{Name: "Team"})
		for i, a := range b.members(7) {
			m, err := b.Team.Members.Get(t.Context(), boss, a.User)
			require.NoError(t, err)
			m.Department = d
			_, err = b.Team.Members.Update(t.Context(), boss, *m)
			require.NoError(t, err)
			if i == 0 {
				ten := 10
				require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, a.User, pool.Limits{Cap: &ten}))
			}
		}
		b.territory(pool.Territory{Department: d})
		together(20, func(i int) {
			c := processes[i%2]
			for range 10 {
				if err := insist(func() error { return c.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x"}) }); err != nil {
					t.Error(err)
				}
			}
		})
		require.Equal(t, 200, b.operations(customer.Assigned))
		few, least, most := b.places("u00"), 1000, 0
		for _, user := range []kernel.UserID{"u01", "u02", "u03", "u04", "u05", "u06"} {
			least, most = min(least, b.places(user)), max(most, b.places(user))
		}
		require.LessOrEqual(t, most-least, 1)
		require.LessOrEqual(t, (few-1)*200, least*10, "without its last item no share is above another's")
		require.LessOrEqual(t, (most-1)*10, few*200)
		b.agree()
	})
	t.Run("the same pool in bursts of batches from two processes: nothing twice, shares differ by one item at most", func(t *testing.T) {
		b := setup(t, open)
		processes := []*crm.CRM{b.CRM, b.open(nil)}
		actors := b.members(5)
		x := pool.Territory{}
		for _, a := range actors {
			x.Members = append(x.Members, a.User)
		}
		b.territory(x)
		ids := b.create(203, "")
		together(4, func(i int) {
			var err error
			if i < 2 {
				_, err = processes[i].Pool.AutoAssignPool(t.Context(), boss, 0, &pool.AutoAssignOptions{Batch: 9 + i})
			} else {
				for n := 0; n < len(ids) && err == nil; n += 29 {
					err = insist(func() error {
						_, err := processes[i%2].Pool.AutoAssign(t.Context(), boss, ids[n:n+29])
						return err
					})
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, 203, b.operations(customer.Assigned))
		for _, a := range actors {
			require.Contains(t, []int{40, 41}, b.places(a.User))
		}
		b.agree()
	})
	t.Run("beside claims, assignments, releases and creates of the same members: never above a cap, and no deadlock", func(t *testing.T) {
		b := setup(t, open)
		assignNew(t.Context(), t, b.CRM, true)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown, p.AssignNew = 0, 0, true })
		b.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = 40, 10_000 })
		ids := b.create(80, "")
		b.create(6, "li")
		b.create(6, "wang")
		b.territory(pool.Territory{Members: []kernel.UserID{"wang", "li", "head"}})
		together(18, func(i int) {
			for n := range 8 {
				part := ids[(i*7+n*11)%70:][:10]
				var err error
				switch i % 6 {
				case 0, 1:
					_, err = b.Pool.AutoAssign(t.Context(), boss, part)
				case 2:
					_, err = b.Pool.ClaimMany(t.Context(), []crm.Actor{li, wang}[n%2], part, pool.WhatCanBeHad)
				case 3:
					_, err = b.Pool.AssignMany(t.Context(), boss, part, []kernel.UserID{"li", "wang", "head"}[n%3], pool.WhatCanBeHad, nil)
				case 4:
					_, err = b.Pool.ReleaseMany(t.Context(), boss, part, pool.WhatCanBeHad, nil)
				default:
					cs := []*customer.Customer{{Name: "a", Ownership: customer.Ownership{OwnerID: "wang"}}, {Name: "b"}} // wang comes last in the order of the locks
					_, err = b.Customers.CreateMany(t.Context(), boss, cs, kernel.WhatCanBeHad)
				}
				if err != nil && !errors.Is(err, crm.ErrRefused) {
					t.Error(err)
				}
			}
		})
		require.LessOrEqual(t, max(b.places("li"), b.places("wang"), b.places("head")), 40)
		b.agree()
	})
}
