package calc

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// PriceMode says whether the prices of a document contain the tax.
type PriceMode string

// The price modes.
const (
	Exclusive PriceMode = "exclusive" // 不含税: tax comes on top
	Inclusive PriceMode = "inclusive" // 含税: tax is in the price
)

// TaxKind says why a line bears the tax that it does; for the arithmetic, all but Taxed are a rate of 0.
type TaxKind string

// The kinds. The default is Taxed.
const (
	Taxed    TaxKind = "taxed"
	ZeroRate TaxKind = "zero"   // 零税率
	Exempt   TaxKind = "exempt" // 免税
	NoTax    TaxKind = "none"   // 不征税
)

// TaxRounding says what the tax is rounded on.
type TaxRounding string

// The tax roundings. The default is PerLine, as a fapiao has it.
const (
	PerLine     TaxRounding = "line"
	PerDocument TaxRounding = "document" // once for each rate; the lines then differ from their own tax by a minor unit at most
)

// InclusiveSplit says what of an amount that contains its tax is rounded; the other is the rest. They differ only where the
// rate makes exact halves, such as 4, 12 and 20 %.
type InclusiveSplit string

// The splits. The default is NetFirst, as the fapiao software has it.
const (
	NetFirst InclusiveSplit = "net_first"
	TaxFirst InclusiveSplit = "tax_first"
)

func checkTax(rate decimal.Decimal, kind TaxKind) error {
	if err := kernel.FirstError(checkNumber("tax_rate", rate, rateScale), kernel.OneOf("tax_kind", kind, Taxed, ZeroRate, Exempt, NoTax)); err != nil {
		return err
	}
	switch {
	case rate.IsNegative(), rate.Cmp(thousand) >= 0:
		return kernel.Invalidf("tax_rate", TaxRateRange, "0 to below 1,000")
	case kind != "" && kind != Taxed && !rate.IsZero():
		return kernel.Invalidf("tax_rate", TaxRateRange, "must be 0 where the kind is %s", kind)
	}
	return nil
}

var thousand = decimal.NewFromInt(1000)

// taxed is a line or a fee on its way to net and tax.
type taxed struct {
	base, rate decimal.Decimal
	kind       TaxKind
	net, tax   decimal.Decimal
}

// tax splits a base that is rounded already (quote-to-cash.md §1.4).
func (o Options) tax(base, rate decimal.Decimal, mode PriceMode, digits int32) (net, tax decimal.Decimal) {
	switch {
	case rate.IsZero():
		return base, decimal.Zero
	case mode == Exclusive:
		return base, o.Rounding.Round(base.Mul(rate).Shift(-2), digits)
	case o.InclusiveSplit == TaxFirst:
		tax = o.Rounding.divide(base.Mul(rate), hundred.Add(rate), digits)
		return base.Sub(tax), tax
	}
	net = o.Rounding.divide(base.Shift(2), hundred.Add(rate), digits)
	return net, base.Sub(net)
}

// taxAll gives every part its net and its tax.
func (o Options) taxAll(parts []taxed, mode PriceMode, digits int32) {
	for i := range parts {
		p := &parts[i]
		p.net, p.tax = o.tax(p.base, p.rate, mode, digits)
	}
	if o.TaxRounding != PerDocument {
		return
	}
	for _, group := range byRate(parts) {
		o.level(parts, group, mode, digits)
	}
}

// level makes the taxes of one rate add up to the tax on their sum: one minor unit goes to or from each of the lines that
// rounding has moved farthest the other way, of equal ones the first.
func (o Options) level(parts []taxed, group []int, mode PriceMode, digits int32) {
	rate := parts[group[0]].rate
	var base, sum decimal.Decimal
	for _, i := range group {
		base, sum = base.Add(parts[i].base), sum.Add(parts[i].tax)
	}
	_, due := o.tax(base, rate, mode, digits)
	residue := units(due.Sub(sum), digits)
	if residue == 0 {
		return
	}
	unit, n := amount(1, digits), residue
	if residue < 0 {
		unit, n = unit.Neg(), -residue
	}
	// What rounding took from a tax, times a denominator that all lines of the rate share.
	errs := make([]decimal.Decimal, len(parts))
	for _, i := range group {
		p := parts[i]
		if mode == Exclusive {
			errs[i] = p.base.Mul(rate).Sub(p.tax.Mul(hundred))
		} else {
			errs[i] = p.base.Mul(rate).Sub(p.tax.Mul(hundred.Add(rate)))
		}
	}
	slices.SortStableFunc(group, func(a, b int) int {
		if residue < 0 {
			return errs[a].Cmp(errs[b])
		}
		return errs[b].Cmp(errs[a])
	})
	for _, i := range group[:n] {
		p := &parts[i]
		p.tax = p.tax.Add(unit)
		if mode == Inclusive {
			p.net = p.base.Sub(p.tax)
		}
	}
}

// byRate are the indexes of the parts of each rate and kind, rates ascending.
func byRate(parts []taxed) (groups [][]int) {
	for i, p := range parts {
		at := slices.IndexFunc(groups, func(g []int) bool { q := parts[g[0]]; return q.rate.Equal(p.rate) && q.kind == p.kind })
		if at < 0 {
			groups = append(groups, []int{i})
			continue
		}
		groups[at] = append(groups[at], i)
	}
	slices.SortStableFunc(groups, func(a, b []int) int {
		p, q := parts[a[0]], parts[b[0]]
		return cmp.Or(p.rate.Cmp(q.rate), cmp.Compare(p.kind, q.kind))
	})
	return groups
}
