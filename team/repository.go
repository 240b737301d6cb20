package team

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Tx is what this module needs of a transaction.
type Tx interface {
	kernel.Tx
	Tenants() TenantRepository
	Members() MemberRepository
	Departments() DepartmentRepository
	Roles() RoleRepository
	Calendars() CalendarRepository
	Trail() TrailRepository
	Relay() RelayRepository
}

// TenantRepository keeps tenants.
type TenantRepository interface {
	// Insert must write the tenant with the default policies, and a default public pool for every kind of record with the
	// built-in rules, switched off; false when the tenant is there already.
	Insert(ctx context.Context, id kernel.TenantID, t *Tenant) (bool, error)
	// Get must return the tenant; nil when there is none or it is being dropped.
	Get(ctx context.Context, id kernel.TenantID) (*Tenant, error)
	// Lock must hold the tenant's row until the end of the transaction, so that changes of the department tree and of roles
	// wait for each other, but nothing else waits for them. What is read after it must include what others committed.
	Lock(ctx context.Context, id kernel.TenantID) error
	// BeginDrop must make the tenant unknown to every other call, for good; true also when it is so already, false when
	// there is none.
	BeginDrop(ctx context.Context, id kernel.TenantID, at time.Time) (bool, error)
	// DropSome must delete some rows of a tenant that BeginDrop marked, at most a number, and the tenant itself at last;
	// it returns how many rows it deleted, 0 when nothing is left.
	DropSome(ctx context.Context, id kernel.TenantID, atMost int) (int, error)
	// Grantee must return what the rights of a user depend on, read anew; nil for a tenant that does not exist or is being
	// dropped, with a nil Member for a user who is none. The member lists that the user's roles do not reach may be left
	// empty, and so may everything but the zone for a member who is not active.
	Grantee(ctx context.Context, id kernel.TenantID, user kernel.UserID) (*Grantee, error)
}

// MemberRepository keeps members.
type MemberRepository interface {
	// Insert must give ids to all and write all, except those whose user is a member already: their indexes it returns.
	Insert(ctx context.Context, t kernel.TenantID, ms ...*Member) (taken []int, err error)
	// Lock must return the members of these users that exist, active or not, locked, in the order of the users.
	Lock(ctx context.Context, t kernel.TenantID, users ...kernel.UserID) ([]*Member, error)
	// Get is Lock without the lock.
	Get(ctx context.Context, t kernel.TenantID, users ...kernel.UserID) ([]*Member, error)
	// Update must write all columns of members that are locked.
	Update(ctx context.Context, t kernel.TenantID, ms ...*Member) error
	// List must return w.Limit+1 members at most, by id.
	List(ctx context.Context, t kernel.TenantID, f MemberFilter, w kernel.Window) ([]*Member, error)
	// OthersThan must return active members that are none of these users, locked, at most a number, in the order of the users.
	OthersThan(ctx context.Context, t kernel.TenantID, users []kernel.UserID, atMost int) ([]*Member, error)
	// Seen must raise last_seen_at to an instant, without a change of version, in one statement; false for a user who is no
	// member.
	Seen(ctx context.Context, t kernel.TenantID, user kernel.UserID, at time.Time) (bool, error)
}

// DepartmentRepository keeps the department tree. The tenant is locked before it is asked to write.
type DepartmentRepository interface {
	// Insert must give ids to all and write all, except those whose key is taken: their indexes it returns.
	Insert(ctx context.Context, t kernel.TenantID, ds ...*Department) (taken []int, err error)
	// Get must return the departments that exist, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, ids ...DepartmentID) ([]*Department, error)
	// ByKey must return the departments that have one of these keys.
	ByKey(ctx context.Context, t kernel.TenantID, keys ...string) ([]*Department, error)
	// Update must write all columns of departments as given, and return the indexes of those whose key is taken.
	Update(ctx context.Context, t kernel.TenantID, ds ...*Department) (taken []int, err error)
	// Delete must delete departments that have neither members nor departments below, are in no pool's list of members and
	// the team of no territory, and return the ids of the others.
	Delete(ctx context.Context, t kernel.TenantID, ids ...DepartmentID) (used []DepartmentID, err error)
	// Rebuild must derive who is below whom from the parents. A department that is below itself is invalid with reason
	// Cycle, a tree deeper than MaxDepth with TooMany.
	Rebuild(ctx context.Context, t kernel.TenantID) error
	// List must return w.Limit+1 departments at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Department, error)
}

// RoleRepository keeps the roles that a tenant defined: few, at most 200.
type RoleRepository interface {
	// Put must write the role over the one of its name, or give it an id.
	Put(ctx context.Context, t kernel.TenantID, r *Role) error
	// All must return the roles by name.
	All(ctx context.Context, t kernel.TenantID) ([]*Role, error)
	// Delete must delete the role, unless unusedOnly is set and a member has it: false then.
	Delete(ctx context.Context, t kernel.TenantID, name RoleName, unusedOnly bool) (bool, error)
}

// CalendarRepository keeps business calendars. The tenant is locked before it is asked to write.
type CalendarRepository interface {
	// Put must write the calendar over the one of its id, or give it an id; false when the name is taken.
	Put(ctx context.Context, t kernel.TenantID, c *Calendar) (bool, error)
	// Get must return the calendars that exist, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, ids ...CalendarID) ([]*Calendar, error)
	// Lock is Get with the rows locked until the end of the transaction: whoever begins to count by a calendar locks it.
	Lock(ctx context.Context, t kernel.TenantID, ids ...CalendarID) ([]*Calendar, error)
	// List must return w.Limit+1 calendars at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Calendar, error)
	// Delete must delete a calendar that is locked, unless a pool names it: false then.
	Delete(ctx context.Context, t kernel.TenantID, id CalendarID) (bool, error)
}

// TrailFilter says which rows of the audit trail or the outbox are wanted; empty conditions are none.
type TrailFilter struct {
	Subject kernel.Ref    // of this subject: a customer with all that hangs on it
	Actor   kernel.UserID // by this user
	Types   []string      // of these types
	From    time.Time     // at or after
	To      time.Time     // before
}

// ByTime tells that a span of time is wanted and nothing else: pages of the audit trail are then in the order of time and id.
// Ids alone would lead past all that is newer than the span, however much that is.
func (f TrailFilter) ByTime() bool {
	return f.Subject == (kernel.Ref{}) && f.Actor == "" && len(f.Types) == 0 && (!f.From.IsZero() || !f.To.IsZero())
}

// TrailRepository reads the audit trail and the outbox, and keeps the outcomes of requests.
type TrailRepository interface {
	// Audit must return w.Limit+1 rows at most, newest first: by time and id where f.ByTime, whose window has both (the time in
	// microseconds), else by id. Masked must tell
	// whether the customer that a row belongs to lies in a pool, here, in Events and in RelayRepository.Dead.
	Audit(ctx context.Context, t kernel.TenantID, f TrailFilter, w kernel.Window) ([]kernel.AuditEntry, error)
	// Events must return w.Limit+1 events at most: of one subject in the order of seq, else in the order of ids.
	Events(ctx context.Context, t kernel.TenantID, f TrailFilter, w kernel.Window) ([]kernel.Event, error)
	// Visible must return whether a customer exists within the scope.
	Visible(ctx context.Context, t kernel.TenantID, s kernel.Scope, customer int64) (bool, error)
	// ForgetRequests must delete outcomes noted before an instant, at most a number, and return how many.
	ForgetRequests(ctx context.Context, t kernel.TenantID, before time.Time, atMost int) (int, error)
}

// Claim is what a relay wants to lease.
type Claim struct {
	Token  string     // unique to the call of Deliver
	Until  time.Time  // when the lease ends
	After  kernel.Ref // subjects after this one, by kind and id
	AtMost int        // events
}

// Taken is what a relay was given.
type Taken struct {
	Events []LeasedEvent // subject by subject, each in the order of seq
	After  kernel.Ref    // where to go on
	Last   bool          // no subject behind After has undelivered events
}

// LeasedEvent is an event with the number of its failures.
type LeasedEvent struct {
	kernel.Event

	Attempts int
}

// Failure is what becomes of an event that a handler did not take.
type Failure struct {
	ID       int64
	Subject  kernel.Ref
	Seq      int64
	Attempts int
	Due      time.Time // when it died, if it is dead
	Dead     bool
	Error    string
}

// RelayRepository keeps what became of the events in the outbox. The head of a subject is its undelivered event of the lowest
// seq. An event is leased by the token that was written last, until its lease ends or another token takes it over.
type RelayRepository interface {
	// Take must lease, of subjects whose head is neither dead, nor leased, nor due later, a run of undelivered events that
	// begins with the head; of two calls at once only one may get a head. It may return nothing before the last subject.
	Take(ctx context.Context, t kernel.TenantID, c Claim, now time.Time) (Taken, error)
	// Renew must put off the end of leases that still are the token's, but of none behind an undelivered event that is not,
	// and return their ids.
	Renew(ctx context.Context, t kernel.TenantID, token string, until time.Time, ids []int64) ([]int64, error)
	// Mark must note that events are delivered and end their leases, of those that still are the token's, and return how many.
	Mark(ctx context.Context, t kernel.TenantID, token string, at time.Time, ids []int64) (int, error)
	// Fail must note the failure and end the token's leases of this and of later events of the subject; false and nothing when
	// the lease is not the token's.
	Fail(ctx context.Context, t kernel.TenantID, token string, f Failure) (bool, error)
	// Release must end leases that still are the token's.
	Release(ctx context.Context, t kernel.TenantID, token string, ids []int64) error
	// Settle must mark a dead letter as given up, or make it due as if it had never failed; known is whether the event exists,
	// settled whether it was a dead letter.
	Settle(ctx context.Context, t kernel.TenantID, id int64, skip bool, at time.Time) (known, settled bool, err error)
	// Dead must return w.Limit+1 dead letters at most, by id.
	Dead(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]DeadLetter, error)
	// Backlog must count to MaxBacklog, of subjects too.
	Backlog(ctx context.Context, t kernel.TenantID) (Backlog, error)
	// Purge must delete events that were delivered or given up at or before an instant, at most a number, and return how many.
	Purge(ctx context.Context, t kernel.TenantID, before time.Time, atMost int) (int, error)
}
