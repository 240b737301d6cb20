package customer

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func TestFullNameIsSaidAsPeopleSayIt(t *testing.T) {
	for _, c := range []struct{ last, first, full string }{
		{"王", "小明", "王小明"},
		{"Smith", "John", "John Smith"},
		{"", "John", "John"},
		{"Smith", "", "Smith"},
		{"", "", ""},
		{"Wang", "小明", "Wang小明"},
		{"王", "Ming", "王Ming"},
		{"山田", "たろう", "山田たろう"},
		{"Мороз", "Анна", "Анна Мороз"},
		{"\U00020000", "a", "\U00020000a"},
	} {
		require.Equal(t, c.full, fullName(c.last, c.first))
	}
}

func TestFullNameFollowsItsParts(t *testing.T) {
	cur := Contact{CustomerID: 1, Version: 3, FullName: "王小明", LastName: "王", FirstName: "小明"}
	for _, c := range []struct {
		given Contact
		full  string
	}{
		{Contact{FullName: "王小明", LastName: "李", FirstName: "小明"}, "李小明"},
		{Contact{FullName: "", LastName: "李", FirstName: "小明"}, "李小明"},
		{Contact{FullName: "小明同学", LastName: "李", FirstName: "小明"}, "小明同学"},
		{Contact{FullName: "王小明"}, "王小明"}, // the parts are gone, the name stays
	} {
		c.given.CustomerID, c.given.Version = 1, 3
		next, err := cur.edited(c.given)
		require.NoError(t, err)
		require.Equal(t, c.full, next.FullName)
	}
}

func TestJSONDocuments(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for in, out := range map[string]string{
		"": "", "null": "", " null ": "", "{}": "{}", " { \"a\" : [ 1 , \"{[\\\"\" ] }\n": `{"a":[1,"{[\""]}`, `{"a":"\u0000"}`: `{"a":"\u0000"}`,
		`{"颜色":"蓝"}`: `{"颜色":"蓝"}`, deep(32): deep(32), `{"a":"` + strings.Repeat("x", 9_992) + `"}`: `{"a":"` + strings.Repeat("x", 9_992) + `"}`,
	} {
		got, err := checkJSON("preferences", json.RawMessage(in), '{')
		require.NoError(t, err, in)
		require.Equal(t, out, string(got))
	}
	for in, why := range map[string]kernel.Reason{
		"[]": kernel.Malformed, `"x"`: kernel.Malformed, "1": kernel.Malformed, "{": kernel.Malformed, "{} {}": kernel.Malformed, "{'a':1}": kernel.Malformed,
		" ": kernel.Malformed, "{\"a\":\"\x00\"}": kernel.BadText, "{\"a\":\"\xff\"}": kernel.BadText, "{\"a\":\"\u202e\"}": kernel.BadText,
		deep(33): kernel.Malformed, strings.Repeat("[", 9_999): kernel.Malformed, `{"a":"` + strings.Repeat("x", 9_993) + `"}`: kernel.TooLong,
	} {
		_, err := checkJSON("preferences", json.RawMessage(in), '{')
		require.ErrorIs(t, err, why, "%.40q", in)
		require.ErrorIs(t, err, kernel.ErrInvalid)
	}
	_, err := checkJSON("attachments", json.RawMessage("{}"), '[')
	require.ErrorIs(t, err, kernel.Malformed)
}

func TestFollowupsMoveTheClocksOfThePresentOwnership(t *testing.T) {
	owned := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	at := owned.Add
	with := func(owner kernel.UserID, first, last time.Time) Ownership {
		return Ownership{OwnerID: owner, OwnedSince: owned, FirstFollowupAt: first, LastFollowupAt: last}
	}
	var none time.Time
	for name, c := range map[string]struct {
		was         Ownership
		at          time.Time
		first, last time.Time
	}{
		"the first of all sets both":              {with("li", none, none), at(5), at(5), at(5)},
		"a later one moves the last":              {with("li", at(5), at(5)), at(6), at(5), at(6)},
		"an earlier one moves the first":          {with("li", at(5), at(9)), at(4), at(4), at(9)},
		"one between them moves none":             {with("li", at(5), at(9)), at(7), at(5), at(9)},
		"the very instant of the ownership is in": {with("li", none, none), at(0), at(0), at(0)},
		"a microsecond before it is out":          {with("li", none, none), at(-time.Microsecond), none, none},
		"in the pool it moves none":               {with("", at(5), at(9)), at(10), at(5), at(9)},
	} {
		t.Run(name, func(t *testing.T) {
			is := c.was.FollowedUp(c.at)
			require.Equal(t, []time.Time{c.first, c.last}, []time.Time{is.FirstFollowupAt, is.LastFollowupAt})
		})
	}
}

// Whatever order follow-ups are written down and deleted in, the clocks are the earliest and the latest of what is there.
func TestClocksAreThoseOfWhatIsLeft(t *testing.T) {
	owned := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		o, left := Ownership{OwnerID: "li", OwnedSince: owned}, []time.Time{}
		for range 12 {
			if n := len(left); n > 0 && random.IntN(2) == 0 {
				i := random.IntN(n)
				gone := left[i]
				left = slices.Delete(left, i, i+1)
				first, last := clocksOf(owned, left)
				o = o.unfollowed(gone, first, last)
			} else {
				left = append(left, owned.Add(time.Duration(random.IntN(8)-2)*time.Microsecond))
				o = o.FollowedUp(left[len(left)-1])
			}
			first, last := clocksOf(owned, left)
			require.Equal(t, []time.Time{first, last}, []time.Time{o.FirstFollowupAt, o.LastFollowupAt})
		}
	}
}

func clocksOf(since time.Time, all []time.Time) (first, last time.Time) {
	for _, at := range all {
		if at.Before(since) {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}

// A first sync may state clocks that no interaction stands for: what is deleted later does not take them away.
func TestClocksThatASyncStatedStay(t *testing.T) {
	owned := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	var none time.Time
	synced := Ownership{OwnerID: "li", OwnedSince: owned, FirstFollowupAt: owned.Add(1), LastFollowupAt: owned.Add(5)}
	for name, c := range map[string]struct {
		at          time.Duration
		first, last time.Duration
	}{
		"between them":   {3, 1, 5},
		"after the last": {9, 1, 1}, // the last one is not known any more, the first still is
		"before both":    {0, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			at := owned.Add(c.at)
			o := synced.FollowedUp(at).unfollowed(at, none, none)
			require.Equal(t, []time.Time{owned.Add(c.first), owned.Add(c.last)}, []time.Time{o.FirstFollowupAt, o.LastFollowupAt})
		})
	}
}
