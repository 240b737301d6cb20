package crm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/team"
)

func ExampleHandOver_Run() {
	ctx := context.Background()
	o := openOffice(ctx)
	defer o.db.Close()
	hangzhou := team.Member{User: "sun", Role: team.Seller, Regions: []string{"3301"}}
	check(o.Team.Members.Add(ctx, boss, hangzhou))
	for _, region := range []string{"330106", "440300", "310115"} {
		check(o.Customers.Create(ctx, boss, &customer.Customer{Name: "Blue Whale " + region, Region: region, Ownership: customer.Ownership{OwnerID: "li"}}))
	}
	check(o.Customers.Tasks.Create(ctx, li, &customer.Task{Subject: "plan the fair", DueAt: o.now.Add(24 * time.Hour)}))

	// li leaves. First look, then do it.
	opts := &crm.HandOverOptions{Successors: []crm.UserID{"wang", "sun"}, Reason: "resigned"}
	plan, err := o.HandOver.Plan(ctx, admin, "li", opts)
	check(err)
	fmt.Printf("of %d customers %d would go to sun, open work to %s\n", plan.Items[0].Found, plan.Items[0].To["sun"], plan.Superior)

	report, err := o.HandOver.Run(ctx, admin, "li", opts)
	check(err)
	for _, item := range report.Items {
		fmt.Println(item.Kind, item.Found, item.To, item.ToPool)
	}
	again, err := o.HandOver.Run(ctx, admin, "li", opts) // as after a crash: nothing is left
	check(err)
	fmt.Println("again:", again.Items[0].Found, again.Items[1].Found)
	// Output:
	// of 3 customers 2 would go to sun, open work to chen
	// customer 3 map[sun:2 wang:1] 0
	// task 1 map[chen:1] 0
	// lead 0 map[] 0
	// opportunity 0 map[] 0
	// quote 0 map[] 0
	// contract 0 map[] 0
	// again: 0 0
}

func ExampleHandOver_Plan() {
	ctx := context.Background()
	o := openOffice(ctx)
	defer o.db.Close()
	check(o.Customers.Create(ctx, li, &customer.Customer{Name: "Blue Whale", Ownership: customer.Ownership{OwnerID: "li"}}))
	plan, err := o.HandOver.Plan(ctx, admin, "li", nil) // no successors
	check(err)
	fmt.Println("to the pool:", plan.Items[0].ToPool)
	mine, err := o.Customers.List(ctx, li, customer.Filter{Owners: []crm.UserID{"li"}}, crm.Page{})
	check(err)
	fmt.Println("li still has:", len(mine.Items))
	// Output:
	// to the pool: 1
	// li still has: 1
}

// What a member has to do is a list by due instant; a release closes what is open on the customer.
func ExampleCRM_tasks() {
	ctx := context.Background()
	o := openOffice(ctx)
	defer o.db.Close()
	c := &customer.Customer{Name: "Blue Whale", Ownership: customer.Ownership{OwnerID: "li"}}
	check(o.Customers.Create(ctx, li, c))
	offer := &customer.Task{Subject: "send the offer", CustomerID: c.ID, DueAt: o.now.Add(48 * time.Hour)}
	check(o.Customers.Tasks.Create(ctx, li, offer))
	check(o.Customers.Tasks.Create(ctx, li, &customer.Task{Subject: "call Mr. Wu", CustomerID: c.ID, DueAt: o.now.Add(time.Hour)}))

	today := customer.TaskFilter{Owners: []crm.UserID{"li"}, States: []customer.TaskState{customer.TaskOpen}, DueTo: o.now.Add(15 * time.Hour)}
	due, err := o.Customers.Tasks.List(ctx, li, today, crm.Page{})
	check(err)
	for _, x := range due.Items {
		fmt.Println(x.Subject)
		check(o.Customers.Tasks.Done(ctx, li, x.ID))
	}
	check(o.Pool.Release(ctx, li, c.ID, nil))
	offer, err = o.Customers.Tasks.Get(ctx, li, offer.ID)
	check(err)
	fmt.Println(offer.State, offer.Reason)
	// Output:
	// call Mr. Wu
	// cancelled release
}
