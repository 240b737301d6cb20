package customer

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Interactions is the use cases of interactions. Reads need the customer within the scope of customer.read, writes within
// that of interaction.write. Interactions of a deleted customer are not found.
//
// A customer that lies in a pool is nobody's, so that interaction.write alone does not reach it. Members of the pool may
// record interactions on it all the same, and change their own: those that they wrote, or that name them as staff.
type Interactions struct{ core kernel.Service[Tx] }

// Add writes an interaction; id, version, times, and an empty At, Staff and Direction are filled in. The contact, if there
// is one, is the customer's. One that is marked as a follow-up moves the customer's clocks in the same transaction:
// LastFollowupAt to the latest and FirstFollowupAt to the earliest follow-up of the present ownership. Dated before
// OwnedSince, or on a customer in the pool, it is recorded and moves none (rules.md, Follow-up).
//
// Errors: invalid with the field (an At in the future has reason InFuture); not found for the customer.
func (s *Interactions) Add(ctx context.Context, a kernel.Actor, x *Interaction) error {
	const op = "customer.Interactions.Add"
	draft, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.InteractionWrite, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Interaction, error) {
		return draft, addInteraction(ctx, c, draft)
	})
	if err == nil {
		*x = *written
	}
	return err
}

func addInteraction(ctx context.Context, c *kernel.Call[Tx], x *Interaction) error {
	if err := x.settle(c); err != nil {
		return err
	}
	of, err := c.Tx.Customers().Meet(ctx, c.Actor.Tenant, withPools(c), x.CustomerID, x.At, x.Followup)
	if err == nil && of == nil {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := checkContact(ctx, c, x); err != nil {
		return err
	}
	if err := c.Tx.Interactions().Insert(ctx, c.Actor.Tenant, x); err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: of.Ref(), Seq: of.Seq, Ref: x.Ref(), Type: "interaction.created", After: x})
}

// withPools is the scope of the call and, for customers that nobody has, the pools that the actor may read.
func withPools(c *kernel.Call[Tx]) kernel.Scope {
	sc := c.Scope
	if read, err := c.Rights.Scope(kernel.CustomerRead); err == nil {
		sc.Pools = slices.Concat(sc.Pools, read.Pools)
	}
	return sc
}

func checkContact(ctx context.Context, c *kernel.Call[Tx], x *Interaction) error {
	if x.ContactID == 0 {
		return nil
	}
	found, err := c.Tx.Contacts().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, false, x.ContactID)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].CustomerID != x.CustomerID {
		return kernel.Invalidf("contact_id", kernel.Unknown, "the customer has no such contact")
	}
	return nil
}

// setClocks writes the follow-up clocks where they moved. The customer is locked.
func setClocks(ctx context.Context, c *kernel.Call[Tx], of *Customer, next Ownership) error {
	if next == of.Ownership {
		return nil
	}
	return c.Tx.Customers().SetFollowups(ctx, c.Actor.Tenant, of.ID, next.FirstFollowupAt, next.LastFollowupAt)
}

// countInteractions keeps the facts where an interaction went away or moved: the last one is asked of what is left.
func countInteractions(ctx context.Context, c *kernel.Call[Tx], id ID, by int64) error {
	facts, err := factsOf(ctx, c, id)
	if err != nil {
		return err
	}
	facts.Interactions += by
	if facts.LastInteractionAt, err = c.Tx.Interactions().Latest(ctx, c.Actor.Tenant, id); err != nil {
		return err
	}
	return c.Tx.Customers().PutFacts(ctx, c.Actor.Tenant, facts)
}

// Get returns one interaction.
func (s *Interactions) Get(ctx context.Context, a kernel.Actor, id InteractionID) (*Interaction, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Interactions.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Interaction, error) {
		found, err := c.Tx.Interactions().Get(ctx, a.Tenant, c.Scope, id)
		return only(veiled(c, found, interactionInPool), err)
	})
}

// List returns a page of the customer's interactions, newest first.
func (s *Interactions) List(ctx context.Context, a kernel.Actor, id ID, p kernel.Page) (kernel.List[*Interaction], error) {
	const op = "customer.Interactions.List"
	w, err := openByTime(p, "interactions", 2)
	if err != nil {
		return kernel.List[*Interaction]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Interaction], error) {
		of, err := visible(ctx, c, id)
		if err != nil {
			return kernel.List[*Interaction]{}, err
		}
		found, err := c.Tx.Interactions().List(ctx, a.Tenant, id, w)
		found = veiled(c, found, childOf[*Interaction](of))
		return kernel.Cut("interactions", w, found, func(x *Interaction) []int64 { return []int64{x.At.UnixMicro(), int64(x.ID)} }), err
	})
}

// Pending returns a page of the next actions that a member has not done yet, the most urgent first: those due before an
// instant (zero: all). An empty staff is the actor; that of somebody else shows what lies within the actor's scope.
func (s *Interactions) Pending(ctx context.Context, a kernel.Actor, staff kernel.UserID, before time.Time, p kernel.Page) (kernel.List[*Interaction], error) {
	const op = "customer.Interactions.Pending"
	w, err := openByTime(p, "pending", 2)
	if err := kernel.FirstError(err, kernel.CheckLine("staff", string(staff), 200), kernel.CheckInstant("before", before)); err != nil {
		return kernel.List[*Interaction]{}, kernel.Wrap(op, err)
	}
	if staff == "" {
		staff = a.User
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Interaction], error) {
		found, err := c.Tx.Interactions().Pending(ctx, a.Tenant, c.Scope, staff, before, w)
		found = veiled(c, found, interactionInPool)
		return kernel.Cut("pending", w, found, func(x *Interaction) []int64 { return []int64{x.NextActionAt.UnixMicro(), int64(x.ID)} }), err
	})
}

// Update writes an interaction that was read: its Version must be the last, else the error is a conflict with reason Stale
// and a *kernel.StaleError. Its customer and its marks (Followup, Automatic, NextDoneAt) stay, and so does the date of a
// follow-up (invalid, reason ReadOnly). Another NextAction or NextActionAt is pending again. On success x is as written.
func (s *Interactions) Update(ctx context.Context, a kernel.Actor, x *Interaction) error {
	const op = "customer.Interactions.Update"
	given, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	given.Version, given.NextDoneAt = x.Version, x.NextDoneAt
	edit := func(ctx context.Context, c *kernel.Call[Tx], cur *Interaction) (*Interaction, error) {
		next, err := cur.edited(*given)
		if err != nil {
			return nil, err
		}
		return next, kernel.FirstError(next.checkPerson(c), checkContactOf(ctx, c, cur, next))
	}
	written, err := s.change(ctx, a, op, "interaction.updated", x.ID, given, edit)
	if err == nil {
		*x = *written
	}
	return err
}

// checkContactOf lets a contact stay that was deleted meanwhile.
func checkContactOf(ctx context.Context, c *kernel.Call[Tx], cur, next *Interaction) error {
	if next.ContactID == cur.ContactID {
		return nil
	}
	return checkContact(ctx, c, next)
}

// Complete marks the next action as done now. One that is done already stays as it is; where there is none, the call is
// invalid ("next_action").
func (s *Interactions) Complete(ctx context.Context, a kernel.Actor, id InteractionID) error {
	const op = "customer.Interactions.Complete"
	_, err := s.change(ctx, a, op, "interaction.completed", id, nil, func(_ context.Context, c *kernel.Call[Tx], cur *Interaction) (*Interaction, error) {
		next := *cur
		switch {
		case cur.NextAction == "" && cur.NextActionAt.IsZero():
			return nil, kernel.Invalidf("next_action", kernel.Empty, "it has no next action")
		case cur.NextDoneAt.IsZero():
			next.NextDoneAt = c.Now
		}
		return &next, nil
	})
	return err
}

// Delete deletes an interaction. The customer's facts are then those of what is left and, if it was a follow-up of the
// present ownership, so are the clocks. The version is the one that was read.
func (s *Interactions) Delete(ctx context.Context, a kernel.Actor, id InteractionID, version int64) error {
	const op = "customer.Interactions.Delete"
	_, err := s.change(ctx, a, op, "interaction.deleted", id, version, func(_ context.Context, c *kernel.Call[Tx], cur *Interaction) (*Interaction, error) {
		if version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		next.DeletedAt = c.Now
		return &next, nil
	})
	return err
}

// change puts in the interaction's place, under its customer's lock, what next makes of it, with what follows for the
// customer. No difference is no change.
func (s *Interactions) change(ctx context.Context, a kernel.Actor, op, event string, id InteractionID, input any,
	next func(ctx context.Context, c *kernel.Call[Tx], cur *Interaction) (*Interaction, error),
) (*Interaction, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.InteractionWrite, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Interaction, error) {
		of, cur, err := lockInteraction(ctx, c, id)
		if err != nil {
			return nil, err
		}
		x, err := next(ctx, c, cur)
		if err != nil {
			return nil, err
		}
		change, differs := x.changed(cur, event, c.Now)
		if !differs {
			return cur, nil
		}
		if err := c.Tx.Interactions().Update(ctx, a.Tenant, x); err != nil {
			return nil, err
		}
		if err := follow(ctx, c, of, cur, x); err != nil {
			return nil, err
		}
		return x, tell(ctx, c, of, change)
	})
}

// lockInteraction is not found for the interaction of somebody else with a customer in a pool: there, to be a member of
// the pool is enough to write one, and not to change all.
func lockInteraction(ctx context.Context, c *kernel.Call[Tx], id InteractionID) (*Customer, *Interaction, error) {
	sc := withPools(c)
	of, x, err := lockChild(ctx, c, sc, func() ([]*Interaction, error) {
		found, err := c.Tx.Interactions().Get(ctx, c.Actor.Tenant, sc, id)
		for _, x := range found { // what is to be written is whole
			x.Masked = false
		}
		return found, err
	}, func(x *Interaction) ID { return x.CustomerID })
	if err != nil {
		return nil, nil, err
	}
	own := x.CreatedBy == c.Actor.User || x.Staff == c.Actor.User
	if !own && !c.Scope.Sees(of.OwnerID, of.Region, int64(of.PoolID)) {
		return nil, nil, kernel.ErrNotFound
	}
	return of, x, nil
}

// follow makes the customer's facts and clocks those of its interactions after one of them changed.
func follow(ctx context.Context, c *kernel.Call[Tx], of *Customer, was, is *Interaction) error {
	switch {
	case !is.DeletedAt.IsZero():
		if err := countInteractions(ctx, c, of.ID, -1); err != nil {
			return err
		}
	case !is.At.Equal(was.At):
		return countInteractions(ctx, c, of.ID, 0)
	default:
		return nil
	}
	if !is.Followup || of.OwnerID == "" {
		return nil
	}
	first, last, err := c.Tx.Interactions().Followups(ctx, c.Actor.Tenant, of.ID, of.OwnedSince)
	if err != nil {
		return err
	}
	return setClocks(ctx, c, of, of.unfollowed(is.At, first, last))
}
