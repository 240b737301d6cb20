// Package testpostgres gives each test an empty PostgreSQL database of its own.
//
//	func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		db := testpostgres.Open(t, "pgx") // the test imports the driver
//	}
//
// The server is the one that CRM_TEST_POSTGRES_DSN names (its user must be allowed to create databases). Without that, each
// test process that asks for a database starts a server from the installed binaries; it goes when the process goes,
// however that ends. Without binaries tests are skipped, with a line on standard error, or fail if
// CRM_TEST_POSTGRES=require.
//
// A server of ours keeps the time of Kathmandu and sorts as people do, not by code points: what forgets to say UTC, or
// COLLATE "C", shows.
package testpostgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The environment variables.
const (
	envDSN  = "CRM_TEST_POSTGRES_DSN"
	envMode = "CRM_TEST_POSTGRES" // "require" or nothing
)

const (
	prefix  = "crm_test_"    // of the name of every database
	leftFor = 24 * time.Hour // a database older than that belongs to no running test
	patient = time.Minute    // for one statement about a database
	conns   = 20             // of one test at most; servers of ours take 300
)

// process is what the tests of one process share.
type process struct {
	id   string // makes names of databases unique among all processes and machines that use a server
	last atomic.Int64

	start   sync.Once
	dsn     string
	err     error
	cluster *cluster // nil when the environment named a server

	loud, tidy sync.Once

	mu        sync.Mutex
	templates map[string]*template
}

type template struct {
	mu           sync.Mutex // held while it is made: other tests wait for it
	name         string     // empty until it is made
	driver, base string
}

var shared = newProcess()

func newProcess() *process {
	random := make([]byte, 4)
	rand.Read(random)
	return &process{
		id:        fmt.Sprintf("%x_%d_%s", time.Now().Unix(), os.Getpid(), hex.EncodeToString(random)),
		templates: map[string]*template{},
	}
}

// Main runs the tests, then drops the templates and stops the server if one was started: os.Exit(testpostgres.Main(m)).
// It starts nothing by itself.
func Main(m *testing.M) int {
	defer shared.close()
	return m.Run()
}

// Open returns an empty database. It is closed and dropped after the test.
func Open(t testing.TB, driver string) *sql.DB {
	t.Helper()
	return connect(t, driver, shared.create(t, driver))
}

// DSN returns the data source name of an empty database, for a test that hands it to another process. It is dropped after
// the test. The test imports one of the drivers pgx, postgres or pg.
func DSN(t testing.TB) string {
	t.Helper()
	return shared.create(t, registered(t))
}

// FromTemplate returns a database like the one that prepare made out of an empty one, usually by migrations. Prepare runs
// once per process and key; each test gets a copy of its own, which is closed and dropped after the test. A prepare that
// fails, fails the test, and is tried again by the next.
func FromTemplate(t testing.TB, driver, key string, prepare func(ctx context.Context, db *sql.DB) error) *sql.DB {
	t.Helper()
	return shared.fromTemplate(t, driver, key, prepare)
}

func (p *process) fromTemplate(t testing.TB, driver, key string, prepare func(context.Context, *sql.DB) error) *sql.DB {
	t.Helper()
	source := p.template(t, driver, key, prepare)
	dsn, err := p.tryCreate(t, driver, source)
	if err == nil {
		return connect(t, driver, dsn)
	}
	// A copy needs a source that nobody is connected to, for which the server waits 5 seconds. Somebody may be: a monitor.
	t.Logf("copying %s: %v; preparing a database from scratch", source, err)
	db := connect(t, driver, p.create(t, driver))
	if err := prepare(t.Context(), db); err != nil {
		t.Fatalf("preparing a database for %q: %v", key, err)
	}
	return db
}

// template is the name of the template of a key.
func (p *process) template(t testing.TB, driver, key string, prepare func(context.Context, *sql.DB) error) string {
	t.Helper()
	base := p.server(t)
	p.mu.Lock()
	tpl := p.templates[key]
	if tpl == nil {
		tpl = &template{driver: driver, base: base}
		p.templates[key] = tpl
	}
	p.mu.Unlock()

	tpl.mu.Lock() // a test that fails in prepare unlocks it and leaves the name empty
	defer tpl.mu.Unlock()
	if tpl.name != "" {
		return tpl.name
	}
	name := p.name()
	if err := statement(driver, base, createDatabase(name, "")); err != nil {
		t.Fatalf("creating a template for %q: %v", key, err)
	}
	made := false
	defer func() {
		if !made {
			p.drop(t, driver, base, name)
		}
	}()
	db, err := sql.Open(driver, withDatabase(base, name))
	if err != nil {
		t.Fatalf("opening the template for %q: %v", key, err)
	}
	err = func() error {
		defer db.Close()
		return prepare(t.Context(), db)
	}()
	if err != nil {
		t.Fatalf("preparing the template for %q: %v", key, err)
	}
	if err := statement(driver, base, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false"); err != nil {
		t.Fatalf("closing the template for %q: %v", key, err)
	}
	made, tpl.name = true, name
	return name
}

// server is the data source name of the server; it skips or fails a test that can have none.
func (p *process) server(t testing.TB) string {
	t.Helper()
	p.start.Do(func() {
		if p.dsn = os.Getenv(envDSN); p.dsn != "" {
			return
		}
		p.cluster, p.err = newCluster(nil, true)
		if p.err == nil {
			p.dsn = p.cluster.dsn()
		}
	})
	p.missing(t, p.err)
	return p.dsn
}

// missing skips or fails a test without a server; it returns when err is nil.
func (p *process) missing(t testing.TB, err error) {
	t.Helper()
	mode := os.Getenv(envMode)
	switch {
	case mode != "" && mode != "require":
		t.Fatalf(`%s is %q, and may only be "require"`, envMode, mode)
	case err == nil:
	case mode == "require":
		t.Fatalf("PostgreSQL is required: %v", err)
	default:
		p.loud.Do(func() { fmt.Fprintf(os.Stderr, "NOT TESTED ON POSTGRESQL: %v\n", err) })
		t.Skipf("no PostgreSQL: %v", err)
	}
}

// create makes a database and has it dropped after the test.
func (p *process) create(t testing.TB, driver string) (dsn string) {
	t.Helper()
	dsn, err := p.tryCreate(t, driver, "")
	if err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	return dsn
}

func (p *process) tryCreate(t testing.TB, driver, source string) (dsn string, err error) {
	t.Helper()
	base, name := p.server(t), p.name()
	if p.cluster == nil {
		p.tidy.Do(func() { sweepDatabases(driver, base) })
	}
	if err := statement(driver, base, createDatabase(name, source)); err != nil {
		return "", err
	}
	t.Cleanup(func() { p.drop(t, driver, base, name) })
	return withDatabase(base, name), nil
}

func (p *process) drop(t testing.TB, driver, base, name string) {
	if err := statement(driver, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		t.Logf("dropping a database: %v", err)
	}
}

func (p *process) name() string { return fmt.Sprintf("%s%s_%d", prefix, p.id, p.last.Add(1)) }

func (p *process) close() {
	if p.cluster != nil {
		p.cluster.remove()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tpl := range p.templates {
		if tpl.name != "" {
			statement(tpl.driver, tpl.base, "DROP DATABASE IF EXISTS "+tpl.name+" WITH (FORCE)") //nolint:errcheck // swept later
		}
	}
}

// createDatabase starts from template0, so that what an administrator put into template1 does not show.
func createDatabase(name, source string) string {
	if source == "" {
		return "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'"
	}
	return "CREATE DATABASE " + name + " TEMPLATE " + source
}

// sweepDatabases drops what tests left behind that were killed, on a server that outlives them.
func sweepDatabases(driver, base string) {
	db, err := sql.Open(driver, base)
	if err != nil {
		return
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	var names string
	if err := db.QueryRowContext(ctx, "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE starts_with(datname, '"+prefix+"')").
		Scan(&names); err != nil {
		return
	}
	for name := range strings.FieldsSeq(names) {
		if leftBehind(name, time.Now()) {
			db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name) //nolint:errcheck // in use after all, or somebody else's
		}
	}
}

// leftBehind tells from its name whether a database is too old to belong to a running test.
func leftBehind(name string, now time.Time) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	born, _, found := strings.Cut(rest, "_")
	seconds, err := strconv.ParseInt(born, 16, 64)
	return ok && found && err == nil && now.Sub(time.Unix(seconds, 0)) > leftFor && !strings.ContainsAny(name, `" '`)
}

// statement runs one statement on a connection of its own: no handle outlives it, so tests that look for leaks see none.
func statement(driver, dsn, query string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	_, err = db.ExecContext(ctx, query)
	return err
}

func connect(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(conns)
	t.Cleanup(func() { db.Close() })
	return db
}

// withDatabase names another database of the same server, in both forms of data source names.
func withDatabase(dsn, name string) string {
	if u, err := url.Parse(dsn); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		u.Path = "/" + name
		if q := u.Query(); q.Has("dbname") || q.Has("database") {
			q.Del("dbname")
			q.Del("database")
			u.RawQuery = q.Encode()
		}
		return u.String()
	}
	return dsn + " dbname=" + name // the last one counts
}

// registered is the name of a PostgreSQL driver that the test has imported.
func registered(t testing.TB) string {
	t.Helper()
	known := []string{"pgx", "pgx/v5", "postgres", "pg"}
	for _, name := range known {
		if slices.Contains(sql.Drivers(), name) {
			return name
		}
	}
	t.Fatalf("the test must import a driver, one of %s", strings.Join(known, ", "))
	return ""
}

// newest is the highest of the folders /usr/lib/postgresql/15/bin, …/9.6/bin, …/17/bin by version.
func newest(folders []string) string {
	version := func(folder string) []int {
		var v []int
		for part := range strings.SplitSeq(folder, "/") {
			for number := range strings.SplitSeq(part, ".") {
				if n, err := strconv.Atoi(number); err == nil {
					v = append(v, n)
				}
			}
		}
		return v
	}
	return slices.MaxFunc(folders, func(a, b string) int {
		return cmp.Or(slices.Compare(version(a), version(b)), cmp.Compare(a, b))
	})
}
