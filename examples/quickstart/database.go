package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/sqlite"
)

// database is where the story is lived. The engines differ in how a database comes and goes, and in nothing else.
type database struct {
	store storage.Store
	leave func(failed bool) error
}

func openDatabase(ctx context.Context, name string) (*database, error) {
	switch {
	case name == "":
		return openTemporary()
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"):
		return openPostgres(ctx, name)
	default:
		return openFile(ctx, name)
	}
}

// openTemporary makes a SQLite file that is gone afterwards.
func openTemporary() (*database, error) {
	dir, err := os.MkdirTemp("", "crm-quickstart-")
	if err != nil {
		return nil, err
	}
	// Nobody will miss this file after a power cut, so it need not wait for the disk. A host opens sqlite.DSN as it is.
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(dir, "quickstart.db"))+"&_pragma=synchronous(OFF)")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &database{sqlite.New(db, nil), func(bool) error { return errors.Join(db.Close(), os.RemoveAll(dir)) }}, nil
}

// openFile makes a SQLite file that stays, unless the story fails.
func openFile(ctx context.Context, file string) (*database, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // an empty file is an empty database
	undo := func() error { return os.Remove(file) }
	switch {
	case err == nil:
		if err := f.Close(); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrExist):
		if err := mustBeEmpty(ctx, file); err != nil {
			return nil, err
		}
		undo = func() error { return os.Truncate(file, 0) }
	default:
		return nil, fmt.Errorf("the database cannot be made: %w", err)
	}
	db, err := sql.Open("sqlite", sqlite.DSN(file))
	if err != nil {
		return nil, errors.Join(err, undo())
	}
	return &database{sqlite.New(db, nil), func(failed bool) error {
		err := db.Close() // the last connection to leave takes the -wal and -shm files with it
		if failed {
			err = errors.Join(err, undo())
		}
		return err
	}}, nil
}

// mustBeEmpty refuses a file that somebody uses. It opens it for reading only: whatever it is, it stays as it is.
func mustBeEmpty(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", sqlite.ReadDSN(file))
	if err != nil {
		return err
	}
	defer db.Close()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fmt.Errorf("%s is there already, and is no SQLite database that can be read: %w", file, err)
	}
	if tables > 0 {
		return fmt.Errorf("%s has tables already: name a file that does not exist yet, the story needs a database of its own", file)
	}
	return nil
}

// openPostgres uses a schema of its own in a database that others may use too.
func openPostgres(ctx context.Context, url string) (*database, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("-db is no URL of a PostgreSQL database: %w", err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // what is hot the store prepares itself; the rest is written once
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the database does not answer: %w", err), db.Close())
	}
	schema := "crm_quickstart_" + strings.ToLower(rand.Text()[:8])
	store := postgres.New(db, &postgres.Options{Schema: schema}) // Migrate makes the schema
	return &database{store, func(bool) error {
		// A context of its own: that of the story may have been cancelled.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, err := db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
		return errors.Join(err, db.Close())
	}}, nil
}
