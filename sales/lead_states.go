package sales

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// MarkInvalid says that nothing will come of a living lead, with a reason of at most 500 characters: it leaves lists, rules
// and counts, frees its place and blocks no unique value. It keeps its owner and pool for Reopen. One that is invalid already
// stays as it is; one that is converted is refused (LeadClosed).
func (s *Leads) MarkInvalid(ctx context.Context, a kernel.Actor, id LeadID, reason string) error {
	const op = "sales.Leads.MarkInvalid"
	if err := kernel.CheckName("reason", reason, 500); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := s.change(ctx, a, op, id, reason, "lead.invalid", func(_ context.Context, c *kernel.Call[Tx], cur *Lead) (*Lead, error) {
		next := *cur
		if cur.Living() {
			next.Status, next.InvalidReason, next.ClosedAt = LeadInvalid, reason, c.Now
			next.LockUntil, next.LockReason = time.Time{}, ""
		}
		return &next, nil
	})
	return err
}

// Reopen brings an invalid lead back to its owner; to its pool when the owner has no free place, is no active member any
// more, or there was none. A phone, e-mail or host key that another living lead has taken meanwhile is a conflict. A living
// one stays as it is; one that is converted is refused (LeadClosed).
func (s *Leads) Reopen(ctx context.Context, a kernel.Actor, id LeadID) (*Lead, error) {
	const op = "sales.Leads.Reopen"
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, id, func(ctx context.Context, c *kernel.Call[Tx]) (*Lead, error) {
		cur, err := only(c.Tx.Leads().Lock(ctx, a.Tenant, c.Scope, id))
		switch {
		case err != nil:
			return nil, err
		case cur.Status == LeadConverted:
			return nil, closed(cur)
		case cur.Living():
			return only(veiled(c, []*Lead{cur}), nil)
		}
		next := *cur
		next.Status, next.InvalidReason, next.ClosedAt = LeadNew, "", time.Time{}
		if !cur.LastFollowupAt.IsZero() {
			next.Status = LeadFollowing
		}
		if err := free(ctx, c, &next); err != nil {
			return nil, err
		}
		if err := s.seatAgain(ctx, c, &next); err != nil {
			return nil, err
		}
		if err := saveLead(ctx, c, "lead.reopened", cur, &next); err != nil {
			return nil, err
		}
		return only(veiled(c, []*Lead{&next}), nil)
	})
}

// seatAgain sends a lead to its pool when its owner cannot have it any more, and writes the line of the operation log.
func (s *Leads) seatAgain(ctx context.Context, c *kernel.Call[Tx], x *Lead) error {
	if x.OwnerID == "" {
		return nil
	}
	op := customer.Operation{
		Kind: LeadKind, RecordID: int64(x.ID), Action: customer.Restored, Actor: c.Actor.User, From: x.OwnerID, PoolID: x.PoolID,
		Request: c.Actor.Request, At: c.Now,
	}
	homes, err := c.Tx.Leads().Homes(ctx, c.Actor.Tenant, x.OwnerID)
	if err != nil {
		return err
	}
	counters, err := c.Tx.Counters(LeadKind).Lock(ctx, c.Actor.Tenant, x.OwnerID)
	if err != nil {
		return err
	}
	if _, active := homes[x.OwnerID]; active && counters[0].Free() > 0 {
		op.To = x.OwnerID
	} else {
		x.Ownership = x.Emptied(c.Now)
	}
	return c.Tx.Operations(LeadKind).Append(ctx, c.Actor.Tenant, op)
}

// FollowUp writes an interaction with a living lead; id, version, times, and an empty At, Staff and Direction are filled in.
// One that is marked as a follow-up moves the lead's clocks in the same transaction, as with customers, and makes a new lead
// one that is followed. Members of its pool may record what happened with a lead that nobody has: it moves no clock there.
//
// Errors: invalid with the field (an At in the future has reason InFuture); not found for the lead; refused (LeadClosed) for one
// that is converted or invalid.
func (s *Leads) FollowUp(ctx context.Context, a kernel.Actor, x *FollowUp) error {
	const op = "sales.Leads.FollowUp"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("follow_up", kernel.Empty))
	}
	made, err := x.Apart()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	draft := &FollowUp{x.LeadID, *made}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.InteractionWrite, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*FollowUp, error) {
		return draft, s.followUp(ctx, c, draft)
	})
	if err == nil {
		*x = *written
	}
	return err
}

func (s *Leads) followUp(ctx context.Context, c *kernel.Call[Tx], x *FollowUp) error {
	if err := x.Settle(asCustomers(c)); err != nil {
		return err
	}
	sc := c.Scope
	if read, err := c.Rights.Scope(kernel.CustomerRead); err == nil {
		sc.Pools = read.Pools
	}
	cur, err := only(c.Tx.Leads().Lock(ctx, c.Actor.Tenant, sc, x.LeadID))
	if err != nil {
		return err
	}
	if !cur.Living() {
		return closed(cur)
	}
	if err := c.Tx.Leads().AddFollowUp(ctx, c.Actor.Tenant, x); err != nil {
		return err
	}
	next := *cur
	next.Interactions++
	if x.At.After(next.LastInteractionAt) {
		next.LastInteractionAt = x.At
	}
	if x.Followup {
		if next.Ownership = cur.FollowedUp(x.At); next.Ownership != cur.Ownership {
			next.Status = LeadFollowing
		}
	}
	next.Version, next.Seq = cur.Version+1, cur.Seq+1
	next.UpdatedAt, next.UpdatedBy = c.Now, c.Actor.User
	if err := c.Tx.Leads().Update(ctx, c.Actor.Tenant, &next); err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: next.Ref(), Seq: next.Seq, Ref: x.Ref(), Type: "lead.followed_up", After: x})
}

// FollowUps returns a page of what happened with a lead, newest first; masked for a person while the lead lies in a pool.
// Those of a converted lead are the customer's interactions.
func (s *Leads) FollowUps(ctx context.Context, a kernel.Actor, id LeadID, p kernel.Page) (kernel.List[*FollowUp], error) {
	const op = "sales.Leads.FollowUps"
	w, err := openByTime(p, "lead_followups")
	if err != nil {
		return kernel.List[*FollowUp]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*FollowUp], error) {
		of, err := only(c.Tx.Leads().Get(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return kernel.List[*FollowUp]{}, err
		}
		found, err := c.Tx.Leads().FollowUps(ctx, a.Tenant, id, w)
		if of.OwnerID == "" && !c.Rights.System {
			for _, x := range found {
				x.Mask()
			}
		}
		return kernel.Cut("lead_followups", w, found, func(x *FollowUp) []int64 { return []int64{x.At.UnixMicro(), int64(x.ID)} }), err
	})
}

const mostLeadTags = 50

// SetTags makes a living lead carry these tags and no others, at most 50. Errors: invalid ("tags", reason Unknown) for a tag
// that there is not; refused (LeadClosed).
func (s *Leads) SetTags(ctx context.Context, a kernel.Actor, id LeadID, tags ...customer.TagID) error {
	const op = "sales.Leads.SetTags"
	if len(tags) > mostLeadTags {
		return kernel.Wrap(op, kernel.Invalidf("tags", kernel.TooMany, "at most %d", mostLeadTags))
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, []any{id, tags}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		return kernel.None{}, setLeadTags(ctx, c, id, tags)
	})
	return err
}

func setLeadTags(ctx context.Context, c *kernel.Call[Tx], id LeadID, tags []customer.TagID) error {
	cur, err := only(c.Tx.Leads().Lock(ctx, c.Actor.Tenant, c.Scope, id))
	if err != nil {
		return err
	}
	if !cur.Living() {
		return closed(cur)
	}
	known, err := c.Tx.Tags().Lock(ctx, c.Actor.Tenant, tags...)
	if err != nil {
		return err
	}
	names, exist := []string{}, map[customer.TagID]bool{}
	for _, t := range known {
		names, exist[t.ID] = append(names, t.Name), true
	}
	for i, t := range tags {
		if !exist[t] {
			return kernel.At(i, kernel.Invalidf("tags", kernel.Unknown, "there is no tag %d", t))
		}
	}
	if err := c.Tx.Leads().Tag(ctx, c.Actor.Tenant, id, tags...); err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: cur.Ref(), Ref: cur.Ref(), Type: "lead.tagged", After: map[string]any{"tags": names}})
}

// Tags returns the tags that a lead carries, by name.
func (s *Leads) Tags(ctx context.Context, a kernel.Actor, id LeadID) ([]customer.Tag, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Leads.Tags", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]customer.Tag, error) {
		if _, err := only(c.Tx.Leads().Get(ctx, a.Tenant, c.Scope, id)); err != nil {
			return nil, err
		}
		of, err := c.Tx.Leads().Tags(ctx, a.Tenant, id)
		return of[id], err
	})
}
