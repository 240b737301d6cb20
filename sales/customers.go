package sales

import (
	"context"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// Opportunities and documents are children of a customer: they are reached through their own owner or through it, they
// change under its row lock, and what happens to them is an event of the customer.

// lockCustomer locks a customer within the scope of the call; without it, it is not found as the input's field.
func lockCustomer(ctx context.Context, c *kernel.Call[Tx], id customer.ID) (*customer.Customer, error) {
	found, err := c.Tx.Customers().Lock(ctx, c.Actor.Tenant, c.Scope, false, id)
	if err == nil && len(found) == 0 {
		err = &kernel.Error{Code: kernel.ErrNotFound, Field: "customer_id"}
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// lockAny locks the customer of something that the actor was found to reach.
func lockAny(ctx context.Context, c *kernel.Call[Tx], id customer.ID) error {
	found, err := c.Tx.Customers().Lock(ctx, c.Actor.Tenant, kernel.Scope{All: true}, false, id)
	if err == nil && len(found) == 0 {
		err = kernel.ErrNotFound
	}
	return err
}

// related refuses an owner that is no active member, and a contact that is not the customer's. Those that were there before
// are not asked again: a member may have left since.
func related(ctx context.Context, c *kernel.Call[Tx], of customer.ID, owner, hadOwner kernel.UserID, contact, hadContact customer.ContactID) error {
	r := c.Tx.Opportunities()
	if owner != hadOwner || owner == "" {
		ok, err := r.ActiveMember(ctx, c.Actor.Tenant, owner)
		if err == nil && !ok {
			err = kernel.Invalidf("owner_id", kernel.Unknown, "no active member")
		}
		if err != nil {
			return err
		}
	}
	if contact == 0 || contact == hadContact {
		return nil
	}
	ok, err := r.ContactOf(ctx, c.Actor.Tenant, of, contact)
	if err == nil && !ok {
		err = kernel.Invalidf("contact_id", kernel.Unknown, "the customer has no such contact")
	}
	return err
}

// tellCustomer writes a change as the next event of its customer.
func tellCustomer(ctx context.Context, c *kernel.Call[Tx], id customer.ID, change kernel.Change) error {
	change.Subject = subjectOf(id)
	return c.Record(ctx, change)
}

// subjectOf is the customer in whose order events of what hangs on it are told.
func subjectOf(id customer.ID) kernel.Ref { return kernel.Ref{Kind: customer.Kind, ID: int64(id)} }

// asCustomers is the call as the module of customers sees it.
func asCustomers(c *kernel.Call[Tx]) *kernel.Call[customer.Tx] {
	return &kernel.Call[customer.Tx]{Tx: c.Tx, Actor: c.Actor, Now: c.Now, Rights: c.Rights, Scope: c.Scope}
}
