// Package kernel holds the words that every room of the CRM shares: who asks ([Actor]), when it is ([Clock]), what went
// wrong ([Error]), which part of a list is wanted ([Page]), what an actor may do and see ([Rights], [Scope]), and what is
// written down about a change ([Change], [Event]).
//
// It knows no aggregate and no SQL, and it imports the standard library and decimal only. Hosts meet its daily words as
// aliases in the root package:
//
//	li := crm.Actor{Tenant: "acme", User: "li"}
//	_, err := c.Customers.Get(ctx, li, id)
//	if errors.Is(err, crm.ErrNotFound) { … }
package kernel
