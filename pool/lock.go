package pool

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// The reasons of refusals that locks have.
const (
	Locked      kernel.Reason = "locked"        // its owner has locked it: it unlocks it first, or waits until then
	NotLocked   kernel.Reason = "not_locked"    // there is no lock to end
	LockTooLong kernel.Reason = "lock_too_long" // beyond the tenant's limit of days; Until is the latest end
	LockLimit   kernel.Reason = "lock_limit"    // the owner has locked as many as the tenant allows
)

// LockChange locks a record that its owner has, or ends its lock, with operation log, audit and event.
type LockChange struct {
	Action customer.Action // Locked or Unlocked
	By     kernel.Actor
	Now    time.Time
	Until  time.Time
	Reason string
	Record Record
}

// Lock keeps a record that the actor owns from the rules until an instant (zero: as long as the tenant's policy allows),
// with a reason. Its owner cannot release it meanwhile without unlocking it; a superior, an administrator and a transfer
// take it all the same, and then the lock ends, as the log says. A lock that has run out counts for nothing. Locking again
// replaces end and reason.
//
// It is refused beyond the policy's LockDays (LockTooLong) and LockLimit (LockLimit), of what nobody or somebody else owns
// (NotOwned, NotOwner). Only the owner locks, with the permission pool.claim.
func (s *Service[I]) Lock(ctx context.Context, a kernel.Actor, id I, until time.Time, reason string) error {
	const op = "pool.Lock"
	until = kernel.Instant(until)
	if err := kernel.FirstError(kernel.CheckInstant("until", until), kernel.CheckName("reason", reason, 100)); err != nil {
		return kernel.Wrap(op, err)
	}
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolClaim, []any{id, until, reason}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		return kernel.None{}, s.lock(ctx, c, int64(id), until, reason)
	})
	return err
}

func (s *Service[I]) lock(ctx context.Context, c *kernel.Call[Tx], id int64, until time.Time, reason string) error {
	r, err := s.releaser(ctx, c, id)
	if err != nil {
		return err
	}
	no := &Refusal{Ref: kernel.Ref{Kind: string(s.kind), ID: id}}
	x := r.records[id]
	if x.OwnerID == "" || x.OwnerID != c.Actor.User {
		if _, no.Reason = r.decide(id); no.Reason == "" { // who may take it off may not lock it
			no.Reason = NotOwner
		}
		return no
	}
	if !until.IsZero() && !until.After(c.Now) {
		return kernel.Invalidf("until", kernel.OutOfRange, "not in the future")
	}
	policy, err := c.Tx.Policies(s.kind).Policy(ctx, c.Actor.Tenant)
	if err != nil {
		return err
	}
	latest := c.Now.Add(time.Duration(policy.LockDays) * day)
	if until.IsZero() {
		until = latest
	}
	if until.After(latest) || !until.After(c.Now) {
		no.Reason, no.Until, no.Limit = LockTooLong, latest, policy.LockDays
		return no
	}
	// The counter row is what all locks of a member wait for: under it the locked rows can be counted, and expired ones need
	// nobody to count them down.
	if _, err := c.Tx.Counters(string(s.kind)).Lock(ctx, c.Actor.Tenant, c.Actor.User); err != nil {
		return err
	}
	have, err := c.Tx.Pool(s.kind).Locked(ctx, c.Actor.Tenant, c.Actor.User, c.Now, id)
	if err == nil && have >= policy.LockLimit {
		no.Reason, no.Limit = LockLimit, policy.LockLimit
		return no
	}
	if err != nil {
		return err
	}
	return c.Tx.Pool(s.kind).SetLock(ctx, LockChange{
		Action: customer.Locked, By: c.Actor, Now: c.Now, Until: until, Reason: reason, Record: x,
	})
}

// Unlock ends a lock. Whoever may release the record may; one that is not locked is refused (NotLocked).
func (s *Service[I]) Unlock(ctx context.Context, a kernel.Actor, id I) error {
	const op = "pool.Unlock"
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolRelease, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		r, err := s.releaser(ctx, c, int64(id))
		if err != nil {
			return kernel.None{}, err
		}
		_, no := r.decide(int64(id))
		x := r.records[int64(id)]
		if no == "" && !x.IsLocked(c.Now) {
			no = NotLocked
		}
		if no != "" && no != Locked {
			return kernel.None{}, &Refusal{Ref: kernel.Ref{Kind: string(s.kind), ID: int64(id)}, Reason: no}
		}
		return kernel.None{}, c.Tx.Pool(s.kind).SetLock(ctx, LockChange{Action: customer.Unlocked, By: c.Actor, Now: c.Now, Record: x})
	})
	return err
}
