package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

// connector opens connections whose commits are counted, and can be made to fail.
type connector struct {
	driver  driver.Driver
	dsn     string
	commits atomic.Int64
	broken  atomic.Bool
}

func (c *connector) Driver() driver.Driver { return c.driver }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &connection{conn.(fullConn), c}, nil
}

type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.QueryerContext
	driver.ExecerContext
}

type connection struct {
	fullConn
	of *connector
}

func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.fullConn.BeginTx(ctx, opts)
	return transaction{tx, c.of}, err
}

type transaction struct {
	driver.Tx
	of *connector
}

var errDisk = errors.New("the disk is gone")

func (t transaction) Commit() error {
	t.of.commits.Add(1)
	if t.of.broken.Load() {
		return errors.Join(errDisk, t.Rollback())
	}
	return t.Tx.Commit()
}

// house is a CRM with a tenant, on a store that commits in groups.
type house struct {
	*crm.CRM
	*connector
	db    *sql.DB
	store storage.Store
	t     *testing.T
}

var (
	boss = crm.System("acme", "set-up")
	li   = crm.Actor{Tenant: "acme", User: "li"}
)

func newHouse(t *testing.T) *house {
	t.Helper()
	plain := open(t, fast(path(t)))
	h := &house{connector: &connector{driver: plain.Driver(), dsn: fast(path(t))}, t: t}
	h.db = sql.OpenDB(h.connector)
	t.Cleanup(func() { h.db.Close() })
	h.store = sqlite.New(h.db, &sqlite.Options{GroupCommit: true})
	require.NoError(t, h.store.Migrate(t.Context()))
	var err error
	h.CRM, err = crm.New(t.Context(), h.store, nil)
	require.NoError(t, err)
	require.NoError(t, h.Team.CreateTenant(t.Context(), boss, team.Tenant{Name: "Acme"}))
	require.NoError(t, h.Team.Members.Add(t.Context(), boss, team.Member{User: "li", Role: team.Seller}))
	_, err = h.Customers.Get(t.Context(), li, 1) // its rights are kept from here on
	require.ErrorIs(t, err, crm.ErrNotFound)
	return h
}

// whileLocked starts calls one after the other, while a transaction of somebody else holds the lock, and lets them go on
// together. It returns their errors, and how many commits there were.
func (h *house) whileLocked(n int, call func(i int) error) (errs []error, commits int64) {
	h.t.Helper()
	lock, err := h.db.BeginTx(h.t.Context(), nil)
	require.NoError(h.t, err)
	errs = make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = call(i) })
		time.Sleep(5 * time.Millisecond)
	}
	before := h.commits.Load()
	require.NoError(h.t, lock.Rollback())
	all.Wait()
	return errs, h.commits.Load() - before
}

func (h *house) customers() (n int) {
	h.t.Helper()
	require.NoError(h.t, h.db.QueryRowContext(h.t.Context(), "SELECT count(*) FROM crm_customers").Scan(&n))
	return n
}

func create(ctx context.Context, c *crm.CRM, code string) error {
	return c.Customers.Create(ctx, boss, &customer.Customer{Name: "x", Code: code})
}

func TestGroupCommit(t *testing.T) {
	t.Run("those who wait share a commit", func(t *testing.T) {
		h := newHouse(t)
		errs, commits := h.whileLocked(20, func(int) error { return create(t.Context(), h.CRM, "") })
		require.Equal(t, make([]error, 20), errs)
		require.LessOrEqual(t, commits, int64(2))
		require.Equal(t, 20, h.customers())
	})
	t.Run("one that fails takes back nothing but its own, first or not", func(t *testing.T) {
		h := newHouse(t)
		require.NoError(t, create(t.Context(), h.CRM, "K"))
		errs, commits := h.whileLocked(6, func(i int) error {
			if i%2 == 0 {
				return create(t.Context(), h.CRM, "K")
			}
			return create(t.Context(), h.CRM, "")
		})
		for i, err := range errs {
			if i%2 == 0 {
				require.ErrorIs(t, err, crm.ErrConflict)
			} else {
				require.NoError(t, err)
			}
		}
		require.LessOrEqual(t, commits, int64(2))
		require.Equal(t, 4, h.customers())
	})
	t.Run("a commit that fails fails for all, and no id of it is given twice", func(t *testing.T) {
		h := newHouse(t)
		h.broken.Store(true)
		errs, _ := h.whileLocked(5, func(int) error { return create(t.Context(), h.CRM, "") })
		for _, err := range errs {
			require.ErrorIs(t, err, crm.ErrUnknownOutcome)
			require.ErrorIs(t, err, errDisk)
		}
		require.Zero(t, h.customers())
		h.broken.Store(false)
		for range 70 { // more than a block of ids
			require.NoError(t, create(t.Context(), h.CRM, ""))
		}
		require.Equal(t, 70, h.customers())
	})
	t.Run("whoever loses patience while waiting goes, whoever leads", func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithCancel(t.Context())
		errs, _ := h.whileLocked(4, func(i int) error {
			if i == 3 {
				cancel()
			}
			if i%2 == 0 {
				return create(ctx, h.CRM, "")
			}
			return create(t.Context(), h.CRM, "") //nolint:contextcheck // this one has patience
		})
		for i, err := range errs {
			if i%2 == 0 {
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, crm.ErrRetry)
			} else {
				require.NoError(t, err)
			}
		}
		require.Equal(t, 2, h.customers())
	})
}

// A panic is that of the caller whose work it was in.
func TestGroupCommitKeepsPanicsApart(t *testing.T) {
	h := newHouse(t)
	var broken atomic.Bool
	bad, err := crm.New(t.Context(), h.store, &crm.Options{Clock: func() time.Time {
		if broken.Load() {
			panic("the clock is broken")
		}
		return time.Now()
	}})
	require.NoError(t, err)
	var panicked atomic.Int64
	errs, _ := h.whileLocked(6, func(i int) error {
		if broken.Store(i == 5); i%2 == 1 { // once all wait to do their work
			return create(t.Context(), h.CRM, "")
		}
		defer func() {
			if recover() == "the clock is broken" {
				panicked.Add(1)
			}
		}()
		return create(t.Context(), bad, "")
	})
	require.Equal(t, make([]error, 6), errs)
	require.EqualValues(t, 3, panicked.Load())
	require.Equal(t, 3, h.customers())
	require.NoError(t, create(t.Context(), h.CRM, ""), "the writer goes on")
}
