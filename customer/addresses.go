package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Addresses is the use cases of addresses. An address is within reach when its customer is: that of the permission
// customer.read for reads, of customer.update for the rest. Addresses of a deleted customer are not found.
type Addresses struct{ core kernel.Service[Tx] }

// Add writes one address of the customer that it names; id, version and times are filled in. Errors: invalid with the
// field; not found for the customer; a conflict on "is_default" (reason Duplicate) when the customer has a default address
// of the type.
func (s *Addresses) Add(ctx context.Context, a kernel.Actor, x *Address) error {
	const op = "customer.Addresses.Add"
	draft, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Address, error) {
		of, err := touch(ctx, c, c.Scope, draft.CustomerID, 1)
		if err != nil {
			return nil, err
		}
		draft.settle(c.Now)
		if err := notFree(c.Tx.Addresses().Insert(ctx, a.Tenant, draft)); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: of.Ref(), Seq: of.Seq, Ref: draft.Ref(), Type: "address.created", After: draft})
	})
	if err == nil {
		*x = *written
	}
	return err
}

// Get returns one address.
func (s *Addresses) Get(ctx context.Context, a kernel.Actor, id AddressID) (*Address, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Addresses.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Address, error) {
		found, err := c.Tx.Addresses().Get(ctx, a.Tenant, c.Scope, false, id)
		return only(veiled(c, found, addressInPool), err)
	})
}

// List returns a page of the customer's addresses, in the order they were made.
func (s *Addresses) List(ctx context.Context, a kernel.Actor, id ID, p kernel.Page) (kernel.List[*Address], error) {
	const op = "customer.Addresses.List"
	w, err := p.Open("addresses", 1)
	if err != nil {
		return kernel.List[*Address]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Address], error) {
		of, err := visible(ctx, c, id)
		if err != nil {
			return kernel.List[*Address]{}, err
		}
		found, err := c.Tx.Addresses().List(ctx, a.Tenant, id, w)
		return kernel.Cut("addresses", w, veiled(c, found, childOf[*Address](of)), func(x *Address) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// Update writes an address that was read: its Version must be the last, else the error is a conflict with reason Stale and
// a *kernel.StaleError. It belongs to its customer for good. Errors are those of Add. On success x is as written.
func (s *Addresses) Update(ctx context.Context, a kernel.Actor, x *Address) error {
	const op = "customer.Addresses.Update"
	given, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	given.Version = x.Version
	written, err := s.change(ctx, a, op, "address.updated", false, x.ID, given, func(_ context.Context, _ *kernel.Call[Tx], cur *Address) (*Address, error) {
		return cur.edited(*given)
	})
	if err == nil {
		*x = *written
	}
	return err
}

// Delete deletes an address; the default place of its type is free from then on, and no other takes it by itself. The
// version is the one that was read.
func (s *Addresses) Delete(ctx context.Context, a kernel.Actor, id AddressID, version int64) error {
	const op = "customer.Addresses.Delete"
	_, err := s.change(ctx, a, op, "address.deleted", false, id, version, func(_ context.Context, c *kernel.Call[Tx], cur *Address) (*Address, error) {
		if version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		next.DeletedAt = c.Now
		return &next, nil
	})
	return err
}

// Restore brings a deleted address back; where another one is the default of its type by now, without the mark.
func (s *Addresses) Restore(ctx context.Context, a kernel.Actor, id AddressID) (*Address, error) {
	const op = "customer.Addresses.Restore"
	return s.change(ctx, a, op, "address.restored", true, id, nil, func(ctx context.Context, c *kernel.Call[Tx], cur *Address) (*Address, error) {
		next := *cur
		next.DeletedAt = time.Time{}
		if next.IsDefault {
			other, err := c.Tx.Addresses().Default(ctx, a.Tenant, cur.CustomerID, cur.Type)
			if err != nil {
				return nil, err
			}
			next.IsDefault = other == nil
		}
		return &next, nil
	})
}

// change puts in the address's place, under its customer's lock, what next makes of it. No difference is no change.
func (s *Addresses) change(ctx context.Context, a kernel.Actor, op, event string, deleted bool, id AddressID, input any,
	next func(ctx context.Context, c *kernel.Call[Tx], cur *Address) (*Address, error),
) (*Address, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Address, error) {
		of, cur, err := lockAddress(ctx, c, deleted, id)
		if err != nil {
			return nil, err
		}
		x, err := next(ctx, c, cur)
		if err != nil {
			return nil, err
		}
		change, differs := x.changed(cur, event, c.Now)
		if !differs {
			return cur, nil
		}
		if err := notFree(c.Tx.Addresses().Update(ctx, a.Tenant, x)); err != nil {
			return nil, err
		}
		err = tell(ctx, c, of, change)
		if deleted { // what is restored was not written by the caller
			x.veil(!c.Rights.System && customerInPool(of))
		}
		return x, err
	})
}

func lockAddress(ctx context.Context, c *kernel.Call[Tx], deleted bool, id AddressID) (*Customer, *Address, error) {
	return lockChild(ctx, c, c.Scope, func() ([]*Address, error) {
		found, err := c.Tx.Addresses().Get(ctx, c.Actor.Tenant, c.Scope, deleted, id)
		for _, x := range found { // what is to be written is whole
			x.Masked = false
		}
		return found, err
	}, func(x *Address) ID { return x.CustomerID })
}

// MakeDefault moves the mark of the default address of its type to this one, from whichever of the customer has it. An
// address that has it already stays as it is.
func (s *Addresses) MakeDefault(ctx context.Context, a kernel.Actor, id AddressID) error {
	const op = "customer.Addresses.MakeDefault"
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		of, cur, err := lockAddress(ctx, c, false, id)
		if err != nil || cur.IsDefault {
			return kernel.None{}, err
		}
		old, err := c.Tx.Addresses().Default(ctx, a.Tenant, of.ID, cur.Type)
		if err != nil {
			return kernel.None{}, err
		}
		var moved []*Address
		var changes []kernel.Change
		move := func(from *Address, isDefault bool) {
			x := *from
			x.IsDefault = isDefault
			change, _ := x.changed(from, "address.updated", c.Now)
			moved, changes = append(moved, &x), append(changes, change)
		}
		if old != nil { // first: there are never two
			move(old, false)
		}
		move(cur, true)
		if err := notFree(c.Tx.Addresses().Update(ctx, a.Tenant, moved...)); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, tell(ctx, c, of, changes...)
	})
	return err
}
