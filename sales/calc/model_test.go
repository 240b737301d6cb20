package calc_test

import (
	"cmp"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// The model computes with exact fractions and no decimals at all, so that it shares no mistake with the code.

// nearest is a fraction rounded half away from zero, in hundredths.
func nearest(x *big.Rat) int64 {
	x = new(big.Rat).Mul(x, big.NewRat(100, 1))
	neg := x.Sign() < 0
	x.Abs(x)
	x.Add(x, big.NewRat(1, 2))
	n := new(big.Int).Quo(x.Num(), x.Denom()).Int64()
	if neg {
		return -n
	}
	return n
}

func rat(d decimal.Decimal) *big.Rat { return d.Rat() }

func cents(d decimal.Decimal) int64 { return d.Shift(2).IntPart() }

// modelDocument is Document with tax per line: subtotal, header discount, net and tax, in cents.
func modelDocument(d calc.Draft) (subtotal, discount int64, nets, taxes []int64) {
	amounts := make([]int64, len(d.Items))
	for i, it := range d.Items {
		x := new(big.Rat).Mul(rat(it.Quantity), rat(it.UnitPrice))
		if it.Discount.Valid {
			x.Mul(x, new(big.Rat).Quo(rat(it.Discount.Decimal), big.NewRat(100, 1)))
		}
		amounts[i] = nearest(x)
		subtotal += amounts[i]
	}
	discount = cents(d.HeaderDiscountAmount)
	if d.HeaderDiscountRate.Valid {
		x := new(big.Rat).Mul(big.NewRat(subtotal, 100), rat(d.HeaderDiscountRate.Decimal))
		discount += subtotal - nearest(x.Quo(x, big.NewRat(100, 1)))
	}
	for i, share := range modelShares(discount, amounts) {
		net, tax := modelTax(amounts[i]-share, d.Items[i].TaxRate, d.PriceMode)
		nets, taxes = append(nets, net), append(taxes, tax)
	}
	for _, f := range d.Fees {
		net, tax := modelTax(cents(f.Amount), f.TaxRate, d.PriceMode)
		nets, taxes = append(nets, net), append(taxes, tax)
	}
	return subtotal, discount, nets, taxes
}

func modelTax(base int64, rate decimal.Decimal, mode calc.PriceMode) (net, tax int64) {
	b, r := big.NewRat(base, 100), rat(rate)
	if mode == calc.Exclusive {
		x := new(big.Rat).Mul(b, r)
		return base, nearest(x.Quo(x, big.NewRat(100, 1)))
	}
	x := new(big.Rat).Mul(b, big.NewRat(100, 1))
	net = nearest(x.Quo(x, r.Add(r, big.NewRat(100, 1))))
	return net, base - net
}

// modelShares gives out what is left cent by cent, each to the share that is farthest below its exact part.
func modelShares(total int64, weights []int64) []int64 {
	shares := make([]int64, len(weights))
	var sum int64
	for _, w := range weights {
		sum += max(w, 0)
	}
	if total == 0 || sum == 0 {
		return shares
	}
	type lack struct {
		at   int
		part *big.Rat
	}
	var lacks []lack
	left := total
	for i, w := range weights {
		exact := new(big.Rat).Mul(big.NewRat(total, 1), big.NewRat(max(w, 0), sum))
		shares[i] = new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()
		left -= shares[i]
		lacks = append(lacks, lack{i, exact.Sub(exact, big.NewRat(shares[i], 1))})
	}
	slices.SortFunc(lacks, func(a, b lack) int { return cmp.Or(b.part.Cmp(a.part), cmp.Compare(a.at, b.at)) })
	for _, l := range lacks[:left] {
		shares[l.at]++
	}
	return shares
}

var rates = []string{"0", "1", "3", "4", "5", "6", "9", "12", "13", "19", "20", "25", "7.7", "5.5", "19.6"}

// draft is a random document that Document accepts.
func draft(r *rand.Rand) calc.Draft {
	d := calc.Draft{Currency: "CNY", PriceMode: calc.Exclusive}
	if r.IntN(2) == 0 {
		d.PriceMode = calc.Inclusive
	}
	for range 1 + r.IntN(8) {
		it := calc.Item{
			Quantity: decimal.New(1+r.Int64N(200_000), -int32(r.IntN(5))), UnitPrice: decimal.New(r.Int64N(10_000_000), -int32(r.IntN(5))),
			TaxRate: dec(rates[r.IntN(len(rates))]),
		}
		if r.IntN(2) == 0 {
			it.Discount = decimal.NewNullDecimal(decimal.New(r.Int64N(10_001), -2))
		}
		d.Items = append(d.Items, it)
	}
	for range r.IntN(3) {
		d.Fees = append(d.Fees, calc.Fee{Name: "freight", Amount: decimal.New(r.Int64N(100_000), -2), TaxRate: dec(rates[r.IntN(len(rates))])})
	}
	if r.IntN(2) == 0 {
		d.HeaderDiscountRate = decimal.NewNullDecimal(decimal.New(5_000+r.Int64N(5_001), -2))
	}
	return d
}

func TestDocumentAgainstFractions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		d := draft(r)
		got, err := calc.Document(d)
		require.NoError(t, err)
		subtotal, discount, nets, taxes := modelDocument(d)
		if cents(got.Subtotal) != subtotal || cents(got.DiscountTotal) != discount {
			require.FailNow(t, "sums", "%d: %+v: %+v, want %d, %d", n, d, got, subtotal, discount)
		}
		for i := range nets {
			var net, tax decimal.Decimal
			if i < len(got.Lines) {
				net, tax = got.Lines[i].Net, got.Lines[i].Tax
			} else {
				net, tax = got.Fees[i-len(got.Lines)].Net, got.Fees[i-len(got.Lines)].Tax
			}
			if cents(net) != nets[i] || cents(tax) != taxes[i] {
				require.FailNow(t, "line", "%d: line %d of %+v: %s + %s, want %d + %d cents", n, i, d, net, tax, nets[i], taxes[i])
			}
		}
	}
}

// What must hold of every document (quote-to-cash.md §5).
func TestDocumentProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		d := draft(r)
		if r.IntN(2) == 0 {
			d.TaxRounding = calc.PerDocument
		}
		if r.IntN(3) == 0 {
			d.InclusiveSplit = calc.TaxFirst
		}
		got := computed(t, d)
		requireAddsUp(t, d, got)
		require.Equal(t, got, computed(t, d), "again the same")
		if d.TaxRounding != calc.PerDocument {
			for i, l := range got.Lines {
				off := l.Net.Mul(d.Items[i].TaxRate).Shift(-2).Sub(l.Tax).Abs()
				require.LessOrEqual(t, off.Cmp(dec("0.01")), 0, "%+v", d)
			}
		}
		if d.HeaderDiscountRate.Valid {
			continue
		}
		mirror := d
		mirror.AllowReturns, mirror.Items, mirror.Fees = true, slices.Clone(d.Items), nil
		plain := d
		plain.Fees = nil
		for i := range mirror.Items {
			mirror.Items[i].Quantity = mirror.Items[i].Quantity.Neg()
		}
		requireMoney(t, computed(t, plain).GrandTotal.Neg().String(), computed(t, mirror).GrandTotal)
		requireMoney(t, computed(t, plain).TaxTotal.Neg().String(), computed(t, mirror).TaxTotal)
	}
}

func requireAddsUp(t *testing.T, d calc.Draft, got calc.Totals) {
	t.Helper()
	net, tax, shares := decimal.Zero, decimal.Zero, decimal.Zero
	for _, l := range got.Lines {
		net, tax, shares = net.Add(l.Net), tax.Add(l.Tax), shares.Add(l.HeaderDiscount)
		requireMoney(t, l.List.Sub(l.Discount).String(), l.Amount)
	}
	for _, f := range got.Fees {
		net, tax = net.Add(f.Net), tax.Add(f.Tax)
	}
	requireMoney(t, got.NetTotal.String(), net)
	requireMoney(t, got.TaxTotal.String(), tax)
	requireMoney(t, got.DiscountTotal.String(), shares)
	if d.PriceMode == calc.Inclusive {
		requireMoney(t, got.Subtotal.Sub(got.DiscountTotal).Add(got.FeeTotal).String(), got.GrandTotal)
	}
	net, tax = decimal.Zero, decimal.Zero
	for _, r := range got.ByRate {
		net, tax = net.Add(r.Net), tax.Add(r.Tax)
	}
	requireMoney(t, got.NetTotal.String(), net)
	requireMoney(t, got.TaxTotal.String(), tax)
}

// In document mode the tax of a rate is that of its sum, and no line is more than a cent from its own.
func TestTaxPerDocument(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5_000 {
		d := draft(r)
		d.Fees, d.HeaderDiscountRate = nil, decimal.NullDecimal{}
		for i := range d.Items {
			d.Items[i].TaxRate = d.Items[0].TaxRate
		}
		perLine := computed(t, d)
		d.TaxRounding = calc.PerDocument
		got := computed(t, d)
		_, tax := modelTax(cents(got.Subtotal), d.Items[0].TaxRate, d.PriceMode)
		require.Equal(t, tax, cents(got.TaxTotal))
		for i, l := range got.Lines {
			require.LessOrEqual(t, l.Tax.Sub(perLine.Lines[i].Tax).Abs().Cmp(dec("0.01")), 0)
		}
	}
}

func TestAllocateProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		var weights []decimal.Decimal
		var plain []int64
		sum := int64(0)
		for range 1 + r.IntN(10) {
			w := r.Int64N(1_000) * r.Int64N(2)
			weights, plain, sum = append(weights, decimal.NewFromInt(w)), append(plain, w), sum+w
		}
		if sum == 0 {
			continue
		}
		total := r.Int64N(10_000)
		got, err := calc.Allocate(decimal.New(total, -2), 2, weights...)
		require.NoError(t, err)
		for i, s := range modelShares(total, plain) {
			require.Equal(t, s, cents(got[i]))
		}
		mirror, err := calc.Allocate(decimal.New(-total, -2), 2, weights...)
		require.NoError(t, err)
		for i := range got {
			require.True(t, got[i].Neg().Equal(mirror[i]))
		}
	}
}

// Whatever comes and goes back: what is allocated and the credit are what was received, no instalment is paid more than it
// comes to, and the order in which payments are given does not matter.
func TestReplayProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5_000 {
		var plans []calc.Instalment
		for i := range 1 + r.IntN(5) {
			plans = append(plans, calc.Instalment{ID: int64(i + 1), Date: day(r), Amount: decimal.New(1+r.Int64N(50_000), -2)})
		}
		var payments []calc.Payment
		for i := range r.IntN(10) {
			p := calc.Payment{ID: int64(i + 1), Date: day(r), Amount: decimal.New(1+r.Int64N(60_000), -2), Plan: int64(r.IntN(len(plans) + 1))}
			if r.IntN(4) == 0 {
				p.Amount = p.Amount.Neg()
			}
			payments = append(payments, p)
		}
		s, err := calc.Replay("CNY", plans, payments, "")
		shuffled := slices.Clone(payments)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, err2 := calc.Replay("CNY", plans, shuffled, "")
		if err != nil {
			require.ErrorIs(t, err, calc.RefundExceedsReceived)
			require.ErrorIs(t, err2, calc.RefundExceedsReceived)
			continue
		}
		require.Equal(t, s, again)
		allocated, paid, total := decimal.Zero, decimal.Zero, decimal.Zero
		for _, a := range s.Allocations {
			allocated = allocated.Add(a.Amount)
		}
		for i, p := range s.Plans {
			require.False(t, p.Paid.IsNegative() || p.Paid.Cmp(plans[i].Amount) > 0)
			requireMoney(t, plans[i].Amount.String(), p.Paid.Add(p.Outstanding))
			paid, total = paid.Add(p.Paid), total.Add(plans[i].Amount)
		}
		requireMoney(t, paid.String(), allocated)
		requireMoney(t, s.Received.String(), allocated.Add(s.Unallocated))
		requireMoney(t, total.String(), paid.Add(s.Outstanding))
		require.False(t, s.Unallocated.IsNegative())
		require.True(t, s.Unallocated.IsZero() || s.Outstanding.IsZero(), "credit is what nothing is open for")
	}
}

func day(r *rand.Rand) kernel.Date {
	return calc.After("2026-01-01", r.IntN(20))
}

func TestSplitProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 5_000 {
		total := decimal.New(1+r.Int64N(10_000_000), -2)
		n := 1 + r.IntN(12)
		parts, err := calc.SplitEqual("CNY", total, n)
		if err != nil {
			require.ErrorIs(t, err, calc.InstallmentSign)
			require.Less(t, cents(total), int64(n))
			continue
		}
		sum := decimal.Zero
		for _, p := range parts {
			sum = sum.Add(p)
		}
		requireMoney(t, total.String(), sum)
		require.LessOrEqual(t, parts[0].Sub(parts[n-1]).Cmp(dec("0.01")), 0)
	}
}

// FuzzLine: whatever is typed is refused with a reason, or comes to what the fractions say.
func FuzzLine(f *testing.F) {
	for _, x := range [][3]string{{"3", "12.5934", "93"}, {"1e400", "1", "100"}, {"0.00001", "-1", "1e-99999"}, {"99999999999999.9999", "1", "0"}} {
		f.Add(x[0], x[1], x[2])
	}
	f.Fuzz(func(t *testing.T, quantity, price, discount string) {
		q, err1 := decimal.NewFromString(quantity)
		p, err2 := decimal.NewFromString(price)
		d, err3 := decimal.NewFromString(discount)
		if err1 != nil || err2 != nil || err3 != nil {
			return
		}
		it := calc.Item{Quantity: q, UnitPrice: p, Discount: decimal.NewNullDecimal(d)}
		got, err := calc.Line("CNY", it, calc.Options{})
		if err != nil {
			require.ErrorIs(t, err, kernel.ErrInvalid)
			return
		}
		x := new(big.Rat).Mul(rat(q), rat(p))
		require.Equal(t, nearest(x), cents(got.List))
		require.Equal(t, nearest(x.Mul(x, new(big.Rat).Quo(rat(d), big.NewRat(100, 1)))), cents(got.Amount))
	})
}
