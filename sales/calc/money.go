package calc

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Currency is a code of ISO 4217, such as CNY.
type Currency string

// Digits are the decimals of the currency's amounts (ISO 4217, table A.1): 0 for JPY, 3 for KWD, 2 for most. What is not
// three capital letters is refused (UnknownCurrency).
func (c Currency) Digits() (int32, error) {
	if len(c) != 3 {
		return 0, kernel.Invalidf("currency", UnknownCurrency, "%.10q is no code of ISO 4217", string(c))
	}
	for _, r := range c {
		if r < 'A' || r > 'Z' {
			return 0, kernel.Invalidf("currency", UnknownCurrency, "%.10q is no code of ISO 4217", string(c))
		}
	}
	for digits, codes := range unusual {
		if slices.Contains(codes, c) {
			return int32(digits), nil
		}
	}
	return 2, nil
}

// unusual are the currencies whose amounts do not have two decimals, by how many they have.
var unusual = [4][]Currency{
	0: {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"},
	3: {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
}

// Unusual are the currencies whose amounts have 0, or 3, decimals; all others have 2. It is for storages, which round in SQL.
func Unusual(digits int32) []Currency { return slices.Clone(unusual[digits]) }

// Rounding is how an exact value becomes one with the currency's digits.
type Rounding string

// The roundings. The default is HalfUp.
const (
	HalfUp   Rounding = "half_up"   // half away from zero, as most offices do by hand
	HalfEven Rounding = "half_even" // half to the even neighbour
)

// Round rounds to some decimals, negative for tens and hundreds. Round of a negative value is the mirror of that of the
// positive one.
func (r Rounding) Round(d decimal.Decimal, digits int32) decimal.Decimal {
	if d.Exponent() >= -digits { // nothing to cut
		return d
	}
	if r == HalfEven {
		return d.RoundBank(digits)
	}
	return d.Round(digits)
}

// divide is num / den, rounded once on the exact quotient: dividing to sixteen digits first and rounding then would round
// twice, and be a cent off where the first rounding makes a half.
func (r Rounding) divide(num, den decimal.Decimal, digits int32) decimal.Decimal {
	q, rest := num.QuoRem(den, digits)
	if rest.IsZero() {
		return q
	}
	half := rest.Abs().Mul(two).Cmp(den.Abs().Shift(-digits))
	if half > 0 || half == 0 && (r != HalfEven || q.Shift(digits).BigInt().Bit(0) == 1) {
		unit := decimal.New(1, -digits)
		if num.Sign()*den.Sign() < 0 {
			unit = unit.Neg()
		}
		q = q.Add(unit)
	}
	return q
}

var (
	two     = decimal.NewFromInt(2)
	hundred = decimal.NewFromInt(100)
)

const (
	amountScale   = 4
	discountScale = 2
	rateScale     = 4
)

// checkNumber refuses numbers that a column does not take exactly: too large, or with too many decimals. The size of the
// exponent comes first: 1e400 is small to write and enormous to compute with.
func checkNumber(field string, d decimal.Decimal, scale int32) error {
	exponent := d.Exponent()
	switch {
	case exponent > 14 && !d.IsZero():
		return kernel.Invalidf(field, AmountOverflow, "10^14 or more")
	case exponent < -scale && (exponent < -1000 || !d.Equal(d.Truncate(scale))):
		return kernel.Invalidf(field, Scale, "at most %d decimals", scale)
	}
	return checkSize(field, d)
}

// checkSize refuses 10^14 and more: both engines keep amounts below it exactly.
func checkSize(field string, d decimal.Decimal) error {
	if !d.IsZero() && d.NumDigits()+int(d.Exponent()) > 14 {
		return kernel.Invalidf(field, AmountOverflow, "10^14 or more")
	}
	return nil
}

// checkPercent refuses what is no percent of 0 to 100.
func checkPercent(field string, d decimal.Decimal, out kernel.Reason) error {
	if d.Exponent() > 3 && !d.IsZero() || d.Exponent() < -1000 {
		return kernel.Invalidf(field, out, "0 to 100")
	}
	if d.Exponent() < -discountScale && !d.Equal(d.Truncate(discountScale)) {
		return kernel.Invalidf(field, Scale, "at most %d decimals", discountScale)
	}
	if d.IsNegative() || d.Cmp(hundred) > 0 {
		return kernel.Invalidf(field, out, "0 to 100")
	}
	return nil
}

// units is an amount in the currency's minor units. The amount is smaller than 10^14 and has no more decimals than that.
func units(d decimal.Decimal, digits int32) int64 { return d.Shift(digits).IntPart() }

// unitsOf is units of an amount that nobody has checked.
func unitsOf(field string, d decimal.Decimal, digits int32) (int64, error) {
	if err := checkNumber(field, d, digits); err != nil {
		return 0, err
	}
	return units(d, digits), nil
}

func amount(units int64, digits int32) decimal.Decimal { return decimal.New(units, -digits) }

// PercentOff is the percent paid when so much is taken off: 85 for 15.
func PercentOff(off decimal.Decimal) decimal.NullDecimal {
	return decimal.NewNullDecimal(hundred.Sub(off))
}

// Base is an amount in the currency of reports: its total by the rate, rounded once to the digits of that currency
// (quote-to-cash.md §1.6). A rate has at most 8 decimals and is above 0.
func Base(total, rate decimal.Decimal, base Currency, r Rounding) (decimal.Decimal, error) {
	digits, err := base.Digits()
	if err := kernel.FirstError(err, checkNumber("total", total, amountScale), checkNumber("fx_rate", rate, 8)); err != nil {
		return decimal.Zero, err
	}
	if !rate.IsPositive() {
		return decimal.Zero, kernel.Invalidf("fx_rate", kernel.OutOfRange, "above 0")
	}
	got := r.Round(total.Mul(rate), digits)
	return got, checkSize("base_amount", got)
}
