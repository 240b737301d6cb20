package sales

import (
	"context"
	"errors"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Convert applies a plan in one transaction: it makes the customer or takes the one of the plan, makes or takes the contact,
// opens the opportunity or takes the one of the plan, moves the lead's follow-ups and tags to the customer, and closes the
// lead as converted. If anything of it fails, nothing of it is left. A new customer belongs to the lead's owner, whose cap of
// customers it needs a place under, as a claim does; the lead's own place is free then. Name, type, level, industry, region,
// potential, brand, source and remarks go along; source_lead names the lead.
//
// A lead that is converted already gives the first result, whatever the plan says and whoever asks: so of two at once the
// second one gets what the first one made.
//
// It needs customer.update over the lead and over the customer of the plan, customer.create for a new one, and
// opportunity.write for a new opportunity. Errors: conflict (Stale) when the lead has changed since it was planned for, or
// (Duplicate) with the customer's field, such as "external_id", or the contact's "phone"; not found for the lead,
// "customer_id" or "opportunity_id"; invalid with the field; refused: the plan's own Why, LeadClosed for an invalid lead,
// NotOwned, Blacklisted, customer.NoPlace at the cap, and those of Opportunities.Create.
func (s *Leads) Convert(ctx context.Context, a kernel.Actor, p ConversionPlan) (Converted, error) {
	const op = "sales.Leads.Convert"
	if err := p.check(); err != nil {
		return Converted{}, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, p, func(ctx context.Context, c *kernel.Call[Tx]) (Converted, error) {
		return s.convert(ctx, c, p)
	})
}

func (p *ConversionPlan) check() error {
	if err := kernel.OneOf("do", p.Do, NewCustomer, Existing, Refuse); err != nil {
		return err
	}
	switch {
	case p.Do == "":
		return kernel.Invalid("do", kernel.Empty)
	case p.Do == Existing && p.Customer <= 0:
		return kernel.Invalid("customer", kernel.Empty)
	case p.Do == NewCustomer && (p.Customer != 0 || p.Contact != 0 || p.OpportunityID != 0):
		return kernel.Invalidf("customer", kernel.Malformed, "a new customer has no contact and no opportunity yet")
	case p.Opportunity != nil && p.OpportunityID != 0:
		return kernel.Invalidf("opportunity_id", kernel.Malformed, "a new opportunity, or one that is there")
	case p.Opportunity == nil:
		return nil
	}
	probe := *p.Opportunity // what is only known later stands for itself
	probe.CustomerID = 1
	if probe.Name == "" {
		probe.Name = LeadKind
	}
	return probe.check()
}

func (s *Leads) convert(ctx context.Context, c *kernel.Call[Tx], p ConversionPlan) (Converted, error) {
	before, err := only(c.Tx.Leads().Get(ctx, c.Actor.Tenant, c.Scope, p.Lead))
	if err != nil {
		return Converted{}, err
	}
	if before.Status == LeadConverted {
		return before.converted(), nil
	}
	var of *customer.Customer
	if p.Do == Existing { // customers before leads, everywhere
		if of, err = lockCustomer(ctx, c, p.Customer); err != nil {
			return Converted{}, err
		}
	}
	x, err := only(c.Tx.Leads().Lock(ctx, c.Actor.Tenant, c.Scope, p.Lead))
	if err != nil {
		return Converted{}, err
	}
	if x.Status == LeadConverted {
		return x.converted(), nil
	}
	if err := mayConvert(x, of, p); err != nil {
		return Converted{}, err
	}
	return s.apply(ctx, c, x, of, p)
}

func mayConvert(x *Lead, of *customer.Customer, p ConversionPlan) error {
	switch {
	case !x.Living():
		return closed(x)
	case p.Version != x.Version:
		return kernel.StaleVersion(p.Version, x.Version)
	case x.OwnerID == "":
		return &kernel.Error{Code: kernel.ErrRefused, Field: "owner_id", Reason: NotOwned}
	case p.Do == Refuse:
		return &kernel.Error{Code: kernel.ErrRefused, Field: "do", Reason: p.Why, Err: errors.New("the plan refuses")}
	case of != nil && of.Standing == customer.Blacklisted:
		return &kernel.Error{Code: kernel.ErrRefused, Field: "customer_id", Reason: Blacklisted}
	}
	return nil
}

// apply does what the plan says with a locked lead.
func (s *Leads) apply(ctx context.Context, c *kernel.Call[Tx], x *Lead, of *customer.Customer, p ConversionPlan) (Converted, error) {
	var err error
	if of == nil {
		if p.Opportunity != nil { // members before counters, as who makes one inactive locks them; create refuses a wrong one
			if _, err := c.Tx.Opportunities().ActiveMember(ctx, c.Actor.Tenant, dealOwner(x, p)); err != nil {
				return Converted{}, err
			}
		}
		if of, err = s.newCustomer(ctx, c, x); err != nil {
			return Converted{}, err
		}
	}
	contact, err := s.contact(ctx, c, x, of, p)
	if err != nil {
		return Converted{}, err
	}
	deal, err := s.opportunity(ctx, c, x, of, contact, p)
	if err != nil {
		return Converted{}, err
	}
	moved, err := c.Tx.Leads().Move(ctx, c.Actor.Tenant, x.ID, of.ID, contact)
	if err != nil {
		return Converted{}, err
	}
	if err := s.customers.Adopt(ctx, asCustomers(c), of, moved); err != nil {
		return Converted{}, err
	}
	next := *x
	next.Status, next.ClosedAt, next.CustomerID, next.ContactID, next.OpportunityID = LeadConverted, c.Now, of.ID, contact, deal
	next.LockUntil, next.LockReason = time.Time{}, ""
	next.Interactions, next.LastInteractionAt = 0, time.Time{}
	if err := saveLead(ctx, c, "lead.converted", x, &next); err != nil {
		return Converted{}, err
	}
	return next.converted(), tellCustomer(ctx, c, of.ID, kernel.Change{
		Ref: x.Ref(), Type: "customer.converted", After: map[string]any{"lead": x.ID, "contact": contact, "opportunity": deal, "interactions": moved},
	})
}

// dealOwner is whose the new opportunity is.
func dealOwner(x *Lead, p ConversionPlan) kernel.UserID {
	if p.Opportunity.OwnerID != "" {
		return p.Opportunity.OwnerID
	}
	return x.OwnerID
}

// newCustomer makes the customer that a lead becomes.
func (s *Leads) newCustomer(ctx context.Context, c *kernel.Call[Tx], x *Lead) (*customer.Customer, error) {
	if _, err := c.Rights.Scope(kernel.CustomerCreate); err != nil {
		return nil, err
	}
	of := &customer.Customer{
		Name: x.customerName(), Type: x.Type, Level: x.Level, Industry: x.Industry, AnnualPotential: x.AnnualPotential, Source: x.Source,
		Region: x.Region, Province: x.Province, City: x.City, District: x.District, AcquiredOn: c.Today(), SourceLead: int64(x.ID),
		Brand: x.Brand, Remarks: x.Remarks, ExternalSystem: x.ExternalSystem, ExternalID: x.ExternalID,
		Ownership: customer.Ownership{OwnerID: x.OwnerID},
	}
	return of, s.customers.Customer(ctx, asCustomers(c), of)
}

func (x *Lead) customerName() string {
	if x.Company != "" {
		return x.Company
	}
	return x.Name
}

// contact is the contact of the plan, or a new one: the primary one of a new customer.
func (s *Leads) contact(ctx context.Context, c *kernel.Call[Tx], x *Lead, of *customer.Customer, p ConversionPlan) (customer.ContactID, error) {
	if p.Contact != 0 {
		ok, err := c.Tx.Opportunities().ContactOf(ctx, c.Actor.Tenant, of.ID, p.Contact)
		if err == nil && !ok {
			err = kernel.Invalidf("contact", kernel.Unknown, "the customer has no such contact")
		}
		return p.Contact, err
	}
	k := &customer.Contact{
		CustomerID: of.ID, FullName: x.Name, Title: x.Title, Phone: x.Phone, Email: x.Email, Wechat: x.Wechat, IsPrimary: p.Do == NewCustomer,
	}
	err := s.customers.Contact(ctx, asCustomers(c), k)
	return k.ID, err
}

// opportunity is the opportunity of the plan, or the new one that it asks for, or none.
func (s *Leads) opportunity(
	ctx context.Context, c *kernel.Call[Tx], x *Lead, of *customer.Customer, contact customer.ContactID, p ConversionPlan,
) (OpportunityID, error) {
	if p.Opportunity == nil && p.OpportunityID == 0 {
		return 0, nil
	}
	scope, err := c.Rights.Scope(kernel.OpportunityWrite)
	if err != nil {
		return 0, err
	}
	within := *c
	within.Scope = scope
	if p.OpportunityID != 0 {
		found, err := c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, scope, p.OpportunityID)
		if err == nil && (len(found) == 0 || found[0].CustomerID != of.ID) {
			err = &kernel.Error{Code: kernel.ErrNotFound, Field: "opportunity_id"}
		}
		return p.OpportunityID, err
	}
	d := *p.Opportunity
	d.CustomerID, d.ContactID = of.ID, contact
	if d.Name == "" {
		d.Name = x.customerName()
	}
	d.OwnerID = dealOwner(x, p)
	if d.Source == "" {
		d.Source = x.Source
	}
	made, err := s.deals.create(ctx, &within, &d)
	if err != nil {
		return 0, err
	}
	return made.ID, nil
}
