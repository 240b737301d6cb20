package crm_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

// A contract of three instalments is paid in part, paid too much and invoiced; a change order makes it larger, and the books
// follow.
func Example_payments() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
	check(err)
	defer db.Close()
	db.SetMaxOpenConns(1) // a database in memory lives in its connection
	store := sqlite.New(db, nil)
	check(store.Migrate(ctx))
	c, err := crm.New(ctx, store, &crm.Options{Clock: func() time.Time { return time.Date(2026, 4, 1, 4, 0, 0, 0, time.UTC) }})
	check(err)

	boss, li := crm.System("acme", "set-up"), crm.Actor{Tenant: "acme", User: "li"}
	check(c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	check(c.Team.Members.Add(ctx, boss, team.Member{User: "li", Role: team.Seller}))
	blue := &customer.Customer{Name: "蓝鲸机械有限公司", CreditRating: customer.CreditBBB, Ownership: customer.Ownership{OwnerID: "li"}}
	check(c.Customers.Create(ctx, boss, blue))

	dec := decimal.RequireFromString
	line := func(price string) []sales.Line {
		return []sales.Line{{Name: "pump", Quantity: dec("1"), UnitPrice: decimal.NewNullDecimal(dec(price))}}
	}
	x := &sales.Contract{CustomerID: blue.ID, Name: "Pumps", Body: sales.Body{Lines: line("1000")}}
	check(c.Sales.Contracts.Create(ctx, li, x))
	_, err = c.Sales.Contracts.SetPlans(ctx, li, x.ID, sales.Plan{Date: "2026-01-10", Amount: dec("300")},
		sales.Plan{Date: "2026-02-10", Amount: dec("600")}, sales.Plan{Date: "2026-04-30", Amount: dec("100")})
	check(err)
	check(c.Sales.Contracts.Approve(ctx, boss, x.ID, x.Version))
	check(c.Sales.Contracts.Sign(ctx, li, x.ID, "2026-01-05"))

	show := func(about string) {
		x, err = c.Sales.Contracts.Get(ctx, li, x.ID)
		check(err)
		fmt.Printf("%s:", about)
		for _, p := range x.Plans {
			fmt.Printf(" %s of %s,", p.Paid, p.Amount)
		}
		fmt.Printf(" credit %s, %s\n", x.Credit, x.Status)
	}
	check(c.Sales.Payments.Record(ctx, li, &sales.Payment{ContractID: x.ID, Date: "2026-01-08", Amount: dec("500")}))
	show("500 came")

	open, err := c.Sales.Receivables.Ageing(ctx, li, sales.AgeingFilter{}, crm.Page{})
	check(err)
	a := open.Items[0].Base
	fmt.Printf("open: %s not due, %s for 31 to 60 days, of %s\n", a.Current, a.Days60, a.Total)
	risk, err := c.Sales.Receivables.Risk(ctx, li, blue.ID)
	check(err)
	fmt.Printf("risk: %s, %s\n", risk.Level, risk.Rule)
	terms, err := c.Sales.Receivables.Terms(ctx, li, blue.ID)
	check(err)
	fmt.Println("terms:", terms.Rule)

	wrong := &sales.Payment{ContractID: x.ID, Date: "2026-03-01", Amount: dec("700")}
	check(c.Sales.Payments.Record(ctx, li, wrong))
	show("700 more")
	_, err = c.Sales.Contracts.Amend(ctx, boss, x.ID, x.Version, sales.ChangeOrder{Lines: line("250"), Reason: "a spare motor"})
	check(err)
	show("250 were ordered on top")
	_, err = c.Sales.Payments.Reverse(ctx, li, wrong.ID, "another customer's")
	check(err)
	show("the 700 were not theirs")

	v := &sales.Invoice{ContractID: x.ID, Type: sales.OrdinaryInvoice, Medium: sales.DigitalInvoice, Amount: dec("1250")}
	check(c.Sales.Invoices.Request(ctx, li, v))
	check(c.Sales.Invoices.Issue(ctx, li, v.ID, "26332000000000000001", ""))
	err = c.Sales.Invoices.Request(ctx, li, &sales.Invoice{ContractID: x.ID, Type: sales.OrdinaryInvoice, Medium: sales.DigitalInvoice, Amount: dec("0.01")})
	fmt.Println("a cent above the contract:", errors.Is(err, calc.OverInvoice))
	check(c.Sales.Payments.Record(ctx, li, &sales.Payment{ContractID: x.ID, Date: "2026-04-01", Amount: dec("750")}))
	show("all is paid and invoiced")

	// Output:
	// 500 came: 300 of 300, 200 of 600, 0 of 100, credit 0, signed
	// open: 100 not due, 400 for 31 to 60 days, of 500
	// risk: critical, more than 30 % of what is receivable is overdue
	// terms: credit rating BBB: 30 days
	// 700 more: 300 of 300, 600 of 600, 100 of 100, credit 200, signed
	// 250 were ordered on top: 300 of 300, 600 of 600, 300 of 350, credit 0, signed
	// the 700 were not theirs: 300 of 300, 200 of 600, 0 of 350, credit 0, signed
	// a cent above the contract: true
	// all is paid and invoiced: 300 of 300, 600 of 600, 350 of 350, credit 0, completed
}
