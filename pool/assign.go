package pool

import (
	"context"
	"errors"
	"slices"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// AssignOptions may be nil, and so may each field.
type AssignOptions struct {
	Reason string // at most 100: one of the tenant's, see Pools.SetReasons
	Note   string // at most 500: free text
	// OverrideCap gives the records though no place is free. It needs the permission pool.override_cap over the one who
	// gets them, and every record that went above the cap says so in the operation log.
	OverrideCap bool
}

// AssignedMany has every id that was asked for, in the order asked, in one of its lists.
type AssignedMany[I RecordID] struct {
	Assigned []I          `json:"assigned"`
	Refused  []Refused[I] `json:"refused,omitempty"`
}

// Assign gives a record to a member: one that lies in its pool (it is assigned), or one that somebody else owns (it is
// transferred). It needs the permission pool.assign: for an owned record over its owner, for one in its pool with
// membership of that pool; an administrator of the home pool and the system actor may do both.
//
// It is a claim for somebody else, without protection, cool-down and quota: the member must be an active member of the
// record's home pool (NotPoolMember) and have a place free (CapReached) unless OverrideCap is set; a record in the pool
// must meet the pool's claim condition and not be blacklisted, an owned one may be. Its owner cannot be given it again
// (SameOwner). What the actor may not see is not found; what it sees and has no right to is refused (NotOwner,
// ForeignPool). The clocks begin anew, and the old owner's open tasks on it go to the new one.
func (s *Service[I]) Assign(ctx context.Context, a kernel.Actor, id I, to kernel.UserID, opts *AssignOptions) error {
	const op = "pool.Assign"
	_, err := s.assignMany(ctx, a, op, []I{id}, to, AllOrNothing, opts)
	return alone(op, err)
}

// AssignMany is Assign for at most 10,000 records of any owners in one transaction. Places go in the order asked; each
// refusal names its record and reason. Under AllOrNothing one refusal makes it an error (the first *Refusal, with the
// index), and the result still lists every reason.
func (s *Service[I]) AssignMany(
	ctx context.Context, a kernel.Actor, ids []I, to kernel.UserID, how Several, opts *AssignOptions,
) (AssignedMany[I], error) {
	return s.assignMany(ctx, a, "pool.AssignMany", ids, to, how, opts)
}

func (s *Service[I]) assignMany(
	ctx context.Context, a kernel.Actor, op string, ids []I, to kernel.UserID, how Several, opts *AssignOptions,
) (AssignedMany[I], error) {
	var o AssignOptions
	if opts != nil {
		o = *opts
	}
	if err := kernel.FirstError(kernel.CheckItems("ids", len(ids)), kernel.CheckName("to", string(to), 200),
		kernel.CheckLine("reason", o.Reason, 100), kernel.CheckText("note", o.Note, 500)); err != nil {
		return AssignedMany[I]{}, kernel.Wrap(op, err)
	}
	var all AssignedMany[I]
	res, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolAssign, []any{ids, to, how, o}, func(ctx context.Context, c *kernel.Call[Tx]) (AssignedMany[I], error) {
		if err := mayOverride(c, to, o); err != nil || len(ids) == 0 {
			return AssignedMany[I]{}, err
		}
		res, err := s.assignLocked(ctx, c, ids, to, how, o)
		all = res
		return res, err
	})
	if err != nil {
		res = AssignedMany[I]{Refused: all.Refused} // every reason is listed, though nothing was done
	}
	return res, err
}

// mayOverride refuses to go above the cap of a member whom the right does not reach.
func mayOverride(c *kernel.Call[Tx], to kernel.UserID, o AssignOptions) error {
	if !o.OverrideCap {
		return nil
	}
	scope, err := c.Rights.Scope(kernel.PoolOverrideCap)
	if err == nil && !scope.Sees(to, "", 0) {
		err = &kernel.Error{Code: kernel.ErrDenied, Field: string(kernel.PoolOverrideCap), Err: errors.New("not over this member")}
	}
	return err
}

func (s *Service[I]) assignLocked(
	ctx context.Context, c *kernel.Call[Tx], ids []I, to kernel.UserID, how Several, o AssignOptions,
) (res AssignedMany[I], err error) {
	if err := s.knownReason(ctx, c, o.Reason); err != nil {
		return res, err
	}
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, numbers(ids)...)
	if err != nil {
		return res, err
	}
	g, err := s.giver(ctx, c, records, to, o)
	if err != nil {
		return res, err
	}
	moves := map[customer.Action]*Move{}
	for _, id := range ids {
		x, action, no := g.decide(int64(id))
		if no != nil {
			res.Refused = append(res.Refused, Refused[I]{id, no})
			continue
		}
		if moves[action] == nil {
			moves[action] = &Move{
				Action: action, By: c.Actor, Now: c.Now, Day: c.Today(), To: to, Reason: o.Reason, Note: o.Note, OverCap: map[int64]bool{},
			}
		}
		moves[action].Records = append(moves[action].Records, x)
		if g.give(x) {
			moves[action].OverCap[x.ID] = true
		}
		res.Assigned = append(res.Assigned, id)
	}
	if how == AllOrNothing && len(res.Refused) > 0 {
		res.Assigned = nil
		return res, refusedAt(ids, res.Refused[0])
	}
	for _, action := range []customer.Action{customer.Assigned, customer.Transferred} {
		if mv := moves[action]; mv != nil {
			if err := c.Tx.Pool(s.kind).Move(ctx, *mv); err != nil {
				return res, err
			}
		}
	}
	return res, nil
}

// giver decides which records the actor may give to a member. The actor's side (what it sees, which pools it belongs to)
// is its judge's.
type giver struct {
	*judge
	to       kernel.UserID
	rights   kernel.Rights
	reach    kernel.Scope // of pool.assign
	member   map[ID]Member
	override bool
}

// giver gathers what decisions need, and locks the counters of all owners and of the member that gets the records, in one
// order of the users and after the records.
func (s *Service[I]) giver(ctx context.Context, c *kernel.Call[Tx], records []Record, to kernel.UserID, o AssignOptions) (*giver, error) {
	j, err := s.judge(ctx, c, records)
	if err != nil {
		return nil, err
	}
	g := &giver{judge: j, to: to, rights: c.Rights, reach: c.Scope, override: o.OverrideCap}
	var pools []ID
	for id := range j.pools {
		pools = append(pools, id)
	}
	if g.member, err = c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, to, pools...); err != nil || len(g.member) == 0 {
		return g, err // nothing can be given to who belongs to none of the pools, and no counter row is made for it
	}
	users := []kernel.UserID{to}
	for _, r := range records {
		if r.OwnerID != "" {
			users = append(users, r.OwnerID)
		}
	}
	counters, err := c.Tx.Counters(string(s.kind)).Lock(ctx, c.Actor.Tenant, users...)
	if i := slices.IndexFunc(counters, func(m customer.Counter) bool { return m.User == to }); i >= 0 {
		if g.counter = counters[i]; g.counter.Closed { // it was made inactive after its membership was read
			g.member = nil
		}
	}
	return g, err
}

func (g *giver) decide(id int64) (x Record, action customer.Action, no *Refusal) {
	x, ok := g.records[id]
	mine, belongs := g.belongs[x.PoolID]
	no = &Refusal{Ref: kernel.Ref{Kind: string(g.kind), ID: id}}
	owned := x.OwnerID != ""
	may := g.rights.System || mine.Admin || g.reach.Sees(x.OwnerID, x.Region, int64(x.PoolID)) || !owned && belongs
	visible := g.sees.Sees(x.OwnerID, x.Region, int64(x.PoolID))
	switch {
	case !ok, !may && !visible:
		no.Reason = NotFound
	case !may && owned:
		no.Reason = NotOwner
	case !may:
		no.Reason = ForeignPool
	default:
		_, member := g.member[x.PoolID]
		t := Gift{Attempt: g.base, Member: member, Override: g.override}
		t.By, t.Record, t.Counter, t.Settings = g.to, x, g.counter, g.pools[x.PoolID].Settings
		if facts, ok := g.facts[id]; ok {
			t.Facts = &facts
		}
		no = t.Refuse(g.kind)
	}
	if owned {
		return x, customer.Transferred, no
	}
	return x, customer.Assigned, no
}

// give notes that the member has the record now, and tells whether that was above its cap.
func (g *giver) give(x Record) (over bool) {
	if x.TakesPlace {
		over = g.counter.Free() == 0
		g.counter.Places++
	}
	x.OwnerID = g.to
	g.records[x.ID] = x
	return over
}
