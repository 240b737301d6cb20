package crm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// In the pool phones, e-mails and notes are masked. Opening a customer shows them, counts, and stands on the trail.
func Example_open() {
	ctx := context.Background()
	c := openOffice(ctx)
	check(c.Pool.Pools.SetPolicy(ctx, admin, pool.Policy{Cap: 200, DailyQuota: 20, OpenLimit: 1}))
	blue, red := c.customer(ctx, "蓝鲸机械有限公司"), c.customer(ctx, "赤霞")
	ming := &customer.Contact{CustomerID: blue.ID, FullName: "王小明", Phone: "138 0013 5678", Email: "ming@example.com"}
	check(c.Customers.Contacts.Add(ctx, admin, ming))

	seen, err := c.Customers.Contacts.Get(ctx, li, ming.ID)
	check(err)
	fmt.Println(seen.FullName, seen.Phone, seen.Email)

	opened, err := c.Pool.Open(ctx, li, blue.ID)
	check(err)
	fmt.Println(opened.Contacts[0].Phone, opened.Contacts[0].Email)

	_, err = c.Pool.Open(ctx, li, red.ID)
	if no, ok := errors.AsType[*pool.Refusal](err); ok {
		fmt.Println(no.Reason, no.Limit)
	}

	check(c.Pool.Claim(ctx, li, blue.ID)) // now it is li's
	seen, err = c.Customers.Contacts.Get(ctx, li, ming.ID)
	check(err)
	fmt.Println(seen.Phone)
	// Output:
	// 王小明 138****5678 m***@example.com
	// 138 0013 5678 ming@example.com
	// open_limit 1
	// 138 0013 5678
}

// What was read masked is never written back: not as it is, and not when a form has lost the flag.
func Example_masked() {
	ctx := context.Background()
	c := openOffice(ctx)
	blue := &customer.Customer{Name: "蓝鲸机械有限公司", Remarks: "ring after six: 138 0013 5678"}
	check(c.Customers.Create(ctx, admin, blue))

	seen, err := c.Customers.Get(ctx, admin, blue.ID)
	check(err)
	seen.Level = customer.LevelA
	fmt.Println(seen.Remarks, errors.Is(c.Customers.Update(ctx, admin, seen), customer.Masked))
	seen.Masked = false
	fmt.Println(errors.Is(c.Customers.Update(ctx, admin, seen), customer.Masked))

	opened, err := c.Pool.Open(ctx, admin, blue.ID)
	check(err)
	opened.Customer.Level = customer.LevelA
	check(c.Customers.Update(ctx, admin, opened.Customer))
	fmt.Println(opened.Customer.Level, opened.Customer.Remarks)
	// Output:
	// *** true
	// true
	// A ring after six: 138 0013 5678
}
