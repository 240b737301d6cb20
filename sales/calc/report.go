package calc

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Receivable is what is open of an instalment.
type Receivable struct {
	Due         kernel.Date     `json:"due"`
	Outstanding decimal.Decimal `json:"outstanding"`
}

// Ageing is how long receivables have been overdue (quote-to-cash.md §3.4), in calendar days.
type Ageing struct {
	Current decimal.Decimal `json:"current"` // due on the day of the report, or later
	Days30  decimal.Decimal `json:"1-30"`
	Days60  decimal.Decimal `json:"31-60"`
	Days90  decimal.Decimal `json:"61-90"`
	Older   decimal.Decimal `json:"90+"` // 91 days and more
	Total   decimal.Decimal `json:"total"`
}

// Bucket names of [Bucket] are those of the JSON of [Ageing].
const (
	BucketCurrent = "current"
	Bucket30      = "1-30"
	Bucket60      = "31-60"
	Bucket90      = "61-90"
	BucketOlder   = "90+"
)

// Bucket is where something that was due on a date stands on another.
func Bucket(due, asOf kernel.Date) string {
	switch days := int(asOf.Start(time.UTC).Sub(due.Start(time.UTC)) / (24 * time.Hour)); {
	case days <= 0:
		return BucketCurrent
	case days <= 30:
		return Bucket30
	case days <= 60:
		return Bucket60
	case days <= 90:
		return Bucket90
	}
	return BucketOlder
}

// Age sorts receivables by how long they have been overdue. An error names the index: Malformed for a date, Empty for none.
func Age(asOf kernel.Date, items ...Receivable) (a Ageing, err error) {
	if err := needDate("as_of", asOf); err != nil {
		return a, err
	}
	for i, x := range items {
		if err := kernel.FirstError(needDate("due", x.Due), checkNumber("outstanding", x.Outstanding, amountScale)); err != nil {
			return Ageing{}, kernel.At(i, err)
		}
		a.add(Bucket(x.Due, asOf), x.Outstanding)
	}
	return a, nil
}

func (a *Ageing) add(bucket string, d decimal.Decimal) {
	sum := &a.Older
	switch bucket {
	case BucketCurrent:
		sum = &a.Current
	case Bucket30:
		sum = &a.Days30
	case Bucket60:
		sum = &a.Days60
	case Bucket90:
		sum = &a.Days90
	}
	*sum, a.Total = sum.Add(d), a.Total.Add(d)
}

func needDate(field string, d kernel.Date) error {
	if d == "" {
		return kernel.Invalid(field, kernel.Empty)
	}
	return d.Check(field)
}

// Outlook is how an opportunity stands.
type Outlook string

// The outlooks.
const (
	Open Outlook = "open"
	Won  Outlook = "won"
	Lost Outlook = "lost"
)

// Prospect is an opportunity as a forecast sees it.
type Prospect struct {
	Amount      decimal.Decimal `json:"amount"`
	Probability decimal.Decimal `json:"probability"` // percent, 0 to 100, of an open one
	Status      Outlook         `json:"status"`
}

// Forecast weighs opportunities by their probability, each rounded, so that a list and its total agree
// (quote-to-cash.md §4): a won one counts whole, a lost one not at all. Errors, with the index: ProbabilityRange,
// AmountOverflow, Scale, Unknown.
func Forecast(c Currency, r Rounding, all ...Prospect) (weighted []decimal.Decimal, total decimal.Decimal, err error) {
	digits, err := c.Digits()
	if err != nil {
		return nil, decimal.Zero, err
	}
	weighted = make([]decimal.Decimal, len(all))
	for i, p := range all {
		err := kernel.FirstError(kernel.OneOf("status", p.Status, Open, Won, Lost), checkNumber("amount", p.Amount, amountScale),
			checkPercent("probability", p.Probability, ProbabilityRange))
		if err != nil {
			return nil, decimal.Zero, kernel.At(i, err)
		}
		switch p.Status {
		case Won:
			weighted[i] = r.Round(p.Amount, digits)
		case Lost:
		default:
			weighted[i] = r.Round(p.Amount.Mul(p.Probability).Shift(-2), digits)
		}
		total = total.Add(weighted[i])
	}
	return weighted, total, nil
}

// InvoiceKind tells invoices apart by what they do to the contract.
type InvoiceKind string

// The kinds.
const (
	Blue   InvoiceKind = "blue" // 蓝字: above 0
	Red    InvoiceKind = "red"  // 红字: below 0, takes back part or all of a blue one
	Voided InvoiceKind = "void" // 作废: as if it had never been
)

// Invoice is an invoice as the cap sees it.
type Invoice struct {
	ID     int64           `json:"id"`
	Kind   InvoiceKind     `json:"kind"`
	Of     int64           `json:"of,omitempty"` // of a red one, the blue one
	Amount decimal.Decimal `json:"amount"`
}

// Invoiced is what a contract's invoices come to.
type Invoiced struct {
	Invoiced    decimal.Decimal `json:"invoiced"`
	Invoiceable decimal.Decimal `json:"invoiceable"` // what may still be invoiced
}

// InvoiceCap tests the invoices of a contract in the order given: together they never exceed its total, and red ones never
// what is left of their blue one; a red one makes room again (quote-to-cash.md §3.5). Errors, with the index: OutOfRange (the
// sign), Unknown (a red one of no blue one), Scale, AmountOverflow; refused: OverInvoice, RedExceedsBlue.
func InvoiceCap(c Currency, total decimal.Decimal, invoices ...Invoice) (Invoiced, error) {
	digits, err := c.Digits()
	if err := kernel.FirstError(err, checkNumber("contract_total", total, digits)); err != nil {
		return Invoiced{}, err
	}
	left := map[int64]decimal.Decimal{}
	sum := decimal.Zero
	for i, x := range invoices {
		if err := capped(digits, x, total.Sub(sum), left); err != nil {
			return Invoiced{}, kernel.At(i, err)
		}
		if x.Kind != Voided {
			sum = sum.Add(x.Amount)
		}
	}
	return Invoiced{sum, total.Sub(sum)}, nil
}

// capped tests one invoice against what is free, and notes what is left of the blue ones.
func capped(digits int32, x Invoice, free decimal.Decimal, left map[int64]decimal.Decimal) error {
	err := kernel.FirstError(kernel.OneOf("kind", x.Kind, Blue, Red, Voided), checkNumber("amount", x.Amount, digits))
	if err != nil {
		return err
	}
	switch x.Kind {
	case Blue:
		if !x.Amount.IsPositive() {
			return kernel.Invalidf("amount", kernel.OutOfRange, "must be above 0")
		}
		if x.Amount.Cmp(free) > 0 {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "amount", Reason: OverInvoice}
		}
		left[x.ID] = x.Amount
	case Red:
		rest, ok := left[x.Of]
		switch {
		case !x.Amount.IsNegative():
			return kernel.Invalidf("amount", kernel.OutOfRange, "must be below 0")
		case !ok:
			return kernel.Invalidf("of", kernel.Unknown, "there is no such blue invoice before it")
		case x.Amount.Abs().Cmp(rest) > 0:
			return &kernel.Error{Code: kernel.ErrRefused, Field: "amount", Reason: RedExceedsBlue}
		}
		left[x.Of] = rest.Add(x.Amount)
	case "":
		return kernel.Invalid("kind", kernel.Empty)
	}
	return nil
}
