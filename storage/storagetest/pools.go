package storagetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func testPools(t *testing.T, open Open) {
	t.Run("a tenant begins with one default public pool and the built-in rules switched off", func(t *testing.T) {
		b := setup(t, open)
		l, err := b.Pool.Pools.List(t.Context(), li, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		p := l.Items[0]
		require.True(t, p.IsDefault && p.Public)
		require.Equal(t, pool.DefaultSettings(), p.Settings)
		rules, err := b.Pool.Pools.Rules(t.Context(), li, 0)
		require.NoError(t, err)
		require.Len(t, rules, len(pool.DefaultRules()))
		for i, r := range rules {
			require.False(t, r.Enabled)
			require.True(t, r.BuiltIn)
			require.Equal(t, pool.DefaultRules()[i].Condition, r.Condition, "in the order in which they win")
		}
		require.NoError(t, b.Pool.UseDefaults(t.Context(), admin, 0))
		require.NoError(t, b.Pool.UseDefaults(t.Context(), admin, 0), "twice is once")
		rules, err = b.Pool.Pools.Rules(t.Context(), li, p.ID)
		require.NoError(t, err)
		for _, r := range rules {
			require.True(t, r.Enabled)
			require.EqualValues(t, 2, r.Version)
		}
		policy, err := b.Pool.Pools.Policy(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, pool.DefaultPolicy(), policy)
	})
	t.Run("settings, members and policies that contradict themselves are refused", func(t *testing.T) {
		b := setup(t, open)
		for field, change := range map[string]func(p *pool.Pool){
			"name":            func(p *pool.Pool) { p.Name = "" },
			"protection":      func(p *pool.Pool) { p.Protection = -1 },
			"cool_down":       func(p *pool.Pool) { p.CoolDown = 3650*day + time.Microsecond },
			"priority":        func(p *pool.Pool) { p.Priority = 1 << 40 },
			"claim_condition": func(p *pool.Pool) { p.ClaimCondition = "level = A" },
		} {
			p := &pool.Pool{Name: "x", Settings: pool.DefaultSettings()}
			change(p)
			err := b.Pool.Pools.Create(t.Context(), boss, p)
			require.ErrorIs(t, err, crm.ErrInvalid)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
		}
		id := b.pool("x", 0)
		for _, bad := range [][]pool.Member{{{}}, {{User: "li", Department: 1}}, {{User: "li"}, {User: "li", Admin: true}}, {{User: "a\x00"}}} {
			require.ErrorIs(t, b.Pool.Pools.SetMembers(t.Context(), boss, id, bad), crm.ErrInvalid)
		}
		require.ErrorIs(t, b.Pool.Pools.SetPolicy(t.Context(), boss, pool.Policy{Cap: -1}), crm.ErrInvalid)
		requireError(t, b.Pool.Pools.Create(t.Context(), boss, &pool.Pool{Name: "x"}), crm.ErrConflict, kernel.Duplicate, "name")
		require.ErrorIs(t, b.Pool.Pools.Create(t.Context(), li, &pool.Pool{Name: "y"}), crm.ErrDenied)
	})
	t.Run("a pool is read, changed with its version, and another tenant's is not found", func(t *testing.T) {
		b := setup(t, open)
		p := &pool.Pool{Name: "华东公海", Description: "east", Settings: pool.Settings{Protection: 36 * time.Hour, ClaimCondition: `level in ["A"]`}}
		require.NoError(t, b.Pool.Pools.Create(t.Context(), boss, p))
		got, err := b.Pool.Pools.Get(t.Context(), li, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, got)
		stale := *p
		p.Priority = 3
		require.NoError(t, b.Pool.Pools.Update(t.Context(), boss, p))
		stale.Name = "late"
		requireError(t, b.Pool.Pools.Update(t.Context(), boss, &stale), crm.ErrConflict, kernel.Stale, "version")
		_, err = b.Pool.Pools.Get(t.Context(), otherLi, p.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Pools.SetMembers(t.Context(), otherBoss, p.ID, nil), crm.ErrNotFound)
		members := []pool.Member{{Department: b.sales, Admin: true}, {User: "wang"}}
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, p.ID, members))
		have, err := b.Pool.Pools.Members(t.Context(), li, p.ID)
		require.NoError(t, err)
		require.ElementsMatch(t, members, have)
	})
	t.Run("a rule is checked when it is saved, and the error says where and what was expected", func(t *testing.T) {
		b := setup(t, open)
		for text, column := range map[string]int{
			`followup_days >`:                16,
			`followup_day > 7`:               1,
			`level in ["C", "X"]`:            16,
			`followup_days == 7`:             15,
			`(level == "A"`:                  14,
			`level == "A" and spend > "x"`:   26,
			strings.Repeat("(", 20) + "true": 9,
		} {
			err := b.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "r", Condition: text, Action: pool.Release})
			require.ErrorIs(t, err, crm.ErrInvalid, text)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "condition", e.Field)
			var syntax *condition.SyntaxError
			require.ErrorAs(t, err, &syntax, text)
			require.Equal(t, column, syntax.Column, "%s: %v", text, err)
		}
		for field, r := range map[string]pool.Rule{
			"name": {Condition: "spend > 1", Action: pool.Keep}, "action": {Name: "r", Condition: "spend > 1", Action: "burn"},
			"priority": {Name: "r", Condition: "spend > 1", Action: pool.Keep, Priority: 1 << 30},
		} {
			err := b.Pool.Pools.PutRule(t.Context(), boss, &r)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
		}
		require.Equal(t, len(pool.DefaultRules())*2, b.count("SELECT count(*) FROM crm_pool_rules r JOIN crm_pools p ON p.tenant_id = r.tenant_id AND p.id = r.pool_id WHERE p.kind = 'customer'"))
	})
	t.Run("rules are put, changed with their version, ordered and deleted", func(t *testing.T) {
		b := setup(t, open)
		r := &pool.Rule{Name: "C and D", Condition: `followup_days > 7 and level in ["C", "D"]`, Action: pool.Release, Priority: 500, Enabled: true}
		require.NoError(t, b.Pool.Pools.PutRule(t.Context(), boss, r))
		require.NotZero(t, r.ID)
		rules, err := b.Pool.Pools.Rules(t.Context(), boss, 0)
		require.NoError(t, err)
		require.Equal(t, r, rules[0], "the highest priority first")
		same := &pool.Rule{Name: "C and D", Condition: "spend > 1", Action: pool.Keep}
		requireError(t, b.Pool.Pools.PutRule(t.Context(), boss, same), crm.ErrConflict, kernel.Duplicate, "name")
		stale := *r
		r.Priority = -1
		require.NoError(t, b.Pool.Pools.PutRule(t.Context(), boss, r))
		require.EqualValues(t, 2, r.Version)
		requireError(t, b.Pool.Pools.PutRule(t.Context(), boss, &stale), crm.ErrConflict, kernel.Stale, "version")
		require.ErrorIs(t, b.Pool.Pools.PutRule(t.Context(), otherBoss, r), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Pools.DeleteRule(t.Context(), otherBoss, r.ID), crm.ErrNotFound)
		require.ErrorIs(t, b.Pool.Pools.DeleteRule(t.Context(), li, r.ID), crm.ErrDenied)
		require.NoError(t, b.Pool.Pools.DeleteRule(t.Context(), boss, r.ID))
		require.ErrorIs(t, b.Pool.Pools.DeleteRule(t.Context(), boss, r.ID), crm.ErrNotFound)
	})
	t.Run("a member of the pool reads what lies in it, and nothing that somebody owns", func(t *testing.T) {
		b := setup(t, open)
		mine := b.pool("mine", 0, pool.Member{User: "li"})
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{PoolID: mine}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		_, err := b.Customers.Get(t.Context(), li, c.ID)
		require.NoError(t, err)
		_, err = b.Customers.Get(t.Context(), wang, c.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		l, err := b.Customers.List(t.Context(), li, customer.Filter{InPool: true, Pools: []customer.PoolID{mine}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		require.ErrorIs(t, b.Customers.Update(t.Context(), li, c), crm.ErrNotFound, "to change it one claims it first")
		require.NoError(t, b.Pool.Claim(t.Context(), li, c.ID))
		_, err = b.Customers.Get(t.Context(), wang, c.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
}
