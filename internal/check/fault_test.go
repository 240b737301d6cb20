package check

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is what goes wrong at one statement.
type fault string

const (
	busy        fault = "the database says: later"
	full        fault = "the database says: no room"
	down        fault = "the database says: going down"
	unsent      fault = "the driver sees that the connection is gone, and sends nothing"
	unreachable fault = "the connection is gone, nothing was sent, and no other can be had"
	cutBefore   fault = "the connection breaks before the database has the statement"
	cutAfter    fault = "the connection breaks before the answer"
	cancelled   fault = "the caller gives up before the statement"
	cancelAfter fault = "the caller gives up after the statement"
)

// injector lets one statement of a database handle go wrong. It counts what the CRM sends; what undoes work goes through.
type injector struct {
	mu     sync.Mutex
	fault  fault // empty: nothing goes wrong
	at, n  int
	cancel func()
	hit    string // the statement that went wrong; empty while none has
	pg     bool
}

// arm lets the n-th statement from now on go wrong.
func (i *injector) arm(f fault, n int, cancel func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fault, i.at, i.n, i.cancel, i.hit = f, n, 0, cancel, ""
}

// disarm returns which statement went wrong, and how many there were.
func (i *injector) disarm() (hit string, n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fault = ""
	return i.hit, i.n
}

// next is what goes wrong at this statement, or nothing.
func (i *injector) next(what string) fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fault == "" || strings.HasPrefix(what, "ROLLBACK") {
		return ""
	}
	if i.n++; i.n != i.at {
		return ""
	}
	i.hit = what
	return i.fault
}

// silent tells whether the database has become unreachable.
func (i *injector) silent() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fault == unreachable && i.hit != ""
}

// What a database says as its driver tells it.
type (
	pgSaying     string
	sqliteSaying int
)

func (s pgSaying) Error() string     { return "injected SQLSTATE " + string(s) }
func (s pgSaying) SQLState() string  { return string(s) }
func (s sqliteSaying) Error() string { return "injected result code" }
func (s sqliteSaying) Code() int     { return int(s) }

func (i *injector) says(f fault) error {
	if i.pg {
		return pgSaying(map[fault]string{busy: "40001", full: "53100", down: "57P01"}[f])
	}
	return sqliteSaying(map[fault]int{busy: 5, full: 13, down: 10}[f])
}

// faulty opens a place through the injector.
func faulty(t testing.TB, p place) (*sql.DB, *injector) {
	t.Helper()
	plain, err := sql.Open(p.Driver, p.DSN)
	require.NoError(t, err)
	require.NoError(t, plain.Close())
	i := &injector{pg: p.postgres()}
	db := sql.OpenDB(&faultyConnector{plain.Driver(), p.DSN, i})
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(1) // so that the connection that breaks is the only one
	t.Cleanup(func() { db.Close() })
	return db, i
}

type faultyConnector struct {
	driver driver.Driver
	dsn    string
	i      *injector
}

func (c *faultyConnector) Driver() driver.Driver { return c.driver }

func (c *faultyConnector) Connect(context.Context) (driver.Conn, error) {
	if c.i.silent() {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: errors.New("injected: nobody answers")}
	}
	inner, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: inner, i: c.i, open: map[io.Closer]bool{}}, nil
}

// faultyConn is a connection that can break. Both drivers have all the optional methods that it passes on.
type faultyConn struct {
	driver.Conn
	i    *injector
	cut  bool
	open map[io.Closer]bool // statements: SQLite ends a transaction with its connection only when they are gone
}

// do runs one statement, or lets it go wrong.
func (c *faultyConn) do(what string, run func() error) error {
	if c.cut {
		return driver.ErrBadConn
	}
	switch f := c.i.next(what); f {
	case busy, full:
		return c.i.says(f)
	case down:
		c.breakOff()
		return c.i.says(f)
	case cancelled:
		c.i.cancel()
	case cancelAfter:
		err := run()
		c.i.cancel()
		return err
	case unsent, unreachable:
		c.breakOff()
		return driver.ErrBadConn
	case cutBefore:
		c.breakOff()
		return io.ErrUnexpectedEOF
	case cutAfter:
		err := run()
		c.breakOff()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return run()
}

func (c *faultyConn) breakOff() {
	for s := range c.open {
		s.Close()
	}
	c.Conn.Close()
	c.cut = true
}

func (c *faultyConn) Close() error {
	if c.cut {
		return nil
	}
	return c.Conn.Close()
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (tx driver.Tx, err error) {
	err = c.do("BEGIN", func() (err error) {
		tx, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
		return err
	})
	return faultyTx{c, tx}, err
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var st driver.Stmt
	err := c.do("PREPARE "+query, func() (err error) {
		st, err = c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.open[st] = true
	return &faultyStmt{st, c, query}, nil
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.do(query, func() (err error) {
		res, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.rows(query, func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
}

// rows is do for a query: where the answer is lost, the rows are, too.
func (c *faultyConn) rows(query string, ask func() (driver.Rows, error)) (rows driver.Rows, err error) {
	err = c.do(query, func() (err error) {
		rows, err = ask()
		if err == nil && c.losesAnswer(query) {
			values := make([]driver.Value, len(rows.Columns()))
			for err = rows.Next(values); err == nil; err = rows.Next(values) {
			}
			rows.Close()
			if errors.Is(err, io.EOF) {
				err = nil
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (c *faultyConn) losesAnswer(query string) bool {
	c.i.mu.Lock()
	defer c.i.mu.Unlock()
	return c.i.fault == cutAfter && c.i.hit == query && c.i.n == c.i.at
}

func (c *faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *faultyConn) ResetSession(ctx context.Context) error {
	if c.cut {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *faultyConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !c.cut && (!ok || v.IsValid())
}

type faultyTx struct {
	c  *faultyConn
	tx driver.Tx
}

// Commit is over when it has failed, as with the drivers: the transaction is undone.
func (t faultyTx) Commit() error {
	err := t.c.do("COMMIT", t.tx.Commit)
	if err != nil && !t.c.cut {
		t.tx.Rollback() //nolint:errcheck // it may be over already
	}
	return err
}

func (t faultyTx) Rollback() error {
	if t.c.cut {
		return driver.ErrBadConn
	}
	return t.tx.Rollback()
}

type faultyStmt struct {
	driver.Stmt
	c     *faultyConn
	query string
}

func (s *faultyStmt) Close() error {
	if s.c.cut {
		return nil
	}
	delete(s.c.open, s.Stmt)
	return s.Stmt.Close()
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.c.do(s.query, func() (err error) {
		res, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return res, err
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.rows(s.query, func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) })
}
