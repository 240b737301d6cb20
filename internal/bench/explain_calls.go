package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// explained is what the calls work on.
type explained struct {
	d          *data
	db         *sql.DB
	spy        *spy
	kept, anew *crm.CRM // with rights that are kept, and read anew

	owned    customer.ID // by li
	claim    customer.ID // in the default pool
	deepOwn  int64       // after so many pages …
	deepPool int64
	deepAll  int64
	deepHead int64
}

// The actors of the calls: a seller, the head of its department with 20 sellers, and one who sees all.
var (
	li     = crm.Actor{Tenant: tenantKey(0), User: seller(7)}
	boss0  = crm.Actor{Tenant: tenantKey(0), User: head(0)}
	admin  = crm.Actor{Tenant: tenantKey(0), User: "admin"}
	house0 = crm.Actor{Tenant: tenantKey(0), User: seller(0)}
)

func (x *explained) find(ctx context.Context) error {
	h := x.d.houses[0]
	for _, q := range []struct {
		to   *int64
		text string
	}{
		{(*int64)(&x.owned), "SELECT max(id) FROM crm_customers WHERE owner_id = 's7' AND tenant_id = %[1]d"},
		{(*int64)(&x.claim), "SELECT max(id) FROM crm_customers WHERE owner_id IS NULL AND tenant_id = %[1]d AND pool_id = %[2]d"},
		{&x.deepOwn, "SELECT max(id) FROM crm_customers WHERE owner_id = 's0' AND tenant_id = %[1]d"},
		{&x.deepAll, "SELECT max(id) FROM crm_customers WHERE tenant_id = %[1]d"},
	} {
		if err := x.db.QueryRowContext(ctx, fmt.Sprintf(q.text, h.number, h.pools[0])).Scan(q.to); err != nil {
			return err
		}
	}
	middle := (x.d.first + x.deepAll) / 2
	x.deepOwn, x.deepPool, x.deepAll, x.deepHead = middle, middle, middle, middle
	return nil
}

// without runs a call inside a transaction that is rolled back.
func (x *explained) without(ctx context.Context, fn func(c *crm.CRM) error) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(fn(x.kept.In(tx)), tx.Rollback())
}

func (x *explained) list(ctx context.Context, a crm.Actor, f customer.Filter, after int64) error {
	_, err := x.kept.Customers.List(ctx, a, f, crm.Page{Limit: 100, After: cursor(after)})
	return err
}

type explainCall struct {
	name string
	do   func(ctx context.Context, x *explained) error
}

func listCall(name string, a crm.Actor, f customer.Filter) explainCall {
	return explainCall{name, func(ctx context.Context, x *explained) error { return x.list(ctx, a, f, 0) }}
}

func deepCall(name string, a crm.Actor, f customer.Filter, after func(x *explained) int64) explainCall {
	return explainCall{name, func(ctx context.Context, x *explained) error { return x.list(ctx, a, f, after(x)) }}
}

func countCall(name string, a crm.Actor, f customer.Filter) explainCall {
	return explainCall{name, func(ctx context.Context, x *explained) error {
		_, _, err := x.kept.Customers.Count(ctx, a, f)
		return err
	}}
}

// explainCalls are the calls whose statements must each stand on an index.
var explainCalls = []explainCall{
	{"Rights of a seller, then a point read (Customers.Get)", func(ctx context.Context, x *explained) error {
		_, err := x.anew.Customers.Get(ctx, li, x.owned)
		return err
	}},
	{"Rights of a head with 20 sellers, then a point read", func(ctx context.Context, x *explained) error {
		_, err := x.anew.Customers.Get(ctx, boss0, x.owned)
		return err
	}},
	listCall("Own list of a seller (Customers.List, Owners), first page", li, customer.Filter{Owners: []crm.UserID{li.User}}),
	deepCall("Own list of a seller with a tenth of all, in the middle", house0, customer.Filter{Owners: []crm.UserID{house0.User}}, func(x *explained) int64 { return x.deepOwn }),
	listCall("All that a seller sees (empty filter), first page", li, customer.Filter{}),
	deepCall("All that a seller sees, in the middle", li, customer.Filter{}, func(x *explained) int64 { return x.deepAll }),
	listCall("Pool list of a seller (InPool), first page", li, customer.Filter{InPool: true}),
	deepCall("Pool list of a seller, in the middle", li, customer.Filter{InPool: true}, func(x *explained) int64 { return x.deepPool }),
	listCall("All that a head with 20 sellers sees, first page", boss0, customer.Filter{}),
	deepCall("All that a head sees, in the middle", boss0, customer.Filter{}, func(x *explained) int64 { return x.deepHead }),
	listCall("The 20 sellers of a head (Owners), first page", boss0, customer.Filter{Owners: twenty()}),
	deepCall("The 20 sellers of a head, in the middle", boss0, customer.Filter{Owners: twenty()}, func(x *explained) int64 { return x.deepHead }),
	listCall("All of the tenant (admin), first page", admin, customer.Filter{}),
	listCall("All of the tenant, newest first", admin, customer.Filter{Newest: true}),
	countCall("Count of the own list", li, customer.Filter{Owners: []crm.UserID{li.User}}),
	countCall("Count of the pool", li, customer.Filter{InPool: true}),
	countCall("Count of all that a seller sees", li, customer.Filter{}),
	countCall("Count of all that a head sees", boss0, customer.Filter{}),
	countCall("Count of all of the tenant", admin, customer.Filter{}),
	{"Claim (Pool.Claim)", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error { return c.Pool.Claim(ctx, li, x.claim) })
	}},
	{"Claim that is refused: the reads that tell why", func(ctx context.Context, x *explained) error {
		err := x.kept.Pool.Claim(ctx, house0, x.owned)
		if errors.Is(err, crm.ErrRefused) || errors.Is(err, crm.ErrNotFound) {
			return nil
		}
		return fmt.Errorf("not refused: %w", err)
	}},
	{"Release (Pool.Release)", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error { return c.Pool.Release(ctx, li, x.owned, nil) })
	}},
	{"Follow-up (Interactions.Add)", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error { return c.Customers.Interactions.Add(ctx, li, followUpOf(x.owned)) })
	}},
	{"Update (Customers.Update)", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error {
			found, err := c.Customers.Get(ctx, li, x.owned)
			if err != nil {
				return err
			}
			found.Remarks = "called back"
			return c.Customers.Update(ctx, li, found)
		})
	}},
	{"Due tasks of a seller (Tasks.List), first page", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Customers.Tasks.List(ctx, li, customer.TaskFilter{Owners: []crm.UserID{li.User}, States: []customer.TaskState{customer.TaskOpen}}, crm.Page{})
		return err
	}},
	{"Plan of a hand-over to two successors (HandOver.Plan)", func(ctx context.Context, x *explained) error {
		_, err := x.kept.HandOver.Plan(ctx, admin, li.User, &crm.HandOverOptions{Successors: []crm.UserID{seller(1), seller(2)}})
		return err
	}},
	{"Timeline, first page of 100 of a thousand entries", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Customers.Timeline(ctx, admin, customer.ID(x.d.id(0, 0)), crm.Page{Limit: 100})
		return err
	}},
	{"Create one for an owner (homes, ids)", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error {
			return c.Customers.Create(ctx, admin, &customer.Customer{Name: "blue", Ownership: customer.Ownership{OwnerID: li.User}})
		})
	}},
	{"Sync of 500 that are there, unchanged", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error {
			_, err := c.Customers.Sync(ctx, boss(0), x.d.items(0, 500, 0), nil)
			return err
		})
	}},
	{"Sync of 500 new ones", func(ctx context.Context, x *explained) error {
		return x.without(ctx, func(c *crm.CRM) error {
			_, err := c.Customers.Sync(ctx, boss(0), x.d.items(0, 500, 1<<40), nil)
			return err
		})
	}},
	{"Recycle of a tenant (Pool.Recycle)", func(ctx context.Context, x *explained) error {
		x.spy.dry = true
		defer func() { x.spy.dry = false }()
		report, err := x.kept.Pool.Recycle(ctx, boss(0), &pool.RecycleOptions{})
		if err == nil && report.Released == 0 {
			err = errors.New("nothing was due")
		}
		return err
	}},
	{"Simulate by other rules, a batch of 1,000 (Pool.Simulate)", func(ctx context.Context, x *explained) error {
		rules := []pool.Rule{{Name: "sooner", Condition: "followup_days > 14", Action: pool.Release}}
		_, err := x.kept.Pool.Simulate(ctx, boss(0), rules, &pool.SimulateOptions{Limit: 1_000})
		return err
	}},
	{"Claims given back within a week, of 90 days (Patterns.ClaimAndRelease)", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Pool.Patterns.ClaimAndRelease(ctx, admin, quarter, crm.Page{})
		return err
	}},
	{"Those of one member (Patterns.ClaimsReleased)", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Pool.Patterns.ClaimsReleased(ctx, admin, li.User, quarter, crm.Page{})
		return err
	}},
	{"Swaps of 90 days (Patterns.Swaps)", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Pool.Patterns.Swaps(ctx, admin, quarter, crm.Page{})
		return err
	}},
	{"Those of one pair (Patterns.Handed)", func(ctx context.Context, x *explained) error {
		_, err := x.kept.Pool.Patterns.Handed(ctx, admin, li.User, house0.User, quarter, crm.Page{})
		return err
	}},
}

// trailCalls are lists of the audit trail by each of its filters, and the index that each must stand on.
var trailCalls = []struct {
	index  string
	filter func(x *explained) team.TrailFilter
}{
	{"crm_ix_audit_subject", func(x *explained) team.TrailFilter {
		return team.TrailFilter{Subject: crm.Ref{Kind: customer.Kind, ID: int64(x.owned)}}
	}},
	{"crm_ix_audit_actor", func(*explained) team.TrailFilter { return team.TrailFilter{Actor: li.User} }},
	{"crm_ix_audit_type", func(*explained) team.TrailFilter { return team.TrailFilter{Types: []string{"role.put"}} }},
	{"crm_ix_audit_at", func(*explained) team.TrailFilter {
		return team.TrailFilter{From: clock().AddDate(0, 0, -100), To: clock().AddDate(0, 0, -90)}
	}},
}

func trailLists() (calls []explainCall) {
	for _, c := range trailCalls {
		calls = append(calls, explainCall{"Audit trail by " + strings.TrimPrefix(c.index, "crm_ix_audit_"), func(ctx context.Context, x *explained) error {
			l, err := x.kept.Team.Trail.Audit(ctx, admin, c.filter(x), crm.Page{})
			if err == nil && l.Next != "" { // a page that does not begin at the newest
				_, err = x.kept.Team.Trail.Audit(ctx, admin, c.filter(x), crm.Page{After: l.Next})
			}
			return err
		}})
	}
	return calls
}

// quarter is what a superior asks about.
var quarter = pool.PatternFilter{From: now.Add(-90 * 24 * time.Hour)}

func twenty() (users []crm.UserID) {
	for n := range 20 {
		users = append(users, seller(n))
	}
	return users
}
