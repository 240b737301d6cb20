// Package storagetest is the suite that every adapter runs. It goes through the use cases, as a host does:
//
//	func TestSuite(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
//			db := …                         // an empty database of the sub-test's own
//			return db, mystore.New(db)
//		})
//	}
//
// Tests read the tables only where a promise is about them, under their default names.
package storagetest

import (
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// Open gives a sub-test an empty database of its own, and a store on it. The database may be migrated already.
type Open func(t *testing.T) (*sql.DB, storage.Store)

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for _, topic := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"Customers", testCustomers},
		{"CustomerInput", testCustomerInput},
		{"Sync", testSync},
		{"Deals", testDeals},
		{"Contacts", testContacts},
		{"Addresses", testAddresses},
		{"Tags", testTags},
		{"Interactions", testInteractions},
		{"Tasks", testTasks},
		{"Timeline", testTimeline},
		{"Claim", testClaim},
		{"Release", testRelease},
		{"Assign", testAssign},
		{"Reasons", testReasons},
		{"Territories", testTerritories},
		{"AutoAssign", testAutoAssign},
		{"AutoAssignNew", testAutoAssignNew},
		{"AutoAssignRaces", testAutoAssignRaces},
		{"Pools", testPools},
		{"Moves", testMoves},
		{"PoolRights", testPoolRights},
		{"HandOver", testHandOver},
		{"HandOverSales", testHandOverSales},
		{"Locks", testLocks},
		{"KeyLocks", testKeyLocks},
		{"LockDue", testLockDue},
		{"Recycle", testRecycle},
		{"Calendars", testCalendars},
		{"Counting", testCounting},
		{"Due", testDue},
		{"Warnings", testWarnings},
		{"Private", testPrivate},
		{"Simulate", testSimulate},
		{"Patterns", testPatterns},
		{"Races", testRaces},
		{"AssignRaces", testAssignRaces},
		{"Host", testHost},
		{"Team", testTeam},
		{"Scope", testScope},
		{"Trail", testTrail},
		{"Report", testReport},
		{"Relay", testRelay},
		{"Masking", testMasking},
		{"DocumentMasking", testDocumentMasking},
		{"Opens", testOpens},
		{"Drop", testDrop},
		{"Migrate", testMigrate},
		{"Categories", testCategories},
		{"Products", testProducts},
		{"PriceLists", testPriceLists},
		{"Pipelines", testPipelines},
		{"Opportunities", testOpportunities},
		{"Quotes", testQuotes},
		{"QuoteNumbers", testQuoteNumbers},
		{"Contracts", testContracts},
		{"Payments", testPayments},
		{"PaymentRaces", testPaymentRaces},
		{"Invoices", testInvoices},
		{"ChangeOrders", testChangeOrders},
		{"Receivables", testReceivables},
		{"Leads", testLeads},
		{"LeadPool", testLeadPool},
		{"LeadConversion", testLeadConversion},
		{"LeadRaces", testLeadRaces},
		{"Analysis", testAnalysis},
		{"Forecast", testForecast},
		{"Orders", testOrders},
		{"Verify", testVerify},
		{"Texts", testTexts},
		{"Tenants", testTenants},
	} {
		t.Run(topic.name, func(t *testing.T) { topic.test(t, open) })
	}
}

const day = 24 * time.Hour

// The actors of the suite: boss is the system actor, li and wang sell, head leads their department, admin may do all.
var (
	boss  = crm.System("acme", "set-up")
	li    = crm.Actor{Tenant: "acme", User: "li"}
	wang  = crm.Actor{Tenant: "acme", User: "wang"}
	head  = crm.Actor{Tenant: "acme", User: "head"}
	admin = crm.Actor{Tenant: "acme", User: "admin"}

	otherBoss = crm.System("other", "set-up")
	otherLi   = crm.Actor{Tenant: "other", User: "li"}
)

// start is 00:30 on 28 February in Shanghai: close to midnight, to the end of a month, and a day earlier in UTC.
var start = time.Date(2026, 2, 27, 16, 30, 0, 0, time.UTC)

// bundle is a CRM on an empty store with two tenants, and a clock that the test moves.
type bundle struct {
	*crm.CRM
	t      *testing.T
	db     *sql.DB
	store  storage.Store
	sales  team.DepartmentID // of li, wang and head
	micros atomic.Int64
}

// setup makes the tenants acme (sellers li and wang in the department Sales, its head, an admin) and other (seller li).
// Rights are not kept: what a test changes counts at once, as in another process.
func setup(t *testing.T, open Open) *bundle {
	t.Helper()
	t.Parallel()
	db, store := open(t)
	require.NoError(t, store.Migrate(t.Context()))
	b := &bundle{t: t, db: db, store: store}
	b.micros.Store(start.UnixMicro())
	b.CRM = b.open(nil)
	ctx := t.Context()
	require.NoError(t, b.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	require.NoError(t, b.Team.CreateTenant(ctx, otherBoss, team.Tenant{Name: "Other"}))
	sales, err := b.Team.Departments.Create(ctx, boss, team.Department{Name: "Sales", Head: "head"})
	require.NoError(t, err)
	b.sales = sales.ID
	_, err = b.Team.Members.AddMany(ctx, boss, []team.Member{
		{User: "li", Role: team.Seller, Department: b.sales},
		{User: "wang", Role: team.Seller, Department: b.sales},
		{User: "head", Role: team.Head, Department: b.sales},
		{User: "admin", Role: team.Admin},
	})
	require.NoError(t, err)
	require.NoError(t, b.Team.Members.Add(ctx, otherBoss, team.Member{User: "li", Role: team.Seller}))
	return b
}

// open is another CRM on the same store and clock: another process, as far as memory goes.
func (b *bundle) open(change func(*crm.Options)) *crm.CRM {
	b.t.Helper()
	o := crm.Options{Clock: b.now, KeepRights: -1}
	if change != nil {
		change(&o)
	}
	c, err := crm.New(b.t.Context(), b.store, &o)
	require.NoError(b.t, err)
	return c
}

func (b *bundle) now() time.Time { return time.UnixMicro(b.micros.Load()) }

func (b *bundle) wait(d time.Duration) { b.micros.Add(d.Microseconds()) }

// create makes customers in the default pool, or of an owner.
func (b *bundle) create(n int, owner kernel.UserID) (ids []customer.ID) {
	b.t.Helper()
	cs := make([]*customer.Customer, n)
	for i := range cs {
		cs[i] = &customer.Customer{Name: "蓝鲸机械有限公司", Ownership: customer.Ownership{OwnerID: owner}}
	}
	_, err := b.Customers.CreateMany(b.t.Context(), boss, cs, kernel.AllOrNothing)
	require.NoError(b.t, err)
	for _, c := range cs {
		ids = append(ids, c.ID)
	}
	return ids
}

func (b *bundle) get(id customer.ID) *customer.Customer {
	b.t.Helper()
	c, err := b.Customers.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return c
}

func (b *bundle) owner(id customer.ID) kernel.UserID {
	b.t.Helper()
	return b.get(id).OwnerID
}

// settings changes the default pool.
func (b *bundle) settings(change func(*pool.Pool)) {
	b.t.Helper()
	p, err := b.Pool.Pools.Get(b.t.Context(), boss, 0)
	require.NoError(b.t, err)
	change(p)
	require.NoError(b.t, b.Pool.Pools.Update(b.t.Context(), boss, p))
}

// policy changes the tenant's caps and quotas.
func (b *bundle) policy(change func(*pool.Policy)) {
	b.t.Helper()
	p, err := b.Pool.Pools.Policy(b.t.Context(), boss)
	require.NoError(b.t, err)
	change(&p)
	require.NoError(b.t, b.Pool.Pools.SetPolicy(b.t.Context(), boss, p))
}

// members adds sellers called u0, u1, … and returns them as actors.
func (b *bundle) members(n int) []crm.Actor {
	b.t.Helper()
	actors, ms := make([]crm.Actor, n), make([]team.Member, n)
	for i := range ms {
		user := crm.UserID("u" + string(rune('0'+i/10)) + string(rune('0'+i%10)))
		actors[i], ms[i] = crm.Actor{Tenant: "acme", User: user}, team.Member{User: user, Role: team.Seller}
	}
	_, err := b.Team.Members.AddMany(b.t.Context(), boss, ms)
	require.NoError(b.t, err)
	return actors
}

// count runs a query that counts.
func (b *bundle) count(query string, args ...any) (n int) {
	b.t.Helper()
	require.NoError(b.t, b.db.QueryRowContext(b.t.Context(), query, args...).Scan(&n), query)
	return n
}

// agree recounts everything that is kept twice: places on the counter rows are owned customers that are not won, the
// operation log replays to the owners, every claim of the day is on the counter, every event follows the one before it,
// and an audit row and an event stand for every change.
func (b *bundle) agree() {
	b.t.Helper()
	for query, why := range map[string]string{
		`SELECT count(*) FROM crm_counters m WHERE m.kind = 'customer' AND m.places <> (SELECT count(*) FROM crm_customers c
			WHERE c.tenant_id = m.tenant_id AND c.owner_id = m.user_id AND c.deleted_at IS NULL AND c.stage <> 'won')`: "places differ from the customers",
		`SELECT count(*) FROM crm_customers c WHERE c.owner_id IS NOT NULL AND c.deleted_at IS NULL AND c.stage <> 'won' AND NOT EXISTS
			(SELECT 1 FROM crm_counters m WHERE m.tenant_id = c.tenant_id AND m.kind = 'customer' AND m.user_id = c.owner_id)`: "an owner has no counter",
		`SELECT count(*) FROM crm_customers c WHERE coalesce(c.owner_id, '') <> coalesce((SELECT o.to_owner FROM crm_operations o
			WHERE o.tenant_id = c.tenant_id AND o.kind = 'customer' AND o.record_id = c.id ORDER BY o.id DESC LIMIT 1), '')`: "the log does not replay to the owner",
		`SELECT count(*) FROM crm_counters m WHERE m.claims_day <> '' AND m.claims_used > (SELECT count(*) FROM crm_operations o
			WHERE o.tenant_id = m.tenant_id AND o.kind = m.kind AND o.action = 'claim' AND o.to_owner = m.user_id)`: "more claims counted than logged",
		`SELECT count(*) FROM crm_customers c WHERE c.seq <> (SELECT count(*) FROM crm_outbox e
			WHERE e.tenant_id = c.tenant_id AND e.subject_kind = 'customer' AND e.subject_id = c.id)`: "events are missing or too many",
		`SELECT abs((SELECT count(*) FROM crm_outbox) - (SELECT count(*) FROM crm_audit))`:                                         "audit rows and events differ in number",
		`SELECT count(*) FROM crm_customers c WHERE c.lock_until IS NOT NULL AND (c.owner_id IS NULL OR c.deleted_at IS NOT NULL)`: "a lock without an owner",
		`SELECT count(*) FROM crm_customers c WHERE c.deleted_at IS NULL AND (c.lock_until IS NOT NULL) <> (coalesce((SELECT o.action FROM crm_operations o
			WHERE o.tenant_id = c.tenant_id AND o.kind = 'customer' AND o.record_id = c.id AND o.action <> 'move' ORDER BY o.id DESC LIMIT 1), '') = 'lock')`: "the log does not replay to the lock",
		`SELECT count(*) FROM crm_customers c WHERE NOT EXISTS (SELECT 1 FROM crm_customer_facts f
			WHERE f.tenant_id = c.tenant_id AND f.customer_id = c.id)`: "a customer has no facts",
	} {
		require.Zero(b.t, b.count(query), why)
	}
	b.verify()
}

// operations counts lines of the operation log.
func (b *bundle) operations(action customer.Action) int {
	b.t.Helper()
	return b.count("SELECT count(*) FROM crm_operations WHERE action = '" + string(action) + "'")
}

func requireRefusal(t *testing.T, err error, reason kernel.Reason) *pool.Refusal {
	t.Helper()
	var r *pool.Refusal
	require.ErrorAs(t, err, &r)
	require.ErrorIs(t, err, reason)
	require.Equal(t, reason, r.Reason)
	if reason == pool.NotFound {
		require.ErrorIs(t, err, crm.ErrNotFound)
	} else {
		require.ErrorIs(t, err, crm.ErrRefused)
	}
	return r
}

// requireError checks code, reason and field of an error.
func requireError(t *testing.T, err error, code kernel.Code, reason kernel.Reason, field string) *crm.Error {
	t.Helper()
	require.ErrorIs(t, err, code)
	var e *crm.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, reason, e.Reason, err)
	require.Equal(t, field, e.Field, err)
	return e
}

// together runs fn n times at once.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; fn(i) })
	}
	close(gate)
	wg.Wait()
}

// insist repeats a call that is told to retry: nothing was written.
func insist(call func() error) (err error) {
	for range 20 {
		if err = call(); !errors.Is(err, crm.ErrRetry) {
			return err
		}
	}
	return err
}
