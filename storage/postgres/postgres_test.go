package postgres_test

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/internal/testpostgres"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/storage/postgres"
	"github.com/openseas/crm/storage/storagetest"
)

func TestMain(m *testing.M) { os.Exit(testpostgres.Main(m)) }

// migrated gives a database of the test's own that has the tables already: a copy of a template, which is much faster.
func migrated(t *testing.T) *sql.DB {
	t.Helper()
	db := testpostgres.FromTemplate(t, "pgx", "migrated", func(ctx context.Context, db *sql.DB) error {
		return postgres.New(db, nil).Migrate(ctx)
	})
	db.SetMaxOpenConns(20)
	return db
}

func TestSuite(t *testing.T) {
	for name, opts := range map[string]*postgres.Options{"Prepared": nil, "NoPrepare": {NoPrepare: true}} {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) (*sql.DB, storage.Store) {
				db := migrated(t)
				return db, postgres.New(db, opts)
			})
		})
	}
}

func TestNewRefusesWithASentence(t *testing.T) {
	_, err := crm.New(t.Context(), postgres.New(testpostgres.Open(t, "pgx"), nil), nil)
	require.ErrorContains(t, err, "call Migrate first")
	_, err = crm.New(t.Context(), postgres.New(migrated(t), &postgres.Options{Schema: "a.b"}), nil)
	require.ErrorContains(t, err, "at most 31 lower-case letters")
	db := migrated(t)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("SET standard_conforming_strings = off")
	require.NoError(t, err)
	_, err = crm.New(t.Context(), postgres.New(db, nil), nil)
	require.ErrorContains(t, err, "standard_conforming_strings")
}

func TestPrefixAndSchema(t *testing.T) {
	for name, schema := range map[string]string{"Prefix": "", "Schema": "crm_house"} {
		t.Run(name, func(t *testing.T) {
			storagetest.Prefix(t, "shop_", func(t *testing.T, prefix string) (*sql.DB, storage.Store) {
				db := testpostgres.Open(t, "pgx")
				return db, postgres.New(db, &postgres.Options{Schema: schema, Prefix: prefix})
			})
		})
	}
}

func TestMigrationsAreForAHostsOwnTool(t *testing.T) {
	db := testpostgres.Open(t, "pgx")
	_, err := db.Exec("CREATE SCHEMA house")
	require.NoError(t, err)
	files := postgres.Migrations(&postgres.Options{Schema: "house"})
	names, err := fs.Glob(files, "*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		_, err = db.Exec(string(text))
		require.NoError(t, err)
	}
	var outside int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'crm%' AND schemaname <> 'house'").Scan(&outside))
	require.Zero(t, outside)
}

// Every key, unique index and foreign key begins with the tenant: a distributed PostgreSQL can shard by it.
func TestEveryKeyHasTheTenant(t *testing.T) {
	rows, err := migrated(t).Query(`SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND i.indisunique AND c.relname NOT IN ('crm_tenants', 'crm_migrations')
			AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'tenant_id')
		UNION ALL SELECT conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE contype = 'f'
			AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname = 'tenant_id')`)
	require.NoError(t, err)
	defer rows.Close()
	var without []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		without = append(without, name)
	}
	require.NoError(t, rows.Err())
	require.Empty(t, without)
}

// That a tenant was dropped meanwhile is read from the name of the foreign key: see bunstore.PostgresError.
func TestForeignKeysToTheTenantHaveTheNamesThatErrorsAreReadBy(t *testing.T) {
	const toTenants = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'crm_tenants'::regclass"
	db := migrated(t)
	var all, others int
	require.NoError(t, db.QueryRow(toTenants).Scan(&all))
	require.NoError(t, db.QueryRow(toTenants+" AND conname <> conrelid::regclass::text || '_tenant_id_fkey'").Scan(&others))
	require.Greater(t, all, 10)
	require.Zero(t, others)
}
