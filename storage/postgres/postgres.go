// Package postgres stores the CRM in PostgreSQL 14 or newer, with whatever driver the host opened it. What to give it is a
// pool of github.com/jackc/pgx/v5/stdlib: that driver cancels on the server what a context cancels, which others do not.
//
//	db, err := sql.Open("pgx", "postgres://shop@localhost/shop?default_query_exec_mode=exec")
//	store := postgres.New(db, nil)
//	err = store.Migrate(ctx)
//
// The execution mode exec suits statements that are written once and not cached; what is hot the store prepares itself.
// Behind a proxy that pools transactions (pgbouncer) set Options.NoPrepare.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/internal/bunstore"
)

//go:embed migrations/*.sql
var files embed.FS

// Options may be nil, and so may each field.
type Options struct {
	// Schema holds the tables; Migrate makes it where it is missing. Defaults to what the connection's search path finds.
	Schema string
	// Prefix begins the name of every table. Defaults to crm_.
	Prefix string
	// NoPrepare leaves hot statements to be parsed at every call: needed behind a proxy that pools transactions. Defaults
	// to false: they are prepared once.
	NoPrepare bool
}

func (o *Options) names() bunstore.Names {
	if o == nil {
		return bunstore.Names{}
	}
	return bunstore.Names{Schema: o.Schema, Prefix: o.Prefix}
}

// Migrations are the numbered SQL files, up and down, for hosts with a migration tool of their own, with the schema and
// the table names that the options (or nil) say.
func Migrations(opts *Options) fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil { // the folder is compiled in
		panic("crm: " + err.Error())
	}
	return bunstore.Rendered(sub, opts.names())
}

// migrationLock is an advisory lock that ends with its transaction. The number says "crm" and nothing else uses it.
const migrationLock = "SELECT pg_advisory_xact_lock(6517357)"

// New returns a store on db, which stays the caller's to close. It opens and asks nothing.
func New(db *sql.DB, opts *Options) storage.Store {
	eng := bunstore.Engine{
		Dialect: pgdialect.New(), Names: opts.names(), Migrations: Migrations(nil), LockMigrations: migrationLock,
		Enter: func(context.Context) (func(), error) { return func() {}, nil }, Check: check, Translate: bunstore.PostgresError,
	}
	if opts != nil {
		eng.NoPrepare = opts.NoPrepare
	}
	return bunstore.New(db, eng)
}

func check(ctx context.Context, db *sql.DB) error {
	var version int
	var conforming, encoding, client string
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('standard_conforming_strings'),
		current_setting('server_encoding'), current_setting('client_encoding')`).Scan(&version, &conforming, &encoding, &client); err != nil {
		return err
	}
	switch {
	case version < 140000:
		return fmt.Errorf("PostgreSQL 14 or newer is needed, this is %d", version/10000)
	case conforming != "on": // bun writes text into the statement and escapes it by the standard
		return errors.New("standard_conforming_strings is off: a backslash in a name could end the text; switch it on for this database")
	case encoding != "UTF8" || client != "UTF8":
		return fmt.Errorf("the database is encoded in %s and the connection in %s: both must be UTF8", encoding, client)
	}
	return nil
}
