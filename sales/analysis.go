package sales

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Analysis is the use cases that count opportunities. Each counts those whose owner, or the region of whose customer, lies in
// the actor's scope, in one statement; deleted ones are not counted.
type Analysis struct{ core kernel.Service[Tx] }

// AnalysisFilter says what is analysed (mission.md, S5).
type AnalysisFilter struct {
	Pipeline PipelineID      `json:"pipeline,omitempty"` // 0: the default one
	From     time.Time       `json:"from"`               // the period begins here; zero: with the first
	To       time.Time       `json:"to"`                 // and ends before this; zero: with the last
	Owners   []kernel.UserID `json:"owners,omitempty"`   // at most 500; empty: all
}

// Funnel is how far the opportunities of a cohort came.
type Funnel struct {
	Cohort int64        `json:"cohort"` // those that began in the period
	Lost   int64        `json:"lost"`   // of them, those that are lost now; they count in the stages they reached
	Steps  []FunnelStep `json:"steps"`  // the open and won stages, in their order
}

// FunnelStep is a stage of a funnel.
type FunnelStep struct {
	Stage      StageID         `json:"stage"`
	Name       string          `json:"name"`
	Reached    int64           `json:"reached"`    // came into this stage or a later one, however often
	Conversion decimal.Decimal `json:"conversion"` // percent of the cohort, 0 to 100, 2 decimals; 0 when there is none
}

// Results is how the opportunities ended that were closed in a period.
type Results struct {
	Won        int64           `json:"won"`
	Lost       int64           `json:"lost"`
	WinRate    decimal.Decimal `json:"win_rate"`    // percent of won and lost, 0 to 100, 2 decimals; 0 when there is none
	MeanDays   decimal.Decimal `json:"mean_days"`   // from creation to the stage that won, of the won; days, 2 decimals
	MedianDays decimal.Decimal `json:"median_days"` // likewise; of an even number, the mean of the middle two
}

// Ended is what Results counts, with times in seconds.
type Ended struct {
	Won, Lost    int64
	Mean, MidLow int64 // whole seconds
	MidHigh      int64
}

// Furthest is how many opportunities came no further than a stage that is not a lost one.
type Furthest struct {
	Stage       StageID
	Count, Lost int64
}

// AnalysisRepository counts opportunities; each call is one statement.
type AnalysisRepository interface {
	// Furthest must tell, of the opportunities that began in the period in one of the stages, the last in order of these that
	// each ever came into; f.Pipeline is not asked.
	Furthest(ctx context.Context, t kernel.TenantID, s kernel.Scope, f AnalysisFilter, stages ...StageID) ([]Furthest, error)
	// Ended must count the opportunities that are in one of the stages since a time in the period, and how long the won took.
	Ended(ctx context.Context, t kernel.TenantID, s kernel.Scope, f AnalysisFilter, stages ...StageID) (Ended, error)
	// Forecast must tell visit, group by group in the order of their keys and in each by currency, what the opportunities add
	// up to that are not lost and whose stage is not Omitted. It begins behind w.After and ends after w.Limit+1 groups at most.
	// Memory must not grow with the number of rows.
	Forecast(ctx context.Context, t kernel.TenantID, s kernel.Scope, q ForecastQuery, w kernel.Window, visit func(Forecasted)) error
}

// Funnel counts, of the opportunities that began in the period, how many reached each stage, by their history: one that
// came into a stage twice counts once, one that was lost stays where it had come. Errors: invalid with the field; not found.
func (s *Analysis) Funnel(ctx context.Context, a kernel.Actor, f AnalysisFilter) (Funnel, error) {
	const op = "sales.Analysis.Funnel"
	if err := f.check(); err != nil {
		return Funnel{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (Funnel, error) {
		p, err := only(c.Tx.Pipelines().Get(ctx, a.Tenant, f.Pipeline))
		if err != nil {
			return Funnel{}, err
		}
		found, err := c.Tx.Analysis().Furthest(ctx, a.Tenant, c.Scope, f, p.stagesOf(Open, Won)...)
		return p.funnel(found), err
	})
}

// Results counts the opportunities that are closed and came into their stage in the period: how many were won, and how long
// those took. Errors: invalid with the field; not found.
func (s *Analysis) Results(ctx context.Context, a kernel.Actor, f AnalysisFilter) (Results, error) {
	const op = "sales.Analysis.Results"
	if err := f.check(); err != nil {
		return Results{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (Results, error) {
		p, err := only(c.Tx.Pipelines().Get(ctx, a.Tenant, f.Pipeline))
		if err != nil {
			return Results{}, err
		}
		found, err := c.Tx.Analysis().Ended(ctx, a.Tenant, c.Scope, f, p.stagesOf(Won, Lost)...)
		return found.results(), err
	})
}

func (f AnalysisFilter) check() error {
	err := kernel.FirstError(checkOwners(f.Owners), kernel.CheckInstant("from", f.From), kernel.CheckInstant("to", f.To))
	if err == nil && !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		err = kernel.Invalidf("to", kernel.OutOfRange, "the period must end after it begins")
	}
	return err
}

// stagesOf are the stages of two kinds, in their order.
func (p *Pipeline) stagesOf(one, other Status) (ids []StageID) {
	for _, s := range p.Stages {
		if s.Kind == one || s.Kind == other {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// funnel adds up what came no further than each stage, from the last to the first.
func (p *Pipeline) funnel(found []Furthest) (f Funnel) {
	ended := map[StageID]Furthest{}
	for _, x := range found {
		ended[x.Stage] = x
		f.Cohort, f.Lost = f.Cohort+x.Count, f.Lost+x.Lost
	}
	reached := f.Cohort
	for _, s := range p.Stages {
		if s.Kind == Lost {
			continue
		}
		f.Steps = append(f.Steps, FunnelStep{Stage: s.ID, Name: s.Name, Reached: reached, Conversion: percentOf(reached, f.Cohort)})
		reached -= ended[s.ID].Count
	}
	return f
}

func (e Ended) results() Results {
	days := func(seconds int64) decimal.Decimal {
		return decimal.NewFromInt(seconds).DivRound(decimal.NewFromInt(86_400), 2)
	}
	return Results{
		Won: e.Won, Lost: e.Lost, WinRate: percentOf(e.Won, e.Won+e.Lost), MeanDays: days(e.Mean),
		MedianDays: decimal.NewFromInt(e.MidLow+e.MidHigh).DivRound(decimal.NewFromInt(2*86_400), 2),
	}
}

// percentOf is part of whole in percent with 2 decimals.
func percentOf(part, whole int64) decimal.Decimal {
	if whole == 0 {
		return decimal.Zero
	}
	return decimal.NewFromInt(part).Shift(2).DivRound(decimal.NewFromInt(whole), 2)
}
