package storagetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// place is an address that is accepted.
func place(id customer.ID, typ customer.AddressType, isDefault bool) *customer.Address {
	return &customer.Address{CustomerID: id, Type: typ, Province: "浙江省", City: "杭州市", Street: "文三路 1 号", IsDefault: isDefault}
}

func (b *bundle) address(id customer.ID, typ customer.AddressType, isDefault bool) *customer.Address {
	b.t.Helper()
	x := place(id, typ, isDefault)
	require.NoError(b.t, b.Customers.Addresses.Add(b.t.Context(), boss, x))
	return x
}

// defaults are the default addresses of a customer.
func (b *bundle) defaults(id customer.ID) (ids []customer.AddressID) {
	b.t.Helper()
	l, err := b.Customers.Addresses.List(b.t.Context(), boss, id, crm.Page{})
	require.NoError(b.t, err)
	for _, x := range l.Items {
		if x.IsDefault {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func testAddresses(t *testing.T, open Open) {
	t.Run("comes back as written, to the microsecond", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(time.Microsecond)
		x := &customer.Address{
			CustomerID: id, Type: customer.Shipping, Region: "330106", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "O'Neil \\ ? 路",
			PostalCode: "310012", IsDefault: true, ContactName: "王小明", ContactPhone: "0571-8765 4321 转 801",
		}
		require.NoError(t, b.Customers.Addresses.Add(t.Context(), li, x))
		got, err := b.Customers.Addresses.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		require.Equal(t, b.now().UTC(), got.UpdatedAt)
		require.Equal(t, []string{"address.created"}, b.journal(id, 1))
		b.agree()
	})
	t.Run("one default per type, moved by MakeDefault with a change for each", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		first, billing := b.address(id, customer.Shipping, true), b.address(id, customer.Billing, true)
		second := b.address(id, customer.Shipping, false)
		err := b.Customers.Addresses.Add(t.Context(), li, place(id, customer.Shipping, true))
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "is_default")
		marked := *second
		marked.IsDefault = true
		requireError(t, b.Customers.Addresses.Update(t.Context(), li, &marked), crm.ErrConflict, kernel.Duplicate, "is_default")
		retyped := *billing
		retyped.Type = customer.Shipping
		requireError(t, b.Customers.Addresses.Update(t.Context(), li, &retyped), crm.ErrConflict, kernel.Duplicate, "is_default")

		seq := b.get(id).Seq
		require.NoError(t, b.Customers.Addresses.MakeDefault(t.Context(), li, second.ID))
		require.Equal(t, []customer.AddressID{billing.ID, second.ID}, b.defaults(id))
		require.Equal(t, seq+2, b.get(id).Seq)
		require.NoError(t, b.Customers.Addresses.MakeDefault(t.Context(), li, second.ID)) // nothing to do, nothing to tell
		require.Equal(t, seq+2, b.get(id).Seq)
		first.IsDefault = false
		requireError(t, b.Customers.Addresses.Update(t.Context(), li, first), crm.ErrConflict, kernel.Stale, "version")
		b.agree()
	})
	t.Run("update and delete name the version that was read, and the customer stays", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.address(ids[0], customer.Office, false)
		stale := *x
		x.Street, x.Type = "文三路 2 号", customer.Home
		require.NoError(t, b.Customers.Addresses.Update(t.Context(), li, x))
		seq := b.get(ids[0]).Seq
		require.NoError(t, b.Customers.Addresses.Update(t.Context(), li, x)) // no difference
		require.EqualValues(t, 2, x.Version)
		require.Equal(t, seq, b.get(ids[0]).Seq)
		requireError(t, b.Customers.Addresses.Update(t.Context(), li, &stale), crm.ErrConflict, kernel.Stale, "version")
		requireError(t, b.Customers.Addresses.Delete(t.Context(), li, x.ID, 1), crm.ErrConflict, kernel.Stale, "version")
		moved := *x
		moved.CustomerID = ids[1]
		requireError(t, b.Customers.Addresses.Update(t.Context(), li, &moved), crm.ErrInvalid, kernel.ReadOnly, "customer_id")
		b.agree()
	})
	t.Run("a deleted address is nowhere, frees its place, and comes back without it when it is taken", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		gone := b.address(id, customer.Shipping, true)
		require.NoError(t, b.Customers.Addresses.Delete(t.Context(), li, gone.ID, 1))
		_, err := b.Customers.Addresses.Get(t.Context(), li, gone.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		back, err := b.Customers.Addresses.Restore(t.Context(), li, gone.ID) // nobody took it
		require.NoError(t, err)
		require.True(t, back.IsDefault)
		require.NoError(t, b.Customers.Addresses.Delete(t.Context(), li, gone.ID, back.Version))
		heir := b.address(id, customer.Shipping, true)
		back, err = b.Customers.Addresses.Restore(t.Context(), li, gone.ID)
		require.NoError(t, err)
		require.False(t, back.IsDefault)
		require.Equal(t, []customer.AddressID{heir.ID}, b.defaults(id))
		b.agree()
	})
	t.Run("out of scope, of another tenant or of a deleted customer, none is found, whatever is called", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x, gone := b.address(id, customer.Office, false), b.address(id, customer.Office, false)
		require.NoError(t, b.Customers.Addresses.Delete(t.Context(), li, gone.ID, 1))
		calls := func(who crm.Actor) map[string]error {
			ctx, s, edit := t.Context(), b.Customers.Addresses, *x
			edit.Street = "changed"
			_, get := s.Get(ctx, who, x.ID)
			_, list := s.List(ctx, who, id, crm.Page{})
			_, restore := s.Restore(ctx, who, gone.ID)
			return map[string]error{
				"Get": get, "List": list, "Restore": restore, "Add": s.Add(ctx, who, place(id, customer.Home, false)), "Update": s.Update(ctx, who, &edit),
				"Delete": s.Delete(ctx, who, x.ID, 1), "MakeDefault": s.MakeDefault(ctx, who, x.ID),
			}
		}
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			for name, err := range calls(who) {
				require.ErrorIs(t, err, crm.ErrNotFound, "%s of %v", name, who)
			}
		}
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, 1))
		for name, err := range calls(boss) {
			require.ErrorIs(t, err, crm.ErrNotFound, name)
		}
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_addresses"))
		b.agree()
	})
	t.Run("of many who add a default address at once, one wins; of many who move the mark, the last", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		var won atomic.Int32
		together(12, func(int) {
			err := insist(func() error { return b.Customers.Addresses.Add(t.Context(), li, place(id, customer.Office, true)) })
			if err == nil {
				won.Add(1)
				return
			}
			requireConflict(t, err, "is_default")
		})
		require.EqualValues(t, 1, won.Load())
		var ids []customer.AddressID
		for range 4 {
			ids = append(ids, b.address(id, customer.Office, false).ID)
		}
		together(12, func(i int) {
			if err := insist(func() error { return b.Customers.Addresses.MakeDefault(t.Context(), li, ids[i%4]) }); err != nil {
				t.Error(err)
			}
		})
		require.Len(t, b.defaults(id), 1)
		b.agree()
	})
	t.Run("bad input", func(t *testing.T) { addressInput(t, setup(t, open)) })
}

func addressInput(t *testing.T, b *bundle) {
	id := b.create(1, "li")[0]
	good := b.address(id, customer.Home, false)
	type input struct {
		change func(x *customer.Address)
		field  string
		reason kernel.Reason
	}
	bad := map[string]input{
		"no type":                 {func(x *customer.Address) { x.Type = "" }, "type", kernel.Empty},
		"unknown type":            {func(x *customer.Address) { x.Type = "moon" }, "type", kernel.Unknown},
		"region of letters":       {func(x *customer.Address) { x.Region = "33O106" }, "region", kernel.Malformed},
		"no province":             {func(x *customer.Address) { x.Province = "" }, "province", kernel.Empty},
		"no city":                 {func(x *customer.Address) { x.City = " " }, "city", kernel.Empty},
		"over-long district":      {func(x *customer.Address) { x.District = strings.Repeat("区", 51) }, "district", kernel.TooLong},
		"no street":               {func(x *customer.Address) { x.Street = "" }, "street", kernel.Empty},
		"over-long street":        {func(x *customer.Address) { x.Street = strings.Repeat("路", 201) }, "street", kernel.TooLong},
		"over-long postal code":   {func(x *customer.Address) { x.PostalCode = "12345678901" }, "postal_code", kernel.TooLong},
		"over-long contact name":  {func(x *customer.Address) { x.ContactName = strings.Repeat("x", 51) }, "contact_name", kernel.TooLong},
		"contact without a phone": {func(x *customer.Address) { x.ContactPhone = "ask" }, "contact_phone", kernel.Malformed},
		"no customer":             {func(x *customer.Address) { x.CustomerID = -1 }, "customer_id", kernel.Empty},
	}
	for what, text := range badTexts {
		bad["street with "+what] = input{func(x *customer.Address) { x.Street = text }, "street", kernel.BadText}
	}
	for name, c := range bad {
		t.Run(name+" is refused, and nothing is written", func(t *testing.T) {
			x, edit := place(id, customer.Home, false), *good
			c.change(x)
			c.change(&edit)
			requireError(t, b.Customers.Addresses.Add(t.Context(), li, x), crm.ErrInvalid, c.reason, c.field)
			requireError(t, b.Customers.Addresses.Update(t.Context(), li, &edit), crm.ErrInvalid, c.reason, c.field)
		})
	}
	requireError(t, b.Customers.Addresses.Add(t.Context(), li, nil), crm.ErrInvalid, kernel.Empty, "address")
	require.Equal(t, 1, b.count("SELECT count(*) FROM crm_addresses"))
	b.agree()
}
