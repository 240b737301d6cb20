package storagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// ages are all lines of an ageing.
func (b *bundle) ages(who crm.Actor, f sales.AgeingFilter, limit int) (lines []sales.AgeingLine) {
	b.t.Helper()
	for x, err := range crm.All(func(p crm.Page) (crm.List[sales.AgeingLine], error) {
		p.Limit = limit
		return b.Sales.Receivables.Ageing(b.t.Context(), who, f, p)
	}) {
		require.NoError(b.t, err)
		lines = append(lines, x)
	}
	return lines
}

// buckets are current, 1-30, 31-60, 61-90, 90+ and the credit.
func buckets(a sales.CurrencyAgeing) string {
	return fmt.Sprintf("%s %s %s %s %s +%s", a.Current, a.Days30, a.Days60, a.Days90, a.Older, a.Credit)
}

func testReceivables(t *testing.T, open Open) {
	t.Run("aged by the days since they were due, at every boundary", func(t *testing.T) {
		b := setup(t, open)
		b.until("2026-04-01T04:00:00Z")
		b.owes(b.create(1, "li")[0], "2025-12-01", "1 2026-04-01", "2 2026-03-31", "4 2026-03-02", "8 2026-03-01", "16 2026-01-31", "32 2026-01-30",
			"64 2026-01-01", "128 2025-12-31", "256 2026-05-01")
		lines := b.ages(li, sales.AgeingFilter{}, 10)
		require.Len(t, lines, 1)
		require.Equal(t, "257 6 24 96 128 +0", buckets(lines[0].Base))
		requireMoney(t, "511", lines[0].Base.Total)
		require.Equal(t, kernel.Date("2025-12-31"), lines[0].Oldest)
	})
	t.Run("as of a day in the past: the payments, signatures and endings up to then", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		x := b.owes(of, "2026-01-05", "300 2026-01-10", "600 2026-02-10", "100 2026-03-10")
		b.pay(x, "2026-01-08", "100", 0)
		b.pay(x, "2026-01-20", "1000", 0)
		b.pay(x, "2026-02-20", "-150", 0)
		y := b.owes(of, "2026-02-01", "50 2026-02-15")
		require.NoError(t, b.actOn(y.ID, "terminate"))
		for _, x := range []struct{ day, want string }{
			{"2026-01-04", ""},
			{"2026-01-07", "1000 0 0 0 0 +0"},
			{"2026-01-12", "700 200 0 0 0 +0"},
			{"2026-01-20", "0 0 0 0 0 +100"},
			{"2026-02-19", "0 50 0 0 0 +100"},
			{"2026-02-20", "50 50 0 0 0 +0"},
			{"2026-02-28", "50 0 0 0 0 +0"},
			{"2026-03-20", "0 50 0 0 0 +0"},
		} {
			got := ""
			for _, line := range b.ages(li, sales.AgeingFilter{AsOf: kernel.Date(x.day)}, 10) {
				got = buckets(line.Base)
			}
			require.Equal(t, x.want, got, x.day)
		}
	})
	t.Run("per customer, owner and department, in each currency and in the tenant's", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(3, "li")
		b.owes(of[0], "2026-01-01", "100 2026-01-10")
		b.owes(of[1], "2026-01-01", "10 2026-03-10")
		x := &sales.Contract{CustomerID: of[0], Name: "abroad", FXRate: dec("7.12345678"), OwnerID: "wang", Body: sales.Body{
			Currency: "USD", Lines: []sales.Line{{Name: "pump", Quantity: dec("1"), UnitPrice: null("33.33")}},
		}}
		require.NoError(t, b.Sales.Contracts.Create(ctx, head, x))
		b.plan(x.ID, 1)
		require.NoError(t, b.actOn(x.ID, "approve"))
		require.NoError(t, b.actOn(x.ID, "sign"))
		lines := b.ages(head, sales.AgeingFilter{By: sales.ByCustomer}, 1)
		require.Len(t, lines, 2)
		require.Equal(t, of[0], lines[0].Customer)
		require.Equal(t, []string{"CNY", "USD"}, []string{lines[0].Currencies[0].Currency, lines[0].Currencies[1].Currency})
		require.Equal(t, "33.33 0 0 0 0 +0", buckets(lines[0].Currencies[1]))
		require.Equal(t, "237.42 0 100 0 0 +0", buckets(lines[0].Base))
		lines = b.ages(head, sales.AgeingFilter{By: sales.ByOwner}, 1)
		require.Equal(t, []kernel.UserID{"li", "wang"}, []kernel.UserID{lines[0].Owner, lines[1].Owner})
		require.Equal(t, "10 0 100 0 0 +0", buckets(lines[0].Base))
		lines = b.ages(admin, sales.AgeingFilter{By: sales.ByDepartment}, 10)
		require.Len(t, lines, 1)
		require.Equal(t, b.sales, lines[0].Department)
		lines = b.ages(wang, sales.AgeingFilter{}, 10)
		require.Len(t, lines[0].Currencies, 1, "only what wang owns")
		require.Empty(t, b.ages(otherLi, sales.AgeingFilter{By: sales.ByCustomer}, 10))
		require.Len(t, b.ages(li, sales.AgeingFilter{Customer: of[0]}, 10)[0].Currencies, 2, "li may see the customer, and so all of its contracts")
		require.Empty(t, b.ages(wang, sales.AgeingFilter{Customer: of[1]}, 10))
	})
	t.Run("what SQL adds up is what package calc says, whatever was paid", func(t *testing.T) {
		b := setup(t, open)
		r := rand.New(rand.NewPCG(3, 9))
		of := b.create(4, "li")
		day := func() kernel.Date {
			return calc.After("2025-11-01", r.IntN(110))
		}
		var all []*sales.Contract
		for range 12 {
			var plans []string
			for range 1 + r.IntN(4) {
				plans = append(plans, fmt.Sprintf("%d.%02d %s", 1+r.IntN(500), r.IntN(100), calc.After(day(), r.IntN(120))))
			}
			x := b.owes(of[r.IntN(4)], day(), plans...)
			for range r.IntN(6) {
				p := &sales.Payment{ContractID: x.ID, Date: day(), Amount: decimal.New(int64(r.IntN(60_000)-15_000), -2)}
				if err := b.Sales.Payments.Record(t.Context(), li, p); err != nil {
					require.ErrorIs(t, err, calc.RefundExceedsReceived)
				}
			}
			if r.IntN(5) == 0 {
				require.NoError(t, b.actOn(x.ID, "complete"))
			}
			all = append(all, b.getContract(x.ID))
		}
		for _, asOf := range []kernel.Date{"2025-11-20", "2026-01-01", "2026-02-10", "2026-02-27", "2026-02-28", "2026-06-01"} {
			want := map[customer.ID]string{}
			for _, id := range of {
				want[id] = b.aged(all, id, asOf)
			}
			got := map[customer.ID]string{}
			for _, limit := range []int{1, 3} {
				for _, line := range b.ages(li, sales.AgeingFilter{By: sales.ByCustomer, AsOf: asOf}, limit) {
					got[line.Customer] = buckets(line.Base)
				}
				for _, id := range of {
					if want[id] == "0 0 0 0 0 +0" {
						delete(want, id)
					}
				}
				require.Equal(t, want, got, "%s, pages of %d", asOf, limit)
			}
		}
	})
	t.Run("risk by what is overdue, at each boundary, with why", func(t *testing.T) {
		b := setup(t, open)
		b.until("2026-04-01T04:00:00Z")
		for _, x := range []struct {
			level calc.RiskLevel
			plans []string
		}{
			{calc.NoRisk, []string{"100 2026-04-01"}},
			{calc.WatchRisk, []string{"30 2026-03-31", "70 2026-04-02"}},
			{calc.WatchRisk, []string{"30 2026-03-02", "70 2026-04-02"}},
			{calc.HighRisk, []string{"30 2026-03-01", "70 2026-04-02"}},
			{calc.HighRisk, []string{"30 2026-01-01", "70 2026-04-02"}},
			{calc.CriticalRisk, []string{"1 2025-12-31", "99 2026-04-02"}},
			{calc.CriticalRisk, []string{"30.01 2026-03-31", "69.99 2026-04-02"}},
		} {
			of := b.create(1, "li")[0]
			b.owes(of, "2025-12-01", x.plans...)
			risk, err := b.Sales.Receivables.Risk(t.Context(), li, of)
			require.NoError(t, err)
			require.Equal(t, x.level, risk.Level, x.plans)
			require.NotEmpty(t, risk.Rule)
			requireMoney(t, "100", risk.Receivable)
		}
		of := b.create(1, "li")[0]
		risk, err := b.Sales.Receivables.Risk(t.Context(), li, of)
		require.NoError(t, err)
		require.Equal(t, calc.NoRisk, risk.Level)
		_, err = b.Sales.Receivables.Risk(t.Context(), wang, of)
		requireError(t, err, crm.ErrNotFound, "", "customer_id")
	})
	t.Run("terms follow from the credit rating", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		rate := func(r customer.CreditRating) sales.Terms {
			x := b.get(of)
			x.CreditRating = r
			require.NoError(t, b.Customers.Update(t.Context(), li, x))
			terms, err := b.Sales.Receivables.Terms(t.Context(), li, of)
			require.NoError(t, err)
			require.NotEmpty(t, terms.Rule)
			return terms
		}
		for r, days := range map[customer.CreditRating]int{"AAA": 60, "AA": 60, "A": 45, "BBB": 30, "BB": 15, "B": 0, "C": 0, "": 0} {
			require.Equal(t, days, rate(r).Days, r)
			require.Equal(t, days == 0, rate(r).Prepaid())
		}
		b.CRM = b.open(func(o *crm.Options) { o.Sales.Terms = sales.PaymentTerms{customer.CreditC: 7} })
		require.Equal(t, 7, rate("C").Days)
		require.True(t, rate("AAA").Prepaid())
		require.Equal(t, kernel.Date("2026-03-07"), rate("C").Due("2026-02-28"))
	})
}

// aged computes a customer's ageing from its payments, contract by contract.
func (b *bundle) aged(all []*sales.Contract, of customer.ID, asOf kernel.Date) string {
	b.t.Helper()
	sum, credit := calc.Ageing{}, decimal.Zero
	for _, x := range all {
		if x.CustomerID != of || x.SignDate > asOf || x.Status != sales.ContractSigned && asOf >= x.EndedOn {
			continue
		}
		l, err := b.Sales.Payments.List(b.t.Context(), boss, sales.PaymentFilter{Contract: x.ID, To: asOf}, crm.Page{})
		require.NoError(b.t, err)
		var plans []calc.Instalment
		for _, p := range x.Plans {
			plans = append(plans, calc.Instalment{ID: int64(p.ID), Date: p.Date, Amount: p.Amount})
		}
		var payments []calc.Payment
		for _, p := range l.Items {
			payments = append(payments, calc.Payment{ID: int64(p.Place), Date: p.Date, Amount: p.Amount})
		}
		s, err := calc.Replay("CNY", plans, payments, calc.CreditOverpayment)
		require.NoError(b.t, err)
		var open []calc.Receivable
		for i, p := range s.Plans {
			open = append(open, calc.Receivable{Due: x.Plans[i].Date, Outstanding: p.Outstanding})
		}
		a, err := calc.Age(asOf, open...)
		require.NoError(b.t, err)
		for i, to := range []*decimal.Decimal{&sum.Current, &sum.Days30, &sum.Days60, &sum.Days90, &sum.Older} {
			*to = to.Add([]decimal.Decimal{a.Current, a.Days30, a.Days60, a.Days90, a.Older}[i])
		}
		credit = credit.Add(s.Unallocated)
	}
	return buckets(sales.CurrencyAgeing{Ageing: sum, Credit: credit})
}
