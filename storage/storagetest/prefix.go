package storagetest

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// Prefix runs a short life under other table names: a statement that forgets them fails. open gives an empty database and
// a store whose tables begin with the prefix.
func Prefix(t *testing.T, prefix string, open func(t *testing.T, prefix string) (*sql.DB, storage.Store)) {
	db, store := open(t, prefix)
	ctx := t.Context()
	require.NoError(t, store.Migrate(ctx))
	b := &bundle{t: t, db: db, store: store}
	b.micros.Store(start.UnixMicro())
	b.CRM = b.open(nil)
	require.NoError(t, b.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	_, err := b.Team.Members.AddMany(ctx, boss, []team.Member{{User: "li", Role: team.Seller}, {User: "head", Role: team.Head}})
	require.NoError(t, err)
	ids := b.create(3, "li")
	tx := b.begin()
	everyUseCase(t, b, b.In(tx), ids)
	require.NoError(t, tx.Commit())
	free := b.create(2, "")
	require.NoError(t, b.Pool.Claim(ctx, li, free[0]))
	_, err = b.Pool.ClaimMany(ctx, li, free, pool.WhatCanBeHad)
	require.NoError(t, err)
	c := &customer.Customer{Name: "tagged"}
	require.NoError(t, b.Customers.Create(ctx, boss, c))
	_, err = b.Pool.Open(ctx, li, c.ID)
	require.NoError(t, err)
	_, err = b.Pool.PurgeOpens(ctx, boss, 0)
	require.NoError(t, err)
	_, err = b.Team.Trail.Audit(ctx, boss, team.TrailFilter{}, crm.Page{})
	require.NoError(t, err)
	_, err = b.Team.Trail.Events(ctx, boss, team.TrailFilter{}, crm.Page{})
	require.NoError(t, err)
	_, err = b.Pool.Log(ctx, boss, customer.OperationFilter{}, crm.Page{})
	require.NoError(t, err)
	_, err = b.Team.Relay.Dead(ctx, boss, crm.Page{})
	require.NoError(t, err)
	_, err = b.Customers.List(ctx, boss, customer.Filter{TagsAny: []string{"VIP"}, TagsAll: []string{"VIP"}}, crm.Page{})
	require.NoError(t, err)
	b.rule(pool.Rule{Condition: `followup_days > 1 and not ("VIP" in tags) and spend < 5 and orders == 0`, Action: pool.Release})
	b.wait(2 * day)
	require.Positive(t, b.warn(nil).Warned)
	require.NotEmpty(t, b.privates(li, pool.PrivateFilter{}, 1))
	report, err := b.Pool.Recycle(ctx, boss, all)
	require.NoError(t, err)
	require.Positive(t, report.Released)
	kept := b.create(1, "li")[0]
	require.NoError(t, b.Customers.Tasks.Create(ctx, li, &customer.Task{CustomerID: kept, Subject: "x", DueAt: b.now()}))
	_, err = b.HandOver.Run(ctx, boss, "li", &crm.HandOverOptions{Successors: []crm.UserID{"head"}})
	require.NoError(t, err)
	b.wait(time.Microsecond)
	simulated := b.simulate([]pool.Rule{{Name: "x", Condition: "spend < 5", Action: pool.Release}}, pool.SimulateOptions{})
	require.Equal(t, report.Released, simulated.Recorded.Recycled)
	_, err = b.Pool.Patterns.ClaimAndRelease(ctx, boss, pool.PatternFilter{}, crm.Page{})
	require.NoError(t, err)
	_, err = b.Pool.Patterns.Swaps(ctx, boss, pool.PatternFilter{}, crm.Page{})
	require.NoError(t, err)
	b.verify()
	require.NoError(t, b.Team.DropTenant(ctx, boss, nil))
	require.NoError(t, store.MigrateDown(ctx, 0))
}
