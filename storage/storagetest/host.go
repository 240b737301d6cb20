package storagetest

import (
	"context"
	"database/sql"
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
)

// breaker cancels the caller's context when a statement with a word comes by.
type breaker struct {
	storage.Conn
	word   string
	cancel func()
}

func (b breaker) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if strings.Contains(query, b.word) {
		b.cancel()
	}
	return b.Conn.ExecContext(ctx, query, args...)
}

// begin is a transaction of the host.
func (b *bundle) begin() *sql.Tx {
	b.t.Helper()
	tx, err := b.db.BeginTx(context.Background(), nil)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func testHost(t *testing.T, open Open) {
	for _, conns := range []int{1, 20} { // a pool of one shows any query that does not go through the host's transaction
		for _, commit := range []bool{true, false} {
			name := map[bool]string{true: "all or nothing: committed", false: "all or nothing: rolled back"}[commit]
			t.Run(name+map[int]string{1: ", on one connection", 20: ""}[conns], func(t *testing.T) { hostStory(t, setup(t, open), conns, commit) })
		}
	}
	t.Run("every use case runs inside the host's transaction on one connection", func(t *testing.T) {
		b := setup(t, open)
		b.db.SetMaxOpenConns(1)
		ids := b.create(3, "li")
		tx := b.begin()
		in := b.In(tx)
		everyUseCase(t, b, in, ids)
		require.NoError(t, tx.Commit())
		b.agree()
	})
	t.Run("a tenant that the host's transaction makes can be used in it, and is gone with it", func(t *testing.T) {
		b := setup(t, open)
		tx := b.begin()
		in := b.In(tx)
		fresh := crm.System("fresh", "sign-up")
		require.NoError(t, in.Team.CreateTenant(t.Context(), fresh, team.Tenant{Name: "Fresh"}))
		require.NoError(t, in.Team.Members.Add(t.Context(), fresh, team.Member{User: "li", Role: team.Seller}))
		freshLi := crm.Actor{Tenant: "fresh", User: "li"}
		require.NoError(t, in.Customers.Create(t.Context(), freshLi, &customer.Customer{Name: "x"}))
		require.NoError(t, tx.Rollback())
		require.ErrorIs(t, b.Customers.Create(t.Context(), freshLi, &customer.Customer{Name: "x"}), crm.ErrNotFound)
		require.NoError(t, b.Team.CreateTenant(t.Context(), fresh, team.Tenant{Name: "Fresh"}))
	})
	t.Run("a connection that is no *sql.Tx joins too", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(1, "")
		for _, want := range []crm.UserID{"", "li"} {
			conn, err := b.db.Conn(t.Context())
			require.NoError(t, err)
			_, err = conn.ExecContext(t.Context(), "BEGIN")
			require.NoError(t, err)
			require.NoError(t, b.In(conn).Pool.Claim(t.Context(), li, ids[0]))
			_, err = conn.ExecContext(t.Context(), map[crm.UserID]string{"": "ROLLBACK", "li": "COMMIT"}[want])
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.Equal(t, want, b.owner(ids[0]))
		}
	})
	t.Run("an open place is lost to a commit that comes first", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		ids := b.create(2, "")
		tx := b.begin()
		require.NoError(t, b.In(tx).Pool.Claim(t.Context(), li, ids[0]))
		second := make(chan error)
		go func() { second <- insist(func() error { return b.Pool.Claim(t.Context(), li, ids[1]) }) }()
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, tx.Commit())
		requireRefusal(t, <-second, pool.CapReached)
		b.agree()
	})
	t.Run("claim and release inside one transaction meet the cool-down", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection = 0 })
		id := b.create(1, "")[0]
		tx := b.begin()
		in := b.In(tx)
		require.NoError(t, in.Pool.Claim(t.Context(), li, id))
		require.NoError(t, in.Pool.Release(t.Context(), li, id, nil))
		requireRefusal(t, in.Pool.Claim(t.Context(), li, id), pool.CoolDown)
		require.NoError(t, tx.Commit())
		requireRefusal(t, b.Pool.Claim(t.Context(), li, id), pool.CoolDown)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
		b.agree()
	})
	t.Run("a commit that fails leaves nothing", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := b.db.BeginTx(ctx, nil)
		require.NoError(t, err)
		require.NoError(t, b.In(tx).Pool.Claim(t.Context(), li, id))
		cancel() // database/sql rolls back
		require.Error(t, tx.Commit())
		require.Empty(t, b.owner(id))
		b.agree()
	})
	t.Run("a cancelled context writes nothing and says that the call may be tried again", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range []error{
			b.Customers.Create(ctx, li, &customer.Customer{Name: "x"}), b.Pool.Release(ctx, li, id, nil),
		} {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.ErrorIs(t, b.Pool.Claim(ctx, li, id), context.Canceled)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
}

func hostStory(t *testing.T, b *bundle, conns int, commit bool) {
	b.policy(func(p *pool.Policy) { p.Cap = 1 })
	ids := append(b.create(1, ""), b.create(1, "wang")...)
	b.db.SetMaxOpenConns(conns)
	_, err := b.db.Exec("CREATE TABLE erp_orders (id TEXT PRIMARY KEY, customer_id BIGINT)")
	require.NoError(t, err)
	tx := b.begin()
	in := b.In(tx)
	require.NoError(t, in.Pool.Claim(t.Context(), li, ids[0]))
	requireRefusal(t, in.Pool.Claim(t.Context(), li, ids[1]), pool.Taken) // and tx is still usable
	require.NoError(t, in.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Code: "K"}))
	require.ErrorIs(t, in.Customers.Create(t.Context(), li, &customer.Customer{Name: "y", Code: "K"}), crm.ErrConflict)
	noPlace := &customer.Customer{Name: "z", Ownership: customer.Ownership{OwnerID: "li"}}
	require.ErrorIs(t, in.Customers.Create(t.Context(), li, noPlace), crm.ErrRefused) // after its insert
	cancelled, cancel := context.WithCancel(t.Context())
	half := b.In(breaker{tx, "customer_facts", cancel}) // in the middle, after the customer's insert
	require.ErrorIs(t, half.Customers.Create(cancelled, li, &customer.Customer{Name: "half"}), context.Canceled)
	l, err := in.Customers.List(t.Context(), boss, customer.Filter{}, crm.Page{})
	require.NoError(t, err)
	require.Len(t, l.Items, 3)
	_, err = in.Pool.Recycle(t.Context(), boss, nil)
	requireError(t, err, crm.ErrInvalid, kernel.OwnCommits, "")
	require.ErrorIs(t, in.Team.DropTenant(t.Context(), boss, nil), crm.ErrInvalid)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO erp_orders VALUES ('o1', $1)", int64(ids[0]))
	require.NoError(t, err)

	if !commit {
		require.NoError(t, tx.Rollback())
		require.Empty(t, b.owner(ids[0]))
		b.agree()
		b.create(70, "") // ids that were taken inside the rolled back transaction are not handed out twice
		return
	}
	require.NoError(t, tx.Commit())
	require.Equal(t, crm.UserID("li"), b.owner(ids[0]))
	require.Equal(t, 1, b.count("SELECT count(*) FROM erp_orders"))
	b.agree()
}

// everyUseCase calls each of them once on a CRM that is joined to a transaction.
func everyUseCase(t *testing.T, b *bundle, in *crm.CRM, ids []customer.ID) {
	ctx := t.Context()
	c, err := in.Customers.Get(ctx, li, ids[0])
	require.NoError(t, err)
	c.Industry = "C35"
	_, _, errCount := in.Customers.Count(ctx, li, customer.Filter{})
	_, errList := in.Customers.List(ctx, li, customer.Filter{}, crm.Page{})
	_, errMany := in.Customers.GetMany(ctx, li, ids)
	_, errSync := in.Customers.Sync(ctx, boss, []*customer.Customer{{Name: "s", ExternalSystem: "erp", ExternalID: "1"}}, nil)
	_, errDeal := in.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: ids[0], Number: "1", At: b.now(), Amount: decimal.NewFromInt(1)})
	_, errFacts := in.Customers.Facts(ctx, li, ids[0])
	_, errLog := in.Pool.Log(ctx, li, customer.OperationFilter{}, crm.Page{})
	_, errPools := in.Pool.Pools.List(ctx, li, crm.Page{})
	_, errAudit := in.Team.Trail.Audit(ctx, boss, team.TrailFilter{}, crm.Page{})
	_, errEvents := in.Team.Trail.Events(ctx, boss, team.TrailFilter{}, crm.Page{})
	_, errRights := in.Team.Rights(ctx, li)
	own := &pool.Pool{Name: "own"}
	require.NoError(t, in.Pool.Pools.Create(ctx, boss, own))
	_, errThere := in.Pool.MoveToPool(ctx, boss, ids[:1], own.ID, pool.AllOrNothing, nil)
	_, errBack := in.Pool.MoveToPool(ctx, boss, ids[:1], 0, pool.AllOrNothing, nil)
	assignNew(ctx, t, in, true)
	errTerritory := in.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "all", Members: []kernel.UserID{"li"}, Enabled: true})
	errNew := in.Customers.Create(ctx, boss, &customer.Customer{Name: "new"})
	assignNew(ctx, t, in, false)
	_, errAuto := in.Pool.AutoAssign(ctx, boss, ids)
	_, errWhy := in.Pool.ExplainTerritory(ctx, boss, ids[0])
	_, errTime := in.Customers.Timeline(ctx, li, ids[0], crm.Page{})
	_, errDue := in.Customers.Tasks.List(ctx, li, customer.TaskFilter{Owners: []crm.UserID{"li"}}, crm.Page{})
	task := &customer.Task{CustomerID: ids[0], Subject: "x", DueAt: b.now()}
	for name, err := range map[string]error{
		"count": errCount, "list": errList, "get many": errMany, "sync": errSync, "deal": errDeal, "facts": errFacts, "log": errLog, "pools": errPools,
		"audit": errAudit, "events": errEvents, "rights": errRights, "timeline": errTime, "move": errThere, "move back": errBack,
		"territory": errTerritory, "new": errNew, "auto-assign": errAuto, "explain territory": errWhy,
		"stage":     in.Customers.SetStage(ctx, li, ids[1], customer.Lost, "x"),
		"blacklist": in.Customers.Blacklist(ctx, boss, ids[1], "x"),
		"lift":      in.Customers.Unblacklist(ctx, boss, ids[1]),
		"add":       in.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: ids[1], Type: customer.Call, Subject: "x", Followup: true}),
		"member":    in.Team.Members.Add(ctx, boss, team.Member{User: "new", Role: team.Seller}),
		"defaults":  in.Pool.UseDefaults(ctx, boss, 0),
		"release":   in.Pool.Release(ctx, li, ids[2], nil),
		"reasons":   in.Pool.Pools.SetReasons(ctx, boss, []string{"x"}),
		"delete":    in.Pool.Pools.Delete(ctx, boss, own.ID, 0),
		"lock":      in.Pool.Lock(ctx, li, ids[1], time.Time{}, "x"),
		"task":      in.Customers.Tasks.Create(ctx, li, task),
		"due":       errDue,
		"unlock":    in.Pool.Unlock(ctx, li, ids[1]),
		"assign":    in.Pool.Assign(ctx, boss, ids[0], "new", nil),
	} {
		require.NoError(t, err, name)
	}
	require.NoError(t, in.Customers.Delete(ctx, boss, ids[2], 2))
	_, err = in.Customers.Restore(ctx, boss, ids[2])
	require.NoError(t, err)
	require.NoError(t, in.Customers.Tasks.Done(ctx, boss, task.ID))
	_, err = in.HandOver.Plan(ctx, boss, "new", &crm.HandOverOptions{Successors: []crm.UserID{"li"}})
	require.NoError(t, err)
}
