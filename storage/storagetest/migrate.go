package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

func testMigrate(t *testing.T, open Open) {
	t.Run("again it changes nothing; down and up again it is as new", func(t *testing.T) {
		b := setup(t, open)
		b.create(3, "li")
		require.NoError(t, b.store.Migrate(t.Context()))
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers"))
		require.NoError(t, b.store.MigrateDown(t.Context(), 0))
		require.Zero(t, b.count("SELECT count(*) FROM crm_migrations"))
		require.Error(t, b.store.Check(t.Context()), "it says that Migrate must be called")
		require.NoError(t, b.store.Migrate(t.Context()))
		c := b.open(nil)
		require.NoError(t, c.Team.CreateTenant(t.Context(), crm.System("again", "x"), team.Tenant{Name: "Again"}))
		require.NoError(t, c.Customers.Create(t.Context(), crm.System("again", "x"), &customer.Customer{Name: "x"}))
	})
	t.Run("0004: policies, customers and log of before have no locks, the default limits, and nothing above a cap", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[1], nil))
		policy, before := pool.DefaultPolicy(), b.count("SELECT count(*) FROM crm_operations")
		require.NoError(t, b.store.MigrateDown(t.Context(), 3))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		got, err := b.Pool.Pools.Policy(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, policy, got)
		require.True(t, b.get(ids[0]).LockUntil.IsZero())
		require.False(t, b.last(ids[1]).Unlocked || b.last(ids[1]).OverCap)
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_operations"))
		b.lock(li, ids[0])
		require.NoError(t, b.store.MigrateDown(t.Context(), 3))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_customers"), "the lock is gone, its customer is not")
		require.NoError(t, b.store.Migrate(t.Context()))
		require.False(t, b.get(ids[0]).IsLocked(b.now()))
	})
	t.Run("0016: contracts of before are unpaid and not invoiced, and what ended did so on the day of its last change", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		b.fillSales(boss, of, "li")
		x, y := b.owes(of, "2026-02-01", "100 2026-02-10"), b.owes(of, "2026-02-01", "50 2026-02-10")
		b.pay(x, "2026-02-03", "30", 0)
		require.NoError(t, b.actOn(y.ID, "terminate"))
		require.NoError(t, b.store.MigrateDown(t.Context(), 15))
		require.Equal(t, 4, b.count("SELECT count(*) FROM crm_plans"))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		requireMoney(t, "0", b.requirePaid("0/1 +0", x.ID).Invoiced)
		require.Equal(t, kernel.Date("2026-02-27"), b.getContract(y.ID).EndedOn, "in UTC")
		b.pay(x, "2026-02-03", "100", 0)
		b.requirePaid("100/3 +0", x.ID)
		b.agree()
	})
	t.Run("0015: leads go and come, with a pool, rules and a policy for every tenant of before; all else stays", func(t *testing.T) {
		b := setup(t, open)
		b.create(2, "li")
		b.tag("VIP")
		b.fillLeads(boss)
		b.lead("li", nil)
		require.NoError(t, b.LeadPool.Pools.SetReasons(t.Context(), boss, []string{"no budget"}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		pools := b.count("SELECT count(*) FROM crm_pools")
		require.NoError(t, b.store.MigrateDown(t.Context(), 14))
		require.Equal(t, pools/2, b.count("SELECT count(*) FROM crm_pools"))
		for _, table := range []string{"crm_policies", "crm_counters", "crm_pools", "crm_reasons"} {
			require.Zero(t, b.count("SELECT count(*) FROM "+table+" WHERE kind = 'lead'"), table)
		}
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_customers"))
		require.Equal(t, pools, b.count("SELECT count(*) FROM crm_pools"))
		p, err := b.LeadPool.Pools.Get(t.Context(), li, 0)
		require.NoError(t, err)
		want := pool.Pool{ID: p.ID, Kind: pool.Leads, Name: "default", Public: true, IsDefault: true, Settings: pool.DefaultSettings(), Version: 1, CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt}
		require.Equal(t, want, *p)
		policy, err := b.LeadPool.Pools.Policy(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, pool.DefaultPolicy(), policy)
		rules, err := b.LeadPool.Pools.Rules(t.Context(), li, 0)
		require.NoError(t, err)
		for i, r := range pool.Leads.DefaultRules() {
			require.Equal(t, []any{r.Name, r.Condition, r.Action, r.Priority, r.Enabled, r.BuiltIn},
				[]any{rules[i].Name, rules[i].Condition, rules[i].Action, rules[i].Priority, rules[i].Enabled, rules[i].BuiltIn})
		}
		fresh := crm.System("fresh", "set-up")
		require.NoError(t, b.Team.CreateTenant(t.Context(), fresh, team.Tenant{Name: "Fresh"}))
		for _, who := range []crm.Actor{boss, otherBoss, fresh} {
			require.NoError(t, b.Sales.Leads.Create(t.Context(), who, &sales.Lead{Name: "x"}))
		}
		x := b.lead("", nil)
		require.NoError(t, b.LeadPool.Claim(t.Context(), li, x.ID))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_counters WHERE kind = 'lead' AND user_id = 'wang' AND closed"))
		b.verify()
	})
	t.Run("0017: orders stay, and their first report is later than what RecordDeal wrote", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		b.record(b.order(of, "1", 5, sales.OrderPaid))
		require.NoError(t, b.store.MigrateDown(t.Context(), 16))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_orders WHERE sequence = -1 AND status = 'paid'"))
		require.Equal(t, sales.OrderRecorded, b.record(b.order(of, "1", 0, sales.OrderPaid))[0].Result)
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_order_lines"))
		b.agree()
	})
	t.Run("0014: contracts go and come, quotes stay", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		b.fillSales(boss, of, "li")
		require.NoError(t, b.store.MigrateDown(t.Context(), 13))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_quotes"))
		b.signed(of)
	})
	t.Run("0013: quotes go and come, opportunities stay", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		b.fillSales(boss, of, "li")
		require.NoError(t, b.store.MigrateDown(t.Context(), 12))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Len(t, b.opportunities(boss, sales.OpportunityFilter{}), 1)
		b.quote(li, of, nil)
	})
	t.Run("0012: opportunities go and come, customers and products stay", func(t *testing.T) {
		b := setup(t, open)
		b.fillSales(boss, b.create(1, "li")[0], "li")
		require.NoError(t, b.store.MigrateDown(t.Context(), 11))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Equal(t, []string{"x"}, b.products(sales.ProductFilter{}))
		b.pipeline()
		b.opportunity(li, b.create(1, "li")[0], "1")
	})
	t.Run("0011: products and prices go and come, customers stay", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		b.fillSales(boss, ids[0], "li")
		require.NoError(t, b.store.MigrateDown(t.Context(), 10))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_customers"))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.EqualValues(t, "li", b.owner(ids[0]))
		require.Empty(t, b.products(sales.ProductFilter{}))
		b.product("x", "1", 0)
	})
	t.Run("0005: the trail of before stays as it is, and from now on refuses to be replaced or emptied", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Pool.Release(t.Context(), li, b.create(1, "li")[0], nil))
		before, log := b.audit(team.TrailFilter{}), b.count("SELECT count(*) FROM crm_operations")
		change := "REPLACE INTO crm_operations SELECT * FROM crm_operations"
		if b.postgres() {
			change = "TRUNCATE crm_operations"
		}
		require.NoError(t, b.store.MigrateDown(t.Context(), 4))
		tx := b.begin()
		_, err := tx.Exec(change)
		require.NoError(t, err, "before, nothing refused it")
		require.NoError(t, tx.Rollback())
		require.NoError(t, b.store.Migrate(t.Context()))
		_, err = b.db.Exec(change)
		require.ErrorContains(t, err, "never changed")
		require.Equal(t, before, b.audit(team.TrailFilter{}))
		require.Equal(t, log, b.count("SELECT count(*) FROM crm_operations"))
		b.CRM = b.open(nil)
		require.NoError(t, b.Team.DropTenant(t.Context(), boss, nil), "a tenant takes its trail along")
		require.NoError(t, b.store.MigrateDown(t.Context(), 4))
	})
	t.Run("down and up again in one process: no id is given twice, and no tenant has the number of another", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.KeepRights = time.Minute }) // so that nothing asks for the tenant's number anew
		b.create(3, "")                                                     // what is left of the block is kept
		_, err := b.Customers.List(t.Context(), otherBoss, customer.Filter{}, crm.Page{})
		require.NoError(t, err)
		require.NoError(t, b.store.MigrateDown(t.Context(), 0))
		require.NoError(t, b.store.Migrate(t.Context()))
		for _, by := range []crm.Actor{otherBoss, boss} { // in another order than before
			require.NoError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "Again"}))
		}
		b.create(200, "")
		require.Equal(t, 200, b.count("SELECT count(*) FROM crm_customers WHERE tenant_id = $1", b.tenantNumber("acme")))
		l, err := b.Customers.List(t.Context(), otherBoss, customer.Filter{}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
	})
	t.Run("0009: pools of before assign nobody, members of before have waited for ever, and customers stay", func(t *testing.T) {
		b := setup(t, open)
		b.create(2, "li")
		b.settings(func(p *pool.Pool) { p.AssignNew = true })
		b.territory(pool.Territory{Members: only("li")})
		b.autoAssign(b.at(b.pool("closed", 0, pool.Member{User: "li"}), 1, "")...)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_counters WHERE assigned_at IS NOT NULL"))
		require.NoError(t, b.store.MigrateDown(t.Context(), 8))
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers WHERE owner_id = 'li'"))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Zero(t, b.count("SELECT count(*) FROM crm_territories"))
		require.Zero(t, b.count("SELECT count(*) FROM crm_counters WHERE assigned_at IS NOT NULL"))
		p, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		require.False(t, p.AssignNew)
		require.Equal(t, 3, b.places("li"))
		b.agree()
	})
	t.Run("0006: tasks are gone with it, and members who are inactive already are closed", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		b.task(li, "", ids[0])
		require.NoError(t, b.store.MigrateDown(t.Context(), 5))
		// An older library knows nothing of counters that are closed: wang has none yet, and li has one.
		_, err := b.db.ExecContext(t.Context(), "UPDATE crm_members SET inactive_since = created_at WHERE user_id IN ('li', 'wang') AND tenant_id = (SELECT id FROM crm_tenants WHERE key = 'acme')")
		require.NoError(t, err)
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Zero(t, b.count("SELECT count(*) FROM crm_tasks"))
		require.Equal(t, 2*2, b.count("SELECT count(*) FROM crm_counters WHERE closed"))
		require.Equal(t, 2, b.places("li"))
		b.agree()
		require.NoError(t, b.Team.Members.Activate(t.Context(), boss, "li"))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_counters WHERE closed"))
		b.task(li, "", ids[0])
		require.Equal(t, 2, b.handOver(nil).Items[0].ToPool)
		b.agree()
	})
	t.Run("0008: nothing is noted of customers of before, and what was told is forgotten on the way down", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days >= 2", Action: pool.Release})
		ids := b.create(2, "li")
		b.wait(day)
		require.NoError(t, b.store.MigrateDown(t.Context(), 7))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Zero(t, b.count("SELECT count(*) FROM crm_due"))
		require.Len(t, b.privates(li, pool.PrivateFilter{}, 1), 2)
		require.Equal(t, 2, b.warn(nil).Warned)
		require.NoError(t, b.store.MigrateDown(t.Context(), 7))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_customers"))
		require.NoError(t, b.store.Migrate(t.Context()))
		require.Equal(t, 2, b.warn(nil).Warned)
		require.Len(t, b.dueSoon(ids[0]), 2)
		b.agree()
	})
	t.Run("by several at once: one applies each, all succeed", func(t *testing.T) {
		t.Parallel()
		db, store := open(t)
		require.NoError(t, store.Migrate(t.Context()))
		require.NoError(t, store.MigrateDown(t.Context(), 0))
		together(4, func(int) {
			if err := insist(func() error { return store.Migrate(t.Context()) }); err != nil {
				t.Error(err)
			}
		})
		var n, versions int
		require.NoError(t, db.QueryRow("SELECT count(*), count(DISTINCT version) FROM crm_migrations").Scan(&n, &versions))
		require.Positive(t, n)
		require.Equal(t, n, versions)
		_, err := crm.New(t.Context(), store, nil)
		require.NoError(t, err)
	})
	t.Run("inside a host's transaction it is refused", func(t *testing.T) {
		b := setup(t, open)
		tx := b.begin()
		require.Error(t, b.store.Join(tx).Migrate(t.Context()))
		require.Error(t, b.store.Join(tx).MigrateDown(t.Context(), 0))
	})
	t.Run("a newer schema is accepted only if it says that it is compatible", func(t *testing.T) {
		b := setup(t, open)
		mark := func(compatible string) {
			_, err := b.db.Exec("DELETE FROM crm_migrations WHERE version = 9999")
			require.NoError(t, err)
			_, err = b.db.Exec("INSERT INTO crm_migrations (version, name, compatible_from, applied_at) VALUES (9999, '9999_future', " + compatible + ", '')")
			require.NoError(t, err)
		}
		mark("1")
		_, err := crm.New(t.Context(), b.store, nil)
		require.NoError(t, err)
		require.NoError(t, b.store.Migrate(t.Context()), "nothing to do")
		mark("9999")
		_, err = crm.New(t.Context(), b.store, nil)
		require.ErrorContains(t, err, "update the library")
		require.ErrorContains(t, b.store.MigrateDown(t.Context(), 0), "newer version")
	})
	t.Run("an older schema is refused with what to do", func(t *testing.T) {
		b := setup(t, open)
		_, err := b.db.Exec("DELETE FROM crm_migrations")
		require.NoError(t, err)
		_, err = crm.New(t.Context(), b.store, nil)
		require.ErrorContains(t, err, "call Migrate first")
	})
}
