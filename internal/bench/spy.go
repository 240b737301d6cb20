package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// spy is a connector that shows every statement to watch before the database sees it, on the connection that it is for.
type spy struct {
	driver.Connector
	watch func(ctx context.Context, conn driverConn, s statement) error
	dry   bool // every commit is a rollback: what is seen happened, and leaves no trace
}

// statement is what was sent.
type statement struct {
	text     string
	args     []driver.NamedValue
	prepared bool
}

// driverConn and driverStmt are what both drivers can do, beyond what they must.
type (
	driverConn interface {
		driver.Conn
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.QueryerContext
		driver.ExecerContext
	}
	driverStmt interface {
		driver.Stmt
		driver.StmtQueryContext
		driver.StmtExecContext
	}
)

func (s *spy) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is not spied upon", c), c.Close())
	}
	return &spied{conn, s}, nil
}

// spied is a connection.
type spied struct {
	driverConn
	spy *spy
}

func (c *spied) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := st.(driverStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is not spied upon", st), st.Close())
	}
	return &spiedStmt{stmt, c, query}, nil
}

func (c *spied) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.driverConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return spiedTx{tx, c.spy}, nil
}

func (c *spied) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.spy.watch(ctx, c.driverConn, statement{query, args, false}); err != nil {
		return nil, err
	}
	return c.driverConn.QueryContext(ctx, query, args)
}

func (c *spied) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.spy.watch(ctx, c.driverConn, statement{query, args, false}); err != nil {
		return nil, err
	}
	return c.driverConn.ExecContext(ctx, query, args)
}

// CheckNamedValue lets the driver take what only it can.
func (c *spied) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.driverConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type spiedTx struct {
	driver.Tx
	spy *spy
}

func (t spiedTx) Commit() error {
	if t.spy.dry {
		return t.Rollback()
	}
	return t.Tx.Commit()
}

type spiedStmt struct {
	driverStmt
	conn *spied
	text string
}

func (s *spiedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.spy.watch(ctx, s.conn.driverConn, statement{s.text, args, true}); err != nil {
		return nil, err
	}
	return s.driverStmt.QueryContext(ctx, args)
}

func (s *spiedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.conn.spy.watch(ctx, s.conn.driverConn, statement{s.text, args, true}); err != nil {
		return nil, err
	}
	return s.driverStmt.ExecContext(ctx, args)
}
