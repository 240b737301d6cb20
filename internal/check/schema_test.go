package check

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

// schemaText lists everything that a migration makes, one text a line, with what it notes as applied and what it puts into
// the tables.
const (
	schemaTextSQLite = `SELECT type || ' ' || name || ' of ' || tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema
		UNION ALL SELECT 'applied ' || version || ' ' || name || ' ' || compatible_from FROM crm_migrations
		UNION ALL SELECT 'ids ' || next FROM crm_ids
		ORDER BY 1`
	schemaTextPostgres = `SELECT concat_ws(' ', 'column', table_name, column_name, ordinal_position, data_type, character_maximum_length, numeric_precision,
			numeric_scale, collation_name, is_nullable, column_default, identity_generation) AS line
			FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
			FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'public'
		UNION ALL SELECT concat_ws(' ', 'sequence', sequencename, start_value, increment_by, cache_size, last_value)
			FROM pg_sequences WHERE schemaname = 'public'
		UNION ALL SELECT concat_ws(' ', 'applied', version, name, compatible_from) FROM crm_migrations
		ORDER BY 1`
)

func schemaOf(t testing.TB, p place, db *sql.DB) []string {
	t.Helper()
	query := schemaTextSQLite
	if p.postgres() {
		query = schemaTextPostgres
	}
	return texts(t, db, query)
}

// texts are the rows of a query with one column of text.
func texts(t tester, db *sql.DB, query string, args ...any) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query, args...)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		list = append(list, s)
	}
	require.NoError(t, rows.Err())
	return list
}
