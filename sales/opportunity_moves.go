package sales

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// MoveOptions may be nil, and so may each field.
type MoveOptions struct {
	LostReason string // at most 500; needed for a lost stage, and for no other
	Version    int64  // the one that was read: a conflict (Stale) if it is not the last; 0: whatever it is
}

// Move puts an opportunity into another stage of its pipeline, with a row of its history. Its status follows: won and lost
// close it, an open stage opens it again. In that stage already: nothing happens. Errors: invalid "stage_id" (Unknown),
// "lost_reason" (Empty for a lost stage, ReadOnly for another); refused: StageMove, and StageRequires with the field.
func (s *Opportunities) Move(ctx context.Context, a kernel.Actor, id OpportunityID, to StageID, opts *MoveOptions) error {
	const op = "sales.Opportunities.Move"
	var o MoveOptions
	if opts != nil {
		o = *opts
	}
	if err := kernel.CheckText("lost_reason", o.LostReason, 500); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.OpportunityWrite, []any{id, to, o}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		cur, err := s.lock(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		if o.Version != 0 && o.Version != cur.Version {
			return kernel.None{}, kernel.StaleVersion(o.Version, cur.Version)
		}
		if to == cur.StageID {
			return kernel.None{}, nil
		}
		return kernel.None{}, s.move(ctx, c, cur, to, o)
	})
	return err
}

// lock finds an opportunity within reach, locks its customer, and returns it as it is under the lock.
func (s *Opportunities) lock(ctx context.Context, c *kernel.Call[Tx], id OpportunityID) (*Opportunity, error) {
	x, err := only(c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, c.Scope, id))
	if err != nil {
		return nil, err
	}
	if err := lockAny(ctx, c, x.CustomerID); err != nil {
		return nil, err
	}
	return only(c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, c.Scope, id))
}

func (s *Opportunities) move(ctx context.Context, c *kernel.Call[Tx], cur *Opportunity, to StageID, o MoveOptions) error {
	p, err := only(c.Tx.Pipelines().Get(ctx, c.Actor.Tenant, cur.PipelineID))
	if err != nil {
		return err
	}
	stage := p.stage(to)
	if err := cur.mayMove(p.stage(cur.StageID), stage, o.LostReason); err != nil {
		return err
	}
	return s.apply(ctx, c, cur, to, stage, o.LostReason)
}

// apply writes a move, whatever the rules of the pipeline.
func (s *Opportunities) apply(ctx context.Context, c *kernel.Call[Tx], cur *Opportunity, to StageID, stage *Stage, lostReason string) error {
	next := *cur
	next.StageID, next.Status, next.StageSince, next.LostReason = to, stage.Kind, c.Now, lostReason
	if next.ClosedAt = closedAt(stage, c.Now); next.Status == cur.Status {
		next.ClosedAt = cur.ClosedAt
	}
	was, is := s.stamp(c, cur, &next)
	if err := c.Tx.Opportunities().Update(ctx, c.Actor.Tenant, &next); err != nil {
		return err
	}
	if err := s.enter(ctx, c, &next, cur.StageID, stage); err != nil {
		return err
	}
	event, by := moved(cur.Status, next.Status)
	return s.tell(ctx, c, &next, Open, by, kernel.Change{Type: event, Before: was, After: is})
}

// mayMove refuses a stage that the rules of the pipeline do not allow.
func (x *Opportunity) mayMove(from, to *Stage, lostReason string) error {
	switch {
	case to == nil:
		return kernel.Invalidf("stage_id", kernel.Unknown, "the pipeline has no such stage")
	case to.Kind == Lost && lostReason == "":
		return kernel.Invalid("lost_reason", kernel.Empty)
	case to.Kind != Lost && lostReason != "":
		return kernel.Invalidf("lost_reason", kernel.ReadOnly, "only what is lost has one")
	case from != nil && len(from.Moves) > 0 && !slices.Contains(from.Moves, to.Name):
		return &kernel.Error{Code: kernel.ErrRefused, Field: "stage_id", Reason: StageMove}
	}
	if f := x.missing(to); f != "" {
		return &kernel.Error{Code: kernel.ErrRefused, Field: string(f), Reason: StageRequires}
	}
	return nil
}

// moved is the event of a move, and how many more opportunities are open after it.
func moved(from, to Status) (event string, by int64) {
	switch {
	case from == to:
		return "opportunity.moved", 0
	case to == Open:
		return "opportunity.reopened", 1
	case from == Open:
		by = -1
	}
	return "opportunity." + string(to), by
}

// stamp raises the version, and says what differs.
func (s *Opportunities) stamp(c *kernel.Call[Tx], cur, next *Opportunity) (was, is map[string]any) {
	was, is = kernel.Diff(cur, next)
	next.Version, next.UpdatedAt, next.UpdatedBy = cur.Version+1, c.Now, c.Actor.User
	return was, is
}

// Update writes an opportunity that was read: its Version must be the last. Customer, pipeline, stage and status stay as they
// are; a new owner is an active member. While it is open, it must keep what its stage requires (refused, StageRequires). What was
// read masked is not written (invalid, customer.Masked, with the field).
func (s *Opportunities) Update(ctx context.Context, a kernel.Actor, x *Opportunity) error {
	const op = "sales.Opportunities.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("opportunity", kernel.Empty))
	}
	given := *x
	given.Products = slices.Clone(x.Products)
	err := given.check()
	if err == nil && given.Currency == "" {
		err = kernel.Invalid("currency", kernel.Empty)
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.OpportunityWrite, given, func(ctx context.Context, c *kernel.Call[Tx]) (*Opportunity, error) {
		cur, err := s.lock(ctx, c, given.ID)
		if err != nil {
			return nil, err
		}
		if given.Version != cur.Version {
			return nil, kernel.StaleVersion(given.Version, cur.Version)
		}
		if err := sentBack(&given, cur); err != nil {
			return nil, err
		}
		next, err := s.update(ctx, c, cur, &given)
		if err == nil {
			veilSent(c, next, &given)
		}
		return next, err
	})
	if err == nil {
		*x = *made
	}
	return err
}

func (s *Opportunities) update(ctx context.Context, c *kernel.Call[Tx], cur, given *Opportunity) (*Opportunity, error) {
	next := *cur
	next.ContactID, next.Name, next.Amount, next.Currency, next.Probability = given.ContactID, given.Name, given.Amount, given.Currency, given.Probability
	next.ExpectedClose, next.Products, next.Source, next.OwnerID, next.Remarks = given.ExpectedClose, given.Products, given.Source, given.OwnerID, given.Remarks
	if err := s.related(ctx, c, &next, cur); err != nil {
		return nil, err
	}
	if cur.Status == Open {
		p, err := only(c.Tx.Pipelines().Get(ctx, c.Actor.Tenant, cur.PipelineID))
		if err != nil {
			return nil, err
		}
		if f := next.missing(p.stage(cur.StageID)); f != "" {
			return nil, &kernel.Error{Code: kernel.ErrRefused, Field: string(f), Reason: StageRequires}
		}
	}
	was, is := s.stamp(c, cur, &next)
	if is == nil {
		return cur, nil
	}
	if err := c.Tx.Opportunities().Update(ctx, c.Actor.Tenant, &next); err != nil {
		return nil, err
	}
	return &next, s.tell(ctx, c, &next, next.Status, 0, kernel.Change{Type: "opportunity.updated", Before: was, After: is})
}

// Delete deletes an opportunity: it is in no list, funnel or count any more. The version is the one that was read.
func (s *Opportunities) Delete(ctx context.Context, a kernel.Actor, id OpportunityID, version int64) error {
	const op = "sales.Opportunities.Delete"
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.OpportunityWrite, []any{id, version}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		cur, err := s.lock(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		if version != cur.Version {
			return kernel.None{}, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		next.DeletedAt = c.Now
		was, is := s.stamp(c, cur, &next)
		if err := c.Tx.Opportunities().Update(ctx, a.Tenant, &next); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, s.tell(ctx, c, &next, next.Status, -1, kernel.Change{Type: "opportunity.deleted", Before: was, After: is})
	})
	return err
}
