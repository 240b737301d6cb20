package crm_test

import (
	"context"
	"fmt"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
)

func ExampleCRM_leads() {
	ctx := context.Background()
	o := openOffice(ctx)
	defer o.db.Close()

	// Captured twice, by two forms: the second one is told which lead that is.
	fair := []*sales.Lead{
		{Name: "Wang Xiaoming", Company: "Blue Whale", Phone: "138 0013 8000", Source: "exhibition", Intent: 3},
		{Name: "Mr Wang", Phone: "+86 138-0013-8000", Source: "website"},
	}
	captured, err := o.Sales.Leads.CreateMany(ctx, boss, fair, crm.WhatCanBeHad)
	check(err)
	fmt.Println(captured[0].Did, captured[1].Did, captured[1].Err.Field, captured[1].ID == captured[0].ID)

	// It lies in the pool of leads, masked, until somebody claims it.
	lead, err := o.Sales.Leads.Get(ctx, li, captured[0].ID)
	check(err)
	fmt.Println(lead.Status, lead.Phone)
	check(o.LeadPool.Claim(ctx, li, lead.ID))
	check(o.Sales.Leads.FollowUp(ctx, li, &sales.FollowUp{
		LeadID: lead.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: "wants two pumps", Followup: true},
	}))

	// Look first, then convert: customer, contact, and the follow-up with them.
	plan, err := o.Sales.Leads.PlanConversion(ctx, li, lead.ID)
	check(err)
	fmt.Println(plan.Do, len(plan.Candidates))
	done, err := o.Sales.Leads.Convert(ctx, li, plan)
	check(err)
	c, err := o.Customers.Get(ctx, li, done.Customer)
	check(err)
	moved, err := o.Customers.Interactions.List(ctx, li, c.ID, crm.Page{})
	check(err)
	fmt.Println(c.Name, c.Source, c.OwnerID, moved.Items[0].Subject)

	again, err := o.Sales.Leads.Convert(ctx, li, plan)
	check(err)
	fmt.Println("again the same:", again == done)
	// Output:
	// created refused phone true
	// new 138****8000
	// new 0
	// Blue Whale exhibition li wants two pumps
	// again the same: true
}
