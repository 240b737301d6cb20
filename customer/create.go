package customer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Did says what a call that takes many did with one item.
type Did string

// What can be done with an item.
const (
	WasCreated   Did = "created"
	WasUpdated   Did = "updated"
	WasUnchanged Did = "unchanged"
	WasDeleted   Did = "deleted" // its host key belongs to a deleted customer, which stays deleted
	WasRefused   Did = "refused" // Outcome.Err says why
)

// Outcome is what became of one item of a call that takes many, in the order of the items.
type Outcome struct {
	ID  ID            `json:"id,omitempty"`
	Did Did           `json:"did"`
	Err *kernel.Error `json:"err,omitempty"`
}

// Create writes one customer: with an owner, who then needs a free place under the cap, or without one into its home
// pool, where it can be claimed at once, or is given to a member by the territories if the pool says so (its AssignNew). The
// home pool is the one that it names, else the first by priority that the owner belongs to, else the tenant's default pool.
// Id, code (when empty), version and times are filled in.
//
// Creating for somebody else needs the permission pool.assign over that member. Errors: invalid with the field; a
// conflict (reason Duplicate) when "code" or "external_id" is taken; refused (reason NoPlace) at the cap.
func (s *Service) Create(ctx context.Context, a kernel.Actor, c *Customer) error {
	_, err := s.create(ctx, a, "customer.Create", []*Customer{c}, kernel.AllOrNothing)
	return kernel.Single(err)
}

// CreateMany is Create for at most 10,000 customers in one transaction. Malformed input refuses the whole call, with the
// item's index. A unique value that is taken, or a cap without a place (places go in the order of the items), refuses
// the item, or the whole call under AllOrNothing.
func (s *Service) CreateMany(ctx context.Context, a kernel.Actor, cs []*Customer, how kernel.Several) ([]Outcome, error) {
	return s.create(ctx, a, "customer.CreateMany", cs, how)
}

type createdMany struct {
	Customers []*Customer `json:"customers"`
	Outcomes  []Outcome   `json:"outcomes"`
}

func (s *Service) create(ctx context.Context, a kernel.Actor, op string, cs []*Customer, how kernel.Several) ([]Outcome, error) {
	if err := kernel.CheckItems("customers", len(cs)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	drafts := make([]*Customer, len(cs)) // the caller's structs change only when the transaction succeeded
	for i, c := range cs {
		if c == nil {
			return nil, kernel.Wrap(op, kernel.At(i, kernel.Invalid("customer", kernel.Empty)))
		}
		draft, err := c.draft()
		if err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
		drafts[i] = draft
	}
	done, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerCreate, drafts, func(ctx context.Context, c *kernel.Call[Tx]) (createdMany, error) {
		if err := mayGive(c, drafts); err != nil {
			return createdMany{}, err
		}
		outcomes, err := s.insert(ctx, c, drafts, how, false)
		return createdMany{drafts, outcomes}, err
	})
	if err != nil {
		return nil, err
	}
	for i, o := range done.Outcomes {
		if o.Err == nil {
			*cs[i] = *done.Customers[i]
		}
	}
	return done.Outcomes, nil
}

// draft is what of c a create takes over, checked.
func (c *Customer) draft() (*Customer, error) {
	d := *c
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Stage != Potential {
		return nil, kernel.Invalidf("stage", kernel.ReadOnly, "a customer begins as %s", Potential)
	}
	if d.Standing == Blacklisted {
		return nil, kernel.Invalidf("standing", kernel.ReadOnly, "blacklist it once it is there")
	}
	d.Ownership = Ownership{OwnerID: d.OwnerID, PoolID: d.PoolID}
	d.LostReason, d.BlacklistReason, d.DeletedAt = "", "", time.Time{}
	return &d, nil
}

// mayGive refuses owners that the actor may not give customers to: itself it always may.
func mayGive(c *kernel.Call[Tx], cs []*Customer) error {
	for i, x := range cs {
		if x.OwnerID == "" || x.OwnerID == c.Actor.User {
			continue
		}
		scope, err := c.Rights.Scope(kernel.PoolAssign)
		if err != nil {
			return err
		}
		if !scope.Sees(x.OwnerID, "", 0) {
			return kernel.At(i, kernel.Invalidf("owner_id", kernel.Unknown, "no active member that the actor may assign to"))
		}
	}
	return nil
}

// insert writes new customers, those with an owner as far as its cap allows. With toPool an item without a place goes to
// its home pool; otherwise it is refused.
func (s *Service) insert(ctx context.Context, c *kernel.Call[Tx], cs []*Customer, how kernel.Several, toPool bool) ([]Outcome, error) {
	if err := settle(ctx, c, cs); err != nil {
		return nil, err
	}
	plan, err := s.planFor(ctx, c, cs, toPool)
	if err != nil {
		return nil, err
	}
	var team []kernel.UserID
	if plan != nil {
		team = plan.Users()
	}
	outcomes := make([]Outcome, len(cs))
	for i := range outcomes {
		outcomes[i].Did = WasCreated
	}
	if toPool { // decided before the insert; the counters of new rows' owners cannot deadlock with what nobody sees yet
		if _, err := seat(ctx, c, cs, outcomes, true, team); err != nil {
			return nil, err
		}
	}
	taken, err := c.Tx.Customers().Insert(ctx, c.Actor.Tenant, cs...)
	if err != nil {
		return nil, err
	}
	for _, t := range taken {
		outcomes[t.Index] = Outcome{Did: WasRefused, Err: kernel.Taken(t.Field)}
	}
	homeless, err := seat(ctx, c, cs, outcomes, false, team)
	if err != nil {
		return nil, err
	}
	if how == kernel.AllOrNothing {
		if i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Err != nil }); i >= 0 {
			return nil, kernel.At(i, outcomes[i].Err)
		}
	}
	if len(homeless) > 0 {
		if err := c.Tx.Customers().Discard(ctx, c.Actor.Tenant, homeless...); err != nil {
			return nil, err
		}
	}
	if err := tellCreated(ctx, c, cs, outcomes); err != nil {
		return nil, err
	}
	return outcomes, assignNew(ctx, plan, cs, outcomes)
}

// settle fills in what a new customer has from its first day: owner's clock, home pool, versions and times.
func settle(ctx context.Context, c *kernel.Call[Tx], cs []*Customer) error {
	var owners []kernel.UserID
	var pools []PoolID
	for _, x := range cs {
		owners, pools = append(owners, x.OwnerID), append(pools, x.PoolID)
	}
	owners, pools = unique(owners), unique(pools)
	homes, err := c.Tx.Customers().Homes(ctx, c.Actor.Tenant, append(owners, "")...)
	if err != nil {
		return err
	}
	known, err := c.Tx.Customers().PoolsExist(ctx, c.Actor.Tenant, pools...)
	if err != nil {
		return err
	}
	for i, x := range cs {
		home, active := homes[x.OwnerID]
		switch {
		case !active:
			return kernel.At(i, kernel.Invalidf("owner_id", kernel.Unknown, "no active member that the actor may assign to"))
		case x.PoolID == 0:
			x.PoolID = home
		case !slices.Contains(known, x.PoolID):
			return kernel.At(i, kernel.Invalidf("pool_id", kernel.Unknown, "the tenant has no such pool"))
		}
		if x.OwnerID != "" && x.OwnedSince.IsZero() {
			x.OwnedSince = c.Now
		}
		x.Version, x.Seq = 1, 1
		x.CreatedAt, x.CreatedBy, x.UpdatedAt, x.UpdatedBy = c.Now, c.Actor.User, c.Now, c.Actor.User
	}
	return nil
}

func unique[T int64 | PoolID | kernel.UserID](items []T) []T {
	slices.Sort(items)
	items = slices.Compact(items)
	if len(items) > 0 && items[0] == *new(T) {
		return items[1:]
	}
	return items
}

// seekers are the owners who need a place, each with 0.
func seekers(cs []*Customer, outcomes []Outcome) map[kernel.UserID]int {
	places := map[kernel.UserID]int{}
	for i, x := range cs {
		if outcomes[i].Err == nil && x.OwnerID != "" { // also who needs no place locks the counter: it may be closed
			places[x.OwnerID] = 0
		}
	}
	return places
}

// seat gives the places of the owners' caps in the order of the items. What finds none goes to its pool (before the
// insert, with toPool), or is refused and returned. The counters of also are locked with the owners', in one order.
func seat(
	ctx context.Context, c *kernel.Call[Tx], cs []*Customer, outcomes []Outcome, toPool bool, also []kernel.UserID,
) (homeless []ID, err error) {
	places := seekers(cs, outcomes)
	if len(places) == 0 && (!toPool || len(also) == 0) { // before the insert always, or two syncs wait for each other
		return nil, nil
	}
	users := slices.Clone(also)
	for user := range places {
		users = append(users, user)
	}
	slices.Sort(users)
	counters, err := c.Tx.Counters(Kind).Lock(ctx, c.Actor.Tenant, users...)
	if err != nil {
		return nil, err
	}
	byOwner := make(map[kernel.UserID]Counter, len(counters))
	for _, m := range counters {
		byOwner[m.User] = m
	}
	for i, x := range cs {
		m := byOwner[x.OwnerID]
		m.Places += places[x.OwnerID]
		switch {
		case outcomes[i].Err != nil || x.OwnerID == "":
		case m.seats(x):
			places[x.OwnerID] += x.places()
		case toPool:
			x.Ownership = Ownership{PoolID: x.PoolID}
		default:
			outcomes[i] = Outcome{Did: WasRefused, Err: &kernel.Error{
				Code: kernel.ErrRefused, Field: "owner_id", Reason: NoPlace,
				Err: fmt.Errorf("%s has all %d places in use", x.OwnerID, m.Cap),
			}}
			homeless = append(homeless, x.ID)
		}
	}
	if toPool {
		return nil, nil
	}
	return homeless, c.Tx.Counters(Kind).AddPlaces(ctx, c.Actor.Tenant, places)
}

// tellCreated writes the journal of new customers, and the operation log of those that have an owner.
func tellCreated(ctx context.Context, c *kernel.Call[Tx], cs []*Customer, outcomes []Outcome) error {
	var changes []kernel.Change
	var ops []Operation
	for i, x := range cs {
		if outcomes[i].Err != nil {
			continue
		}
		outcomes[i].ID = x.ID
		changes = append(changes, kernel.Change{Subject: x.Ref(), Seq: x.Seq, Ref: x.Ref(), Type: "customer.created", After: x})
		if x.OwnerID != "" {
			ops = append(ops, Operation{
				Kind: Kind, RecordID: int64(x.ID), Action: Created, Actor: c.Actor.User, To: x.OwnerID,
				PoolID: x.PoolID, Request: c.Actor.Request, At: c.Now,
			})
		}
	}
	if len(ops) > 0 {
		if err := c.Tx.Operations(Kind).Append(ctx, c.Actor.Tenant, ops...); err != nil {
			return err
		}
	}
	return c.Record(ctx, changes...)
}
