package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Tx is what this module needs of a transaction.
type Tx interface {
	kernel.Tx
	Customers() Repository
	Counters(kind string) CounterRepository
	Operations(kind string) OperationRepository
	Contacts() ContactRepository
	Addresses() AddressRepository
	Tags() TagRepository
	Interactions() InteractionRepository
	Tasks() TaskRepository
	Deals() DealRepository
}

// Taken is a row that was not written because another has its unique value.
type Taken struct {
	Index int    // of the row in the call
	Field string // "code" or "external_id"
}

// Repository keeps customers. Every call is a fixed number of statements, whatever the number of customers, and locks
// rows in the order of their ids. Rows that are deleted, of another tenant or outside the scope do not exist for it.
type Repository interface {
	// Insert must give ids, and codes where they are empty, to all, and write all with their facts, except those whose
	// unique values are taken: these it returns and does not write.
	Insert(ctx context.Context, t kernel.TenantID, cs ...*Customer) ([]Taken, error)
	// Get must leave out what does not exist. The order is that of the ids.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...ID) ([]*Customer, error)
	// Lock is Get with the rows locked until the end of the transaction; deleted asks for the deleted ones instead.
	Lock(ctx context.Context, t kernel.TenantID, s kernel.Scope, deleted bool, ids ...ID) ([]*Customer, error)
	// ByKey must return the customers that have these keys of the host's system, in the order of their ids.
	ByKey(ctx context.Context, t kernel.TenantID, s kernel.Scope, system string, externalIDs ...string) ([]*Customer, error)
	// LockByKey finds customers by the host's key, in the order of their ids, and locks them; deleted ones come only where
	// no other has the key.
	LockByKey(ctx context.Context, t kernel.TenantID, system string, externalIDs ...string) ([]*Customer, error)
	// Discard must remove rows that the same transaction inserted, as if they had never been there.
	Discard(ctx context.Context, t kernel.TenantID, ids ...ID) error
	// Update must write every column of customers that Lock returned, as they are given, and return those whose unique
	// values are taken, without writing them.
	Update(ctx context.Context, t kernel.TenantID, cs ...*Customer) ([]Taken, error)
	// UpdateFields must do the same of these fields only, and of version, seq and the last change. The others are as Lock or
	// LockByKey returned them.
	UpdateFields(ctx context.Context, t kernel.TenantID, fields []Field, cs ...*Customer) ([]Taken, error)
	// Touch must raise the customer's seq by n, which locks it, and return it as it then is; nil when it does not exist.
	Touch(ctx context.Context, t kernel.TenantID, s kernel.Scope, id ID, n int64) (*Customer, error)
	// Meet must do to the customer what a new interaction leaves on it: raise its seq by one, which locks it, count it in
	// the facts, and for a follow-up move the clocks: to at where they are not set or at is before the first or after the
	// last, unless nobody owns the customer or at is before OwnedSince. It must return the customer as it then is; nil when
	// it does not exist.
	Meet(ctx context.Context, t kernel.TenantID, s kernel.Scope, id ID, at time.Time, followup bool) (*Customer, error)
	// List must return w.Limit+1 customers at most, by id.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f Filter, w kernel.Window) ([]*Customer, error)
	// Count must not count beyond limit.
	Count(ctx context.Context, t kernel.TenantID, s kernel.Scope, f Filter, limit int) (int, error)
	// SetFollowups must write the two follow-up clocks.
	SetFollowups(ctx context.Context, t kernel.TenantID, id ID, first, last time.Time) error
	// Facts must return a row for each customer of the tenant that exists, in the order of their ids.
	Facts(ctx context.Context, t kernel.TenantID, ids ...ID) ([]Facts, error)
	// PutFacts must write facts of customers whose row the transaction has locked.
	PutFacts(ctx context.Context, t kernel.TenantID, fs ...Facts) error
	// Homes must return the home pool for customers of each owner: the first pool by priority that the owner is a member
	// of, else the tenant's default pool. An owner who is no active member of the tenant is left out; the empty owner
	// has the default pool.
	Homes(ctx context.Context, t kernel.TenantID, owners ...kernel.UserID) (map[kernel.UserID]PoolID, error)
	// PoolsExist must return which of the pools the tenant has for customers.
	PoolsExist(ctx context.Context, t kernel.TenantID, pools ...PoolID) ([]PoolID, error)
	// Timeline must return w.Limit+1 entries at most, newest first: by time, source and id, all descending.
	Timeline(ctx context.Context, t kernel.TenantID, id ID, w kernel.Window) ([]Entry, error)
}

// CounterRepository keeps the counter rows of one kind of record.
type CounterRepository interface {
	// Lock must make the rows that are not there yet, lock them in the order of the users, and return them in it.
	Lock(ctx context.Context, t kernel.TenantID, users ...kernel.UserID) ([]Counter, error)
	// Look must return the counters without locks, in the order of the users; of a user without a row, one with the tenant's limits.
	Look(ctx context.Context, t kernel.TenantID, users ...kernel.UserID) ([]Counter, error)
	// AddPlaces must add to places of rows that Lock returned; numbers may be negative.
	AddPlaces(ctx context.Context, t kernel.TenantID, places map[kernel.UserID]int) error
}
