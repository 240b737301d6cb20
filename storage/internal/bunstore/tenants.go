package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

type tenants tx

// Insert see [team.TenantRepository].
func (r *tenants) Insert(ctx context.Context, id kernel.TenantID, tenant *team.Tenant) (bool, error) {
	t := (*tx)(r)
	ids, err := t.newIDs(ctx, 1) // never given twice: what another process still remembers of a dropped tenant finds nothing
	if err != nil {
		return false, err
	}
	made, err := t.exec(ctx, `INSERT INTO crm_tenants (id, key, name, zone, currency, created_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO NOTHING`, ids[0], string(id), tenant.Name, tenant.Zone, tenant.Currency, moment(tenant.CreatedAt))
	if err != nil || made == 0 {
		return false, err
	}
	t.know(id, ids[0])
	for _, kind := range recordKinds() {
		if err := r.begin(ctx, id, kind, tenant.CreatedAt); err != nil {
			return false, err
		}
	}
	return true, nil
}

// begin writes what every tenant has for a kind of record from its first day: a policy, and a public pool with rules.
func (r *tenants) begin(ctx context.Context, id kernel.TenantID, kind pool.Kind, at time.Time) error {
	t, y := (*tx)(r), pool.DefaultPolicy()
	if _, err := t.exec(ctx, "INSERT INTO crm_policies (tenant_id, kind, cap, daily_quota, open_limit, lock_limit, lock_days) VALUES (?, ?, ?, ?, ?, ?, ?)",
		t.known[id], string(kind), y.Cap, y.DailyQuota, y.OpenLimit, y.LockLimit, y.LockDays); err != nil {
		return err
	}
	p := &pool.Pool{
		Kind: kind, Name: "default", Public: true, IsDefault: true, Settings: pool.DefaultSettings(),
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}
	var rules []*pool.Rule
	for _, rule := range kind.DefaultRules() {
		rule.Version, rule.CreatedAt, rule.UpdatedAt = 1, at, at
		rules = append(rules, &rule)
	}
	made, err := t.Pools(kind).Insert(ctx, id, p, rules...)
	if err == nil && !made {
		err = bug("a new tenant has a pool already")
	}
	return err
}

// Get see [team.TenantRepository].
func (r *tenants) Get(ctx context.Context, id kernel.TenantID) (*team.Tenant, error) {
	t := (*tx)(r)
	var rows []tenantRow
	err := t.db.NewSelect().Model(&rows).Where("n.key = ?", string(id)).Where("n.dropped_at IS NULL").Conn(t.conn).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	found := rows[0].Tenant
	found.CreatedAt = time.Time(rows[0].CreatedAt)
	return &found, nil
}

// Lock see [team.TenantRepository]. An update and not a SELECT … FOR UPDATE: that would make everybody wait whose rows
// refer to the tenant, and in a host's repeatable transaction it could let a tree pass that is older than the lock.
func (r *tenants) Lock(ctx context.Context, id kernel.TenantID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, id)
	if err != nil {
		return err
	}
	found, err := t.exec(ctx, "UPDATE crm_tenants SET name = name WHERE id = ? AND dropped_at IS NULL", n)
	if err == nil && found == 0 {
		err = noTenant()
	}
	return err
}

// BeginDrop see [team.TenantRepository].
func (r *tenants) BeginDrop(ctx context.Context, id kernel.TenantID, at time.Time) (bool, error) {
	t := (*tx)(r)
	t.forget(id)
	n, err := t.exec(ctx, "UPDATE crm_tenants SET dropped_at = coalesce(dropped_at, ?) WHERE key = ?", moment(at), string(id))
	return n == 1, err
}

func noTenant() error { return &kernel.Error{Code: kernel.ErrNotFound, Field: "actor.tenant"} }

// sinceFirstDay is the error of a read of the tenant, or of a row that every tenant has from its first day: where there is
// none the tenant is not there (any more).
func sinceFirstDay(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return noTenant()
	}
	return err
}

// forget takes a tenant's number out of what this process remembers.
func (t *tx) forget(id kernel.TenantID) {
	t.tenants.Delete(id)
	delete(t.known, id)
}

// ofTenant is every table with rows of a tenant, those first that refer to others, and the columns that tell its rows
// apart. A test walks the schema and finds what is missing here.
var ofTenant = []struct{ table, key string }{
	{"crm_invoice_rates", "invoice_id, sort"},
	{"crm_invoices", "id"},
	{"crm_payment_allocations", "payment_id, plan_id"},
	{"crm_payments", "id"},
	{"crm_lead_interactions", "id"},
	{"crm_lead_tags", "lead_id, tag_id"},
	{"crm_leads", "id"},
	{"crm_plans", "id"},
	{"crm_contract_lines", "contract_id, sort"},
	{"crm_contracts", "id"},
	{"crm_quote_lines", "quote_id, sort"},
	{"crm_quotes", "id"},
	{"crm_numbers", "kind, period"},
	{"crm_opportunity_stages", "id"},
	{"crm_opportunities", "id"},
	{"crm_stages", "id"},
	{"crm_pipelines", "id"},
	{"crm_prices", "list_id, product_id, from_quantity"},
	{"crm_price_lists", "id"},
	{"crm_products", "id"},
	{"crm_product_categories", "id"},
	{"crm_requests", "request, op"},
	{"crm_outbox", "id"},
	{"crm_subjects", "kind, record_id"},
	{"crm_audit", "id"},
	{"crm_operations", "id"},
	{"crm_due", "kind, record_id"},
	{"crm_order_reports", "order_id, sequence"},
	{"crm_order_refunds", "order_id, sort"},
	{"crm_order_lines", "order_id, sort"},
	{"crm_orders", "id"},
	{"crm_interactions", "id"},
	{"crm_tasks", "id"},
	{"crm_customer_tags", "customer_id, tag_id"},
	{"crm_tags", "id"},
	{"crm_addresses", "id"},
	{"crm_contacts", "id"},
	{"crm_customer_facts", "customer_id"},
	{"crm_customers", "id"},
	{"crm_opens", "kind, user_id, day, record_id"},
	{"crm_counters", "kind, user_id"},
	{"crm_policies", "kind"},
	{"crm_reasons", "kind, sort"},
	{"crm_territories", "id"},
	{"crm_pool_rules", "id"},
	{"crm_pool_members", "pool_id, user_id, department_id"},
	{"crm_pools", "id"},
	{"crm_calendars", "id"},
	{"crm_roles", "id"},
	{"crm_members", "id"},
	{"crm_department_tree", "department_id, ancestor_id"},
	{"crm_departments", "id"},
}

// ofItself are the tables whose rows refer to each other, and by which column.
var ofItself = map[string]string{
	"crm_departments": "parent_id", "crm_product_categories": "parent_id", "crm_payments": "reverses_id", "crm_invoices": "red_of_id",
}

// DropSome see [team.TenantRepository]. The row of the tenant is locked against those who began before the drop and have
// rows of it to commit: they end first, or wait and then find no tenant.
func (r *tenants) DropSome(ctx context.Context, id kernel.TenantID, atMost int) (gone int, err error) {
	t := (*tx)(r)
	t.forget(id) // somebody may have looked it up before the drop was committed
	find := "SELECT id FROM crm_tenants WHERE key = ? AND dropped_at IS NOT NULL"
	if t.pg {
		find += " FOR UPDATE"
	}
	var n int64
	err = t.raw(find, string(id)).Scan(ctx, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	for _, of := range ofTenant {
		for more := 1; err == nil && more > 0 && gone < atMost; gone += more { // departments go level by level
			more, err = t.exec(ctx, deleteSome(of.table, of.key), n, n, atMost-gone)
		}
	}
	last := 0
	if err == nil && gone < atMost {
		last, err = t.exec(ctx, "DELETE FROM crm_tenants WHERE id = ? AND dropped_at IS NOT NULL", n)
	}
	if sqlState(err) == foreignKey { // not that there is no tenant, but that rows still refer to it: new ones, or a host's
		err = &kernel.Error{Code: kernel.ErrRetry, Err: err}
	}
	return gone + last, err
}

// deleteSome deletes a number of the tenant's rows.
func deleteSome(table, key string) string {
	text := "DELETE FROM {table} WHERE tenant_id = ? AND ({key}) IN (SELECT {key} FROM {table} AS x WHERE x.tenant_id = ?"
	parent, tree := ofItself[table]
	if tree {
		text += " AND NOT EXISTS (SELECT 1 FROM {table} AS c WHERE c.tenant_id = x.tenant_id AND c.{parent} = x.id)"
	}
	return strings.NewReplacer("{table}", table, "{key}", key, "{parent}", parent).Replace(text + " LIMIT ?)")
}
