package sales

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Held is an opportunity, quote or contract in the hands of a member.
type Held struct {
	ID         int64
	CustomerID customer.ID
	With       kernel.UserID // who has the customer now; empty: nobody
	To         kernel.UserID // who gets it
}

// HeldRepository finds what members have, by the kind of its references: [OpportunityKind], [QuoteKind] or [ContractKind].
// What has ended, or is deleted, does not exist for it: only open opportunities, drafts and sent quotes, and contracts that
// are drafts, approved or signed. Those of deleted customers do: they may come back. Every call is a fixed number of
// statements.
type HeldRepository interface {
	// Of must return what the owner has beyond an id, at most a number of them, in the order of the ids.
	Of(ctx context.Context, t kernel.TenantID, kind string, owner kernel.UserID, after int64, atMost int) ([]Held, error)
	// Lock must lock the customers and then the documents, each in the order of their ids, and return those of them that the
	// owner still has, as they are now.
	Lock(ctx context.Context, t kernel.TenantID, kind string, owner kernel.UserID, xs ...Held) ([]Held, error)
	// Active must return who of the users is an active member; keep asks that they stay what they are until the end of the
	// transaction.
	Active(ctx context.Context, t kernel.TenantID, keep bool, users ...kernel.UserID) (map[kernel.UserID]bool, error)
	// Give must make To the owners of what is locked, and raise the versions.
	Give(ctx context.Context, a kernel.Actor, at time.Time, kind string, xs ...Held) error
}

// HandOver gives a batch of the open opportunities of a member who leaves to the owners of their customers, as they are after
// these were handed over; where the customer has no active owner, to the superior; without one they stay. It is for
// crm.HandOver, which checks l. Every batch asks for the permission team.manage.
func (s *Opportunities) HandOver(ctx context.Context, l kernel.Leaving) (kernel.Handed, error) {
	return handOver(ctx, &s.core, OpportunityKind, l)
}

// HandOver does with drafts and sent quotes what [Opportunities.HandOver] does. A sent one counts until Expire has written
// down that it is over.
func (s *Quotes) HandOver(ctx context.Context, l kernel.Leaving) (kernel.Handed, error) {
	return handOver(ctx, &s.core, QuoteKind, l)
}

// HandOver does with contracts that are drafts, approved or signed what [Opportunities.HandOver] does.
func (s *Contracts) HandOver(ctx context.Context, l kernel.Leaving) (kernel.Handed, error) {
	return handOver(ctx, &s.core, ContractKind, l)
}

func handOver(ctx context.Context, core *kernel.Service[Tx], kind string, l kernel.Leaving) (h kernel.Handed, err error) {
	if _, _, err := core.Enter(ctx, l.By, kernel.TeamManage); err != nil {
		return h, err
	}
	mode := kernel.OwnCommit
	if l.Dry {
		mode = kernel.Read
	}
	err = core.Unit(ctx, mode, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: l.By, Now: core.Clock.Now()}
		h, err = handHeld(ctx, c, kind, l)
		return err
	})
	return h, err
}

func handHeld(ctx context.Context, c *kernel.Call[Tx], kind string, l kernel.Leaving) (kernel.Handed, error) {
	h, r, tenant := kernel.Handed{Kind: kind}, c.Tx.Held(), c.Actor.Tenant
	all, err := r.Of(ctx, tenant, kind, l.User, l.After, l.AtMost)
	if err != nil || len(all) == 0 {
		return h, err
	}
	h.Next = all[len(all)-1].ID
	if !l.Dry { // as they are now: another hand-over, or a superior, may have been quicker
		if all, err = r.Lock(ctx, tenant, kind, l.User, all...); err != nil {
			return h, err
		}
	}
	users := []kernel.UserID{l.User, l.Superior}
	for i := range all {
		x := &all[i]
		if l.Dry && x.With == l.User { // of a plan: its customers are still with it
			x.With = l.Heirs[int64(x.CustomerID)]
		}
		users = append(users, x.With)
	}
	active, err := r.Active(ctx, tenant, !l.Dry, users...)
	if err == nil && !l.Dry && active[l.User] {
		err = &kernel.Error{Code: kernel.ErrConflict, Field: "user", Reason: kernel.StillActive}
	}
	if err != nil {
		return h, err
	}
	given := chooseHeirs(all, active, l, &h)
	if l.Dry || len(given) == 0 {
		return h, nil
	}
	if err := r.Give(ctx, c.Actor, c.Now, kind, given...); err != nil {
		return h, err
	}
	return h, c.Record(ctx, givenAway(kind, l.User, given)...)
}

// chooseHeirs says who gets what, and returns what somebody gets.
func chooseHeirs(all []Held, active map[kernel.UserID]bool, l kernel.Leaving, h *kernel.Handed) (given []Held) {
	for _, x := range all {
		h.Found++
		if x.To = x.With; !active[x.To] {
			x.To = l.Superior
		}
		if !active[x.To] { // there is no superior, or it has left meanwhile, too
			h.Kept++
			continue
		}
		h.Give(x.To)
		given = append(given, x)
	}
	return given
}

func givenAway(kind string, from kernel.UserID, given []Held) []kernel.Change {
	changes := make([]kernel.Change, len(given))
	for i, x := range given {
		changes[i] = kernel.Change{
			Subject: subjectOf(x.CustomerID), Ref: kernel.Ref{Kind: kind, ID: x.ID}, Type: kind + ".updated",
			Before: map[string]any{"owner_id": from}, After: map[string]any{"owner_id": x.To},
		}
	}
	return changes
}
