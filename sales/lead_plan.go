package sales

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// MatchReason is why a customer looks like a lead.
type MatchReason string

// The reasons, the strongest first.
const (
	SameKey   MatchReason = "external_id"
	SamePhone MatchReason = "phone" // of a contact
	SameEmail MatchReason = "email" // of a contact
	SameName  MatchReason = "name"  // of the company, else of the lead
)

// Candidate is a customer that a lead may be the same as.
type Candidate struct {
	// Customer is 0 when the actor may not change that customer: that there is one, is no secret to whoever would make a second.
	Customer customer.ID        `json:"customer,omitempty"`
	Contact  customer.ContactID `json:"contact,omitempty"` // who has the phone or e-mail
	Reasons  []MatchReason      `json:"reasons"`           // the strongest first
}

// Conversion is what a conversion does about the customer.
type Conversion string

// The ways.
const (
	NewCustomer Conversion = "new"
	Existing    Conversion = "existing"
	Refuse      Conversion = "refuse" // ConversionPlan.Why says why; Convert does nothing
)

// The reasons of a plan that refuses, and of the refusal of Convert.
const (
	// NotReachable is that all customers that look like the lead are out of the actor's reach.
	NotReachable kernel.Reason = "not_reachable"
	// NotOwned is that the lead lies in its pool: claim it first.
	NotOwned kernel.Reason = "not_owned"
)

// ConversionPlan says what becomes of a lead. It is a value: a host shows it, changes Do, Customer, Contact, Opportunity and
// the rest, keeps it, and applies it with Leads.Convert.
type ConversionPlan struct {
	Lead    LeadID        `json:"lead"`
	Version int64         `json:"version"` // of the lead that was planned for: Convert refuses another (reason Stale)
	Do      Conversion    `json:"do"`
	Why     kernel.Reason `json:"why,omitempty"` // of Refuse
	// Customer is the one that the lead joins; 0 with NewCustomer.
	Customer customer.ID `json:"customer,omitempty"`
	// Contact is the customer's contact that the lead is; 0 makes one.
	Contact    customer.ContactID `json:"contact,omitempty"`
	Candidates []Candidate        `json:"candidates,omitempty"` // all that look like the lead, the most reasons first
	// Opportunity, if not nil, is opened for the customer: CustomerID and ContactID are filled in, and so are an empty Name,
	// OwnerID and Source, from the lead.
	Opportunity *Opportunity `json:"opportunity,omitempty"`
	// OpportunityID is one of the customer's that the lead leads to instead; 0: none.
	OpportunityID OpportunityID `json:"opportunity_id,omitempty"`
}

// Converted is what a lead has become: the same whenever and by whomever it is asked again.
type Converted struct {
	Lead        LeadID             `json:"lead"`
	Customer    customer.ID        `json:"customer"`
	Contact     customer.ContactID `json:"contact"`
	Opportunity OpportunityID      `json:"opportunity,omitempty"`
	At          time.Time          `json:"at"`
}

func (x *Lead) converted() Converted {
	return Converted{x.ID, x.CustomerID, x.ContactID, x.OpportunityID, x.ClosedAt}
}

// mostMatches bounds the customers that a plan names.
const mostMatches = 50

// PlanConversion tells what Convert would do with a lead now, and writes nothing. A customer with its host key, its phone or
// e-mail (as a contact's), or its name is the one that it joins: of several that the actor may change, the one with the
// strongest and most reasons, then the oldest. If there are such, but none that the actor may change, the plan refuses
// (NotReachable); a host may still say NewCustomer. Else a customer is made. A blacklisted customer is a candidate and never
// chosen. Refused: LeadClosed for an invalid lead; of one that is converted the plan is what was done.
func (s *Leads) PlanConversion(ctx context.Context, a kernel.Actor, id LeadID) (ConversionPlan, error) {
	const op = "sales.Leads.PlanConversion"
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerUpdate, func(ctx context.Context, c *kernel.Call[Tx]) (ConversionPlan, error) {
		x, err := only(c.Tx.Leads().Get(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return ConversionPlan{}, err
		}
		p := ConversionPlan{Lead: x.ID, Version: x.Version, Do: NewCustomer}
		switch {
		case x.Status == LeadConverted:
			p.Do, p.Customer, p.Contact, p.OpportunityID = Existing, x.CustomerID, x.ContactID, x.OpportunityID
			return p, nil
		case !x.Living():
			return p, closed(x)
		case x.OwnerID == "":
			p.Do, p.Why = Refuse, NotOwned
			return p, nil
		}
		found, err := c.Tx.Leads().Matches(ctx, a.Tenant, x, mostMatches)
		if err != nil {
			return p, err
		}
		p.choose(found, c.Scope)
		return p, nil
	})
}

// choose fills in the candidates, and what follows from them.
func (p *ConversionPlan) choose(found []Match, reach kernel.Scope) {
	byCustomer := map[customer.ID]*Candidate{}
	blocked := map[customer.ID]bool{}
	var order []customer.ID
	for _, m := range found {
		x := byCustomer[m.Customer]
		if x == nil {
			x = &Candidate{Customer: m.Customer}
			byCustomer[m.Customer], order = x, append(order, m.Customer)
		}
		if !slices.Contains(x.Reasons, m.Reason) {
			x.Reasons = append(x.Reasons, m.Reason)
		}
		if x.Contact == 0 {
			x.Contact = m.Contact
		}
		if m.Blacklist || !reach.Sees(m.Owner, m.Region, int64(m.Pool)) {
			blocked[m.Customer] = true
		}
		if !reach.Sees(m.Owner, m.Region, int64(m.Pool)) {
			x.Customer, x.Contact = 0, 0
		}
	}
	for _, x := range byCustomer {
		slices.SortFunc(x.Reasons, func(a, b MatchReason) int { return strength(a) - strength(b) })
	}
	slices.SortStableFunc(order, func(a, b customer.ID) int { return weigh(byCustomer[a], byCustomer[b], a < b) })
	for _, id := range order {
		if p.Candidates = append(p.Candidates, *byCustomer[id]); !blocked[id] && p.Customer == 0 {
			p.Do, p.Customer, p.Contact = Existing, id, byCustomer[id].Contact
		}
	}
	if len(order) > 0 && p.Customer == 0 {
		p.Do, p.Why = Refuse, NotReachable
	}
}

func strength(r MatchReason) int {
	return slices.Index([]MatchReason{SameKey, SamePhone, SameEmail, SameName}, r)
}

// weigh puts the candidate with the strongest reason first, then the one with the most, then the older one.
func weigh(a, b *Candidate, older bool) int {
	if by := strength(a.Reasons[0]) - strength(b.Reasons[0]); by != 0 {
		return by
	}
	if by := len(b.Reasons) - len(a.Reasons); by != 0 {
		return by
	}
	if older {
		return -1
	}
	return 1
}

// openByTime opens a page of a list in the order of time and id.
func openByTime(p kernel.Page, list string) (kernel.Window, error) {
	w, err := p.Open(list, 2)
	if err == nil && len(w.After) > 0 && kernel.CheckInstant("after", time.UnixMicro(w.After[0]).UTC()) != nil {
		err = kernel.Invalid("after", kernel.Malformed)
	}
	return w, err
}
