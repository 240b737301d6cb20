package sales

import (
	"context"
	"fmt"
	"slices"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Leads is the use cases of leads. The permissions are those of customers (customer.read, customer.create, customer.update,
// interaction.write), in the same scopes; what lies in a pool of leads is read, masked, by its members. The pool itself is
// crm.CRM's LeadPool.
type Leads struct {
	core      kernel.Service[Tx]
	customers *customer.Maker
	deals     *Opportunities
	assigner  LeadAssigner
}

// LeadAssigner gives new leads that nobody owns to members, where their home pool says so, in the transaction that makes them.
// The pool does it; crm.New wires it.
type LeadAssigner interface {
	// Plan must tell who may get one of these leads, which have their home pools and are not written yet; nil when none of the
	// pools wants that. It must lock nothing.
	Plan(ctx context.Context, c *kernel.Call[Tx], xs []*Lead) (LeadAssignPlan, error)
}

// LeadAssignPlan is what a LeadAssigner found out about some leads.
type LeadAssignPlan interface {
	// Users must be all whose counters Assign will lock: those of explicit owners are locked with them, in one order.
	Users() []kernel.UserID
	// Assign must give those of the leads, now written and without an owner, that somebody can get, and note it in them.
	Assign(ctx context.Context, made []*Lead) error
}

// NewLeads is for crm.New. The scopes of core's rights name the pools of leads.
func NewLeads(core kernel.Service[Tx], customers *customer.Maker, deals *Opportunities, assigner LeadAssigner) *Leads {
	return &Leads{core, customers, deals, assigner}
}

// Create captures one lead: with an owner, who then needs a free place under the cap of leads, or without one into its home
// pool, where it can be claimed at once, or is given to a member by the territories if the pool says so (its AssignNew). The
// home pool is the one that it names, else the first by priority that the owner
// belongs to, else the tenant's default pool of leads. Id, version and times are filled in.
//
// Errors: invalid with the field; a conflict (reason Duplicate) on "phone", "email" or "external_id" when a living lead has
// it; refused (reason customer.NoPlace) at the cap. Creating for somebody else needs the permission pool.assign over that
// member.
func (s *Leads) Create(ctx context.Context, a kernel.Actor, x *Lead) error {
	_, err := s.capture(ctx, a, "sales.Leads.Create", []*Lead{x}, kernel.AllOrNothing)
	return kernel.Single(err)
}

// CreateMany is Create for at most 10,000 leads in one transaction. Malformed input refuses the whole call, with the item's
// index. A duplicate, of a living lead or of an earlier item, or a cap without a place (places go in the order of the
// items), refuses the item, or the whole call under AllOrNothing. The outcome of a duplicate names the lead that is there
// already, so that the same capture twice is no error for who asks.
func (s *Leads) CreateMany(ctx context.Context, a kernel.Actor, xs []*Lead, how kernel.Several) ([]Captured, error) {
	return s.capture(ctx, a, "sales.Leads.CreateMany", xs, how)
}

type capturedMany struct {
	Leads    []*Lead    `json:"leads"`
	Outcomes []Captured `json:"outcomes"`
}

func (s *Leads) capture(ctx context.Context, a kernel.Actor, op string, xs []*Lead, how kernel.Several) ([]Captured, error) {
	if err := kernel.CheckItems("leads", len(xs)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	drafts := make([]*Lead, len(xs)) // the caller's structs change only when the transaction succeeded
	for i, x := range xs {
		if x == nil {
			return nil, kernel.Wrap(op, kernel.At(i, kernel.Invalid("lead", kernel.Empty)))
		}
		draft, err := x.draft()
		if err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
		drafts[i] = draft
	}
	done, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerCreate, drafts, func(ctx context.Context, c *kernel.Call[Tx]) (capturedMany, error) {
		if err := mayGive(c, drafts); err != nil {
			return capturedMany{}, err
		}
		outcomes, err := s.insert(ctx, c, drafts, how)
		return capturedMany{drafts, outcomes}, err
	})
	if err != nil {
		return nil, err
	}
	for i, o := range done.Outcomes {
		if o.Err == nil {
			*xs[i] = *done.Leads[i]
		}
	}
	return done.Outcomes, nil
}

// mayGive refuses owners that the actor may not give leads to: itself it always may.
func mayGive(c *kernel.Call[Tx], xs []*Lead) error {
	for i, x := range xs {
		if x.OwnerID == "" || x.OwnerID == c.Actor.User {
			continue
		}
		scope, err := c.Rights.Scope(kernel.PoolAssign)
		if err != nil {
			return err
		}
		if !scope.Sees(x.OwnerID, "", 0) {
			return kernel.At(i, noOwner())
		}
	}
	return nil
}

func noOwner() error {
	return kernel.Invalidf("owner_id", kernel.Unknown, "no active member that the actor may assign to")
}

// insertLeads writes new leads, those with an owner as far as its cap allows.
func (s *Leads) insert(ctx context.Context, c *kernel.Call[Tx], xs []*Lead, how kernel.Several) ([]Captured, error) {
	if err := settleLeads(ctx, c, xs); err != nil {
		return nil, err
	}
	plan, err := s.planFor(ctx, c, xs)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Captured, len(xs))
	for i := range outcomes {
		outcomes[i].Did = customer.WasCreated
	}
	taken, err := c.Tx.Leads().Insert(ctx, c.Actor.Tenant, xs...)
	if err != nil {
		return nil, err
	}
	noteTaken(c, taken, outcomes)
	homeless, err := seatLeads(ctx, c, xs, outcomes, plan)
	if err != nil {
		return nil, err
	}
	if how == kernel.AllOrNothing {
		if i := slices.IndexFunc(outcomes, func(o Captured) bool { return o.Err != nil }); i >= 0 {
			return nil, kernel.At(i, outcomes[i].Err)
		}
	}
	if err := c.Tx.Leads().Discard(ctx, c.Actor.Tenant, homeless...); err != nil {
		return nil, err
	}
	if err := tellCaptured(ctx, c, xs, outcomes); err != nil || plan == nil {
		return outcomes, err
	}
	return outcomes, assignNew(ctx, plan, xs, outcomes)
}

// noteTaken refuses duplicates, and names the lead that is there where the actor may see it.
func noteTaken(c *kernel.Call[Tx], taken []LeadTaken, outcomes []Captured) {
	sees, _ := c.Rights.Scope(kernel.CustomerRead) // without it: nothing
	for _, t := range taken {
		outcomes[t.Index] = Captured{Did: customer.WasRefused, Err: kernel.Taken(t.Field)}
		if by := t.By; sees.Sees(by.OwnerID, by.Region, int64(by.PoolID)) {
			outcomes[t.Index].ID = by.ID
		}
	}
}

// assignNew gives the leads that were made without an owner, as planned.
func assignNew(ctx context.Context, plan LeadAssignPlan, xs []*Lead, outcomes []Captured) error {
	var made []*Lead
	for i, x := range xs {
		if outcomes[i].Err == nil && x.OwnerID == "" {
			made = append(made, x)
		}
	}
	return plan.Assign(ctx, made)
}

// planFor asks the assigner about those of the leads that have no owner.
func (s *Leads) planFor(ctx context.Context, c *kernel.Call[Tx], xs []*Lead) (LeadAssignPlan, error) {
	var free []*Lead
	for _, x := range xs {
		if x.OwnerID == "" {
			free = append(free, x)
		}
	}
	if len(free) == 0 {
		return nil, nil
	}
	return s.assigner.Plan(ctx, c, free)
}

// settleLeads fills in what a lead has from its first day.
func settleLeads(ctx context.Context, c *kernel.Call[Tx], xs []*Lead) error {
	owners, pools := []kernel.UserID{""}, []customer.PoolID(nil)
	for _, x := range xs {
		if x.OwnerID != "" {
			owners = append(owners, x.OwnerID)
		}
		if x.PoolID != 0 {
			pools = append(pools, x.PoolID)
		}
	}
	slices.Sort(owners)
	slices.Sort(pools)
	homes, err := c.Tx.Leads().Homes(ctx, c.Actor.Tenant, slices.Compact(owners)...)
	if err != nil {
		return err
	}
	known, err := c.Tx.Leads().PoolsExist(ctx, c.Actor.Tenant, slices.Compact(pools)...)
	if err != nil {
		return err
	}
	for i, x := range xs {
		home, active := homes[x.OwnerID]
		switch {
		case !active:
			return kernel.At(i, noOwner())
		case x.PoolID == 0:
			x.PoolID = home
		case !slices.Contains(known, x.PoolID):
			return kernel.At(i, kernel.Invalidf("pool_id", kernel.Unknown, "the tenant has no such pool of leads"))
		}
		if x.OwnerID != "" {
			x.OwnedSince = c.Now
		}
		x.Version, x.Seq = 1, 1
		x.CreatedAt, x.CreatedBy, x.UpdatedAt, x.UpdatedBy = c.Now, c.Actor.User, c.Now, c.Actor.User
	}
	return nil
}

// seatLeads gives the places of the owners' caps in the order of the items; what finds none is refused and returned.
// The counters that the plan will lock are locked with theirs, in one order.
func seatLeads(
	ctx context.Context, c *kernel.Call[Tx], xs []*Lead, outcomes []Captured, plan LeadAssignPlan,
) (homeless []LeadID, err error) {
	places := map[kernel.UserID]int{}
	var users []kernel.UserID
	for i, x := range xs {
		if _, known := places[x.OwnerID]; !known && outcomes[i].Err == nil && x.OwnerID != "" {
			places[x.OwnerID], users = 0, append(users, x.OwnerID)
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	if plan != nil {
		users = append(users, plan.Users()...)
	}
	slices.Sort(users)
	counters, err := c.Tx.Counters(LeadKind).Lock(ctx, c.Actor.Tenant, slices.Compact(users)...)
	if err != nil {
		return nil, err
	}
	free, limit := map[kernel.UserID]int{}, map[kernel.UserID]int{}
	for _, m := range counters {
		free[m.User], limit[m.User] = m.Free(), m.Cap
	}
	for i, x := range xs {
		switch {
		case outcomes[i].Err != nil || x.OwnerID == "":
		case places[x.OwnerID] < free[x.OwnerID]:
			places[x.OwnerID]++
		default:
			outcomes[i] = Captured{Did: customer.WasRefused, Err: noPlace(x.OwnerID, limit[x.OwnerID])}
			homeless = append(homeless, x.ID)
		}
	}
	return homeless, c.Tx.Counters(LeadKind).AddPlaces(ctx, c.Actor.Tenant, places)
}

func noPlace(owner kernel.UserID, limit int) *kernel.Error {
	return &kernel.Error{
		Code: kernel.ErrRefused, Field: "owner_id", Reason: customer.NoPlace,
		Err: fmt.Errorf("%s has all %d places in use", owner, limit),
	}
}

// tellCaptured writes the journal of new leads, and the operation log of those that have an owner.
func tellCaptured(ctx context.Context, c *kernel.Call[Tx], xs []*Lead, outcomes []Captured) error {
	var changes []kernel.Change
	var ops []customer.Operation
	for i, x := range xs {
		if outcomes[i].Err != nil {
			continue
		}
		outcomes[i].ID = x.ID
		changes = append(changes, kernel.Change{Subject: x.Ref(), Seq: x.Seq, Ref: x.Ref(), Type: "lead.created", After: x})
		if x.OwnerID != "" {
			ops = append(ops, customer.Operation{
				Kind: LeadKind, RecordID: int64(x.ID), Action: customer.Created, Actor: c.Actor.User, To: x.OwnerID,
				PoolID: x.PoolID, Request: c.Actor.Request, At: c.Now,
			})
		}
	}
	if len(ops) > 0 {
		if err := c.Tx.Operations(LeadKind).Append(ctx, c.Actor.Tenant, ops...); err != nil {
			return err
		}
	}
	return c.Record(ctx, changes...)
}

// Get returns one lead, living or not.
func (s *Leads) Get(ctx context.Context, a kernel.Actor, id LeadID) (*Lead, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Leads.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Lead, error) {
		found, err := c.Tx.Leads().Get(ctx, a.Tenant, c.Scope, id)
		return only(veiled(c, found), err)
	})
}

// List returns a page of the leads that the filter leaves, in the order they were captured.
func (s *Leads) List(ctx context.Context, a kernel.Actor, f LeadFilter, p kernel.Page) (kernel.List[*Lead], error) {
	const op = "sales.Leads.List"
	w, err := p.Open("leads", 1)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[*Lead]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Lead], error) {
		found, err := c.Tx.Leads().List(ctx, a.Tenant, c.Scope, f, w)
		return kernel.Cut("leads", w, veiled(c, found), func(x *Lead) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Update writes what a host may edit of a lead that it has read: everything but owner, pool, clocks, status and what it has
// become, which have use cases of their own (invalid, reason ReadOnly). Its Version must be the one that was read, else the
// error is a conflict with reason Stale and a *kernel.StaleError; a phone, e-mail or host key of another living lead is a
// conflict with reason Duplicate; a lead that is converted is refused (LeadClosed). On success x is as written.
func (s *Leads) Update(ctx context.Context, a kernel.Actor, x *Lead) error {
	const op = "sales.Leads.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("lead", kernel.Empty))
	}
	given := *x
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := s.change(ctx, a, op, given.ID, given, "lead.updated", func(ctx context.Context, c *kernel.Call[Tx], cur *Lead) (*Lead, error) {
		next, err := cur.edited(given)
		if err != nil {
			return nil, err
		}
		return next, free(ctx, c, next)
	})
	if err == nil {
		*x = *written
	}
	return err
}

// free refuses a living lead whose phone, e-mail or host key another living one has.
func free(ctx context.Context, c *kernel.Call[Tx], x *Lead) error {
	if !x.Living() {
		return nil
	}
	found, err := c.Tx.Leads().Holders(ctx, c.Actor.Tenant, x)
	if err == nil && len(found) > 0 {
		err = kernel.Taken(x.shares(found[0]))
	}
	return err
}

// shares is the field that two leads have in common.
func (x *Lead) shares(y *Lead) string {
	phone, email := customer.PhoneKey(x.Phone), customer.EmailKey(x.Email)
	switch {
	case phone != "" && phone == customer.PhoneKey(y.Phone):
		return "phone"
	case email != "" && email == customer.EmailKey(y.Email):
		return "email"
	}
	return "external_id"
}

// change locks a lead within customer.update and puts next in its place.
func (s *Leads) change(ctx context.Context, a kernel.Actor, op string, id LeadID, input any, event string,
	edit func(ctx context.Context, c *kernel.Call[Tx], cur *Lead) (*Lead, error),
) (*Lead, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Lead, error) {
		cur, err := only(c.Tx.Leads().Lock(ctx, a.Tenant, c.Scope, id))
		if err != nil {
			return nil, err
		}
		if cur.Status == LeadConverted {
			return nil, closed(cur)
		}
		next, err := edit(ctx, c, cur)
		if err != nil {
			return nil, err
		}
		return next, saveLead(ctx, c, event, cur, next)
	})
}

// LeadClosed is the reason of a refusal to change what was converted or found invalid.
const LeadClosed kernel.Reason = "closed"

func closed(x *Lead) error {
	return &kernel.Error{Code: kernel.ErrRefused, Field: "status", Reason: LeadClosed, Err: fmt.Errorf("the lead is %s", x.Status)}
}

// saveLead writes next over cur with its change, and moves the places of their owners; nothing when nothing differs.
func saveLead(ctx context.Context, c *kernel.Call[Tx], event string, cur, next *Lead) error {
	was, is := kernel.Diff(cur, next)
	if is == nil {
		return nil
	}
	next.Version, next.Seq = cur.Version+1, cur.Seq+1
	next.UpdatedAt, next.UpdatedBy = c.Now, c.Actor.User
	if err := c.Tx.Leads().Update(ctx, c.Actor.Tenant, next); err != nil {
		return err
	}
	if err := moveLeadPlace(ctx, c, cur, next); err != nil {
		return err
	}
	return c.Record(ctx, kernel.Change{Subject: next.Ref(), Seq: next.Seq, Ref: next.Ref(), Type: event, Before: was, After: is})
}

func moveLeadPlace(ctx context.Context, c *kernel.Call[Tx], was, is *Lead) error {
	places := map[kernel.UserID]int{}
	if was.takesPlace() {
		places[was.OwnerID]--
	}
	if is.takesPlace() {
		places[is.OwnerID]++
	}
	var users []kernel.UserID
	for user, n := range places {
		if n != 0 {
			users = append(users, user)
		}
	}
	if len(users) == 0 {
		return nil
	}
	slices.Sort(users)
	if _, err := c.Tx.Counters(LeadKind).Lock(ctx, c.Actor.Tenant, users...); err != nil {
		return err
	}
	return c.Tx.Counters(LeadKind).AddPlaces(ctx, c.Actor.Tenant, places)
}
