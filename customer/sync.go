package customer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// SyncOptions may be nil, and so may each field.
type SyncOptions struct {
	// Fields are what a sync writes of customers that exist already, even when the item has them empty. Defaults to
	// the fields that the item says something about. Owner, pool, stage and clocks are never written by a later sync.
	Fields []Field
	// ToPool sends a new customer whose owner has no free place, or is no active member, to its home pool. Defaults to
	// refusing the item.
	ToPool bool
}

// Sync mirrors at most 10,000 customers of a host's system by their host keys (ExternalSystem and ExternalID, both
// needed; one system a call). New ones are created, and may state owner, OwnedSince, follow-up clocks and stage; of the
// others the fields of the options are written where they differ. A deleted match stays deleted. The same items again
// change nothing. The whole call is one transaction; refusals by state are outcomes of their items.
func (s *Service) Sync(ctx context.Context, a kernel.Actor, items []*Customer, opts *SyncOptions) ([]Outcome, error) {
	const op = "customer.Sync"
	if opts == nil {
		opts = &SyncOptions{}
	}
	fields, err := fieldsNamed(opts.Fields)
	if err := kernel.FirstError(err, kernel.CheckItems("items", len(items))); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	if len(items) == 0 {
		return nil, nil
	}
	drafts, err := syncDrafts(items, s.core.Clock.Now())
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerSync, drafts, func(ctx context.Context, c *kernel.Call[Tx]) ([]Outcome, error) {
		return s.syncAll(ctx, c, drafts, fields, opts.ToPool)
	})
}

// fieldsNamed is nil for no names: then each item says which fields it has.
func fieldsNamed(names []Field) ([]field, error) {
	var fields []field
	for _, name := range names {
		i := slices.IndexFunc(allFields, func(f field) bool { return f.name == name })
		if i < 0 || name == "external_system" || name == "external_id" {
			return nil, kernel.Invalidf("fields", kernel.Unknown, "%.40q is no field that a sync can write", string(name))
		}
		fields = append(fields, allFields[i])
	}
	return fields, nil
}

func syncDrafts(items []*Customer, now time.Time) ([]*Customer, error) {
	drafts := make([]*Customer, len(items))
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		if item == nil {
			return nil, kernel.At(i, kernel.Invalid("customer", kernel.Empty))
		}
		d := *item
		err := kernel.FirstError(d.check(), d.checkClocks(now))
		switch {
		case err != nil:
		case d.ExternalID == "":
			err = kernel.Invalid("external_id", kernel.Empty)
		case d.ExternalSystem != items[0].ExternalSystem:
			err = kernel.Invalidf("external_system", kernel.Malformed, "one system a call")
		case seen[d.ExternalID]:
			err = kernel.Invalidf("external_id", kernel.Duplicate, "%q comes twice", d.ExternalID)
		case d.Standing == Blacklisted:
			err = kernel.Invalidf("standing", kernel.ReadOnly, "blacklist it once it is there")
		}
		if err != nil {
			return nil, kernel.At(i, err)
		}
		seen[d.ExternalID] = true
		d.ID, d.DeletedAt, d.PoolEnteredAt, d.LastOwner, d.LockUntil, d.LockReason = 0, time.Time{}, time.Time{}, "", time.Time{}, ""
		if d.Stage != Lost {
			d.LostReason = ""
		}
		drafts[i] = &d
	}
	return drafts, nil
}

// checkClocks refuses clocks that no life in this CRM could have left.
func (c *Customer) checkClocks(now time.Time) error {
	o := &c.Ownership
	o.OwnedSince, o.FirstFollowupAt, o.LastFollowupAt = kernel.Instant(o.OwnedSince), kernel.Instant(o.FirstFollowupAt), kernel.Instant(o.LastFollowupAt)
	switch {
	case o.OwnerID == "" && !o.OwnedSince.IsZero():
		return kernel.Invalidf("owned_since", kernel.Malformed, "nobody owns it")
	case o.OwnerID == "" && !(o.FirstFollowupAt.IsZero() && o.LastFollowupAt.IsZero()):
		return kernel.Invalidf("last_followup_at", kernel.Malformed, "nobody owns it")
	case o.FirstFollowupAt.IsZero() != o.LastFollowupAt.IsZero() || o.FirstFollowupAt.After(o.LastFollowupAt):
		return kernel.Invalidf("first_followup_at", kernel.Malformed, "the first follow-up comes with the last, and not after it")
	case o.OwnedSince.After(now):
		return kernel.Invalid("owned_since", kernel.InFuture)
	case o.LastFollowupAt.After(now):
		return kernel.Invalid("last_followup_at", kernel.InFuture)
	case !o.FirstFollowupAt.IsZero() && (o.OwnedSince.IsZero() || o.FirstFollowupAt.Before(o.OwnedSince)):
		return kernel.Invalidf("first_followup_at", kernel.OutOfRange, "before owned_since, which must be stated with it")
	}
	return kernel.CheckInstant("owned_since", o.OwnedSince)
}

func (s *Service) syncAll(ctx context.Context, c *kernel.Call[Tx], drafts []*Customer, fields []field, toPool bool) ([]Outcome, error) {
	outcomes := make([]Outcome, len(drafts))
	todo := make([]int, len(drafts))
	for i := range todo {
		todo[i] = i
	}
	// Twice: what another sync created between the look and the insert is there at the second look.
	for range 2 {
		left, err := syncExisting(ctx, c, drafts, todo, fields, outcomes)
		if err != nil {
			return nil, err
		}
		todo, err = s.syncNew(ctx, c, drafts, left, toPool, outcomes)
		if err != nil {
			return nil, err
		}
		if len(todo) == 0 {
			return outcomes, nil
		}
	}
	return nil, kernel.ErrRetry
}

// syncExisting updates the items whose host key a customer has, and returns the others.
func syncExisting(ctx context.Context, c *kernel.Call[Tx], drafts []*Customer, todo []int, fields []field, outcomes []Outcome) (left []int, err error) {
	keys := make([]string, len(todo))
	for i, at := range todo {
		keys[i] = drafts[at].ExternalID
	}
	found, err := c.Tx.Customers().LockByKey(ctx, c.Actor.Tenant, drafts[0].ExternalSystem, keys...)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*Customer, len(found))
	for _, x := range found {
		byKey[x.ExternalID] = x
	}
	var next []*Customer
	var at []int
	var changes []kernel.Change
	differ := map[Field]bool{} // of any
	for _, i := range todo {
		cur, ok := byKey[drafts[i].ExternalID]
		switch {
		case !ok:
			left = append(left, i)
			continue
		case !cur.DeletedAt.IsZero():
			outcomes[i] = Outcome{ID: cur.ID, Did: WasDeleted}
			continue
		}
		n, change, names := cur.synced(drafts[i], fields)
		if n == nil {
			outcomes[i] = Outcome{ID: cur.ID, Did: WasUnchanged}
			continue
		}
		if no, ok := errors.AsType[*kernel.Error](sentBack(n, cur, customerSecrets)); ok {
			outcomes[i] = Outcome{ID: cur.ID, Did: WasRefused, Err: no}
			continue
		}
		n.UpdatedAt, n.UpdatedBy = c.Now, c.Actor.User
		outcomes[i] = Outcome{ID: cur.ID, Did: WasUpdated}
		next, at, changes = append(next, n), append(at, i), append(changes, change)
		for _, name := range names {
			differ[name] = true
		}
	}
	if len(next) == 0 {
		return left, nil
	}
	taken, err := c.Tx.Customers().UpdateFields(ctx, c.Actor.Tenant, slices.Sorted(maps.Keys(differ)), next...)
	if err != nil {
		return nil, err
	}
	for _, t := range taken {
		outcomes[at[t.Index]] = Outcome{ID: next[t.Index].ID, Did: WasRefused, Err: kernel.Taken(t.Field)}
		changes[t.Index].Type = ""
	}
	changes = slices.DeleteFunc(changes, func(ch kernel.Change) bool { return ch.Type == "" })
	return left, c.Record(ctx, changes...)
}

// synced is the customer after a sync of the fields, with its change and which of them differ; nil when none does. It is
// [kernel.Diff] for a few fields: that of whole customers took half the time of a sync.
func (c *Customer) synced(from *Customer, fields []field) (*Customer, kernel.Change, []Field) {
	says := fields == nil
	if says {
		fields = allFields
	}
	next, was, is := *c, map[string]any{}, map[string]any{}
	var differ []Field
	for _, f := range fields {
		if f.same(c, from) || says && !f.says(from) || f.name == "code" && from.Code == "" {
			continue
		}
		f.copy(&next, from)
		differ = append(differ, f.name)
		if old, there := f.value(c); there {
			was[string(f.name)] = old
		}
		is[string(f.name)] = nil
		if v, there := f.value(from); there {
			is[string(f.name)] = v
		}
	}
	if len(differ) == 0 {
		return nil, kernel.Change{}, nil
	}
	next.Version, next.Seq = c.Version+1, c.Seq+1
	return &next, kernel.Change{Subject: next.Ref(), Seq: next.Seq, Ref: next.Ref(), Type: "customer.synced", Before: was, After: is}, differ
}

// syncNew creates the items that no customer has the key of; those whose key was taken meanwhile it returns.
func (s *Service) syncNew(
	ctx context.Context, c *kernel.Call[Tx], drafts []*Customer, todo []int, toPool bool, outcomes []Outcome,
) (again []int, err error) {
	if len(todo) == 0 {
		return nil, nil
	}
	// Two syncs that insert the same keys wait for each other in one order.
	slices.SortFunc(todo, func(i, j int) int { return compare(drafts[i].ExternalID, drafts[j].ExternalID) })
	todo, err = activeOwners(ctx, c, drafts, todo, toPool, outcomes)
	if err != nil || len(todo) == 0 {
		return nil, err
	}
	fresh := make([]*Customer, len(todo))
	for i, at := range todo {
		fresh[i] = drafts[at]
	}
	made, err := s.insert(ctx, c, fresh, kernel.WhatCanBeHad, toPool)
	if err != nil {
		return nil, err
	}
	for i, o := range made {
		if o.Err != nil && o.Err.Field == "external_id" {
			again = append(again, todo[i])
			continue
		}
		outcomes[todo[i]] = o
	}
	return again, nil
}

// activeOwners sends items whose owner is no active member to the pool, or refuses them: a directory that lags behind
// must not stop the rest.
func activeOwners(ctx context.Context, c *kernel.Call[Tx], drafts []*Customer, todo []int, toPool bool, outcomes []Outcome) ([]int, error) {
	var owners []kernel.UserID
	for _, i := range todo {
		owners = append(owners, drafts[i].OwnerID)
	}
	homes, err := c.Tx.Customers().Homes(ctx, c.Actor.Tenant, append(unique(owners), "")...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(todo, func(i int) bool {
		if _, active := homes[drafts[i].OwnerID]; active {
			return false
		}
		if toPool {
			drafts[i].Ownership = Ownership{PoolID: drafts[i].PoolID}
			return false
		}
		outcomes[i] = Outcome{Did: WasRefused, Err: &kernel.Error{Code: kernel.ErrRefused, Field: "owner_id", Reason: kernel.NotAMember}}
		return true
	}), nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
