package calc_test

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/sales/calc"
)

// A seller shows what a quote comes to while it is typed: nothing is stored yet.
func ExampleDocument() {
	totals, err := calc.Document(calc.Draft{
		Currency: "CNY", PriceMode: calc.Inclusive,
		Items: []calc.Item{
			{Quantity: decimal.RequireFromString("3"), UnitPrice: decimal.RequireFromString("33.33"), TaxRate: decimal.NewFromInt(13)},
			{
				Quantity: decimal.RequireFromString("7"), UnitPrice: decimal.RequireFromString("14.29"), TaxRate: decimal.NewFromInt(9),
				Discount: calc.PercentOff(decimal.NewFromInt(15)), // 八五折
			},
		},
		HeaderDiscountAmount: decimal.RequireFromString("0.02"), // 抹零
	})
	if err != nil {
		panic(err)
	}
	for i, l := range totals.Lines {
		fmt.Println(i+1, l.Amount, "less", l.HeaderDiscount, "is", l.Net, "and tax", l.Tax)
	}
	fmt.Println("to be paid:", totals.GrandTotal.StringFixed(2))
	// Output:
	// 1 99.99 less 0.01 is 88.48 and tax 11.5
	// 2 85.03 less 0.01 is 78 and tax 7.02
	// to be paid: 185.00
}

func ExampleSplitTerms() {
	parts, err := calc.SplitTerms("CNY", decimal.RequireFromString("1587.35"), calc.HalfUp,
		calc.Term{Percent: decimal.NewNullDecimal(decimal.NewFromInt(30))}, // with the order
		calc.Term{Percent: decimal.NewNullDecimal(decimal.NewFromInt(60))}, // on delivery
		calc.Term{Remainder: true}, // after acceptance
	)
	fmt.Println(parts, err)
	// Output: [476.21 952.41 158.73] <nil>
}

// A payment that is entered late changes what those after it paid.
func ExampleReplay() {
	plans := []calc.Instalment{
		{ID: 1, Date: "2026-01-10", Amount: decimal.NewFromInt(300)},
		{ID: 2, Date: "2026-02-10", Amount: decimal.NewFromInt(700)},
	}
	s, err := calc.Replay("CNY", plans, []calc.Payment{
		{ID: 11, Date: "2026-02-01", Amount: decimal.NewFromInt(500)},
		{ID: 12, Date: "2026-01-20", Amount: decimal.NewFromInt(100)},
	}, calc.CreditOverpayment)
	for _, a := range s.Allocations {
		fmt.Println("payment", a.Payment, "for instalment", a.Plan, a.Amount)
	}
	fmt.Println("open:", s.Outstanding, err)
	// Output:
	// payment 12 for instalment 1 100
	// payment 11 for instalment 1 200
	// payment 11 for instalment 2 300
	// open: 400 <nil>
}
