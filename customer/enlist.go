package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Maker makes customers and what belongs to them within the transaction of another module, which has asked for the rights: a
// lead that is converted. It is no use case, so hosts are not given one.
type Maker struct{ s *Service }

// NewMaker is for crm.New.
func NewMaker(s *Service) *Maker { return &Maker{s} }

// Customer is Service.Create, whoever the owner is. Its place under the cap is taken as by a claim.
func (m *Maker) Customer(ctx context.Context, c *kernel.Call[Tx], x *Customer) error {
	d, err := x.draft()
	if err != nil {
		return err
	}
	if _, err := m.s.insert(ctx, c, []*Customer{d}, kernel.AllOrNothing, false); err != nil {
		return kernel.Single(err)
	}
	*x = *d
	return nil
}

// Contact is Contacts.Add. The customer may be anybody's.
func (m *Maker) Contact(ctx context.Context, c *kernel.Call[Tx], x *Contact) error {
	d, err := x.draft()
	if err != nil {
		return err
	}
	of, err := touch(ctx, c, kernel.Scope{All: true}, d.CustomerID, 1)
	if err != nil {
		return err
	}
	d.settle(c.Now)
	if err := notFree(c.Tx.Contacts().Insert(ctx, c.Actor.Tenant, d)); err != nil {
		return err
	}
	*x = *d
	return c.Record(ctx, kernel.Change{Subject: of.Ref(), Seq: of.Seq, Ref: d.Ref(), Type: "contact.created", After: d})
}

// Adopt makes the facts and clocks of a locked customer those of its interactions, after n that happened elsewhere were
// moved to it.
func (m *Maker) Adopt(ctx context.Context, c *kernel.Call[Tx], of *Customer, n int) error {
	if n == 0 {
		return nil
	}
	if err := countInteractions(ctx, c, of.ID, int64(n)); err != nil || of.OwnerID == "" {
		return err
	}
	first, last, err := c.Tx.Interactions().Followups(ctx, c.Actor.Tenant, of.ID, of.OwnedSince)
	if err != nil || first.IsZero() {
		return err
	}
	return setClocks(ctx, c, of, of.FollowedUp(first).FollowedUp(last))
}

// Apart is what of i is taken over by a record that is no customer, checked.
func (i *Interaction) Apart() (*Interaction, error) {
	if i == nil {
		return nil, kernel.Invalid("interaction", kernel.Empty)
	}
	d := *i
	if err := d.check(); err != nil {
		return nil, err
	}
	d.CustomerID, d.ContactID, d.CreatedBy = 0, 0, ""
	d.ID, d.Version, d.NextDoneAt, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 0, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return &d, nil
}

// Settle fills in what only the call knows, and refuses what only the call can.
func (i *Interaction) Settle(c *kernel.Call[Tx]) error { return i.settle(c) }

// Emptied is the ownership after the record entered its pool.
func (o Ownership) Emptied(now time.Time) Ownership { return o.inPool(now) }
