package check

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/team"
)

func migrateChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	// SQLite does not wait for another process that is just turning a new file to WAL: rarely, the first try is for nothing.
	if err := insist(func() error { return o.Place.store(db).Migrate(context.Background()) }); err != nil {
		return err
	}
	out.say("done")
	return nil
}

// wholeSchema is the schema that an undisturbed migration makes, and how long a child takes for it.
func wholeSchema(t *testing.T, p place) (lines []string, took time.Duration) {
	t.Helper()
	c := spawn(t, order{Role: "migrate", Place: p})
	start := time.Now()
	c.begin()
	require.Equal(t, []string{"done"}, all[string](c))
	took = time.Since(start)
	db := opened(t, p)
	lines = schemaOf(t, p, db)
	require.Greater(t, len(lines), 50)
	return lines, took
}

func opened(t testing.TB, p place) *sql.DB {
	t.Helper()
	db, err := p.open()
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// requireWhole migrates once more, and demands the whole schema, and that it works.
func requireWhole(t *testing.T, p place, db *sql.DB, whole []string) {
	t.Helper()
	store := p.store(db)
	require.NoError(t, store.Migrate(t.Context()))
	require.Equal(t, whole, schemaOf(t, p, db))
	c, err := crm.New(t.Context(), store, nil)
	require.NoError(t, err)
	require.NoError(t, c.Team.CreateTenant(t.Context(), boss, team.Tenant{Name: "Acme"}))
	require.NoError(t, c.Customers.Create(t.Context(), boss, &customer.Customer{Name: "x"}))
}

// interruptions tries some kills, each after a random part of the time that the whole takes, and goes on until one of them
// came in time.
func interruptions(t *testing.T, times int, took time.Duration, kill func(wait time.Duration) (interrupted bool)) {
	t.Helper()
	r, n, interrupted := chance(t), 0, 0
	for ; n < choose(times, 20*times) || interrupted == 0 && n < 20*times; n++ {
		if kill(time.Duration(r.Int64N(int64(took)))) {
			interrupted++
		} else {
			took = took*3/4 + 1
		}
	}
	t.Logf("%d of %d interrupted", interrupted, n)
	require.Positive(t, interrupted, "no kill came in time")
}

func TestMigrateByTwoProcessesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		whole, _ := wholeSchema(t, fresh(t))
		for range choose(3, 50) {
			p := fresh(t)
			both := []*process{spawn(t, order{Role: "migrate", Place: p}), spawn(t, order{Role: "migrate", Place: p})}
			for _, c := range both {
				c.begin()
			}
			for _, c := range both {
				require.Equal(t, []string{"done"}, all[string](c))
			}
			requireWhole(t, p, opened(t, p), whole)
		}
	})
}

func TestMigrateKilledAtAnyInstantGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		whole, took := wholeSchema(t, fresh(t))
		interruptions(t, 8, took, func(wait time.Duration) (interrupted bool) {
			p := fresh(t)
			c := spawn(t, order{Role: "migrate", Place: p})
			c.begin()
			time.Sleep(wait)
			c.kill()
			interrupted = c.end() != nil
			requireWhole(t, p, opened(t, p), whole)
			return interrupted
		})
	})
}

func TestMigrateWhenTheServerIsKilledGoesOn(t *testing.T) {
	t.Parallel()
	server := ownServer(t, map[string]string{})
	p := onServer(server.DSN())
	whole, took := wholeSchema(t, p)
	interruptions(t, 3, took/2, func(wait time.Duration) bool {
		db := opened(t, p)
		_, err := db.ExecContext(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- p.store(db).Migrate(context.Background()) }()
		time.Sleep(wait)
		require.NoError(t, server.Kill())
		err = <-done
		require.NoError(t, server.Start())
		require.NoError(t, db.Close()) // its connections are broken
		requireWhole(t, p, opened(t, p), whole)
		return err != nil
	})
}
