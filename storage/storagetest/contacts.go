package storagetest

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// contact adds a contact to a customer, as the system.
func (b *bundle) contact(id customer.ID, name, phone string) *customer.Contact {
	b.t.Helper()
	x := &customer.Contact{CustomerID: id, FullName: name, Phone: phone}
	require.NoError(b.t, b.Customers.Contacts.Add(b.t.Context(), boss, x))
	return x
}

// primaries are the primary contacts of a customer.
func (b *bundle) primaries(id customer.ID) (ids []customer.ContactID) {
	b.t.Helper()
	l, err := b.Customers.Contacts.List(b.t.Context(), boss, id, crm.Page{})
	require.NoError(b.t, err)
	for _, x := range l.Items {
		if x.IsPrimary {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// journal is the types of the last events of a customer, in their order.
func (b *bundle) journal(id customer.ID, last int) []string {
	b.t.Helper()
	rows, err := b.db.QueryContext(b.t.Context(), "SELECT type FROM crm_outbox WHERE subject_kind = 'customer' AND subject_id = "+
		strconv.FormatInt(int64(id), 10)+" ORDER BY seq DESC LIMIT "+strconv.Itoa(last))
	require.NoError(b.t, err)
	defer rows.Close()
	var types []string
	for rows.Next() {
		var s string
		require.NoError(b.t, rows.Scan(&s))
		types = append(types, s)
	}
	require.NoError(b.t, rows.Err())
	slices.Reverse(types)
	return types
}

func testContacts(t *testing.T, open Open) {
	t.Run("comes back as written, to the microsecond", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(time.Microsecond)
		x := &customer.Contact{
			CustomerID: id, LastName: "O'Neil", FirstName: "Ann \\ ?", Title: "CTO", Phone: "+86 138-0013-8000", Email: "Ann@Example.com",
			Wechat: "ann_88", IsPrimary: true, DecisionMaker: true, Inactive: true, Birthday: "1988-02-29", Preferred: customer.ByWeChat,
			Preferences: json.RawMessage(` {"茶": ["龙井", null]} `), Remarks: "line\nline",
		}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), li, x))
		require.Equal(t, "Ann \\ ? O'Neil", x.FullName)
		got, err := b.Customers.Contacts.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		require.Equal(t, b.now().UTC(), got.CreatedAt)
		require.JSONEq(t, `{"茶":["龙井",null]}`, string(got.Preferences))
		require.Equal(t, []string{"contact.created"}, b.journal(id, 1))
		b.agree()
	})
	t.Run("the first contact is primary only when it is said to be", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.contact(id, "a", "")
		require.Empty(t, b.primaries(id))
	})
	t.Run("one phone number once per customer, however it is written", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		b.contact(ids[0], "a", "138 0013 8000")
		b.contact(ids[1], "a", "138 0013 8000") // another customer may have it
		b.contact(ids[0], "no phone", "")
		b.contact(ids[0], "no phone either", "")
		again := &customer.Contact{CustomerID: ids[0], FullName: "b", Phone: "+8613800138000"}
		requireError(t, b.Customers.Contacts.Add(t.Context(), li, again), crm.ErrConflict, kernel.Duplicate, "phone")
		require.Zero(t, again.ID)
		other := b.contact(ids[0], "c", "13900139000")
		other.Phone = "0086 138 0013 8000"
		requireError(t, b.Customers.Contacts.Update(t.Context(), li, other), crm.ErrConflict, kernel.Duplicate, "phone")
		require.EqualValues(t, 1, other.Version)
		other.Phone = "+86 139 0013 9000" // its own number
		require.NoError(t, b.Customers.Contacts.Update(t.Context(), li, other))
		b.agree()
	})
	t.Run("a second primary is a conflict, and MakePrimary moves the mark with a change for each", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		first := &customer.Contact{CustomerID: id, FullName: "a", IsPrimary: true}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), li, first))
		second := &customer.Contact{CustomerID: id, FullName: "b", IsPrimary: true}
		requireError(t, b.Customers.Contacts.Add(t.Context(), li, second), crm.ErrConflict, kernel.Duplicate, "is_primary")
		second.IsPrimary = false
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), li, second))
		marked := *second
		marked.IsPrimary = true
		requireError(t, b.Customers.Contacts.Update(t.Context(), li, &marked), crm.ErrConflict, kernel.Duplicate, "is_primary")

		seq := b.get(id).Seq
		require.NoError(t, b.Customers.Contacts.MakePrimary(t.Context(), li, second.ID))
		require.Equal(t, []customer.ContactID{second.ID}, b.primaries(id))
		require.Equal(t, seq+2, b.get(id).Seq)
		require.Equal(t, []string{"contact.updated", "contact.updated"}, b.journal(id, 2))
		require.NoError(t, b.Customers.Contacts.MakePrimary(t.Context(), li, second.ID)) // nothing to do, nothing to tell
		require.Equal(t, seq+2, b.get(id).Seq)
		got, err := b.Customers.Contacts.Get(t.Context(), li, first.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, got.Version)
		b.agree()
	})
	t.Run("update names the version that was read, keeps the customer, and no difference is no change", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.contact(ids[0], "a", "13800138000")
		stale := *x
		x.Title, x.Phone, x.Preferences = "CFO", "", json.RawMessage(`{"a":1}`)
		b.wait(time.Second)
		require.NoError(t, b.Customers.Contacts.Update(t.Context(), li, x))
		require.EqualValues(t, 2, x.Version)
		require.Equal(t, b.now().UTC(), x.UpdatedAt)
		seq := b.get(ids[0]).Seq
		require.NoError(t, b.Customers.Contacts.Update(t.Context(), li, x))
		require.EqualValues(t, 2, x.Version)
		require.Equal(t, seq, b.get(ids[0]).Seq)

		err := b.Customers.Contacts.Update(t.Context(), li, &stale)
		requireError(t, err, crm.ErrConflict, kernel.Stale, "version")
		var both *kernel.StaleError
		require.ErrorAs(t, err, &both)
		require.Equal(t, kernel.StaleError{Given: 1, Current: 2}, *both)
		moved := *x
		moved.CustomerID = ids[1]
		requireError(t, b.Customers.Contacts.Update(t.Context(), li, &moved), crm.ErrInvalid, kernel.ReadOnly, "customer_id")
		requireError(t, b.Customers.Contacts.Delete(t.Context(), li, x.ID, 1), crm.ErrConflict, kernel.Stale, "version")
		b.contact(ids[0], "b", "13800138000") // the number is free since the update
		b.agree()
	})
	t.Run("a deleted contact is nowhere, blocks nothing, and comes back as far as it can", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		gone := &customer.Contact{CustomerID: id, FullName: "a", Phone: "13800138000", Email: "a@example.com", IsPrimary: true}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), li, gone))
		require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, gone.ID, 1))
		_, err := b.Customers.Contacts.Get(t.Context(), li, gone.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Customers.Contacts.MakePrimary(t.Context(), li, gone.ID), crm.ErrNotFound)
		require.ErrorIs(t, b.Customers.Contacts.Update(t.Context(), li, gone), crm.ErrNotFound)
		require.ErrorIs(t, b.Customers.Contacts.Delete(t.Context(), li, gone.ID, 2), crm.ErrNotFound)
		found, err := b.Customers.Contacts.Find(t.Context(), li, "13800138000", "a@example.com", crm.Page{})
		require.NoError(t, err)
		require.Empty(t, found.Items)

		heir := &customer.Contact{CustomerID: id, FullName: "b", Phone: "13800138000", IsPrimary: true}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), li, heir))
		_, err = b.Customers.Contacts.Restore(t.Context(), li, gone.ID)
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "phone")
		heir.Phone = ""
		require.NoError(t, b.Customers.Contacts.Update(t.Context(), li, heir))
		back, err := b.Customers.Contacts.Restore(t.Context(), li, gone.ID)
		require.NoError(t, err)
		require.False(t, back.IsPrimary)
		require.True(t, back.DeletedAt.IsZero())
		require.Equal(t, []customer.ContactID{heir.ID}, b.primaries(id))
		_, err = b.Customers.Contacts.Restore(t.Context(), li, gone.ID) // it is there already
		require.ErrorIs(t, err, crm.ErrNotFound)
		b.agree()
	})
	t.Run("contacts of a deleted customer are out of reach until it is restored", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x, gone := b.contact(id, "a", "13800138000"), b.contact(id, "b", "")
		require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, gone.ID, 1))
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, 1))
		for name, err := range contactCalls(t, b, boss, id, x, gone.ID) {
			require.ErrorIs(t, err, crm.ErrNotFound, name)
		}
		_, err := b.Customers.Restore(t.Context(), boss, id)
		require.NoError(t, err)
		_, err = b.Customers.Contacts.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		b.agree()
	})
	t.Run("another seller and another tenant find no contact, whatever they call", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x, gone := b.contact(id, "a", "13800138000"), b.contact(id, "b", "")
		require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, gone.ID, 1))
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			for name, err := range contactCalls(t, b, who, id, x, gone.ID) {
				require.ErrorIs(t, err, crm.ErrNotFound, "%s of %v", name, who)
			}
			found, err := b.Customers.Contacts.Find(t.Context(), who, "13800138000", "", crm.Page{})
			require.NoError(t, err)
			require.Empty(t, found.Items)
			outcomes, err := b.Customers.Contacts.AddMany(t.Context(), who, []*customer.Contact{{CustomerID: id, FullName: "c"}}, kernel.WhatCanBeHad)
			require.NoError(t, err)
			require.ErrorIs(t, outcomes[0].Err, crm.ErrNotFound)
		}
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_contacts"))
		b.agree()
	})
	t.Run("many: each refusal at its item, places in the order of the items; all or nothing: nothing", func(t *testing.T) {
		b := setup(t, open)
		ids := append(b.create(2, "li"), b.create(1, "wang")...)
		b.contact(ids[0], "there", "13800138000")
		fresh := func() []*customer.Contact {
			return []*customer.Contact{
				{CustomerID: ids[1], FullName: "0", Phone: "13800138000", IsPrimary: true},
				{CustomerID: ids[0], FullName: "1", Phone: "138-0013-8000"},
				{CustomerID: ids[2], FullName: "2"},
				{CustomerID: ids[1], FullName: "3", IsPrimary: true},
				{CustomerID: ids[0], FullName: "4", Phone: "13900139000"},
				{CustomerID: ids[0], FullName: "5", Phone: "+86 13900139000"},
				{CustomerID: 1 << 40, FullName: "6"},
			}
		}
		_, err := b.Customers.Contacts.AddMany(t.Context(), li, fresh(), kernel.AllOrNothing)
		at, many := requireError(t, err, crm.ErrConflict, kernel.Duplicate, "phone").Item()
		require.True(t, many)
		require.Equal(t, 1, at)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_contacts"))

		all := fresh()
		outcomes, err := b.Customers.Contacts.AddMany(t.Context(), li, all, kernel.WhatCanBeHad)
		require.NoError(t, err)
		var did []customer.Did
		for _, o := range outcomes {
			did = append(did, o.Did)
		}
		require.Equal(t, []customer.Did{"created", "refused", "refused", "refused", "created", "refused", "refused"}, did)
		require.ErrorIs(t, outcomes[2].Err, crm.ErrNotFound)
		require.Equal(t, []string{"phone", "customer_id", "is_primary", "", "phone", "customer_id"},
			[]string{outcomes[1].Err.Field, outcomes[2].Err.Field, outcomes[3].Err.Field, "", outcomes[5].Err.Field, outcomes[6].Err.Field})
		require.Equal(t, outcomes[4].ID, all[4].ID)
		require.Zero(t, all[5].ID)
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_contacts"))
		_, err = b.Customers.Contacts.AddMany(t.Context(), li, nil, kernel.AllOrNothing)
		require.NoError(t, err)
		b.agree()
	})
	t.Run("a thousand and two at once are a fixed number of statements' work, and every one is told", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(3, "li")
		all := make([]*customer.Contact, 1_002)
		for i := range all {
			all[i] = &customer.Contact{CustomerID: ids[i%3], FullName: "n" + strconv.Itoa(i), Phone: strconv.Itoa(13_000_000_000 + i)}
		}
		_, err := b.Customers.Contacts.AddMany(t.Context(), li, all, kernel.AllOrNothing)
		require.NoError(t, err)
		require.EqualValues(t, 1+334, b.get(ids[0]).Seq)
		require.EqualValues(t, 1, b.get(ids[0]).Version) // the row's own fields have not changed
		b.agree()
	})
	t.Run("the same request again returns what the first one did", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		who := li
		who.Request = "r-1"
		first := &customer.Contact{CustomerID: id, FullName: "a", Phone: "13800138000", Preferences: json.RawMessage(`{"a": "<&>"}`)}
		again := *first
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), who, first))
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), who, &again))
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, first.CreatedAt, again.CreatedAt)
		require.JSONEq(t, string(first.Preferences), string(again.Preferences))
		requireError(t, b.Customers.Contacts.Add(t.Context(), who, &customer.Contact{CustomerID: id, FullName: "b"}), crm.ErrConflict, kernel.Reused, "actor.request")
		b.agree()
	})
	t.Run("found by number and address, however written, within the scope, page by page", func(t *testing.T) { contactsFound(t, setup(t, open)) })
	t.Run("pages neither repeat nor skip, whatever is added and deleted meanwhile", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		var want, got []customer.ContactID
		for range 5 {
			want = append(want, b.contact(id, "a", "").ID)
		}
		for p := (crm.Page{Limit: 2}); ; {
			l, err := b.Customers.Contacts.List(t.Context(), li, id, p)
			require.NoError(t, err)
			for _, x := range l.Items {
				got = append(got, x.ID)
			}
			if p.After = l.Next; p.After == "" {
				break
			}
			if len(got) == 2 {
				require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, got[1], 1)) // the one that the cursor stands on
				want = append(want, b.contact(id, "later", "").ID)
			}
		}
		require.Equal(t, want, got)
		for _, after := range []string{"nonsense!", "bm90IG91cnM"} {
			_, err := b.Customers.Contacts.List(t.Context(), li, id, crm.Page{After: after})
			requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
		}
	})
	t.Run("of many who add the same number at once, one wins", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		var won atomic.Int32
		together(16, func(i int) {
			phone := "13800138000"
			if i%2 == 1 {
				phone = "+86 138 0013 8000"
			}
			err := insist(func() error {
				return b.Customers.Contacts.Add(t.Context(), li, &customer.Contact{CustomerID: id, FullName: "a", Phone: phone})
			})
			if err == nil {
				won.Add(1)
				return
			}
			requireConflict(t, err, "phone")
		})
		require.EqualValues(t, 1, won.Load())
		b.agree()
	})
	t.Run("of many who add a primary contact at once, one wins; of many who move the mark, the last", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		var won atomic.Int32
		together(12, func(int) {
			err := insist(func() error {
				return b.Customers.Contacts.Add(t.Context(), li, &customer.Contact{CustomerID: id, FullName: "a", IsPrimary: true})
			})
			if err == nil {
				won.Add(1)
				return
			}
			requireConflict(t, err, "is_primary")
		})
		require.EqualValues(t, 1, won.Load())
		var ids []customer.ContactID
		for range 4 {
			ids = append(ids, b.contact(id, "b", "").ID)
		}
		together(12, func(i int) {
			if err := insist(func() error { return b.Customers.Contacts.MakePrimary(t.Context(), li, ids[i%4]) }); err != nil {
				t.Error(err)
			}
		})
		require.Len(t, b.primaries(id), 1)
		b.agree()
	})
	t.Run("bad input", func(t *testing.T) { contactInput(t, setup(t, open)) })
}

func asError(err error) (*crm.Error, bool) { return errors.AsType[*crm.Error](err) }

// requireConflict is for goroutines, which must not stop the test.
func requireConflict(t *testing.T, err error, field string) {
	t.Helper()
	if e, ok := asError(err); !ok || e.Code != crm.ErrConflict || e.Field != field {
		t.Errorf("%v, and not a conflict of %s", err, field)
	}
}

// contactCalls is every use case that names a contact or the customer of one.
func contactCalls(t *testing.T, b *bundle, who crm.Actor, id customer.ID, x *customer.Contact, deleted customer.ContactID) map[string]error {
	t.Helper()
	ctx, s, edit := t.Context(), b.Customers.Contacts, *x
	edit.Title = "changed"
	_, get := s.Get(ctx, who, x.ID)
	_, list := s.List(ctx, who, id, crm.Page{})
	_, restore := s.Restore(ctx, who, deleted)
	_, many := s.AddMany(ctx, who, []*customer.Contact{{CustomerID: id, FullName: "c"}}, kernel.AllOrNothing)
	return map[string]error{
		"Get": get, "List": list, "Restore": restore, "AddMany": many, "Add": s.Add(ctx, who, &customer.Contact{CustomerID: id, FullName: "c"}),
		"Update": s.Update(ctx, who, &edit), "Delete": s.Delete(ctx, who, x.ID, x.Version), "MakePrimary": s.MakePrimary(ctx, who, x.ID),
	}
}

func contactsFound(t *testing.T, b *bundle) {
	ids := append(b.create(4, "li"), b.create(1, "wang")...)
	var want []customer.ContactID
	for i, id := range ids {
		x := &customer.Contact{CustomerID: id, FullName: "a", Phone: "138-0013-8000", Email: "Sales@Example.com"}
		switch i {
		case 1: // by number only
			x.Email = ""
		case 2: // by address only
			x.Phone = ""
		}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), boss, x))
		want = append(want, x.ID)
	}
	find := func(who crm.Actor, phone, email string, limit int) (got []customer.ContactID) {
		for p := (crm.Page{Limit: limit}); ; {
			l, err := b.Customers.Contacts.Find(t.Context(), who, phone, email, p)
			require.NoError(t, err)
			require.LessOrEqual(t, len(l.Items), limit)
			for _, x := range l.Items {
				got = append(got, x.ID)
			}
			if p.After = l.Next; p.After == "" {
				return got
			}
		}
	}
	for _, limit := range []int{1, 2, 3, 50} {
		require.Equal(t, want[:4], find(li, "+86 13800138000", "sales@EXAMPLE.com", limit))
		require.Equal(t, []customer.ContactID{want[0], want[1], want[3]}, find(li, "0086 138 0013 8000", "", limit))
		require.Equal(t, []customer.ContactID{want[0], want[2], want[3]}, find(li, "", "SALES@example.com", limit))
		require.Equal(t, want, find(head, "13800138000", "sales@example.com", limit))
	}
	require.Empty(t, find(li, "13800138001", "", 50))
	require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil)) // its pool's members still find it
	require.Equal(t, []customer.ContactID{want[0], want[4]}, find(wang, "13800138000", "", 50))
	for field, args := range map[string][2]string{"phone": {"", ""}, "email": {"", "nobody"}} {
		_, err := b.Customers.Contacts.Find(t.Context(), li, args[0], args[1], crm.Page{})
		require.ErrorIs(t, err, crm.ErrInvalid)
		e, _ := asError(err)
		require.Equal(t, field, e.Field)
	}
}

func contactInput(t *testing.T, b *bundle) {
	id := b.create(1, "li")[0]
	good := b.contact(id, "good", "")
	deep := json.RawMessage(strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40))
	large := json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`)
	bad := map[string]struct {
		change func(x *customer.Contact)
		field  string
		reason kernel.Reason
	}{
		"no name":             {func(x *customer.Contact) { x.FullName = "" }, "full_name", kernel.Empty},
		"only white space":    {func(x *customer.Contact) { x.FullName = " \u3000" }, "full_name", kernel.Empty},
		"white space at ends": {func(x *customer.Contact) { x.LastName = "a " }, "last_name", kernel.BadText},
		"over-long name":      {func(x *customer.Contact) { x.FullName = strings.Repeat("王", 101) }, "full_name", kernel.TooLong},
		"over-long part":      {func(x *customer.Contact) { x.FirstName = strings.Repeat("王", 51) }, "first_name", kernel.TooLong},
		"over-long title":     {func(x *customer.Contact) { x.Title = strings.Repeat("x", 51) }, "title", kernel.TooLong},
		"over-long phone":     {func(x *customer.Contact) { x.Phone = "138" + strings.Repeat(" ", 28) }, "phone", kernel.TooLong},
		"no phone":            {func(x *customer.Contact) { x.Phone = "call me" }, "phone", kernel.Malformed},
		"short phone":         {func(x *customer.Contact) { x.Phone = "1234" }, "phone", kernel.Malformed},
		"no e-mail":           {func(x *customer.Contact) { x.Email = "a@b@example.com" }, "email", kernel.Malformed},
		"over-long e-mail":    {func(x *customer.Contact) { x.Email = strings.Repeat("a", 243) + "@example.com" }, "email", kernel.TooLong},
		"over-long WeChat":    {func(x *customer.Contact) { x.Wechat = strings.Repeat("x", 51) }, "wechat", kernel.TooLong},
		"no day":              {func(x *customer.Contact) { x.Birthday = "1989-02-29" }, "birthday", kernel.Malformed},
		"unknown channel":     {func(x *customer.Contact) { x.Preferred = "fax" }, "preferred", kernel.Unknown},
		"no JSON":             {func(x *customer.Contact) { x.Preferences = json.RawMessage("{") }, "preferences", kernel.Malformed},
		"a JSON array":        {func(x *customer.Contact) { x.Preferences = json.RawMessage("[]") }, "preferences", kernel.Malformed},
		"deep JSON":           {func(x *customer.Contact) { x.Preferences = deep }, "preferences", kernel.Malformed},
		"large JSON":          {func(x *customer.Contact) { x.Preferences = large }, "preferences", kernel.TooLong},
		"over-long remarks":   {func(x *customer.Contact) { x.Remarks = strings.Repeat("x", 2_001) }, "remarks", kernel.TooLong},
		"no customer":         {func(x *customer.Contact) { x.CustomerID = 0 }, "customer_id", kernel.Empty},
	}
	for what, text := range badTexts {
		bad["name with "+what] = struct {
			change func(x *customer.Contact)
			field  string
			reason kernel.Reason
		}{func(x *customer.Contact) { x.FullName = text }, "full_name", kernel.BadText}
	}
	for name, c := range bad {
		t.Run(name+" is refused, and nothing is written", func(t *testing.T) {
			x := &customer.Contact{CustomerID: id, FullName: "a"}
			c.change(x)
			requireError(t, b.Customers.Contacts.Add(t.Context(), li, x), crm.ErrInvalid, c.reason, c.field)
			edit := *good
			c.change(&edit)
			requireError(t, b.Customers.Contacts.Update(t.Context(), li, &edit), crm.ErrInvalid, c.reason, c.field)
			_, err := b.Customers.Contacts.AddMany(t.Context(), li, []*customer.Contact{{CustomerID: id, FullName: "fine"}, x}, kernel.WhatCanBeHad)
			at, many := requireError(t, err, crm.ErrInvalid, c.reason, c.field).Item()
			require.True(t, many)
			require.Equal(t, 1, at)
		})
	}
	requireError(t, b.Customers.Contacts.Add(t.Context(), li, nil), crm.ErrInvalid, kernel.Empty, "contact")
	_, err := b.Customers.Contacts.AddMany(t.Context(), li, make([]*customer.Contact, 10_001), kernel.WhatCanBeHad)
	requireError(t, err, crm.ErrInvalid, kernel.TooMany, "contacts")
	require.Equal(t, 1, b.count("SELECT count(*) FROM crm_contacts"))
	b.agree()
}
