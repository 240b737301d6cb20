package pool

import (
	"context"
	"errors"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// OpenLimit is why a record is not opened: the member has opened as many as it may today. Until is the next midnight of the
// tenant, Limit how many.
const OpenLimit kernel.Reason = "open_limit"

// openedMost bounds each list of Opened: what has more is read after a claim.
const openedMost = 200

// Opened is a record that lies in a pool, with what every other read masks.
type Opened struct {
	Customer     *customer.Customer      `json:"customer,omitempty"`     // of a pool of customers
	Lead         any                     `json:"lead,omitempty"`         // of a pool of leads: a *sales.Lead, which this package cannot name
	Contacts     []*customer.Contact     `json:"contacts,omitempty"`     // the 200 oldest
	Addresses    []*customer.Address     `json:"addresses,omitempty"`    // the 200 oldest
	Interactions []*customer.Interaction `json:"interactions,omitempty"` // the 200 newest
	More         bool                    `json:"more,omitempty"`         // there are more than 200 of one of them
	First        bool                    `json:"first"`                  // it was the member's first of the day, and has counted
}

// Opening is a member that opens a record on a day.
type Opening struct {
	By     kernel.Actor
	Now    time.Time
	Day    kernel.Date // of the tenant
	ID     int64
	Exempt bool // from the limit
}

// Open shows a record that lies in a pool whole: its phones, e-mails and notes are masked everywhere else, also after this
// call, until somebody claims it (rules.md, While in the pool). What is to be edited in a pool is opened first, since a masked
// record cannot be written.
//
// The first time on a calendar day of the tenant counts, is kept by member, day and record, and stands on the audit trail
// with its event; to open it again that day is free. Beyond the member's limit of the day the call is refused (OpenLimit).
// Superiors (who have subordinates, as heads or by name), administrators of its pool and who may manage all pools are exempt
// from the limit, and from nothing else.
//
// Whoever may read the record may open it; for others it is not found. What somebody has, is refused (Taken), and who it is
// told to those who may see it. Only a person opens: the system actor reads everything whole anyway. An Actor.Request holds
// for one day: used again on another, it is a conflict (Reused).
func (s *Service[I]) Open(ctx context.Context, a kernel.Actor, id I) (*Opened, error) {
	const op = "pool.Open"
	rights, scope, err := s.core.Enter(ctx, a, kernel.CustomerRead)
	if err == nil && rights.System {
		err = &kernel.Error{Code: kernel.ErrDenied, Field: "actor", Reason: kernel.NotAMember}
	}
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	var opened *Opened
	err = s.core.Unit(ctx, kernel.Write, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: s.core.Clock.Now(), Rights: rights, Scope: scope}
		o := Opening{By: a, Now: c.Now, Day: c.Today(), ID: int64(id)}
		if o.Exempt, err = s.mayOpen(ctx, c, o.ID); err != nil {
			return err
		}
		// What is kept for the request is that it counted, never what was shown.
		first, err := kernel.Once(ctx, c, op, []any{id, o.Day}, func(ctx context.Context, c *kernel.Call[Tx]) (bool, error) {
			return s.noteOpening(ctx, c, o)
		})
		if err != nil {
			return err
		}
		if opened, err = s.reveal(ctx, c, int64(id)); err == nil {
			opened.First = first
		}
		return err
	})
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return opened, nil
}

// mayOpen locks the record and refuses what the actor may not open. Membership is read anew; a member that has just left a
// pool reads what lies there no more.
func (s *Service[I]) mayOpen(ctx context.Context, c *kernel.Call[Tx], id int64) (exempt bool, err error) {
	no := &Refusal{Ref: kernel.Ref{Kind: string(s.kind), ID: id}, Reason: NotFound}
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, id)
	if err != nil {
		return false, err
	}
	if len(records) == 0 {
		return false, no
	}
	r := records[0]
	belongs, err := c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, c.Actor.User, r.PoolID)
	if err != nil {
		return false, err
	}
	sees := c.Scope
	sees.Pools = nil
	me, member := belongs[r.PoolID]
	visible := sees.Sees(r.OwnerID, r.Region, int64(r.PoolID))
	switch {
	case !member && !visible:
		return false, no
	case r.OwnerID != "":
		if no.Reason = Taken; visible {
			no.By = r.OwnerID
		}
		return false, no
	}
	manage, err := c.Rights.Scope(kernel.PoolManage)
	return me.Admin || err == nil && manage.All || len(c.Rights.Subordinates) > 0, nil
}

// noteOpening counts the opening, unless it was counted that day; false then.
func (s *Service[I]) noteOpening(ctx context.Context, c *kernel.Call[Tx], o Opening) (first bool, err error) {
	first, err = c.Tx.Pool(s.kind).Open(ctx, o)
	if errors.Is(err, ErrLost) {
		m, err := c.Tx.Pool(s.kind).Counter(ctx, c.Actor.Tenant, c.Actor.User)
		if err != nil {
			return false, err
		}
		if m.OpensDay > o.Day {
			return false, behind(m.OpensDay)
		}
		return false, &Refusal{
			Ref: kernel.Ref{Kind: string(s.kind), ID: o.ID}, Reason: OpenLimit, Limit: m.OpenLimit, Until: o.Day.Next().Start(c.Rights.Zone),
		}
	}
	if err != nil || !first {
		return false, err
	}
	ref := kernel.Ref{Kind: string(s.kind), ID: o.ID}
	after := map[string]any{"day": o.Day}
	if o.Exempt {
		after["exempt"] = true
	}
	return true, c.Record(ctx, kernel.Change{Subject: ref, Ref: ref, Type: string(s.kind) + ".opened", After: after})
}

// reveal reads a customer with its children, as they are.
func reveal(ctx context.Context, c *kernel.Call[Tx], record int64) (*Opened, error) {
	id := customer.ID(record)
	t, w := c.Actor.Tenant, kernel.Window{Limit: openedMost}
	found, err := c.Tx.Customers().Get(ctx, t, kernel.Scope{All: true}, id)
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	o := &Opened{Customer: found[0]}
	var err1, err2, err3 error
	o.Contacts, err1 = c.Tx.Contacts().List(ctx, t, id, w)
	o.Addresses, err2 = c.Tx.Addresses().List(ctx, t, id, w)
	o.Interactions, err3 = c.Tx.Interactions().List(ctx, t, id, w)
	o.More = max(len(o.Contacts), len(o.Addresses), len(o.Interactions)) > openedMost
	o.Contacts, o.Addresses, o.Interactions = firstOf(o.Contacts), firstOf(o.Addresses), firstOf(o.Interactions)
	return o, kernel.FirstError(err1, err2, err3)
}

func firstOf[T any](found []T) []T { return found[:min(len(found), openedMost)] }

// OpensKept is how long the rows that Open writes are kept at least, unless PurgeOpens is told otherwise.
const OpensKept = 90 * day

// purgeBatch is how many rows go in one transaction: short locks, and a call that can be killed and run again.
const purgeBatch = 5_000

// PurgeOpens deletes the rows of openings of days that ended so long ago, in batches that commit: a nightly job. 0 is
// OpensKept. Those of today stay whatever it is told, and so does the audit trail. It returns how many are gone. Only the
// system actor may, and not in a host's transaction.
func (s *Service[I]) PurgeOpens(ctx context.Context, a kernel.Actor, olderThan time.Duration) (purged int, err error) {
	const op = "pool.PurgeOpens"
	if olderThan == 0 {
		olderThan = OpensKept
	}
	if olderThan < 0 {
		return 0, kernel.Wrap(op, kernel.Invalid("older_than", kernel.OutOfRange))
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolManage)
	if err == nil && !rights.System {
		err = &kernel.Error{Code: kernel.ErrDenied, Field: "actor", Err: errors.New("only the system actor may")}
	}
	if err != nil {
		return 0, kernel.Wrap(op, err)
	}
	before := kernel.DateOf(s.core.Clock.Now().Add(-olderThan), rights.Zone)
	for n := purgeBatch; n == purgeBatch && err == nil; {
		err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) (err error) {
			n, err = tx.Pool(s.kind).PurgeOpens(ctx, a.Tenant, before, purgeBatch)
			return err
		})
		if err == nil {
			purged += n
		}
	}
	return purged, kernel.Wrap(op, err)
}
