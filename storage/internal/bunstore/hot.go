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

// number writes the host's table names into a statement, and turns :name into $1 (Postgres) or ?1 (SQLite), the same name
// into the same number.
func (s *Store) number(text string) (q hotQuery) {
	mark, seen := "?", map[string]int{}
	if s.pg {
		mark = "$"
	}
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
	hot := map[string]hotQuery{"customer.get": s.number(s.getCustomer()), "customer.timeline": s.number(timelineSQL)}
	for kind, table := range recordTables {
		s.compileClaim(hot, kind, table)
	}
	return hot
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
	stmts map[string]*sql.Stmt
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
	h.stmts = stmts
	return nil
}

// query runs a hot statement on the unit's connection and scans all rows into dest.
func (t *tx) query(ctx context.Context, name string, args named, dest any) error {
	q := t.hot[name]
	values := make([]any, len(q.args))
	for i, a := range q.args {
		v, ok := args[a]
		if !ok {
			return bug("%s is not given its :%s", name, a)
		}
		values[i] = v
	}
	rows, err := t.rows(ctx, name, q.text, values) //nolint:rowserrcheck // ScanRows checks and closes
	if err != nil {
		return err
	}
	return t.db.ScanRows(ctx, rows, dest)
}

func (t *tx) rows(ctx context.Context, name, text string, values []any) (*sql.Rows, error) {
	t.h.mu.RLock()
	st := t.h.stmts[name]
	t.h.mu.RUnlock()
	host, isTx := t.conn.(*sql.Tx)
	switch {
	case st != nil && isTx:
		return host.StmtContext(ctx, st).QueryContext(ctx, values...) //nolint:sqlclosecheck // the transaction closes it
	case st != nil && t.conn == t.h.db:
		return st.QueryContext(ctx, values...)
	}
	return t.conn.QueryContext(ctx, text, values...) // not prepared, or a connection of a kind that takes no statements
}
