// Package crm is the front door of a customer relationship management library that Go programs embed: customers, the
// public pool (公海), sales, team and trail beside the host's own tables, in the host's own database and transaction.
//
//	db, err := sql.Open("sqlite", sqlite.DSN("shop.db"))  // the host's database, the host's driver
//	store := sqlite.New(db, nil)
//	err = store.Migrate(ctx)
//	c, err := crm.New(ctx, store, nil)                    // checks the database, starts nothing
//
//	boss := crm.System("acme", "set-up")                  // the explicit system actor, with its reason
//	err = c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"})
//	err = c.Team.Members.Add(ctx, boss, team.Member{User: "li", Role: team.Seller})
//
//	li := crm.Actor{Tenant: "acme", User: "li"}           // who asks: always an argument, never hidden in ctx
//	blue := &customer.Customer{Name: "蓝鲸机械有限公司"}
//	err = c.Customers.Create(ctx, li, blue)
//	err = c.Pool.Claim(ctx, li, blue.ID)                  // nil, or a *pool.Refusal: reason, until, limit
//
// Inside a transaction of the host:
//
//	tx, err := erp.BeginTx(ctx, nil)
//	err = c.In(tx).Pool.Claim(ctx, li, blue.ID)
//	_, err = tx.ExecContext(ctx, `INSERT INTO erp_orders …`)
//	err = tx.Commit()                                     // claim, order, log, audit, event: one commit or none
//
// Errors carry a code ([ErrNotFound], …), a stable reason, the field and the item's index: see [kernel.Error].
package crm
