package calc_test

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

func rate(percent, net, tax string) calc.RateTotals {
	return calc.RateTotals{
		Rate: decimal.RequireFromString(percent), Kind: calc.Taxed, Net: decimal.RequireFromString(net), Tax: decimal.RequireFromString(tax),
	}
}

func TestInvoicePartsAreSplitByRateAndTheLastTakesTheRest(t *testing.T) {
	left := []calc.RateTotals{rate("6", "500", "30"), rate("13", "1000", "130")}
	parts, err := calc.InvoiceParts("CNY", calc.Options{}, decimal.RequireFromString("333.33"), left...)
	require.NoError(t, err)
	require.Equal(t, []string{"106.42", "226.91"}, []string{parts[0].Gross().String(), parts[1].Gross().String()})
	require.Equal(t, []string{"100.4", "6.02"}, []string{parts[0].Net.String(), parts[0].Tax.String()})
	parts, err = calc.InvoiceParts("CNY", calc.Options{}, decimal.RequireFromString("1660"), left...)
	require.NoError(t, err)
	require.Equal(t, left, parts)
	for amount, reason := range map[string]kernel.Reason{"1660.01": calc.OverInvoice, "0": kernel.OutOfRange, "-1": kernel.OutOfRange, "0.001": calc.Scale} {
		_, err := calc.InvoiceParts("CNY", calc.Options{}, decimal.RequireFromString(amount), left...)
		require.ErrorIs(t, err, reason, amount)
	}
}

// However a contract is invoiced, no part has more net or tax than is left of its rate, and all parts add up to the contract.
func TestInvoicePartsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		var all []calc.RateTotals
		for _, percent := range []string{"1", "6", "9", "13"}[:1+r.IntN(4)] {
			net := decimal.New(int64(1+r.IntN(50_000)), -2)
			all = append(all, calc.RateTotals{
				Rate: decimal.RequireFromString(percent), Kind: calc.Taxed, Net: net, Tax: net.Mul(decimal.RequireFromString(percent)).Shift(-2).Round(2),
			})
		}
		left, sum := calc.ByRate(all...), decimal.Zero
		for _, x := range all {
			sum = sum.Add(x.Gross())
		}
		for sum.IsPositive() {
			amount := decimal.Min(sum, decimal.New(int64(1+r.IntN(20_000)), -2))
			parts, err := calc.InvoiceParts("CNY", calc.Options{}, amount, left...)
			require.NoError(t, err)
			got := decimal.Zero
			for _, p := range parts {
				got = got.Add(p.Gross())
				require.False(t, p.Net.IsNegative() || p.Tax.IsNegative(), "%v of %v", p, left)
				p.Net, p.Tax = p.Net.Neg(), p.Tax.Neg()
				left = calc.ByRate(append(left, p)...)
			}
			require.True(t, amount.Equal(got))
			sum = sum.Sub(amount)
			for _, x := range left {
				require.False(t, x.Net.IsNegative() || x.Tax.IsNegative(), "%v", left)
			}
		}
		for _, x := range left {
			require.True(t, x.Net.IsZero() && x.Tax.IsZero())
		}
	}
}

func TestRebalance(t *testing.T) {
	plans := []calc.Instalment{{ID: 1, Date: "2026-03-01", Amount: decimal.NewFromInt(100)}, {ID: 2, Date: "2026-01-01", Amount: decimal.NewFromInt(300)}, {ID: 3, Date: "2026-02-01", Amount: decimal.NewFromInt(600)}}
	for _, x := range []struct {
		total string
		want  map[int64]string
	}{
		{"1000", map[int64]string{1: "100", 2: "300", 3: "600"}},
		{"1000.01", map[int64]string{1: "100.01", 2: "300", 3: "600"}},
		{"950", map[int64]string{1: "50", 2: "300", 3: "600"}},
		{"900", map[int64]string{2: "300", 3: "600"}},
		{"0.01", map[int64]string{2: "0.01"}},
	} {
		got, err := calc.Rebalance("CNY", decimal.RequireFromString(x.total), plans...)
		require.NoError(t, err)
		have := map[int64]string{}
		for _, p := range got {
			have[p.ID] = p.Amount.String()
		}
		require.Equal(t, x.want, have, x.total)
	}
	_, err := calc.Rebalance("CNY", decimal.Zero, plans...)
	require.ErrorIs(t, err, calc.ZeroTotal)
	_, err = calc.Rebalance("CNY", decimal.NewFromInt(-1), plans...)
	require.ErrorIs(t, err, calc.ZeroTotal)
	_, err = calc.Rebalance("CNY", decimal.NewFromInt(1))
	require.ErrorIs(t, err, kernel.Empty)
}

func TestRiskOf(t *testing.T) {
	ageing := func(current, days30, days60, days90, older int64) calc.Ageing {
		d := decimal.NewFromInt
		return calc.Ageing{Current: d(current), Days30: d(days30), Days60: d(days60), Days90: d(days90), Older: d(older), Total: d(current + days30 + days60 + days90 + older)}
	}
	for _, x := range []struct {
		a     calc.Ageing
		level calc.RiskLevel
		share string
	}{
		{ageing(0, 0, 0, 0, 0), calc.NoRisk, "0"},
		{ageing(100, 0, 0, 0, 0), calc.NoRisk, "0"},
		{ageing(70, 30, 0, 0, 0), calc.WatchRisk, "30"},
		{ageing(69, 31, 0, 0, 0), calc.CriticalRisk, "31"},
		{ageing(99, 0, 1, 0, 0), calc.HighRisk, "1"},
		{ageing(99, 0, 0, 1, 0), calc.HighRisk, "1"},
		{ageing(999, 0, 0, 0, 1), calc.CriticalRisk, "0.1"},
	} {
		got := calc.RiskOf(x.a)
		require.Equal(t, x.level, got.Level, x.a)
		require.Equal(t, x.share, got.Share.String(), x.a)
		require.NotEmpty(t, got.Rule)
	}
}
