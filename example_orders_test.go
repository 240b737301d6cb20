package crm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/sales"
)

// The host reports its orders as they stand, as often as it likes: the sequence tells which report is the last.
func Example_orders() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	erp := crm.System("acme", "erp")

	report := func(sequence int64, status sales.OrderStatus, refunds ...sales.OrderRefund) {
		out, err := c.Sales.Orders.Record(ctx, erp, &sales.Order{
			System: "erp", Number: "SO-1", Sequence: sequence, CustomerID: blue.ID, Status: status,
			Total: decimal.New(1200, 0), OrderedAt: c.now.Add(-time.Hour), Refunds: refunds,
			Lines: []sales.OrderLine{{Code: "P-7", Name: "pump", Quantity: decimal.New(2, 0), UnitPrice: decimal.New(600, 0), Amount: decimal.New(1200, 0)}},
		})
		check(err)
		got, err := c.Customers.Get(ctx, erp, blue.ID)
		check(err)
		fmt.Println(status, out[0].Result, "- the customer is", got.Stage)
	}
	report(1, sales.OrderPlaced)
	report(3, sales.OrderShipped)
	report(2, sales.OrderPaid) // it was on the way for longer
	report(4, sales.OrderCompleted, sales.OrderRefund{At: c.now, Amount: decimal.New(100, 0)})

	spend, err := c.Sales.Orders.Spend(ctx, erp, blue.ID)
	check(err)
	fmt.Println("in the trailing year:", spend[0].Net)
	fmt.Println(sales.DefaultOrderPolicy().Explain(blue.Level, decimal.New(25_000, 0)).Why)
	// Output:
	// placed recorded - the customer is potential
	// shipped recorded - the customer is won
	// paid stale - the customer is won
	// completed recorded - the customer is won
	// in the trailing year: 1100
	// 25000 exceeds 20000, the limit of no level
}
