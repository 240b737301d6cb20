package storagetest

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

func (b *bundle) tag(name string) *customer.Tag {
	b.t.Helper()
	x := &customer.Tag{Name: name}
	require.NoError(b.t, b.Customers.Tags.Create(b.t.Context(), boss, x))
	return x
}

func (b *bundle) put(names []string, ids ...customer.ID) {
	b.t.Helper()
	_, err := b.Customers.Tags.Put(b.t.Context(), boss, ids, names...)
	require.NoError(b.t, err)
}

// carried is the names of the tags of one customer.
func (b *bundle) carried(id customer.ID) (names []string) {
	b.t.Helper()
	of, err := b.Customers.Tags.Of(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	for _, x := range of[id] {
		names = append(names, x.Name)
	}
	return names
}

// listed is the ids of the customers that a filter leaves.
func (b *bundle) listed(f customer.Filter) (ids []customer.ID) {
	b.t.Helper()
	l, err := b.Customers.List(b.t.Context(), boss, f, crm.Page{})
	require.NoError(b.t, err)
	n, _, err := b.Customers.Count(b.t.Context(), boss, f)
	require.NoError(b.t, err)
	require.Equal(b.t, len(l.Items), n)
	for _, c := range l.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func testTags(t *testing.T, open Open) {
	t.Run("a colour is kept in upper case, a name is unique to the letter", func(t *testing.T) {
		b := setup(t, open)
		x := &customer.Tag{Name: "VIP", Colour: "#ff8a0f"}
		require.NoError(t, b.Customers.Tags.Create(t.Context(), head, x))
		require.Equal(t, "#FF8A0F", x.Colour)
		require.Equal(t, b.now().UTC(), x.CreatedAt)
		requireError(t, b.Customers.Tags.Create(t.Context(), head, &customer.Tag{Name: "VIP"}), crm.ErrConflict, kernel.Duplicate, "name")
		for _, name := range []string{"vip", "重点", "ＶＩＰ", "V I P"} {
			b.tag(name)
		}
		require.NoError(t, b.Customers.Tags.Create(t.Context(), otherBoss, &customer.Tag{Name: "VIP"}))
		l, err := b.Customers.Tags.List(t.Context(), li, crm.Page{Limit: 3})
		require.NoError(t, err)
		require.Equal(t, x, l.Items[0])
		rest, err := b.Customers.Tags.List(t.Context(), li, crm.Page{After: l.Next})
		require.NoError(t, err)
		require.Len(t, rest.Items, 2)
		b.agree()
	})
	t.Run("update renames for all who carry the tag, and names the version that was read", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.tag("old")
		b.tag("taken")
		b.put([]string{"old"}, ids...)
		stale := *x
		x.Name, x.Colour = "new", "#00ff00"
		require.NoError(t, b.Customers.Tags.Update(t.Context(), head, x))
		require.Equal(t, []any{int64(2), "#00FF00"}, []any{x.Version, x.Colour})
		require.Equal(t, []string{"new"}, b.carried(ids[0]))
		require.Equal(t, ids, b.listed(customer.Filter{TagsAny: []string{"new"}}))
		require.Empty(t, b.listed(customer.Filter{TagsAny: []string{"old"}}))
		require.NoError(t, b.Customers.Tags.Update(t.Context(), head, x)) // no difference
		require.EqualValues(t, 2, x.Version)
		requireError(t, b.Customers.Tags.Update(t.Context(), head, &stale), crm.ErrConflict, kernel.Stale, "version")
		clash := *x
		clash.Name = "taken"
		requireError(t, b.Customers.Tags.Update(t.Context(), head, &clash), crm.ErrConflict, kernel.Duplicate, "name")
		clash.ID = 1 << 40
		require.ErrorIs(t, b.Customers.Tags.Update(t.Context(), head, &clash), crm.ErrNotFound)
		b.agree()
	})
	t.Run("a deleted tag is carried by nobody, and a new one of its name by nobody yet", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.tag("VIP")
		b.tag("重点")
		b.put([]string{"VIP", "重点"}, ids...)
		requireError(t, b.Customers.Tags.Delete(t.Context(), head, x.ID, 2), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Customers.Tags.Delete(t.Context(), head, x.ID, 1))
		require.ErrorIs(t, b.Customers.Tags.Delete(t.Context(), head, x.ID, 2), crm.ErrNotFound)
		require.Equal(t, []string{"重点"}, b.carried(ids[0]))
		require.Empty(t, b.listed(customer.Filter{TagsAny: []string{"VIP"}}))
		require.Empty(t, b.listed(customer.Filter{TagsAll: []string{"VIP", "重点"}}))
		_, err := b.Customers.Tags.Put(t.Context(), li, ids, "VIP")
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "names")
		b.tag("VIP")
		require.Equal(t, []string{"重点"}, b.carried(ids[0]))
		require.Empty(t, b.listed(customer.Filter{TagsAny: []string{"VIP"}}))
		b.put([]string{"VIP"}, ids[1])
		require.Equal(t, ids[1:], b.listed(customer.Filter{TagsAll: []string{"VIP", "重点"}}))
		b.agree()
	})
	t.Run("put and take: an outcome for each, and a change where it makes a difference", func(t *testing.T) {
		b := setup(t, open)
		ids := append(b.create(3, "li"), b.create(1, "wang")...)
		b.tag("a")
		b.tag("b")
		b.put([]string{"a", "b"}, ids[0])
		b.put([]string{"a"}, ids[1])
		seqs := []int64{b.get(ids[0]).Seq, b.get(ids[1]).Seq, b.get(ids[2]).Seq}

		asked := []customer.ID{ids[2], ids[3], ids[0], 1 << 40, ids[1], ids[2]}
		outcomes, err := b.Customers.Tags.Put(t.Context(), li, asked, "b", "a", "b")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"updated", "refused", "unchanged", "refused", "updated", "updated"}, dids(outcomes))
		require.ErrorIs(t, outcomes[1].Err, crm.ErrNotFound)
		require.ErrorIs(t, outcomes[3].Err, crm.ErrNotFound)
		for i, id := range ids[:3] {
			require.Equal(t, []string{"a", "b"}, b.carried(id))
			require.Equal(t, seqs[i]+map[int]int64{0: 0, 1: 1, 2: 1}[i], b.get(id).Seq)
			require.EqualValues(t, 1, b.get(id).Version) // tags are no fields of the row
		}
		require.Empty(t, b.carried(ids[3]))
		var before, after string
		require.NoError(t, b.db.QueryRow("SELECT before, after FROM crm_audit WHERE type = 'customer.tagged' ORDER BY id DESC LIMIT 1").Scan(&before, &after))
		require.Equal(t, []string{`{"tags":["a"]}`, `{"tags":["a","b"]}`}, []string{before, after})

		outcomes, err = b.Customers.Tags.Take(t.Context(), li, ids, "a")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"updated", "updated", "updated", "refused"}, dids(outcomes))
		outcomes, err = b.Customers.Tags.Take(t.Context(), li, ids[:1], "a")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"unchanged"}, dids(outcomes))
		require.Equal(t, []string{"b"}, b.carried(ids[0]))
		require.Equal(t, "customer.untagged", b.journal(ids[0], 1)[0])
		outcomes, err = b.Customers.Tags.Put(t.Context(), li, nil, "a")
		require.NoError(t, err)
		require.Empty(t, outcomes)
		b.agree()
	})
	t.Run("filters by any and by all tags, within the scope", func(t *testing.T) {
		b := setup(t, open)
		ids := append(b.create(3, "li"), b.create(1, "wang")...)
		b.tag("a")
		b.tag("b")
		b.put([]string{"a"}, ids[0], ids[3])
		b.put([]string{"a", "b"}, ids[1])
		require.Equal(t, []customer.ID{ids[0], ids[1], ids[3]}, b.listed(customer.Filter{TagsAny: []string{"a"}}))
		require.Equal(t, []customer.ID{ids[0], ids[1], ids[3]}, b.listed(customer.Filter{TagsAny: []string{"b", "a"}}))
		require.Equal(t, ids[1:2], b.listed(customer.Filter{TagsAll: []string{"a", "b"}}))
		require.Equal(t, ids[1:2], b.listed(customer.Filter{TagsAny: []string{"a"}, TagsAll: []string{"b"}}))
		require.Empty(t, b.listed(customer.Filter{TagsAll: []string{"a", "nothing"}}))
		l, err := b.Customers.List(t.Context(), li, customer.Filter{TagsAny: []string{"a"}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 2)
	})
	t.Run("who may not: sellers make no tags, and reach only their customers", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		x := b.tag("a")
		b.put([]string{"a"}, id)
		requireError(t, b.Customers.Tags.Create(t.Context(), li, &customer.Tag{Name: "b"}), crm.ErrDenied, "", string(kernel.TagManage))
		requireError(t, b.Customers.Tags.Update(t.Context(), li, x), crm.ErrDenied, "", string(kernel.TagManage))
		requireError(t, b.Customers.Tags.Delete(t.Context(), li, x.ID, 1), crm.ErrDenied, "", string(kernel.TagManage))
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			of, err := b.Customers.Tags.Of(t.Context(), who, id)
			require.NoError(t, err)
			require.Empty(t, of)
		}
		outcomes, err := b.Customers.Tags.Take(t.Context(), wang, []customer.ID{id}, "a")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"refused"}, dids(outcomes))
		_, err = b.Customers.Tags.Put(t.Context(), otherLi, []customer.ID{id}, "a") // there, the tag does not exist
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "names")
		require.ErrorIs(t, b.Customers.Tags.Delete(t.Context(), otherBoss, x.ID, 1), crm.ErrNotFound)
		require.NoError(t, b.Customers.Tags.Create(t.Context(), otherBoss, &customer.Tag{Name: "a"}))
		outcomes, err = b.Customers.Tags.Take(t.Context(), otherLi, []customer.ID{id}, "a")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"refused"}, dids(outcomes))
		require.Equal(t, []string{"a"}, b.carried(id))
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, 1))
		require.Empty(t, b.carried(id))
		outcomes, err = b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id}, "a")
		require.NoError(t, err)
		require.Equal(t, []customer.Did{"refused"}, dids(outcomes))
		b.agree()
	})
	t.Run("hundreds of customers at once, by many at once, in any order", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(300, "")
		names := []string{"a", "b", "c", "d"}
		for _, name := range names {
			b.tag(name)
		}
		reversed := slices.Clone(ids)
		slices.Reverse(reversed)
		together(4, func(i int) {
			order := ids
			if i%2 == 1 {
				order = reversed
			}
			if err := insist(func() error { _, err := b.Customers.Tags.Put(t.Context(), boss, order, names[i]); return err }); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, 1_200, b.count("SELECT count(*) FROM crm_customer_tags"))
		n, _, err := b.Customers.Count(t.Context(), boss, customer.Filter{TagsAll: names})
		require.NoError(t, err)
		require.Equal(t, 300, n)
		b.agree()
	})
	t.Run("of many who make or take one name at once, one wins", func(t *testing.T) {
		b := setup(t, open)
		var made, renamed atomic.Int32
		together(8, func(int) {
			switch err := insist(func() error { return b.Customers.Tags.Create(t.Context(), head, &customer.Tag{Name: "VIP"}) }); err {
			case nil:
				made.Add(1)
			default:
				requireConflict(t, err, "name")
			}
		})
		require.EqualValues(t, 1, made.Load())
		xs := []*customer.Tag{b.tag("0"), b.tag("1"), b.tag("2"), b.tag("3")}
		together(len(xs), func(i int) {
			x := *xs[i]
			x.Name = "same"
			switch err := insist(func() error { return b.Customers.Tags.Update(t.Context(), head, &x) }); err {
			case nil:
				renamed.Add(1)
			default:
				requireConflict(t, err, "name")
			}
		})
		require.EqualValues(t, 1, renamed.Load())
		b.agree()
	})
	t.Run("bad input is refused, and nothing is written", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		good := b.tag("good")
		for _, colour := range []string{"red", "#FFF", "#GG0000", "FF0000", "#FF00000", "#ff00é", " #FF0000", "#FF0000\n"} {
			requireError(t, b.Customers.Tags.Create(t.Context(), boss, &customer.Tag{Name: "x", Colour: colour}), crm.ErrInvalid, kernel.Malformed, "colour")
			edit := *good
			edit.Colour = colour
			requireError(t, b.Customers.Tags.Update(t.Context(), boss, &edit), crm.ErrInvalid, kernel.Malformed, "colour")
		}
		for what, text := range badTexts {
			e := requireError(t, b.Customers.Tags.Create(t.Context(), boss, &customer.Tag{Name: text}), crm.ErrInvalid, kernel.BadText, "name")
			require.Equal(t, "customer.Tags.Create", e.Op, what)
			_, err := b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id}, text)
			requireError(t, err, crm.ErrInvalid, kernel.BadText, "names")
		}
		requireError(t, b.Customers.Tags.Create(t.Context(), boss, &customer.Tag{}), crm.ErrInvalid, kernel.Empty, "name")
		requireError(t, b.Customers.Tags.Create(t.Context(), boss, nil), crm.ErrInvalid, kernel.Empty, "tag")
		_, err := b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "names")
		_, err = b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id}, make([]string, 21)...)
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "names")
		_, err = b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id}, "good", "unknown")
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "names")
		_, err = b.Customers.Tags.Put(t.Context(), boss, make([]customer.ID, 10_001), "good")
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "ids")
		require.Empty(t, b.carried(id))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_tags"))
		b.agree()
	})
}

func dids(outcomes []customer.Outcome) (all []customer.Did) {
	for _, o := range outcomes {
		all = append(all, o.Did)
	}
	return all
}
