package calc

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Term is one instalment of a payment plan: exactly one of its fields is set.
type Term struct {
	Percent   decimal.NullDecimal `json:"percent"`             // of the total, 0 to 100, at most 2 decimals
	Fixed     decimal.NullDecimal `json:"fixed"`               // an amount
	Remainder bool                `json:"remainder,omitempty"` // what the others leave; at most one
}

// SplitTerms makes instalments of a total that add up to it (quote-to-cash.md §3.2): percents are of the total, rounded;
// the remainder, or else the last term, is what the others leave. Where all terms are percents they must add up to 100.
//
// Errors, with the index of the term: ZeroTotal, PercentSum, InstallmentSign (an instalment of 0, or of the other sign than
// the total), Scale, AmountOverflow; Malformed for a term that says not exactly one thing, or a second remainder.
func SplitTerms(c Currency, total decimal.Decimal, r Rounding, terms ...Term) ([]decimal.Decimal, error) {
	digits, err := splittable(c, total)
	if err != nil {
		return nil, err
	}
	last, err := remainder(terms, digits)
	if err != nil {
		return nil, err
	}
	parts := make([]decimal.Decimal, len(terms))
	rest := total
	for i, t := range terms {
		switch {
		case i == last:
			continue
		case t.Percent.Valid:
			parts[i] = r.Round(total.Mul(t.Percent.Decimal).Shift(-2), digits)
		default:
			parts[i] = t.Fixed.Decimal
		}
		rest = rest.Sub(parts[i])
	}
	parts[last] = rest
	for i, p := range parts {
		if p.Sign() != total.Sign() {
			return nil, kernel.At(i, kernel.Invalidf("terms", InstallmentSign, "an instalment of %s of %s", p, total))
		}
	}
	return parts, nil
}

// SplitPercent is SplitTerms of percents.
func SplitPercent(c Currency, total decimal.Decimal, r Rounding, percents ...decimal.Decimal) ([]decimal.Decimal, error) {
	terms := make([]Term, len(percents))
	for i, p := range percents {
		terms[i].Percent = decimal.NewNullDecimal(p)
	}
	return SplitTerms(c, total, r, terms...)
}

// SplitEqual makes n instalments, 1 to 1,000, that differ by a minor unit at most; the larger ones come first. One that
// would be 0 is refused (InstallmentSign).
func SplitEqual(c Currency, total decimal.Decimal, n int) ([]decimal.Decimal, error) {
	digits, err := splittable(c, total)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > mostTerms {
		return nil, kernel.Invalidf("terms", kernel.OutOfRange, "1 to %d instalments", mostTerms)
	}
	weights := make([]int64, n)
	for i := range weights {
		weights[i] = 1
	}
	shares, err := allocate(units(total, digits), weights)
	if err != nil {
		return nil, err
	}
	parts := make([]decimal.Decimal, n)
	for i, s := range shares {
		if s == 0 {
			return nil, kernel.At(i, kernel.Invalidf("terms", InstallmentSign, "%s does not make %d instalments", total, n))
		}
		parts[i] = amount(s, digits)
	}
	return parts, nil
}

const mostTerms = 1_000

func splittable(c Currency, total decimal.Decimal) (int32, error) {
	digits, err := c.Digits()
	if err := kernel.FirstError(err, checkNumber("total", total, digits)); err != nil {
		return 0, err
	}
	if total.IsZero() {
		return 0, kernel.Invalid("total", ZeroTotal)
	}
	return digits, nil
}

// remainder is the index of the term that takes the rest.
func remainder(terms []Term, digits int32) (int, error) {
	if len(terms) == 0 || len(terms) > mostTerms {
		return 0, kernel.Invalidf("terms", kernel.OutOfRange, "1 to %d instalments", mostTerms)
	}
	last, found := len(terms)-1, false
	sum, percents := decimal.Zero, true
	for i, t := range terms {
		if err := t.check(digits); err != nil {
			return 0, kernel.At(i, err)
		}
		if t.Remainder {
			if found {
				return 0, kernel.At(i, kernel.Invalidf("terms", kernel.Malformed, "a second remainder"))
			}
			last, found = i, true
		}
		percents = percents && t.Percent.Valid
		sum = sum.Add(t.Percent.Decimal)
	}
	if percents && !sum.Equal(hundred) {
		return 0, kernel.Invalidf("terms", PercentSum, "the percents add up to %s", sum)
	}
	return last, nil
}

func (t Term) check(digits int32) error {
	set := 0
	for _, is := range []bool{t.Percent.Valid, t.Fixed.Valid, t.Remainder} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return kernel.Invalidf("terms", kernel.Malformed, "exactly one of percent, fixed and remainder")
	case t.Percent.Valid:
		return checkPercent("terms", t.Percent.Decimal, kernel.OutOfRange)
	case t.Fixed.Valid:
		return checkNumber("terms", t.Fixed.Decimal, digits)
	}
	return nil
}

// After is the date some days later.
func After(d kernel.Date, days int) kernel.Date {
	return dated(d, func(t time.Time) time.Time { return t.AddDate(0, 0, days) })
}

// MonthsLater is the same day some months later, or the last of that month where it has no such day: a month after 31
// January is 28 or 29 February.
func MonthsLater(d kernel.Date, months int) kernel.Date {
	return dated(d, func(t time.Time) time.Time { return clamped(t.Year(), int(t.Month())+months, t.Day()) })
}

// EndOfMonth is the last day of the date's month.
func EndOfMonth(d kernel.Date) kernel.Date {
	return dated(d, func(t time.Time) time.Time { return clamped(t.Year(), int(t.Month()), 31) })
}

// DayOfMonth is the first date after d that is the n-th of its month, 1 to 31, or the last day of a month that has no n-th.
func DayOfMonth(d kernel.Date, n int) kernel.Date {
	return dated(d, func(t time.Time) time.Time {
		if this := clamped(t.Year(), int(t.Month()), n); this.After(t) {
			return this
		}
		return clamped(t.Year(), int(t.Month())+1, n)
	})
}

// dated changes a date by way of a time; an empty date stays empty.
func dated(d kernel.Date, change func(time.Time) time.Time) kernel.Date {
	if d == "" {
		return ""
	}
	return kernel.DateOf(change(d.Start(time.UTC)), time.UTC)
}

func clamped(year, month, day int) time.Time {
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, min(day, last.Day())-last.Day())
}
