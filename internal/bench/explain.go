package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/openseas/crm"
)

// plan is how an engine answers a statement of a call.
type plan struct {
	call      string
	statement statement
	lines     []string
}

// planner asks for the plan of every statement that the CRM sends, at the moment it sends it: with the data that the statement
// finds, and inside its transaction.
type planner struct {
	e     engine
	call  string
	seen  map[string]bool // statements but for their values: a second batch has the plan of the first
	plans []plan
}

// plans runs every call of the CRM that explainCalls and trailLists list, without a trace, and returns how its statements were answered.
func plans(ctx context.Context, e engine, d *data) ([]plan, error) {
	conn, err := e.connector()
	if err != nil {
		return nil, err
	}
	p := &planner{e: e, seen: map[string]bool{}}
	s := &spy{Connector: conn, watch: p.watch}
	db := sql.OpenDB(s)
	defer db.Close()
	kept, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	anew, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock, KeepRights: -1})
	if err != nil {
		return nil, err
	}
	x := &explained{d: d, db: db, spy: s, kept: kept, anew: anew}
	if err := x.find(ctx); err != nil {
		return nil, err
	}
	for _, c := range slices.Concat(explainCalls, warningCalls, trailLists()) {
		p.call = "" // the first time is for rights and tenants, which are read once
		if err := c.do(ctx, x); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		p.call = c.name
		if err := c.do(ctx, x); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		p.call = ""
	}
	return p.plans, nil
}

var explainable = regexp.MustCompile(`^\s*\(?(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)

func (p *planner) watch(ctx context.Context, conn driverConn, s statement) error {
	key := values.ReplaceAllString(shorten(s.text), "?")
	if p.call == "" || p.seen[key] || !explainable.MatchString(s.text) {
		return nil
	}
	p.seen[key] = true
	ask := planOfSQLite
	if p.e.pg {
		ask = planOfPostgres
	}
	lines, err := ask(ctx, conn, s)
	if err != nil {
		return fmt.Errorf("the plan of %s: %w", key, err)
	}
	p.plans = append(p.plans, plan{p.call, s, lines})
	return nil
}

// planOfSQLite is EXPLAIN QUERY PLAN, as a tree.
func planOfSQLite(ctx context.Context, conn driverConn, s statement) ([]string, error) {
	rows, err := conn.QueryContext(ctx, "EXPLAIN QUERY PLAN "+s.text, s.args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	depth := map[any]int{}
	var lines []string
	for values := make([]driver.Value, 4); ; {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, err
		}
		at := 0
		if above, ok := depth[values[1]]; ok {
			at = above + 1
		}
		depth[values[0]] = at
		lines = append(lines, strings.Repeat("  ", at)+fmt.Sprint(values[3]))
	}
}

// planOfPostgres is EXPLAIN (ANALYZE, BUFFERS), taken back. A statement that the library prepared is explained as the server
// will plan it once it has seen it a few times: without looking at the arguments.
func planOfPostgres(ctx context.Context, conn driverConn, s statement) (lines []string, err error) {
	std, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is no connection of pgx", conn)
	}
	pg := std.Conn()
	begin, back := "BEGIN", []string{"ROLLBACK"}
	if pg.PgConn().TxStatus() == 'T' {
		begin, back = "SAVEPOINT bench", []string{"ROLLBACK TO SAVEPOINT bench", "RELEASE SAVEPOINT bench"}
	}
	exec := func(texts ...string) (err error) {
		for _, text := range texts {
			if _, e := pg.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol); err == nil {
				err = e
			}
		}
		return err
	}
	if err := exec(begin); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, exec(back...)) }()
	text, args := "EXPLAIN (ANALYZE, BUFFERS) "+s.text, []any{pgx.QueryExecModeExec}
	if s.prepared {
		if err := exec("SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE bench AS "+s.text); err != nil {
			return nil, err
		}
		back = append(back, "DEALLOCATE bench")
		text = "EXPLAIN (ANALYZE, BUFFERS) EXECUTE bench" + literals(s.args)
	} else {
		for _, a := range s.args {
			args = append(args, a.Value)
		}
	}
	rows, err := pg.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func literals(args []driver.NamedValue) string {
	texts := make([]string, len(args))
	for i, a := range args {
		switch v := a.Value.(type) {
		case nil:
			texts[i] = "NULL"
		case time.Time:
			texts[i] = "'" + v.Format(time.RFC3339Nano) + "'"
		default:
			texts[i] = "'" + strings.ReplaceAll(fmt.Sprint(v), "'", "''") + "'"
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

var (
	manyColumns = regexp.MustCompile(`((?:"?\w+"?\.)?"?\w+"?, )(?:(?:"?\w+"?\.)?"?\w+"?, ){6,}((?:"?\w+"?\.)?"?\w+"?)`)
	manyValues  = regexp.MustCompile(`((?:\d+|'[^']*'), )(?:(?:\d+|'[^']*'), ){6,}(\d+|'[^']*')`)
	values      = regexp.MustCompile(`'[^']*'|\b\d+\b`)
	manyRows    = regexp.MustCompile(`(VALUES \([^()]*\)), \(.*?\)( ON| RETURNING|\) |$)`)
)

// shorten leaves out of a statement what repeats itself.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = manyColumns.ReplaceAllString(text, "${1}…, $2")
	text = manyValues.ReplaceAllString(text, "${1}…, $2")
	return manyRows.ReplaceAllString(text, "$1, …$2")
}
