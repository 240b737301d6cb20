package check

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// sold is a row of a pipeline of a seller of computers: it begins in a stage, and is moved to another when it is closed.
type sold struct {
	agent, account, stage string
	amount                decimal.Decimal
	began, closed         kernel.Date // closed is empty of an open one
}

// pipelineRows reads at most that many rows.
func pipelineRows(t *testing.T, atMost int) (all []*sold) {
	t.Helper()
	eachRow(t, "crm-sales-opportunities/sales_pipeline.csv", atMost, func(r map[string]string) {
		x := &sold{
			agent: r["sales_agent"], account: cmp.Or(r["account"], "unknown"), stage: r["deal_stage"],
			began: kernel.Date(cmp.Or(r["engage_date"], "2016-10-20")), closed: kernel.Date(r["close_date"]),
		}
		if r["close_value"] != "" {
			var err error
			x.amount, err = decimal.NewFromString(r["close_value"])
			require.NoError(t, err)
		}
		all = append(all, x)
	})
	return all
}

// staff makes a pipeline, and the sellers and customers that the rows name; it returns both by their names.
func (h *house) staff(all []*sold) (stage map[string]sales.StageID, of map[string]*customer.Customer) {
	h.t.Helper()
	ctx := context.Background()
	p := sales.Pipeline{Name: "Computers", Default: true, Stages: []sales.Stage{
		{Name: "Prospecting"}, {Name: "Engaging"}, {Name: "Won", Kind: sales.Won}, {Name: "Lost", Kind: sales.Lost},
	}}
	require.NoError(h.t, h.Sales.Pipelines.Put(ctx, boss, &p))
	stage, of = map[string]sales.StageID{}, map[string]*customer.Customer{}
	for _, s := range p.Stages {
		stage[s.Name] = s.ID
	}
	var members []team.Member
	var customers []*customer.Customer
	seen := map[string]bool{}
	for _, x := range all {
		if !seen[x.agent] {
			seen[x.agent], members = true, append(members, team.Member{User: kernel.UserID(x.agent), Role: team.Seller})
		}
		if of[x.account] == nil {
			of[x.account] = &customer.Customer{Name: x.account}
			customers = append(customers, of[x.account])
		}
	}
	_, err := h.Team.Members.AddMany(ctx, boss, members)
	require.NoError(h.t, err)
	_, err = h.Customers.CreateMany(ctx, boss, customers, kernel.AllOrNothing)
	require.NoError(h.t, err)
	return stage, of
}

// sell makes the opportunities, each on its day, and closes those that were won or lost on theirs.
func (h *house) sell(all []*sold) {
	h.t.Helper()
	ctx := context.Background()
	stage, of := h.staff(all)
	for _, x := range all {
		h.micros.Store(x.began.Start(time.UTC).UnixMicro())
		o := &sales.Opportunity{
			CustomerID: of[x.account].ID, Name: x.account, StageID: stage["Engaging"], Amount: x.amount, Currency: "USD", ExpectedClose: x.closed,
			OwnerID: kernel.UserID(x.agent),
		}
		if x.stage == "Prospecting" {
			o.StageID = stage[x.stage]
		}
		require.NoError(h.t, h.Sales.Opportunities.Create(ctx, boss, o))
		if x.closed == "" {
			continue
		}
		h.micros.Store(x.closed.Start(time.UTC).UnixMicro())
		var m sales.MoveOptions
		if x.stage == "Lost" {
			m.LostReason = "price"
		}
		require.NoError(h.t, h.Sales.Opportunities.Move(ctx, boss, o.ID, stage[x.stage], &m))
	}
}

// forecast are the closed amounts of a forecast by its groups, and all of them.
func (h *house) forecast(by sales.ForecastBy, name func(sales.ForecastLine) string) (closed map[string]string, total decimal.Decimal) {
	h.t.Helper()
	closed = map[string]string{}
	for l, err := range crm.All(func(p kernel.Page) (kernel.List[sales.ForecastLine], error) {
		p.Limit = 7
		return h.Sales.Analysis.Forecast(context.Background(), boss, sales.ForecastFilter{By: by}, p)
	}) {
		require.NoError(h.t, err)
		require.Len(h.t, l.Currencies, 1)
		if c := l.Currencies[0].Closed; !c.IsZero() {
			closed[name(l)], total = c.String(), total.Add(c)
		}
	}
	return closed, total
}

// The pipeline of a seller of computers, through the public API, comes to what its file says: how many were won, how long
// that took, and for how much, in all, by month and by seller.
func TestPipelineOfComputersComesToItsFile(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		rows := 8_800
		if strings.Contains(t.Name(), "PostgreSQL") {
			rows = choose(500, rows)
		}
		all := pipelineRows(t, rows)
		h := build(t, fresh(t))
		h.sell(all)
		var won, lost, open int64
		months, agents, total := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}, decimal.Zero
		for _, x := range all {
			switch x.stage {
			case "Won":
				month := string(x.closed[:7])
				won, total = won+1, total.Add(x.amount)
				months[month], agents[x.agent] = months[month].Add(x.amount), agents[x.agent].Add(x.amount)
			case "Lost":
				lost++
			default:
				open++
			}
		}
		results, err := h.Sales.Analysis.Results(context.Background(), boss, sales.AnalysisFilter{})
		require.NoError(t, err)
		require.Equal(t, []int64{won, lost}, []int64{results.Won, results.Lost})
		funnel, err := h.Sales.Analysis.Funnel(context.Background(), boss, sales.AnalysisFilter{})
		require.NoError(t, err)
		require.Equal(t, []int64{won + lost + open, lost, won}, []int64{funnel.Cohort, funnel.Lost, funnel.Steps[2].Reached})
		byMonth, sum := h.forecast(sales.PerMonth, func(l sales.ForecastLine) string { return l.Month })
		require.Equal(t, printed(months), byMonth)
		require.Equal(t, total.String(), sum.String())
		byAgent, sum := h.forecast(sales.PerOwner, func(l sales.ForecastLine) string { return string(l.Owner) })
		require.Equal(t, printed(agents), byAgent)
		require.Equal(t, total.String(), sum.String())
		if rows == 8_800 {
			require.Equal(t, "10005534", total.String())
			require.Equal(t, []string{"63.15", "51.78", "57"}, []string{results.WinRate.String(), results.MeanDays.String(), results.MedianDays.String()})
			require.Equal(t, "1153214", byAgent["Darcel Schlecht"])
		}
		h.sound()
	})
}

func printed(sums map[string]decimal.Decimal) map[string]string {
	all := map[string]string{}
	for name, d := range sums {
		all[name] = d.String()
	}
	return all
}
