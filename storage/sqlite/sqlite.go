// Package sqlite stores the CRM in SQLite, with whatever driver the host opened it: modernc.org/sqlite (no cgo) or
// github.com/mattn/go-sqlite3.
//
//	db, err := sql.Open("sqlite", sqlite.DSN("shop.db"))
//	store := sqlite.New(db, nil)
//	err = store.Migrate(ctx)
//
// SQLite has one writer. The store queues the write transactions of its process and lets one in at a time, which is twice
// as fast as letting them fight for the lock, and readers go beside it. A host's own transaction does not queue; a writer
// that meets its lock waits for the busy_timeout, and then answers retry.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/internal/bunstore"
)

//go:embed migrations/*.sql
var files embed.FS

// DSN opens path as the CRM wants it, with modernc.org/sqlite: immediate write transactions, WAL, every commit on disk,
// foreign keys, five seconds of patience with other processes, 64 MB of page cache.
func DSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(5000)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=cache_size(-65536)"
}

// ReadDSN opens the same path for Options.ReadDB: it cannot write, and its transactions take no lock.
func ReadDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=deferred&_pragma=busy_timeout(5000)" +
		"&_pragma=query_only(1)&_pragma=foreign_keys(1)&_pragma=cache_size(-65536)"
}

// Options may be nil, and so may each field.
type Options struct {
	// ReadDB is a second handle on the same file for reads that no transaction contains, see ReadDSN. Defaults to the
	// handle given to New.
	ReadDB *sql.DB
	// Prefix begins the name of every table. Defaults to crm_.
	Prefix string
	// NoPrepare leaves hot statements to be parsed at every call. Defaults to false: they are prepared once.
	NoPrepare bool
	// GroupCommit lets callers that wait for the writer share a transaction, each in a savepoint, and wait for the disk once,
	// together: more writes a second where many write at once, the more the slower the disk confirms, at the same durability.
	// A call still returns after its commit only, and one that fails takes back nothing but its own. What differs: if the
	// commit fails it fails for all of them, with an unknown outcome or retry; a context that is cancelled while the call is at
	// work takes back its work at its end, and does not interrupt a statement. Runs that commit in batches and calls inside a
	// host's transaction stay outside. Nothing runs in the background. Defaults to false: every call has a transaction of its
	// own.
	GroupCommit bool
}

func (o *Options) names() bunstore.Names {
	if o == nil {
		return bunstore.Names{}
	}
	return bunstore.Names{Prefix: o.Prefix}
}

// Migrations are the numbered SQL files, up and down, for hosts with a migration tool of their own, with the table names
// that the options (or nil) say.
func Migrations(opts *Options) fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil { // the folder is compiled in
		panic("crm: " + err.Error())
	}
	return bunstore.Rendered(sub, opts.names())
}

// New returns a store on db, which stays the caller's to close. It opens and asks nothing.
func New(db *sql.DB, opts *Options) storage.Store {
	eng := bunstore.Engine{
		Dialect: sqlitedialect.New(), Names: opts.names(), Migrations: Migrations(nil), Enter: newQueue(), Check: check,
		Translate: bunstore.SQLiteError,
	}
	if opts != nil {
		eng.Reader, eng.NoPrepare, eng.Group = opts.ReadDB, opts.NoPrepare, opts.GroupCommit
	}
	return bunstore.New(db, eng)
}

// newQueue lets one writer in at a time: writers that wait in SQLite itself sleep and poll, which halves the throughput.
func newQueue() func(ctx context.Context) (func(), error) {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context) (func(), error) {
		select {
		case turn <- struct{}{}:
			return func() { <-turn }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func check(ctx context.Context, db *sql.DB) error {
	var version, encoding string
	var major, minor, foreignKeys int
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version(), f.foreign_keys, e.encoding FROM pragma_foreign_keys AS f, pragma_encoding AS e").
		Scan(&version, &foreignKeys, &encoding); err != nil {
		return err
	}
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major*1000+minor < 3043 {
		return fmt.Errorf("SQLite 3.43 or newer is needed, this is %s", version)
	}
	if foreignKeys == 0 {
		return errors.New("foreign keys are off: open the database with sqlite.DSN, or with the same pragmas")
	}
	if encoding != "UTF-8" {
		return fmt.Errorf("the database is encoded in %s: create it in UTF-8", encoding)
	}
	return nil
}
