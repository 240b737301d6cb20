package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/openseas/crm/storage"
)

// Migrations are run by our own code and not by bun/migrate, whose lock is a row that a killed process leaves behind: here
// the lock and the mark belong to the transaction of the migration, so a crash releases the one and undoes the other.

// migration is one numbered pair of files: 0001_ground.up.sql and 0001_ground.down.sql.
type migration struct {
	version    int
	name       string
	compatible int // the oldest library version, by its newest migration, that still works on this schema
	up, down   string
}

// compatibleMark begins the first line of a migration that older libraries can live with.
const compatibleMark = "-- compatible-from: "

func (s *Store) migrations() ([]migration, error) {
	files, err := fs.Glob(s.eng.Migrations, "*.up.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".up.sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("the migration %s has no number", file)
		}
		up, err1 := fs.ReadFile(s.eng.Migrations, file)
		down, err2 := fs.ReadFile(s.eng.Migrations, strings.TrimSuffix(file, ".up.sql")+".down.sql")
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		m := migration{version: version, name: name, compatible: version, up: string(up), down: string(down)}
		if rest, ok := strings.CutPrefix(m.up, compatibleMark); ok {
			line, _, _ := strings.Cut(rest, "\n")
			if m.compatible, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b migration) int { return a.version - b.version })
	return all, nil
}

// Migrate see [storage.Store].
func (s *Store) Migrate(ctx context.Context) error {
	all, err := s.migrations()
	if err != nil {
		return err
	}
	for _, m := range all {
		err := s.migrating(ctx, func(ctx context.Context, db storage.Conn) error {
			applied, err := s.applied(ctx, db)
			if err != nil || slices.ContainsFunc(applied, func(a migration) bool { return a.version >= m.version }) {
				return err
			}
			if _, err := db.ExecContext(ctx, s.eng.Names.SQL(m.up)); err != nil {
				return fmt.Errorf("migration %s: %w", m.name, err)
			}
			_, err = db.ExecContext(ctx, s.eng.Names.SQL(fmt.Sprintf(
				"INSERT INTO crm_migrations (version, name, compatible_from, applied_at) VALUES (%d, '%s', %d, CURRENT_TIMESTAMP)",
				m.version, m.name, m.compatible)))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// MigrateDown see [storage.Store].
func (s *Store) MigrateDown(ctx context.Context, version int) error {
	all, err := s.migrations()
	if err != nil {
		return err
	}
	slices.Reverse(all)
	for _, m := range all {
		if m.version <= version {
			break
		}
		err := s.migrating(ctx, func(ctx context.Context, db storage.Conn) error {
			applied, err := s.applied(ctx, db)
			if err != nil || !slices.ContainsFunc(applied, func(a migration) bool { return a.version == m.version }) {
				return err
			}
			if last := applied[len(applied)-1]; last.version > m.version {
				return fmt.Errorf("migration %s was made by a newer version of the library: take it back with that one first", last.name)
			}
			if _, err := db.ExecContext(ctx, s.eng.Names.SQL(m.down)); err != nil {
				return fmt.Errorf("taking back migration %s: %w", m.name, err)
			}
			s.ids.forget() // tables that are made anew count from the beginning: what is kept of the old ones is of nobody
			s.tenants.Clear()
			_, err = db.ExecContext(ctx, s.eng.Names.SQL("DELETE FROM crm_migrations WHERE version = "+strconv.Itoa(m.version)))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// migrating runs fn in a transaction that no other migration shares the time of.
func (s *Store) migrating(ctx context.Context, fn func(ctx context.Context, db storage.Conn) error) error {
	if s.joined != nil {
		return errors.New("migrations commit by themselves and cannot run inside a host's transaction")
	}
	if s.invalid != nil {
		return s.invalid
	}
	leave, err := s.eng.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	own, err := s.write.db.BeginTx(ctx, nil)
	if err != nil {
		return s.translate(err, false)
	}
	defer own.Rollback() // does nothing after a commit
	if err := s.lockMigrations(ctx, own); err != nil {
		return err
	}
	if err := fn(ctx, own); err != nil {
		return err
	}
	return s.translate(own.Commit(), true)
}

// lockMigrations makes the table of what was applied, and waits for whoever migrates at the same time: on Postgres by an
// advisory lock, on SQLite because a write takes the whole database.
func (s *Store) lockMigrations(ctx context.Context, db storage.Conn) error {
	statements := []string{
		s.eng.LockMigrations,
		"CREATE TABLE IF NOT EXISTS crm_migrations (version integer PRIMARY KEY, name text NOT NULL, compatible_from integer NOT NULL, applied_at text NOT NULL)",
		"DELETE FROM crm_migrations WHERE version < 0",
	}
	for i, text := range statements {
		if text = s.eng.Names.SQL(text); i == 0 && s.eng.Names.Schema != "" {
			text += "; CREATE SCHEMA IF NOT EXISTS " + s.eng.Names.Schema
		}
		if text == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, text); err != nil {
			return s.translate(err, false)
		}
	}
	return nil
}

// applied are the migrations that the database has, oldest first.
func (s *Store) applied(ctx context.Context, db storage.Conn) (all []migration, err error) {
	rows, err := db.QueryContext(ctx, s.eng.Names.SQL("SELECT version, name, compatible_from FROM crm_migrations ORDER BY version"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.version, &m.name, &m.compatible); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// checkVersion refuses a schema that is older than the library, or newer and not compatible with it.
func (s *Store) checkVersion(ctx context.Context) error {
	ours, err := s.migrations()
	if err != nil {
		return err
	}
	applied, err := s.applied(ctx, s.write.db)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) {
			return err
		}
		return fmt.Errorf("the tables are not there, call Migrate first: %w", err)
	}
	newest := ours[len(ours)-1].version
	if len(applied) == 0 || applied[len(applied)-1].version < newest {
		return fmt.Errorf("the tables are older than this library (which needs migration %d): call Migrate first", newest)
	}
	if last := applied[len(applied)-1]; last.version > newest && last.compatible > newest {
		return fmt.Errorf("the tables are at migration %s, which this library (migration %d) cannot work with: update the library", last.name, newest)
	}
	return nil
}
