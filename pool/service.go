package pool

import (
	"context"
	"errors"
	"slices"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// RecordID is what the ids of records with an owner have in common.
type RecordID interface{ ~int64 }

// Service is the pool of one kind of record.
type Service[I RecordID] struct {
	Pools       *Pools       // the pools themselves, their members and rules
	Territories *Territories // which members get records that nobody owns
	Patterns    *Patterns[I] // how members use the pool

	kind   Kind
	core   kernel.Service[Tx]
	reveal func(ctx context.Context, c *kernel.Call[Tx], id int64) (*Opened, error)
}

// NewService is for crm.New.
func NewService[I RecordID](k Kind, core kernel.Service[Tx]) *Service[I] {
	return NewServiceShowing[I](k, core, reveal)
}

// NewServiceShowing is NewService for a kind whose records another module reads: show must return one whole, with what
// happened with it, for Open.
func NewServiceShowing[I RecordID](
	k Kind, core kernel.Service[Tx], show func(ctx context.Context, c *kernel.Call[Tx], id int64) (*Opened, error),
) *Service[I] {
	pools := &Pools{k, core}
	return &Service[I]{pools, &Territories{k, core, pools}, &Patterns[I]{k, core}, k, core, show}
}

// Refused is one record of a call that takes many, and why it was left as it is.
type Refused[I RecordID] struct {
	ID  I        `json:"id"`
	Why *Refusal `json:"why"`
}

// ClaimedMany has every id that was asked for, in the order asked, in one of its lists.
type ClaimedMany[I RecordID] struct {
	Claimed []I          `json:"claimed"`
	Refused []Refused[I] `json:"refused,omitempty"`
}

// Claim gives a record to the actor. A rule that says no is a *Refusal.
//
// It is one statement where the engine can do it in one: it tests owner, protection, cool-down, blacklist, membership, cap
// and quota, takes the record, raises the counter, and writes operation log, audit and event. Of many that claim the same
// record at once exactly one wins, and the others are refused as Taken. At midnight, one that comes late behind a claim of the
// next day is ErrRetry.
func (s *Service[I]) Claim(ctx context.Context, a kernel.Actor, id I) error {
	const op = "pool.Claim"
	rights, err := s.mayClaim(ctx, a)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	if a.Request == "" {
		won, err := s.claimAtOnce(ctx, a, rights, id)
		if won || err != nil {
			return kernel.Wrap(op, err)
		}
	}
	_, err = s.claimMany(ctx, a, op, rights, []I{id}, AllOrNothing)
	return alone(op, err)
}

// alone is the error of a call for one record that is made of a call for many: the refusal itself, without an index.
func alone(op string, err error) error {
	if no, ok := errors.AsType[*Refusal](err); ok {
		return kernel.Wrap(op, no)
	}
	return kernel.Single(err)
}

// mayClaim refuses those who are no person with the right to claim.
func (s *Service[I]) mayClaim(ctx context.Context, a kernel.Actor) (kernel.Rights, error) {
	rights, _, err := s.core.Enter(ctx, a, kernel.PoolClaim)
	if err == nil && rights.System {
		err = &kernel.Error{Code: kernel.ErrDenied, Field: "actor", Reason: kernel.NotAMember}
	}
	return rights, err
}

// claimAtOnce runs the claim as one call. false without an error: it lost, but nothing stands against it any more, or only
// locked rows can tell.
func (s *Service[I]) claimAtOnce(ctx context.Context, a kernel.Actor, rights kernel.Rights, id I) (won bool, err error) {
	now := s.core.Clock.Now()
	err = s.core.Unit(ctx, kernel.OneCall, func(ctx context.Context, tx Tx) error {
		return tx.Pool(s.kind).Claim(ctx, Order{By: a, Now: now, Day: kernel.DateOf(now, rights.Zone)}, int64(id))
	})
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, ErrLost) {
		return false, err
	}
	// A fresh unit of work: the first one is undone, and only now is the reason worth a read.
	err = s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: now, Rights: rights}
		judge, err := s.judgeOne(ctx, c, int64(id))
		if err != nil {
			return err
		}
		if no := judge.refuse(int64(id)); no != nil {
			return no
		}
		return nil
	})
	return false, err
}

// ClaimMany claims at most 10,000 records in one transaction. Places and quota go in the order asked; every record is
// checked, and each refusal names its record and reason. Under AllOrNothing one refusal makes it an error (the first
// *Refusal, with the index), and the result still lists every reason.
func (s *Service[I]) ClaimMany(ctx context.Context, a kernel.Actor, ids []I, how Several) (ClaimedMany[I], error) {
	const op = "pool.ClaimMany"
	rights, err := s.mayClaim(ctx, a)
	if err := kernel.FirstError(err, kernel.CheckItems("ids", len(ids))); err != nil {
		return ClaimedMany[I]{}, kernel.Wrap(op, err)
	}
	if len(ids) == 0 {
		return ClaimedMany[I]{}, nil
	}
	return s.claimMany(ctx, a, op, rights, ids, how)
}

func (s *Service[I]) claimMany(ctx context.Context, a kernel.Actor, op string, rights kernel.Rights, ids []I, how Several) (res ClaimedMany[I], err error) {
	err = s.core.Unit(ctx, kernel.Write, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: a, Now: s.core.Clock.Now(), Rights: rights}
		res, err = kernel.Once(ctx, c, op, []any{ids, how}, func(ctx context.Context, c *kernel.Call[Tx]) (ClaimedMany[I], error) {
			return s.claimLocked(ctx, c, ids, how)
		})
		return err
	})
	return res, kernel.Wrap(op, err)
}

// claimLocked decides with the rule in Go, on rows that nobody else can change meanwhile.
func (s *Service[I]) claimLocked(ctx context.Context, c *kernel.Call[Tx], ids []I, how Several) (res ClaimedMany[I], err error) {
	records, err := c.Tx.Pool(s.kind).Lock(ctx, c.Actor.Tenant, numbers(ids)...)
	if err != nil {
		return res, err
	}
	judge, err := s.judge(ctx, c, records)
	if err != nil {
		return res, err
	}
	counters, err := c.Tx.Counters(string(s.kind)).Lock(ctx, c.Actor.Tenant, c.Actor.User)
	if err != nil {
		return res, err
	}
	if judge.counter = counters[0]; judge.counter.Closed { // the claimer was made inactive after its membership was read
		judge.belongs = nil
	}
	mv := Move{Action: customer.Claimed, By: c.Actor, Now: c.Now, Day: c.Today(), To: c.Actor.User}
	for _, id := range ids {
		if no := judge.refuse(int64(id)); no != nil {
			res.Refused = append(res.Refused, Refused[I]{id, no})
			continue
		}
		mv.Records = append(mv.Records, judge.claim(int64(id)))
		res.Claimed = append(res.Claimed, id)
	}
	if how == AllOrNothing && len(res.Refused) > 0 {
		res.Claimed = nil
		return res, refusedAt(ids, res.Refused[0])
	}
	if len(mv.Records) == 0 {
		return res, nil
	}
	if counters[0].ClaimsDay > mv.Day {
		return ClaimedMany[I]{}, behind(counters[0].ClaimsDay)
	}
	return res, c.Tx.Pool(s.kind).Move(ctx, mv)
}

// refusedAt is a refusal of all because of one, with the index of that one.
func refusedAt[I RecordID](ids []I, r Refused[I]) error {
	code := kernel.ErrRefused
	if r.Why.Reason == NotFound {
		code = kernel.ErrNotFound
	}
	return kernel.At(slices.Index(ids, r.ID), &kernel.Error{Code: code, Reason: r.Why.Reason, Err: r.Why})
}

func numbers[I RecordID](ids []I) []int64 {
	all := make([]int64, len(ids))
	for i, id := range ids {
		all[i] = int64(id)
	}
	return all
}

// judge decides about records for one actor.
type judge struct {
	kind    Kind
	by      kernel.UserID
	base    Attempt
	records map[int64]Record
	pools   map[ID]*Pool
	belongs map[ID]Member
	facts   map[int64]condition.Facts
	days    map[ID]condition.Counting // of the pools whose conditions are needed
	sees    kernel.Scope              // what the actor may read
	counter customer.Counter
}

// judge gathers what decisions about the records need: the settings of their home pools, the actor's membership, and
// facts where a pool has a claim condition.
func (s *Service[I]) judge(ctx context.Context, c *kernel.Call[Tx], records []Record) (*judge, error) {
	j := &judge{
		kind: s.kind, by: c.Actor.User, base: Attempt{By: c.Actor.User, Now: c.Now, Zone: c.Rights.Zone},
		records: map[int64]Record{}, pools: map[ID]*Pool{},
	}
	j.sees, _ = c.Rights.Scope(kernel.CustomerRead) // without it: nothing
	var ids []ID
	for _, r := range records {
		j.records[r.ID] = r
		ids = append(ids, r.PoolID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found, err := c.Tx.Pools(s.kind).Get(ctx, c.Actor.Tenant, ids...)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		j.pools[p.ID] = p
	}
	if j.belongs, err = c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, c.Actor.User, ids...); err != nil {
		return nil, err
	}
	var conditional []int64
	for _, r := range records {
		if p := j.pools[r.PoolID]; p != nil && p.ClaimCondition != "" && r.OwnerID == "" {
			conditional = append(conditional, r.ID)
		}
	}
	if len(conditional) > 0 {
		from, until := trailingYear(c.Now, c.Rights.Zone)
		if j.facts, err = c.Tx.Pool(s.kind).Facts(ctx, c.Actor.Tenant, from, until, conditional...); err != nil {
			return nil, err
		}
		j.days, err = countings(ctx, c.Tx, c.Actor.Tenant, c.Rights.Zone, found...)
	}
	return j, err
}

// judgeOne is judge for a record that a claim has just lost, in one read where it is taken, and two where it is not: places
// and quota tell nothing of a taken one.
func (s *Service[I]) judgeOne(ctx context.Context, c *kernel.Call[Tx], id int64) (*judge, error) {
	is, err := c.Tx.Pool(s.kind).Stand(ctx, c.Actor.Tenant, c.Actor.User, id)
	if err != nil {
		return nil, err
	}
	j := &judge{
		kind: s.kind, by: c.Actor.User, base: Attempt{By: c.Actor.User, Now: c.Now, Zone: c.Rights.Zone},
		records: map[int64]Record{}, pools: map[ID]*Pool{}, belongs: map[ID]Member{},
	}
	j.sees, _ = c.Rights.Scope(kernel.CustomerRead) // without it: nothing
	if is == nil {
		return j, nil
	}
	if is.Record.OwnerID == "" && is.Pool.ClaimCondition != "" {
		if j, err = s.judge(ctx, c, []Record{is.Record}); err != nil {
			return nil, err
		}
	} else if j.records[id], j.pools[is.Pool.ID] = is.Record, is.Pool; is.Belongs {
		j.belongs[is.Pool.ID] = Member{User: c.Actor.User}
	}
	if is.Record.OwnerID == "" {
		j.counter, err = c.Tx.Pool(s.kind).Counter(ctx, c.Actor.Tenant, c.Actor.User)
	}
	return j, err
}

// refuse is why the actor may not claim the record now; nil when it may.
func (j *judge) refuse(id int64) *Refusal {
	r, ok := j.records[id]
	_, member := j.belongs[r.PoolID]
	visible := j.sees.Sees(r.OwnerID, r.Region, int64(r.PoolID))
	switch {
	case !ok, !member && !visible, j.pools[r.PoolID] == nil:
		return &Refusal{Ref: kernel.Ref{Kind: string(j.kind), ID: id}, Reason: NotFound}
	case !member:
		return &Refusal{Ref: kernel.Ref{Kind: string(j.kind), ID: id}, Reason: ForeignPool}
	}
	no := j.attempt(r).Refuse(j.kind)
	if no != nil && no.Reason == Taken && !visible && no.By != j.by {
		no.By = "" // whose it is, only who may see that customer learns
	}
	return no
}

// attempt is the claim of a record whose pool is known.
func (j *judge) attempt(r Record) Attempt {
	t := j.base
	t.Record, t.Settings, t.Counter, t.Days = r, j.pools[r.PoolID].Settings, j.counter, j.days[r.PoolID]
	if facts, ok := j.facts[r.ID]; ok {
		t.Facts = &facts
	}
	return t
}

// claim notes that the actor has the record now, and returns it as it was: the same id twice in one call is taken the
// second time.
func (j *judge) claim(id int64) Record {
	r := j.records[id]
	t := j.base
	t.Record, t.Counter = r, j.counter
	j.counter = t.claimed()
	taken := r
	taken.OwnerID = j.by
	j.records[id] = taken
	return r
}
