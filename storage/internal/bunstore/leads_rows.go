package bunstore

import (
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
)

// leadRow keeps the status as the pool's statements call it: the stage. What they call deleted is a lead that was closed.
type leadRow struct {
	bun.BaseModel `bun:"table:crm_leads,alias:t"`
	TenantID      int64
	sales.Lead
	ownershipCols
	Masked            bool             `bun:",scanonly"` // no column: the owner tells
	Status            sales.LeadStatus `bun:",scanonly"`
	ClosedAt          moment           `bun:",scanonly"`
	Stage             sales.LeadStatus
	Standing          customer.Standing
	PhoneKey          nullText // what is unique and looked up
	EmailKey          nullText
	Source            nullText
	Level             nullText
	Industry          nullText
	Region            nullText
	AnnualPotential   amount
	ExternalSystem    nullText
	ExternalID        nullText
	LastInteractionAt moment
	CustomerID        nullID
	ContactID         nullID
	OpportunityID     nullID
	CreatedAt         moment
	UpdatedAt         moment
	DeletedAt         moment
}

func leadRowOf(tenant int64, x *sales.Lead) leadRow {
	return leadRow{
		TenantID: tenant, Lead: *x, ownershipCols: ownershipOf(x.Ownership), Stage: x.Status, Standing: customer.Active,
		PhoneKey: nullText(customer.PhoneKey(x.Phone)), EmailKey: nullText(customer.EmailKey(x.Email)), Source: nullText(x.Source),
		Level: nullText(x.Level), Industry: nullText(x.Industry), Region: nullText(x.Region), AnnualPotential: amount(x.AnnualPotential),
		ExternalSystem: nullText(x.ExternalSystem), ExternalID: nullText(x.ExternalID), LastInteractionAt: moment(x.LastInteractionAt),
		CustomerID: nullID(x.CustomerID), ContactID: nullID(x.ContactID), OpportunityID: nullID(x.OpportunityID),
		CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.ClosedAt),
	}
}

func (r *leadRow) domain() *sales.Lead {
	x := r.Lead
	x.Ownership, x.Status = r.ownershipCols.domain(), r.Stage
	x.Source, x.Level, x.Industry, x.Region = string(r.Source), customer.Level(r.Level), string(r.Industry), string(r.Region)
	x.AnnualPotential = decimal.NullDecimal(r.AnnualPotential)
	x.ExternalSystem, x.ExternalID, x.LastInteractionAt = string(r.ExternalSystem), string(r.ExternalID), time.Time(r.LastInteractionAt)
	x.CustomerID, x.ContactID, x.OpportunityID = customer.ID(r.CustomerID), customer.ContactID(r.ContactID), sales.OpportunityID(r.OpportunityID)
	x.CreatedAt, x.UpdatedAt, x.ClosedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &x
}

// followUpRow has the columns of an interaction, but for those that it gets with its customer.
type followUpRow struct {
	bun.BaseModel `bun:"table:crm_lead_interactions,alias:i"`
	TenantID      int64
	LeadID        sales.LeadID
	customer.Interaction
	CustomerID   customer.ID        `bun:",scanonly"`
	ContactID    customer.ContactID `bun:",scanonly"`
	DeletedAt    moment             `bun:",scanonly"`
	Masked       bool               `bun:",scanonly"`
	At           moment
	NextActionAt moment
	NextDoneAt   moment
	Attachments  nullText
	CreatedAt    moment
	UpdatedAt    moment
}

func followUpRowOf(tenant int64, x *sales.FollowUp) followUpRow {
	return followUpRow{
		TenantID: tenant, LeadID: x.LeadID, Interaction: x.Interaction, At: moment(x.At), NextActionAt: moment(x.NextActionAt),
		NextDoneAt: moment(x.NextDoneAt), Attachments: nullText(x.Attachments), CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt),
	}
}

func (r *followUpRow) domain() *sales.FollowUp {
	x := &sales.FollowUp{LeadID: r.LeadID, Interaction: r.Interaction}
	x.At, x.NextActionAt, x.NextDoneAt = time.Time(r.At), time.Time(r.NextActionAt), time.Time(r.NextDoneAt)
	x.Attachments, x.CreatedAt, x.UpdatedAt = asRaw(r.Attachments), time.Time(r.CreatedAt), time.Time(r.UpdatedAt)
	return x
}

type leadTagRow struct {
	bun.BaseModel `bun:"table:crm_lead_tags,alias:ct"`
	TenantID      int64
	LeadID        sales.LeadID
	TagID         customer.TagID
}
