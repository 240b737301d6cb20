package sales

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// LeadID is a lead's number. No customer has the same.
type LeadID int64

// LeadKind is how references, logs, counters and pools name leads.
const LeadKind = "lead"

// LeadStatus is how far a lead has come. Rules call it the stage.
type LeadStatus string

// The statuses. A lead is living while it is new or followed; the others are out of pools, rules and counts.
const (
	LeadNew       LeadStatus = "new"       // at capture
	LeadFollowing LeadStatus = "following" // with the first follow-up
	LeadConverted LeadStatus = "converted" // it has become a customer, and never changes again
	LeadInvalid   LeadStatus = "invalid"   // nothing will come of it: Reopen brings it back
)

// Lead is somebody who might become a customer: the union of the lead tables of the seeds (mission.md, S1). Phone, e-mail
// and host key are each unique among a tenant's living leads, in their normal forms ([customer.PhoneKey],
// [customer.EmailKey]). Lengths are in characters.
type Lead struct {
	ID                 LeadID              `json:"id"`
	Name               string              `json:"name"`                       // at most 100, never empty: a person, or a company
	Type               customer.Type       `json:"type"`                       // what it would become; Enterprise when empty
	Company            string              `json:"company,omitempty"`          // at most 200
	Title              string              `json:"title,omitempty"`            // at most 50: the person's position
	Phone              string              `json:"phone,omitempty"`            // at most 30
	Email              string              `json:"email,omitempty"`            // at most 254
	Wechat             string              `json:"wechat,omitempty"`           // at most 50
	Source             string              `json:"source,omitempty"`           // at most 50: website, exhibition, referral, …
	ProductInterest    string              `json:"product_interest,omitempty"` // at most 200
	Intent             int                 `json:"intent,omitempty"`           // 1 low, 2 middle, 3 high; 0: not known
	Status             LeadStatus          `json:"status"`                     // by use cases of its own
	InvalidReason      string              `json:"invalid_reason,omitempty"`   // at most 500
	Level              customer.Level      `json:"level,omitempty"`            // its grade, which the customer takes over
	Industry           string              `json:"industry,omitempty"`         // at most 50
	Region             string              `json:"region,omitempty"`           // division code (GB/T 2260), 2 to 12 digits
	Province           string              `json:"province,omitempty"`         // at most 50, and so are City and District
	City               string              `json:"city,omitempty"`             //
	District           string              `json:"district,omitempty"`         //
	AnnualPotential    decimal.NullDecimal `json:"annual_potential"`           // in the tenant's currency, 0 ≤ x < 10^14, 4 decimals
	Brand              string              `json:"brand,omitempty"`            // at most 32
	Remarks            string              `json:"remarks,omitempty"`          // at most 10,000, of several lines
	ExternalSystem     string              `json:"external_system,omitempty"`  // at most 50: the host's system …
	ExternalID         string              `json:"external_id,omitempty"`      // at most 100: … and its key there
	customer.Ownership                     // changes through the pool only
	Interactions       int64               `json:"interactions"`                 // of any kind; a conversion moves them away
	LastInteractionAt  time.Time           `json:"last_interaction_at,omitzero"` //
	CustomerID         customer.ID         `json:"customer_id,omitempty"`        // what a converted one has become …
	ContactID          customer.ContactID  `json:"contact_id,omitempty"`         //
	OpportunityID      OpportunityID       `json:"opportunity_id,omitempty"`     // … 0: no opportunity was opened
	ClosedAt           time.Time           `json:"closed_at,omitzero"`           // when it was converted or found invalid
	Version            int64               `json:"version"`                      // rises with the row's own changes; Update names it
	Seq                int64               `json:"seq"`                          // rises with every event of the lead
	CreatedAt          time.Time           `json:"created_at"`                   //
	CreatedBy          kernel.UserID       `json:"created_by"`                   //
	UpdatedAt          time.Time           `json:"updated_at"`                   //
	UpdatedBy          kernel.UserID       `json:"updated_by"`                   //
	Masked             bool                `json:"masked,omitempty"`             // it lies in a pool and was read by a person: it cannot be written so
}

// Ref names the lead in logs, audit and events.
func (x *Lead) Ref() kernel.Ref { return kernel.Ref{Kind: LeadKind, ID: int64(x.ID)} }

// Living tells whether the lead is new or followed.
func (x *Lead) Living() bool { return x.ClosedAt.IsZero() }

// takesPlace tells whether it takes a place under its owner's cap of leads.
func (x *Lead) takesPlace() bool { return x.OwnerID != "" && x.Living() }

// leadSecrets is what is masked while a lead lies in a pool (rules.md, While in the pool).
var leadSecrets = []struct {
	name string
	mask func(string) string
	at   func(*Lead) *string
}{
	{"phone", customer.MaskPhone, func(x *Lead) *string { return &x.Phone }},
	{"email", customer.MaskEmail, func(x *Lead) *string { return &x.Email }},
	{"wechat", customer.MaskName, func(x *Lead) *string { return &x.Wechat }},
	{"remarks", customer.MaskText, func(x *Lead) *string { return &x.Remarks }},
	{"lock_reason", customer.MaskText, func(x *Lead) *string { return &x.LockReason }},
	{"invalid_reason", customer.MaskText, func(x *Lead) *string { return &x.InvalidReason }},
}

// Mask hides phone, e-mail, WeChat id, remarks and reasons.
func (x *Lead) Mask() {
	for _, s := range leadSecrets {
		at := s.at(x)
		*at = s.mask(*at)
	}
	x.Masked = true
}

// veiled masks those of the leads that lie in a pool, for every person.
func veiled(c *kernel.Call[Tx], found []*Lead) []*Lead {
	for _, x := range found {
		if x.OwnerID == "" && !c.Rights.System {
			x.Mask()
		}
	}
	return found
}

// check refuses what can never be written, and fills in the defaults.
func (x *Lead) check() error {
	if x.Type == "" {
		x.Type = customer.Enterprise
	}
	if x.Masked {
		return kernel.Invalidf("masked", customer.Masked, "a masked record cannot be written: open it first")
	}
	if x.Intent < 0 || x.Intent > 3 {
		return kernel.Invalidf("intent", kernel.OutOfRange, "1 to 3, or 0 when it is not known")
	}
	return kernel.FirstError(
		kernel.CheckName("name", x.Name, 100), kernel.OneOf("type", x.Type, customer.Enterprise, customer.Individual),
		emptyOrName("company", x.Company, 200), kernel.CheckLine("title", x.Title, 50),
		checkKeyed("phone", x.Phone, 30, customer.PhoneKey), checkKeyed("email", x.Email, 254, customer.EmailKey),
		kernel.CheckLine("wechat", x.Wechat, 50), kernel.CheckLine("source", x.Source, 50),
		kernel.CheckLine("product_interest", x.ProductInterest, 200),
		kernel.OneOf("level", x.Level, customer.LevelA, customer.LevelB, customer.LevelC, customer.LevelD),
		kernel.CheckLine("industry", x.Industry, 50), kernel.CheckRegion("region", x.Region),
		kernel.CheckLine("province", x.Province, 50), kernel.CheckLine("city", x.City, 50), kernel.CheckLine("district", x.District, 50),
		kernel.CheckPositive("annual_potential", x.AnnualPotential.Decimal),
		kernel.CheckLine("brand", x.Brand, 32), kernel.CheckText("remarks", x.Remarks, 10_000), checkHostKey(x.ExternalSystem, x.ExternalID),
		kernel.CheckLine("owner_id", string(x.OwnerID), 200),
	)
}

func emptyOrName(field, s string, limit int) error {
	if s == "" {
		return nil
	}
	return kernel.CheckName(field, s, limit)
}

// checkKeyed refuses what could never be found again by its key, and masked forms.
func checkKeyed(field, s string, limit int, key func(string) string) error {
	if err := kernel.CheckLine(field, s, limit); err != nil || s == "" {
		return err
	}
	if strings.Contains(s, customer.Mark) {
		return kernel.Invalidf(field, customer.Masked, "this is a masked form")
	}
	if key(s) == "" {
		return kernel.Invalidf(field, kernel.Malformed, "%.60q has no normal form", s)
	}
	return nil
}

func checkHostKey(system, id string) error {
	if (system == "") != (id == "") {
		return kernel.Invalidf("external_id", kernel.Empty, "the external system and the id there go together")
	}
	return kernel.FirstError(emptyOrName("external_system", system, 50), emptyOrName("external_id", id, 100))
}

// draft is what of x a capture takes over, checked.
func (x *Lead) draft() (*Lead, error) {
	d := *x
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Status != "" && d.Status != LeadNew {
		return nil, kernel.Invalidf("status", kernel.ReadOnly, "a lead begins as %s", LeadNew)
	}
	d.ID, d.Status, d.InvalidReason = 0, LeadNew, ""
	d.Ownership = customer.Ownership{OwnerID: d.OwnerID, PoolID: d.PoolID}
	d.Interactions, d.LastInteractionAt, d.ClosedAt = 0, time.Time{}, time.Time{}
	d.CustomerID, d.ContactID, d.OpportunityID = 0, 0, 0
	return &d, nil
}

// edited is the lead with the host's changes, or why they are not accepted.
func (x *Lead) edited(given Lead) (*Lead, error) {
	if given.Version != x.Version {
		return nil, kernel.StaleVersion(given.Version, x.Version)
	}
	if err := kernel.FirstError(
		sameAs("owner_id", given.OwnerID, x.OwnerID), sameAs("pool_id", given.PoolID, x.PoolID),
		sameAs("status", given.Status, x.Status), sameAs("invalid_reason", given.InvalidReason, x.InvalidReason),
		sameAs("customer_id", given.CustomerID, x.CustomerID),
	); err != nil {
		return nil, err
	}
	for _, s := range leadSecrets {
		is, sent := *s.at(x), *s.at(&given)
		if is != "" && sent != is && sent == s.mask(is) {
			return nil, kernel.Invalidf(s.name, customer.Masked, "this is its masked form: open it first, or leave the field as it is stored")
		}
	}
	next := given
	next.ID, next.Ownership, next.Seq = x.ID, x.Ownership, x.Seq
	next.Interactions, next.LastInteractionAt, next.ClosedAt = x.Interactions, x.LastInteractionAt, x.ClosedAt
	next.ContactID, next.OpportunityID = x.ContactID, x.OpportunityID
	next.CreatedAt, next.CreatedBy, next.UpdatedAt, next.UpdatedBy = x.CreatedAt, x.CreatedBy, x.UpdatedAt, x.UpdatedBy
	return &next, nil
}

func sameAs[T comparable](field string, given, is T) error {
	if given != is {
		return kernel.Invalidf(field, kernel.ReadOnly, "it changes through a use case of its own")
	}
	return nil
}

// Captured is what became of one lead of a call that takes many, in the order of the leads.
type Captured struct {
	// ID is the new lead; of a duplicate, the living lead that has its phone, e-mail or host key, if the actor may see that.
	ID  LeadID        `json:"id,omitempty"`
	Did customer.Did  `json:"did"` // WasCreated or WasRefused
	Err *kernel.Error `json:"err,omitempty"`
}

// LeadFilter says which leads a list has: all conditions hold together; an empty one is no condition.
type LeadFilter struct {
	Owners      []kernel.UserID // one of these has it
	InPool      bool            // nobody has it
	Pools       []customer.PoolID
	Statuses    []LeadStatus // none: the living ones
	Sources     []string
	Intents     []int
	Levels      []customer.Level
	Industries  []string
	Regions     []string // its region code starts with one of these
	TagsAny     []string // it has one of these tags
	Customer    customer.ID
	CreatedFrom time.Time // at or after
	CreatedTo   time.Time // before
}

func (f LeadFilter) check() error {
	err := kernel.FirstError(checkOwners(f.Owners), checkCount("pools", len(f.Pools)), checkCount("statuses", len(f.Statuses)),
		checkCount("sources", len(f.Sources)), checkCount("intents", len(f.Intents)), checkCount("levels", len(f.Levels)),
		checkCount("industries", len(f.Industries)), checkCount("regions", len(f.Regions)), checkCount("tags_any", len(f.TagsAny)),
		kernel.CheckInstant("created_from", f.CreatedFrom), kernel.CheckInstant("created_to", f.CreatedTo))
	for _, s := range f.Statuses {
		err = kernel.FirstError(err, kernel.OneOf("statuses", s, LeadNew, LeadFollowing, LeadConverted, LeadInvalid))
	}
	for _, l := range f.Levels {
		err = kernel.FirstError(err, kernel.OneOf("levels", l, customer.LevelA, customer.LevelB, customer.LevelC, customer.LevelD))
	}
	for _, r := range f.Regions {
		err = kernel.FirstError(err, kernel.CheckRegion("regions", r))
	}
	for field, list := range map[string][]string{"sources": f.Sources, "industries": f.Industries, "tags_any": f.TagsAny} {
		for _, s := range list {
			err = kernel.FirstError(err, kernel.CheckLine(field, s, 200))
		}
	}
	return err
}

// FollowUp is something that happened between the company and a lead: an interaction that has a lead in a customer's place
// until the conversion moves it, with its id, to the customer. CustomerID and ContactID are 0 until then.
type FollowUp struct {
	LeadID LeadID `json:"lead_id"`
	customer.Interaction
}
