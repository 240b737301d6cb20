package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/openseas/crm/pool"
)

// bun writes arguments into the text, which makes every statement new to the engine: two to four times the cost of a read
// that was parsed before. A hot statement is constant instead, with :names for its arguments, prepared once per handle,
// and scanned with bun.

type hotQuery struct {
	text string
	args []string // names, in the order of their numbers
}

type named map[string]any

// placeholder is a :name, but not the second colon of a cast.
var placeholder = regexp.MustCompile(`(^|[^:]):([a-z_]+)`)

// mark stands before the number of an argument. The plus hides it from SQLite's planner: where it has samples of an index
// (ANALYZE, in builds with STAT4), a bare one makes it plan, and so parse, the statement anew whenever the value changes.
func (s *Store) mark() string {
	if s.pg {
		return "$"
	}
	return "+?"
}

// number writes the host's table names into a statement, and turns :name into $1 (Postgres) or +?1 (SQLite), the same name
// into the same number.
func (s *Store) number(text string) (q hotQuery) {
	mark, seen := s.mark(), map[string]int{}
	q.text = placeholder.ReplaceAllStringFunc(s.eng.Names.SQL(text), func(found string) string {
		at := strings.IndexByte(found, ':')
		name := found[at+1:]
		if seen[name] == 0 {
			q.args = append(q.args, name)
			seen[name] = len(q.args)
		}
		return found[:at] + mark + strconv.Itoa(seen[name])
	})
	return q
}

// compile makes the text of every hot statement, once.
func (s *Store) compile() map[string]hotQuery {
	hot := map[string]hotQuery{
		"customer.get": s.number(s.getCustomer()), "customer.timeline": s.number(timelineSQL), "customer.facts": s.number(s.getFacts()),
		"customer.touch": s.number(s.touchCustomer()), "customer.lock": s.number(s.getCustomer() + s.locking()),
	}
	s.compileMeet(hot)
	s.compileRows(hot)
	s.compileGrantee(hot)
	hot["pool.get"], hot["pool.belongs"], hot["counter.look"] = s.number(s.getPool()), s.number(poolBelongsSQL), s.number(lookCounterSQL)
	for kind, table := range recordTables {
		s.compileClaim(hot, kind, table)
		hot[standName(kind)] = s.number(s.standSQL(table))
		hot[lookName(kind, false)] = s.number(s.lookRecord(table))
		hot[lookName(kind, true)] = s.number(s.lookRecord(table) + s.locking())
	}
	return hot
}

// locking ends a statement that locks the rows of t, where the engine has not locked the whole database.
func (s *Store) locking() string {
	if s.pg {
		return " FOR NO KEY UPDATE OF t"
	}
	return ""
}

// columnsOf are the columns of a model, so that a constant statement and its model cannot drift apart.
func (s *Store) columnsOf(model any, alias string) string {
	var cols []string
	for _, f := range s.db.Table(reflect.TypeOf(model).Elem()).Fields {
		cols = append(cols, alias+string(f.SQLName))
	}
	return strings.Join(cols, ", ")
}

func claimName(k pool.Kind) string { return string(k) + ".claim" }

// handle is a *sql.DB with its prepared statements.
type handle struct {
	db    *sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt // of the hot statements, by name; nil: none is prepared
	pages map[string]*sql.Stmt // of lists, by text
}

func (h *handle) stmt(name string) *sql.Stmt {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.stmts[name]
}

func (h *handle) prepare(ctx context.Context, qs map[string]hotQuery) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stmts != nil {
		return nil
	}
	stmts := map[string]*sql.Stmt{}
	for name, q := range qs {
		st, err := h.db.PrepareContext(ctx, q.text) //nolint:sqlclosecheck // kept as long as the handle, which is the host's to close
		if err != nil {
			for _, st := range stmts {
				_ = st.Close() // the error that counts is the one above
			}
			return fmt.Errorf("preparing %s: %w", name, err)
		}
		stmts[name] = st
	}
	h.stmts, h.pages = stmts, map[string]*sql.Stmt{}
	return nil
}

// query runs a hot statement on the unit's connection and scans all rows into dest.
func (t *tx) query(ctx context.Context, name string, args named, dest any) error {
	rows, err := t.open(ctx, name, args) //nolint:rowserrcheck // ScanRows checks and closes
	if err != nil {
		return err
	}
	return t.db.ScanRows(ctx, rows, dest)
}

// open runs a hot statement on the unit's connection; the caller reads the rows.
func (t *tx) open(ctx context.Context, name string, args named) (*sql.Rows, error) {
	values, err := t.values(name, args)
	if err != nil {
		return nil, err
	}
	return t.rows(ctx, t.h.stmt(name), t.hot[name].text, values)
}

// do runs a hot statement for its effect and returns how many rows it touched.
func (t *tx) do(ctx context.Context, name string, args named) (int, error) {
	values, err := t.values(name, args)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	switch st, host := t.prepared(t.h.stmt(name)); { //nolint:sqlclosecheck // the handle's
	case st == nil:
		res, err = t.conn.ExecContext(ctx, t.hot[name].text, values...)
	case host != nil:
		res, err = host.StmtContext(ctx, st).ExecContext(ctx, values...) //nolint:sqlclosecheck // the transaction closes it
	default:
		res, err = st.ExecContext(ctx, values...)
	}
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func (t *tx) values(name string, args named) ([]any, error) {
	q := t.hot[name]
	if q.text == "" {
		return nil, bug("there is no statement %s", name)
	}
	values := make([]any, len(q.args))
	for i, a := range q.args {
		v, ok := args[a]
		if !ok {
			return nil, bug("%s is not given its :%s", name, a)
		}
		values[i] = v
	}
	return values, nil
}

// prepared is a statement that the unit's connection can take, and the transaction that it must go through, if any; nil
// when it was not prepared, or the connection is of a kind that takes no statements.
func (t *tx) prepared(st *sql.Stmt) (*sql.Stmt, *sql.Tx) {
	if st == nil {
		return nil, nil
	}
	if host, isTx := t.conn.(*sql.Tx); isTx {
		return st, host
	}
	if t.conn != t.h.db {
		return nil, nil
	}
	return st, nil
}

func (t *tx) rows(ctx context.Context, st *sql.Stmt, text string, values []any) (*sql.Rows, error) {
	st, host := t.prepared(st) //nolint:sqlclosecheck // the handle's
	switch {
	case st == nil:
		return t.conn.QueryContext(ctx, text, values...)
	case host != nil:
		return host.StmtContext(ctx, st).QueryContext(ctx, values...) //nolint:sqlclosecheck // the transaction closes it
	}
	return st.QueryContext(ctx, values...)
}
