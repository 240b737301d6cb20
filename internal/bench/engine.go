package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver of SQLite

	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/sqlite"
)

// engine is a database to measure on: a file of SQLite, or a database of a PostgreSQL server.
type engine struct {
	pg  bool
	dsn string // the path of the file, or the data source name
}

// engineOf tells from its looks which engine a database is for.
func engineOf(db string) engine {
	return engine{pg: strings.Contains(db, "://") || strings.Contains(db, "host="), dsn: db}
}

func (e engine) String() string {
	if e.pg {
		return "postgres"
	}
	return "sqlite"
}

// most is how many connections a handle has: enough for every worker of every case.
const most = 24

// open opens a handle as a host is told to. Each contestant has one of its own.
func (e engine) open() (*sql.DB, error) {
	c, err := e.connector()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

func (e engine) connector() (driver.Connector, error) {
	if e.pg {
		cfg, err := pgx.ParseConfig(e.dsn)
		if err != nil {
			return nil, err
		}
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
		return stdlib.GetConnector(*cfg), nil
	}
	return connectorOf(sqlite.DSN(e.dsn))
}

// connectorOf makes a connector of the registered driver of SQLite, which has none.
func connectorOf(dsn string) (driver.Connector, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	return dsnConnector{d, dsn}, db.Close()
}

type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

func (e engine) store(db *sql.DB) storage.Store {
	if e.pg {
		return postgres.New(db, nil)
	}
	return sqlite.New(db, nil)
}

// drop takes everything away that is in the database.
func (e engine) drop(ctx context.Context) error {
	if !e.pg {
		for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
			if err := os.Remove(e.dsn + suffix); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return nil
	}
	db, err := e.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := e.store(db).MigrateDown(ctx, 0); err != nil {
		return fmt.Errorf("taking the tables away: %w", err)
	}
	_, err = db.ExecContext(ctx, "DROP TABLE IF EXISTS bench_data")
	return err
}
