package customer

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// ID is a customer's number, unique in the database and below 2^53.
type ID int64

// PoolID is the number of a public pool; package pool calls it pool.ID.
type PoolID int64

// Kind is how references, logs and counters name customers.
const Kind = "customer"

// Ownership says who has a record and which pool it lies in when nobody has it. Leads embed it too.
type Ownership struct {
	OwnerID         kernel.UserID `json:"owner_id"` // empty exactly when OwnedSince is zero: the record lies in its pool
	OwnedSince      time.Time     `json:"owned_since,omitzero"`
	PoolID          PoolID        `json:"pool_id"`                  // the home pool, never 0 once written
	PoolEnteredAt   time.Time     `json:"pool_entered_at,omitzero"` // zero for a record that nobody has released yet
	LastOwner       kernel.UserID `json:"last_owner,omitempty"`     // who had it before it entered the pool
	FirstFollowupAt time.Time     `json:"first_followup_at,omitzero"`
	LastFollowupAt  time.Time     `json:"last_followup_at,omitzero"` // both belong to the present ownership, or the last one
	LockUntil       time.Time     `json:"lock_until,omitzero"`       // its owner keeps it from the rules until then; may have passed
	LockReason      string        `json:"lock_reason,omitempty"`
}

// IsLocked tells whether its owner has locked it, and the lock has not run out: at LockUntil it has.
func (o Ownership) IsLocked(now time.Time) bool { return now.Before(o.LockUntil) }

// FollowupFrom is the instant that "no follow-up for N days" counts from: the last follow-up of this ownership, or its start.
func (o Ownership) FollowupFrom() time.Time {
	if o.LastFollowupAt.IsZero() {
		return o.OwnedSince
	}
	return o.LastFollowupAt
}

// Type tells companies from persons.
type Type string

// The types. The default is Enterprise.
const (
	Enterprise Type = "enterprise"
	Individual Type = "individual"
)

// Level is the grade of a customer, A best. Empty is not graded yet.
type Level string

// The levels (rules.md, Grade).
const (
	LevelA Level = "A"
	LevelB Level = "B"
	LevelC Level = "C"
	LevelD Level = "D"
)

// Standing is whether business is done with a customer.
type Standing string

// The standings. Blacklisted changes through Service.Blacklist and Service.Unblacklist only.
const (
	Active      Standing = "active"
	Inactive    Standing = "inactive"
	Blacklisted Standing = "blacklist"
)

// Stage is where a customer stands in its life cycle. A won customer takes no place under its owner's cap.
type Stage string

// The stages (rules.md, Stage and places).
const (
	Potential Stage = "potential" // at creation
	Won       Stage = "won"       // with the first order or signed contract, or by hand
	Lost      Stage = "lost"      // by hand, with a reason; a lost customer that buys is won again
)

// Size is the size of a company.
type Size string

// The sizes.
const (
	Small  Size = "small"
	Medium Size = "medium"
	Large  Size = "large"
)

// CreditRating is how well a customer pays; payment terms follow from it (rules.md, Orders and credit).
type CreditRating string

// The credit ratings, best first.
const (
	CreditAAA CreditRating = "AAA"
	CreditAA  CreditRating = "AA"
	CreditA   CreditRating = "A"
	CreditBBB CreditRating = "BBB"
	CreditBB  CreditRating = "BB"
	CreditB   CreditRating = "B"
	CreditC   CreditRating = "C"
)

// Customer is a company or person that business is done with: the union of the customer tables of the five seeds
// (mission.md, C1). Lengths are in characters.
type Customer struct {
	ID              ID                  `json:"id"`
	Code            string              `json:"code"`                       // at most 32, unique in the tenant; made from the id when empty
	Name            string              `json:"name"`                       // at most 200, never empty
	Type            Type                `json:"type"`                       // Enterprise when empty
	Level           Level               `json:"level,omitempty"`            //
	Standing        Standing            `json:"standing"`                   // Active when empty
	BlacklistReason string              `json:"blacklist_reason,omitempty"` //
	Stage           Stage               `json:"stage"`                      // Potential when empty
	LostReason      string              `json:"lost_reason,omitempty"`      //
	Industry        string              `json:"industry,omitempty"`         // at most 50: a word, or a GB/T 4754 code such as C35
	Size            Size                `json:"size,omitempty"`             //
	AnnualRevenue   decimal.NullDecimal `json:"annual_revenue"`             // in the tenant's currency, 0 ≤ x < 10^14, 4 decimals
	AnnualPotential decimal.NullDecimal `json:"annual_potential"`           // what it might buy in a year; likewise
	CreditRating    CreditRating        `json:"credit_rating,omitempty"`    //
	Source          string              `json:"source,omitempty"`           // at most 50: website, referral, event, …
	ReferredBy      ID                  `json:"referred_by,omitempty"`      // the customer that brought this one
	Region          string              `json:"region,omitempty"`           // division code (GB/T 2260), 2 to 12 digits
	Province        string              `json:"province,omitempty"`         // at most 50, and so are City and District
	City            string              `json:"city,omitempty"`             //
	District        string              `json:"district,omitempty"`         //
	AcquiredOn      kernel.Date         `json:"acquired_on,omitempty"`      //
	ServiceAgent    kernel.UserID       `json:"service_agent,omitempty"`    // a member
	SourceLead      int64               `json:"source_lead,omitempty"`      // the lead it was converted from
	Brand           string              `json:"brand,omitempty"`            // at most 32: the brand within the tenant
	Remarks         string              `json:"remarks,omitempty"`          // at most 10,000, of several lines
	ExternalSystem  string              `json:"external_system,omitempty"`  // at most 50: the host's system …
	ExternalID      string              `json:"external_id,omitempty"`      // at most 100: … and its key there, unique together in the tenant
	Ownership                           // changes through the pool only
	Version         int64               `json:"version"`             // rises with the row's own changes; Update names it
	Seq             int64               `json:"seq"`                 // rises with every event of the customer and its children
	CreatedAt       time.Time           `json:"created_at"`          //
	CreatedBy       kernel.UserID       `json:"created_by"`          //
	UpdatedAt       time.Time           `json:"updated_at"`          //
	UpdatedBy       kernel.UserID       `json:"updated_by"`          //
	DeletedAt       time.Time           `json:"deleted_at,omitzero"` //
	Masked          bool                `json:"masked,omitempty"`    // it lies in a pool and was read by a person, see Mask: it cannot be written so
}

// Ref names the customer in logs, audit and events.
func (c *Customer) Ref() kernel.Ref { return kernel.Ref{Kind: Kind, ID: int64(c.ID)} }

// TakesPlace tells whether the customer takes a place under its owner's cap: owned, not deleted, not won
// (rules.md, Stage and places).
func (c *Customer) TakesPlace() bool {
	return c.OwnerID != "" && c.DeletedAt.IsZero() && c.Stage != Won
}

// places is how many places it takes.
func (c *Customer) places() int {
	if c.TakesPlace() {
		return 1
	}
	return 0
}

// Facts are what rules, grades, tiers and audiences read of a customer: one row per customer, kept in the transaction of
// whatever changes them. Counts are never negative.
type Facts struct {
	CustomerID        ID        `json:"customer_id"`
	Interactions      int64     `json:"interactions"` // of any kind, deleted ones aside
	LastInteractionAt time.Time `json:"last_interaction_at,omitzero"`
	Orders            int64     `json:"orders"` // not cancelled
	FirstOrderAt      time.Time `json:"first_order_at,omitzero"`
	LastOrderAt       time.Time `json:"last_order_at,omitzero"` // not cancelled
	OpenOpportunities int64     `json:"open_opportunities"`
	ActiveContracts   int64     `json:"active_contracts"`
	OpenCases         int64     `json:"open_cases"`
	Complaints        int64     `json:"complaints"`
}

// Filter says which customers a list has: all conditions hold together; an empty one is no condition.
type Filter struct {
	Owners      []kernel.UserID // one of these has it
	InPool      bool            // nobody has it
	Pools       []PoolID        // its home pool is one of these
	Levels      []Level
	Standings   []Standing
	Stages      []Stage
	Types       []Type
	Industries  []string
	Sources     []string
	Brands      []string
	Regions     []string // its region code starts with one of these
	TagsAny     []string // it has one of these tags
	TagsAll     []string // it has all of these tags
	Agents      []kernel.UserID
	CreatedFrom time.Time // at or after
	CreatedTo   time.Time // before
	Deleted     bool      // the deleted ones instead of the others
	Newest      bool      // newest first; otherwise in the order they were made
}

// Counter is the member's row of numbers that claims and everything else that gives a customer to a member locks.
type Counter struct {
	User       kernel.UserID
	Places     int // customers that take a place now
	Cap        int // the member's own cap, else the tenant's
	DailyQuota int // claims a day: the member's own, else the tenant's
	ClaimsDay  kernel.Date
	ClaimsUsed int // on ClaimsDay, over all pools
	OpenLimit  int // records in a pool that it may open a day: the member's own, else the tenant's
	OpensDay   kernel.Date
	OpensUsed  int       // on OpensDay, over all pools
	AssignedAt time.Time // when the member last got one by a territory; zero: never
	// Closed is set while the member is inactive. Whoever gives it something locks this row; so of a gift and a deactivation
	// at once, either the deactivation waits for the gift, or the gift finds the row closed.
	Closed bool
}

// Free is how many more places the member has: none when it is closed, and never negative, though a cap can be lowered below
// the places in use.
func (c Counter) Free() int {
	if c.Closed {
		return 0
	}
	return max(0, c.Cap-c.Places)
}

// seats tells whether the member may get the customer.
func (c Counter) seats(x *Customer) bool { return !c.Closed && (!x.TakesPlace() || c.Free() > 0) }
