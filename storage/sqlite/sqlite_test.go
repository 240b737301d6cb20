package sqlite_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/storage/storagetest"
)

// open gives a handle on a database file of the test's own. The name has what a DSN must escape.
func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "a b?.db") }

func TestSuite(t *testing.T) {
	t.Run("File", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
			db := open(t, fast(path(t)))
			return db, sqlite.New(db, nil)
		})
	})
	t.Run("Readers", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
			file := path(t)
			db := open(t, fast(file))
			require.NoError(t, sqlite.New(db, nil).Migrate(t.Context())) // the file must be there before a reader opens it
			return db, sqlite.New(db, &sqlite.Options{ReadDB: open(t, sqlite.ReadDSN(file)), NoPrepare: true})
		})
	})
	t.Run("GroupCommit", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
			db := open(t, fast(path(t)))
			return db, sqlite.New(db, &sqlite.Options{GroupCommit: true})
		})
	})
	t.Run("Memory", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
			db := open(t, ":memory:?_pragma=foreign_keys(1)")
			db.SetMaxOpenConns(1) // a database in memory lives in its connection
			return db, sqlite.New(db, nil)
		})
	})
}

// fast does not wait for the disk: what the suite asks does not depend on it, and the crash tests use DSN as it is.
func fast(path string) string {
	return strings.Replace(sqlite.DSN(path), "synchronous(FULL)", "synchronous(OFF)", 1)
}

func TestNewRefusesWithASentence(t *testing.T) {
	for name, c := range map[string]struct {
		dsn  string
		opts *sqlite.Options
		says string
	}{
		"foreign keys off": {"file:" + filepath.Join(t.TempDir(), "x.db"), nil, "foreign keys are off"},
		"not migrated":     {sqlite.DSN(path(t)), nil, "call Migrate first"},
		"a prefix in SQL":  {sqlite.DSN(path(t)), &sqlite.Options{Prefix: "crm; DROP"}, "at most 31 lower-case letters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crm.New(t.Context(), sqlite.New(open(t, c.dsn), c.opts), nil)
			require.ErrorContains(t, err, c.says)
		})
	}
	t.Run("UTF-16", func(t *testing.T) {
		db := open(t, sqlite.DSN(path(t)))
		db.SetMaxOpenConns(1)
		_, err := db.Exec("PRAGMA encoding = 'UTF-16'; CREATE TABLE x (y)")
		require.NoError(t, err)
		_, err = crm.New(t.Context(), sqlite.New(db, nil), nil)
		require.ErrorContains(t, err, "UTF-8")
	})
}

func TestPrefix(t *testing.T) {
	storagetest.Prefix(t, "shop_", func(t *testing.T, prefix string) (*sql.DB, storage.Store) {
		db := open(t, fast(path(t)))
		return db, sqlite.New(db, &sqlite.Options{Prefix: prefix})
	})
}

func TestMigrationsAreForAHostsOwnTool(t *testing.T) {
	files := sqlite.Migrations(&sqlite.Options{Prefix: "shop_"})
	db := open(t, sqlite.DSN(path(t)))
	names, err := fs.Glob(files, "*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		require.NotContains(t, string(text), "crm_")
		_, err = db.Exec(string(text))
		require.NoError(t, err)
		_, err = fs.Stat(files, strings.Replace(name, ".up.", ".down.", 1))
		require.NoError(t, err)
	}
}

func TestDSNIsForFilesOfAnyName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "公海 #1 100%?.db")
	require.NoError(t, open(t, sqlite.DSN(name)).Ping())
	_, err := os.Stat(name)
	require.NoError(t, err)
}
