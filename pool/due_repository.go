package pool

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// Told is an event that the warning run writes about a record that it holds.
type Told struct {
	Record Record
	Type   string // "due_soon" or "warned", after the kind
	Data   any
}

// PrivateQuery asks for a page of owned records within a scope.
type PrivateQuery struct {
	Scope  kernel.Scope
	Owners []kernel.UserID // one of these has it; nil: whoever, empty: nobody
	Filter PrivateFilter
	Noted  bool // only those that have a note with a due instant
}

// PrivateItem is one of its rows. Noted is the instant that the warning run noted, zero for none.
type PrivateItem struct {
	ID    int64
	Name  string
	Noted time.Time
}

// DueRepository keeps what the warning run has noted of records of one kind. A note counts only while its record has the
// same owner, clocks, home pool and lock as when it was judged; nothing but the run writes notes, so that claims,
// follow-ups and releases know nothing of them.
type DueRepository interface {
	// Near must return ids beyond an id, at most a number, in order, of records in the pool of the sweep that some rule may
	// take, or tell of, between s.Now and an instant, but for those whose note has the stamp and is right. It may return too
	// many, and must not miss one. With an empty stamp no note is right.
	Near(ctx context.Context, s Sweep, until time.Time, stamp string, after int64, atMost int) ([]int64, error)
	// Hold is Repository.Lock but for the records that others hold: those are left out.
	Hold(ctx context.Context, t kernel.TenantID, ids ...int64) ([]Record, error)
	// Notes must return the notes that there are, by id.
	Notes(ctx context.Context, t kernel.TenantID, ids ...int64) (map[int64]Note, error)
	// Write must write notes of records that are held.
	Write(ctx context.Context, t kernel.TenantID, notes ...Note) error
	// Tell must write the events, with their audit rows, of records that are held.
	Tell(ctx context.Context, by kernel.Actor, now time.Time, events ...Told) error
	// Doubtful must return notes beyond an id, at most a number, in order, that are not right any more: worn ones, which do
	// not count or whose owner is no active member of the home pool; and those with a due instant, in one of the pools, whose
	// record has another seq, that have none of the stamps, or whose NextAt has come.
	Doubtful(ctx context.Context, t kernel.TenantID, now time.Time, pools []ID, stamps []string, after int64, atMost int) ([]Doubt, error)
	// Wipe must delete those of the notes whose ownership has ended, and take the due instant from the others that are worn.
	// It must hold the records meanwhile, and leave out those that others hold.
	Wipe(ctx context.Context, t kernel.TenantID, ids ...int64) error
}

// Doubt is a note that is not right any more.
type Doubt struct {
	ID   int64
	Pool ID
	Worn bool // it does not count, and need not be judged
}

// PrivateRepository lists owned records of one kind for those who look after them.
type PrivateRepository interface {
	// Private must return w.Limit+1 rows at most: first those with a note that counts, by its due instant and the id, then
	// the others by id. The keys of w are 0 or 1 for the two parts, the due instant in microseconds (0 in the second part),
	// and the id.
	Private(ctx context.Context, t kernel.TenantID, q PrivateQuery, w kernel.Window) ([]PrivateItem, error)
	// In must return the members of the departments and of all below them.
	In(ctx context.Context, t kernel.TenantID, departments ...team.DepartmentID) ([]kernel.UserID, error)
	// Superiors must return the next active superior of each of the users that has one: the one named on the member, else the
	// head of its department or of the nearest one above.
	Superiors(ctx context.Context, t kernel.TenantID, users ...kernel.UserID) (map[kernel.UserID]kernel.UserID, error)
}
