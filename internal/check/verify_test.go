package check

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// lived is a house in which everything has happened once: there are rows in every table.
type lived struct {
	busy, locked, won, lost, lying, claimed, gone customer.ID // lost was released, lying never had an owner
	contact                                       customer.ContactID
	address                                       customer.AddressID
	interaction                                   customer.InteractionID
	tag                                           customer.TagID
	task                                          customer.TaskID
	territory                                     pool.TerritoryID
	offer                                         offered
	leads                                         prospects
	pool, private                                 pool.ID
	rule                                          pool.RuleID
	calendar                                      team.CalendarID
	sales, north                                  team.DepartmentID
	member                                        team.MemberID
	role                                          team.RoleID
	user, roleName, leaver                        string
	event                                         int64
	version                                       int64 // of busy
	is                                            customer.Customer
	now, talked                                   time.Time
}

func (h *house) live() (x lived) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	h.free()
	ids := h.create(5, "li")
	x.busy, x.locked, x.won, x.lost, x.gone = ids[0], ids[1], ids[2], ids[3], ids[4]
	ids = h.create(2, "")
	x.lying, x.claimed = ids[0], ids[1]
	h.live1(&x)
	h.wait(day)
	for range 2 {
		talk := &customer.Interaction{CustomerID: x.busy, Type: customer.Call, Subject: "x", Followup: true, NextAction: "call again", NextActionAt: h.now().Add(day)}
		ok(h.Customers.Interactions.Add(ctx, li, talk))
		x.interaction, x.talked = talk.ID, talk.At
		h.wait(time.Minute)
	}
	for _, number := range []string{"1", "2"} {
		_, err := h.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: x.won, System: "erp", Number: number, At: h.now(), Amount: decimal.NewFromInt(1)})
		ok(err)
		h.wait(time.Minute)
	}
	ok(h.Pool.Release(ctx, li, x.lost, nil))
	ok(h.Pool.Claim(ctx, wang, x.claimed))
	ok(h.Pool.Lock(ctx, li, x.locked, h.now().Add(day), "contract"))
	x.offer = h.offer(boss, li.User, x.busy, x.contact, "x")
	x.offer.documentsOf(h, boss, li.User, x.won, 0, "y")
	x.offer.money = x.offer.billed(h, boss, li.User, x.won, "x")
	gone, err := h.Customers.Get(ctx, li, x.gone)
	ok(err)
	ok(h.Customers.Delete(ctx, boss, gone.ID, gone.Version))
	h.liveTeam(&x)
	h.livePool(&x)
	x.leads = h.prospect(boss, li.User, x.tag, "x")
	is, err := h.Customers.Get(ctx, boss, x.busy)
	ok(err)
	x.is, x.version, x.now = *is, is.Version, h.now()
	x.event = int64(h.count("SELECT max(id) FROM crm_outbox"))
	return x
}

// live1 is what hangs on a customer.
func (h *house) live1(x *lived) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	contact := &customer.Contact{CustomerID: x.busy, FullName: "陈一", Phone: "13800138000", Email: "chen@example.com", IsPrimary: true}
	ok(h.Customers.Contacts.Add(ctx, li, contact))
	ok(h.Customers.Contacts.Add(ctx, li, &customer.Contact{CustomerID: x.busy, FullName: "陈二", Phone: "13800138001"}))
	address := &customer.Address{CustomerID: x.busy, Type: customer.Billing, Region: "330106", Province: "浙江", City: "杭州", Street: "文三路 1 号", IsDefault: true}
	ok(h.Customers.Addresses.Add(ctx, li, address))
	ok(h.Customers.Addresses.Add(ctx, li, &customer.Address{CustomerID: x.busy, Type: customer.Billing, Province: "浙江", City: "杭州", Street: "文三路 2 号"}))
	tag := &customer.Tag{Name: "VIP", Colour: "#ff0000"}
	ok(h.Customers.Tags.Create(ctx, boss, tag))
	ok(h.Customers.Tags.Create(ctx, boss, &customer.Tag{Name: "new", Colour: "#ff0000"}))
	_, err := h.Customers.Tags.Put(ctx, li, []customer.ID{x.busy}, "VIP")
	ok(err)
	x.contact, x.address, x.tag = contact.ID, address.ID, tag.ID
}

// liveTeam is what belongs to the tenant.
func (h *house) liveTeam(x *lived) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	l, err := h.Team.Departments.List(ctx, boss, crm.Page{})
	ok(err)
	x.sales = l.Items[0].ID
	north, err := h.Team.Departments.Create(ctx, boss, team.Department{Name: "North", Parent: x.sales})
	ok(err)
	x.north = north.ID
	c := &team.Calendar{Name: "office", Spec: calendar.Spec{Zone: "Asia/Shanghai", Week: calendar.MondayToFriday(calendar.Window{From: calendar.At(9, 0), To: calendar.At(18, 0)})}}
	ok(h.Team.Calendars.Put(ctx, boss, c))
	x.calendar = c.ID
	p := &pool.Pool{Name: "east", Public: true, Settings: pool.DefaultSettings()}
	ok(h.Pool.Pools.Create(ctx, boss, p))
	x.pool = p.ID
	p = &pool.Pool{Name: "west", Settings: pool.DefaultSettings()}
	ok(h.Pool.Pools.Create(ctx, boss, p))
	x.private = p.ID
	ok(h.Pool.Pools.SetMembers(ctx, boss, p.ID, []pool.Member{{User: "wang"}}))
	r := &pool.Rule{PoolID: x.pool, Name: "mine", Condition: "owned_days > 100", Action: pool.Release}
	ok(h.Pool.Pools.PutRule(ctx, boss, r))
	x.rule = r.ID
	role, err := h.Team.Roles.Put(ctx, boss, team.Role{Name: "helper", Reach: team.ReachOwn, Permissions: []kernel.Permission{kernel.CustomerRead}})
	ok(err)
	wang, err := h.Team.Members.Get(ctx, boss, "wang")
	ok(err)
	x.role, x.roleName, x.member, x.user = role.ID, "helper", wang.ID, "wang"
}

// livePool is what pools do by themselves, and what happens in them.
func (h *house) livePool(x *lived) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	job := &customer.Task{Subject: "x", OwnerID: "li", CustomerID: x.busy, DueAt: h.now()}
	ok(h.Customers.Tasks.Create(ctx, li, job))
	job.Note = "y"
	ok(h.Customers.Tasks.Update(ctx, li, job))
	area := &pool.Territory{Name: "all", Department: x.sales, Enabled: true}
	ok(h.Pool.Territories.Put(ctx, boss, area))
	x.task, x.territory = job.ID, area.ID
	_, err := h.Pool.Open(ctx, wang, x.lost)
	ok(err)
	ok(h.Pool.Pools.PutRule(ctx, boss, &pool.Rule{Name: "long", Condition: "owned_days > 30", Action: pool.Release, Enabled: true}))
	warned, err := h.Pool.Warn(ctx, boss, &pool.WarnOptions{Horizon: 60 * day})
	ok(err)
	require.Positive(h.t, warned.Noted)
	leaver := h.hire(2, 1)
	_, err = h.HandOver.Run(ctx, boss, leaver, &crm.HandOverOptions{Superior: "li"})
	ok(err)
	x.leaver = string(leaver)
}

// sound demands that Verify finds nothing.
func (h *house) sound(about ...any) {
	h.t.Helper()
	report, err := h.Verify(context.Background(), boss, nil)
	require.NoError(h.t, err, about...)
	require.Empty(h.t, report.Findings, about...)
}

// corruption is a thing that must never be, as SQL, and all that Verify may say of it.
type corruption struct {
	does string
	want map[string]int
}

// corruptions of a house that has lived. Each is of the check that it is listed under.
func corruptions(x lived) map[string][]corruption {
	of := func(text string) string {
		return strings.NewReplacer("{busy}", number(x.busy), "{locked}", number(x.locked), "{won}", number(x.won), "{lost}", number(x.lost), "{lying}", number(x.lying),
			"{task}", number(x.task), "{leaver}", "'"+x.leaver+"'", "{north}", number(x.north), "{sales}", number(x.sales), "{pool}", number(x.pool), "{private}", number(x.private),
			"{signed}", number(x.offer.signed), "{invoice}", number(x.offer.invoice)).Replace(text)
	}
	list := map[string][]corruption{
		"default_pool": {
			{"UPDATE crm_pools SET is_default = FALSE WHERE kind = 'customer'", map[string]int{"default_pool": 1}},
			{"DROP INDEX crm_uq_pools_default; UPDATE crm_pools SET is_default = TRUE WHERE kind = 'customer'", map[string]int{"default_pool": 1}},
		},
		"pool_calendar": {{"UPDATE crm_pools SET calendar_id = 999999 WHERE id = {pool}", map[string]int{"pool_calendar": 1}}},
		"unique_pool":   {{"DROP INDEX crm_uq_pools_name; UPDATE crm_pools SET name = 'x' WHERE id IN ({pool}, {private})", map[string]int{"unique_pool": 2}}},
		"department_tree": {
			{"DELETE FROM crm_department_tree WHERE depth = 1", map[string]int{"department_tree": 1}},
			{"DELETE FROM crm_department_tree WHERE depth = 0 AND department_id = {north}", map[string]int{"department_tree": 1}},
			{"UPDATE crm_department_tree SET depth = 2 WHERE depth = 1", map[string]int{"department_tree": 1}},
			{"INSERT INTO crm_department_tree SELECT tenant_id, {sales}, {north}, 1 FROM crm_departments WHERE id = {sales}", map[string]int{"department_tree": 2}},
		},
		"unique_member": {{"DROP INDEX crm_uq_members_user; UPDATE crm_members SET user_id = 'li' WHERE user_id = 'head'", map[string]int{"unique_member": 2}}},
		"places": {
			{"UPDATE crm_counters SET places = places + 1 WHERE user_id = 'li' AND kind = 'customer'", map[string]int{"places": 1}},
			{"UPDATE crm_customers SET stage = 'won' WHERE id = {busy}", map[string]int{"places": 1}},
			{"UPDATE crm_customers SET stage = 'potential' WHERE id = {won}", map[string]int{"places": 1}},
			{"INSERT INTO crm_counters (tenant_id, kind, user_id, places) SELECT tenant_id, kind, 'nobody', 1 FROM crm_counters WHERE user_id = 'li' AND kind = 'customer'", map[string]int{"places": 1}},
		},
		"claims": {
			{"UPDATE crm_counters SET claims_used = claims_used + 1 WHERE user_id = 'wang'", map[string]int{"claims": 1}},
			{"UPDATE crm_counters SET claims_used = 0 WHERE user_id = 'wang'", map[string]int{"claims": 1}},
		},
		"opens": {
			{"UPDATE crm_counters SET opens_used = opens_used + 1 WHERE user_id = 'wang'", map[string]int{"opens": 1}},
			{"UPDATE crm_counters SET opens_used = 0 WHERE user_id = 'wang'", map[string]int{"opens": 1}},
			{"DELETE FROM crm_opens WHERE user_id = 'wang'", map[string]int{"opens": 1}},
		},
		"closed": {
			{"UPDATE crm_counters SET closed = TRUE WHERE user_id = 'li' AND kind = 'customer'", map[string]int{"closed": 1}},
			{"UPDATE crm_counters SET closed = FALSE WHERE user_id = {leaver} AND kind = 'customer'", map[string]int{"closed": 1}},
			{"UPDATE crm_members SET inactive_since = created_at WHERE user_id = 'wang'", map[string]int{"closed": 1}},
		},
		"task_owner": {{"UPDATE crm_tasks SET owner_id = 'ghost' WHERE id = {task}", map[string]int{"task_owner": 1}}},
		"owned_since": {
			{"UPDATE crm_customers SET owned_since = NULL WHERE id = {busy}", map[string]int{"owned_since": 1}},
			{"UPDATE crm_customers SET owned_since = created_at WHERE id = {lying}", map[string]int{"owned_since": 1}},
		},
		"in_pool":       {{"UPDATE crm_customers SET pool_entered_at = created_at WHERE id = {busy}", map[string]int{"in_pool": 1}}},
		"home_pool":     {{"UPDATE crm_customers SET pool_id = 999999 WHERE id = {lying}", map[string]int{"home_pool": 1}}},
		"owner_member":  {{"UPDATE crm_members SET user_id = 'ghost' WHERE user_id = 'wang'", map[string]int{"owner_member": 1}}},
		"owner_counter": {{"DELETE FROM crm_counters WHERE user_id = 'wang'", map[string]int{"owner_counter": 1}}},
		"owner_log": {
			{"UPDATE crm_operations SET to_owner = 'wang' WHERE record_id = {busy}", map[string]int{"owner_log": 1}},
			{"DELETE FROM crm_operations WHERE record_id = {busy}", map[string]int{"owner_log": 1}},
			{"UPDATE crm_operations SET to_owner = 'li' WHERE record_id = {lost}", map[string]int{"owner_log": 1}},
		},
		"pool_log": {{"UPDATE crm_operations SET pool_id = {pool} WHERE record_id = {busy}", map[string]int{"pool_log": 1}}},
		"lock":     {{"UPDATE crm_customers SET lock_until = created_at WHERE id = {lying}", map[string]int{"lock": 1, "lock_log": 1}}},
		"lock_log": {
			{"UPDATE crm_customers SET lock_until = NULL WHERE id = {locked}", map[string]int{"lock_log": 1}},
			{"UPDATE crm_customers SET lock_until = created_at WHERE id = {busy}", map[string]int{"lock_log": 1}},
		},
		"version": {
			{"UPDATE crm_customers SET version = seq + 1 WHERE id = {busy}", map[string]int{"version": 1}},
			{"UPDATE crm_customers SET version = 0 WHERE id = {busy}", map[string]int{"version": 1}},
		},
		"events": {
			{"DELETE FROM crm_outbox WHERE subject_kind = 'customer' AND subject_id = {busy} AND seq = 2", map[string]int{"events": 1}},
			{"DELETE FROM crm_outbox WHERE subject_kind = 'customer' AND subject_id = {locked} AND seq = 2", map[string]int{"events": 1}},
			{"UPDATE crm_outbox SET delivered_at = at WHERE subject_kind = 'customer' AND subject_id = {busy} AND seq = 3", map[string]int{"events": 1}},
			{"DELETE FROM crm_outbox WHERE subject_kind = 'task' AND subject_id = {task} AND seq = 2", map[string]int{"events": 1}},
			{"DELETE FROM crm_outbox WHERE subject_kind = 'pool' AND subject_id = {private} AND seq = 2", map[string]int{"events": 1}},
			{"DELETE FROM crm_outbox WHERE subject_kind = 'customer' AND subject_id = {busy} AND seq < 3", map[string]int{}}, // purged
		},
		"audit": {
			{"DELETE FROM crm_audit WHERE subject_kind = 'customer' AND subject_id = {lying}", map[string]int{"audit": 1}},
			{"DELETE FROM crm_audit WHERE subject_kind = 'task' AND subject_id = {task}", map[string]int{"audit": 1}},
			{"UPDATE crm_tasks SET version = version + 1 WHERE id = {task}", map[string]int{"audit": 1, "events": 1}},
			{"DELETE FROM crm_audit WHERE subject_kind = 'pool' AND subject_id = {private} AND type = 'pool.members_set'", map[string]int{"audit": 1}},
		},
		"facts":            {{"DELETE FROM crm_customer_facts WHERE customer_id = {lying}", map[string]int{"facts": 1}}},
		"interactions":     {{"UPDATE crm_customer_facts SET interactions = 1 WHERE customer_id = {busy}", map[string]int{"interactions": 1}}},
		"last_interaction": {{"UPDATE crm_customer_facts SET last_interaction_at = NULL WHERE customer_id = {busy}", map[string]int{"last_interaction": 1}}},
		"orders":           {{"UPDATE crm_customer_facts SET orders = 9 WHERE customer_id = {won}", map[string]int{"orders": 1}}},
		"opportunities": {
			{"UPDATE crm_customer_facts SET open_opportunities = 0 WHERE customer_id = {busy}", map[string]int{"opportunities": 1}},
			{"UPDATE crm_opportunities SET status = 'lost' WHERE customer_id = {busy}", map[string]int{"opportunities": 1}},
		},
		"contracts":     {{"UPDATE crm_contracts SET status = 3 WHERE customer_id = {busy}", map[string]int{"contracts": 1}}},
		"stage_log":     {{"UPDATE crm_opportunities SET stage_id = (SELECT max(id) FROM crm_stages) WHERE customer_id = {busy}", map[string]int{"stage_log": 1}}},
		"unique_number": {{"DROP INDEX crm_uq_quotes_number; UPDATE crm_quotes SET number = 'x'", map[string]int{"unique_number": 2}}, {"DROP INDEX crm_uq_contracts_number; UPDATE crm_contracts SET number = 'x' WHERE id <> {signed}", map[string]int{"unique_number": 2}}, {"DROP INDEX crm_uq_payments_number; UPDATE crm_payments SET number = 'x'", map[string]int{"unique_number": 2}}, {"DROP INDEX crm_uq_invoices_number; UPDATE crm_invoices SET number = 'x'", map[string]int{"unique_number": 2}}},
		"totals": {
			{"UPDATE crm_contracts SET subtotal = subtotal + 1 WHERE id = {signed}", map[string]int{"totals": 1}},
			{"UPDATE crm_quote_lines SET header_discount = 1 WHERE name = 'x'", map[string]int{"totals": 1}},
			{"UPDATE crm_contracts SET tax_total = tax_total + 1 WHERE id = {signed}", map[string]int{"totals": 1}},
		},
		"plan_sum":      {{"UPDATE crm_plans SET amount = amount + 1 WHERE contract_id = {signed}", map[string]int{"plan_sum": 1}}},
		"received":      {{"UPDATE crm_contracts SET received = received + 1, credit = credit + 1 WHERE id = {signed}", map[string]int{"received": 1}}},
		"credit":        {{"UPDATE crm_contracts SET credit = credit + 1 WHERE id = {signed}", map[string]int{"credit": 1}}},
		"invoiced":      {{"UPDATE crm_contracts SET invoiced = invoiced + 1 WHERE id = {signed}", map[string]int{"invoiced": 1}}},
		"over_invoiced": {{"UPDATE crm_contracts SET grand_total = 0, net_total = 0, tax_total = 0 WHERE id = {signed}", map[string]int{"over_invoiced": 1, "plan_sum": 1}}},
		"paid": {
			{"UPDATE crm_plans SET paid = paid + 1 WHERE contract_id = {signed}", map[string]int{"paid": 1}},
			{"UPDATE crm_plans SET status = 3 WHERE contract_id = {signed}", map[string]int{"paid": 1}},
		},
		"rates": {{"UPDATE crm_invoices SET net = net + 1 WHERE id = {invoice}", map[string]int{"rates": 1}}},
		"reds": {
			{"UPDATE crm_invoices SET status = 5 WHERE id = {invoice}", map[string]int{"reds": 1}},
			{"UPDATE crm_invoices SET status = 1 WHERE id = {invoice}", map[string]int{"reds": 1}},
		},
		"first_order":    {{"UPDATE crm_customer_facts SET first_order_at = last_order_at WHERE customer_id = {won}", map[string]int{"first_order": 1}}},
		"last_order":     {{"UPDATE crm_customer_facts SET last_order_at = first_order_at WHERE customer_id = {won}", map[string]int{"last_order": 1}}},
		"first_followup": {{"UPDATE crm_customers SET first_followup_at = last_followup_at WHERE id = {busy}", map[string]int{"first_followup": 1}}},
		"last_followup": {
			{"UPDATE crm_customers SET last_followup_at = first_followup_at WHERE id = {busy}", map[string]int{"last_followup": 1}},
			{"UPDATE crm_customers SET last_followup_at = NULL, first_followup_at = NULL WHERE id = {busy}", map[string]int{"first_followup": 1, "last_followup": 1}},
		},
		"unique_code":     {{"DROP INDEX crm_uq_customers_code; UPDATE crm_customers SET code = 'x' WHERE id IN ({busy}, {won})", map[string]int{"unique_code": 2}}},
		"unique_external": {{"DROP INDEX crm_uq_customers_external; UPDATE crm_customers SET external_system = 'x', external_id = 'x' WHERE id IN ({busy}, {won})", map[string]int{"unique_external": 2}}},
		"unique_phone":    {{"DROP INDEX crm_uq_contacts_phone; UPDATE crm_contacts SET phone_key = '1'", map[string]int{"unique_phone": 2}}},
		"one_primary":     {{"DROP INDEX crm_uq_contacts_primary; UPDATE crm_contacts SET is_primary = TRUE", map[string]int{"one_primary": 2}}},
		"one_default":     {{"DROP INDEX crm_uq_addresses_default; UPDATE crm_addresses SET is_default = TRUE", map[string]int{"one_default": 2}}},
		"unique_tag":      {{"DROP INDEX crm_uq_tags_name; UPDATE crm_tags SET name = 'x'", map[string]int{"unique_tag": 2}}},
		"unique_order":    {{"DROP INDEX crm_uq_orders_number; UPDATE crm_orders SET number = '1'", map[string]int{"unique_order": 4}}},
		"orphan": {
			{"UPDATE crm_pool_rules SET pool_id = 999999 WHERE name = 'mine'", map[string]int{"orphan": 1}},
			{"UPDATE crm_departments SET parent_id = 999999 WHERE id = {north}", map[string]int{"orphan": 1, "department_tree": 1}},
			{"UPDATE crm_members SET department_id = 999999 WHERE user_id = 'li'", map[string]int{"orphan": 1}},
			{"UPDATE crm_customer_facts SET customer_id = 999999 WHERE customer_id = {lying}", map[string]int{"orphan": 1, "facts": 1}},
			{"UPDATE crm_contacts SET customer_id = 999999 WHERE is_primary", map[string]int{"orphan": 1}},
			{"UPDATE crm_addresses SET customer_id = 999999 WHERE is_default", map[string]int{"orphan": 1}},
			{"UPDATE crm_customer_tags SET customer_id = 999999", map[string]int{"orphan": 1}},
			{"UPDATE crm_customer_tags SET tag_id = 999999", map[string]int{"orphan": 1}},
			{"UPDATE crm_interactions SET customer_id = 999999", map[string]int{"orphan": 2, "interactions": 1, "last_interaction": 1}},
			{"UPDATE crm_interactions SET contact_id = 999999", map[string]int{"orphan": 2}},
			{"UPDATE crm_tasks SET customer_id = 999999 WHERE id = {task}", map[string]int{"orphan": 1}},
			{"UPDATE crm_product_categories SET parent_id = 999999", map[string]int{"orphan": 1}},
			{"UPDATE crm_products SET category_id = 999999", map[string]int{"orphan": 1}},
			{"UPDATE crm_opportunities SET customer_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1, "opportunities": 1}},
			{"UPDATE crm_opportunities SET stage_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1, "stage_log": 1}},
			{"UPDATE crm_quotes SET customer_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1}},
			{"UPDATE crm_quotes SET opportunity_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1}},
			{"UPDATE crm_contracts SET customer_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1}},
			{"UPDATE crm_contracts SET opportunity_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1}},
			{"UPDATE crm_contracts SET quote_id = 999999 WHERE customer_id = {busy}", map[string]int{"orphan": 1}},
			{"UPDATE crm_plans SET contract_id = 999999 WHERE contract_id <> {signed}", map[string]int{"orphan": 2}},
			{"UPDATE crm_payments SET contract_id = 999999", map[string]int{"orphan": 2, "received": 1}},
			{"UPDATE crm_payments SET customer_id = 999999, plan_id = 999999", map[string]int{"orphan": 4}},
			{"UPDATE crm_invoices SET contract_id = 999999", map[string]int{"orphan": 2, "invoiced": 1}},
			{"UPDATE crm_invoices SET customer_id = 999999, payment_id = 999999", map[string]int{"orphan": 4}},
			{"UPDATE crm_invoices SET red_of_id = 999999 WHERE id <> {invoice}", map[string]int{"orphan": 1, "reds": 1}},
			{"UPDATE crm_orders SET customer_id = 999999", map[string]int{"orphan": 4, "orders": 2, "first_order": 2, "last_order": 2}},
		},
	}
	leadCorruptions(x, list)
	for _, cs := range list {
		for i := range cs {
			cs[i].does = of(cs[i].does)
		}
	}
	return list
}

// careless runs SQL in a transaction in which the database checks nothing. SQLite looks at foreign keys at the end, which
// never comes.
func careless(t *testing.T, tx *sql.Tx, p place, does string) {
	t.Helper()
	before := []string{"PRAGMA defer_foreign_keys = ON", "PRAGMA ignore_check_constraints = ON", "DROP TRIGGER crm_tr_audit_delete", "DROP TRIGGER crm_tr_operations_update", "DROP TRIGGER crm_tr_operations_delete"}
	if p.postgres() {
		before = []string{"ALTER TABLE crm_audit DISABLE TRIGGER USER", "ALTER TABLE crm_operations DISABLE TRIGGER USER", `DO $$ DECLARE c record; BEGIN
			FOR c IN SELECT conrelid::regclass::text AS tab, conname FROM pg_constraint
				WHERE connamespace = current_schema()::regnamespace AND contype IN ('c', 'f') ORDER BY contype DESC
			LOOP EXECUTE 'ALTER TABLE ' || c.tab || ' DROP CONSTRAINT ' || quote_ident(c.conname); END LOOP; END $$`}
	}
	for _, text := range slices.Concat(before, strings.Split(does, "; ")) {
		_, err := tx.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
}

// Each invariant is broken by hand, and Verify names it and nothing else.
func TestVerifyFindsWhatIsBroken(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		x := h.live()
		h.sound()
		h.agree()
		list := corruptions(x)
		require.ElementsMatch(t, checksOf(t, h), slices.Collect(maps.Keys(list)), "a check that nothing is known to break, or none for what is broken")
		for _, check := range slices.Sorted(maps.Keys(list)) {
			for _, c := range list[check] {
				tx, err := h.db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				careless(t, tx, p, c.does)
				for _, page := range []int{1, 3, 1_000} {
					report, err := h.In(tx).Verify(t.Context(), boss, &crm.VerifyOptions{Page: page})
					require.NoError(t, err, c.does)
					if len(c.want) == 0 {
						require.Empty(t, report.Findings, c.does)
					} else {
						require.Equal(t, c.want, report.ByCheck, "%s: %v", c.does, report.Findings)
					}
					for _, f := range report.Findings {
						if f.Check == "unique_phone" || f.Check == "unique_email" {
							require.Equal(t, strings.TrimPrefix(f.Check, "unique_"), f.Found, "what is masked elsewhere is not told here")
						}
					}
				}
				require.NoError(t, tx.Rollback())
				if !p.postgres() {
					h.exec("PRAGMA ignore_check_constraints = OFF")
				}
			}
		}
		h.sound()
	})
}

// checksOf are the names of all checks.
func checksOf(t *testing.T, h *house) (names []string) {
	t.Helper()
	require.NoError(t, h.store.Do(t.Context(), kernel.Read, func(_ context.Context, tx storage.Tx) error {
		for _, s := range tx.Verify().Sections() {
			names = append(names, s.Checks...)
		}
		return nil
	}))
	slices.Sort(names)
	return slices.Compact(names)
}

func number[I ~int64](id I) string { return strconv.FormatInt(int64(id), 10) }

// A finding counts when a second look finds it again.
func TestVerifyLooksTwice(t *testing.T) {
	t.Parallel()
	p := onFastFile(t)
	h := build(t, p)
	h.live()
	for times, want := range map[int]int{1: 0, 2: 1} {
		seen := &flickering{Store: h.store, left: times}
		c, err := crm.New(t.Context(), seen, &crm.Options{Clock: h.now})
		require.NoError(t, err)
		report, err := c.Verify(t.Context(), boss, nil)
		require.NoError(t, err)
		require.Equal(t, want, report.Total, "seen %d times", times)
	}
}

// flickering is a store that sees something wrong so many times.
type flickering struct {
	storage.Store
	left int
}

type (
	flickeringTx struct {
		storage.Tx
		s *flickering
	}
	flickeringLook struct {
		storage.VerifyRepository
		s *flickering
	}
)

func (s *flickering) Do(ctx context.Context, m kernel.Mode, fn func(context.Context, storage.Tx) error) error {
	return s.Store.Do(ctx, m, func(ctx context.Context, tx storage.Tx) error { return fn(ctx, flickeringTx{tx, s}) })
}

func (t flickeringTx) Verify() storage.VerifyRepository {
	return flickeringLook{t.Tx.Verify(), t.s}
}

func (l flickeringLook) Findings(ctx context.Context, t kernel.TenantID, look storage.Look) ([]storage.Finding, error) {
	found, err := l.VerifyRepository.Findings(ctx, t, look)
	if l.s.left > 0 {
		l.s.left--
		found = append(found, storage.Finding{Check: "flickers"})
	}
	return found, err
}
