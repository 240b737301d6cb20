package calc

import (
	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Draft is a document as somebody types it.
type Draft struct {
	Currency  Currency  `json:"currency"`
	PriceMode PriceMode `json:"price_mode"`
	Options
	Items []Item `json:"items"`

	// What is taken off the sum of the lines, and shared out among them: by a rate, the percent that is paid (null is 100),
	// and by an amount (抹零 is one), 0 or more, with no more decimals than the currency has. Both may be given.
	HeaderDiscountRate   decimal.NullDecimal `json:"header_discount_rate"`
	HeaderDiscountAmount decimal.Decimal     `json:"header_discount_amount"`

	Fees []Fee `json:"fees,omitempty"`
}

// Fee is freight, installation and the like: in the price mode of the document, taxed like a line, out of the header
// discount.
type Fee struct {
	Name    string          `json:"name"`   // at most 100
	Amount  decimal.Decimal `json:"amount"` // 0 or more, with no more decimals than the currency has
	TaxRate decimal.Decimal `json:"tax_rate"`
	TaxKind TaxKind         `json:"tax_kind,omitempty"`
}

// Totals are what a document comes to. Net and tax of its lines and fees add up to those of the document, in both tax
// roundings.
type Totals struct {
	Lines         []LineTotals    `json:"lines"`
	Fees          []FeeTotals     `json:"fees,omitempty"`
	Subtotal      decimal.Decimal `json:"subtotal"`       // of the lines, before the header discount
	DiscountTotal decimal.Decimal `json:"discount_total"` // the header discount
	FeeTotal      decimal.Decimal `json:"fee_total"`
	NetTotal      decimal.Decimal `json:"net_total"`
	TaxTotal      decimal.Decimal `json:"tax_total"`
	GrandTotal    decimal.Decimal `json:"grand_total"` // what is to be paid
	ByRate        []RateTotals    `json:"by_rate"`     // rates ascending
}

// LineTotals are what a line comes to.
type LineTotals struct {
	Amounts
	HeaderDiscount decimal.Decimal `json:"header_discount"` // its share
	Net            decimal.Decimal `json:"net"`
	Tax            decimal.Decimal `json:"tax"`
}

// FeeTotals are what a fee comes to.
type FeeTotals struct {
	Net decimal.Decimal `json:"net"`
	Tax decimal.Decimal `json:"tax"`
}

// RateTotals are net and tax of everything that bears one rate.
type RateTotals struct {
	Rate decimal.Decimal `json:"rate"`
	Kind TaxKind         `json:"kind"`
	Net  decimal.Decimal `json:"net"`
	Tax  decimal.Decimal `json:"tax"`
}

// Document computes a quote, contract or invoice (quote-to-cash.md §1.2 to §1.4). With inclusive prices the grand total is
// the subtotal less the header discount plus the fees, exactly.
//
// Errors name the line or fee by its index: those of [Line], and DiscountRange, DiscountExceedsSubtotal, ZeroWeight,
// TaxRateRange, Scale and AmountOverflow of the document's own fields.
func Document(d Draft) (Totals, error) {
	digits, err := d.Currency.Digits()
	if err := kernel.FirstError(err, d.check(digits)); err != nil {
		return Totals{}, err
	}
	t := Totals{Lines: make([]LineTotals, len(d.Items))}
	for i := range d.Items {
		if t.Lines[i].Amounts, err = line(digits, &d.Items[i], d.Options); err != nil {
			return Totals{}, kernel.At(i, err)
		}
		t.Subtotal = t.Subtotal.Add(t.Lines[i].Amount)
	}
	if err := kernel.FirstError(checkSize("subtotal", t.Subtotal), d.discount(&t, digits)); err != nil {
		return Totals{}, err
	}
	d.tax(&t, digits)
	return t, kernel.FirstError(checkSize("net_total", t.NetTotal), checkSize("grand_total", t.GrandTotal))
}

func (d *Draft) check(digits int32) error {
	err := kernel.FirstError(d.Options.check(), kernel.OneOf("price_mode", d.PriceMode, Exclusive, Inclusive))
	if err == nil && d.PriceMode == "" {
		err = kernel.Invalid("price_mode", kernel.Empty)
	}
	if err == nil && d.HeaderDiscountRate.Valid {
		err = checkPercent("header_discount_rate", d.HeaderDiscountRate.Decimal, DiscountRange)
	}
	if err == nil {
		err = checkNumber("header_discount_amount", d.HeaderDiscountAmount, digits)
	}
	if err == nil && d.HeaderDiscountAmount.IsNegative() {
		err = kernel.Invalidf("header_discount_amount", DiscountRange, "must not be negative")
	}
	if err != nil {
		return err
	}
	for i := range d.Items {
		if err := checkTax(d.Items[i].TaxRate, d.Items[i].TaxKind); err != nil {
			return kernel.At(i, err)
		}
	}
	for i, f := range d.Fees {
		err := kernel.FirstError(kernel.CheckName("fees.name", f.Name, 100), checkNumber("fees.amount", f.Amount, digits), checkTax(f.TaxRate, f.TaxKind))
		if err == nil && f.Amount.IsNegative() {
			err = kernel.Invalidf("fees.amount", kernel.OutOfRange, "must not be negative")
		}
		if err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// discount shares the header discount out among the lines, by what they come to; lines of a return bear none.
func (d *Draft) discount(t *Totals, digits int32) error {
	t.DiscountTotal = d.HeaderDiscountAmount
	if d.HeaderDiscountRate.Valid {
		paid := d.Rounding.Round(t.Subtotal.Mul(d.HeaderDiscountRate.Decimal).Shift(-2), digits)
		t.DiscountTotal = t.DiscountTotal.Add(t.Subtotal.Sub(paid))
	}
	switch {
	case t.DiscountTotal.IsZero():
		return nil
	case t.DiscountTotal.Cmp(t.Subtotal) > 0 && d.ClampDiscount && !t.Subtotal.IsNegative():
		t.DiscountTotal = t.Subtotal
	case t.DiscountTotal.IsNegative(), t.DiscountTotal.Cmp(t.Subtotal) > 0:
		return kernel.Invalidf("header_discount_amount", DiscountExceedsSubtotal, "a discount of %s on %s", t.DiscountTotal, t.Subtotal)
	}
	weights := make([]int64, len(t.Lines))
	for i, l := range t.Lines {
		weights[i] = max(0, units(l.Amount, digits))
	}
	shares, err := allocate(units(t.DiscountTotal, digits), weights)
	if err != nil {
		return err
	}
	for i, s := range shares {
		t.Lines[i].HeaderDiscount = amount(s, digits)
	}
	return nil
}

// tax gives lines and fees their net and tax, and adds them up.
func (d *Draft) tax(t *Totals, digits int32) {
	parts := make([]taxed, 0, len(d.Items)+len(d.Fees))
	for i, l := range t.Lines {
		base := l.Amount
		if !l.HeaderDiscount.IsZero() {
			base = base.Sub(l.HeaderDiscount)
		}
		parts = append(parts, taxed{base: base, rate: d.Items[i].TaxRate, kind: kindOf(d.Items[i].TaxKind)})
	}
	for _, f := range d.Fees {
		t.FeeTotal = t.FeeTotal.Add(f.Amount)
		parts = append(parts, taxed{base: f.Amount, rate: f.TaxRate, kind: kindOf(f.TaxKind)})
	}
	d.taxAll(parts, d.PriceMode, digits)
	for i, p := range parts {
		if i < len(t.Lines) {
			t.Lines[i].Net, t.Lines[i].Tax = p.net, p.tax
		} else {
			t.Fees = append(t.Fees, FeeTotals{p.net, p.tax})
		}
	}
	for _, group := range byRate(parts) {
		r := RateTotals{Rate: parts[group[0]].rate, Kind: parts[group[0]].kind}
		for _, i := range group {
			r.Net, r.Tax = r.Net.Add(parts[i].net), r.Tax.Add(parts[i].tax)
		}
		t.ByRate = append(t.ByRate, r)
		t.NetTotal, t.TaxTotal = t.NetTotal.Add(r.Net), t.TaxTotal.Add(r.Tax)
	}
	t.GrandTotal = t.NetTotal.Add(t.TaxTotal)
}

func kindOf(k TaxKind) TaxKind {
	if k == "" {
		return Taxed
	}
	return k
}
