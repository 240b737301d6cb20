package testpostgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

func TestEachTestHasAnEmptyDatabase(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := Open(t, "pgx")
			do(t, db, "CREATE TABLE things (id int)")
			require.Equal(t, "1", one(t, db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
		})
	}
}

func TestDatabasesAreDroppedAfterTheTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) {
		db := Open(t, "pgx")
		name = one(t, db, "SELECT current_database()")
		busy, err := sql.Open("pgx", withDatabase(shared.dsn, name)) // a connection that the test forgot to close
		require.NoError(t, err)
		require.NoError(t, busy.PingContext(t.Context()))
		t.Cleanup(func() { busy.Close() })
	})
	require.True(t, strings.HasPrefix(name, prefix), name)
	db := Open(t, "pgx")
	require.Equal(t, "0", one(t, db, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"))
}

func TestOurServersShakeOutZonesAndCollations(t *testing.T) {
	s := Own(t, nil)
	db := s.Open("pgx")
	require.Equal(t, "Asia/Kathmandu", one(t, db, "SHOW timezone"))
	require.Equal(t, "300", one(t, db, "SHOW max_connections"))
	if one(t, db, "SELECT current_setting('server_version_num')::int >= 150000") == "true" {
		require.Equal(t, "false", one(t, db, "SELECT 'Zebra' < 'apple'")) // as code points: true
	}
}

func TestTemplateIsPreparedOnceAndCopiedForEach(t *testing.T) {
	var prepared atomic.Int32
	prepare := func(ctx context.Context, db *sql.DB) error {
		prepared.Add(1)
		_, err := db.ExecContext(ctx, "CREATE TABLE things (id int); INSERT INTO things VALUES (1)")
		return err
	}
	t.Run("group", func(t *testing.T) {
		for i := range 12 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				db := FromTemplate(t, "pgx", "once", prepare)
				do(t, db, "INSERT INTO things VALUES (2)")
				require.Equal(t, "2", one(t, db, "SELECT count(*) FROM things"))
			})
		}
	})
	require.EqualValues(t, 1, prepared.Load())
}

func TestTemplatesOfTwoKeysAreTwo(t *testing.T) {
	table := func(name string) func(context.Context, *sql.DB) error {
		return func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "CREATE TABLE "+name+" ()")
			return err
		}
	}
	a, b := FromTemplate(t, "pgx", "a", table("a")), FromTemplate(t, "pgx", "b", table("b"))
	require.Equal(t, "a", one(t, a, "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'"))
	require.Equal(t, "b", one(t, b, "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'"))
}

func TestFailedPrepareFailsItsTestAndTheNextOneTriesAgain(t *testing.T) {
	for name, fail := range map[string]func(tb testing.TB) error{
		"by an error":      func(testing.TB) error { return errors.New("no such migration") },
		"by ending a test": func(tb testing.TB) error { tb.FailNow(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			tb := &recorder{TB: t}
			tb.run(func() {
				FromTemplate(tb, "pgx", "fails "+name, func(context.Context, *sql.DB) error { return fail(tb) })
			})
			require.True(t, tb.failed)
			db := FromTemplate(t, "pgx", "fails "+name, func(ctx context.Context, db *sql.DB) error {
				_, err := db.ExecContext(ctx, "CREATE TABLE things ()")
				return err
			})
			require.Equal(t, "1", one(t, db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
		})
	}
}

func TestTemplateThatCannotBeCopiedIsNotNeeded(t *testing.T) {
	prepare := func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, "CREATE TABLE things ()")
		return err
	}
	FromTemplate(t, "pgx", "gone", prepare)
	name := shared.templates["gone"].name
	shared.templates["gone"].name = "crm_test_gone"
	t.Cleanup(func() { shared.templates["gone"].name = name })

	db := FromTemplate(t, "pgx", "gone", prepare)
	require.Equal(t, "1", one(t, db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
}

func TestOwnServerKeepsWhatWasCommitted(t *testing.T) {
	s := Own(t, &Options{Settings: map[string]string{"application_name": "it's ours"}})
	db := s.Open("pgx")
	require.Equal(t, "on", one(t, db, "SHOW fsync"))
	require.NotEqual(t, shared.dsn, s.DSN())
	do(t, db, "CREATE TABLE things (id int)")
	for i, crash := range []func() error{s.Kill, s.Stop, s.Kill} {
		do(t, db, fmt.Sprintf("INSERT INTO things VALUES (%d)", i))
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO things VALUES (99)")
		require.NoError(t, err)

		require.NoError(t, crash())
		require.Error(t, tx.Commit())
		require.Error(t, db.PingContext(t.Context()))
		require.NoError(t, s.Start())
		require.Equal(t, fmt.Sprint(i+1), one(t, db, "SELECT count(*) FROM things"))
	}
	require.NoError(t, s.Kill()) // and it is still removed
	require.Error(t, s.Kill())
}

func TestOwnServerIsKilledInTheMiddleOfWork(t *testing.T) {
	s := Own(t, nil)
	db := s.Open("pgx")
	do(t, db, "CREATE TABLE things (id int PRIMARY KEY)")
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; ; i += 8 {
				if _, err := db.ExecContext(t.Context(), "INSERT INTO things VALUES ($1)", i); err != nil {
					return
				}
				acknowledged.Add(1)
			}
		})
	}
	for acknowledged.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, s.Kill())
	wg.Wait()
	require.NoError(t, s.Start())
	var found int64
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&found))
	require.GreaterOrEqual(t, found, acknowledged.Load())
	require.LessOrEqual(t, found, acknowledged.Load()+8)
}

func TestNamesOfDatabases(t *testing.T) {
	a, b := newProcess(), newProcess()
	require.NotEqual(t, a.name(), b.name())
	first := a.name()
	require.NotEqual(t, first, a.name())
	require.Less(t, len(a.name()), 60) // PostgreSQL cuts names at 63 bytes

	now := time.Now()
	require.False(t, leftBehind(a.name(), now))
	require.True(t, leftBehind(a.name(), now.Add(25*time.Hour)))
	for _, name := range []string{"postgres", "crm_test", "crm_test_", "crm_test_x_1", "crm_test_1", `crm_test_1_"; --`} {
		require.False(t, leftBehind(name, now.Add(25*time.Hour)), name)
	}
}

func TestWithDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"host=/tmp user=crm dbname=postgres":                  "host=/tmp user=crm dbname=postgres dbname=x",
		"postgres://crm:p%40ss@localhost:5432/postgres?a=b":   "postgres://crm:p%40ss@localhost:5432/x?a=b",
		"postgresql://localhost":                              "postgresql://localhost/x",
		"postgres:///?host=/tmp&dbname=postgres&user=crm":     "postgres:///x?host=%2Ftmp&user=crm",
		"postgres://crm@/postgres?host=/tmp&database=another": "postgres://crm@/x?host=%2Ftmp",
	} {
		require.Equal(t, want, withDatabase(dsn, "x"))
	}
}

func TestNewestServer(t *testing.T) {
	const at = "/usr/lib/postgresql/"
	require.Equal(t, at+"17/bin", newest([]string{at + "9.6/bin", at + "17/bin", at + "15/bin"}))
	require.Equal(t, at+"9.10/bin", newest([]string{at + "9.6/bin", at + "9.10/bin"}))
}

func do(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query)
	require.NoError(t, err)
}

func one(t *testing.T, db *sql.DB, query string) (text string) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&text))
	return text
}

// recorder is a test that fails without failing the real one.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) FailNow()                  { r.failed = true; runtime.Goexit() }
func (r *recorder) Fatal(args ...any)         { r.Log(args...); r.FailNow() }
func (r *recorder) Fatalf(f string, a ...any) { r.Logf(f, a...); r.FailNow() }

func (r *recorder) run(fn func()) {
	var wg sync.WaitGroup
	wg.Go(fn)
	wg.Wait()
}
