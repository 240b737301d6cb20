package calc

import (
	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Options are kept on a document when it is made, so that an old one computes to the same cents. The zero value is what an
// office in China expects.
type Options struct {
	Rounding          Rounding       `json:"rounding,omitempty"`            // defaults to HalfUp
	TaxRounding       TaxRounding    `json:"tax_rounding,omitempty"`        // defaults to PerLine
	InclusiveSplit    InclusiveSplit `json:"inclusive_split,omitempty"`     // defaults to NetFirst
	ClampDiscount     bool           `json:"clamp_discount,omitempty"`      // a header discount above the subtotal takes all of it, and is no error
	AllowReturns      bool           `json:"allow_returns,omitempty"`       // lines may have a negative quantity
	AllowZeroQuantity bool           `json:"allow_zero_quantity,omitempty"` // lines may have the quantity 0
}

func (o Options) check() error {
	return kernel.FirstError(kernel.OneOf("rounding", o.Rounding, HalfUp, HalfEven),
		kernel.OneOf("tax_rounding", o.TaxRounding, PerLine, PerDocument),
		kernel.OneOf("inclusive_split", o.InclusiveSplit, NetFirst, TaxFirst))
}

// Item is a line as somebody types it.
type Item struct {
	Quantity  decimal.Decimal     `json:"quantity"`   // at most 4 decimals; not 0, and negative only in returns
	UnitPrice decimal.Decimal     `json:"unit_price"` // at most 4 decimals in every currency; 0 is a gift
	Discount  decimal.NullDecimal `json:"discount"`   // the percent that is paid, 0 to 100, at most 2 decimals; null is 100
	TaxRate   decimal.Decimal     `json:"tax_rate"`   // in percent, 0 to below 1,000, at most 4 decimals
	TaxKind   TaxKind             `json:"tax_kind,omitempty"`
	Amount    decimal.NullDecimal `json:"amount"` // null, or what the caller takes it to come to: anything else is refused
}

// Amounts are what a line comes to before header discount and tax.
type Amounts struct {
	List     decimal.Decimal `json:"list_amount"`     // quantity by unit price
	Discount decimal.Decimal `json:"discount_amount"` // what the line's own discount takes off List
	Amount   decimal.Decimal `json:"amount"`          // the rest
}

// Line computes one line: the exact product of quantity, unit price and discount, rounded once (quote-to-cash.md §1.2).
// Rounding the discounted price or the discount first, as others do, is a cent off in places.
//
// Errors, the first that holds: Scale, DiscountRange, NegativePrice, ZeroQuantity, NegativeQuantity, AmountOverflow,
// AmountMismatch; UnknownCurrency.
func Line(c Currency, it Item, o Options) (Amounts, error) {
	digits, err := c.Digits()
	if err := kernel.FirstError(err, o.check()); err != nil {
		return Amounts{}, err
	}
	return line(digits, &it, o)
}

func line(digits int32, it *Item, o Options) (a Amounts, err error) {
	if err := it.check(o); err != nil {
		return a, err
	}
	product := it.Quantity.Mul(it.UnitPrice)
	a.List = o.Rounding.Round(product, digits)
	a.Amount = a.List
	if it.Discount.Valid && !it.Discount.Decimal.Equal(hundred) {
		a.Amount = o.Rounding.Round(product.Mul(it.Discount.Decimal).Shift(-2), digits)
		a.Discount = a.List.Sub(a.Amount)
	}
	switch err := checkSize("amount", a.List); {
	case err != nil:
		return Amounts{}, err
	case it.Amount.Valid && !it.Amount.Decimal.Equal(a.Amount):
		return Amounts{}, kernel.Invalidf("amount", AmountMismatch, "the line comes to %s", a.Amount)
	}
	return a, nil
}

func (it *Item) check(o Options) error {
	err := kernel.FirstError(checkNumber("quantity", it.Quantity, amountScale), checkNumber("unit_price", it.UnitPrice, amountScale))
	if err == nil && it.Discount.Valid {
		err = checkPercent("discount", it.Discount.Decimal, DiscountRange)
	}
	if err == nil && it.Amount.Valid {
		err = checkNumber("amount", it.Amount.Decimal, amountScale)
	}
	switch sign := it.Quantity.Sign(); {
	case err != nil:
		return err
	case it.UnitPrice.IsNegative():
		return kernel.Invalid("unit_price", NegativePrice)
	case sign == 0 && !o.AllowZeroQuantity:
		return kernel.Invalid("quantity", ZeroQuantity)
	case sign < 0 && !o.AllowReturns:
		return kernel.Invalid("quantity", NegativeQuantity)
	}
	return nil
}
