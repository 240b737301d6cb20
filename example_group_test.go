package crm_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

// With group commit, writers of a process that wait for SQLite's one writer anyway share a transaction, and wait for the disk
// together. Every call still returns after its commit.
func Example_groupCommit() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "crm")
	check(err)
	defer os.RemoveAll(dir)

	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(dir, "shop.db")))
	check(err)
	defer db.Close()
	store := sqlite.New(db, &sqlite.Options{GroupCommit: true})
	check(store.Migrate(ctx))
	c, err := crm.New(ctx, store, nil)
	check(err)
	boss := crm.System("acme", "set-up")
	check(c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))

	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { check(c.Customers.Create(ctx, boss, &customer.Customer{Name: "蓝鲸机械有限公司"})) })
	}
	all.Wait()
	n, _, err := c.Customers.Count(ctx, boss, customer.Filter{})
	check(err)
	fmt.Println(n)
	// Output: 16
}
