package sales

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Opportunities is the use cases of opportunities. One is within reach when its owner is, or its customer. They change under
// the row lock of their customer, and what happens to them is an event of the customer. Releasing or deleting a customer
// leaves them as they are.
type Opportunities struct{ core kernel.Service[Tx] }

// Create makes an opportunity of a customer within opportunity.write; what is empty is filled in: pipeline, stage, currency,
// owner (the actor; the system actor names one). Errors: invalid with the field (Unknown for a pipeline, stage, owner,
// contact or product that there is not; Empty for a tenant without a pipeline); not found ("customer_id"); refused:
// Blacklisted, StageRequires.
func (s *Opportunities) Create(ctx context.Context, a kernel.Actor, x *Opportunity) error {
	const op = "sales.Opportunities.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("opportunity", kernel.Empty))
	}
	draft := *x
	draft.Products = slices.Clone(x.Products)
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.OpportunityWrite, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Opportunity, error) {
		return s.create(ctx, c, &draft)
	})
	if err == nil {
		*x = *made
	}
	return err
}

func (s *Opportunities) create(ctx context.Context, c *kernel.Call[Tx], d *Opportunity) (*Opportunity, error) {
	of, err := lockCustomer(ctx, c, d.CustomerID)
	if err != nil {
		return nil, err
	}
	if of.Standing == customer.Blacklisted {
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: "customer_id", Reason: Blacklisted}
	}
	stage, err := s.begin(ctx, c, d)
	if err != nil {
		return nil, err
	}
	if err := s.related(ctx, c, d, nil); err != nil {
		return nil, err
	}
	d.Status, d.StageSince, d.ClosedAt, d.LostReason = stage.Kind, c.Now, closedAt(stage, c.Now), ""
	if f := d.missing(stage); f != "" {
		return nil, &kernel.Error{Code: kernel.ErrRefused, Field: string(f), Reason: StageRequires}
	}
	d.Version, d.CreatedAt, d.CreatedBy, d.UpdatedAt, d.UpdatedBy, d.DeletedAt = 1, c.Now, c.Actor.User, c.Now, c.Actor.User, time.Time{}
	if err := c.Tx.Opportunities().Insert(ctx, c.Actor.Tenant, d); err != nil {
		return nil, err
	}
	if err := s.enter(ctx, c, d, 0, stage); err != nil {
		return nil, err
	}
	return d, s.tell(ctx, c, d, stage.Kind, 1, kernel.Change{Type: "opportunity.created", After: d})
}

// begin fills in pipeline, stage, currency and owner.
func (s *Opportunities) begin(ctx context.Context, c *kernel.Call[Tx], d *Opportunity) (*Stage, error) {
	found, err := c.Tx.Pipelines().Get(ctx, c.Actor.Tenant, d.PipelineID)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 && d.PipelineID == 0:
		return nil, kernel.Invalidf("pipeline_id", kernel.Empty, "the tenant has no default pipeline: Pipelines.Put makes one")
	case len(found) == 0:
		return nil, kernel.Invalidf("pipeline_id", kernel.Unknown, "there is no pipeline %d", d.PipelineID)
	}
	d.PipelineID = found[0].ID
	stage := found[0].first()
	if d.StageID != 0 {
		stage = found[0].stage(d.StageID)
	}
	if stage == nil {
		return nil, kernel.Invalidf("stage_id", kernel.Unknown, "the pipeline has no stage %d", d.StageID)
	}
	d.StageID = stage.ID
	if stage.Kind == Lost {
		return nil, kernel.Invalidf("stage_id", kernel.OutOfRange, "an opportunity does not begin lost")
	}
	if d.Currency == "" {
		if d.Currency, err = c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant); err != nil {
			return nil, err
		}
	}
	if _, system := c.Actor.System(); d.OwnerID == "" && !system {
		d.OwnerID = c.Actor.User
	}
	return stage, nil
}

// related refuses an owner, contact or products that there are not. What the opportunity had before is not asked again: a
// member may have left since.
func (s *Opportunities) related(ctx context.Context, c *kernel.Call[Tx], d, had *Opportunity) error {
	if had == nil {
		had = &Opportunity{}
	}
	if err := related(ctx, c, d.CustomerID, d.OwnerID, had.OwnerID, d.ContactID, had.ContactID); err != nil {
		return err
	}
	slices.Sort(d.Products)
	d.Products = slices.Compact(d.Products)
	fresh := slices.DeleteFunc(slices.Clone(d.Products), func(id ProductID) bool { return slices.Contains(had.Products, id) })
	found, err := c.Tx.Products().Get(ctx, c.Actor.Tenant, false, fresh...)
	if err == nil && len(found) < len(fresh) {
		err = kernel.Invalidf("products", kernel.Unknown, "there is no such product")
	}
	return err
}

func closedAt(s *Stage, now time.Time) time.Time {
	if s.Kind == Open {
		return time.Time{}
	}
	return now
}

// enter writes the row of history that freezes what the opportunity is as it comes into a stage.
func (s *Opportunities) enter(ctx context.Context, c *kernel.Call[Tx], x *Opportunity, from StageID, to *Stage) error {
	return c.Tx.Opportunities().Enter(ctx, c.Actor.Tenant, &StageMoved{
		OpportunityID: x.ID, From: from, To: to.ID, Status: to.Kind, Amount: x.Amount, Currency: x.Currency, Probability: x.Chance(to),
		OwnerID: x.OwnerID, LostReason: x.LostReason, Actor: c.Actor.User, At: c.Now,
	})
}

// tell writes a change as the next event of the customer; was is what the number of open opportunities counts: by is 1 for
// one more, -1 for one less, 0 for none, where the status is open.
func (s *Opportunities) tell(ctx context.Context, c *kernel.Call[Tx], x *Opportunity, counts Status, by int64, change kernel.Change) error {
	if counts == Open && by != 0 {
		facts, err := c.Tx.Customers().Facts(ctx, c.Actor.Tenant, x.CustomerID)
		if err != nil {
			return err
		}
		for i := range facts {
			facts[i].OpenOpportunities += by
		}
		if err := c.Tx.Customers().PutFacts(ctx, c.Actor.Tenant, facts...); err != nil {
			return err
		}
	}
	change.Ref = x.Ref()
	return tellCustomer(ctx, c, x.CustomerID, change)
}

// Get returns an opportunity.
func (s *Opportunities) Get(ctx context.Context, a kernel.Actor, id OpportunityID) (*Opportunity, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Opportunities.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Opportunity, error) {
		x, err := only(c.Tx.Opportunities().Get(ctx, a.Tenant, c.Scope, id))
		if err == nil {
			veilAll(c, x)
		}
		return x, err
	})
}

// List returns a page of opportunities, in the order they were made: of one customer all of them, if the actor may see it;
// else those whose owner, or the region of whose customer, lies in the actor's scope.
func (s *Opportunities) List(ctx context.Context, a kernel.Actor, f OpportunityFilter, p kernel.Page) (kernel.List[*Opportunity], error) {
	const op = "sales.Opportunities.List"
	w, err := p.Open("opportunities", 1)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[*Opportunity]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Opportunity], error) {
		var stale []Stale
		if f.Stagnant {
			all, err := c.Tx.Pipelines().All(ctx, a.Tenant)
			if err != nil {
				return kernel.List[*Opportunity]{}, err
			}
			if stale = staleStages(all, c.Now); len(stale) == 0 {
				return kernel.List[*Opportunity]{}, nil
			}
		}
		found, err := c.Tx.Opportunities().List(ctx, a.Tenant, c.Scope, f, stale, w)
		veilAll(c, found...)
		return kernel.Cut("opportunities", w, found, func(x *Opportunity) []int64 { return []int64{int64(x.ID)} }), err
	})
}

func (f OpportunityFilter) check() error {
	err := kernel.FirstError(checkOwners(f.Owners), checkCount("pipelines", len(f.Pipelines)), checkCount("stages", len(f.Stages)),
		checkCount("statuses", len(f.Statuses)))
	if err != nil {
		return err
	}
	for _, s := range f.Statuses {
		if err := kernel.OneOf("statuses", s, Open, Won, Lost); err != nil {
			return err
		}
	}
	return kernel.FirstError(f.CloseFrom.Check("close_from"), f.CloseTo.Check("close_to"))
}

// staleStages says for each stage since when what is in it stagnates.
func staleStages(all []*Pipeline, now time.Time) (stale []Stale) {
	for _, p := range all {
		for _, s := range p.Stages {
			if s.Kind == Open && s.StaleDays > 0 {
				stale = append(stale, Stale{s.ID, now.Add(-time.Duration(s.StaleDays) * 24 * time.Hour)})
			}
		}
	}
	return stale
}

// History returns a page of the stages that an opportunity came into, oldest first.
func (s *Opportunities) History(ctx context.Context, a kernel.Actor, id OpportunityID, p kernel.Page) (kernel.List[StageMoved], error) {
	const op = "sales.Opportunities.History"
	w, err := p.Open("opportunity_history", 1)
	if err != nil {
		return kernel.List[StageMoved]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[StageMoved], error) {
		of, err := only(c.Tx.Opportunities().Get(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return kernel.List[StageMoved]{}, err
		}
		found, err := c.Tx.Opportunities().History(ctx, a.Tenant, id, w)
		for i := range found {
			found[i].Masked = of.Masked
			veilAll(c, &found[i])
		}
		return kernel.Cut("opportunity_history", w, found, func(m StageMoved) []int64 { return []int64{m.ID} }), err
	})
}
