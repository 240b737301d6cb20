// Package storage is the contract between the CRM and a database: no driver, no ORM. A host takes one of the adapters,
// storage/sqlite or storage/postgres, and hands it its own *sql.DB:
//
//	store := sqlite.New(db, nil)
//	err := store.Migrate(ctx)
//	c, err := crm.New(ctx, store, nil)
//
// A third adapter implements Store and runs the suite in storage/storagetest.
package storage

import (
	"context"
	"database/sql"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// Conn is what *sql.Tx, *sql.Conn and bun.Tx have in common: a transaction that the host has begun.
type Conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is every repository, bound to one unit of work.
type Tx interface {
	customer.Tx
	pool.Tx
	sales.Tx
	team.Tx
	Verify() VerifyRepository
}

// Store is a database that can run units of work.
type Store interface {
	// Do must run fn as m asks: nothing of it stays when fn fails. It returns errors that carry a kernel.Code.
	Do(ctx context.Context, m kernel.Mode, fn func(ctx context.Context, tx Tx) error) error
	// Join returns the store working inside a transaction that the host owns, and that comes from the *sql.DB the store was
	// made with: statements prepared there cannot run elsewhere. It never commits or rolls back, and after an error the
	// host's transaction must be usable.
	Join(tx Conn) Store
	// Joined tells whether the store works inside a host's transaction.
	Joined() bool
	// Check must fail, with a sentence that says what to do, on a database that is too old, misconfigured or not migrated.
	// It prepares the hot statements.
	Check(ctx context.Context) error
	// Migrate must bring the tables to the version of this library, each migration in a transaction of its own: applied
	// whole or not at all, whoever else migrates at the same time, and whenever it is killed.
	Migrate(ctx context.Context) error
	// MigrateDown must take back the migrations above a version, newest first; 0 takes everything away. What the Store keeps
	// of the tables in memory must go with them; other processes must have stopped, or begin anew.
	MigrateDown(ctx context.Context, version int) error
}
