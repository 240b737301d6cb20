package crm_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/shopspring/decimal"
	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// office is a CRM on a database in memory, with two sellers, their head and an administrator. Its clock stands until it is
// moved: Monday, 2 March 2026, nine o'clock in Shanghai.
type office struct {
	*crm.CRM

	db  *sql.DB
	now time.Time
}

var (
	boss  = crm.System("acme", "set-up")
	li    = crm.Actor{Tenant: "acme", User: "li"}
	wang  = crm.Actor{Tenant: "acme", User: "wang"}
	admin = crm.Actor{Tenant: "acme", User: "zhao"}
)

func openOffice(ctx context.Context) *office {
	db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
	check(err)
	db.SetMaxOpenConns(1) // a database in memory lives in its connection
	o := &office{db: db, now: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)}
	store := sqlite.New(db, nil)
	check(store.Migrate(ctx))
	o.CRM, err = crm.New(ctx, store, &crm.Options{Clock: func() time.Time { return o.now }})
	check(err)
	check(o.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	sales, err := o.Team.Departments.Create(ctx, boss, team.Department{Name: "Sales", Head: "chen"})
	check(err)
	_, err = o.Team.Members.AddMany(ctx, boss, []team.Member{
		{User: "li", Role: team.Seller, Department: sales.ID},
		{User: "wang", Role: team.Seller, Department: sales.ID},
		{User: "chen", Role: team.Head, Department: sales.ID},
		{User: "zhao", Role: team.Admin},
	})
	check(err)
	return o
}

func (o *office) wait(d time.Duration) { o.now = o.now.Add(d) }

// customer makes a customer that lies in the public pool.
func (o *office) customer(ctx context.Context, name string) *customer.Customer {
	c := &customer.Customer{Name: name}
	check(o.Customers.Create(ctx, admin, c))
	return c
}

// The quick start of the README: open, migrate, make a tenant with two sellers, and claim a customer out of the public pool.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "crm")
	check(err)
	defer os.RemoveAll(dir)

	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(dir, "shop.db"))) // the host's database, the host's driver
	check(err)
	defer db.Close()
	store := sqlite.New(db, nil)
	check(store.Migrate(ctx))
	c, err := crm.New(ctx, store, nil) // checks the database, starts nothing
	check(err)

	boss := crm.System("acme", "set-up") // the explicit system actor, with its reason
	check(c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"}))
	check(c.Team.Members.Add(ctx, boss, team.Member{User: "li", Role: team.Seller}))
	check(c.Team.Members.Add(ctx, boss, team.Member{User: "wang", Role: team.Seller}))

	li := crm.Actor{Tenant: "acme", User: "li"} // who asks: always an argument, never hidden in ctx
	wang := crm.Actor{Tenant: "acme", User: "wang"}
	blue := &customer.Customer{Name: "蓝鲸机械有限公司"}
	check(c.Customers.Create(ctx, li, blue)) // without an owner it lies in the public pool

	check(c.Pool.Claim(ctx, li, blue.ID))
	err = c.Pool.Claim(ctx, wang, blue.ID)
	fmt.Println(errors.Is(err, crm.ErrRefused), errors.Is(err, pool.Taken))
	// Output: true true
}

// A claim and an order of the host are one commit, or none.
func ExampleCRM_In() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	_, err := c.db.ExecContext(ctx, "CREATE TABLE erp_orders (number TEXT PRIMARY KEY, customer_id BIGINT)")
	check(err)

	order := func(number string) error {
		tx, err := c.db.BeginTx(ctx, nil) // the host's transaction
		if err != nil {
			return err
		}
		defer tx.Rollback()
		in := c.In(tx) // the same CRM with the same methods, inside it
		if err := in.Pool.Claim(ctx, li, blue.ID); err != nil && !errors.Is(err, pool.Taken) {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO erp_orders VALUES ($1, $2)", number, int64(blue.ID)); err != nil {
			return err // the claim goes with it
		}
		_, err = in.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: blue.ID, System: "erp", Number: number, At: c.now, Amount: decimal.New(1200, 0)})
		if err != nil {
			return err
		}
		return tx.Commit()
	}
	check(order("SO-1"))
	fmt.Println("the number again:", order("SO-1") != nil)
	blue, err = c.Customers.Get(ctx, li, blue.ID)
	check(err)
	fmt.Println(blue.OwnerID, blue.Stage)
	// Output:
	// the number again: true
	// li won
}

// A rule that says no is a refusal with its reason, not a failure.
func Example_refusal() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	check(c.Pool.Claim(ctx, li, blue.ID))
	check(c.Pool.Release(ctx, li, blue.ID, &pool.ReleaseOptions{Reason: "no budget"}))

	err := c.Pool.Claim(ctx, wang, blue.ID)
	if refusal, ok := errors.AsType[*pool.Refusal](err); ok {
		fmt.Println(refusal.Reason, "until", refusal.Until.Format(time.DateOnly))
	}
	c.wait(7 * 24 * time.Hour) // at this very instant the protection is over
	err = c.Pool.Claim(ctx, li, blue.ID)
	fmt.Println("for its last owner it is not:", errors.Is(err, pool.CoolDown))
	fmt.Println("for wang it is:", c.Pool.Claim(ctx, wang, blue.ID) == nil)
	// Output:
	// protected until 2026-03-09
	// for its last owner it is not: true
	// for wang it is: true
}

// Of many, what can be had is claimed, and each of the others has its reason.
func Example_claimMany() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue, red, green := c.customer(ctx, "蓝鲸"), c.customer(ctx, "赤霞"), c.customer(ctx, "青禾")
	check(c.Pool.Claim(ctx, wang, red.ID))
	check(c.Pool.Pools.SetPolicy(ctx, admin, pool.Policy{Cap: 1, DailyQuota: 20, OpenLimit: 100}))

	got, err := c.Pool.ClaimMany(ctx, li, []customer.ID{red.ID, blue.ID, green.ID}, pool.WhatCanBeHad)
	check(err)
	fmt.Println(len(got.Claimed), "claimed")
	for _, r := range got.Refused {
		fmt.Println("refused:", r.Why.Reason, r.Why.Limit)
	}
	// Output:
	// 1 claimed
	// refused: taken 0
	// refused: cap 1
}

// Rules are data. A condition is checked when it is saved, and the run of the night says which rule took what.
func Example_recycle() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := &customer.Customer{Name: "蓝鲸机械有限公司", Level: customer.LevelD, Ownership: customer.Ownership{OwnerID: "li"}}
	check(c.Customers.Create(ctx, li, blue))

	rule := pool.Rule{Name: "small and silent", Condition: `followup_days > 7 and level in ["C", D]`, Action: pool.Release, Enabled: true}
	err := c.Pool.Pools.PutRule(ctx, admin, &rule) // into the default pool, since PoolID is 0
	if e, ok := errors.AsType[*condition.SyntaxError](err); ok {
		fmt.Println("not accepted:", e)
	}
	rule.Condition = `followup_days > 7 and level in ["C", "D"]`
	check(c.Pool.Pools.PutRule(ctx, admin, &rule))

	c.wait(7*24*time.Hour + time.Microsecond)
	// A run refuses to take more than 20 % of all owned customers, in case a rule has a mistake; here is but one.
	report, err := c.Pool.Recycle(ctx, crm.System("acme", "nightly run"), &pool.RecycleOptions{MaxShare: 100})
	check(err)
	for _, r := range report.ByRule {
		fmt.Println(r.Name, r.Released)
	}
	log, err := c.Pool.Log(ctx, admin, customer.OperationFilter{Record: int64(blue.ID)}, crm.Page{})
	check(err)
	for _, op := range log.Items {
		fmt.Printf("%s from %q to %q %s\n", op.Action, op.From, op.To, op.Rule)
	}
	// Output:
	// not accepted: column 38: expected a text in quotes after in, found "D"; a text stands in quotes, as in "D"
	// small and silent 1
	// recycle from "li" to "" small and silent: followup_days > 7 and level in ["C", "D"]
	// create from "" to "li"
}

// A host's customers are mirrored by its own keys. The same list again changes nothing.
func Example_syncCustomers() {
	ctx := context.Background()
	c := openOffice(ctx)
	job := crm.System("acme", "nightly sync")
	list := []*customer.Customer{
		{ExternalSystem: "erp", ExternalID: "4711", Name: "蓝鲸机械有限公司", Region: "330200", Ownership: customer.Ownership{OwnerID: "li"}},
		{ExternalSystem: "erp", ExternalID: "4712", Name: "青禾食品有限公司"}, // nobody's: into the pool
		{ExternalSystem: "erp", ExternalID: "4713", Name: "赤霞纺织有限公司", Ownership: customer.Ownership{OwnerID: "sun"}},
	}
	for range 2 {
		outcomes, err := c.Customers.Sync(ctx, job, list, nil)
		check(err)
		for i, o := range outcomes {
			fmt.Print(list[i].ExternalID, " ", o.Did)
			if o.Err != nil {
				fmt.Print(" ", o.Err.Field, " ", o.Err.Reason)
			}
			fmt.Println()
		}
		list[0].Industry = "C34"
	}
	// Output:
	// 4711 created
	// 4712 created
	// 4713 refused owner_id not_a_member
	// 4711 updated
	// 4712 unchanged
	// 4713 refused owner_id not_a_member
}

// Members and departments are mirrored from the host's directory.
func Example_syncTeam() {
	ctx := context.Background()
	c := openOffice(ctx)
	report, err := c.Team.Sync(ctx, crm.System("acme", "directory"), team.Directory{
		Departments: []team.DirectoryDepartment{{Key: "S", Name: "Sales", Head: "chen"}, {Key: "E", Parent: "S", Name: "East"}},
		Members: []team.DirectoryMember{
			{User: "chen", Role: team.Head, Department: "S"}, {User: "li", Department: "E"}, {User: "sun", Department: "E"}, {User: "zhao"},
		},
		Complete: true, // wang has left
	})
	check(err)
	fmt.Printf("%+v\n", report)
	fmt.Println("wang may act no more:", errors.Is(c.Customers.Create(ctx, wang, &customer.Customer{Name: "x"}), crm.ErrDenied))
	// Output:
	// {DepartmentsAdded:2 DepartmentsChanged:0 MembersAdded:1 MembersChanged:2 MembersEnded:1 Unchanged:1}
	// wang may act no more: true
}

// A follow-up moves the clock that the rules of the pool read, and stands on the customer's timeline.
func Example_followUp() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	c.wait(time.Hour)
	check(c.Pool.Claim(ctx, li, blue.ID))
	c.wait(time.Hour)
	check(c.Customers.Interactions.Add(ctx, li, &customer.Interaction{
		CustomerID: blue.ID, Type: customer.Call, Subject: "first call", Followup: true,
		NextAction: "send the offer", NextActionAt: c.now.Add(48 * time.Hour),
	}))
	c.wait(time.Hour)
	_, err := c.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: blue.ID, Number: "SO-1", At: c.now, Amount: decimal.New(1200, 0)})
	check(err)

	for page := (crm.Page{Limit: 2}); ; { // page by page, newest first
		list, err := c.Customers.Timeline(ctx, li, blue.ID, page)
		check(err)
		for _, e := range list.Items {
			fmt.Println(e.At.Format(time.TimeOnly), e.What, e.Subject, "by", e.By)
		}
		if page.After = list.Next; page.After == "" {
			break
		}
	}
	pending, err := c.Customers.Interactions.Pending(ctx, li, "", time.Time{}, crm.Page{})
	check(err)
	fmt.Println("to do:", pending.Items[0].NextAction)
	// Output:
	// 04:00:00 completed SO-1 by li
	// 03:00:00 call first call by li
	// 02:00:00 claim  by li
	// to do: send the offer
}

// Every change is on the audit trail, in the same transaction, with what was before and after.
func Example_auditTrail() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.customer(ctx, "蓝鲸机械有限公司")
	check(c.Pool.Claim(ctx, li, blue.ID))
	blue, err := c.Customers.Get(ctx, li, blue.ID)
	check(err)
	blue.Level = customer.LevelB
	check(c.Customers.Update(ctx, li, blue))

	trail, err := c.Team.Trail.Audit(ctx, admin, team.TrailFilter{Subject: blue.Ref(), Actor: "li"}, crm.Page{})
	check(err)
	for _, e := range trail.Items {
		fmt.Printf("%s %s: %s → %s\n", e.Actor, e.Type, e.Before, e.After)
	}
	// Output:
	// li customer.updated: {} → {"level":"B"}
	// li customer.claimed: {"owner_id":""} → {"owner_id":"li"}
}

// The relay brings every change to a handler of the host: in order per subject, at least once. What the handler refuses is
// tried again, and until then holds up its own subject only.
func Example_relay() {
	ctx := context.Background()
	c := openOffice(ctx)
	job := crm.System("acme", "relay")
	_, err := c.Team.Relay.Deliver(ctx, job, func(context.Context, kernel.Event) error { return nil }, nil) // of the set-up
	check(err)
	blue, red := c.customer(ctx, "蓝鲸机械有限公司"), c.customer(ctx, "赤霞纺织有限公司")
	check(c.Pool.Claim(ctx, li, blue.ID))

	down := true
	send := func(_ context.Context, e kernel.Event) error {
		if down && e.Subject == blue.Ref() {
			return errors.New("503")
		}
		fmt.Println(e.Type, "of blue:", e.Subject == blue.Ref(), "of red:", e.Subject == red.Ref())
		return nil
	}
	for range 2 { // a host calls it every second
		report, err := c.Team.Relay.Deliver(ctx, job, send, nil)
		check(err)
		fmt.Println(report.Delivered, "delivered,", report.Failed, "failed")
		down = false
		c.wait(10 * time.Second) // the first backoff
	}
	// Output:
	// customer.created of blue: false of red: true
	// 1 delivered, 1 failed
	// customer.created of blue: true of red: false
	// customer.claimed of blue: true of red: false
	// 2 delivered, 0 failed
}

// A request that is sent again, since its answer was lost, does nothing twice: it returns what the first one returned.
func ExampleActor_request() {
	ctx := context.Background()
	c := openOffice(ctx)
	who := li
	who.Request = "form 7f3a" // an idempotency key of the host
	for range 2 {
		blue := &customer.Customer{Name: "蓝鲸机械有限公司"}
		check(c.Customers.Create(ctx, who, blue))
	}
	n, _, err := c.Customers.Count(ctx, li, customer.Filter{})
	check(err)
	fmt.Println(n, "customer")
	err = c.Customers.Create(ctx, who, &customer.Customer{Name: "赤霞纺织有限公司"})
	fmt.Println("other content under the same key:", errors.Is(err, crm.ErrConflict))
	// Output:
	// 1 customer
	// other content under the same key: true
}

// An error has a code and a reason for programs, and the field and the item that it is about.
func ExampleError() {
	ctx := context.Background()
	c := openOffice(ctx)
	_, err := c.Customers.CreateMany(ctx, li, []*customer.Customer{{Name: "蓝鲸"}, {Name: "赤霞", Level: "E"}}, pool.AllOrNothing)
	if e, ok := errors.AsType[*crm.Error](err); ok {
		index, _ := e.Item()
		fmt.Println(e.Code, e.Reason, e.Field, index)
	}
	fmt.Println(errors.Is(err, crm.ErrInvalid))
	fmt.Println(err)
	// Output:
	// invalid unknown level 1
	// true
	// customer.CreateMany: invalid unknown (level of item 1): "E" is none of ["A" "B" "C" "D"]
}
