package crm_test

import (
	"context"
	"fmt"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// Territories share customers that nobody owns among members: those of Zhejiang that make food go to li and wang, in turns;
// VIPs go to the head of sales, wherever they are.
func Example_territories() {
	ctx := context.Background()
	o := openOffice(ctx)
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{
		Name: "food in Zhejiang", Regions: []string{"33"}, Industries: []string{"C13", "C14"},
		Members: []crm.UserID{"li", "wang"}, Enabled: true,
	}))
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "key accounts", VIP: true, Members: []crm.UserID{"chen"}, Enabled: true}))
	var ids []customer.ID
	for _, c := range []*customer.Customer{
		{Name: "West Lake Noodles", Region: "330106", Industry: "C1431"},
		{Name: "Ningbo Seafood", Region: "330203", Industry: "C1361"},
		{Name: "Wenzhou Rice", Region: "330302", Industry: "C1311", Level: customer.LevelA},
		{Name: "Beijing Duck", Region: "110101", Industry: "C1353"},
	} {
		check(o.Customers.Create(ctx, boss, c))
		ids = append(ids, c.ID)
	}
	got, err := o.Pool.AutoAssign(ctx, boss, ids)
	check(err)
	for _, x := range got.Assigned {
		c, err := o.Customers.Get(ctx, boss, x.ID)
		check(err)
		fmt.Println(c.Name, "goes to", x.To)
	}
	fmt.Println(len(got.Left), "stays:", got.Left[0].Why.Reason)
	// Output:
	// West Lake Noodles goes to li
	// Ningbo Seafood goes to wang
	// Wenzhou Rice goes to chen
	// 1 stays: no_territory
}

// With AssignNew a pool gives new customers to members as they are made: whoever makes one names no owner, and finds one.
func Example_newCustomersByTerritory() {
	ctx := context.Background()
	o := openOffice(ctx)
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "Zhejiang", Regions: []string{"33"}, Members: []crm.UserID{"li", "wang"}, Enabled: true}))
	p, err := o.Pool.Pools.Get(ctx, boss, 0) // the default pool
	check(err)
	p.AssignNew = true
	check(o.Pool.Pools.Update(ctx, boss, p))
	for _, name := range []string{"Blue Whale", "Red Panda", "Golden Monkey"} {
		c := &customer.Customer{Name: name, Region: "330106"}
		check(o.Customers.Create(ctx, admin, c))
		fmt.Println(c.Name, "goes to", c.OwnerID)
	}
	// Output:
	// Blue Whale goes to li
	// Red Panda goes to wang
	// Golden Monkey goes to li
}

// ExplainTerritory tells which territories match a customer, and why this member is next.
func Example_explainTerritory() {
	ctx := context.Background()
	o := openOffice(ctx)
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "everything else", Members: []crm.UserID{"chen"}, Enabled: true}))
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "Beijing", Regions: []string{"11"}, Members: []crm.UserID{"li"}, Enabled: true}))
	check(o.Pool.Territories.Put(ctx, boss, &pool.Territory{Name: "Hangzhou", Regions: []string{"3301"}, Members: []crm.UserID{"li", "wang"}, Enabled: true}))
	check(o.Customers.Create(ctx, boss, &customer.Customer{Name: "Blue Whale", Ownership: customer.Ownership{OwnerID: "li"}}))
	c := &customer.Customer{Name: "Red Panda", Region: "330106"}
	check(o.Customers.Create(ctx, boss, c))
	x, err := o.Pool.ExplainTerritory(ctx, admin, c.ID)
	check(err)
	fmt.Println("to", x.To)
	for _, t := range x.Territories {
		fmt.Printf("%s: %q %q\n", t.Territory.Name, t.Region, t.Why)
		for _, m := range t.Candidates {
			fmt.Printf("  %s has %d of %d\n", m.User, m.Used, m.Cap)
		}
	}
	// Output:
	// to wang
	// Hangzhou: "3301" ""
	//   wang has 0 of 200
	//   li has 1 of 200
	// everything else: "" ""
	// Beijing: "" "region"
}
