// Package calc computes the amounts of quotes, contracts, payment plans and invoices: exactly, to the cent, and the same
// every time. It knows no database and no clock; the documents of package sales are computed by it, and a host may compute
// with it what it shows before anything is stored.
//
//	totals, err := calc.Document(calc.Draft{
//		Currency: "CNY", PriceMode: calc.Inclusive,
//		Items:    []calc.Item{{Quantity: three, UnitPrice: price, TaxRate: thirteen}},
//	})
//
// Amounts are rounded to the currency's digits, half away from zero, once, on the exact value. A discount is the percent
// that is paid (折扣): 100 is none, 85 is 八五折, 0 is free. It is a NullDecimal, because the zero Decimal would be a gift:
// what is not set is 100. [PercentOff] gives 85 for 15.
//
// The rules are those of quote-to-cash.md: §1 amounts, §3 plans, payments, ageing and invoices, §4 forecast. Their figures
// are in testdata/vectors.json, in a format that a user can bring more of (CRM_VECTORS names a file).
//
// Errors are [kernel.Error] with the code invalid for input that can never be accepted and refused for what the state of a
// contract does not allow, a reason of this package, the field, and the index of the line, term, payment or invoice.
package calc
