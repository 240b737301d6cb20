package main

import (
	"context"
	"database/sql/driver"
)

// spy is a connector that shows every statement to watch before the database sees it, on the connection that it is for.
type spy struct {
	driver.Connector
	watch func(ctx context.Context, conn driver.Conn, s statement) error
	dry   bool // every commit is a rollback: what is seen happened, and leaves no trace
}

// statement is what was sent.
type statement struct {
	text     string
	args     []driver.NamedValue
	prepared bool
}

func (s *spy) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &spied{c, s}, nil
}

// spied is a connection. Both drivers have all the optional interfaces that it asks for.
type spied struct {
	driver.Conn
	spy *spy
}

func (c *spied) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &spiedStmt{st, c, query}, nil
}

func (c *spied) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return spiedTx{tx, c.spy}, nil
}

func (c *spied) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.spy.watch(ctx, c.Conn, statement{query, args, false}); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *spied) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.spy.watch(ctx, c.Conn, statement{query, args, false}); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// CheckNamedValue lets the driver take what only it can.
func (c *spied) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
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
	driver.Stmt
	conn *spied
	text string
}

func (s *spiedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.spy.watch(ctx, s.conn.Conn, statement{s.text, args, true}); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *spiedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.conn.spy.watch(ctx, s.conn.Conn, statement{s.text, args, true}); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}
