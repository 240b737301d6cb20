package customer

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Reasons of refusals and conflicts that only customers have.
const (
	NoPlace kernel.Reason = "cap" // the owner's cap leaves no place
)

// Service is the use cases of customers. All of them are scoped: a customer that the actor may not see is not found. One that
// lies in a pool is read masked by every person, and so is all that hangs on it, see [Customer.Mask]; pool.Service.Open shows
// it whole. A masked record cannot be written (invalid, reason Masked).
type Service struct {
	Contacts     *Contacts
	Addresses    *Addresses
	Tags         *Tags
	Interactions *Interactions
	Tasks        *Tasks

	core     kernel.Service[Tx]
	assigner Assigner
}

// NewService is for crm.New.
func NewService(core kernel.Service[Tx], assigner Assigner) *Service {
	return &Service{
		Contacts: &Contacts{core}, Addresses: &Addresses{core}, Tags: &Tags{core}, Interactions: &Interactions{core},
		Tasks: &Tasks{core}, core: core, assigner: assigner,
	}
}

// Get returns one customer.
func (s *Service) Get(ctx context.Context, a kernel.Actor, id ID) (*Customer, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Customer, error) {
		found, err := c.Tx.Customers().Get(ctx, a.Tenant, c.Scope, id)
		return one(veiled(c, found, customerInPool), err)
	})
}

// one is the only customer of a list, or not found.
func one(found []*Customer, err error) (*Customer, error) {
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// GetMany returns the customers that exist within the scope, in the order asked; the others are left out.
func (s *Service) GetMany(ctx context.Context, a kernel.Actor, ids []ID) ([]*Customer, error) {
	const op = "customer.GetMany"
	if err := kernel.CheckItems("ids", len(ids)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Customer, error) {
		found, err := c.Tx.Customers().Get(ctx, a.Tenant, c.Scope, ids...)
		place := make(map[ID]int, len(ids))
		for i, id := range slices.Backward(ids) {
			place[id] = i
		}
		slices.SortFunc(found, func(x, y *Customer) int { return place[x.ID] - place[y.ID] })
		return veiled(c, found, customerInPool), err
	})
}

// GetByKey returns the customer that has the host's key: the system and the id there (ExternalSystem and ExternalID).
func (s *Service) GetByKey(ctx context.Context, a kernel.Actor, system, externalID string) (*Customer, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.GetByKey", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Customer, error) {
		if err := checkKeys(system, externalID); err != nil {
			return nil, err
		}
		found, err := c.Tx.Customers().ByKey(ctx, a.Tenant, c.Scope, system, externalID)
		return one(veiled(c, found, customerInPool), err)
	})
}

// GetManyByKey is GetByKey for at most 10,000 keys of one system: those that exist within the scope, in the order of
// their ids.
func (s *Service) GetManyByKey(ctx context.Context, a kernel.Actor, system string, externalIDs []string) ([]*Customer, error) {
	const op = "customer.GetManyByKey"
	if err := kernel.FirstError(kernel.CheckItems("external_ids", len(externalIDs)), checkKeys(system, externalIDs...)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]*Customer, error) {
		found, err := c.Tx.Customers().ByKey(ctx, a.Tenant, c.Scope, system, externalIDs...)
		return veiled(c, found, customerInPool), err
	})
}

func checkKeys(system string, externalIDs ...string) error {
	if err := kernel.CheckName("external_system", system, 50); err != nil {
		return err
	}
	for i, id := range externalIDs {
		if err := kernel.CheckName("external_id", id, 100); err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// List returns a page of the customers that the filter leaves, in the order they were made, or newest first.
func (s *Service) List(ctx context.Context, a kernel.Actor, f Filter, p kernel.Page) (kernel.List[*Customer], error) {
	const op = "customer.List"
	list := "customers"
	if f.Newest { // a cursor of one order means nothing in the other
		list = "customers-newest"
	}
	w, err := p.Open(list, 1)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[*Customer]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Customer], error) {
		found, err := c.Tx.Customers().List(ctx, a.Tenant, c.Scope, f, w)
		return kernel.Cut(list, w, veiled(c, found, customerInPool), func(x *Customer) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// countLimit is as far as Count counts: an exact total of a common filter costs a scan of the table.
const countLimit = 10_000

// Count tells how many customers the filter leaves; more is set when there are more than the 10,000 that it counts to.
func (s *Service) Count(ctx context.Context, a kernel.Actor, f Filter) (n int, more bool, err error) {
	const op = "customer.Count"
	if err := f.check(); err != nil {
		return 0, false, kernel.Wrap(op, err)
	}
	n, err = kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (int, error) {
		return c.Tx.Customers().Count(ctx, a.Tenant, c.Scope, f, countLimit+1)
	})
	return min(n, countLimit), n > countLimit, err
}

// Facts returns the counts and last instants that rules read of a customer.
func (s *Service) Facts(ctx context.Context, a kernel.Actor, id ID) (Facts, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Facts", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (Facts, error) {
		if _, err := one(c.Tx.Customers().Get(ctx, a.Tenant, c.Scope, id)); err != nil {
			return Facts{}, err
		}
		return factsOf(ctx, c, id)
	})
}

func factsOf(ctx context.Context, c *kernel.Call[Tx], id ID) (Facts, error) {
	found, err := c.Tx.Customers().Facts(ctx, c.Actor.Tenant, id)
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	if err != nil {
		return Facts{}, err
	}
	return found[0], nil
}

// Update writes what a host may edit of a customer that it has read: everything but owner, pool, clocks, stage and
// blacklist, which have use cases of their own (invalid, reason ReadOnly). The customer's Version must be the one that
// was read, else the error is a conflict with reason Stale and a *kernel.StaleError. On success c is as written.
func (s *Service) Update(ctx context.Context, a kernel.Actor, c *Customer) error {
	const op = "customer.Update"
	given := *c
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, given, func(ctx context.Context, call *kernel.Call[Tx]) (*Customer, error) {
		cur, err := one(call.Tx.Customers().Lock(ctx, a.Tenant, call.Scope, false, given.ID))
		if err != nil {
			return nil, err
		}
		next, err := cur.edited(given)
		if err != nil {
			return nil, err
		}
		return next, save(ctx, call, "customer.updated", cur, next)
	})
	if err == nil {
		*c = *written
	}
	return err
}

// edited is the customer with the host's changes, or why they are not accepted.
func (c *Customer) edited(given Customer) (*Customer, error) {
	if given.Version != c.Version {
		return nil, kernel.StaleVersion(given.Version, c.Version)
	}
	if err := kernel.FirstError(
		sentBack(&given, c, customerSecrets),
		unchanged("owner_id", given.OwnerID, c.OwnerID), unchanged("pool_id", given.PoolID, c.PoolID),
		unchanged("stage", given.Stage, c.Stage), unchanged("lost_reason", given.LostReason, c.LostReason),
		unchanged("blacklist_reason", given.BlacklistReason, c.BlacklistReason),
		unchanged("standing", given.Standing == Blacklisted, c.Standing == Blacklisted),
	); err != nil {
		return nil, err
	}
	next := *c
	for _, f := range allFields {
		f.copy(&next, &given)
	}
	next.Standing = given.Standing
	if next.Code == "" { // a code is not given back
		next.Code = c.Code
	}
	return &next, nil
}

func unchanged[T comparable](field string, given, is T) error {
	if given != is {
		return kernel.Invalidf(field, kernel.ReadOnly, "it changes through a use case of its own")
	}
	return nil
}

// save writes next over cur with its change; nothing when nothing differs.
func save(ctx context.Context, c *kernel.Call[Tx], event string, cur, next *Customer) error {
	was, is := kernel.Diff(cur, next)
	if is == nil {
		return nil
	}
	next.Version, next.Seq = cur.Version+1, cur.Seq+1
	next.UpdatedAt, next.UpdatedBy = c.Now, c.Actor.User
	taken, err := c.Tx.Customers().Update(ctx, c.Actor.Tenant, next)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return kernel.Taken(taken[0].Field)
	}
	return c.Record(ctx, kernel.Change{Subject: next.Ref(), Seq: next.Seq, Ref: next.Ref(), Type: event, Before: was, After: is})
}

// Blacklist stops business with a customer: it can be released and transferred, but not claimed, quoted or sent to. It
// moves nobody. A reason is needed.
func (s *Service) Blacklist(ctx context.Context, a kernel.Actor, id ID, reason string) error {
	if err := kernel.CheckName("reason", reason, 500); err != nil {
		return kernel.Wrap("customer.Blacklist", err)
	}
	return s.change(ctx, a, "customer.Blacklist", kernel.CustomerBlacklist, id, "customer.blacklisted", reason, func(c *Customer, _ time.Time) error {
		c.Standing, c.BlacklistReason = Blacklisted, reason
		return nil
	})
}

// Unblacklist makes a customer active again.
func (s *Service) Unblacklist(ctx context.Context, a kernel.Actor, id ID) error {
	return s.change(ctx, a, "customer.Unblacklist", kernel.CustomerBlacklist, id, "customer.unblacklisted", "", func(c *Customer, _ time.Time) error {
		if c.Standing == Blacklisted {
			c.Standing, c.BlacklistReason = Active, ""
		}
		return nil
	})
}

// SetStage moves a customer by hand. Lost needs a reason; the others take none. A customer that leaves Won takes a place
// under its owner's cap even above it; one that enters Won frees its place (rules.md, Stage and places).
func (s *Service) SetStage(ctx context.Context, a kernel.Actor, id ID, stage Stage, reason string) error {
	const op = "customer.SetStage"
	err := kernel.OneOf("stage", stage, Potential, Won, Lost)
	switch {
	case stage == "":
		err = kernel.Invalid("stage", kernel.Empty)
	case stage == Lost:
		err = kernel.FirstError(err, kernel.CheckName("reason", reason, 500))
	case reason != "":
		err = kernel.FirstError(err, kernel.Invalidf("reason", kernel.ReadOnly, "only a lost customer has one"))
	}
	if err != nil {
		return kernel.Wrap(op, err)
	}
	return s.change(ctx, a, op, kernel.CustomerUpdate, id, "customer.staged", [2]string{string(stage), reason}, func(c *Customer, _ time.Time) error {
		c.Stage, c.LostReason = stage, reason
		return nil
	})
}

// Delete takes a customer out of every list, rule and count. It frees its place and keeps its owner and pool for Restore,
// and it blocks no unique value. The version is the one that was read.
func (s *Service) Delete(ctx context.Context, a kernel.Actor, id ID, version int64) error {
	return s.change(ctx, a, "customer.Delete", kernel.CustomerDelete, id, "customer.deleted", version, func(c *Customer, now time.Time) error {
		if c.Version != version {
			return kernel.StaleVersion(version, c.Version)
		}
		c.DeletedAt, c.LockUntil, c.LockReason = now, time.Time{}, ""
		return nil
	})
}

// change locks one customer, changes it and moves the counter of its owner with it.
func (s *Service) change(ctx context.Context, a kernel.Actor, op string, p kernel.Permission, id ID, event string, input any,
	edit func(c *Customer, now time.Time) error,
) error {
	_, err := kernel.Do(ctx, &s.core, a, op, p, []any{id, input}, func(ctx context.Context, call *kernel.Call[Tx]) (kernel.None, error) {
		cur, err := one(call.Tx.Customers().Lock(ctx, a.Tenant, call.Scope, false, id))
		if err != nil {
			return kernel.None{}, err
		}
		next := *cur
		if err := edit(&next, call.Now); err != nil {
			return kernel.None{}, err
		}
		if err := save(ctx, call, event, cur, &next); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, movePlace(ctx, call, cur, &next)
	})
	return err
}

// movePlace keeps the owner's counter when a change makes the customer take a place, or take none.
func movePlace(ctx context.Context, c *kernel.Call[Tx], was, is *Customer) error {
	places := map[kernel.UserID]int{}
	if was.TakesPlace() {
		places[was.OwnerID]--
	}
	if is.TakesPlace() {
		places[is.OwnerID]++
	}
	return addPlaces(ctx, c, places)
}

// addPlaces locks the counters in the order of their users, and after the customers: the lock order everywhere.
func addPlaces(ctx context.Context, c *kernel.Call[Tx], places map[kernel.UserID]int) error {
	users := make([]kernel.UserID, 0, len(places))
	for user, n := range places {
		if n == 0 {
			delete(places, user)
			continue
		}
		users = append(users, user)
	}
	if len(users) == 0 {
		return nil
	}
	slices.Sort(users)
	counters := c.Tx.Counters(Kind)
	if _, err := counters.Lock(ctx, c.Actor.Tenant, users...); err != nil {
		return err
	}
	return counters.AddPlaces(ctx, c.Actor.Tenant, places)
}

// Restore brings a deleted customer back to its owner; to its pool when the owner has no free place, is no active member
// any more, or there was none. A code or host key that another customer has taken meanwhile is a conflict.
func (s *Service) Restore(ctx context.Context, a kernel.Actor, id ID) (*Customer, error) {
	return kernel.Do(ctx, &s.core, a, "customer.Restore", kernel.CustomerDelete, id, func(ctx context.Context, c *kernel.Call[Tx]) (*Customer, error) {
		cur, err := one(c.Tx.Customers().Lock(ctx, a.Tenant, c.Scope, true, id))
		if err != nil {
			return nil, err
		}
		next := *cur
		next.DeletedAt = time.Time{}
		keeps, err := hasPlace(ctx, c, &next)
		if err != nil {
			return nil, err
		}
		op := Operation{Kind: Kind, RecordID: int64(id), Action: Restored, Actor: a.User, From: cur.OwnerID, PoolID: next.PoolID, Request: a.Request, At: c.Now}
		if keeps {
			op.To = next.OwnerID
		} else {
			next.Ownership = next.inPool(c.Now)
			if err := c.Tx.Tasks().CancelOfOwners(ctx, a, c.Now, string(Restored), id); err != nil {
				return nil, err
			}
		}
		if err := save(ctx, c, "customer.restored", cur, &next); err != nil {
			return nil, err
		}
		if cur.OwnerID != "" {
			if err := c.Tx.Operations(Kind).Append(ctx, a.Tenant, op); err != nil {
				return nil, err
			}
		}
		err = movePlace(ctx, c, cur, &next)
		next.veil(!c.Rights.System && customerInPool(&next))
		return &next, err
	})
}

// hasPlace locks the owner's counter and tells whether the customer may stay with its owner.
func hasPlace(ctx context.Context, c *kernel.Call[Tx], x *Customer) (bool, error) {
	if x.OwnerID == "" {
		return false, nil
	}
	homes, err := c.Tx.Customers().Homes(ctx, c.Actor.Tenant, x.OwnerID)
	if _, active := homes[x.OwnerID]; err != nil || !active {
		return false, err
	}
	counters, err := c.Tx.Counters(Kind).Lock(ctx, c.Actor.Tenant, x.OwnerID)
	return err == nil && counters[0].seats(x), err
}

// inPool is the ownership after the record entered its pool.
func (o Ownership) inPool(now time.Time) Ownership {
	if o.OwnerID == "" {
		return o
	}
	o.LastOwner, o.OwnerID, o.OwnedSince, o.PoolEnteredAt = o.OwnerID, "", time.Time{}, now
	o.LockUntil, o.LockReason = time.Time{}, ""
	return o
}
