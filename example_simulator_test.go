package crm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// What would have been with 14 days instead of 30? The simulator replays what is on record, and writes nothing.
func ExampleCRM_simulate() {
	ctx := context.Background()
	c := openOffice(ctx)
	check(c.Pool.Pools.PutRule(ctx, admin, &pool.Rule{Name: "30 days", Condition: "followup_days > 30", Action: pool.Release, Enabled: true}))
	var ids []customer.ID
	for _, name := range []string{"蓝鲸机械有限公司", "Grey Seal", "Red Fox", "White Owl", "Black Cat"} {
		x := c.customer(ctx, name)
		check(c.Pool.Claim(ctx, li, x.ID))
		ids = append(ids, x.ID)
	}
	call := func(id customer.ID) {
		check(c.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "how is business?", Followup: true}))
	}
	c.wait(10 * 24 * time.Hour)
	call(ids[4])
	c.wait(10 * 24 * time.Hour)
	call(ids[4])
	_, err := c.Customers.RecordDeal(ctx, li, customer.Deal{CustomerID: ids[0], Number: "SO-1", At: c.now, Amount: decimal.NewFromInt(8000)})
	check(err)
	call(ids[0])
	check(c.Pool.Release(ctx, li, ids[1], nil))
	c.wait(11 * 24 * time.Hour)
	_, err = c.Pool.Recycle(ctx, boss, &pool.RecycleOptions{MaxShare: 100})
	check(err)

	rules := []pool.Rule{{Name: "14 days", Condition: "followup_days > 14", Action: pool.Release}}
	s, err := c.Pool.Simulate(ctx, admin, rules, &pool.SimulateOptions{Examples: 1})
	check(err)
	fmt.Println("with 14 days:", s.Changed)
	fmt.Println("with 30 days:", s.Present)
	fmt.Println("in reality:", s.Recorded.Recycled, "of", s.Ownerships, "ownerships")
	for _, x := range s.Examples {
		fmt.Println(x.Owner, "would have lost", x.ID == ids[0], "on", x.At.Format(time.DateOnly), "and won it later:", x.Later.Won == 1)
	}
	// Output:
	// with 14 days: 4 released, 1 of them later won, 1 ordered later (8000)
	// with 30 days: 2 released, 0 of them later won, 0 ordered later (0)
	// in reality: 2 of 5 ownerships
	// li would have lost true on 2026-03-16 and won it later: true
}

// Who claims and gives back, and who hands customers to whom?
func ExampleCRM_patterns() {
	ctx := context.Background()
	c := openOffice(ctx)
	p, err := c.Pool.Pools.Get(ctx, admin, 0)
	check(err)
	p.Protection, p.CoolDown = 0, 24*time.Hour
	check(c.Pool.Pools.Update(ctx, admin, p))
	blue, grey := c.customer(ctx, "蓝鲸机械有限公司"), c.customer(ctx, "Grey Seal")
	for range 2 { // blue goes to and fro, and grey the other way
		for _, a := range [][2]crm.Actor{{li, wang}, {wang, li}} {
			check(c.Pool.Claim(ctx, a[0], blue.ID))
			check(c.Pool.Claim(ctx, a[1], grey.ID))
			c.wait(48 * time.Hour)
			check(c.Pool.Release(ctx, a[0], blue.ID, nil))
			check(c.Pool.Release(ctx, a[1], grey.ID, nil))
		}
	}

	claims, err := c.Pool.Patterns.ClaimAndRelease(ctx, admin, pool.PatternFilter{}, crm.Page{})
	check(err)
	for _, x := range claims.Items {
		fmt.Printf("%s: %d of %d claims were given back within a week without a follow-up\n", x.Member, x.Released, x.Claims)
	}
	swaps, err := c.Pool.Patterns.Swaps(ctx, admin, pool.PatternFilter{}, crm.Page{})
	check(err)
	for _, x := range swaps.Items {
		fmt.Printf("%s and %s: %d and %d, %d of them to and fro\n", x.A, x.B, x.ToB, x.ToA, x.BackAndForth)
	}
	// Output:
	// li: 4 of 4 claims were given back within a week without a follow-up
	// wang: 4 of 4 claims were given back within a week without a follow-up
	// li and wang: 3 and 3, 2 of them to and fro
}
