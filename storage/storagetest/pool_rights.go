package storagetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// poolCall is a use case and the permission that it needs.
type poolCall struct {
	needs team.Permission
	call  func() error
}

// poolCalls is every use case that changes pools or runs rules. All succeed for who may: none takes from another.
func (b *bundle) poolCalls(who crm.Actor) map[string]poolCall {
	b.t.Helper()
	ctx, pools := b.t.Context(), b.Pool.Pools
	east, empty := b.pool("east", 0), b.pool("empty", 0)
	full, into := b.pool("full", 0), b.pool("into", 0)
	b.at(full, 1, "")
	mine := b.create(1, who.User)
	saved := &pool.Rule{Name: "saved", Condition: "spend > 1", Action: pool.Keep}
	require.NoError(b.t, pools.PutRule(ctx, boss, saved))
	changed, err := pools.Get(ctx, boss, east)
	require.NoError(b.t, err)
	changed.Public = true
	policy, limit := pool.DefaultPolicy(), 1_000
	policy.Cap = 1_000
	return map[string]poolCall{
		"create":      {team.PoolManage, func() error { return pools.Create(ctx, who, &pool.Pool{Name: "mine", Public: true}) }},
		"update":      {team.PoolManage, func() error { return pools.Update(ctx, who, changed) }},
		"delete":      {team.PoolManage, func() error { return pools.Delete(ctx, who, empty, 0) }},
		"delete into": {team.PoolManage, func() error { return pools.Delete(ctx, who, full, into) }},
		"members":     {team.PoolManage, func() error { return pools.SetMembers(ctx, who, east, []pool.Member{{User: who.User, Admin: true}}) }},
		"policy":      {team.PoolManage, func() error { return pools.SetPolicy(ctx, who, policy) }},
		"limits":      {team.PoolManage, func() error { return pools.SetLimits(ctx, who, who.User, pool.Limits{Cap: &limit}) }},
		"reasons":     {team.PoolManage, func() error { return pools.SetReasons(ctx, who, []string{"x"}) }},
		"put rule": {team.PoolManage, func() error {
			return pools.PutRule(ctx, who, &pool.Rule{Name: "mine", Condition: "spend > 1", Action: pool.Keep})
		}},
		"delete rule":  {team.PoolManage, func() error { return pools.DeleteRule(ctx, who, saved.ID) }},
		"use defaults": {team.PoolManage, func() error { return b.Pool.UseDefaults(ctx, who, 0) }},
		"move": {team.PoolManage, func() error {
			_, err := b.Pool.MoveToPool(ctx, who, mine, into, pool.AllOrNothing, nil)
			return err
		}},
		"recycle": {team.PoolRecycle, func() error { _, err := b.Pool.Recycle(ctx, who, nil); return err }},
		"preview": {team.PoolRecycle, func() error { _, err := b.Pool.Preview(ctx, who, nil, crm.Page{}); return err }},
	}
}

func testPoolRights(t *testing.T, open Open) {
	for _, reach := range []team.Reach{team.ReachOwn, team.ReachDepartment, team.ReachTree, team.ReachRegions} {
		t.Run("a permission over pools and rules counts only from a role that reaches all, not from "+string(reach), func(t *testing.T) {
			l := setupLand(t, open)
			who := l.actor(team.Member{User: "x", Department: l.sales, Regions: []string{"31"}}, reach)
			calls := l.poolCalls(who)
			before := l.count("SELECT count(*) FROM crm_audit")
			for name, c := range calls {
				e := requireError(t, c.call(), crm.ErrDenied, "", string(c.needs))
				require.NotEmpty(t, e.Op, name)
			}
			require.Equal(t, before, l.count("SELECT count(*) FROM crm_audit"))
			l.agree()
		})
	}
	t.Run("from one that reaches all it counts, whatever other roles the member has", func(t *testing.T) {
		l := setupLand(t, open)
		who := l.actor(team.Member{User: "x", MoreRoles: []team.RoleName{team.Seller}}, team.ReachAll)
		for name, c := range l.poolCalls(who) {
			require.NoError(t, c.call(), name)
		}
		l.agree()
	})
	t.Run("who administers both pools moves between them, and releases there, with the shortest reach", func(t *testing.T) {
		l := setupLand(t, open)
		who := l.actor(team.Member{User: "x"}, team.ReachOwn)
		from := l.pool("from", 0, pool.Member{User: "x", Admin: true}, pool.Member{User: "li"})
		to := l.pool("to", 0, pool.Member{User: "x", Admin: true})
		ids := l.at(from, 1, "li")
		_, err := l.Pool.MoveToPool(t.Context(), who, ids, to, pool.AllOrNothing, nil)
		require.NoError(t, err)
		require.NoError(t, l.Pool.Release(t.Context(), who, ids[0], nil))
		mine := l.create(1, "x") // in the default pool, which it does not administer
		_, err = l.Pool.MoveToPool(t.Context(), who, mine, to, pool.AllOrNothing, nil)
		requireRefusal(t, err, pool.NotAdmin)
		l.agree()
	})
}
