package kernel

import "maps"

// StillActive is why nothing is handed over of a member that may act (again): it would get new records meanwhile.
const StillActive Reason = "still_active"

// Successor is a member that gets records of one who leaves.
type Successor struct {
	User    UserID
	Regions []string // its sales regions, as division codes: records there go to it first
}

// Leaving is what a module needs to know to hand over what a member has who leaves.
type Leaving struct {
	By         Actor
	User       UserID      // who leaves
	Successors []Successor // who get its records; none: they go to their pools
	Superior   UserID      // who gets its open work; empty: it stays as it is
	Reason     string
	Note       string
	After      int64          // records beyond this id
	Turn       int            // index of the successor whose turn it is
	AtMost     int            // records in one transaction
	Dry        bool           // decide, and write nothing
	Given      map[UserID]int // Dry only: places that the module's earlier batches took; it adds its own

	Heirs map[int64]UserID // Dry only: which successor would get a customer, for what comes after customers; by their caps not many
}

// Handed counts what became of the records of one kind. Found is the sum of ToPool, To and Kept.
type Handed struct {
	Kind      string         `json:"kind"`                 // "customer", "task", "lead", "opportunity", "quote", "contract"
	Found     int            `json:"found"`                // that the member had
	ToPool    int            `json:"to_pool,omitempty"`    // released into their home pools
	To        map[UserID]int `json:"to,omitempty"`         // given to these members
	Kept      int            `json:"kept,omitempty"`       // stayed as they are, since nobody is there to get them
	NoPlace   map[UserID]int `json:"no_place,omitempty"`   // that this successor did not get: its cap left no place
	NoMember  map[UserID]int `json:"no_member,omitempty"`  // that this successor did not get: it does not belong to the home pool
	WithOwner int            `json:"with_owner,omitempty"` // of a plan: tasks that the hand-over of their customers will close or give away
	Next      int64          `json:"-"`                    // the id beyond which the next batch begins; 0 after the last one
	Turn      int            `json:"-"`                    // Leaving.Turn of the next batch
}

// Give counts one record for a member.
func (h *Handed) Give(to UserID) { h.To = oneMore(h.To, to) }

// Pass counts one record that a member did not get.
func (h *Handed) Pass(by UserID, noPlace bool) {
	if noPlace {
		h.NoPlace = oneMore(h.NoPlace, by)
		return
	}
	h.NoMember = oneMore(h.NoMember, by)
}

func oneMore(m map[UserID]int, user UserID) map[UserID]int {
	if m == nil {
		m = map[UserID]int{}
	}
	m[user]++
	return m
}

// Plus adds up what two batches of one kind did; where the next one begins is not part of a sum.
func (h Handed) Plus(more Handed) Handed {
	h.Kind = more.Kind
	h.Found, h.ToPool, h.Kept, h.WithOwner = h.Found+more.Found, h.ToPool+more.ToPool, h.Kept+more.Kept, h.WithOwner+more.WithOwner
	h.To, h.NoPlace, h.NoMember = sum(h.To, more.To), sum(h.NoPlace, more.NoPlace), sum(h.NoMember, more.NoMember)
	return h
}

func sum(a, b map[UserID]int) map[UserID]int {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := map[UserID]int{}
	maps.Copy(all, a)
	for user, n := range b {
		all[user] += n
	}
	return all
}
