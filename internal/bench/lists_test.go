package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
)

// PostgreSQL plans a prepared list a few times, and then keeps the plan, also where a page promises to be a cheap one: the
// last page does.
func TestListsAreNotPlannedAtEveryCall(t *testing.T) {
	engines(t, func(t *testing.T, open func(t *testing.T) engine) {
		e, d := built(t, open(t))
		if !e.pg {
			t.Skip("SQLite plans a prepared statement once")
		}
		db, err := e.open()
		require.NoError(t, err)
		defer db.Close()
		db.SetMaxOpenConns(1) // what is prepared is known to its connection only
		c, err := crm.New(t.Context(), e.store(db), &crm.Options{Clock: clock})
		require.NoError(t, err)
		b := &bench{d: d}
		for _, l := range lists() {
			for i := range 10 {
				a := l.first(b, 2*i) // of one tenant
				for _, after := range []int64{0, d.id(0, d.perTenant()-20)} {
					_, err := c.Customers.List(t.Context(), a.actor(), a.filter, crm.Page{Limit: 20, After: cursor(after)})
					require.NoError(t, err)
				}
			}
		}
		rows, err := db.Query("SELECT statement, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%LIMIT 21%'")
		require.NoError(t, err)
		defer rows.Close()
		found := 0
		for rows.Next() {
			var text string
			var planned int
			require.NoError(t, rows.Scan(&text, &planned))
			require.LessOrEqual(t, planned, 5, text)
			found++
		}
		require.NoError(t, rows.Err())
		require.Equal(t, 2*len(lists()), found)
	})
}
