package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/internal/testpostgres"
)

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }

var small = shape{rows: 1_000, tenants: 2, sellers: 10}

// built gives an engine with the small data.
func built(t *testing.T, e engine) (engine, *data) {
	t.Helper()
	d, err := load(t.Context(), e, small, t.Logf)
	require.NoError(t, err)
	return e, d
}

// engines runs a test on a database of SQLite, and on one of PostgreSQL where there is a server.
func engines(t *testing.T, test func(t *testing.T, open func(t *testing.T) engine)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		test(t, func(t *testing.T) engine { return engine{dsn: filepath.Join(t.TempDir(), "bench.db")} })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func(t *testing.T) engine { return engine{pg: true, dsn: testpostgres.DSN(t)} })
	})
}

func TestDataIsWhatItSays(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		e, d := built(t, open(t))
		db, err := e.open()
		require.NoError(t, err)
		defer db.Close()
		words := (&bench{e: e}).words()
		for query, want := range map[string]int{
			"SELECT count(*) FROM crm_customers":                                                                       d.rows,
			"SELECT count(*) FROM crm_customers WHERE owner_id IS NULL":                                                d.rows * 3 / 10,
			"SELECT count(*) FROM crm_customer_facts":                                                                  d.rows,
			"SELECT count(*) FROM crm_customers WHERE coalesce(last_followup_at, owned_since) < {due}":                 d.rows / 10,
			"SELECT count(DISTINCT owner_id) FROM crm_customers":                                                       d.sellers,
			"SELECT count(*) FROM crm_customers WHERE owner_id = 's0'":                                                 d.rows/10 + d.rows*6/10/d.sellers,
			"SELECT count(*) FROM crm_customers WHERE (owner_id IS NULL) <> (owned_since IS NULL)":                     0,
			"SELECT count(*) FROM crm_customers WHERE owned_since > coalesce(first_followup_at, {now})":                0,
			"SELECT count(*) FROM crm_customers c WHERE NOT EXISTS (SELECT 1 FROM crm_pools p WHERE p.id = c.pool_id)": 0,
			`SELECT count(*) FROM crm_counters m WHERE m.places <> (SELECT count(*) FROM crm_customers c WHERE c.tenant_id = m.tenant_id AND c.owner_id = m.user_id
				AND c.stage <> 'won')`: 0,
			`SELECT count(*) FROM crm_customer_facts f WHERE f.interactions <> (SELECT count(*) FROM crm_interactions i WHERE i.tenant_id = f.tenant_id
				AND i.customer_id = f.customer_id)`: 0,
		} {
			var n int
			require.NoError(t, db.QueryRow(words.Replace(query)).Scan(&n), query)
			require.Equal(t, want, n, query)
		}
		again, err := load(t.Context(), e, small, t.Logf)
		require.NoError(t, err)
		require.Equal(t, d, again)
		_, err = load(t.Context(), e, shape{rows: 2_000, tenants: 2, sellers: 10}, t.Logf)
		require.ErrorContains(t, err, "-fresh")
		require.NoError(t, e.drop(t.Context()))
	})
}

// Whoever does the work leaves the same rows: otherwise the figures compare nothing.
func TestContestantsDoTheSame(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		names, wrote := []string{}, map[string][]string{}
		for i, last := 0, 1; i < last; i++ {
			e, d := built(t, open(t))
			b, err := newBench(t.Context(), e, d, t.Logf)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, b.close()) })
			read(t, b)
			c := b.all[i]
			last = len(b.all)
			names = append(names, c.name)
			work(t, b, c)
			wrote[c.name] = dump(t, b)
		}
		require.Subset(t, names, []string{raw, "crm", "gorm", "bun", "tx"})
		for _, name := range names {
			require.Equal(t, strings.Join(wrote[raw], "\n"), strings.Join(wrote[name], "\n"), name)
		}
	})
}

// read compares what all contestants find.
func read(t *testing.T, b *bench) {
	t.Helper()
	same := func(what string, find func(c *contestant) (any, error)) {
		t.Helper()
		var first string
		for i, c := range b.all {
			if c.get == nil {
				continue
			}
			found, err := find(c)
			require.NoError(t, err, "%s: %s", c.name, what)
			text, err := json.Marshal(found)
			require.NoError(t, err)
			whole := strings.ReplaceAll(string(text), `,"masked":true`, "") // nobody else hides what lies in a pool
			if i == 0 {
				first = whole
			}
			require.JSONEq(t, first, whole, "%s: %s", c.name, what)
		}
	}
	for i := range 10 {
		x := b.own.look(i)
		same("get", func(c *contestant) (any, error) { return c.get(t.Context(), x.who, x.id) })
	}
	for _, l := range lists() {
		for i := range 2 * b.d.tenants {
			a := l.first(b, i)
			a.limit = 30
			same(l.name, func(c *contestant) (any, error) { return c.list(t.Context(), a.who, a.query) })
			a = l.deep(b, i)
			a.limit, a.after = 30, b.d.id(0, 250)
			same(l.name+", deep", func(c *contestant) (any, error) { return c.list(t.Context(), a.who, a.query) })
		}
	}
}

// work does a little of everything that writes.
func work(t *testing.T, b *bench, c *contestant) {
	t.Helper()
	ctx := t.Context()
	whole := *c // what a contestant does not take part in, raw does for it
	c = &whole
	if c.followUp == nil {
		c.followUp = b.all[0].followUp
	}
	if c.recycle == nil {
		c.recycle, c.claimMany = b.all[0].recycle, b.all[0].claimMany
	}
	if c.sync == nil {
		c.sync, c.load = b.all[0].sync, b.all[0].load
	}
	mirror(t, b, c)
	for range 70 { // more than a block of ids
		x, err := b.own.take()
		require.NoError(t, err)
		require.NoError(t, c.followUp(ctx, x.who, followUpOf(customer.ID(x.id))))
	}
	for range 20 {
		x, err := b.pool.take()
		require.NoError(t, err)
		require.NoError(t, c.claim(ctx, x.who, x.id))
		require.Error(t, c.claim(ctx, x.who, x.id), "it is taken")
	}
	for house := range b.d.tenants {
		require.NoError(t, c.claimMany(ctx, who{house, seller(1)}, b.bulk[house].all[:20]))
	}
	n, err := c.recycle(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, b.d.perTenant()/10, n)
}

// mirror brings customers up to date, some of them twice, and creates others: a whole block of ids, so that the next ids are the
// same ones whoever takes them.
func mirror(t *testing.T, b *bench, c *contestant) {
	t.Helper()
	for _, text := range []string{"", "called", "called again", "called again"} {
		all := b.d.items(0, blockSize, 0)
		for i, x := range all {
			x.Remarks = text
			if i%3 == 0 {
				x.Remarks = ""
			}
			if i%5 == 0 {
				x.Name += text
			}
		}
		require.NoError(t, c.sync(t.Context(), 0, all))
	}
	all := b.d.items(0, 2*blockSize, 0)
	for i, x := range all {
		if x.Remarks = "new"; i%2 == 0 {
			x.ExternalID += "-new"
		}
	}
	require.NoError(t, c.sync(t.Context(), 0, all))
	require.NoError(t, c.load(t.Context(), 1, b.d.items(1, blockSize, 10_000)))
}

// dump is all rows that the work touches, without the numbers that the database gives.
func dump(t *testing.T, b *bench) (lines []string) {
	t.Helper()
	for _, table := range []string{
		"crm_customers", "crm_customer_facts", "crm_counters", "crm_interactions", "crm_operations", "crm_audit", "crm_outbox", "crm_subjects",
	} {
		rows, err := b.db.Query("SELECT * FROM " + table)
		require.NoError(t, err)
		defer rows.Close()
		columns, err := rows.Columns()
		require.NoError(t, err)
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range into {
			into[i] = &values[i]
		}
		for rows.Next() {
			require.NoError(t, rows.Scan(into...))
			line := table
			for i, column := range columns {
				if column == "id" && slices.Contains([]string{"crm_operations", "crm_audit", "crm_outbox"}, table) {
					continue
				}
				if at, ok := values[i].(time.Time); ok {
					values[i] = at.UnixMicro()
				}
				line += fmt.Sprintf(" %s=%v", column, values[i])
			}
			lines = append(lines, line)
		}
		require.NoError(t, rows.Err())
	}
	slices.Sort(lines)
	return lines
}

func TestEveryCaseRuns(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		e := open(t)
		d, err := load(t.Context(), e, shape{rows: 10_000, tenants: 2, sellers: 10}, t.Logf)
		require.NoError(t, err)
		b, err := newBench(t.Context(), e, d, t.Logf)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.close()) })
		b.share = 0
		results, err := b.measure(t.Context(), cases(), regexp.MustCompile("."))
		require.NoError(t, err)
		require.Greater(t, len(results), len(cases()))
		var table, lines strings.Builder
		require.NoError(t, printTable(&table, results))
		require.Contains(t, table.String(), "claim, 16 workers")
		require.NoError(t, printJSON(&lines, results))
		require.Equal(t, len(results), strings.Count(lines.String(), "\n"))
		var n int
		require.NoError(t, b.db.QueryRow("SELECT count(*) FROM crm_customers").Scan(&n))
		require.Equal(t, d.rows, n, "what was created is gone")
	})
}

// Every statement of the calls finds what it needs through an index, however small the tables are here.
func TestNoStatementScansATableThatGrows(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		e, d := built(t, open(t))
		if e.pg {
			e.dsn += " options='-c enable_seqscan=off'" // which prefers an index wherever there is one
		}
		all, err := plans(context.Background(), e, d)
		require.NoError(t, err)
		require.Greater(t, len(all), 50)
		const grow = "crm_(customers|customer_facts|interactions|tasks|operations|orders|audit|outbox|members|counters)"
		scan := regexp.MustCompile("SCAN (t|f|i|j|o|l|" + grow + ")$|Seq Scan on " + grow + `\b`) // SQLite knows them by alias
		for _, p := range all {
			for _, line := range p.lines {
				require.NotRegexp(t, scan, line, "%s\n%s\n%s", p.call, shorten(p.statement.text), strings.Join(p.lines, "\n"))
			}
		}
	})
}
