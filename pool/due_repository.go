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
	// Near must return, beyond an id, at most a number, in order: records in the pool of the sweep that some rule may take, or
	// tell of, between s.Now and an instant, but for those whose note has the stamp and is right; and notes with a due instant,
	// in the pool, of records that are not among these. It may return too many, and must not miss one. With an empty stamp no
	// note is right.
	Near(ctx context.Context, s Sweep, until time.Time, stamp string, after int64, atMost int) ([]Doubt, error)
	// Hold is Repository.Lock but for the records that others hold: those are left out.
	Hold(ctx context.Context, t kernel.TenantID, ids ...int64) ([]Record, error)
	// Notes must return the notes that there are, by id.
	Notes(ctx context.Context, t kernel.TenantID, ids ...int64) (map[int64]Note, error)
	// Write must write notes of records that are held.
	Write(ctx context.Context, t kernel.TenantID, notes ...Note) error
	// Tell must write the events, with their audit rows, of records that are held.
	Tell(ctx context.Context, by kernel.Actor, now time.Time, events ...Told) error
	// Pools must return the pools that notes are of.
	Pools(ctx context.Context, t kernel.TenantID) ([]ID, error)
	// Ended must return the records beyond an id, at most a number, in order, of notes without a due instant whose ownership
	// has ended.
	Ended(ctx context.Context, t kernel.TenantID, after int64, atMost int) ([]int64, error)
	// Wipe must delete those of the notes whose ownership has ended, and take the due instant from the others that are worn:
	// they do not count, or the owner is no active member of the home pool. It must hold the records meanwhile, leave out
	// those that others hold, and return those that it cleaned, in order.
	Wipe(ctx context.Context, t kernel.TenantID, ids ...int64) ([]int64, error)
}

// Doubt is a record about which something may be new.
type Doubt struct {
	ID    int64
	Named bool // some rule may take it, or tell of it; false: it only has a note that says so
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
