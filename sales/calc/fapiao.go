package calc

import (
	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// FapiaoLine is a line of a fapiao (发票). A discount line (折扣行) stands directly below its goods line, is negative, bears the
// same rate, and has neither quantity nor price.
type FapiaoLine struct {
	Item      int                 `json:"item"` // index of the line of the document, or of the fee
	Fee       bool                `json:"fee,omitempty"`
	Discount  bool                `json:"discount,omitempty"`
	Quantity  decimal.NullDecimal `json:"quantity"`
	UnitPrice decimal.NullDecimal `json:"unit_price"` // without tax, 8 to 13 decimals; null with the quantity where no price gives the net
	Net       decimal.Decimal     `json:"net"`
	Tax       decimal.Decimal     `json:"tax"`
	TaxRate   decimal.Decimal     `json:"tax_rate"`
	TaxKind   TaxKind             `json:"tax_kind"`
}

const (
	fewestPriceDecimals = 8
	mostPriceDecimals   = 13
)

// ChinaRates are the rates that a fapiao may bear, in percent; 5, 3 and 1 need the simplified method (简易计税).
func ChinaRates() []decimal.Decimal {
	var all []decimal.Decimal
	for _, r := range []int64{13, 9, 6, 5, 3, 1, 0} {
		all = append(all, decimal.NewFromInt(r))
	}
	return all
}

// Fapiao is the document as the lines of a fapiao that tax software accepts (quote-to-cash.md §1.5): goods at list price,
// and what discounts take off on a line of its own below. Lines that cost nothing by their price are left out. The lines
// add up to the document's net and tax.
//
// Errors: those of [Document]; NegativeQuantity, with the index, for a return, which is an invoice of its own; ZeroTotal for
// a document that comes to nothing; TaxRateRange for a rate that is not among rates (nil: ChinaRates); FapiaoTolerance where
// the tax of a line is more than 0.01 off its net by its rate, which only PerDocument can cause.
func Fapiao(d Draft, rates []decimal.Decimal) ([]FapiaoLine, error) {
	t, err := Document(d)
	if err != nil {
		return nil, err
	}
	if !t.GrandTotal.IsPositive() {
		return nil, kernel.Invalidf("grand_total", ZeroTotal, "a fapiao is above 0, this comes to %s", t.GrandTotal)
	}
	if rates == nil {
		rates = ChinaRates()
	}
	digits, err := d.Currency.Digits()
	if err != nil {
		return nil, err
	}
	f := fapiao{draft: &d, digits: digits, rates: rates}
	for i, it := range d.Items {
		if err := f.goods(i, it, t.Lines[i]); err != nil {
			return nil, kernel.At(i, err)
		}
	}
	for i, fee := range d.Fees {
		if fee.Amount.IsZero() {
			continue
		}
		x := FapiaoLine{Item: i, Fee: true, Net: t.Fees[i].Net, Tax: t.Fees[i].Tax, TaxRate: fee.TaxRate, TaxKind: kindOf(fee.TaxKind)}
		if err := f.add(x); err != nil {
			return nil, kernel.At(i, err)
		}
	}
	return f.lines, nil
}

// fapiao is one under way.
type fapiao struct {
	draft  *Draft
	digits int32
	rates  []decimal.Decimal
	lines  []FapiaoLine
}

// goods adds a line of the document: at list, and with a discount line where that is not what it comes to.
func (f *fapiao) goods(i int, it Item, l LineTotals) error {
	switch {
	case it.Quantity.IsNegative():
		return kernel.Invalidf("quantity", NegativeQuantity, "what is taken back is an invoice of its own")
	case l.List.IsZero():
		return nil
	}
	x := FapiaoLine{Item: i, Net: l.Net, Tax: l.Tax, TaxRate: it.TaxRate, TaxKind: kindOf(it.TaxKind)}
	reduced := !l.Discount.IsZero() || !l.HeaderDiscount.IsZero()
	if reduced {
		x.Net, x.Tax = f.draft.Options.tax(l.List, it.TaxRate, f.draft.PriceMode, f.digits)
	}
	x.price(it.Quantity)
	if err := f.add(x); err != nil || !reduced {
		return err
	}
	return f.add(FapiaoLine{
		Item: i, Discount: true, Net: l.Net.Sub(x.Net), Tax: l.Tax.Sub(x.Tax), TaxRate: it.TaxRate, TaxKind: kindOf(it.TaxKind),
	})
}

// price gives the line its price without tax: the quotient that gives the net back to a cent, with as few decimals as do.
func (x *FapiaoLine) price(quantity decimal.Decimal) {
	for digits := int32(fewestPriceDecimals); digits <= mostPriceDecimals; digits++ {
		p := HalfUp.divide(x.Net, quantity, digits)
		if p.Mul(quantity).Sub(x.Net).Abs().Cmp(cent) <= 0 {
			x.Quantity, x.UnitPrice = decimal.NewNullDecimal(quantity), decimal.NewNullDecimal(p)
			return
		}
	}
}

var cent = decimal.New(1, -2)

func (f *fapiao) add(x FapiaoLine) error {
	allowed := false
	for _, r := range f.rates {
		allowed = allowed || r.Equal(x.TaxRate)
	}
	if !allowed {
		return kernel.Invalidf("tax_rate", TaxRateRange, "%s %% is no rate of a fapiao", x.TaxRate)
	}
	if off := x.Net.Mul(x.TaxRate).Shift(-2).Sub(x.Tax).Abs(); off.Cmp(cent) > 0 {
		return kernel.Invalidf("tax", FapiaoTolerance, "%s is %s off its net by its rate", x.Tax, off)
	}
	f.lines = append(f.lines, x)
	return nil
}
