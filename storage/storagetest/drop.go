package storagetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/calendar"
)

// tenantTables are the tables in which every row belongs to a tenant, as the database itself lists them.
func (b *bundle) tenantTables() (names []string) {
	b.t.Helper()
	query := `SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.column_name = 'tenant_id' AND t.table_type = 'BASE TABLE' AND c.table_schema = current_schema() ORDER BY 1`
	if !b.postgres() {
		query = `SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND EXISTS (
			SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'tenant_id') ORDER BY 1`
	}
	rows, err := b.db.QueryContext(b.t.Context(), query)
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(b.t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(b.t, rows.Err())
	require.Contains(b.t, names, "crm_customers")
	return names
}

// postgres tells which engine it is, by a function that only one has.
func (b *bundle) postgres() bool {
	var version string
	return b.db.QueryRowContext(b.t.Context(), "SELECT sqlite_version()").Scan(&version) != nil
}

// rows counts a tenant's rows, table by table.
func (b *bundle) rows(tenant int) map[string]int {
	b.t.Helper()
	counts := map[string]int{}
	for _, table := range b.tenantTables() {
		counts[table] = b.count("SELECT count(*) FROM "+table+" WHERE tenant_id = $1", tenant)
	}
	return counts
}

// fill writes something into every table.
func (b *bundle) fill(by crm.Actor) {
	b.t.Helper()
	ctx := b.t.Context()
	by.Request = "fill"
	_, err := b.Team.Sync(ctx, by, team.Directory{
		Departments: []team.DirectoryDepartment{{Key: "a", Parent: "b", Name: "A"}, {Key: "b", Parent: "c", Name: "B"}, {Key: "c", Name: "C"}},
		Members:     []team.DirectoryMember{{User: "a1", Department: "a"}, {User: "b1", Department: "b"}},
	})
	require.NoError(b.t, err)
	_, err = b.Team.Roles.Put(ctx, by, team.Role{Name: "x", Reach: team.ReachOwn})
	require.NoError(b.t, err)
	cal := &team.Calendar{Name: "office", Spec: calendar.Spec{Week: calendar.MondayToFriday(office...)}}
	require.NoError(b.t, b.Team.Calendars.Put(ctx, by, cal))
	p := &pool.Pool{Name: "closed", Settings: pool.Settings{Counting: pool.CountWorking, Calendar: cal.ID}}
	require.NoError(b.t, b.Pool.Pools.Create(ctx, by, p))
	require.NoError(b.t, b.Pool.Pools.SetMembers(ctx, by, p.ID, []pool.Member{{User: "a1"}}))
	require.NoError(b.t, b.Pool.Pools.SetReasons(ctx, by, []string{"no budget"}))
	departments, err := b.Team.Departments.List(ctx, by, crm.Page{Limit: 1})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Pool.Territories.Put(ctx, by, &pool.Territory{Name: "east", Department: departments.Items[0].ID}))
	c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "a1"}}
	require.NoError(b.t, b.Customers.Create(ctx, by, c))
	require.NoError(b.t, b.Customers.Tags.Create(ctx, by, &customer.Tag{Name: "VIP", Colour: "#ff0000"}))
	_, err = b.Customers.Tags.Put(ctx, by, []customer.ID{c.ID}, "VIP")
	require.NoError(b.t, err)
	require.NoError(b.t, b.Customers.Contacts.Add(ctx, by, &customer.Contact{CustomerID: c.ID, FullName: "王"}))
	require.NoError(b.t, b.Customers.Addresses.Add(ctx, by, &customer.Address{CustomerID: c.ID, Type: customer.Office, Province: "上海", City: "上海", Street: "1"}))
	require.NoError(b.t, b.Customers.Interactions.Add(ctx, by, &customer.Interaction{CustomerID: c.ID, Type: customer.Call, Subject: "x"}))
	lying := &customer.Customer{Name: "y", ExternalSystem: "erp", ExternalID: "y"}
	_, err = b.Customers.Sync(ctx, by, []*customer.Customer{lying}, nil)
	require.NoError(b.t, err)
	lying, err = b.Customers.GetByKey(ctx, by, "erp", "y")
	require.NoError(b.t, err)
	_, err = b.Pool.Open(ctx, crm.Actor{Tenant: by.Tenant, User: "a1"}, lying.ID)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Customers.Delete(ctx, by, lying.ID, lying.Version))
	require.NoError(b.t, b.Customers.Tasks.Create(ctx, by, &customer.Task{CustomerID: c.ID, OwnerID: "a1", Subject: "x", DueAt: b.now()}))
	_, err = b.Customers.RecordDeal(ctx, by, customer.Deal{CustomerID: c.ID, Number: "1", At: b.now(), Amount: decimal.NewFromInt(1)})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Pool.UseDefaults(ctx, by, c.PoolID))
	_, err = b.Pool.Warn(ctx, by, &pool.WarnOptions{Horizon: 30 * day})
	require.NoError(b.t, err)
	b.fillSales(by, c.ID, "a1")
	b.fillLeads(by)
}

func (b *bundle) tenantNumber(key crm.TenantID) int {
	b.t.Helper()
	return b.count("SELECT id FROM crm_tenants WHERE key = $1", string(key))
}

// dropElsewhere drops a tenant as another process does: this one does not learn of it.
func (b *bundle) dropElsewhere(tenant int) {
	b.t.Helper()
	exec := func(text string) error {
		_, err := b.db.ExecContext(b.t.Context(), text, tenant)
		return err
	}
	require.NoError(b.t, exec("UPDATE crm_tenants SET dropped_at = created_at WHERE id = $1"))
	tables := b.tenantTables()
	for range tables { // in the worst order the last table goes in the last round
		for _, table := range tables {
			_ = exec("DELETE FROM " + table + " WHERE tenant_id = $1") // refused while others refer to it
		}
	}
	require.NoError(b.t, exec("DELETE FROM crm_tenants WHERE id = $1"))
}

func testDrop(t *testing.T, open Open) {
	t.Run("not a row of a dropped tenant is left in any table, and of another all are", func(t *testing.T) {
		b := setup(t, open)
		b.fill(boss)
		b.fill(otherBoss)
		acme, other := b.tenantNumber("acme"), b.tenantNumber("other")
		before, total := b.rows(other), 1
		for table, n := range b.rows(acme) {
			require.Positive(t, n, "%s: fill has nothing for it", table)
			total += n
		}
		var told []int
		require.NoError(t, b.Team.DropTenant(t.Context(), boss, func(rows int) { told = append(told, rows) }))
		for table, n := range b.rows(acme) {
			require.Zero(t, n, "%s is forgotten", table)
		}
		require.Equal(t, before, b.rows(other))
		require.Equal(t, total, told[len(told)-1])
		require.Zero(t, b.count("SELECT count(*) FROM crm_tenants WHERE key = 'acme'"))
		requireError(t, b.Team.DropTenant(t.Context(), boss, nil), crm.ErrNotFound, "", "actor.tenant")
		for name, err := range b.someCalls(li) {
			requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
			require.NotEmpty(t, name)
		}
		_, err := b.Team.Tenant(t.Context(), otherLi)
		require.NoError(t, err)
		b.agree()
	})
	t.Run("a few rows at a time it goes from those that refer to those that are referred to", func(t *testing.T) {
		b := setup(t, open)
		b.fill(boss)
		b.fill(otherBoss)
		acme, other := b.tenantNumber("acme"), b.tenantNumber("other")
		before, steps := b.rows(acme), 0
		step := func(do func(ctx context.Context, tx storage.Tx) (int, error)) (n int) {
			err := b.store.Do(t.Context(), kernel.Write, func(ctx context.Context, tx storage.Tx) (err error) {
				n, err = do(ctx, tx)
				return err
			})
			require.NoError(t, err)
			return n
		}
		require.Zero(t, step(func(ctx context.Context, tx storage.Tx) (int, error) { return tx.Tenants().DropSome(ctx, "other", 2) }), "not marked")
		step(func(ctx context.Context, tx storage.Tx) (int, error) {
			known, err := tx.Tenants().BeginDrop(ctx, "other", b.now())
			require.True(t, known)
			return 0, err
		})
		for n := 2; n > 0; steps++ {
			n = step(func(ctx context.Context, tx storage.Tx) (int, error) { return tx.Tenants().DropSome(ctx, "other", 2) })
			require.LessOrEqual(t, n, 2)
		}
		require.Greater(t, steps, 20)
		for table, n := range b.rows(other) {
			require.Zero(t, n, table)
		}
		require.Equal(t, before, b.rows(acme))
		b.agree()
	})
	t.Run("stopped in the middle the tenant is unknown, its name taken; called again it goes to the end", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.KeepRights = time.Minute }) // rights that are kept do not outlive the tenant
		b.create(1_300, "")                                                 // more than a batch, with facts, trail and events
		_, err := b.Team.Tenant(t.Context(), li)
		require.NoError(t, err)
		acme := b.tenantNumber("acme")
		ctx, cancel := context.WithCancel(t.Context())
		err = b.Team.DropTenant(ctx, boss, func(int) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
		left := 0
		for _, n := range b.rows(acme) {
			left += n
		}
		require.Positive(t, left)
		for name, err := range b.someCalls(li) {
			requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
			require.NotEmpty(t, name)
		}
		requireError(t, b.Team.CreateTenant(t.Context(), boss, team.Tenant{Name: "Again"}), crm.ErrConflict, kernel.Duplicate, "tenant")
		again := boss
		again.Request = "r"
		requireError(t, b.Team.CreateTenant(t.Context(), again, team.Tenant{Name: "Again"}), crm.ErrConflict, kernel.Duplicate, "tenant")
		for _, view := range []string{"crm_v_customers", "crm_v_members"} {
			require.Zero(t, b.count("SELECT count(*) FROM "+view+" WHERE tenant = 'acme'"), view)
		}
		require.NoError(t, b.Team.DropTenant(t.Context(), boss, nil))
		for table, n := range b.rows(acme) {
			require.Zero(t, n, table)
		}
		require.NoError(t, b.Team.CreateTenant(t.Context(), boss, team.Tenant{Name: "Again"}))
		require.NotEqual(t, acme, b.tenantNumber("acme"), "what another process remembers leads nowhere")
		l, err := b.Customers.List(t.Context(), boss, customer.Filter{}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
		b.agree()
	})
	t.Run("beside calls that are under way: these succeed or find no tenant, and not a row is left", func(t *testing.T) {
		b := setup(t, open)
		acme := b.tenantNumber("acme")
		together(4, func(i int) {
			if i == 0 {
				time.Sleep(20 * time.Millisecond)
				if err := insist(func() error { return b.Team.DropTenant(t.Context(), boss, nil) }); err != nil {
					t.Error(err)
				}
				return
			}
			for range 100 {
				err := insist(func() error {
					c := &customer.Customer{Name: "x"}
					if err := b.Customers.Create(t.Context(), boss, c); err != nil {
						return err
					}
					return b.Customers.SetStage(t.Context(), boss, c.ID, customer.Lost, "x")
				})
				if errors.Is(err, crm.ErrNotFound) {
					return
				} else if err != nil {
					t.Error(err)
				}
			}
		})
		for table, n := range b.rows(acme) {
			require.Zero(t, n, table)
		}
	})
	t.Run("another process that still trusts its rights finds no tenant, and writes nothing", func(t *testing.T) {
		b := setup(t, open)
		acme := b.tenantNumber("acme")
		other := b.open(func(o *crm.Options) { o.KeepRights = time.Minute })
		require.NoError(t, other.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x"}))
		b.dropElsewhere(acme)
		err := other.Customers.Tags.Create(t.Context(), boss, &customer.Tag{Name: "VIP", Colour: "#ff0000"})
		if b.postgres() {
			requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
		} else { // nothing but the foreign key refuses it, and SQLite does not say which one
			require.ErrorIs(t, err, crm.ErrRetry)
		}
		requireError(t, other.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x"}), crm.ErrNotFound, "", "actor.tenant")
		requireError(t, other.Pool.Pools.SetPolicy(t.Context(), boss, pool.Policy{Cap: 1}), crm.ErrNotFound, "", "actor.tenant")
		_, err = other.Pool.Counter(t.Context(), boss)
		requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
		_, err = other.Team.Departments.Create(t.Context(), boss, team.Department{Name: "x"})
		requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
		for table, n := range b.rows(acme) {
			require.Zero(t, n, table)
		}
	})
	t.Run("rows of a host that refer to the tenant stop it, and it does not say that there is none", func(t *testing.T) {
		b := setup(t, open)
		_, err := b.db.Exec("CREATE TABLE erp_orders (tenant_id bigint REFERENCES crm_tenants (id))")
		require.NoError(t, err)
		_, err = b.db.Exec("INSERT INTO erp_orders SELECT id FROM crm_tenants WHERE key = 'acme'")
		require.NoError(t, err)
		require.ErrorIs(t, b.Team.DropTenant(t.Context(), boss, nil), crm.ErrRetry)
		_, err = b.db.Exec("DELETE FROM erp_orders")
		require.NoError(t, err)
		require.NoError(t, b.Team.DropTenant(t.Context(), boss, nil))
	})
	t.Run("it waits for a host's transaction that has rows of the tenant, and takes these too", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		acme, tx := b.tenantNumber("acme"), b.begin()
		require.NoError(t, b.In(tx).Customers.Create(t.Context(), li, &customer.Customer{Name: "x"}))
		done := make(chan error)
		go func() { done <- b.Team.DropTenant(context.WithoutCancel(t.Context()), boss, nil) }()
		select {
		case err := <-done:
			require.Fail(t, "it did not wait", err)
		case <-time.After(200 * time.Millisecond):
		}
		require.NoError(t, tx.Commit())
		require.NoError(t, <-done)
		for table, n := range b.rows(acme) {
			require.Zero(t, n, table)
		}
	})
	t.Run("twice at once: both come to the end, or one finds no tenant", func(t *testing.T) {
		b := setup(t, open)
		b.fill(boss)
		acme := b.tenantNumber("acme")
		together(2, func(int) {
			err := insist(func() error { return b.Team.DropTenant(t.Context(), boss, nil) })
			if err != nil && !errors.Is(err, crm.ErrNotFound) {
				t.Error(err)
			}
		})
		for table, n := range b.rows(acme) {
			require.Zero(t, n, table)
		}
	})
	t.Run("the views show living rows of living tenants", func(t *testing.T) { testViews(t, setup(t, open)) })
}

func testViews(t *testing.T, b *bundle) {
	b.fill(boss)
	b.fill(otherBoss)
	count := func(view string) int { return b.count("SELECT count(*) FROM " + view + " WHERE tenant = 'acme'") }
	for view, want := range map[string]int{
		"crm_v_customers": 1, "crm_v_interactions": 1, "crm_v_operations": 1, "crm_v_orders": 2, "crm_v_members": 6,
	} {
		require.Equal(t, want, count(view), view)
	}
	var owner, home, department string
	require.NoError(t, b.db.QueryRow("SELECT owner_id, pool FROM crm_v_customers WHERE tenant = 'acme'").Scan(&owner, &home))
	require.Equal(t, "a1", owner)
	require.Equal(t, "default", home)
	require.NoError(t, b.db.QueryRow("SELECT department FROM crm_v_members WHERE tenant = 'acme' AND user_id = 'a1'").Scan(&department))
	require.Equal(t, "A", department)
	require.Equal(t, 2, b.count("SELECT orders FROM crm_v_customers WHERE tenant = 'acme'"))
	l, err := b.Customers.List(t.Context(), boss, customer.Filter{}, crm.Page{})
	require.NoError(t, err)
	require.NoError(t, b.Customers.Delete(t.Context(), boss, l.Items[0].ID, l.Items[0].Version))
	require.Zero(t, count("crm_v_customers"), "deleted")
	require.Equal(t, 1, b.count("SELECT count(*) FROM crm_v_customers"), "that of the other tenant")
	for _, view := range []string{"crm_v_customers", "crm_v_operations"} {
		_, err := b.db.Exec("DELETE FROM " + view)
		require.Error(t, err, "%s is for reading", view)
	}
	_, err = b.db.Exec("UPDATE crm_tenants SET dropped_at = created_at WHERE key = 'other'")
	require.NoError(t, err)
	for _, view := range []string{"crm_v_customers", "crm_v_interactions", "crm_v_operations", "crm_v_orders", "crm_v_members"} {
		require.Zero(t, b.count("SELECT count(*) FROM "+view+" WHERE tenant = 'other'"), "%s: being dropped", view)
	}
}
