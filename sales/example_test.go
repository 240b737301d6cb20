package sales_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/shopspring/decimal"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

// A product has one price, and others by lists: for some time, and from some quantity on.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
	check(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	store := sqlite.New(db, nil)
	check(store.Migrate(ctx))
	c, err := crm.New(ctx, store, nil)
	check(err)
	boss := crm.System("acme", "set-up")
	check(c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))

	bearings := &sales.Category{Name: "Bearings"}
	check(c.Sales.Categories.Create(ctx, boss, bearings))
	ball := &sales.Product{Code: "B-6204", Name: "Ball bearing 6204", Category: bearings.ID, Unit: "pcs", Price: decimal.RequireFromString("12.5")}
	check(c.Sales.Products.Create(ctx, boss, ball))

	dealers := &sales.PriceList{Name: "Dealers 2026", Currency: "CNY", ValidFrom: "2026-01-01", ValidTo: "2026-12-31"}
	check(c.Sales.PriceLists.Create(ctx, boss, dealers))
	check(c.Sales.PriceLists.PutPrices(ctx, boss, dealers.ID,
		sales.Price{Product: ball.ID, Price: decimal.RequireFromString("11")},
		sales.Price{Product: ball.ID, From: decimal.NewFromInt(1000), Price: decimal.RequireFromString("9.8")}))

	for _, quantity := range []int64{1, 999, 1000} {
		prices, err := c.Sales.PriceLists.PriceOf(ctx, boss, dealers.ID, "2026-06-30",
			sales.PriceQuery{Product: ball.ID, Quantity: decimal.NewFromInt(quantity)})
		check(err)
		fmt.Println(quantity, "at", prices[0].Decimal)
	}
	// Output:
	// 1 at 11
	// 999 at 11
	// 1000 at 9.8
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
