package pool

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// ReleaseOptions may be nil, and so may each field.
type ReleaseOptions struct {
	Reason string // at most 100: one of the tenant's, see Pools.SetReasons
	Note   string // at most 500: free text
	To     ID     // the pool that it goes to, which then is its home pool. Defaults to its home pool.
}

// ReleasedMany has every id that was asked for, in the order asked, in one of its lists.
type ReleasedMany[I RecordID] struct {
	Released []I          `json:"released"`
	Refused  []Refused[I] `json:"refused,omitempty"`
}

// Release puts a record back into its pool, with one line in the operation log. Its owner may; so may a superior (head
// of the owner's department or of one above, or a named superior, directly or through others), an administrator of its
// home pool, and the system actor. The owner's open tasks on it are cancelled with it (see customer.Task); opportunities,
// quotes and contracts stay as they are. A record that nobody owns is refused (NotOwned), and so are somebody else's
// (NotOwner) and, to its owner, one that it has locked (Locked); one that the actor may not see is not found.
func (s *Service[I]) Release(ctx context.Context, a kernel.Actor, id I, opts *ReleaseOptions) error {
	const op = "pool.Release"
	_, err := s.releaseMany(ctx, a, op, []I{id}, AllOrNothing, opts)
	return alone(op, err)
}

// ReleaseMany is Release for at most 10,000 records of any owners in one transaction.
func (s *Service[I]) ReleaseMany(ctx context.Context, a kernel.Actor, ids []I, how Several, opts *ReleaseOptions) (ReleasedMany[I], error) {
	return s.releaseMany(ctx, a, "pool.ReleaseMany", ids, how, opts)
}

func (s *Service[I]) releaseMany(ctx context.Context, a kernel.Actor, op string, ids []I, how Several, opts *ReleaseOptions) (ReleasedMany[I], error) {
	var o ReleaseOptions
	if opts != nil {
		o = *opts
	}
	if err := kernel.FirstError(kernel.CheckItems("ids", len(ids)), kernel.CheckLine("reason", o.Reason, 100),
		kernel.CheckText("note", o.Note, 500)); err != nil {
		return ReleasedMany[I]{}, kernel.Wrap(op, err)
	}
	if len(ids) == 0 {
		return ReleasedMany[I]{}, nil
	}
	var all ReleasedMany[I]
	res, err := kernel.Do(ctx, &s.core, a, op, kernel.PoolRelease, []any{ids, how, o}, func(ctx context.Context, c *kernel.Call[Tx]) (ReleasedMany[I], error) {
		res, err := s.releaseLocked(ctx, c, ids, how, o)
		all = res
		return res, err
	})
	if err != nil {
		res = ReleasedMany[I]{Refused: all.Refused} // every reason is listed, though nothing was done
	}
	return res, err
}

func (s *Service[I]) releaseLocked(ctx context.Context, c *kernel.Call[Tx], ids []I, how Several, o ReleaseOptions) (res ReleasedMany[I], err error) {
	if err := s.knownReason(ctx, c, o.Reason); err != nil {
		return res, err
	}
	if o.To != 0 {
		found, err := c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, o.To)
		if err != nil {
			return res, err
		}
		if len(found) == 0 {
			return res, kernel.Invalidf("to", kernel.Unknown, "the tenant has no such pool")
		}
	}
	r, err := s.releaser(ctx, c, numbers(ids)...)
	if err != nil {
		return res, err
	}
	moves := map[customer.Action]*Move{}
	for _, id := range ids {
		action, no := r.decide(int64(id))
		if no != "" {
			refused := &Refusal{Ref: kernel.Ref{Kind: string(s.kind), ID: int64(id)}, Reason: no}
			if no == Locked {
				refused.Until = r.records[int64(id)].LockUntil
			}
			res.Refused = append(res.Refused, Refused[I]{id, refused})
			continue
		}
		if moves[action] == nil {
			moves[action] = &Move{Action: action, By: c.Actor, Now: c.Now, Day: c.Today(), Pool: o.To, Reason: o.Reason, Note: o.Note}
		}
		moves[action].Records = append(moves[action].Records, r.records[int64(id)])
		res.Released = append(res.Released, id)
		r.release(int64(id))
	}
	if how == AllOrNothing && len(res.Refused) > 0 {
		res.Released = nil
		return res, refusedAt(ids, res.Refused[0])
	}
	return res, s.moveAll(ctx, c, moves)
}

// moveAll makes one move of all, so that the counters are locked once and in order: what differs is only the word in the
// operation log.
func (s *Service[I]) moveAll(ctx context.Context, c *kernel.Call[Tx], moves map[customer.Action]*Move) error {
	var users []kernel.UserID
	for _, mv := range moves {
		for _, r := range mv.Records {
			users = append(users, r.OwnerID)
		}
	}
	if len(moves) > 1 { // with one move, Move locks in order by itself
		slices.Sort(users)
		if _, err := c.Tx.Counters(string(s.kind)).Lock(ctx, c.Actor.Tenant, slices.Compact(users)...); err != nil {
			return err
		}
	}
	for _, action := range []customer.Action{customer.Released, customer.TakenOff} {
		if mv := moves[action]; mv != nil {
			if err := c.Tx.Pool(s.kind).Move(ctx, *mv); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaser decides which records the actor may put back.
type releaser struct {
	by      kernel.UserID
	now     time.Time
	rights  kernel.Rights
	sees    kernel.Scope
	records map[int64]Record
	belongs map[ID]Member
}

// releaser locks the records and gathers what decisions about them need.
func (s *Service[I]) releaser(ctx context.Context, c *kernel.Call[Tx], ids ...int64) (*releaser, error) {
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	r := &releaser{by: c.Actor.User, now: c.Now, rights: c.Rights, records: map[int64]Record{}}
	r.sees, _ = c.Rights.Scope(kernel.CustomerRead)
	var pools []ID
	for _, x := range records {
		r.records[x.ID] = x
		pools = append(pools, x.PoolID)
	}
	slices.Sort(pools)
	r.belongs, err = c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, c.Actor.User, slices.Compact(pools)...)
	return r, err
}

func (r *releaser) decide(id int64) (customer.Action, kernel.Reason) {
	x, ok := r.records[id]
	admin := r.rights.System || r.belongs[x.PoolID].Admin || r.manages()
	superior := x.OwnerID != "" && slices.Contains(r.rights.Subordinates, x.OwnerID)
	_, member := r.belongs[x.PoolID]
	switch {
	case !ok:
		return "", NotFound
	case x.OwnerID == r.by && x.OwnerID != "":
		return r.own(x)
	case !admin && !superior && !r.sees.Sees(x.OwnerID, x.Region, int64(x.PoolID)) && (!member || x.OwnerID != ""):
		return "", NotFound
	case x.OwnerID == "":
		return "", NotOwned
	case admin, superior:
		return customer.TakenOff, ""
	}
	return "", NotOwner
}

// own decides about a record of the actor's: only it keeps to its lock.
func (r *releaser) own(x Record) (customer.Action, kernel.Reason) {
	if x.IsLocked(r.now) {
		return "", Locked
	}
	return customer.Released, ""
}

// manages tells whether the actor administers every pool of the tenant.
func (r *releaser) manages() bool {
	_, err := r.rights.Scope(kernel.PoolManage)
	return err == nil
}

// release notes that nobody has the record any more: the same id twice in one call is not owned the second time.
func (r *releaser) release(id int64) {
	x := r.records[id]
	x.OwnerID = ""
	r.records[id] = x
}

// trailingYear is the window (D − 1 year, D] of the day D of an instant, as instants from which and until which orders
// count (rules.md, Time).
func trailingYear(now time.Time, zone *time.Location) (from, until time.Time) {
	today := kernel.DateOf(now, zone)
	return today.YearBefore().Next().Start(zone), today.Next().Start(zone)
}
