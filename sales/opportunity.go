package sales

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// PipelineID is a pipeline's number, unique in the database and below 2^53.
type PipelineID int64

// StageID is the number of a stage of a pipeline.
type StageID int64

// OpportunityID is an opportunity's number.
type OpportunityID int64

// How references name pipelines and opportunities.
const (
	PipelineKind    = "pipeline"
	OpportunityKind = "opportunity"
)

// The reasons of refusals: errors.Is(err, sales.StageMove).
const (
	StageMove     kernel.Reason = "stage_move"     // the stage does not allow a move to that one
	StageRequires kernel.Reason = "stage_requires" // the stage needs a field that is empty: Error.Field names it
	Blacklisted   kernel.Reason = "blacklisted"    // no business is done with the customer
)

// Status is how an opportunity stands; it follows from its stage.
type Status string

// The statuses (seed 003, crm_opportunity.status 1 to 3).
const (
	Open Status = "open"
	Won  Status = "won"
	Lost Status = "lost"
)

// Forecast is what a stage counts as in a forecast, which its percent does not say (quote-to-cash.md §4).
type Forecast string

// The forecast categories. The default is that of the kind: InPipeline for open, Closed for won, Omitted for lost.
const (
	InPipeline Forecast = "pipeline"
	BestCase   Forecast = "best_case"
	Commit     Forecast = "commit"
	Closed     Forecast = "closed"
	Omitted    Forecast = "omitted"
)

// Pipeline is the way of an opportunity: stages in their order (mission.md, S4).
type Pipeline struct {
	ID        PipelineID `json:"id"`
	Name      string     `json:"name"`    // at most 100, unique in the tenant
	Default   bool       `json:"default"` // the one for opportunities that name none; the last that was put as default is it
	Stages    []Stage    `json:"stages"`  // 2 to 50, in their order; at least one open, one won and one lost
	Version   int64      `json:"version"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// Stage is a step of a pipeline.
type Stage struct {
	ID          StageID         `json:"id"`
	Name        string          `json:"name"`        // at most 50, unique in the pipeline
	Kind        Status          `json:"kind"`        // Open when empty
	Probability decimal.Decimal `json:"probability"` // percent, 0 to 100, 2 decimals; of won 100 and of lost 0 whatever is given
	Forecast    Forecast        `json:"forecast"`    //
	Requires    []Field         `json:"requires,omitempty"`
	Moves       []string        `json:"moves,omitempty"`      // names of the stages that may follow; empty: any
	StaleDays   int             `json:"stale_days,omitempty"` // an opportunity that is longer here stagnates, 0 to 3,650; 0: never
}

// Field is a field of an opportunity that a stage can require.
type Field string

// The fields that can be required.
const (
	NeedAmount   Field = "amount" // above 0
	NeedClose    Field = "expected_close"
	NeedContact  Field = "contact_id"
	NeedProducts Field = "products"
)

// Ref names the pipeline in audit and events.
func (p *Pipeline) Ref() kernel.Ref { return kernel.Ref{Kind: PipelineKind, ID: int64(p.ID)} }

// stage is the stage with a number, or nil.
func (p *Pipeline) stage(id StageID) *Stage {
	for i := range p.Stages {
		if p.Stages[i].ID == id {
			return &p.Stages[i]
		}
	}
	return nil
}

// first is the open stage that opportunities begin in.
func (p *Pipeline) first() *Stage {
	for i := range p.Stages {
		if p.Stages[i].Kind == Open {
			return &p.Stages[i]
		}
	}
	return nil
}

// DefaultPipeline is a pipeline to begin with: first contact (10 %), needs (30 %), quoted (50 %), negotiation (70 %), won,
// lost. It becomes a tenant's by Pipelines.Put.
func DefaultPipeline() Pipeline {
	percent := decimal.NewFromInt
	return Pipeline{Name: "Sales", Default: true, Stages: []Stage{
		{Name: "First contact", Probability: percent(10)},
		{Name: "Needs", Probability: percent(30)},
		{Name: "Quoted", Probability: percent(50), Forecast: BestCase, Requires: []Field{NeedAmount}},
		{Name: "Negotiation", Probability: percent(70), Forecast: Commit, Requires: []Field{NeedAmount, NeedClose}},
		{Name: "Won", Kind: Won},
		{Name: "Lost", Kind: Lost},
	}}
}

// Opportunity is a deal that may come: the union of the five seeds' tables. Lengths are in characters.
type Opportunity struct {
	ID            OpportunityID       `json:"id"`
	CustomerID    customer.ID         `json:"customer_id"`           // never changes
	ContactID     customer.ContactID  `json:"contact_id,omitempty"`  // one of the customer's
	Name          string              `json:"name"`                  // at most 200
	PipelineID    PipelineID          `json:"pipeline_id"`           // the default one when 0; never changes
	StageID       StageID             `json:"stage_id"`              // the first open one when 0; changes by Move
	Status        Status              `json:"status"`                // follows from the stage
	StageSince    time.Time           `json:"stage_since"`           //
	Amount        decimal.Decimal     `json:"amount"`                // 0 ≤ x < 10^14, 4 decimals, in Currency
	Currency      string              `json:"currency"`              // ISO 4217; the tenant's when empty
	Probability   decimal.NullDecimal `json:"probability"`           // percent, 0 to 100, 2 decimals; null: that of the stage
	ExpectedClose kernel.Date         `json:"expected_close"`        //
	Products      []ProductID         `json:"products,omitempty"`    // of interest; at most 100
	Source        string              `json:"source,omitempty"`      // at most 50
	OwnerID       kernel.UserID       `json:"owner_id"`              // an active member; the actor when empty
	LostReason    string              `json:"lost_reason,omitempty"` // at most 500
	ClosedAt      time.Time           `json:"closed_at,omitzero"`    // when it was won or lost
	Remarks       string              `json:"remarks,omitempty"`     // at most 10,000, of several lines
	Version       int64               `json:"version"`               //
	CreatedAt     time.Time           `json:"created_at"`            //
	CreatedBy     kernel.UserID       `json:"created_by"`            //
	UpdatedAt     time.Time           `json:"updated_at"`            //
	UpdatedBy     kernel.UserID       `json:"updated_by"`            //
	DeletedAt     time.Time           `json:"deleted_at,omitzero"`   //
	Masked        bool                `json:"masked,omitempty"`      // its customer lies in a pool, and a person reads it: it cannot be written so
}

// Ref names the opportunity in audit and events.
func (x *Opportunity) Ref() kernel.Ref { return kernel.Ref{Kind: OpportunityKind, ID: int64(x.ID)} }

const mostProducts = 100

func (x *Opportunity) check() error {
	err := kernel.FirstError(whole(x), kernel.CheckName("name", x.Name, 200), kernel.CheckPositive("amount", x.Amount), x.ExpectedClose.Check("expected_close"),
		kernel.CheckLine("source", x.Source, 50), kernel.CheckLine("owner_id", string(x.OwnerID), 200), kernel.CheckText("remarks", x.Remarks, 10_000))
	if err == nil && x.Currency != "" {
		_, err = calc.Currency(x.Currency).Digits()
	}
	if err == nil && x.Probability.Valid {
		err = checkPercent("probability", x.Probability.Decimal)
	}
	switch {
	case err != nil:
		return err
	case x.CustomerID <= 0:
		return kernel.Invalid("customer_id", kernel.Empty)
	case len(x.Products) > mostProducts:
		return kernel.Invalidf("products", kernel.TooMany, "at most %d", mostProducts)
	}
	return nil
}

var hundred = decimal.NewFromInt(100)

func checkPercent(field string, d decimal.Decimal) error {
	if err := kernel.CheckPositive(field, d); err != nil {
		return err
	}
	if d.Cmp(hundred) > 0 || !d.Equal(d.Truncate(2)) {
		return kernel.Invalidf(field, calc.ProbabilityRange, "0 to 100 percent, at most 2 decimals")
	}
	return nil
}

// Chance is the probability that counts, in percent: 100 of a won one, 0 of a lost one, else its own, else that of its
// stage (quote-to-cash.md §4).
func (x *Opportunity) Chance(s *Stage) decimal.Decimal {
	switch {
	case s.Kind == Won:
		return hundred
	case s.Kind == Lost:
		return decimal.Zero
	case x.Probability.Valid:
		return x.Probability.Decimal
	}
	return s.Probability
}

// missing is the first field that the stage requires and the opportunity lacks; empty when it has all.
func (x *Opportunity) missing(s *Stage) Field {
	for _, f := range s.Requires {
		has := false
		switch f {
		case NeedAmount:
			has = x.Amount.IsPositive()
		case NeedClose:
			has = x.ExpectedClose != ""
		case NeedContact:
			has = x.ContactID != 0
		case NeedProducts:
			has = len(x.Products) > 0
		}
		if !has {
			return f
		}
	}
	return ""
}

// StageMoved is a row of an opportunity's history: what it was when it came into a stage.
type StageMoved struct {
	ID            int64           `json:"id"`
	OpportunityID OpportunityID   `json:"opportunity_id"`
	From          StageID         `json:"from,omitempty"` // 0: it began here
	To            StageID         `json:"to"`
	Status        Status          `json:"status"`
	Amount        decimal.Decimal `json:"amount"`
	Currency      string          `json:"currency"`
	Probability   decimal.Decimal `json:"probability"` // the one that counted
	OwnerID       kernel.UserID   `json:"owner_id"`
	LostReason    string          `json:"lost_reason,omitempty"`
	Actor         kernel.UserID   `json:"actor"`
	At            time.Time       `json:"at"`
	Masked        bool            `json:"masked,omitempty"` // the customer lies in a pool, and a person reads it: the reason is hidden
}

// OpportunityFilter says which opportunities a list has: all conditions hold together; an empty one is no condition.
type OpportunityFilter struct {
	// Customer: all of one customer, whoever owns them, for those who may see the customer.
	Customer  customer.ID
	Owners    []kernel.UserID
	Pipelines []PipelineID
	Stages    []StageID
	Statuses  []Status
	CloseFrom kernel.Date // expected on this day or later
	CloseTo   kernel.Date // expected on this day or before
	Stagnant  bool        // open, and longer in its stage than the stage says
}
