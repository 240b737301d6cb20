package pool

import (
	"context"
	"slices"
	"strings"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// HandOver takes a batch of records from a member who leaves: each goes to one of the successors, as far as their caps
// allow, the rest into its home pool (rules.md, Resignation). It is for crm.HandOver, which checks l and calls it until
// nothing is left. Every batch asks for the permission team.manage: who loses it during the run goes no further.
//
// A record is offered first to the successors whose regions it lies in, the longest region first, then to all in turns. As
// for a transfer, a successor must be an active member of the record's home pool and have a place free; a won record takes
// none.
func (s *Service[I]) HandOver(ctx context.Context, l kernel.Leaving) (h kernel.Handed, err error) {
	if _, _, err := s.core.Enter(ctx, l.By, kernel.TeamManage); err != nil {
		return h, err
	}
	mode := kernel.OwnCommit
	if l.Dry {
		mode = kernel.Read
	}
	err = s.core.Unit(ctx, mode, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: l.By, Now: s.core.Clock.Now()}
		h, err = s.handOver(ctx, c, l)
		return err
	})
	return h, err
}

func (s *Service[I]) handOver(ctx context.Context, c *kernel.Call[Tx], l kernel.Leaving) (h kernel.Handed, err error) {
	h = kernel.Handed{Kind: string(s.kind), Turn: l.Turn}
	repo := c.Tx.Pool(s.kind)
	ids, err := repo.OwnedBy(ctx, c.Actor.Tenant, l.User, l.After, l.AtMost)
	if err != nil || len(ids) == 0 {
		return h, err
	}
	h.Next = ids[len(ids)-1]
	find := repo.Lock
	if l.Dry {
		find = repo.Look
	}
	records, err := find(ctx, c.Actor.Tenant, ids...)
	if err != nil {
		return h, err
	}
	// As they are now: another hand-over, or a superior, may have been quicker.
	records = slices.DeleteFunc(records, func(r Record) bool { return r.OwnerID != l.User })
	heirs, err := s.heirs(ctx, c, l, records)
	if err != nil {
		return h, err
	}
	moves := map[kernel.UserID]*Move{}
	for _, r := range records {
		to := heirs.choose(r, &h)
		if moves[to] == nil {
			moves[to] = &Move{Action: customer.HandedOver, By: c.Actor, Now: c.Now, To: to, Reason: l.Reason, Note: l.Note}
			if to == "" {
				moves[to].Action = customer.Resigned
			}
		}
		moves[to].Records = append(moves[to].Records, r)
	}
	if l.Dry {
		s.foretell(l, moves)
		return h, nil
	}
	for _, to := range append([]kernel.UserID{""}, heirs.order...) {
		if mv := moves[to]; mv != nil {
			if err := repo.Move(ctx, *mv); err != nil {
				return h, err
			}
		}
	}
	return h, nil
}

// foretell notes who would get the customers: of a plan, what follows them has to know.
func (s *Service[I]) foretell(l kernel.Leaving, moves map[kernel.UserID]*Move) {
	if s.kind != Customers || l.Heirs == nil {
		return
	}
	for to, mv := range moves {
		for _, r := range mv.Records {
			delete(l.Heirs, r.ID)
			if to != "" {
				l.Heirs[r.ID] = to
			}
		}
	}
}

// heirs decides which successor gets a record.
type heirs struct {
	kind    Kind
	order   []kernel.UserID
	regions map[kernel.UserID][]string
	member  map[kernel.UserID]map[ID]Member
	counter map[kernel.UserID]customer.Counter
	given   map[kernel.UserID]int // of a plan
}

// heirs locks the counters of all, in one order of the users and after the records, and then asks who belongs to which
// pool: who was made inactive before the lock is no member any more, and who is now must wait for us.
func (s *Service[I]) heirs(ctx context.Context, c *kernel.Call[Tx], l kernel.Leaving, records []Record) (*heirs, error) {
	h := &heirs{
		kind: s.kind, regions: map[kernel.UserID][]string{}, member: map[kernel.UserID]map[ID]Member{},
		counter: map[kernel.UserID]customer.Counter{}, given: l.Given,
	}
	for _, x := range l.Successors {
		h.order = append(h.order, x.User)
		h.regions[x.User] = x.Regions
	}
	if err := s.heirCounters(ctx, c, l, h); err != nil {
		return nil, err
	}
	var pools []ID
	for _, r := range records {
		pools = append(pools, r.PoolID)
	}
	slices.Sort(pools)
	pools = slices.Compact(pools)
	for _, user := range h.order {
		belongs, err := c.Tx.Pools(s.kind).Belongs(ctx, c.Actor.Tenant, user, pools...)
		if err != nil {
			return nil, err
		}
		h.member[user] = belongs
	}
	return h, nil
}

func (s *Service[I]) heirCounters(ctx context.Context, c *kernel.Call[Tx], l kernel.Leaving, h *heirs) error {
	if l.Dry {
		for _, user := range h.order {
			m, err := c.Tx.Pool(s.kind).Counter(ctx, c.Actor.Tenant, user)
			if err != nil {
				return err
			}
			m.Places += l.Given[user]
			h.counter[user] = m
		}
		return nil
	}
	locked, err := c.Tx.Counters(string(s.kind)).Lock(ctx, c.Actor.Tenant, append(slices.Clone(h.order), l.User)...)
	for _, m := range locked {
		if m.User == l.User && !m.Closed {
			return &kernel.Error{Code: kernel.ErrConflict, Field: "user", Reason: kernel.StillActive}
		}
		h.counter[m.User] = m
	}
	return err
}

// choose is who gets the record, with all that follows for the next one; empty is its pool.
func (h *heirs) choose(r Record, into *kernel.Handed) kernel.UserID {
	into.Found++
	near := h.near(r.Region)
	for i, user := range slices.Concat(near, h.turn(into.Turn)) {
		if i >= len(near) && slices.Contains(near, user) { // asked before
			continue
		}
		_, member := h.member[user][r.PoolID]
		g := Gift{Attempt: Attempt{By: user, Record: r, Counter: h.counter[user]}, Member: member}
		if no := g.Refuse(h.kind); no != nil {
			into.Pass(user, no.Reason == CapReached)
			continue
		}
		if i >= len(near) {
			into.Turn = (slices.Index(h.order, user) + 1) % len(h.order)
		}
		h.give(user, r)
		into.Give(user)
		return user
	}
	into.ToPool++
	return ""
}

func (h *heirs) give(user kernel.UserID, r Record) {
	if !r.TakesPlace {
		return
	}
	m := h.counter[user]
	m.Places++
	h.counter[user] = m
	if h.given != nil {
		h.given[user]++
	}
}

// turn is the successors from the one whose turn it is.
func (h *heirs) turn(next int) []kernel.UserID {
	if len(h.order) == 0 {
		return nil
	}
	next %= len(h.order)
	return slices.Concat(h.order[next:], h.order[:next])
}

// near is the successors in whose regions a region lies, the longest first; of equals, in their order.
func (h *heirs) near(region string) []kernel.UserID {
	length := map[kernel.UserID]int{}
	var near []kernel.UserID
	for _, user := range h.order {
		for _, prefix := range h.regions[user] {
			if region != "" && strings.HasPrefix(region, prefix) {
				length[user] = max(length[user], len(prefix))
			}
		}
		if length[user] > 0 {
			near = append(near, user)
		}
	}
	slices.SortStableFunc(near, func(a, b kernel.UserID) int { return length[b] - length[a] })
	return near
}
