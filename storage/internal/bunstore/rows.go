package bunstore

import (
	"time"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// Rows embed the domain's structs plainly and shadow, by column name, what the engines keep differently: every time and
// amount, and text that is NULL when empty. A test walks models and fails on a time or decimal that is not shadowed.

// models is every row type.
var models = []any{
	(*tenantRow)(nil), (*memberRow)(nil), (*departmentRow)(nil), (*roleRow)(nil), (*calendarRow)(nil), (*poolRow)(nil), (*poolMemberRow)(nil),
	(*ruleRow)(nil), (*territoryRow)(nil), (*reasonRow)(nil), (*customerRow)(nil), (*factsRow)(nil), (*contactRow)(nil), (*addressRow)(nil), (*tagRow)(nil),
	(*customerTagRow)(nil), (*interactionRow)(nil), (*taskRow)(nil), (*orderRow)(nil), (*operationRow)(nil), (*auditRow)(nil), (*eventRow)(nil), (*dueRow)(nil),
	(*categoryRow)(nil), (*productRow)(nil), (*priceListRow)(nil), (*priceRow)(nil), (*pipelineRow)(nil), (*stageRow)(nil),
	(*opportunityRow)(nil), (*stageMovedRow)(nil), (*quoteRow)(nil), (*quoteLineRow)(nil),
	(*contractRow)(nil), (*contractLineRow)(nil), (*planRow)(nil),
	(*paymentRow)(nil), (*allocationRow)(nil), (*invoiceRow)(nil), (*invoiceRateRow)(nil),
	(*leadRow)(nil), (*followUpRow)(nil), (*leadTagRow)(nil),
}

// ownershipCols shadows customer.Ownership in every row that embeds an aggregate with an owner. Among embedded columns of
// one name the tagged one wins, hence the tags.
type ownershipCols struct {
	OwnerID         nullText        `bun:"owner_id"`
	OwnedSince      moment          `bun:"owned_since"`
	PoolID          customer.PoolID `bun:"pool_id"`
	PoolEnteredAt   moment          `bun:"pool_entered_at"`
	LastOwner       nullText        `bun:"last_owner"`
	FirstFollowupAt moment          `bun:"first_followup_at"`
	LastFollowupAt  moment          `bun:"last_followup_at"`
	LockUntil       moment          `bun:"lock_until"`
	LockReason      string          `bun:"lock_reason"`
}

func ownershipOf(o customer.Ownership) ownershipCols {
	return ownershipCols{
		nullText(o.OwnerID), moment(o.OwnedSince), o.PoolID, moment(o.PoolEnteredAt), nullText(o.LastOwner),
		moment(o.FirstFollowupAt), moment(o.LastFollowupAt), moment(o.LockUntil), o.LockReason,
	}
}

func (c ownershipCols) domain() customer.Ownership {
	return customer.Ownership{
		OwnerID: kernel.UserID(c.OwnerID), OwnedSince: time.Time(c.OwnedSince), PoolID: c.PoolID,
		PoolEnteredAt: time.Time(c.PoolEnteredAt), LastOwner: kernel.UserID(c.LastOwner),
		FirstFollowupAt: time.Time(c.FirstFollowupAt), LastFollowupAt: time.Time(c.LastFollowupAt),
		LockUntil: time.Time(c.LockUntil), LockReason: c.LockReason,
	}
}

type customerRow struct {
	bun.BaseModel `bun:"table:crm_customers,alias:t"`
	TenantID      int64
	customer.Customer
	ownershipCols
	Masked          bool `bun:",scanonly"` // no column: the owner tells
	Level           nullText
	Industry        nullText
	AnnualRevenue   amount
	AnnualPotential amount
	Source          nullText
	Region          nullText
	ServiceAgent    nullText
	ExternalSystem  nullText
	ExternalID      nullText
	CreatedAt       moment
	UpdatedAt       moment
	DeletedAt       moment
}

func customerRowOf(tenant int64, c *customer.Customer) customerRow {
	return customerRow{
		TenantID: tenant, Customer: *c, ownershipCols: ownershipOf(c.Ownership), Level: nullText(c.Level), Industry: nullText(c.Industry),
		AnnualRevenue: amount(c.AnnualRevenue), AnnualPotential: amount(c.AnnualPotential), Source: nullText(c.Source),
		Region: nullText(c.Region), ServiceAgent: nullText(c.ServiceAgent), ExternalSystem: nullText(c.ExternalSystem),
		ExternalID: nullText(c.ExternalID), CreatedAt: moment(c.CreatedAt), UpdatedAt: moment(c.UpdatedAt), DeletedAt: moment(c.DeletedAt),
	}
}

func (r *customerRow) domain() *customer.Customer {
	c := r.Customer
	c.Ownership = r.ownershipCols.domain()
	c.Level, c.Industry, c.Source = customer.Level(r.Level), string(r.Industry), string(r.Source)
	c.AnnualRevenue, c.AnnualPotential = decimal.NullDecimal(r.AnnualRevenue), decimal.NullDecimal(r.AnnualPotential)
	c.Region, c.ServiceAgent = string(r.Region), kernel.UserID(r.ServiceAgent)
	c.ExternalSystem, c.ExternalID = string(r.ExternalSystem), string(r.ExternalID)
	c.CreatedAt, c.UpdatedAt, c.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &c
}

type factsRow struct {
	bun.BaseModel `bun:"table:crm_customer_facts,alias:f"`
	TenantID      int64
	customer.Facts
	LastInteractionAt moment
	FirstOrderAt      moment
	LastOrderAt       moment
}

func factsRowOf(tenant int64, f customer.Facts) factsRow {
	return factsRow{
		TenantID: tenant, Facts: f, LastInteractionAt: moment(f.LastInteractionAt),
		FirstOrderAt: moment(f.FirstOrderAt), LastOrderAt: moment(f.LastOrderAt),
	}
}

func (r *factsRow) domain() customer.Facts {
	f := r.Facts
	f.LastInteractionAt, f.FirstOrderAt, f.LastOrderAt = time.Time(r.LastInteractionAt), time.Time(r.FirstOrderAt), time.Time(r.LastOrderAt)
	return f
}

type contactRow struct {
	bun.BaseModel `bun:"table:crm_contacts,alias:k"`
	TenantID      int64
	customer.Contact
	Masked      bool     `bun:",scanonly"` // no column: its customer tells, see inPool
	PhoneKey    nullText // what is unique and looked up
	EmailKey    nullText
	Preferences nullText
	CreatedAt   moment
	UpdatedAt   moment
	DeletedAt   moment
}

type addressRow struct {
	bun.BaseModel `bun:"table:crm_addresses,alias:a"`
	TenantID      int64
	customer.Address
	Masked    bool `bun:",scanonly"`
	CreatedAt moment
	UpdatedAt moment
	DeletedAt moment
}

type tagRow struct {
	bun.BaseModel `bun:"table:crm_tags,alias:g"`
	TenantID      int64
	customer.Tag
	CreatedAt moment
	UpdatedAt moment
	DeletedAt moment
}

type customerTagRow struct {
	bun.BaseModel `bun:"table:crm_customer_tags,alias:ct"`
	TenantID      int64
	CustomerID    customer.ID
	TagID         customer.TagID
}

type interactionRow struct {
	bun.BaseModel `bun:"table:crm_interactions,alias:i"`
	TenantID      int64
	customer.Interaction
	Masked       bool `bun:",scanonly"`
	At           moment
	NextActionAt moment
	NextDoneAt   moment
	Attachments  nullText
	CreatedAt    moment
	UpdatedAt    moment
	DeletedAt    moment
}

type taskRow struct {
	bun.BaseModel `bun:"table:crm_tasks,alias:j"`
	TenantID      int64
	customer.Task
	CustomerID nullID
	DueAt      moment
	ClosedAt   moment
	ClosedBy   nullText
	CreatedAt  moment
	UpdatedAt  moment
	Masked     bool `bun:",scanonly"` // no column: its customer tells
}

type tenantRow struct {
	bun.BaseModel `bun:"table:crm_tenants,alias:n"`
	Key           kernel.TenantID
	team.Tenant
	CreatedAt moment
}

type memberRow struct {
	bun.BaseModel `bun:"table:crm_members,alias:m"`
	TenantID      int64
	ID            team.MemberID
	UserID        kernel.UserID
	Name          string
	Role          team.RoleName
	MoreRoles     list[team.RoleName]
	DepartmentID  nullID
	Superior      nullText
	PhoneExt      string
	Regions       list[string]
	JoinedOn      kernel.Date
	InactiveSince moment
	LastSeenAt    moment
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

type departmentRow struct {
	bun.BaseModel `bun:"table:crm_departments,alias:d"`
	TenantID      int64
	ID            team.DepartmentID
	Key           nullText
	Name          string
	ParentID      nullID
	Head          nullText
	Sort          int
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

type roleRow struct {
	bun.BaseModel `bun:"table:crm_roles,alias:r"`
	TenantID      int64
	team.Role
	Permissions list[kernel.Permission]
	CreatedAt   moment
	UpdatedAt   moment
}

type calendarRow struct {
	bun.BaseModel `bun:"table:crm_calendars,alias:y"`
	TenantID      int64
	ID            team.CalendarID
	Name          string
	Spec          nullText
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

type poolRow struct {
	bun.BaseModel  `bun:"table:crm_pools,alias:p"`
	TenantID       int64
	ID             pool.ID
	Kind           pool.Kind
	Name           string
	Description    string
	Public         bool
	IsDefault      bool
	Priority       int
	Protection     int64 // microseconds
	CoolDown       int64 // microseconds
	ClaimCondition string
	Counting       pool.Counting
	CalendarID     nullID
	AssignNew      bool
	Version        int64
	CreatedAt      moment
	UpdatedAt      moment
}

type poolMemberRow struct {
	bun.BaseModel `bun:"table:crm_pool_members,alias:b"`
	TenantID      int64
	PoolID        pool.ID
	UserID        kernel.UserID
	DepartmentID  team.DepartmentID
	Admin         bool
}

type ruleRow struct {
	bun.BaseModel `bun:"table:crm_pool_rules,alias:u"`
	TenantID      int64
	pool.Rule
	CreatedAt moment
	UpdatedAt moment
}

type territoryRow struct {
	bun.BaseModel `bun:"table:crm_territories,alias:v"`
	TenantID      int64
	ID            pool.TerritoryID
	Kind          pool.Kind
	Name          string
	Regions       list[string]
	Industries    list[string]
	VIP           bool
	DepartmentID  nullID
	Members       list[kernel.UserID]
	Priority      int
	Enabled       bool
	Version       int64
	CreatedAt     moment
	UpdatedAt     moment
}

// operationRow has no id: the database numbers the log in the order in which it is written.
type operationRow struct {
	bun.BaseModel `bun:"table:crm_operations,alias:l"`
	TenantID      int64
	Kind          string
	RecordID      int64
	Action        customer.Action
	Actor         kernel.UserID
	FromOwner     nullText
	ToOwner       nullText
	PoolID        customer.PoolID
	Reason        string
	Note          string
	RuleID        int64
	Rule          string
	OverCap       bool
	Unlocked      bool
	Request       nullText
	At            moment
}

// stamp is what audit and event rows have in common.
type stamp struct {
	TenantID    int64
	SubjectKind string
	SubjectID   int64
	Kind        string
	RecordID    int64
	Type        string
	Actor       kernel.UserID
	Request     nullText
	At          moment
}

type auditRow struct {
	bun.BaseModel `bun:"table:crm_audit,alias:w"`
	stamp
	Reason nullText
	Before nullText
	After  nullText
}

type eventRow struct {
	bun.BaseModel `bun:"table:crm_outbox,alias:e"`
	stamp
	Seq  int64
	Data nullText
}
