package fairshare

import (
	"cmp"
	"container/heap"
	"math/bits"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Member is one who may be given items.
type Member struct {
	User kernel.UserID `json:"user"`
	Used int           `json:"used"`          // of the cap; below 0 counts as 0
	Cap  int           `json:"cap"`           // 0 and below is full
	Last time.Time     `json:"last,omitzero"` // when it last got an item by this rule; zero: it never did, and waits longest
}

// Full tells whether the member gets nothing: nothing of its cap is left.
func (m Member) Full() bool { return m.Used >= m.Cap || m.Cap <= 0 }

// fits tells whether an item of a weight leaves the member at or below its cap. One without weight needs room all the same:
// a full member gets nothing.
func (m Member) fits(weight int) bool { return !m.Full() && weight <= m.Cap-max(m.Used, 0) }

// Compare orders members as they get items: below 0 when a comes before b. Full members come last.
func Compare(a, b Member) int {
	switch {
	case a.Full() && b.Full():
		return cmp.Compare(a.User, b.User)
	case a.Full():
		return 1
	case b.Full():
		return -1
	}
	return cmp.Or(compareShares(a, b), a.Last.Compare(b.Last), cmp.Compare(a.User, b.User))
}

// compareShares compares a.Used/a.Cap with b.Used/b.Cap by their products with the other's cap, in 128 bits: exact for any
// int. The caps are above 0.
func compareShares(a, b Member) int {
	ahi, alo := bits.Mul64(uint64(max(a.Used, 0)), uint64(b.Cap)) // none of them is negative
	bhi, blo := bits.Mul64(uint64(max(b.Used, 0)), uint64(a.Cap))
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

// Round is the members of one transaction: what one team gives a member counts in all of them. It is for one goroutine.
type Round struct {
	members map[kernel.UserID]*seat
	turn    int
}

// seat is a member of a round; turn is when it last got something in this round, where the clock stands still.
type seat struct {
	Member
	turn int
}

// NewRound begins a round. Of a user that comes twice the last counts.
func NewRound(members ...Member) *Round {
	r := &Round{members: make(map[kernel.UserID]*seat, len(members))}
	for _, m := range members {
		r.members[m.User] = &seat{Member: m}
	}
	return r
}

// Team is those of the round that may be given the same items; users that are not in the round are left out.
func (r *Round) Team(users ...kernel.UserID) *Team {
	t := &Team{round: r}
	seen := make(map[kernel.UserID]bool, len(users))
	for _, user := range users {
		if s := r.members[user]; s != nil && !seen[user] {
			seen[user] = true
			t.queue = append(t.queue, place{s, s.Used, s.turn})
		}
	}
	heap.Init(&t.queue)
	return t
}

// Team gives items to some members of a round.
type Team struct {
	round *Round
	queue queue
}

// Give gives an item to the member whose turn it is, and counts it: weight is how much of the cap it takes, 0 or more.
// false: nobody has room for it.
func (t *Team) Give(weight int) (kernel.UserID, bool) {
	weight = max(weight, 0)
	var passed []place // by an item too heavy for them; a lighter one may fit
	defer func() {
		for _, p := range passed {
			heap.Push(&t.queue, p)
		}
	}()
	for len(t.queue) > 0 {
		first := &t.queue[0]
		s := first.seat
		switch {
		case first.used != s.Used || first.turn != s.turn: // another team gave it something meanwhile: it moves back
			first.used, first.turn = s.Used, s.turn
			heap.Fix(&t.queue, 0)
		case s.Full(): // for the rest of the round
			heap.Pop(&t.queue)
		case !s.fits(weight):
			passed = append(passed, *first)
			heap.Pop(&t.queue)
		default:
			t.round.turn++
			s.Used, s.turn = max(s.Used, 0)+weight, t.round.turn
			first.used, first.turn = s.Used, s.turn
			heap.Fix(&t.queue, 0)
			return s.User, true
		}
	}
	return "", false
}

// Members are the users of a round in the order in which a team of them would get items, full ones last.
func (r *Round) Members(users ...kernel.UserID) []Member {
	var all []*seat
	for _, user := range users {
		if s := r.members[user]; s != nil && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, compareSeats)
	members := make([]Member, len(all))
	for i, s := range all {
		members[i] = s.Member
	}
	return members
}

// compareSeats is Compare, where who got something in this round has waited less than who did not, whatever the clocks of
// other processes wrote.
func compareSeats(a, b *seat) int {
	if a.Full() || b.Full() {
		return Compare(a.Member, b.Member)
	}
	return cmp.Or(compareShares(a.Member, b.Member), cmp.Compare(a.turn, b.turn), Compare(a.Member, b.Member))
}

// place is a seat in the queue of a team, with what it had when it was put there. Numbers only grow, so a place that is out
// of date is never too far back.
type place struct {
	*seat
	used, turn int
}

// queue is a heap of places, the next one first.
type queue []place

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := *q[i].seat, *q[j].seat
	a.Used, a.turn, b.Used, b.turn = q[i].used, q[i].turn, q[j].used, q[j].turn
	return compareSeats(&a, &b) < 0
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push see [heap.Interface].
func (q *queue) Push(x any) {
	if p, ok := x.(place); ok {
		*q = append(*q, p)
	}
}

// Pop see [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}
