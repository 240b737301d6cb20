package main

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/storage/sqlite"
)

var update = flag.Bool("update", false, "write what the story is into testdata/story.txt")

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }

// golden is what the story prints, whatever the engine.
const golden = "testdata/story.txt"

// call runs the program as its main function does. Temporary files go into a folder of the test's own, which must be empty
// again afterwards.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var o, e bytes.Buffer
	code = program(args, &o, &e)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
	return code, o.String(), e.String()
}

// printed is what the program prints with arguments with which nothing goes wrong.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := call(t, args...)
	require.Empty(t, errs)
	require.Zero(t, code)
	return out
}

func want(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	return string(text)
}

func TestTheStoryIsAlwaysTheSame(t *testing.T) {
	first := printed(t)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(first), 0o644))
	}
	require.Equal(t, want(t), first, "go test ./examples/quickstart -update writes it anew")
	require.Equal(t, first, printed(t), "the second time")

	t.Run("in a file that stays", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "公海 100%?.db")
		require.Equal(t, first, printed(t, "-db", file))
		require.Equal(t, 40+len(leads)+1, customersIn(t, sqlite.DSN(file)), "and the customer of the second act")
	})
	t.Run("in an empty file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "empty.db")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.Equal(t, printed(t, "-days", "3"), printed(t, "-days", "3", "-db", file))
	})
}

func customersIn(t *testing.T, dsn string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow("SELECT count(*) FROM crm_customers").Scan(&n))
	return n
}

func TestTheStoryIsTheSameOnPostgres(t *testing.T) {
	dsn := postgresURL(t)
	require.Equal(t, want(t), printed(t, "-db", dsn))
	require.Empty(t, schemas(t, dsn))

	t.Run("an error leaves nothing behind", func(t *testing.T) {
		code, _, errs := call(t, "-db", dsn, "-customers", "missing.csv")
		require.Equal(t, 1, code)
		require.Contains(t, errs, "missing.csv")
		require.Empty(t, schemas(t, dsn))
	})
	t.Run("an interruption leaves nothing behind", func(t *testing.T) {
		interrupted(t, "-db", dsn)
		require.Empty(t, schemas(t, dsn))
	})
}

// postgresURL names an empty database of the test's own by a URL: a test server may be named in the other form.
func postgresURL(t *testing.T) string {
	t.Helper()
	config, err := pgx.ParseConfig(testpostgres.DSN(t))
	require.NoError(t, err)
	u := url.URL{Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Path: "/" + config.Database}
	u.RawQuery = url.Values{"host": {config.Host}, "port": {strconv.Itoa(int(config.Port))}, "sslmode": {"prefer"}}.Encode()
	return u.String()
}

// schemas are those that the program makes.
func schemas(t *testing.T, dsn string) (names string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(`SELECT coalesce(string_agg(nspname, ' '), '') FROM pg_namespace WHERE nspname LIKE 'crm%'`).Scan(&names))
	return names
}

func TestEveryKindOfRefusalHappensAndIsExplained(t *testing.T) {
	_, explained, found := strings.Cut(want(t), "Claims that were refused:")
	require.True(t, found)
	for _, kind := range kinds {
		require.Regexp(t, `(?m)^ +[0-9]+  `+kind.title+` .*asked, `, explained)
	}
	for _, word := range []string{" claim ", " release ", " remove ", " recycle ", " completed ", "followup_days > ", "by the nightly recycle run"} {
		require.Contains(t, explained, word, "in the life of one customer")
	}
}

// The story of the whole pool: each part says what it did, with what it was about.
func TestWhatHappensBesidesTheUsual(t *testing.T) {
	_, scenes, found := strings.Cut(want(t), "What else happened:")
	require.True(t, found)
	scenes, rest, found := strings.Cut(scenes, "\n  seller ")
	require.True(t, found)
	for _, line := range []string{
		`reads of \S+: 周婷, 138\*{4}8000, z\*{3}@example\.com`, `reads 13800138000, zhou@example\.com\.\n +Today it may open 99 more`,
		`li locks \S+ until 31 Mar 09:00`, `chen looks through .*\n( +\S+ of \w+, level [BCD], days left -?\d+[,.]\n)+`,
		`无锡湖山泵业有限公司 \(无锡市\) to (li|wang),`, `宁波东钱齿轮有限公司 \(宁波市\) to (li|zhang),`, `佛山顺景木工机械有限公司 \(佛山市\) to (zhang|liu),`,
		`"(South|East) China" is asked \(\w+ has \d of 7, \w+ has \d of 7\)`, `does not match \(region\)`,
		`shared out by territory: .*\d+ by "East China"`, `liu leaves; .*chen gets the open work\.\n +(\d+) of (\d+) planned \(customer\): .*\n +2 of 2 planned \(task\): 2 to chen`,
	} {
		require.Regexp(t, line, scenes)
	}
	for _, line := range []string{
		`liu .* 0  刘洋`, `May \w+ claim .*\? No:`, `no   taken, by \w+\n`, `false    keep     stage == "won"`, `it is due on .*, by "`,
		`by that rule +[1-9]\d* would have been released, of them [1-9]`, `by the present rules +[1-9]\d* would`,
	} {
		require.Regexp(t, line, rest)
	}
	_, _, errs := call(t, "-days", "44")
	require.Empty(t, errs)
}

func TestDaysCanBeFewerOrMore(t *testing.T) {
	require.Contains(t, printed(t, "-days", "1"), "\n      1 |")
	require.Contains(t, printed(t, "-days", "70"), "\n  69–70 |")
}

// trigger calls a function once, when a text is printed.
type trigger struct {
	text string
	pull func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if w.pull != nil && bytes.Contains(p, []byte(w.text)) {
		w.pull()
		w.pull = nil
	}
	return len(p), nil
}

// interrupted runs the program and sends it what Ctrl-C sends, in the middle of the story.
func interrupted(t *testing.T, args ...string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	var errs bytes.Buffer
	code := program(args, &trigger{" 4–6 |", func() {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}}, &errs)
	require.Equal(t, "quickstart: interrupted; what it made in the database is gone again\n", errs.String())
	require.Equal(t, 1, code)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAnInterruptionCleansUp(t *testing.T) {
	t.Run("the temporary folder", func(t *testing.T) { interrupted(t) })
	t.Run("the file it made", func(t *testing.T) {
		dir := t.TempDir()
		interrupted(t, "-db", filepath.Join(dir, "shop.db"))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("the file that was empty", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "shop.db")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		interrupted(t, "-db", file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Empty(t, text)
	})
	t.Run("before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, run(ctx, options{days: 1}, &bytes.Buffer{}), context.Canceled)
	})
}

func TestADatabaseThatSomebodyUsesIsRefused(t *testing.T) {
	dir := t.TempDir()
	used, text, folder := filepath.Join(dir, "used.db"), filepath.Join(dir, "notes.txt"), filepath.Join(dir, "none", "shop.db")
	db, err := sql.Open("sqlite", used)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE orders (id INTEGER)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600))

	for name, c := range map[string]struct{ db, says string }{
		"tables":    {used, "used.db has tables already: name a file that does not exist yet"},
		"no SQLite": {text, "notes.txt is there already, and is no SQLite database"},
		"no folder": {folder, "the database cannot be made: open " + folder + ": no such file or directory"},
		"a folder":  {dir, "is there already, and is no SQLite database"},
		"no URL":    {"postgres://localhost:port/", "-db is no URL of a PostgreSQL database"},
		"no server": {"postgres://localhost:1/?connect_timeout=2", "the database does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(c.db)
			code, out, errs := call(t, "-db", c.db)
			require.Equal(t, 1, code)
			require.Empty(t, out)
			require.Contains(t, errs, c.says)
			after, _ := os.ReadFile(c.db)
			require.Equal(t, before, after)
		})
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
}

func TestACallThatIsWrongShowsTheUsage(t *testing.T) {
	for _, args := range [][]string{{"-colour"}, {"shop.db"}, {"-days", "0"}, {"-days", "367"}, {"-days", "many"}} {
		code, out, errs := call(t, args...)
		require.Equal(t, 2, code, args)
		require.Empty(t, out)
		require.Contains(t, errs, "Usage of quickstart")
	}
	code, _, errs := call(t, "-h")
	require.Zero(t, code)
	require.Contains(t, errs, "Usage of quickstart")
}
