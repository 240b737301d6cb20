package storagetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// prospect is an opportunity as the tests of forecasts make it: of the spec's default pipeline.
type prospect struct {
	who      crm.Actor
	stage    string
	amount   string
	currency string // CNY when empty
	chance   string // of the stage when empty
	expected kernel.Date
}

// prospects makes opportunities with a customer for each owner.
func (b *bundle) prospects(stage map[string]sales.StageID, all ...prospect) (made []*sales.Opportunity) {
	b.t.Helper()
	ctx, of := b.t.Context(), map[kernel.UserID]customer.ID{}
	for _, p := range all {
		if of[p.who.User] == 0 {
			of[p.who.User] = b.create(1, p.who.User)[0]
		}
		x := &sales.Opportunity{
			CustomerID: of[p.who.User], Name: "a line of packing machines", Amount: dec(p.amount), Currency: cmp.Or(p.currency, "CNY"), ExpectedClose: p.expected,
		}
		if p.chance != "" {
			x.Probability = decimal.NewNullDecimal(dec(p.chance))
		}
		require.NoError(b.t, b.Sales.Opportunities.Create(ctx, p.who, x))
		var o sales.MoveOptions
		if p.stage == "Lost" {
			o.LostReason = "price"
		}
		require.NoError(b.t, b.Sales.Opportunities.Move(ctx, p.who, x.ID, stage[p.stage], &o))
		made = append(made, x)
	}
	return made
}

// forecast are all lines of a forecast.
func (b *bundle) forecast(who crm.Actor, f sales.ForecastFilter, limit int) (lines []sales.ForecastLine) {
	b.t.Helper()
	for x, err := range crm.All(func(p crm.Page) (crm.List[sales.ForecastLine], error) {
		p.Limit = limit
		return b.Sales.Analysis.Forecast(b.t.Context(), who, f, p)
	}) {
		require.NoError(b.t, err)
		lines = append(lines, x)
	}
	return lines
}

// columns are closed, commit, best case, pipeline, weighted and unweighted.
func columns(c sales.CurrencyForecast) string {
	return fmt.Sprintf("%d %s: %s %s %s %s, %s of %s", c.Count, c.Currency, c.Closed, c.Commit, c.BestCase, c.Pipeline, c.Weighted, c.Unweighted)
}

// byMonth are the columns of each line by its month.
func byMonth(lines []sales.ForecastLine) (all []string) {
	for _, l := range lines {
		for _, c := range l.Currencies {
			all = append(all, l.Month+" "+columns(c))
		}
	}
	return all
}

func testForecast(t *testing.T, open Open) {
	t.Run("the spec's example: each row is rounded, the won count whole, the lost and omitted not at all", func(t *testing.T) {
		b := setup(t, open)
		b.until("2026-04-15T04:00:00Z")
		p, stage := b.pipeline()
		b.prospects(stage, prospect{li, "Needs", "1000.01", "", "33", "2026-06-30"}, prospect{li, "Won", "500", "", "10", "2026-06-01"},
			prospect{li, "Lost", "800", "", "", "2026-06-01"}, prospect{li, "Quoted", "0.01", "", "50", "2026-06-01"},
			prospect{li, "Negotiation", "12345", "JPY", "75", "2026-06-01"})
		require.Equal(t, []string{"2026-06 3 CNY: 500 500 500.01 1000.01, 830.01 of 1500.02", "2026-06 1 JPY: 0 12345 12345 0, 9259 of 12345"},
			byMonth(b.forecast(li, sales.ForecastFilter{}, 10)))
		p.Stages[1].Forecast = sales.Omitted
		require.NoError(t, b.Sales.Pipelines.Put(t.Context(), admin, p))
		require.Equal(t, []string{"2026-06 2 CNY: 500 500 500.01 0, 500.01 of 500.01"}, byMonth(b.forecast(li, sales.ForecastFilter{}, 10))[:1])
	})
	t.Run("months: the overdue first, the undated last, and both in no month", func(t *testing.T) {
		b := setup(t, open)
		b.until("2026-04-14T16:00:00Z") // the 15th in Shanghai
		_, stage := b.pipeline()
		b.prospects(stage, prospect{li, "Needs", "1", "", "", "2026-04-14"}, prospect{li, "Needs", "2", "", "", "2026-04-15"},
			prospect{li, "Needs", "4", "", "", ""}, prospect{li, "Won", "8", "", "", "2026-04-01"}, prospect{li, "Won", "16", "", "", ""},
			prospect{li, "Needs", "32", "", "", "2027-01-01"}, prospect{li, "Lost", "64", "", "", "2026-03-01"})
		want := []string{
			"overdue 1 CNY: 0 0 0 1, 0.3 of 1", "2026-04 2 CNY: 8 8 8 2, 8.6 of 10", "2027-01 1 CNY: 0 0 0 32, 9.6 of 32",
			"undated 2 CNY: 16 16 16 4, 17.2 of 20",
		}
		for limit := range 5 {
			require.Equal(t, want, byMonth(b.forecast(li, sales.ForecastFilter{By: sales.PerMonth}, limit)), "pages of %d", limit)
		}
		require.Equal(t, want[1:2], byMonth(b.forecast(li, sales.ForecastFilter{From: "2026-04-01", To: "2026-12-31"}, 10))[1:])
		require.Equal(t, want[:2], byMonth(b.forecast(li, sales.ForecastFilter{To: "2026-04-15"}, 10)), "none without a day")
		lines := b.forecast(li, sales.ForecastFilter{By: sales.PerOwner}, 10)
		require.Len(t, lines, 1)
		requireMoney(t, "1", lines[0].Currencies[0].Overdue)
		requireMoney(t, "20", lines[0].Currencies[0].Undated)
		requireMoney(t, "63", lines[0].Currencies[0].Unweighted)
	})
	t.Run("by owner, department and stage, within scope, tenant and filter", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		b.prospects(stage, prospect{li, "Needs", "1", "", "", ""}, prospect{wang, "Won", "2", "", "", ""}, prospect{wang, "Needs", "4", "EUR", "", ""})
		of := func(who crm.Actor, f sales.ForecastFilter) (all []string) {
			for _, l := range b.forecast(who, f, 1) {
				for _, c := range l.Currencies {
					all = append(all, fmt.Sprint(l.Owner, l.Department, " ", l.Stage, " ", c.Currency, c.Unweighted))
				}
			}
			return all
		}
		require.Equal(t, []string{"li0 0 CNY1", "wang0 0 CNY2", "wang0 0 EUR4"}, of(admin, sales.ForecastFilter{By: sales.PerOwner}))
		require.Equal(t, []string{fmt.Sprint(b.sales, " 0 CNY3"), fmt.Sprint(b.sales, " 0 EUR4")}, of(admin, sales.ForecastFilter{By: sales.PerDepartment}))
		require.Equal(t, []string{fmt.Sprint("0 ", stage["Needs"], " CNY1"), fmt.Sprint("0 ", stage["Needs"], " EUR4"), fmt.Sprint("0 ", stage["Won"], " CNY2")},
			of(admin, sales.ForecastFilter{By: sales.PerStage}))
		require.Equal(t, []string{"li0 0 CNY1"}, of(li, sales.ForecastFilter{By: sales.PerOwner}))
		require.Equal(t, []string{"li0 0 CNY1"}, of(admin, sales.ForecastFilter{By: sales.PerOwner, Owners: []kernel.UserID{"li"}}))
		require.Empty(t, of(li, sales.ForecastFilter{Owners: []kernel.UserID{"wang"}}))
		require.Empty(t, of(admin, sales.ForecastFilter{Pipelines: []sales.PipelineID{1_000_000_000}}))
		require.Empty(t, of(otherBoss, sales.ForecastFilter{}))
		for field, f := range map[string]sales.ForecastFilter{
			"by": {By: "luck"}, "from": {From: "2026-02-30"}, "to": {From: "2026-02-02", To: "2026-02-01"}, "pipelines": {Pipelines: make([]sales.PipelineID, 501)},
		} {
			_, err := b.Sales.Analysis.Forecast(t.Context(), li, f, crm.Page{})
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
			require.ErrorIs(t, err, crm.ErrInvalid)
		}
	})
	t.Run("a won one counts with the total of its signed contracts", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		x := b.prospects(stage, prospect{li, "Needs", "100", "", "", "2026-06-30"})[0]
		k := &sales.Contract{CustomerID: x.CustomerID, OpportunityID: x.ID, Name: "a line", Body: sales.Body{
			Lines: []sales.Line{{Name: "pump", Quantity: dec("2"), UnitPrice: null("50.55")}},
		}}
		require.NoError(t, b.Sales.Contracts.Create(t.Context(), li, k))
		_, err := b.Sales.Contracts.SetPlans(t.Context(), li, k.ID, sales.Plan{Date: "2026-06-30", Amount: k.GrandTotal})
		require.NoError(t, err)
		require.NoError(t, b.Sales.Opportunities.Move(t.Context(), li, x.ID, stage["Won"], nil))
		require.Equal(t, "100", b.forecast(li, sales.ForecastFilter{}, 1)[0].Currencies[0].Closed.String(), "a draft does not count")
		require.NoError(t, b.actOn(k.ID, "approve"))
		require.NoError(t, b.actOn(k.ID, "sign"))
		line := b.forecast(li, sales.ForecastFilter{}, 1)[0].Currencies[0]
		requireMoney(t, k.GrandTotal.String(), line.Closed)
		requireMoney(t, k.GrandTotal.String(), line.Weighted)
		require.False(t, k.GrandTotal.Equal(x.Amount))
	})
	t.Run("random opportunities come to what calc.Forecast says of them", func(t *testing.T) {
		b := setup(t, open)
		_, stage := b.pipeline()
		r := rand.New(rand.NewPCG(4, 19))
		var all []prospect
		for range 60 { // their sum in ten-thousandths fits 64 bits
			all = append(all, randomProspect(r))
		}
		made, outlook := b.prospects(stage, all...), map[string]calc.Outlook{"Won": calc.Won, "Lost": calc.Lost}
		want := map[string][]calc.Prospect{}
		for i, p := range all {
			chance := map[string]string{"First contact": "10", "Needs": "30", "Quoted": "50", "Negotiation": "70"}[p.stage]
			want[p.currency] = append(want[p.currency], calc.Prospect{
				Amount: made[i].Amount, Probability: dec(cmp.Or(p.chance, chance, "0")), Status: cmp.Or(outlook[p.stage], calc.Open),
			})
		}
		for _, by := range []sales.ForecastBy{sales.PerMonth, sales.PerOwner, sales.PerDepartment, sales.PerStage} {
			got := map[string]decimal.Decimal{}
			for _, l := range b.forecast(admin, sales.ForecastFilter{By: by}, 3) {
				require.True(t, slices.IsSortedFunc(l.Currencies, func(x, y sales.CurrencyForecast) int { return cmp.Compare(x.Currency, y.Currency) }))
				for _, c := range l.Currencies {
					got[c.Currency] = got[c.Currency].Add(c.Weighted)
				}
			}
			for currency, rows := range want {
				_, total, err := calc.Forecast(calc.Currency(currency), calc.HalfUp, rows...)
				require.NoError(t, err)
				requireMoney(t, total.String(), got[currency])
			}
		}
	})
}

// randomProspect has an amount of up to 13 digits before the point, with four decimals, and often such that a half is rounded.
func randomProspect(r *rand.Rand) prospect {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	p := prospect{
		who: []crm.Actor{li, wang}[r.IntN(2)], stage: pick("First contact", "Needs", "Quoted", "Negotiation", "Won", "Lost"), currency: pick("CNY", "JPY", "KWD"),
		expected: kernel.Date(pick("2020-01-31", "2030-02-28", "2030-03-01")), amount: decimal.New(1+r.Int64N(99_999_999_999_999_999), -4).String(),
	}
	if r.IntN(2) == 0 {
		p.amount = pick("0.01", "0.05", "1000.01", "12345", "0.005", "9999999999999.9999", "2.5")
	}
	if r.IntN(3) > 0 {
		p.chance = pick("0", "0.01", "10", "33.33", "50", "99.99", "100", decimal.New(r.Int64N(10_001), -2).String())
	}
	return p
}
