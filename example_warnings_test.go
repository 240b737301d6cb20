package crm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// portfolio gives customers to li, an hour apart; a rule takes them after 10 days without a follow-up.
func (o *office) portfolio(ctx context.Context, names ...string) (all []*customer.Customer) {
	check(o.Pool.Pools.PutRule(ctx, boss, &pool.Rule{Name: "10 days", Condition: "followup_days > 10", Action: pool.Release, Enabled: true}))
	for _, name := range names {
		c := &customer.Customer{Name: name, Ownership: customer.Ownership{OwnerID: "li"}}
		check(o.Customers.Create(ctx, boss, c))
		all = append(all, c)
		o.wait(time.Hour)
	}
	return all
}

// Warnings are events. A job runs Warn every night, and the relay brings the events to where people are told.
func Example_warnings() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := c.portfolio(ctx, "蓝鲸机械有限公司")[0]
	tell := func() {
		_, err := c.Team.Relay.Deliver(ctx, crm.System("acme", "relay"), func(_ context.Context, e kernel.Event) error {
			if e.Type != "customer.due_soon" {
				return nil
			}
			var due pool.DueSoon
			check(json.Unmarshal(e.Data, &due))
			fmt.Printf("to %s: a customer of yours is due on %s, by the rule %s", due.Owner, due.DueAt.Format(time.DateOnly), due.Name)
			if due.Superior != "" {
				fmt.Printf("; to %s too", due.Superior)
			}
			fmt.Println()
			return nil
		}, nil)
		check(err)
	}
	for range 10 { // nights
		c.wait(24 * time.Hour)
		_, err := c.Pool.Warn(ctx, crm.System("acme", "nightly warnings"), nil)
		check(err)
		tell()
	}
	check(c.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: blue.ID, Type: customer.Call, Subject: "offer", Followup: true}))
	due, err := c.Pool.DueAt(ctx, li, blue.ID)
	check(err)
	fmt.Println("after a call:", due[blue.ID].At.Format(time.DateOnly))
	// Output:
	// to li: a customer of yours is due on 2026-03-12, by the rule 10 days
	// to li: a customer of yours is due on 2026-03-12, by the rule 10 days; to chen too
	// after a call: 2026-03-22
}

// The superior's view: private customers of subordinates, those first that are due next. What is chosen there is
// released or transferred in bulk, with an outcome for each.
func Example_superior() {
	ctx := context.Background()
	c := openOffice(ctx)
	chen := crm.Actor{Tenant: "acme", User: "chen"} // the head of li and wang
	all := c.portfolio(ctx, "blue", "green", "red", "yellow")
	c.wait(8 * 24 * time.Hour)
	check(c.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: all[0].ID, Type: customer.Visit, Subject: "at the plant", Followup: true}))
	_, err := c.Pool.Warn(ctx, crm.System("acme", "nightly warnings"), nil)
	check(err)

	view, err := c.Pool.Private(ctx, chen, pool.PrivateFilter{Subordinates: true}, crm.Page{})
	check(err)
	var ids []customer.ID
	for _, row := range view.Items {
		fmt.Println(row.Name, row.Owner, row.DaysLeft, "days left")
		ids = append(ids, row.ID)
	}
	due, err := c.Pool.DueList(ctx, li, pool.PrivateFilter{}, crm.Page{Limit: 1}) // what li has to do first
	check(err)
	fmt.Println("first:", due.Items[0].Name)

	moved, err := c.Pool.AssignMany(ctx, chen, ids[:1], "wang", crm.WhatCanBeHad, nil)
	check(err)
	released, err := c.Pool.ReleaseMany(ctx, chen, append(ids[1:3], c.customer(ctx, "in the pool").ID), crm.WhatCanBeHad, nil)
	check(err)
	fmt.Println(len(moved.Assigned), "transferred,", len(released.Released), "released, refused:", released.Refused[0].Why.Reason)
	// Output:
	// green li 1 days left
	// red li 1 days left
	// yellow li 1 days left
	// blue li 10 days left
	// first: green
	// 1 transferred, 2 released, refused: not_owned
}
