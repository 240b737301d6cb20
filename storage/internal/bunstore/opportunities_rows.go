package bunstore

import (
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
)

type pipelineRow struct {
	bun.BaseModel `bun:"table:crm_pipelines,alias:w"`
	TenantID      int64
	ID            sales.PipelineID
	Name          string
	IsDefault     bool
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

func pipelineRowOf(tenant int64, p *sales.Pipeline) pipelineRow {
	return pipelineRow{
		TenantID: tenant, ID: p.ID, Name: p.Name, IsDefault: p.Default,
		Version: p.Version, CreatedAt: moment(p.CreatedAt), UpdatedAt: moment(p.UpdatedAt),
	}
}

func (r *pipelineRow) domain() *sales.Pipeline {
	return &sales.Pipeline{
		ID: r.ID, Name: r.Name, Default: r.IsDefault, Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

type stageRow struct {
	bun.BaseModel `bun:"table:crm_stages,alias:s"`
	TenantID      int64
	ID            sales.StageID
	PipelineID    sales.PipelineID
	Sort          int
	Name          string
	Kind          sales.Status
	Probability   amount
	Forecast      sales.Forecast
	Requires      list[sales.Field]
	Moves         list[string]
	StaleDays     int
}

func stageRowOf(tenant int64, p *sales.Pipeline, i int) stageRow {
	s := p.Stages[i]
	return stageRow{
		TenantID: tenant, ID: s.ID, PipelineID: p.ID, Sort: i, Name: s.Name, Kind: s.Kind, Probability: amountOf(s.Probability),
		Forecast: s.Forecast, Requires: s.Requires, Moves: s.Moves, StaleDays: s.StaleDays,
	}
}

func (r *stageRow) domain() sales.Stage {
	return sales.Stage{
		ID: r.ID, Name: r.Name, Kind: r.Kind, Probability: r.Probability.Decimal, Forecast: r.Forecast,
		Requires: r.Requires, Moves: r.Moves, StaleDays: r.StaleDays,
	}
}

type opportunityRow struct {
	bun.BaseModel `bun:"table:crm_opportunities,alias:op"`
	TenantID      int64
	sales.Opportunity
	ContactID   nullID
	StageSince  moment
	Amount      amount
	Probability amount
	Products    numbers
	ClosedAt    moment
	CreatedAt   moment
	UpdatedAt   moment
	DeletedAt   moment
	Masked      bool `bun:",scanonly"` // no column: its customer tells, see inPool
}

func opportunityRowOf(tenant int64, x *sales.Opportunity) opportunityRow {
	return opportunityRow{
		TenantID: tenant, Opportunity: *x, ContactID: nullID(x.ContactID), StageSince: moment(x.StageSince), Amount: amountOf(x.Amount),
		Probability: amount(x.Probability), Products: numbersOf(x.Products), ClosedAt: moment(x.ClosedAt),
		CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt),
	}
}

func (r *opportunityRow) domain() *sales.Opportunity {
	x := r.Opportunity
	x.ContactID, x.StageSince, x.Amount = customer.ContactID(r.ContactID), time.Time(r.StageSince), r.Amount.Decimal
	x.Probability, x.ClosedAt = decimal.NullDecimal(r.Probability), time.Time(r.ClosedAt)
	x.CreatedAt, x.UpdatedAt, x.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	x.Products, x.Masked = nil, r.Masked
	for _, id := range r.Products {
		x.Products = append(x.Products, sales.ProductID(id))
	}
	return &x
}

type stageMovedRow struct {
	bun.BaseModel `bun:"table:crm_opportunity_stages,alias:h"`
	TenantID      int64
	ID            int64
	OpportunityID sales.OpportunityID
	FromStage     nullID
	ToStage       sales.StageID
	Status        sales.Status
	Amount        amount
	Currency      string
	Probability   amount
	OwnerID       string
	LostReason    string
	Actor         string
	At            moment
}
