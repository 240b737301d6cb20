package calc_test

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/sales/calc"
)

// BenchmarkDocument compares with what a plain loop over the same lines costs that multiplies, rounds and adds, and checks
// nothing.
func BenchmarkDocument(b *testing.B) {
	d := calc.Draft{Currency: "CNY", PriceMode: calc.Exclusive}
	for i := range 1_000 {
		d.Items = append(d.Items, calc.Item{
			Quantity: decimal.New(int64(i%97+1), -1), UnitPrice: decimal.New(int64(i*7919%1_000_000+1), -2), TaxRate: decimal.NewFromInt(13),
			Discount: decimal.NewNullDecimal(decimal.NewFromInt(85)),
		})
	}
	b.Run("calc", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := calc.Document(d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			net, tax := decimal.Zero, decimal.Zero
			for _, it := range d.Items {
				list := it.Quantity.Mul(it.UnitPrice).Round(2)
				amount := it.Quantity.Mul(it.UnitPrice).Mul(it.Discount.Decimal).Shift(-2).Round(2)
				_ = list.Sub(amount)
				t := amount.Mul(it.TaxRate).Shift(-2).Round(2)
				net, tax = net.Add(amount), tax.Add(t)
			}
			_ = net.Add(tax)
		}
	})
}
