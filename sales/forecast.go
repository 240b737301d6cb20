package sales

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// ForecastBy says what a forecast is grouped by.
type ForecastBy string

// The groups; PerMonth when empty.
const (
	PerMonth      ForecastBy = "month"      // of the expected close
	PerOwner      ForecastBy = "owner"      // of the opportunity
	PerDepartment ForecastBy = "department" // of the opportunity's owner, as it is now
	PerStage      ForecastBy = "stage"
)

// The lines of a forecast by month that are no month.
const (
	OverdueMonth = "overdue" // open ones whose expected close has passed; it is the first line
	UndatedMonth = "undated" // those without an expected close; it is the last line
)

// ForecastFilter says what is forecast: all conditions hold together; an empty one is no condition.
type ForecastFilter struct {
	By        ForecastBy      `json:"by,omitempty"`
	Pipelines []PipelineID    `json:"pipelines,omitempty"` // at most 500
	Owners    []kernel.UserID `json:"owners,omitempty"`    // at most 500
	From      kernel.Date     `json:"from,omitempty"`      // expected to close on this day or later; then none without a day
	To        kernel.Date     `json:"to,omitempty"`        // expected to close on this day or before; likewise
}

// CurrencyForecast is what opportunities in one currency come to (quote-to-cash.md §4). The amounts are exact sums; one that
// was won counts with the total of its signed contracts, if there is one.
type CurrencyForecast struct {
	Currency   string          `json:"currency"`
	Count      int64           `json:"count"`
	Closed     decimal.Decimal `json:"closed"`     // in stages of the category Closed
	Commit     decimal.Decimal `json:"commit"`     // Closed, and those of Commit
	BestCase   decimal.Decimal `json:"best_case"`  // Commit, and those of BestCase
	Pipeline   decimal.Decimal `json:"pipeline"`   // those of InPipeline alone
	Weighted   decimal.Decimal `json:"weighted"`   // each by its chance, rounded to the currency's digits, half away from zero
	Unweighted decimal.Decimal `json:"unweighted"` // all: BestCase and Pipeline
	Overdue    decimal.Decimal `json:"overdue"`    // of Unweighted: open, and the expected close has passed
	Undated    decimal.Decimal `json:"undated"`    // of Unweighted: without an expected close
}

// ForecastLine is the forecast of one group. Of the names only the one that it is grouped by is set.
type ForecastLine struct {
	Month      string             `json:"month,omitempty"` // such as 2026-06, or OverdueMonth, or UndatedMonth
	Owner      kernel.UserID      `json:"owner_id,omitempty"`
	Department team.DepartmentID  `json:"department_id,omitempty"` // 0: of owners without one
	Stage      StageID            `json:"stage_id,omitempty"`
	Currencies []CurrencyForecast `json:"currencies"` // by code
}

// ForecastQuery is a ForecastFilter as a repository needs it: By is there, and the day that decides what is overdue.
type ForecastQuery struct {
	ForecastFilter
	Today kernel.Date
}

// The keys of months are the year and the month, such as 202606; these are those of the lines that are no month.
const (
	OverdueKey = 0
	UndatedKey = 1_000_000
)

// Forecasted is a sum as a repository returns it: of one group, in one currency. Its columns are those of the category alone;
// Unweighted is not set.
type Forecasted struct {
	Key   int64         // by which groups are ordered: of the month, member, department or stage
	Owner kernel.UserID // if grouped by owner
	CurrencyForecast
}

// Forecast returns a page of what the opportunities that are open or won come to, by group and currency; lost ones, and those
// in a stage whose category is Omitted, are left out. A won one counts in the month of its expected close. Months come in
// their order; owners, departments and stages in that of their ids. Errors: invalid with the field.
func (s *Analysis) Forecast(ctx context.Context, a kernel.Actor, f ForecastFilter, p kernel.Page) (kernel.List[ForecastLine], error) {
	const op = "sales.Analysis.Forecast"
	if f.By == "" {
		f.By = PerMonth
	}
	name := "forecast-" + string(f.By)
	w, err := p.Open(name, 1)
	if err := kernel.FirstError(f.check(), err); err != nil {
		return kernel.List[ForecastLine]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[ForecastLine], error) {
		var lines []ForecastLine
		var keys []int64
		err := c.Tx.Analysis().Forecast(ctx, a.Tenant, c.Scope, ForecastQuery{f, c.Today()}, w, func(x Forecasted) {
			if n := len(keys); n == 0 || keys[n-1] != x.Key {
				keys, lines = append(keys, x.Key), append(lines, x.line(f.By))
			}
			last := &lines[len(lines)-1]
			last.Currencies = append(last.Currencies, x.summed())
		})
		cut := kernel.Cut(name, w, keys, func(k int64) []int64 { return []int64{k} })
		return kernel.List[ForecastLine]{Items: lines[:len(cut.Items)], Next: cut.Next}, err
	})
}

func (f ForecastFilter) check() error {
	err := kernel.FirstError(kernel.OneOf("by", f.By, PerMonth, PerOwner, PerDepartment, PerStage), checkCount("pipelines", len(f.Pipelines)),
		checkOwners(f.Owners), f.From.Check("from"), f.To.Check("to"))
	if err == nil && f.From != "" && f.To != "" && f.To < f.From {
		err = kernel.Invalidf("to", kernel.OutOfRange, "the period must not end before it begins")
	}
	return err
}

// line is the beginning of a group's line.
func (x Forecasted) line(by ForecastBy) (line ForecastLine) {
	switch {
	case by == PerOwner:
		line.Owner = x.Owner
	case by == PerDepartment:
		line.Department = team.DepartmentID(x.Key)
	case by == PerStage:
		line.Stage = StageID(x.Key)
	case x.Key == OverdueKey:
		line.Month = OverdueMonth
	case x.Key == UndatedKey:
		line.Month = UndatedMonth
	default:
		line.Month = fmt.Sprintf("%04d-%02d", x.Key/100, x.Key%100)
	}
	return line
}

// summed is the forecast with each category added to the surer ones.
func (x Forecasted) summed() CurrencyForecast {
	c := x.CurrencyForecast
	c.Commit = c.Commit.Add(c.Closed)
	c.BestCase = c.BestCase.Add(c.Commit)
	c.Unweighted = c.BestCase.Add(c.Pipeline)
	return c
}
