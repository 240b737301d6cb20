package customer

import (
	"context"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// Contacts is the use cases of contacts. A contact is within reach when its customer is: that of the permission
// customer.read for reads, of customer.update for the rest. Contacts of a deleted customer are not found.
type Contacts struct{ core kernel.Service[Tx] }

// ContactOutcome is what became of one contact of a call that takes many, in the order of the contacts.
type ContactOutcome struct {
	ID  ContactID     `json:"id,omitempty"`
	Did Did           `json:"did"` // WasCreated or WasRefused
	Err *kernel.Error `json:"err,omitempty"`
}

// Add writes one contact of the customer that it names; id, version, times and an empty full name are filled in. Errors:
// invalid with the field; not found for the customer; a conflict (reason Duplicate) on "phone" when the customer has a
// contact with that number, on "is_primary" when it has a primary contact.
func (s *Contacts) Add(ctx context.Context, a kernel.Actor, x *Contact) error {
	const op = "customer.Contacts.Add"
	draft, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Contact, error) {
		of, err := touch(ctx, c, c.Scope, draft.CustomerID, 1)
		if err != nil {
			return nil, err
		}
		draft.settle(c.Now)
		if err := notFree(c.Tx.Contacts().Insert(ctx, a.Tenant, draft)); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: of.Ref(), Seq: of.Seq, Ref: draft.Ref(), Type: "contact.created", After: draft})
	})
	if err == nil {
		*x = *written
	}
	return err
}

// AddMany is Add for at most 10,000 contacts, of any customers, in one transaction. Malformed input refuses the whole call,
// with the item's index. A customer that is not found, or a phone or primary place that is taken (by an earlier item too),
// refuses the item, or the whole call under AllOrNothing.
func (s *Contacts) AddMany(ctx context.Context, a kernel.Actor, xs []*Contact, how kernel.Several) ([]ContactOutcome, error) {
	const op = "customer.Contacts.AddMany"
	if err := kernel.CheckItems("contacts", len(xs)); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	drafts := make([]*Contact, len(xs)) // the caller's structs change only when the transaction succeeded
	for i, x := range xs {
		draft, err := x.draft()
		if err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
		drafts[i] = draft
	}
	type added struct {
		Contacts []*Contact       `json:"contacts"`
		Outcomes []ContactOutcome `json:"outcomes"`
	}
	done, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, drafts, func(ctx context.Context, c *kernel.Call[Tx]) (added, error) {
		outcomes, err := addContacts(ctx, c, drafts, how)
		return added{drafts, outcomes}, err
	})
	if err != nil {
		return nil, err
	}
	for i, o := range done.Outcomes {
		if o.Err == nil {
			*xs[i] = *done.Contacts[i]
		}
	}
	return done.Outcomes, nil
}

func addContacts(ctx context.Context, c *kernel.Call[Tx], drafts []*Contact, how kernel.Several) ([]ContactOutcome, error) {
	ids := make([]ID, len(drafts))
	for i, d := range drafts {
		ids[i] = d.CustomerID
	}
	of, err := lockMany(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	outcomes := make([]ContactOutcome, len(drafts))
	var fresh []*Contact
	var place []int
	for i, d := range drafts {
		if of[d.CustomerID] == nil {
			outcomes[i] = ContactOutcome{Did: WasRefused, Err: &kernel.Error{Code: kernel.ErrNotFound, Field: "customer_id"}}
			continue
		}
		d.settle(c.Now)
		fresh, place = append(fresh, d), append(place, i)
	}
	taken, err := c.Tx.Contacts().Insert(ctx, c.Actor.Tenant, fresh...)
	if err != nil {
		return nil, err
	}
	for _, t := range taken {
		outcomes[place[t.Index]] = ContactOutcome{Did: WasRefused, Err: kernel.Taken(t.Field)}
	}
	if i := slices.IndexFunc(outcomes, func(o ContactOutcome) bool { return o.Err != nil }); i >= 0 && how == kernel.AllOrNothing {
		return nil, kernel.At(i, outcomes[i].Err)
	}
	var all events
	for i, d := range drafts {
		if outcomes[i].Err == nil {
			outcomes[i] = ContactOutcome{ID: d.ID, Did: WasCreated}
			all.add(of[d.CustomerID], kernel.Change{Ref: d.Ref(), Type: "contact.created", After: d})
		}
	}
	return outcomes, all.tell(ctx, c)
}

// Get returns one contact.
func (s *Contacts) Get(ctx context.Context, a kernel.Actor, id ContactID) (*Contact, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Contacts.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Contact, error) {
		found, err := c.Tx.Contacts().Get(ctx, a.Tenant, c.Scope, false, id)
		return only(veiled(c, found, contactInPool), err)
	})
}

// List returns a page of the customer's contacts, in the order they were made.
func (s *Contacts) List(ctx context.Context, a kernel.Actor, id ID, p kernel.Page) (kernel.List[*Contact], error) {
	const op = "customer.Contacts.List"
	w, err := p.Open("contacts", 1)
	if err != nil {
		return kernel.List[*Contact]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Contact], error) {
		of, err := visible(ctx, c, id)
		if err != nil {
			return kernel.List[*Contact]{}, err
		}
		found, err := c.Tx.Contacts().List(ctx, a.Tenant, id, w)
		return kernel.Cut("contacts", w, veiled(c, found, childOf[*Contact](of)), contactKeys), err
	})
}

func contactKeys(x *Contact) []int64 { return []int64{int64(x.ID)} }

// Find returns a page of the contacts that have the phone number or the e-mail address, however they are written, of all
// customers within the scope, in the order they were made. One of the two may be empty; both, or one that can be no
// number or no address, are invalid.
func (s *Contacts) Find(ctx context.Context, a kernel.Actor, phone, email string, p kernel.Page) (kernel.List[*Contact], error) {
	const op = "customer.Contacts.Find"
	w, err := p.Open("contacts-found", 1)
	err = kernel.FirstError(err, checkPhone("phone", phone), checkEmail(email))
	if err == nil && phone == "" && email == "" {
		err = kernel.Invalidf("phone", kernel.Empty, "a phone number or an e-mail address is needed")
	}
	if err != nil {
		return kernel.List[*Contact]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Contact], error) {
		found, err := c.Tx.Contacts().Find(ctx, a.Tenant, c.Scope, PhoneKey(phone), EmailKey(email), w)
		return kernel.Cut("contacts-found", w, veiled(c, found, contactInPool), contactKeys), err
	})
}

// Update writes a contact that was read: its Version must be the last, else the error is a conflict with reason Stale and
// a *kernel.StaleError. It belongs to its customer for good. Errors are those of Add. On success x is as written.
func (s *Contacts) Update(ctx context.Context, a kernel.Actor, x *Contact) error {
	const op = "customer.Contacts.Update"
	given, err := x.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	given.Version = x.Version
	written, err := s.change(ctx, a, op, "contact.updated", false, x.ID, given, func(_ context.Context, _ *kernel.Call[Tx], cur *Contact) (*Contact, error) {
		return cur.edited(*given)
	})
	if err == nil {
		*x = *written
	}
	return err
}

// Delete deletes a contact, whose number and primary place are free from then on; nobody becomes primary instead. The
// version is the one that was read.
func (s *Contacts) Delete(ctx context.Context, a kernel.Actor, id ContactID, version int64) error {
	const op = "customer.Contacts.Delete"
	_, err := s.change(ctx, a, op, "contact.deleted", false, id, version, func(_ context.Context, c *kernel.Call[Tx], cur *Contact) (*Contact, error) {
		if version != cur.Version {
			return nil, kernel.StaleVersion(version, cur.Version)
		}
		next := *cur
		next.DeletedAt = c.Now
		return &next, nil
	})
	return err
}

// change puts in the contact's place, under its customer's lock, what next makes of it. No difference is no change.
func (s *Contacts) change(ctx context.Context, a kernel.Actor, op, event string, deleted bool, id ContactID, input any,
	next func(ctx context.Context, c *kernel.Call[Tx], cur *Contact) (*Contact, error),
) (*Contact, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Contact, error) {
		of, cur, err := lockContact(ctx, c, deleted, id)
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
		if err := notFree(c.Tx.Contacts().Update(ctx, a.Tenant, x)); err != nil {
			return nil, err
		}
		err = tell(ctx, c, of, change)
		if deleted { // what is restored was not written by the caller
			x.veil(!c.Rights.System && customerInPool(of))
		}
		return x, err
	})
}

func lockContact(ctx context.Context, c *kernel.Call[Tx], deleted bool, id ContactID) (*Customer, *Contact, error) {
	return lockChild(ctx, c, c.Scope, func() ([]*Contact, error) {
		found, err := c.Tx.Contacts().Get(ctx, c.Actor.Tenant, c.Scope, deleted, id)
		for _, x := range found { // what is to be written is whole
			x.Masked = false
		}
		return found, err
	}, func(x *Contact) ID { return x.CustomerID })
}

// MakePrimary moves the mark of the primary contact to this one, from whoever of the customer has it. A contact that has
// it already stays as it is.
func (s *Contacts) MakePrimary(ctx context.Context, a kernel.Actor, id ContactID) error {
	const op = "customer.Contacts.MakePrimary"
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.CustomerUpdate, id, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		of, cur, err := lockContact(ctx, c, false, id)
		if err != nil || cur.IsPrimary {
			return kernel.None{}, err
		}
		old, err := c.Tx.Contacts().Primary(ctx, a.Tenant, of.ID)
		if err != nil {
			return kernel.None{}, err
		}
		var moved []*Contact
		var changes []kernel.Change
		move := func(from *Contact, primary bool) {
			x := *from
			x.IsPrimary = primary
			change, _ := x.changed(from, "contact.updated", c.Now)
			moved, changes = append(moved, &x), append(changes, change)
		}
		if old != nil { // first: there are never two
			move(old, false)
		}
		move(cur, true)
		if err := notFree(c.Tx.Contacts().Update(ctx, a.Tenant, moved...)); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, tell(ctx, c, of, changes...)
	})
	return err
}

// Restore brings a deleted contact back. It is a conflict ("phone") when the customer has a contact with its number by now;
// where another one is primary by now, it comes back without the mark.
func (s *Contacts) Restore(ctx context.Context, a kernel.Actor, id ContactID) (*Contact, error) {
	const op = "customer.Contacts.Restore"
	return s.change(ctx, a, op, "contact.restored", true, id, nil, func(ctx context.Context, c *kernel.Call[Tx], cur *Contact) (*Contact, error) {
		next := *cur
		next.DeletedAt = time.Time{}
		if next.IsPrimary {
			other, err := c.Tx.Contacts().Primary(ctx, a.Tenant, cur.CustomerID)
			if err != nil {
				return nil, err
			}
			next.IsPrimary = other == nil
		}
		return &next, nil
	})
}
