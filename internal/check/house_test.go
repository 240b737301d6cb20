package check

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

const day = 24 * time.Hour

// The actors: boss is the system actor, li and wang sell, head leads their department.
var (
	boss = crm.System("acme", "check")
	li   = crm.Actor{Tenant: "acme", User: "li"}
	wang = crm.Actor{Tenant: "acme", User: "wang"}
	head = crm.Actor{Tenant: "acme", User: "head"}
)

// noon is when the clocks of the tests begin: far from midnight in the tenant's zone, so that a day's quota is one day's.
var noon = time.Date(2026, 2, 27, 4, 0, 0, 0, time.UTC)

// place is a database that several processes can open.
type place struct{ Driver, DSN string }

func (p place) open() (*sql.DB, error) {
	db, err := sql.Open(p.Driver, p.DSN)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	if strings.HasPrefix(p.DSN, ":memory:") { // a database in memory lives in its connection
		db.SetMaxOpenConns(1)
	}
	return db, nil
}

func (p place) store(db *sql.DB) storage.Store {
	if p.postgres() {
		return postgres.New(db, nil)
	}
	return sqlite.New(db, nil)
}

func (p place) postgres() bool { return p.Driver == "pgx" }

// onFile is a new SQLite file as hosts open it: every commit is on disk.
func onFile(t testing.TB) place {
	return place{"sqlite", sqlite.DSN(filepath.Join(t.TempDir(), "check.db"))}
}

// onFastFile is one that does not wait for the disk, for tests that end no process.
func onFastFile(t testing.TB) place {
	p := onFile(t)
	p.DSN = strings.Replace(p.DSN, "synchronous(FULL)", "synchronous(OFF)", 1)
	return p
}

// onServer is a data source name as hosts are told to write it.
func onServer(dsn string) place {
	const mode = "default_query_exec_mode=exec"
	switch {
	case !strings.Contains(dsn, "://"):
		dsn += " " + mode
	case strings.Contains(dsn, "?"):
		dsn += "&" + mode
	default:
		dsn += "?" + mode
	}
	return place{"pgx", dsn}
}

// onBoth runs a test on both engines at once. Fresh makes an empty database; where it can have none on PostgreSQL it skips
// the test, loudly.
func onBoth(t *testing.T, test func(t *testing.T, fresh func(t *testing.T) place)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) place { return onFastFile(t) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) place { return onServer(testpostgres.DSN(t)) })
	})
}

// tester is what a *testing.T and a *rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
	Cleanup(fn func())
}

// house is a CRM with the tenant acme, on a database of its own and with a clock that the test moves.
type house struct {
	*crm.CRM
	t      tester
	db     *sql.DB
	store  storage.Store
	micros atomic.Int64
}

// build makes a house on an empty database.
func build(t tester, p place) *house {
	t.Helper()
	db, err := p.open()
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return furnish(t, db, p.store(db))
}

// furnish migrates a store and makes the tenant acme with its members. Rights are not kept, as if every call came from
// another process.
func furnish(t tester, db *sql.DB, store storage.Store) *house {
	t.Helper()
	h := &house{t: t, db: db, store: store}
	h.micros.Store(noon.UnixMicro())
	ctx := context.Background()
	require.NoError(t, store.Migrate(ctx))
	c, err := crm.New(ctx, store, &crm.Options{Clock: h.now, KeepRights: -1})
	require.NoError(t, err)
	h.CRM = c
	require.NoError(t, c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	sales, err := c.Team.Departments.Create(ctx, boss, team.Department{Name: "Sales", Head: "head"})
	require.NoError(t, err)
	_, err = c.Team.Members.AddMany(ctx, boss, []team.Member{
		{User: "li", Role: team.Seller, Department: sales.ID},
		{User: "wang", Role: team.Seller, Department: sales.ID},
		{User: "head", Role: team.Head, Department: sales.ID},
	})
	require.NoError(t, err)
	return h
}

func (h *house) now() time.Time { return time.UnixMicro(h.micros.Load()) }

func (h *house) wait(d time.Duration) { h.micros.Add(d.Microseconds()) }

// create makes customers of an owner, or in the default pool.
func (h *house) create(n int, owner kernel.UserID) (ids []customer.ID) {
	h.t.Helper()
	cs := make([]*customer.Customer, n)
	for i := range cs {
		cs[i] = &customer.Customer{Name: "蓝鲸机械有限公司", Ownership: customer.Ownership{OwnerID: owner}}
	}
	_, err := h.Customers.CreateMany(context.Background(), boss, cs, kernel.AllOrNothing)
	require.NoError(h.t, err)
	for _, c := range cs {
		ids = append(ids, c.ID)
	}
	return ids
}

// settings changes the default pool.
func (h *house) settings(change func(*pool.Pool)) {
	h.t.Helper()
	p, err := h.Pool.Pools.Get(context.Background(), boss, 0)
	require.NoError(h.t, err)
	change(p)
	require.NoError(h.t, h.Pool.Pools.Update(context.Background(), boss, p))
}

// policy changes the tenant's caps and quotas.
func (h *house) policy(change func(*pool.Policy)) {
	h.t.Helper()
	p, err := h.Pool.Pools.Policy(context.Background(), boss)
	require.NoError(h.t, err)
	change(&p)
	require.NoError(h.t, h.Pool.Pools.SetPolicy(context.Background(), boss, p))
}

// free lets everybody claim and open as much as they like.
func (h *house) free() {
	h.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
	h.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota, p.OpenLimit = 1_000_000, 1_000_000, 1_000_000 })
}

// exec runs SQL of the test's own.
func (h *house) exec(query string, args ...any) {
	h.t.Helper()
	_, err := h.db.ExecContext(context.Background(), query, args...)
	require.NoError(h.t, err, query)
}

// count runs a query that counts.
func (h *house) count(query string, args ...any) (n int) {
	h.t.Helper()
	require.NoError(h.t, h.db.QueryRowContext(context.Background(), query, args...).Scan(&n), query)
	return n
}

// truths recount everything that is kept twice, as storagetest does; each query must find nothing.
var truths = map[string]string{
	"places differ from the customers": `SELECT count(*) FROM crm_counters m WHERE m.kind = 'customer' AND m.places <> (SELECT count(*) FROM crm_customers c
		WHERE c.tenant_id = m.tenant_id AND c.owner_id = m.user_id AND c.deleted_at IS NULL AND c.stage <> 'won')`,
	"an owner has no counter": `SELECT count(*) FROM crm_customers c WHERE c.owner_id IS NOT NULL AND c.deleted_at IS NULL AND c.stage <> 'won'
		AND NOT EXISTS (SELECT 1 FROM crm_counters m WHERE m.tenant_id = c.tenant_id AND m.kind = 'customer' AND m.user_id = c.owner_id)`,
	"the log does not replay to the owner": `SELECT count(*) FROM crm_customers c WHERE coalesce(c.owner_id, '') <> coalesce((SELECT o.to_owner
		FROM crm_operations o WHERE o.tenant_id = c.tenant_id AND o.kind = 'customer' AND o.record_id = c.id ORDER BY o.id DESC LIMIT 1), '')`,
	"more claims counted than logged": `SELECT count(*) FROM crm_counters m WHERE m.claims_day <> '' AND m.claims_used > (SELECT count(*)
		FROM crm_operations o WHERE o.tenant_id = m.tenant_id AND o.kind = m.kind AND o.action = 'claim' AND o.to_owner = m.user_id)`,
	"events are missing or too many": `SELECT count(*) FROM crm_customers c WHERE c.seq <> (SELECT count(*) FROM crm_outbox e
		WHERE e.tenant_id = c.tenant_id AND e.subject_kind = 'customer' AND e.subject_id = c.id)`,
	"an event without its predecessor": `SELECT count(*) FROM crm_outbox e WHERE e.seq > 1 AND NOT EXISTS (SELECT 1 FROM crm_outbox b
		WHERE b.tenant_id = e.tenant_id AND b.subject_kind = e.subject_kind AND b.subject_id = e.subject_id AND b.seq = e.seq - 1)`,
	"audit rows and events differ in number": `SELECT abs((SELECT count(*) FROM crm_outbox) - (SELECT count(*) FROM crm_audit))`,
	"a customer has no facts": `SELECT count(*) FROM crm_customers c WHERE NOT EXISTS (SELECT 1 FROM crm_customer_facts f
		WHERE f.tenant_id = c.tenant_id AND f.customer_id = c.id)`,
	"orders differ from the facts": `SELECT count(*) FROM crm_customer_facts f WHERE f.orders <> (SELECT count(*) FROM crm_orders o
		WHERE o.tenant_id = f.tenant_id AND o.customer_id = f.customer_id AND o.status <> 'cancelled')`,
	"interactions differ from the facts": `SELECT count(*) FROM crm_customer_facts f WHERE f.interactions <> (SELECT count(*) FROM crm_interactions i
		WHERE i.tenant_id = f.tenant_id AND i.customer_id = f.customer_id AND i.deleted_at IS NULL)`,
	"a lock without an owner": `SELECT count(*) FROM crm_customers c WHERE c.lock_until IS NOT NULL AND (c.owner_id IS NULL OR c.deleted_at IS NOT NULL)`,
	"the log does not replay to the lock": `SELECT count(*) FROM crm_customers c WHERE c.deleted_at IS NULL AND (c.lock_until IS NOT NULL) <>
		(coalesce((SELECT o.action FROM crm_operations o WHERE o.tenant_id = c.tenant_id AND o.kind = 'customer' AND o.record_id = c.id AND o.action <> 'move'
			ORDER BY o.id DESC LIMIT 1), '') = 'lock')`,
	"a task's events are not its versions": `SELECT count(*) FROM crm_tasks j WHERE j.version <> (SELECT count(*) FROM crm_outbox e
		WHERE e.tenant_id = j.tenant_id AND e.subject_kind = 'task' AND e.subject_id = j.id)`,
	"a counter is open or closed, and its member is not": `SELECT count(*) FROM crm_members m LEFT JOIN crm_counters k ON k.tenant_id = m.tenant_id
		AND k.user_id = m.user_id AND k.kind = 'customer' WHERE (m.inactive_since IS NOT NULL) <> coalesce(k.closed, false)`,
	"a request without an outcome": `SELECT count(*) FROM crm_requests WHERE outcome IS NULL`,
}

// agree fails the test where two things that must say the same do not.
func (h *house) agree(about ...any) {
	h.t.Helper()
	for why, query := range truths {
		require.Zero(h.t, h.count(query), append([]any{why}, about...)...)
	}
}

// insist repeats a call that is told to retry: nothing was written.
func insist(call func() error) (err error) {
	for range 50 {
		if err = call(); !errors.Is(err, crm.ErrRetry) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return err
}
