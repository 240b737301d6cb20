package calc

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// ByRate adds up what bears one rate and kind; the rates ascend.
func ByRate(parts ...RateTotals) (all []RateTotals) {
	for _, p := range parts {
		p.Kind = kindOf(p.Kind)
		i := slices.IndexFunc(all, func(r RateTotals) bool { return r.Rate.Equal(p.Rate) && r.Kind == p.Kind })
		if i < 0 {
			all = append(all, p)
			continue
		}
		all[i].Net, all[i].Tax = all[i].Net.Add(p.Net), all[i].Tax.Add(p.Tax)
	}
	slices.SortStableFunc(all, func(a, b RateTotals) int { return cmp.Or(a.Rate.Cmp(b.Rate), cmp.Compare(a.Kind, b.Kind)) })
	return all
}

// Gross is net and tax together.
func (r RateTotals) Gross() decimal.Decimal { return r.Net.Add(r.Tax) }

// InvoiceParts splits the amount of an invoice, tax included and above 0, over what is left to invoice of each rate, none of
// which is negative (quote-to-cash.md §3.5): in proportion, by Allocate, and each share into net and tax as a document with
// inclusive prices does. What is the whole rest of a rate takes its net and its tax, so that the invoices of a contract add up
// to it. Rates with nothing to invoice are left out.
//
// Errors: OutOfRange for an amount of 0 or less, Scale, AmountOverflow; refused: OverInvoice.
func InvoiceParts(c Currency, o Options, total decimal.Decimal, left ...RateTotals) ([]RateTotals, error) {
	digits, err := invoiceable(c, total)
	if err != nil {
		return nil, err
	}
	weights, sum := make([]decimal.Decimal, len(left)), decimal.Zero
	for i, r := range left {
		weights[i] = r.Gross()
		sum = sum.Add(weights[i])
	}
	if total.Cmp(sum) > 0 {
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "amount", Reason: OverInvoice}
	}
	shares, err := Allocate(total, digits, weights...)
	if err != nil {
		return nil, err
	}
	var parts []RateTotals
	for i, share := range shares {
		if !share.IsZero() {
			parts = append(parts, o.part(share, left[i], digits))
		}
	}
	return parts, nil
}

// InvoicePart is InvoiceParts of an amount of one rate.
func InvoicePart(c Currency, o Options, total decimal.Decimal, left RateTotals) (RateTotals, error) {
	parts, err := InvoiceParts(c, o, total, left)
	if err != nil {
		return RateTotals{}, err
	}
	return parts[0], nil
}

func invoiceable(c Currency, total decimal.Decimal) (int32, error) {
	digits, err := c.Digits()
	if err := kernel.FirstError(err, checkNumber("amount", total, digits)); err != nil {
		return 0, err
	}
	if !total.IsPositive() {
		return 0, kernel.Invalidf("amount", kernel.OutOfRange, "must be above 0")
	}
	return digits, nil
}

// part is a share of what is left of a rate: never more net, nor more tax, than that has.
func (o Options) part(share decimal.Decimal, left RateTotals, digits int32) RateTotals {
	if share.Equal(left.Gross()) {
		return left
	}
	net, _ := o.tax(share, left.Rate, Inclusive, digits)
	net = decimal.Max(decimal.Min(net, left.Net), share.Sub(left.Tax))
	return RateTotals{Rate: left.Rate, Kind: left.Kind, Net: net, Tax: share.Sub(net)}
}
