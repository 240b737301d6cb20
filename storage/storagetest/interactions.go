package storagetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// met is a follow-up at an instant; zero is now.
func met(id customer.ID, at time.Time) *customer.Interaction {
	return &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "follow-up", At: at, Followup: true}
}

// followUp records a follow-up.
func (b *bundle) followUp(who crm.Actor, id customer.ID, at time.Time) *customer.Interaction {
	b.t.Helper()
	x := met(id, at)
	require.NoError(b.t, b.Customers.Interactions.Add(b.t.Context(), who, x))
	return x
}

// requireClocks compares the follow-up clocks of a customer; -1 is none, other numbers are time after start.
func (b *bundle) requireClocks(id customer.ID, first, last time.Duration) {
	b.t.Helper()
	at := func(d time.Duration) time.Time {
		if d < 0 {
			return time.Time{}
		}
		return start.Add(d)
	}
	c := b.get(id)
	require.Equal(b.t, []time.Time{at(first), at(last)}, []time.Time{c.FirstFollowupAt, c.LastFollowupAt})
}

// requireFacts compares what is kept of a customer's interactions with what is there.
func (b *bundle) requireFacts(id customer.ID, n int64, last time.Time) {
	b.t.Helper()
	facts, err := b.Customers.Facts(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	require.Equal(b.t, n, facts.Interactions)
	require.Equal(b.t, last.UTC(), facts.LastInteractionAt)
}

func testInteractions(t *testing.T, open Open) {
	t.Run("comes back as written, to the microsecond", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day + time.Microsecond)
		x := &customer.Interaction{
			CustomerID: id, ContactID: b.contact(id, "a", "").ID, Type: customer.Visit, Direction: customer.Inbound, Subject: "O'Neil \\ ? 蓝鲸",
			Content: "line\nline", At: b.now().Add(-time.Hour - time.Microsecond).In(time.FixedZone("x", 3600)), Minutes: 10_080, Outcome: customer.FollowUpNeeded,
			NextAction: "call back", NextActionAt: b.now().Add(day), Staff: "wang", Attachments: json.RawMessage(`["a.pdf", {"id": 1}]`),
			SessionTag: "需求沟通", Followup: true,
		}
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		got, err := b.Customers.Interactions.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		require.Equal(t, b.now().Add(-time.Hour-time.Microsecond).UTC(), got.At)
		require.Equal(t, []any{crm.UserID("li"), crm.UserID("wang"), int64(1)}, []any{got.CreatedBy, got.Staff, got.Version})
		require.Equal(t, []string{"interaction.created"}, b.journal(id, 1))
		b.agree()
	})
	t.Run("now, the actor and outbound are what is left empty", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x := &customer.Interaction{CustomerID: id, Type: customer.Other, Subject: "x", NextDoneAt: b.now()}
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		require.Equal(t, []any{b.now().UTC(), crm.UserID("li"), customer.Outbound, time.Time{}}, []any{x.At, x.Staff, x.Direction, x.NextDoneAt})
		b.requireFacts(id, 1, b.now())
		b.requireClocks(id, -1, -1) // no follow-up
	})
	t.Run("follow-ups move the clocks, whoever writes them and in whatever order", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(10 * day)
		b.followUp(li, id, start.Add(5*day))
		b.requireClocks(id, 5*day, 5*day)
		b.followUp(head, id, start.Add(7*day))
		b.requireClocks(id, 5*day, 7*day)
		x := met(id, start.Add(6*day)) // between them
		x.Staff = "wang"
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), boss, x))
		b.requireClocks(id, 5*day, 7*day)
		b.followUp(li, id, start) // the very instant of the ownership
		b.requireClocks(id, 0, 7*day)
		b.followUp(li, id, time.Time{})
		b.requireClocks(id, 0, 10*day)
		require.EqualValues(t, 1, b.get(id).Version) // clocks are no fields of the row
		b.requireFacts(id, 5, b.now())
		b.agree()
	})
	t.Run("every type but other can be a follow-up", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for _, typ := range []customer.InteractionType{customer.Call, customer.Visit, customer.Meeting, customer.Demo, customer.Email, customer.WeChat} {
			x := met(id, time.Time{})
			x.Type = typ
			require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		}
		b.requireFacts(id, 6, b.now())
	})
	t.Run("dated before the ownership it is recorded and moves no clock", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		x := b.followUp(li, id, start.Add(-time.Microsecond))
		b.requireClocks(id, -1, -1)
		b.requireFacts(id, 1, x.At)
		y := b.followUp(li, id, start.Add(time.Hour))
		b.requireClocks(id, time.Hour, time.Hour)
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 1))
		b.requireClocks(id, time.Hour, time.Hour)
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, y.ID, 1))
		b.requireClocks(id, -1, -1)
		b.requireFacts(id, 0, time.Time{})
		b.agree()
	})
	t.Run("the future is refused from its first microsecond", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for _, followup := range []bool{true, false} {
			x := met(id, b.now().Add(time.Microsecond))
			x.Followup = followup
			requireError(t, b.Customers.Interactions.Add(t.Context(), li, x), crm.ErrInvalid, kernel.InFuture, "at")
		}
		b.followUp(li, id, b.now())
		b.followUp(li, id, b.now().Add(999*time.Nanosecond)) // the store keeps microseconds
		b.requireClocks(id, 0, 0)
		b.agree()
	})
	t.Run("deleting a follow-up leaves the clocks of what is left", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(10 * day)
		var all []*customer.Interaction
		for _, d := range []time.Duration{2 * day, 4 * day, 4 * day, 6 * day} {
			all = append(all, b.followUp(li, id, start.Add(d)))
		}
		other := met(id, start.Add(9*day))
		other.Followup = false
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, other))
		remove := func(i int, first, last time.Duration) {
			t.Helper()
			require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, all[i].ID, 1))
			b.requireClocks(id, first, last)
		}
		remove(3, 2*day, 4*day)
		remove(1, 2*day, 4*day) // another one of that instant is left
		remove(0, 4*day, 4*day)
		remove(2, -1, -1)
		b.requireFacts(id, 1, other.At)
		require.Equal(t, "interaction.deleted", b.journal(id, 1)[0])
		b.agree()
	})
	t.Run("clocks that a first sync stated outlive a follow-up that is deleted", func(t *testing.T) {
		b := setup(t, open)
		c := &customer.Customer{Name: "a", ExternalSystem: "erp", ExternalID: "1", Ownership: customer.Ownership{
			OwnerID: "li", OwnedSince: start.Add(-5 * day), FirstFollowupAt: start.Add(-4 * day), LastFollowupAt: start.Add(-day),
		}}
		outcomes, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{c}, nil)
		require.NoError(t, err)
		id := outcomes[0].ID
		x := b.followUp(li, id, start.Add(-2*day))
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 1))
		require.Equal(t, []time.Time{start.Add(-4 * day), start.Add(-day)}, []time.Time{b.get(id).FirstFollowupAt, b.get(id).LastFollowupAt})
	})
	t.Run("a new owner begins with empty clocks, which older follow-ups do not move", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		old := b.followUp(li, id, time.Time{})
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		b.requireClocks(id, day, day) // those of the last ownership
		b.wait(30 * day)
		require.NoError(t, b.Pool.Claim(t.Context(), wang, id))
		b.requireClocks(id, -1, -1)
		b.followUp(wang, id, start.Add(20*day)) // while it lay in the pool
		b.requireClocks(id, -1, -1)
		b.wait(day)
		b.followUp(wang, id, time.Time{})
		b.requireClocks(id, 32*day, 32*day)
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), wang, old.ID, 1))
		b.requireClocks(id, 32*day, 32*day)
		b.agree()
	})
	t.Run("in the pool: its members record, and move no clock", func(t *testing.T) { interactionsInPool(t, setup(t, open)) })
	t.Run("update changes the content, and neither date, customer nor marks of a follow-up", func(t *testing.T) { interactionUpdates(t, setup(t, open)) })
	t.Run("the date of what is no follow-up can be mended, and the facts follow", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(10 * day)
		note := func(d time.Duration) *customer.Interaction {
			x := &customer.Interaction{CustomerID: id, Type: customer.Other, Subject: "x", At: start.Add(d)}
			require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
			return x
		}
		note(2 * day)
		x := note(8 * day)
		x.At = start.Add(day)
		require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, x))
		b.requireFacts(id, 2, start.Add(2*day))
		x.At = start.Add(9 * day)
		require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, x))
		b.requireFacts(id, 2, start.Add(9*day))
		x.At = b.now().Add(time.Microsecond)
		requireError(t, b.Customers.Interactions.Update(t.Context(), li, x), crm.ErrInvalid, kernel.InFuture, "at")
		x.At = time.Time{}
		requireError(t, b.Customers.Interactions.Update(t.Context(), li, x), crm.ErrInvalid, kernel.Empty, "at")
		b.agree()
	})
	t.Run("the contact is one of the customer's, and may be gone later", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		own, foreign, gone := b.contact(ids[0], "a", ""), b.contact(ids[1], "b", ""), b.contact(ids[0], "c", "")
		require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, gone.ID, 1))
		for _, contact := range []customer.ContactID{foreign.ID, gone.ID, 1 << 40, -1} {
			x := met(ids[0], time.Time{})
			x.ContactID = contact
			requireError(t, b.Customers.Interactions.Add(t.Context(), li, x), crm.ErrInvalid, kernel.Unknown, "contact_id")
		}
		x := met(ids[0], time.Time{})
		x.ContactID = own.ID
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		require.NoError(t, b.Customers.Contacts.Delete(t.Context(), li, own.ID, 1))
		x.Subject = "renamed"
		require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, x))
		x.ContactID = foreign.ID
		requireError(t, b.Customers.Interactions.Update(t.Context(), li, x), crm.ErrInvalid, kernel.Unknown, "contact_id")
		b.agree()
	})
	t.Run("out of scope, of another tenant or of a deleted customer, none is found, whatever is called", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x := met(id, time.Time{})
		x.NextAction, x.NextActionAt = "call", b.now()
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), li, x))
		calls := func(who crm.Actor) map[string]error {
			ctx, s, edit := t.Context(), b.Customers.Interactions, *x
			edit.Subject = "changed"
			_, get := s.Get(ctx, who, x.ID)
			_, list := s.List(ctx, who, id, crm.Page{})
			_, timeline := b.Customers.Timeline(ctx, who, id, crm.Page{})
			staffed := met(id, time.Time{})
			staffed.Staff = "li"
			pending, err := s.Pending(ctx, who, "li", time.Time{}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, pending.Items)
			return map[string]error{
				"Get": get, "List": list, "Timeline": timeline, "Add": s.Add(ctx, who, staffed), "Update": s.Update(ctx, who, &edit),
				"Delete": s.Delete(ctx, who, x.ID, 1), "Complete": s.Complete(ctx, who, x.ID),
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
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_interactions"))
		b.agree()
	})
	t.Run("a deleted interaction is nowhere, and its version is named", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x := b.followUp(li, id, time.Time{})
		requireError(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 2), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 1))
		require.ErrorIs(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 2), crm.ErrNotFound)
		require.ErrorIs(t, b.Customers.Interactions.Update(t.Context(), li, x), crm.ErrNotFound)
		l, err := b.Customers.Interactions.List(t.Context(), li, id, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
	})
	t.Run("the pending list is each member's own, most urgent first, page by page", func(t *testing.T) { pendingList(t, setup(t, open)) })
	t.Run("newest first, page by page, with many of one instant", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		var made []customer.InteractionID
		for i := range 7 {
			made = append(made, b.followUp(li, id, start.Add(time.Duration(i/3)*time.Hour)).ID)
		}
		want := []customer.InteractionID{made[6], made[5], made[4], made[3], made[2], made[1], made[0]}
		for _, limit := range []int{1, 2, 3, 7, 50} {
			var got []customer.InteractionID
			for p := (crm.Page{Limit: limit}); ; {
				l, err := b.Customers.Interactions.List(t.Context(), li, id, p)
				require.NoError(t, err)
				for _, x := range l.Items {
					got = append(got, x.ID)
				}
				if p.After = l.Next; p.After == "" {
					break
				}
			}
			require.Equal(t, want, got)
		}
		forged := "aW50ZXJhY3Rpb25zL3p6enp6enp6enp6ei8x" // interactions/zzzzzzzzzzzz/1: a year that no engine keeps
		_, err := b.Customers.Interactions.List(t.Context(), li, id, crm.Page{After: forged})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("many follow-ups at once are all counted, and the clocks span them", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.wait(day)
		together(16, func(i int) {
			who := []crm.Actor{li, head, admin}[i%3]
			err := insist(func() error {
				return b.Customers.Interactions.Add(t.Context(), who, met(id, start.Add(time.Duration(i)*time.Hour)))
			})
			if err != nil {
				t.Error(err)
			}
		})
		b.requireClocks(id, 0, 15*time.Hour)
		b.requireFacts(id, 16, start.Add(15*time.Hour))
		b.agree()
	})
	t.Run("the same request again records nothing twice", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		who := li
		who.Request = "r-1"
		first, again := met(id, time.Time{}), met(id, time.Time{})
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), who, first))
		b.wait(time.Hour)
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), who, again))
		require.Equal(t, first, again)
		b.requireFacts(id, 1, start)
		b.agree()
	})
	t.Run("children in the host's transaction, on one connection: usable after each error, gone with a rollback", func(t *testing.T) {
		childrenInHost(t, setup(t, open))
	})
	t.Run("bad input", func(t *testing.T) { interactionInput(t, setup(t, open)) })
}

func childrenInHost(t *testing.T, b *bundle) {
	id := b.create(1, "li")[0]
	old := b.contact(id, "a", "13800138000")
	b.tag("VIP")
	seq := b.get(id).Seq
	b.db.SetMaxOpenConns(1) // a query that does not go through the host's transaction would wait for ever
	tx := b.begin()
	ctx, in := t.Context(), b.In(tx).Customers
	again := &customer.Contact{CustomerID: id, FullName: "b", Phone: "+86 13800138000"}
	requireError(t, in.Contacts.Add(ctx, li, again), crm.ErrConflict, kernel.Duplicate, "phone")
	made := &customer.Contact{CustomerID: id, FullName: "b", Phone: "13900139000", IsPrimary: true}
	require.NoError(t, in.Contacts.Add(ctx, li, made))
	require.NoError(t, in.Contacts.MakePrimary(ctx, li, old.ID))
	outcomes, err := in.Contacts.AddMany(ctx, li, []*customer.Contact{{CustomerID: id, FullName: "c", Phone: "13900139000"}}, kernel.WhatCanBeHad)
	require.NoError(t, err)
	require.ErrorIs(t, outcomes[0].Err, crm.ErrConflict)
	require.NoError(t, in.Addresses.Add(ctx, li, place(id, customer.Home, true)))
	requireError(t, in.Addresses.Add(ctx, li, place(id, customer.Home, true)), crm.ErrConflict, kernel.Duplicate, "is_default")
	_, err = in.Tags.Put(ctx, li, []customer.ID{id}, "VIP")
	require.NoError(t, err)
	requireError(t, in.Tags.Create(ctx, head, &customer.Tag{Name: "VIP"}), crm.ErrConflict, kernel.Duplicate, "name")
	x := met(id, time.Time{})
	x.NextActionAt = b.now()
	require.NoError(t, in.Interactions.Add(ctx, li, x))
	require.ErrorIs(t, in.Interactions.Add(ctx, wang, met(id, time.Time{})), crm.ErrNotFound)
	require.NoError(t, in.Interactions.Complete(ctx, li, x.ID))
	line, err := in.Timeline(ctx, li, id, crm.Page{})
	require.NoError(t, err)
	require.Len(t, line.Items, 2)
	found, err := in.Contacts.Find(ctx, li, "13900139000", "", crm.Page{})
	require.NoError(t, err)
	require.Len(t, found.Items, 1)
	require.NoError(t, in.Interactions.Delete(ctx, li, x.ID, 2))
	require.NoError(t, tx.Rollback())

	require.Equal(t, seq, b.get(id).Seq)
	require.Empty(t, b.primaries(id))
	require.Empty(t, b.carried(id))
	b.requireClocks(id, -1, -1)
	b.agree()
}

func interactionsInPool(t *testing.T, b *bundle) {
	id := b.create(1, "li")[0]
	b.wait(day)
	require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
	b.wait(day)
	x := b.followUp(wang, id, time.Time{})
	b.requireClocks(id, -1, -1)
	b.requireFacts(id, 1, b.now())
	got, err := b.Customers.Interactions.Get(t.Context(), li, x.ID) // every member of the pool reads it
	require.NoError(t, err)
	masked := *x
	masked.Mask()
	require.Equal(t, &masked, got)

	edit := *x
	edit.Subject = "not mine"
	require.ErrorIs(t, b.Customers.Interactions.Update(t.Context(), li, &edit), crm.ErrNotFound) // and changes its own only
	require.ErrorIs(t, b.Customers.Interactions.Delete(t.Context(), li, x.ID, 1), crm.ErrNotFound)
	require.ErrorIs(t, b.Customers.Interactions.Complete(t.Context(), li, x.ID), crm.ErrNotFound)
	x.Subject, x.NextAction, x.NextActionAt = "mine", "call", b.now()
	require.NoError(t, b.Customers.Interactions.Update(t.Context(), wang, x))
	pending, err := b.Customers.Interactions.Pending(t.Context(), wang, "", time.Time{}, crm.Page{})
	require.NoError(t, err)
	require.Len(t, pending.Items, 1)
	require.NoError(t, b.Customers.Interactions.Complete(t.Context(), wang, x.ID))
	require.NoError(t, b.Customers.Interactions.Delete(t.Context(), wang, x.ID, 3))
	b.requireClocks(id, -1, -1)
	b.requireFacts(id, 0, time.Time{})

	inner := b.pool("inner", 1) // nobody belongs to it
	hidden := &customer.Customer{Name: "hidden", Ownership: customer.Ownership{PoolID: inner}}
	require.NoError(t, b.Customers.Create(t.Context(), boss, hidden))
	require.ErrorIs(t, b.Customers.Interactions.Add(t.Context(), wang, met(hidden.ID, time.Time{})), crm.ErrNotFound)
	_, err = b.Team.Roles.Put(t.Context(), boss, team.Role{Name: "writer", Reach: team.ReachOwn, Permissions: []kernel.Permission{team.InteractionWrite}})
	require.NoError(t, err)
	require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "zhao", Role: "writer"}))
	zhao := crm.Actor{Tenant: "acme", User: "zhao"} // who may not read the pool writes nothing there
	require.ErrorIs(t, b.Customers.Interactions.Add(t.Context(), zhao, met(id, time.Time{})), crm.ErrNotFound)
	b.agree()
}

func interactionUpdates(t *testing.T, b *bundle) {
	ids := b.create(2, "li")
	b.wait(day)
	x := b.followUp(li, ids[0], time.Time{})
	stale := *x
	x.Subject, x.Content, x.Minutes, x.Outcome, x.Type = "renamed", "more", 30, customer.Successful, customer.Visit
	require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, x))
	require.EqualValues(t, 2, x.Version)
	seq := b.get(ids[0]).Seq
	require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, x)) // no difference
	require.EqualValues(t, 2, x.Version)
	require.Equal(t, seq, b.get(ids[0]).Seq)
	requireError(t, b.Customers.Interactions.Update(t.Context(), li, &stale), crm.ErrConflict, kernel.Stale, "version")
	for field, change := range map[string]func(x *customer.Interaction){
		"at":           func(x *customer.Interaction) { x.At = x.At.Add(-time.Microsecond) },
		"customer_id":  func(x *customer.Interaction) { x.CustomerID = ids[1] },
		"followup":     func(x *customer.Interaction) { x.Followup = false },
		"next_done_at": func(x *customer.Interaction) { x.NextDoneAt = b.now() },
	} {
		edit := *x
		change(&edit)
		requireError(t, b.Customers.Interactions.Update(t.Context(), li, &edit), crm.ErrInvalid, kernel.ReadOnly, field)
	}
	edit := *x
	edit.Type = customer.Other
	requireError(t, b.Customers.Interactions.Update(t.Context(), li, &edit), crm.ErrInvalid, kernel.Malformed, "followup")
	edit = *x
	edit.Staff = ""
	requireError(t, b.Customers.Interactions.Update(t.Context(), li, &edit), crm.ErrInvalid, kernel.Empty, "staff")
	edit = *x
	edit.Staff = kernel.SystemUser
	requireError(t, b.Customers.Interactions.Update(t.Context(), li, &edit), crm.ErrInvalid, kernel.Unknown, "staff")
	b.requireClocks(ids[0], day, day)
	b.requireFacts(ids[0], 1, b.now())
	b.agree()
}

func pendingList(t *testing.T, b *bundle) {
	ids := append(b.create(2, "li"), b.create(1, "wang")...)
	due := func(id customer.ID, staff crm.UserID, after time.Duration) *customer.Interaction {
		x := &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", NextAction: "call back", Staff: staff}
		if after != 0 {
			x.NextActionAt = start.Add(after)
		}
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), boss, x))
		return x
	}
	late := due(ids[0], "li", 3*day)
	same := []*customer.Interaction{due(ids[0], "li", day), due(ids[1], "li", day), due(ids[0], "li", day)}
	past := due(ids[1], "li", -day)
	wangs, undated := due(ids[2], "wang", day), due(ids[0], "li", 0)
	foreign := due(ids[2], "li", day) // li's, on a customer that li does not see
	pending := func(who crm.Actor, staff crm.UserID, before time.Duration, limit int) (got []customer.InteractionID) {
		var until time.Time
		if before != 0 {
			until = start.Add(before)
		}
		for p := (crm.Page{Limit: limit}); ; {
			l, err := b.Customers.Interactions.Pending(t.Context(), who, staff, until, p)
			require.NoError(t, err)
			for _, x := range l.Items {
				got = append(got, x.ID)
			}
			if p.After = l.Next; p.After == "" {
				return got
			}
		}
	}
	all := []customer.InteractionID{past.ID, same[0].ID, same[1].ID, same[2].ID, late.ID}
	for _, limit := range []int{1, 2, 3, 5, 50} {
		require.Equal(t, all, pending(li, "", 0, limit))
		require.Equal(t, all, pending(li, "li", 3*day+time.Microsecond, limit))
		require.Equal(t, all[:4], pending(li, "", 3*day, limit)) // due before the instant, not at it
		require.Equal(t, all[:1], pending(li, "", day, limit))
		require.Len(t, pending(head, "li", 0, limit), 6)
	}
	require.Equal(t, []customer.InteractionID{wangs.ID}, pending(wang, "", 0, 50))
	require.Equal(t, []customer.InteractionID{foreign.ID}, pending(wang, "li", 0, 50))
	require.Empty(t, pending(li, "wang", 0, 50))

	require.NoError(t, b.Customers.Interactions.Complete(t.Context(), li, past.ID))
	seq := b.get(ids[1]).Seq
	require.NoError(t, b.Customers.Interactions.Complete(t.Context(), li, past.ID)) // done already
	require.Equal(t, seq, b.get(ids[1]).Seq)
	require.NoError(t, b.Customers.Interactions.Complete(t.Context(), li, undated.ID))
	require.NoError(t, b.Customers.Interactions.Delete(t.Context(), li, same[0].ID, 1))
	require.Equal(t, all[2:], pending(li, "", 0, 50))
	done, err := b.Customers.Interactions.Get(t.Context(), li, past.ID)
	require.NoError(t, err)
	require.Equal(t, []any{b.now().UTC(), int64(2)}, []any{done.NextDoneAt, done.Version})
	done.Subject = "renamed" // it stays done
	require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, done))
	require.Equal(t, all[2:], pending(li, "", 0, 50))
	done.NextActionAt = start.Add(5 * day) // a new one is pending
	require.NoError(t, b.Customers.Interactions.Update(t.Context(), li, done))
	require.Equal(t, append(all[2:], past.ID), pending(li, "", 0, 50))
	nothing := b.followUp(li, ids[0], time.Time{})
	requireError(t, b.Customers.Interactions.Complete(t.Context(), li, nothing.ID), crm.ErrInvalid, kernel.Empty, "next_action")
	require.NoError(t, b.Customers.Delete(t.Context(), boss, ids[0], 1))
	require.Equal(t, []customer.InteractionID{same[1].ID, past.ID}, pending(li, "", 0, 50))
	_, err = b.Customers.Interactions.Pending(t.Context(), li, "a\x00", time.Time{}, crm.Page{})
	requireError(t, err, crm.ErrInvalid, kernel.BadText, "staff")
	b.agree()
}
