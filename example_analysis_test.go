package crm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// What the pipeline will bring, how far opportunities come in it, and how many of them are won.
func Example_analysis() {
	ctx := context.Background()
	c := openOffice(ctx)
	p := sales.DefaultPipeline()
	check(c.Sales.Pipelines.Put(ctx, admin, &p))
	stage := map[string]sales.StageID{}
	for _, s := range p.Stages {
		stage[s.Name] = s.ID
	}
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	deal := func(amount int64, expected kernel.Date, way ...string) {
		x := &sales.Opportunity{CustomerID: blue.ID, Name: "pumps", Amount: decimal.NewFromInt(amount), ExpectedClose: expected, OwnerID: "li"}
		check(c.Sales.Opportunities.Create(ctx, admin, x))
		for _, name := range way {
			c.wait(24 * time.Hour)
			var o sales.MoveOptions
			if name == "Lost" {
				o.LostReason = "price"
			}
			check(c.Sales.Opportunities.Move(ctx, admin, x.ID, stage[name], &o))
		}
	}
	deal(5_000, "2026-03-20", "Needs", "Quoted", "Won")
	deal(8_000, "2026-03-25", "Needs", "Lost")
	deal(3_000, "2026-03-31", "Negotiation")
	deal(1_000, "2026-04-30", "Needs")
	deal(7_000, "2026-03-01")
	deal(2_000, "")

	forecast, err := c.Sales.Analysis.Forecast(ctx, li, sales.ForecastFilter{}, crm.Page{})
	check(err)
	for _, line := range forecast.Items {
		f := line.Currencies[0]
		fmt.Printf("%s: closed %s, with commit %s, weighted %s of %s %s\n", line.Month, f.Closed, f.Commit, f.Weighted, f.Unweighted, f.Currency)
	}
	funnel, err := c.Sales.Analysis.Funnel(ctx, li, sales.AnalysisFilter{})
	check(err)
	for _, step := range funnel.Steps {
		fmt.Printf("%s: %d, %s %%\n", step.Name, step.Reached, step.Conversion)
	}
	results, err := c.Sales.Analysis.Results(ctx, li, sales.AnalysisFilter{})
	check(err)
	fmt.Printf("won %d, lost %d: %s %%, after %s days\n", results.Won, results.Lost, results.WinRate, results.MeanDays)
	// Output:
	// overdue: closed 0, with commit 0, weighted 700 of 7000 CNY
	// 2026-03: closed 5000, with commit 8000, weighted 7100 of 8000 CNY
	// 2026-04: closed 0, with commit 0, weighted 300 of 1000 CNY
	// undated: closed 0, with commit 0, weighted 200 of 2000 CNY
	// First contact: 6, 100 %
	// Needs: 4, 66.67 %
	// Quoted: 2, 33.33 %
	// Negotiation: 2, 33.33 %
	// Won: 1, 16.67 %
	// won 1, lost 1: 50 %, after 3 days
}
