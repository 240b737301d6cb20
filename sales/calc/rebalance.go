package calc

import (
	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Rebalance changes instalments so that they add up to a new total: more is added to the last due, less is taken from the
// last due and those before it, and an instalment that comes to nothing is left out (quote-to-cash.md §3.1). They come back in
// the order given. Errors: ZeroTotal for a total of 0 or less; Empty ("plans") when there is none.
func Rebalance(c Currency, total decimal.Decimal, plans ...Instalment) ([]Instalment, error) {
	if _, err := splittable(c, total); err != nil {
		return nil, err
	}
	if !total.IsPositive() {
		return nil, kernel.Invalid("total", ZeroTotal)
	}
	if len(plans) == 0 {
		return nil, kernel.Invalid("plans", kernel.Empty)
	}
	amounts, more := make([]decimal.Decimal, len(plans)), total
	for i, p := range plans {
		amounts[i] = p.Amount
		more = more.Sub(p.Amount)
	}
	due := sorted(len(plans), func(i int) (kernel.Date, int64) { return plans[i].Date, plans[i].ID })
	for k := len(due) - 1; k >= 0 && !more.IsZero(); k-- {
		i := due[k]
		change := decimal.Max(more, amounts[i].Neg())
		amounts[i], more = amounts[i].Add(change), more.Sub(change)
	}
	var all []Instalment
	for i, p := range plans {
		if p.Amount = amounts[i]; !p.Amount.IsZero() {
			all = append(all, p)
		}
	}
	return all, nil
}
