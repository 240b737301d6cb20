package crm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// The words that a host types daily.
type (
	Actor    = kernel.Actor
	TenantID = kernel.TenantID
	UserID   = kernel.UserID
	Date     = kernel.Date
	Page     = kernel.Page
	Error    = kernel.Error
	Code     = kernel.Code
	Reason   = kernel.Reason
	Ref      = kernel.Ref
	Several  = kernel.Several
)

// List is one page of a list.
type List[T any] = kernel.List[T]

// What a call that takes many does when not everything can be had.
const (
	AllOrNothing = kernel.AllOrNothing
	WhatCanBeHad = kernel.WhatCanBeHad
)

// The codes of errors: errors.Is(err, crm.ErrNotFound).
const (
	ErrNotFound       = kernel.ErrNotFound
	ErrConflict       = kernel.ErrConflict
	ErrInvalid        = kernel.ErrInvalid
	ErrDenied         = kernel.ErrDenied
	ErrRefused        = kernel.ErrRefused
	ErrRetry          = kernel.ErrRetry
	ErrUnknownOutcome = kernel.ErrUnknownOutcome
)

// System is the explicit actor of jobs and set-up, with the reason that the audit trail will show. See [kernel.System].
func System(t TenantID, reason string) Actor { return kernel.System(t, reason) }

// All walks a list page by page: the cursor is its own matter.
//
//	for c, err := range crm.All(func(p crm.Page) (crm.List[*customer.Customer], error) {
//		return c.Customers.List(ctx, li, customer.Filter{InPool: true}, p)
//	}) { … }
//
// An error ends it, as its last pair.
func All[T any](list func(Page) (List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for p := (Page{Limit: 500}); ; {
			l, err := list(p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range l.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.After = l.Next; l.Next == "" {
				return
			}
		}
	}
}

// Options may be nil, and so may each field.
type Options struct {
	// Clock tells the time. Defaults to time.Now.
	Clock kernel.Clock
	// KeepRights is how long a process trusts what it read about a user's rights, 0 to 1 minute. What this process changes
	// itself counts at once; what a claim depends on is asked of the database every time. Defaults to 5 seconds; negative
	// keeps nothing.
	KeepRights time.Duration
	// Sales is how quotes are made: rounding, approval, numbers. The zero value suits an office in China.
	Sales sales.Options
}

// CRM has one field per module. It is safe for many goroutines, except one that In returned, which is as safe as the
// host's transaction.
type CRM struct {
	Team      *team.Service
	Customers *customer.Service
	Pool      *pool.Service[customer.ID]
	LeadPool  *pool.Service[sales.LeadID]
	Sales     *sales.Service
	HandOver  *HandOver // when a member leaves

	store storage.Store
	opts  Options
	cache *team.Cache
	core  kernel.Service[storage.Tx] // of what crosses modules
}

const (
	keepRights    = 5 * time.Second
	longestRights = time.Minute
)

// New checks the database and starts nothing: no goroutine, no timer. It fails, with a sentence that says what to do,
// when the database is too old, misconfigured or not migrated, or when the options contradict themselves.
func New(ctx context.Context, store storage.Store, opts *Options) (*CRM, error) {
	if store == nil {
		return nil, errors.New("crm: a store is needed, such as sqlite.New(db, nil)")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	switch {
	case o.KeepRights == 0:
		o.KeepRights = keepRights
	case o.KeepRights > longestRights:
		return nil, fmt.Errorf("crm: KeepRights is at most %v: a dismissed member must not act for longer", longestRights)
	}
	if err := o.Sales.Check(); err != nil {
		return nil, fmt.Errorf("crm: Sales: %w", err)
	}
	if err := store.Check(ctx); err != nil {
		return nil, fmt.Errorf("crm: %w", err)
	}
	return wire(store, o, team.NewCache(o.KeepRights)), nil
}

// In is the same CRM inside a transaction that the host began on the *sql.DB that the store was made with: everything it
// does becomes visible with the host's commit, or never. It neither commits nor rolls back. Each call is a savepoint: after
// an error the host's transaction is usable, unless the context was cancelled, the connection lost or the transaction not
// serializable (the error is then ErrRetry, and the host begins anew). Calls that commit in batches are refused.
func (c *CRM) In(tx storage.Conn) *CRM { return wire(c.store.Join(tx), c.opts, c.cache) }

func wire(s storage.Store, o Options, cache *team.Cache) *CRM {
	teams := unit(s, func(tx storage.Tx) team.Tx { return tx })
	authority := team.NewAuthority(teams, o.Clock, cache, s.Joined())
	c := &CRM{
		store: s, opts: o, cache: cache,
		core: kernel.Service[storage.Tx]{
			Unit: unit(s, func(tx storage.Tx) storage.Tx { return tx }), Authority: authority, Clock: o.Clock,
		},
		Team: team.NewService(kernel.Service[team.Tx]{Unit: teams, Authority: authority, Clock: o.Clock}, cache, customer.MaskJSON),
		Customers: customer.NewService(kernel.Service[customer.Tx]{
			Unit: unit(s, func(tx storage.Tx) customer.Tx { return tx }), Authority: authority, Clock: o.Clock,
		}, pool.NewAssigner(poolOf)),
		Pool: pool.NewService[customer.ID](pool.Customers, kernel.Service[pool.Tx]{
			Unit: unit(s, func(tx storage.Tx) pool.Tx { return tx }), Authority: authority, Clock: o.Clock,
		}),
		Sales: sales.NewService(kernel.Service[sales.Tx]{
			Unit: unit(s, func(tx storage.Tx) sales.Tx { return tx }), Authority: authority, Clock: o.Clock,
		}, o.Sales),
	}
	wireLeads(c, authority)
	c.HandOver = &HandOver{
		c.core, c.Team.Members,
		[]handsOver{c.Pool, c.Customers.Tasks, c.LeadPool, c.Sales.Opportunities, c.Sales.Quotes, c.Sales.Contracts},
	}
	return c
}

// poolOf shows the pool its repositories of a transaction that customers have begun: unit gave them a storage.Tx.
func poolOf(tx customer.Tx) pool.Tx {
	all, _ := tx.(storage.Tx)
	return all
}

// unit shows a module only the repositories it asked for; the compiler checks that storage.Tx has them.
func unit[T any](s storage.Store, narrow func(storage.Tx) T) kernel.UnitOfWork[T] {
	return func(ctx context.Context, m kernel.Mode, fn func(context.Context, T) error) error {
		return s.Do(ctx, m, func(ctx context.Context, tx storage.Tx) error { return fn(ctx, narrow(tx)) })
	}
}
