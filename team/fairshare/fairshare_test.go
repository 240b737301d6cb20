package fairshare_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/fairshare"
)

func at(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }

// In every line the first member comes before the second.
func TestOrder(t *testing.T) {
	for name, c := range map[string][2]fairshare.Member{
		"a smaller share":                    {{User: "b", Used: 1, Cap: 10}, {User: "a", Used: 2, Cap: 10}},
		"a smaller share of a larger cap":    {{User: "b", Used: 10, Cap: 200}, {User: "a", Used: 3, Cap: 50}},
		"more in use, but a smaller share":   {{User: "b", Used: 19, Cap: 200}, {User: "a", Used: 1, Cap: 10}},
		"equal shares, who waited longer":    {{User: "b", Used: 1, Cap: 2, Last: at(1)}, {User: "a", Used: 50, Cap: 100, Last: at(2)}},
		"by a microsecond":                   {{User: "b", Cap: 1, Last: at(1)}, {User: "a", Cap: 1, Last: at(1).Add(time.Microsecond)}},
		"who never got one waits longest":    {{User: "b", Cap: 1}, {User: "a", Cap: 1, Last: at(1)}},
		"all equal, the lower id":            {{User: "a", Used: 1, Cap: 3, Last: at(1)}, {User: "b", Used: 2, Cap: 6, Last: at(1)}},
		"thirds, which no float tells apart": {{User: "b", Used: 333333333333333333, Cap: 1000000000000000000}, {User: "a", Used: 1, Cap: 3}},
		"the largest numbers":                {{User: "b", Used: math.MaxInt - 2, Cap: math.MaxInt}, {User: "a", Used: math.MaxInt - 1, Cap: math.MaxInt}},
		"one place left before none":         {{User: "b", Used: 9, Cap: 10}, {User: "a", Used: 10, Cap: 10}},
		"a cap of 0 is full":                 {{User: "b", Used: 9, Cap: 10}, {User: "a", Used: 0, Cap: 0}},
		"above the cap is full":              {{User: "b", Used: 9, Cap: 10}, {User: "a", Used: 3, Cap: 2}},
		"below nothing is nothing":           {{User: "a", Used: -5, Cap: 10}, {User: "b", Used: 0, Cap: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Negative(t, fairshare.Compare(c[0], c[1]))
			require.Positive(t, fairshare.Compare(c[1], c[0]))
			require.Zero(t, fairshare.Compare(c[0], c[0]))
		})
	}
}

func TestNobodyGoesAboveTheCap(t *testing.T) {
	for _, c := range []struct{ used, limit, weight, times int }{
		{0, 0, 1, 0},
		{0, 1, 1, 1},
		{8, 10, 1, 2},
		{9, 10, 1, 1},
		{10, 10, 1, 0},
		{11, 10, 1, 0},
		{0, -1, 1, 0},
		{0, 7, 8, 0},
		{0, 8, 8, 1},
		{0, 9, 8, 1},
		{0, 16, 8, 2},
		{10, 10, 0, 0},
		{9, 10, 0, 50},
		{-3, 2, 1, 2},
	} {
		team := fairshare.NewRound(fairshare.Member{User: "li", Used: c.used, Cap: c.limit}).Team("li", "nobody", "li")
		given := 0
		for range 50 {
			if user, ok := team.Give(c.weight); ok {
				require.EqualValues(t, "li", user)
				given++
			}
		}
		require.Equal(t, c.times, given, c)
	}
	_, ok := fairshare.NewRound().Team("li").Give(1)
	require.False(t, ok)
}

func TestATooHeavyItemPassesOnlyThoseWithoutRoom(t *testing.T) {
	r := fairshare.NewRound(fairshare.Member{User: "li", Used: 0, Cap: 4}, fairshare.Member{User: "wang", Used: 2, Cap: 10})
	team := r.Team("li", "wang")
	give := func(weight int) kernel.UserID {
		user, _ := team.Give(weight)
		return user
	}
	require.Equal(t, []kernel.UserID{"wang", "li", "", "li"}, []kernel.UserID{give(8), give(1), give(8), give(1)})
}

func TestTurnsWithoutWeight(t *testing.T) {
	r := fairshare.NewRound(fairshare.Member{User: "a", Cap: 9, Last: at(2)}, fairshare.Member{User: "b", Cap: 9, Last: at(1)})
	team := r.Team("a", "b")
	var got []kernel.UserID
	for range 5 {
		user, _ := team.Give(0)
		got = append(got, user)
	}
	require.Equal(t, []kernel.UserID{"b", "a", "b", "a", "b"}, got, "shares stay equal, and waiting decides")
}

// TestTeamsShareMembers: what one team gave counts in another, whose order is as if it had been made anew.
func TestTeamsShareMembers(t *testing.T) {
	r := fairshare.NewRound(fairshare.Member{User: "a", Cap: 10}, fairshare.Member{User: "b", Cap: 10}, fairshare.Member{User: "c", Cap: 10})
	east, west := r.Team("a", "b"), r.Team("a", "c")
	for range 4 {
		east.Give(1)
	}
	for range 2 {
		user, _ := west.Give(1)
		require.EqualValues(t, "c", user)
	}
	order := r.Members("a", "b", "c", "nobody", "a")
	require.Equal(t, []kernel.UserID{"a", "b", "c"}, []kernel.UserID{order[0].User, order[1].User, order[2].User})
}

// TestAgainstALookAtAll is the property test: every choice of a heap over several teams is the one that a look at all
// members makes; nobody is above the cap; and of those who began empty and never were full, no share is more than one item
// ahead of another.
func TestAgainstALookAtAll(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		users := []kernel.UserID{"a", "b", "c", "d", "e", "f"}[:1+rnd.IntN(6)]
		var members []fairshare.Member
		for _, user := range users {
			members = append(members, fairshare.Member{User: user, Used: rnd.IntN(4), Cap: rnd.IntN(12), Last: at(rnd.IntN(3))})
		}
		r := fairshare.NewRound(members...)
		teams, of := []*fairshare.Team{}, [][]kernel.UserID{}
		for range 1 + rnd.IntN(3) {
			some := slices.DeleteFunc(slices.Clone(users), func(kernel.UserID) bool { return rnd.IntN(3) == 0 })
			teams, of = append(teams, r.Team(some...)), append(of, some)
		}
		for range 40 {
			k, weight := rnd.IntN(len(teams)), rnd.IntN(3)
			order := slices.DeleteFunc(r.Members(of[k]...), func(m fairshare.Member) bool { return m.Full() || m.Used+weight > m.Cap })
			user, ok := teams[k].Give(weight)
			require.Equal(t, len(order) > 0, ok, "seed %d", seed)
			if ok {
				require.Equal(t, order[0].User, user, "seed %d", seed)
			}
		}
		for i, m := range r.Members(users...) {
			was := members[slices.IndexFunc(members, func(x fairshare.Member) bool { return x.User == m.User })]
			require.LessOrEqual(t, m.Used, max(m.Cap, was.Used), "seed %d, %d", seed, i)
		}
	}
}

func TestSharesStayWithinOneItem(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var members []fairshare.Member
		var users []kernel.UserID
		room := 0
		for i := range 2 + rnd.IntN(6) {
			user := kernel.UserID(rune('a' + i))
			limit := 1 + rnd.IntN(40)
			members, users, room = append(members, fairshare.Member{User: user, Cap: limit}), append(users, user), room+limit
		}
		r := fairshare.NewRound(members...)
		team := r.Team(users...)
		for range rnd.IntN(room + 1) {
			_, ok := team.Give(1)
			require.True(t, ok)
		}
		got := r.Members(users...)
		for _, a := range got { // without its last item nobody's share is above another's: (a-1)/A <= b/B
			for _, b := range got {
				require.LessOrEqual(t, (a.Used-1)*b.Cap, b.Used*a.Cap, "seed %d: %v %v", seed, a, b)
			}
		}
	}
}
