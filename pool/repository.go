package pool

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// ErrLost is the reason of the conflict by which a repository says that Claim wrote nothing; the service then finds out why.
const ErrLost kernel.Reason = "lost"

// Lost is that conflict.
func Lost() error { return &kernel.Error{Code: kernel.ErrConflict, Reason: ErrLost} }

// Order is a claim as a repository needs it.
type Order struct {
	By  kernel.Actor
	Now time.Time
	Day kernel.Date // of the tenant
}

// Move changes the owner of records that Lock returned, with counters, operation log, audit and events. Locks end with it.
type Move struct {
	Action  customer.Action
	By      kernel.Actor
	Now     time.Time
	Day     kernel.Date
	To      kernel.UserID // empty: into the pool
	Pool    ID            // the home pool from now on; 0: as it is
	Reason  string
	Note    string
	Records []Record
	OverCap map[int64]bool // of the records, those that go above the cap of To
}

// SweepRule is a rule in the order in which rules win.
type SweepRule struct {
	Rule
	Parsed *condition.Condition
	Acts   bool // it releases, and the run takes it
}

// Sweep is what a run does with one pool. A record is due when its owner is an active member of the pool and the first
// rule that matches acts.
type Sweep struct {
	By         kernel.Actor
	Now        time.Time
	Pool       *Pool
	Rules      []SweepRule
	Days       condition.Counting
	SpendFrom  time.Time // the trailing year, for the fact spend
	SpendUntil time.Time
}

// Swept is a record that a run released.
type Swept struct {
	ID    int64
	Owner kernel.UserID
	Rule  RuleID
}

// Repository works on the records of one kind. Every call is a fixed number of statements, whatever the number of
// records; records are locked in the order of their ids and before any counter.
type Repository interface {
	SweepRepository
	OpenRepository

	// Claim must give the record to o.By with every consequence, or return ErrLost with nothing done. It must test, in
	// the statement that takes the record, that the claimer is an active member of the tenant and of the record's pool,
	// and decide cap and quota on the counter row that it locks, whose day must not be after o.Day. A pool with a claim
	// condition may be answered ErrLost.
	Claim(ctx context.Context, o Order, id int64) error
	// Look must return the records that exist, in the order of their ids.
	Look(ctx context.Context, t kernel.TenantID, ids ...int64) ([]Record, error)
	// Lock is Look with the rows locked until the end of the transaction.
	Lock(ctx context.Context, t kernel.TenantID, ids ...int64) ([]Record, error)
	// Facts must return what conditions read of the records, by id; spend within the window.
	Facts(ctx context.Context, t kernel.TenantID, spendFrom, spendUntil time.Time, ids ...int64) (map[int64]condition.Facts, error)
	// Exposed must return the ids of those of the records whose owner is an active member of their home pool, so that its
	// rules apply.
	Exposed(ctx context.Context, t kernel.TenantID, ids ...int64) ([]int64, error)
	// Stand must return a living record as it is, without a lock, its home pool, and whether the user, an active member,
	// belongs to that; nil when there is no such record.
	Stand(ctx context.Context, t kernel.TenantID, user kernel.UserID, id int64) (*Stand, error)
	// Counter must return the member's counter without a lock; with the tenant's limits when there is no row yet.
	Counter(ctx context.Context, t kernel.TenantID, user kernel.UserID) (customer.Counter, error)
	// Move see Move.
	Move(ctx context.Context, m Move) error
	// Rehome must make m.Pool the home of the records, whoever owns them, with operation log, audit and events; nothing else
	// changes.
	Rehome(ctx context.Context, m Move) error
	// AtHome must return ids, beyond an id, of records whose home the pool is, at most a number, in order.
	AtHome(ctx context.Context, t kernel.TenantID, home ID, after int64, atMost int) ([]int64, error)
	// RehomeDeleted must do it for at most a number of deleted records, silently, and return how many; into may be 0 for the
	// default pool.
	RehomeDeleted(ctx context.Context, t kernel.TenantID, from, into ID, atMost int) (int, error)
	// InPool must return ids, beyond an id, of records that lie in the pool, at most a number, in order.
	InPool(ctx context.Context, t kernel.TenantID, home ID, after int64, atMost int) ([]int64, error)
	// Give see Giving.
	Give(ctx context.Context, g Giving) error
	// Locked must count the locks of an owner that have not run out, but for one record.
	Locked(ctx context.Context, t kernel.TenantID, owner kernel.UserID, now time.Time, but int64) (int, error)
	// SetLock see LockChange.
	SetLock(ctx context.Context, l LockChange) error
	// OwnedBy must return ids, beyond an id, of records that the member owns, at most a number, in order.
	OwnedBy(ctx context.Context, t kernel.TenantID, owner kernel.UserID, after int64, atMost int) ([]int64, error)
}

// SweepRepository finds and takes what the rules say is due.
type SweepRepository interface {
	// Owned must count the tenant's records that have an owner.
	Owned(ctx context.Context, t kernel.TenantID) (int, error)
	// Due must count the records that the sweep would release now.
	Due(ctx context.Context, s Sweep) (int, error)
	// Candidates must return ids of due records beyond an id, at most a number, in order.
	Candidates(ctx context.Context, s Sweep, after int64, atMost int) ([]int64, error)
	// Release must release those of the records that are due now, leave out those that others hold, and tell which.
	Release(ctx context.Context, s Sweep, ids ...int64) ([]Swept, error)
}

// OpenRepository keeps who opened which record on which day.
type OpenRepository interface {
	// Open must note that a member opens a record that Lock returned, and raise the counter of its day; false, and nothing, when
	// it is noted already. At the limit, decided on the counter row that it locks, and where the day of that is after o.Day, it
	// must return ErrLost.
	Open(ctx context.Context, o Opening) (first bool, err error)
	// PurgeOpens must delete what Open noted on days before one, at most a number, and return how many.
	PurgeOpens(ctx context.Context, t kernel.TenantID, before kernel.Date, atMost int) (int, error)
}

// Stand is what a refusal of a claim is judged by.
type Stand struct {
	Record  Record
	Pool    *Pool
	Belongs bool
}

// PoolRepository keeps the pools of one kind, their members and rules.
type PoolRepository interface {
	// Insert must give an id to the pool and write it with its rules; false when the name is taken.
	Insert(ctx context.Context, t kernel.TenantID, p *Pool, rules ...*Rule) (bool, error)
	// Get must return the pools that exist, in the order of the ids; 0 among the ids asks for the default pool.
	Get(ctx context.Context, t kernel.TenantID, ids ...ID) ([]*Pool, error)
	// Lock is Get of one pool with its row locked, nil when there is none; rules and members of the pool change under it.
	Lock(ctx context.Context, t kernel.TenantID, id ID) (*Pool, error)
	// Update must write name, description, public, priority and settings; false when the name is taken.
	Update(ctx context.Context, t kernel.TenantID, p *Pool) (bool, error)
	// Delete must delete a locked pool that is nobody's home, with its members and rules.
	Delete(ctx context.Context, t kernel.TenantID, id ID) error
	// List must return w.Limit+1 pools at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Pool, error)
	// Belongs must return to which of the pools an active member belongs, and whether as an administrator.
	Belongs(ctx context.Context, t kernel.TenantID, user kernel.UserID, ids ...ID) (map[ID]Member, error)
	// Members must return the lines of the pool's list.
	Members(ctx context.Context, t kernel.TenantID, id ID) ([]Member, error)
	// SetMembers must replace the list.
	SetMembers(ctx context.Context, t kernel.TenantID, id ID, ms ...Member) error
	// Rules must return the rules of the pools, in the order in which they win.
	Rules(ctx context.Context, t kernel.TenantID, ids ...ID) ([]*Rule, error)
	// Rule must return the rule, or nil.
	Rule(ctx context.Context, t kernel.TenantID, id RuleID) (*Rule, error)
	// PutRule must write the rule, with a new id when it has none; false when the name is taken in its pool.
	PutRule(ctx context.Context, t kernel.TenantID, r *Rule) (bool, error)
	// DeleteRule must delete the rule.
	DeleteRule(ctx context.Context, t kernel.TenantID, id RuleID) error
}

// PolicyRepository keeps what a tenant has decided about its members' records of one kind.
type PolicyRepository interface {
	// Policy must return the tenant's policy of the kind.
	Policy(ctx context.Context, t kernel.TenantID) (Policy, error)
	// SetPolicy must write it.
	SetPolicy(ctx context.Context, t kernel.TenantID, p Policy) error
	// Reasons must return the tenant's list of the kind, in its order.
	Reasons(ctx context.Context, t kernel.TenantID) ([]string, error)
	// SetReasons must replace it.
	SetReasons(ctx context.Context, t kernel.TenantID, reasons ...string) error
	// SetLimits must write a member's own limits and return those before.
	SetLimits(ctx context.Context, t kernel.TenantID, user kernel.UserID, l Limits) (Limits, error)
}

// TerritoryGift is who gets which record, and what the operation log says of the territory.
type TerritoryGift struct {
	Record    Record
	To        kernel.UserID
	Territory TerritoryID
	Rule      string
}

// Giving gives records that lie in their pools to members by territories, with operation log, audit and events, and notes on
// the counters the places and when each member last got one. The records are locked, and so are the counters of all who get
// one.
type Giving struct {
	By    kernel.Actor
	Now   time.Time
	Gifts []TerritoryGift
}

// Staff is which members territories may give to.
type Staff struct {
	Of     map[team.DepartmentID][]kernel.UserID // the active members of a department and of all below it
	Active map[kernel.UserID]bool                // all active members that were asked for, by name or by department
}

// TerritoryRepository keeps the territories of one kind.
type TerritoryRepository interface {
	// Put must write the territory over the one of its id, or give it an id; false when the name is taken.
	Put(ctx context.Context, t kernel.TenantID, x *Territory) (bool, error)
	// Get must return the territory, or nil.
	Get(ctx context.Context, t kernel.TenantID, id TerritoryID) (*Territory, error)
	// List must return w.Limit+1 territories at most, by id.
	List(ctx context.Context, t kernel.TenantID, w kernel.Window) ([]*Territory, error)
	// Delete must delete the territory.
	Delete(ctx context.Context, t kernel.TenantID, id TerritoryID) error
	// Staff see Staff; one statement for all departments and users.
	Staff(ctx context.Context, t kernel.TenantID, departments []team.DepartmentID, users []kernel.UserID) (Staff, error)
	// Belonging must return which of the users are active members of each of the pools.
	Belonging(ctx context.Context, t kernel.TenantID, pools []ID, users []kernel.UserID) (map[ID]map[kernel.UserID]bool, error)
}

// Tx is what this module needs of a transaction.
type Tx interface {
	kernel.Tx
	Pool(k Kind) Repository
	Pools(k Kind) PoolRepository
	Histories(k Kind) HistoryRepository
	Patterns(k Kind) PatternRepository
	Policies(k Kind) PolicyRepository
	Territories(k Kind) TerritoryRepository
	Dues(k Kind) DueRepository
	Private(k Kind) PrivateRepository
	Calendars() team.CalendarRepository
	Customers() customer.Repository
	Contacts() customer.ContactRepository
	Addresses() customer.AddressRepository
	Interactions() customer.InteractionRepository
	Members() team.MemberRepository
	Departments() team.DepartmentRepository
	Counters(kind string) customer.CounterRepository
	Operations(kind string) customer.OperationRepository
}
