package storagetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func testRelease(t *testing.T, open Open) {
	t.Run("by its owner: into its pool, with reason, note and one line", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		require.NoError(t, b.Pool.Release(t.Context(), li, id, &pool.ReleaseOptions{Reason: "no budget", Note: "asked again\nin May"}))
		c := b.get(id)
		require.Empty(t, c.OwnerID)
		require.True(t, c.OwnedSince.IsZero())
		require.Equal(t, []any{b.now().UTC(), kernel.UserID("li")}, []any{c.PoolEnteredAt, c.LastOwner})
		log, err := b.Pool.Log(t.Context(), boss, customer.OperationFilter{Record: int64(id), Actions: []customer.Action{customer.Released}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, log.Items, 1)
		require.Equal(t, []string{"no budget", "asked again\nin May"}, []string{log.Items[0].Reason, log.Items[0].Note})
		b.agree()
	})
	t.Run("of what is not owned, or not by me, is refused; of what I may not see, not found", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.ErrorIs(t, b.Pool.Release(t.Context(), wang, id, nil), crm.ErrNotFound)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "reader", Role: team.Seller, MoreRoles: []team.RoleName{team.Auditor}}))
		requireRefusal(t, b.Pool.Release(t.Context(), crm.Actor{Tenant: "acme", User: "reader"}, id, nil), pool.NotOwner)
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		requireRefusal(t, b.Pool.Release(t.Context(), li, id, nil), pool.NotOwned)
		require.ErrorIs(t, b.Pool.Release(t.Context(), otherLi, id, nil), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Release(t.Context(), li, 1<<40, nil), crm.ErrNotFound)
		require.Equal(t, 1, b.operations(customer.Released))
		b.agree()
	})
	t.Run("by a superior: the head of the department or of one above, or a named superior and theirs", func(t *testing.T) {
		b := setup(t, open)
		top, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "Top", Head: "chief"})
		require.NoError(t, err)
		sales, err := b.Team.Departments.List(t.Context(), boss, crm.Page{})
		require.NoError(t, err)
		below := *sales.Items[0]
		below.Parent = top.ID
		_, err = b.Team.Departments.Update(t.Context(), boss, below)
		require.NoError(t, err)
		_, err = b.Team.Members.AddMany(t.Context(), boss, []team.Member{
			{User: "chief", Role: team.Seller},
			{User: "mentor", Role: team.Seller, Superior: "grand"},
			{User: "grand", Role: team.Seller},
			{User: "zhao", Role: team.Seller, Superior: "mentor"},
		})
		require.NoError(t, err)
		for _, who := range []struct{ superior, owner kernel.UserID }{{"head", "li"}, {"chief", "li"}, {"mentor", "zhao"}, {"grand", "zhao"}} {
			id := b.create(1, who.owner)[0]
			require.NoError(t, b.Pool.Release(t.Context(), crm.Actor{Tenant: "acme", User: who.superior}, id, nil), who)
			require.Equal(t, who.owner, b.get(id).LastOwner)
		}
		require.Equal(t, 4, b.operations(customer.TakenOff))
		require.ErrorIs(t, b.Pool.Release(t.Context(), crm.Actor{Tenant: "acme", User: "mentor"}, b.create(1, "li")[0], nil), crm.ErrNotFound)
		b.agree()
	})
	t.Run("by an administrator of its home pool", func(t *testing.T) {
		b := setup(t, open)
		mine := b.pool("mine", 5, pool.Member{User: "li"}, pool.Member{User: "wang", Admin: true})
		id := b.create(1, "li")[0]
		require.Equal(t, mine, b.get(id).PoolID)
		require.NoError(t, b.Pool.Release(t.Context(), wang, id, nil))
		b.agree()
	})
	t.Run("to a pool that is named, which then is its home", func(t *testing.T) {
		b := setup(t, open)
		other := b.pool("other", 0, pool.Member{User: "wang"})
		id := b.create(1, "li")[0]
		requireError(t, b.Pool.Release(t.Context(), li, id, &pool.ReleaseOptions{To: 1 << 40}), crm.ErrInvalid, kernel.Unknown, "to")
		require.NoError(t, b.Pool.Release(t.Context(), li, id, &pool.ReleaseOptions{To: other}))
		require.Equal(t, other, b.get(id).PoolID)
		b.wait(7 * day)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
		b.agree()
	})
	t.Run("a won customer gives back no place", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		require.NoError(t, b.Customers.SetStage(t.Context(), li, ids[0], customer.Won, ""))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		require.Equal(t, 1, b.count("SELECT places FROM crm_counters WHERE user_id = 'li'"))
		b.agree()
	})
	t.Run("many of several owners, an outcome for each", func(t *testing.T) {
		b := setup(t, open)
		lis, wangs, foreign, free := b.create(2, "li"), b.create(2, "wang"), b.create(1, "admin")[0], b.create(1, "")[0]
		hers := b.create(1, "head")[0]
		asked := []customer.ID{wangs[1], lis[0], foreign, free, hers, lis[0], wangs[0], lis[1]}
		got, err := b.Pool.ReleaseMany(t.Context(), head, asked, pool.AllOrNothing, nil)
		requireRefusal(t, err, pool.NotFound)
		require.Len(t, got.Refused, 3)
		require.Empty(t, got.Released)
		require.Zero(t, b.operations(customer.TakenOff))
		got, err = b.Pool.ReleaseMany(t.Context(), head, asked, pool.WhatCanBeHad, nil)
		require.NoError(t, err)
		require.Equal(t, []customer.ID{wangs[1], lis[0], hers, wangs[0], lis[1]}, got.Released)
		for i, want := range []kernel.Reason{pool.NotFound, pool.NotOwned, pool.NotOwned} {
			require.Equal(t, want, got.Refused[i].Why.Reason)
		}
		require.Equal(t, []int{4, 1}, []int{b.operations(customer.TakenOff), b.operations(customer.Released)})
		b.agree()
	})
	t.Run("the system actor's reason stands in the log", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Release(t.Context(), crm.System("acme", "data cleaning"), id, nil))
		log, err := b.Pool.Log(t.Context(), boss, customer.OperationFilter{Record: int64(id)}, crm.Page{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, "data cleaning", log.Items[0].Reason)
		require.Equal(t, kernel.SystemUser, log.Items[0].Actor)
		require.NotEmpty(t, log.Next)
	})
	t.Run("over-long or hostile reasons are refused", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for name, text := range badTexts {
			require.ErrorIs(t, b.Pool.Release(t.Context(), li, id, &pool.ReleaseOptions{Reason: text}), crm.ErrInvalid, name)
		}
		require.EqualValues(t, "li", b.owner(id))
	})
}
