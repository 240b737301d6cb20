package calc

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Allocate shares a total out in proportion to weights, to the last minor unit: every share is rounded down, and the units
// that are left go one each to the largest remainders, of equal ones to the first (quote-to-cash.md §1.3). The shares add
// up to the total; a weight of 0 gets nothing; no share exceeds its weight while the total does not exceed their sum; a
// negative total is the mirror of the positive one. Digits are the decimals of the minor unit, 0 to 4; weights have at most
// 4 decimals.
//
// Errors: NegativeWeight, with the index; ZeroWeight when only zeros are to share something; Scale; AmountOverflow.
func Allocate(total decimal.Decimal, digits int32, weights ...decimal.Decimal) ([]decimal.Decimal, error) {
	if digits < 0 || digits > amountScale {
		return nil, kernel.Invalidf("digits", kernel.OutOfRange, "0 to %d", amountScale)
	}
	whole, err := unitsOf("total", total, digits)
	if err != nil {
		return nil, err
	}
	scale := int32(0) // of the weights, which need not be amounts of money
	for _, w := range weights {
		scale = max(scale, min(-w.Exponent(), amountScale))
	}
	parts := make([]int64, len(weights))
	for i, w := range weights {
		if parts[i], err = unitsOf("weight", w, scale); err != nil {
			return nil, kernel.At(i, err)
		}
		if parts[i] < 0 {
			return nil, kernel.At(i, kernel.Invalid("weight", NegativeWeight))
		}
	}
	shares, err := allocate(whole, parts)
	if err != nil {
		return nil, err
	}
	all := make([]decimal.Decimal, len(shares))
	for i, s := range shares {
		all[i] = amount(s, digits)
	}
	return all, nil
}

// allocate is Allocate in minor units; no weight is negative.
func allocate(total int64, weights []int64) ([]int64, error) {
	var sum int64
	for _, w := range weights {
		if w > math.MaxInt64-sum {
			return nil, kernel.Invalidf("weight", AmountOverflow, "the weights add up to too much")
		}
		sum += w
	}
	shares := make([]int64, len(weights))
	switch {
	case total == 0:
		return shares, nil
	case sum == 0:
		return nil, kernel.Invalidf("weight", ZeroWeight, "nothing to share %d by", total)
	}
	size := total
	if total < 0 {
		size = -total
	}
	left := size
	rests := make([]uint64, len(weights))
	for i, w := range weights {
		quo, rest := portion(uint64(size), uint64(w), uint64(sum))
		shares[i], rests[i] = int64(quo), rest
		left -= shares[i]
	}
	for _, i := range largest(rests, int(left)) {
		shares[i]++
	}
	if total < 0 {
		for i := range shares {
			shares[i] = -shares[i]
		}
	}
	return shares, nil
}

// portion is size * weight / sum and its remainder, by way of a product of 128 bits. The weight is at most the sum.
func portion(size, weight, sum uint64) (quo, rest uint64) {
	hi, lo := bits.Mul64(size, weight)
	return bits.Div64(hi, lo, sum)
}

// largest are the indexes of the n largest values, of equal ones the first.
func largest(values []uint64, n int) []int {
	if n == 0 {
		return nil
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order[:n]
}
