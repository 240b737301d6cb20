package calc_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

func dec(s string) decimal.Decimal {
	d, err := decimal.NewFromString(s)
	if err != nil {
		panic(err)
	}
	return d
}

func paid(s string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(s)) }

func requireMoney(t *testing.T, want string, got decimal.Decimal) {
	t.Helper()
	require.True(t, dec(want).Equal(got), "want %s, got %s", want, got)
}

// The table of quote-to-cash.md §1.2.
func TestLine(t *testing.T) {
	for _, x := range []struct {
		quantity, price, discount, list, amount, off string
	}{
		{"3", "12.5934", "93", "37.78", "35.14", "2.64"},
		{"10", "9.99", "85", "99.90", "84.92", "14.98"},
		{"10", "55.56", "90", "555.60", "500.04", "55.56"},
		{"20.10", "3.05", "", "61.31", "61.31", "0"},
		{"-2", "16.79", "", "-33.58", "-33.58", "0"},
		{"1", "99.99", "0", "99.99", "0", "99.99"},
		{"0.3333", "0.015", "100", "0", "0", "0"},
	} {
		it := calc.Item{Quantity: dec(x.quantity), UnitPrice: dec(x.price)}
		if x.discount != "" {
			it.Discount = paid(x.discount)
		}
		got, err := calc.Line("CNY", it, calc.Options{AllowReturns: true})
		require.NoError(t, err)
		requireMoney(t, x.list, got.List)
		requireMoney(t, x.amount, got.Amount)
		requireMoney(t, x.off, got.Discount)
	}
	yen, err := calc.Line("JPY", calc.Item{Quantity: dec("3"), UnitPrice: dec("33.5")}, calc.Options{})
	require.NoError(t, err)
	requireMoney(t, "101", yen.Amount)
}

// Each limit: what is just inside is accepted, what is just outside is refused with its reason and field.
func TestLineLimits(t *testing.T) {
	for _, x := range []struct {
		name   string
		item   calc.Item
		o      calc.Options
		reason kernel.Reason
		field  string
	}{
		{name: "4 decimals", item: calc.Item{Quantity: dec("0.0001"), UnitPrice: dec("0.0001")}},
		{name: "5 decimals of zeros", item: calc.Item{Quantity: dec("1.00000"), UnitPrice: dec("1")}},
		{name: "5 decimals of the quantity", item: calc.Item{Quantity: dec("1.00001"), UnitPrice: dec("1")}, reason: calc.Scale, field: "quantity"},
		{name: "5 decimals of the price", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1.00001")}, reason: calc.Scale, field: "unit_price"},
		{name: "discount of 2 decimals", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("99.99")}},
		{name: "discount of 3 decimals", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("99.999")}, reason: calc.Scale, field: "discount"},
		{name: "discount 100", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("100")}},
		{name: "discount above 100", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("100.01")}, reason: calc.DiscountRange, field: "discount"},
		{name: "discount below 0", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("-0.01")}, reason: calc.DiscountRange, field: "discount"},
		{name: "discount 1e400", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1"), Discount: paid("1e400")}, reason: calc.DiscountRange, field: "discount"},
		{name: "price 0", item: calc.Item{Quantity: dec("1")}},
		{name: "price below 0", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("-0.0001")}, reason: calc.NegativePrice, field: "unit_price"},
		{name: "quantity 0", item: calc.Item{UnitPrice: dec("1")}, reason: calc.ZeroQuantity, field: "quantity"},
		{name: "quantity 0 where it is allowed", item: calc.Item{UnitPrice: dec("1")}, o: calc.Options{AllowZeroQuantity: true}},
		{name: "a return", item: calc.Item{Quantity: dec("-1"), UnitPrice: dec("1")}, reason: calc.NegativeQuantity, field: "quantity"},
		{name: "a return where it is allowed", item: calc.Item{Quantity: dec("-1"), UnitPrice: dec("1")}, o: calc.Options{AllowReturns: true}},
		{name: "the largest quantity", item: calc.Item{Quantity: dec("99999999999999.9999"), UnitPrice: dec("0.0001")}},
		{name: "a quantity too large", item: calc.Item{Quantity: dec("1e14"), UnitPrice: dec("0.0001")}, reason: calc.AmountOverflow, field: "quantity"},
		{name: "a price of 1e400", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1e400")}, reason: calc.AmountOverflow, field: "unit_price"},
		{name: "a price of 1e-400", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("1e-400")}, reason: calc.Scale, field: "unit_price"},
		{name: "the largest amount", item: calc.Item{Quantity: dec("1"), UnitPrice: dec("99999999999999.99")}},
		{name: "an amount too large", item: calc.Item{Quantity: dec("2"), UnitPrice: dec("50000000000000")}, reason: calc.AmountOverflow, field: "amount"},
		{name: "the amount that it comes to", item: calc.Item{Quantity: dec("3"), UnitPrice: dec("1"), Amount: paid("3.00")}},
		{name: "another amount", item: calc.Item{Quantity: dec("3"), UnitPrice: dec("1"), Amount: paid("3.01")}, reason: calc.AmountMismatch, field: "amount"},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := calc.Line("CNY", x.item, x.o)
			requireReason(t, err, x.reason, x.field)
		})
	}
	for _, c := range []calc.Currency{"", "cny", "CN", "CNYX", "元"} {
		_, err := calc.Line(c, calc.Item{Quantity: dec("1")}, calc.Options{})
		requireReason(t, err, calc.UnknownCurrency, "currency")
	}
}

func requireReason(t *testing.T, err error, reason kernel.Reason, field string) {
	t.Helper()
	if reason == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, reason)
	var e *kernel.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field)
}

// The table of quote-to-cash.md §1.3.
func TestAllocate(t *testing.T) {
	for _, x := range []struct {
		total         string
		weights, want []string
	}{
		{"100.00", []string{"500", "1000"}, []string{"33.33", "66.67"}},
		{"10.00", []string{"50", "50", "50"}, []string{"3.34", "3.33", "3.33"}},
		{"50.00", []string{"120", "230", "300"}, []string{"9.23", "17.69", "23.08"}},
		{"0", []string{"0", "0"}, []string{"0", "0"}},
		{"99999999999999.99", []string{"99999999999999.9999", "99999999999999.9999"}, []string{"50000000000000.00", "49999999999999.99"}},
	} {
		var weights []decimal.Decimal
		for _, w := range x.weights {
			weights = append(weights, dec(w))
		}
		got, err := calc.Allocate(dec(x.total), 2, weights...)
		require.NoError(t, err)
		for i := range got {
			requireMoney(t, x.want[i], got[i])
		}
	}
	_, err := calc.Allocate(dec("1"), 2, dec("0"))
	require.ErrorIs(t, err, calc.ZeroWeight)
	_, err = calc.Allocate(dec("1"), 2)
	require.ErrorIs(t, err, calc.ZeroWeight)
	_, err = calc.Allocate(dec("1"), 2, dec("1"), dec("-1"))
	require.ErrorIs(t, err, calc.NegativeWeight)
	_, err = calc.Allocate(dec("0.001"), 2, dec("1"))
	require.ErrorIs(t, err, calc.Scale)
}

// Examples A to D of quote-to-cash.md §1.4.
func TestDocumentExamples(t *testing.T) {
	a := calc.Draft{Currency: "EUR", PriceMode: calc.Exclusive}
	for _, price := range []string{"386.40", "248.40", "1324.80", "662.40", "1978.00"} {
		a.Items = append(a.Items, calc.Item{Quantity: dec("1"), UnitPrice: dec(price), TaxRate: dec("19")})
	}
	requireMoney(t, "874.01", computed(t, a).TaxTotal)
	a.TaxRounding = calc.PerDocument
	got := computed(t, a)
	requireMoney(t, "874.00", got.TaxTotal)
	requireMoney(t, "73.41", got.Lines[0].Tax) // 73.416, rounded up the farthest

	got = computed(t, exampleB())
	requireMoney(t, "185.02", got.Subtotal)
	requireMoney(t, "177.48", got.NetTotal)
	requireMoney(t, "19.51", got.TaxTotal)
	requireMoney(t, "196.99", got.GrandTotal)
	requireMoney(t, "0.99", got.Fees[0].Tax)

	got = computed(t, calc.Draft{Currency: "JPY", PriceMode: calc.Inclusive, Items: []calc.Item{{Quantity: dec("1"), UnitPrice: dec("10920"), TaxRate: dec("19")}}})
	requireMoney(t, "9176", got.NetTotal)
	requireMoney(t, "1744", got.TaxTotal)
	got = computed(t, calc.Draft{Currency: "KWD", PriceMode: calc.Inclusive, Items: []calc.Item{{Quantity: dec("1"), UnitPrice: dec("1"), TaxRate: dec("5")}}})
	requireMoney(t, "0.952", got.NetTotal)
}

func exampleB() calc.Draft {
	return calc.Draft{
		Currency: "CNY", PriceMode: calc.Inclusive,
		Items: []calc.Item{
			{Quantity: dec("3"), UnitPrice: dec("33.33"), TaxRate: dec("13")},
			{Quantity: dec("7"), UnitPrice: dec("14.29"), Discount: paid("85"), TaxRate: dec("9")},
			{Quantity: dec("1"), UnitPrice: dec("50"), Discount: paid("0"), TaxRate: dec("6")},
		},
		HeaderDiscountAmount: dec("0.03"),
		Fees:                 []calc.Fee{{Name: "freight", Amount: dec("12.00"), TaxRate: dec("9")}},
	}
}

func computed(t *testing.T, d calc.Draft) calc.Totals {
	t.Helper()
	got, err := calc.Document(d)
	require.NoError(t, err)
	return got
}

func TestHeaderDiscount(t *testing.T) {
	one := func(change func(*calc.Draft)) calc.Draft {
		d := calc.Draft{Currency: "CNY", PriceMode: calc.Exclusive, Items: []calc.Item{{Quantity: dec("1"), UnitPrice: dec("100")}}}
		change(&d)
		return d
	}
	got := computed(t, one(func(d *calc.Draft) { d.HeaderDiscountAmount = dec("100.00") }))
	requireMoney(t, "0", got.GrandTotal)
	_, err := calc.Document(one(func(d *calc.Draft) { d.HeaderDiscountAmount = dec("100.01") }))
	require.ErrorIs(t, err, calc.DiscountExceedsSubtotal)
	got = computed(t, one(func(d *calc.Draft) { d.HeaderDiscountAmount, d.ClampDiscount = dec("100.01"), true }))
	requireMoney(t, "100", got.DiscountTotal)
	got = computed(t, one(func(d *calc.Draft) { d.HeaderDiscountRate, d.HeaderDiscountAmount = paid("85"), dec("0.5") }))
	requireMoney(t, "15.50", got.DiscountTotal)
	_, err = calc.Document(one(func(d *calc.Draft) { d.HeaderDiscountAmount = dec("-0.01") }))
	require.ErrorIs(t, err, calc.DiscountRange)
	_, err = calc.Document(one(func(d *calc.Draft) { d.HeaderDiscountAmount = dec("0.001") }))
	require.ErrorIs(t, err, calc.Scale)
	// What comes back bears none of it, so that a share never exceeds its line.
	got = computed(t, one(func(d *calc.Draft) {
		d.AllowReturns, d.HeaderDiscountAmount = true, dec("6")
		d.Items = append(d.Items, calc.Item{Quantity: dec("-4"), UnitPrice: dec("1")})
	}))
	requireMoney(t, "6", got.Lines[0].HeaderDiscount)
	requireMoney(t, "0", got.Lines[1].HeaderDiscount)
}

// A wrong line of many is named by its index, and so is a wrong fee.
func TestDocumentNamesTheLine(t *testing.T) {
	d := exampleB()
	d.Items[1].Discount = paid("101")
	_, err := calc.Document(d)
	var e *kernel.Error
	require.ErrorAs(t, err, &e)
	i, ok := e.Item()
	require.True(t, ok && i == 1 && e.Field == "discount" && e.Reason == calc.DiscountRange, "%v", err)
	d = exampleB()
	d.Items[2].TaxKind = calc.Exempt
	_, err = calc.Document(d)
	require.ErrorIs(t, err, calc.TaxRateRange)
	d = exampleB()
	d.PriceMode = ""
	_, err = calc.Document(d)
	requireReason(t, err, kernel.Empty, "price_mode")
}

// Example B of quote-to-cash.md §1.5.
func TestFapiao(t *testing.T) {
	lines, err := calc.Fapiao(exampleB(), nil)
	require.NoError(t, err)
	net, tax := decimal.Zero, decimal.Zero
	for _, l := range lines {
		net, tax = net.Add(l.Net), tax.Add(l.Tax)
		require.LessOrEqual(t, l.Net.Mul(l.TaxRate).Shift(-2).Sub(l.Tax).Abs().Cmp(dec("0.01")), 0)
		if l.UnitPrice.Valid {
			require.LessOrEqual(t, l.UnitPrice.Decimal.Mul(l.Quantity.Decimal).Sub(l.Net).Abs().Cmp(dec("0.01")), 0)
		}
	}
	totals := computed(t, exampleB())
	requireMoney(t, totals.NetTotal.String(), net)
	requireMoney(t, totals.TaxTotal.String(), tax)
	require.Len(t, lines, 7) // goods and discount of each line, and the freight
	requireMoney(t, "91.77", lines[2].Net)
	requireMoney(t, "8.26", lines[2].Tax)
	require.True(t, lines[3].Discount && lines[3].Item == 1)
	requireMoney(t, "-13.77", lines[3].Net)
	requireMoney(t, "-1.24", lines[3].Tax)

	d := exampleB()
	d.Items[0].TaxRate = dec("19")
	_, err = calc.Fapiao(d, nil)
	require.ErrorIs(t, err, calc.TaxRateRange)
	_, err = calc.Fapiao(calc.Draft{Currency: "CNY", PriceMode: calc.Inclusive, Items: []calc.Item{{Quantity: dec("1")}}}, nil)
	require.ErrorIs(t, err, calc.ZeroTotal)
}

// The table of quote-to-cash.md §3.2.
func TestSplit(t *testing.T) {
	parts, err := calc.SplitPercent("CNY", dec("99999.99"), "", dec("30"), dec("60"), dec("10"))
	require.NoError(t, err)
	requireAll(t, parts, "30000.00", "59999.99", "10000.00")
	parts, err = calc.SplitPercent("CNY", dec("0.03"), "", dec("50"), dec("50"))
	require.NoError(t, err)
	requireAll(t, parts, "0.02", "0.01")
	_, err = calc.SplitPercent("CNY", dec("0.01"), "", dec("50"), dec("50"))
	require.ErrorIs(t, err, calc.InstallmentSign)
	_, err = calc.SplitPercent("CNY", dec("1"), "", dec("50"), dec("49.99"))
	require.ErrorIs(t, err, calc.PercentSum)
	parts, err = calc.SplitEqual("CNY", dec("100.00"), 3)
	require.NoError(t, err)
	requireAll(t, parts, "33.34", "33.33", "33.33")
	parts, err = calc.SplitEqual("JPY", dec("10"), 3)
	require.NoError(t, err)
	requireAll(t, parts, "4", "3", "3")
	_, err = calc.SplitEqual("CNY", dec("0.02"), 3)
	require.ErrorIs(t, err, calc.InstallmentSign)
	_, err = calc.SplitEqual("CNY", dec("0"), 3)
	require.ErrorIs(t, err, calc.ZeroTotal)
	_, err = calc.SplitTerms("CNY", dec("1"), "", calc.Term{})
	require.ErrorIs(t, err, kernel.Malformed)
	_, err = calc.SplitTerms("CNY", dec("1"), "", calc.Term{Remainder: true}, calc.Term{Remainder: true})
	require.ErrorIs(t, err, kernel.Malformed)
}

func requireAll(t *testing.T, got []decimal.Decimal, want ...string) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		requireMoney(t, want[i], got[i])
	}
}

func TestDueDates(t *testing.T) {
	require.Equal(t, kernel.Date("2026-02-28"), calc.MonthsLater("2026-01-31", 1))
	require.Equal(t, kernel.Date("2028-02-29"), calc.MonthsLater("2028-01-31", 1))
	require.Equal(t, kernel.Date("2026-12-31"), calc.MonthsLater("2027-01-31", -1))
	require.Equal(t, kernel.Date("2026-03-02"), calc.After("2026-02-28", 2))
	require.Equal(t, kernel.Date("2026-02-28"), calc.EndOfMonth("2026-02-01"))
	require.Equal(t, kernel.Date("2026-02-15"), calc.DayOfMonth("2026-02-14", 15))
	require.Equal(t, kernel.Date("2026-03-15"), calc.DayOfMonth("2026-02-15", 15))
	require.Equal(t, kernel.Date("2026-04-30"), calc.DayOfMonth("2026-03-31", 31))
	require.Empty(t, calc.After("", 2))
}

// The examples of quote-to-cash.md §3.3.
func TestReplay(t *testing.T) {
	plans := []calc.Instalment{{1, "2026-01-10", dec("300")}, {2, "2026-02-10", dec("600")}, {3, "2026-03-10", dec("100")}}
	first := calc.Payment{ID: 1, Date: "2026-01-05", Amount: dec("500")}
	s := replayed(t, plans, first)
	requireStates(t, s, "300 200 0", calc.Paid, calc.PartlyPaid, calc.Unpaid)
	s = replayed(t, plans, calc.Payment{ID: 2, Date: "2026-01-06", Amount: dec("700"), Plan: 3}, first)
	requireStates(t, s, "300 600 100", calc.Paid, calc.Paid, calc.Paid)
	requireMoney(t, "200", s.Unallocated)
	s = replayed(t, plans, calc.Payment{ID: 1, Date: "2026-01-05", Amount: dec("1200")}, calc.Payment{ID: 2, Date: "2026-01-06", Amount: dec("-500")})
	requireStates(t, s, "300 400 0", calc.Paid, calc.PartlyPaid, calc.Unpaid)
	requireMoney(t, "0", s.Unallocated)
	requireMoney(t, "700", s.Received)

	_, err := calc.Replay("CNY", plans, []calc.Payment{{ID: 1, Amount: dec("1000.01")}}, calc.RejectOverpayment)
	require.ErrorIs(t, err, calc.Overpayment)
	require.ErrorIs(t, err, kernel.ErrRefused)
	_, err = calc.Replay("CNY", plans, []calc.Payment{{ID: 1, Amount: dec("1000")}}, calc.RejectOverpayment)
	require.NoError(t, err)
	_, err = calc.Replay("CNY", plans, []calc.Payment{first, {ID: 2, Date: "2026-01-04", Amount: dec("-1")}}, "")
	require.ErrorIs(t, err, calc.RefundExceedsReceived, "it is dated before the money came")
	_, err = calc.Replay("CNY", plans, []calc.Payment{{ID: 1}}, "")
	require.ErrorIs(t, err, calc.ZeroPayment)
	_, err = calc.Replay("CNY", plans, []calc.Payment{{ID: 1, Amount: dec("1"), Plan: 9}}, "")
	require.ErrorIs(t, err, kernel.Unknown)
	_, err = calc.Replay("CNY", plans, []calc.Payment{first, first}, "")
	require.ErrorIs(t, err, kernel.Duplicate)
}

func replayed(t *testing.T, plans []calc.Instalment, payments ...calc.Payment) calc.Settlement {
	t.Helper()
	s, err := calc.Replay("CNY", plans, payments, "")
	require.NoError(t, err)
	return s
}

func requireStates(t *testing.T, s calc.Settlement, want string, statuses ...calc.PlanStatus) {
	t.Helper()
	got := ""
	for i, p := range s.Plans {
		if i > 0 {
			got += " "
		}
		got += p.Paid.String()
		require.Equal(t, statuses[i], p.Status)
	}
	require.Equal(t, want, got)
}

func TestInvoiceCap(t *testing.T) {
	blue := func(id int64, amount string) calc.Invoice {
		return calc.Invoice{ID: id, Kind: calc.Blue, Amount: dec(amount)}
	}
	red := func(id, of int64, amount string) calc.Invoice {
		return calc.Invoice{ID: id, Kind: calc.Red, Of: of, Amount: dec(amount)}
	}
	for _, x := range []struct {
		invoices []calc.Invoice
		reason   kernel.Reason
		free     string
	}{
		{invoices: []calc.Invoice{blue(1, "600"), blue(2, "400")}, free: "0"},
		{invoices: []calc.Invoice{blue(1, "600"), blue(2, "400.01")}, reason: calc.OverInvoice},
		{invoices: []calc.Invoice{blue(1, "1000"), red(2, 1, "-250"), blue(3, "250")}, free: "0"},
		{invoices: []calc.Invoice{blue(1, "300"), red(2, 1, "-300")}, free: "1000"},
		{invoices: []calc.Invoice{blue(1, "300"), red(2, 1, "-300.01")}, reason: calc.RedExceedsBlue},
		{invoices: []calc.Invoice{blue(1, "300"), red(2, 1, "-200"), red(3, 1, "-100.01")}, reason: calc.RedExceedsBlue},
		{invoices: []calc.Invoice{red(2, 1, "-1")}, reason: kernel.Unknown},
		{invoices: []calc.Invoice{blue(1, "0")}, reason: kernel.OutOfRange},
		{invoices: []calc.Invoice{{ID: 1, Kind: calc.Voided, Amount: dec("1000")}, blue(2, "1000")}, free: "0"},
	} {
		got, err := calc.InvoiceCap("CNY", dec("1000"), x.invoices...)
		if x.reason != "" {
			require.ErrorIs(t, err, x.reason)
			continue
		}
		require.NoError(t, err)
		requireMoney(t, x.free, got.Invoiceable)
	}
}

func TestBase(t *testing.T) {
	got, err := calc.Base(dec("100.01"), dec("0.05"), "CNY", "")
	require.NoError(t, err)
	requireMoney(t, "5.00", got)
	_, err = calc.Base(dec("1"), dec("0"), "CNY", "")
	require.ErrorIs(t, err, kernel.OutOfRange)
	_, err = calc.Base(dec("1"), dec("0.000000001"), "CNY", "")
	require.ErrorIs(t, err, calc.Scale)
}
