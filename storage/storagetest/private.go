package storagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

type privateRow = pool.PrivateRow[customer.ID]

// privates walks the whole list with pages of a size.
func (b *bundle) privates(a crm.Actor, f pool.PrivateFilter, page int) (rows []privateRow) {
	b.t.Helper()
	for p := (crm.Page{Limit: page}); ; {
		l, err := b.Pool.Private(b.t.Context(), a, f, p)
		require.NoError(b.t, err)
		require.LessOrEqual(b.t, len(l.Items), page)
		rows = append(rows, l.Items...)
		if p.After = l.Next; l.Next == "" {
			return rows
		}
	}
}

func idsOf(rows []privateRow) (ids []customer.ID) {
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

// crowd is 5 customers of each of li, wang and head, owned an hour apart, in turns; the rule takes them after 10 days, and
// a run has noted the first nine of them.
func (b *bundle) crowd() (ids []customer.ID) {
	b.t.Helper()
	b.rule(pool.Rule{Name: "ten", Condition: "followup_days >= 10", Action: pool.Release})
	for i := range 15 {
		ids = append(ids, b.create(1, []kernel.UserID{"li", "wang", "head"}[i%3])[0])
		b.wait(time.Hour)
	}
	b.since(7*day + 8*time.Hour)
	require.Equal(b.t, 9, b.dueNow())
	return ids
}

func testPrivate(t *testing.T, open Open) {
	t.Run("first what is due, then the others, page by page, each with the days left", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		b.create(2, "")
		for _, page := range []int{1, 2, 4, 100} {
			require.Equal(t, ids, idsOf(b.privates(boss, pool.PrivateFilter{}, page)), page)
		}
		rows := b.privates(head, pool.PrivateFilter{}, 4)
		require.Equal(t, ids, idsOf(rows), "its own among them")
		first := rows[0]
		require.Equal(t, start.Add(10*day), first.Due.At)
		require.Equal(t, []any{"ten", 2, kernel.UserID("li"), "蓝鲸机械有限公司", customer.Potential, start, time.Time{}},
			[]any{first.Due.Name, first.DaysLeft, first.Owner, first.Name, first.Stage, first.OwnedSince, first.LastFollowupAt})
		require.Equal(t, start.Add(10*day+14*time.Hour), rows[14].Due.At, "told of all, also beyond the horizon")
		b.since(10 * day)
		require.Zero(t, b.privates(boss, pool.PrivateFilter{}, 9)[0].DaysLeft)
		b.since(10*day + micro)
		require.Equal(t, -1, b.privates(boss, pool.PrivateFilter{}, 9)[0].DaysLeft)
	})
	t.Run("a seller sees its own, a head its subordinates', and nobody what is of another tenant", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		require.Equal(t, []customer.ID{ids[0], ids[3], ids[6], ids[9], ids[12]}, idsOf(b.privates(li, pool.PrivateFilter{}, 2)))
		require.Empty(t, b.privates(li, pool.PrivateFilter{Subordinates: true}, 2))
		require.Empty(t, b.privates(li, pool.PrivateFilter{Owners: []kernel.UserID{"wang"}}, 2))
		subs := b.privates(head, pool.PrivateFilter{Subordinates: true}, 3)
		require.Len(t, subs, 10)
		require.False(t, slices.ContainsFunc(subs, func(r privateRow) bool { return r.Owner == "head" }))
		require.Empty(t, b.privates(otherBoss, pool.PrivateFilter{}, 3))
		require.Empty(t, b.privates(otherLi, pool.PrivateFilter{}, 3))
		l, err := b.Pool.DueList(t.Context(), li, pool.PrivateFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, []customer.ID{ids[0], ids[3], ids[6]}, idsOf(l.Items))
		l, err = b.Pool.DueList(t.Context(), otherBoss, pool.PrivateFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
		_, err = b.Pool.DueList(t.Context(), crm.Actor{Tenant: "acme", User: "stranger"}, pool.PrivateFilter{}, crm.Page{})
		require.ErrorIs(t, err, crm.ErrDenied)
	})
	t.Run("a role that reaches a region sees that region, whoever owns it", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		for _, id := range []customer.ID{ids[1], ids[13]} {
			c := b.get(id)
			c.Region = "330102"
			require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		}
		_, err := b.Team.Roles.Put(t.Context(), boss, team.Role{Name: "zhejiang", Reach: team.ReachRegions, Permissions: []kernel.Permission{team.CustomerRead}})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "region", Role: "zhejiang", Regions: []string{"33"}}))
		require.Equal(t, []customer.ID{ids[1], ids[13]}, idsOf(b.privates(crm.Actor{Tenant: "acme", User: "region"}, pool.PrivateFilter{}, 1)))
		require.Equal(t, []customer.ID{ids[1], ids[13]}, idsOf(b.privates(boss, pool.PrivateFilter{Regions: []string{"11", "3301"}}, 1)))
	})
	t.Run("filters narrow both parts", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		for i, id := range ids {
			c := b.get(id)
			c.Level = []customer.Level{"A", "B"}[i%2]
			require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		}
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, ids[4], customer.Won, ""))
		below, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "North", Parent: b.sales})
		require.NoError(t, err)
		m, err := b.Team.Members.Get(t.Context(), boss, "wang")
		require.NoError(t, err)
		m.Department = below.ID
		_, err = b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		own := b.pool("own", 0, pool.Member{User: "li"})
		_, err = b.Pool.MoveToPool(t.Context(), boss, ids[:1], own, pool.AllOrNothing, nil)
		require.NoError(t, err)
		at := func(f pool.PrivateFilter) []customer.ID { return idsOf(b.privates(boss, f, 2)) }
		every := func(from, step int) (some []customer.ID) {
			for i := from; i < 15; i += step {
				some = append(some, ids[i])
			}
			return some
		}
		require.Equal(t, every(1, 2), at(pool.PrivateFilter{Levels: []customer.Level{"B"}}))
		require.Equal(t, ids[4:5], at(pool.PrivateFilter{Stages: []customer.Stage{customer.Won, customer.Lost}}))
		require.Equal(t, every(1, 3), at(pool.PrivateFilter{Departments: []team.DepartmentID{below.ID}}))
		require.Len(t, at(pool.PrivateFilter{Departments: []team.DepartmentID{b.sales}}), 15)
		require.Equal(t, ids[:1], at(pool.PrivateFilter{Pools: []pool.ID{own}}))
		require.Equal(t, every(2, 3), at(pool.PrivateFilter{Owners: []kernel.UserID{"head"}}))
		require.Empty(t, at(pool.PrivateFilter{Owners: []kernel.UserID{"head"}, Departments: []team.DepartmentID{below.ID}}))
		require.Equal(t, ids[1:3], at(pool.PrivateFilter{DueBefore: start.Add(10*day + 3*time.Hour)}))
		require.ElementsMatch(t, ids[:3], at(pool.PrivateFilter{IdleSince: start.Add(3 * time.Hour)}))
		for _, bad := range []pool.PrivateFilter{{Regions: []string{""}}, {Regions: []string{"x"}}, {Owners: make([]kernel.UserID, 1001)}, {IdleSince: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
			_, err := b.Pool.Private(t.Context(), boss, bad, crm.Page{})
			require.ErrorIs(t, err, crm.ErrInvalid)
		}
		_, err = b.Pool.Private(t.Context(), boss, pool.PrivateFilter{}, crm.Page{After: "x"})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("what was followed up, transferred, locked or released since the run is not in its place", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		b.followup(li, ids[0])
		require.NoError(t, b.Pool.Assign(t.Context(), boss, ids[1], "li", nil))
		require.NoError(t, b.Pool.Lock(t.Context(), head, ids[2], time.Time{}, "x"))
		require.NoError(t, b.Pool.Release(t.Context(), boss, ids[3], nil))
		b.drop(ids[4])
		rows := b.privates(boss, pool.PrivateFilter{}, 4)
		require.Equal(t, slices.Concat(ids[5:9], ids[0:3], ids[9:]), idsOf(rows))
		byID := map[customer.ID]privateRow{}
		for _, r := range rows {
			byID[r.ID] = r
		}
		require.Equal(t, b.now().UTC().Add(10*day), byID[ids[0]].Due.At)
		require.Equal(t, []any{b.now().UTC(), crm.UserID("li")}, []any{byID[ids[0]].LastFollowupAt, byID[ids[1]].Owner})
		require.False(t, byID[ids[2]].LockUntil.IsZero())
		l, err := b.Pool.DueList(t.Context(), boss, pool.PrivateFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, ids[5:9], idsOf(l.Items))
		require.Equal(t, 4, b.dueNow())
		require.Equal(t, 4, b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL"))
		require.Equal(t, 6, b.count("SELECT count(*) FROM crm_due"), "what its owner was told is kept as long as the ownership")
	})
	t.Run("a rule that changes: what is not due any more is in no due list, before and after the next run", func(t *testing.T) {
		b := setup(t, open)
		ids := b.crowd()
		b.rule(pool.Rule{Name: "keep", Condition: `followup_days >= 0`, Action: pool.Keep, Priority: 9})
		for range 2 {
			l, err := b.Pool.DueList(t.Context(), boss, pool.PrivateFilter{}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, l.Items)
			rows := b.privates(boss, pool.PrivateFilter{}, 4)
			require.ElementsMatch(t, ids, idsOf(rows))
			require.Nil(t, rows[0].Due)
			b.warn(nil)
			require.Zero(t, b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL"))
		}
	})
	t.Run("of many owners, each by an arm or all in one walk, the order is the same", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		var members []team.Member
		var owners []kernel.UserID
		for i := range 130 {
			user := kernel.UserID("m" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
			owners, members = append(owners, user), append(members, team.Member{User: user, Role: team.Seller, Department: b.sales})
		}
		_, err := b.Team.Members.AddMany(t.Context(), boss, members)
		require.NoError(t, err)
		var ids []customer.ID
		for i := range 130 {
			ids = append(ids, b.create(1, owners[i*7%130])[0])
			b.wait(time.Minute)
		}
		b.since(7*day + time.Hour)
		b.warn(nil)
		require.Equal(t, ids, idsOf(b.privates(head, pool.PrivateFilter{Subordinates: true}, 30)))
		var mine []customer.ID
		for i := range 130 {
			if slices.Contains(owners[:100], owners[i*7%130]) {
				mine = append(mine, ids[i])
			}
		}
		require.Equal(t, mine, idsOf(b.privates(head, pool.PrivateFilter{Owners: owners[:100]}, 30)))
	})
}

func (b *bundle) drop(id customer.ID) {
	b.t.Helper()
	require.NoError(b.t, b.Customers.Delete(b.t.Context(), boss, id, b.get(id).Version))
}
