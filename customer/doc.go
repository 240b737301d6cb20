// Package customer is the aggregate that every other module may name: the customer with its owner and home pool, its
// contacts, addresses, tags, interactions and facts.
//
//	blue := &customer.Customer{Name: "蓝鲸机械有限公司", Level: customer.LevelB}
//	err := c.Customers.Create(ctx, li, blue)          // code, home pool and times are filled in
//	blue.Industry = "C35"
//	err = c.Customers.Update(ctx, li, blue)            // a conflict if somebody changed it meanwhile
//	err = c.Customers.Interactions.Add(ctx, li, &customer.Interaction{CustomerID: blue.ID,
//		Type: customer.Call, Subject: "first call", Followup: true})
//
// Reads and writes go through the actor's scope: what lies outside is not found.
package customer
