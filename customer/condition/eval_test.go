package condition

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 3, 9, 3, 0, 0, 0, time.UTC)

const (
	day = 24 * time.Hour
	µs  = time.Microsecond
)

func eval(t testing.TB, text string, f Facts) Truth {
	t.Helper()
	return parse(t, text).Eval(f, now, nil)
}

// level is what makes == "A" true, false and unknown.
var level = map[Truth]string{True: "A", False: "B", Unknown: ""}

func TestKleene(t *testing.T) {
	truths := []Truth{False, Unknown, True}
	for _, x := range truths {
		require.Equal(t, -x, eval(t, `not (level == "A")`, Facts{Level: level[x]}))
		require.Equal(t, -x, eval(t, `level != "A"`, Facts{Level: level[x]}))
		require.Equal(t, -x, eval(t, `level not in ["A"]`, Facts{Level: level[x]}))
		for _, y := range truths {
			for _, z := range truths {
				f := Facts{Level: level[x], Industry: level[y], Source: level[z]}
				and := `level == "A" and industry == "A" and source == "A"`
				or := `level == "A" or industry == "A" or source == "A"`
				require.Equal(t, min(x, y, z), eval(t, and, f), "%v %v %v", x, y, z)
				require.Equal(t, max(x, y, z), eval(t, or, f), "%v %v %v", x, y, z)
				// De Morgan, which holds for three values too
				require.Equal(t, -max(x, y, z), eval(t, `level != "A" and industry != "A" and source != "A"`, f))
			}
		}
	}
	require.Equal(t, "true false unknown", fmt.Sprint(True, False, Unknown))
}

// The tables of SQL, spelled out: true and unknown is unknown, false and unknown is false, true or unknown is true.
func TestKleeneTable(t *testing.T) {
	for _, x := range []struct{ a, b, and, or Truth }{
		{True, True, True, True},
		{True, Unknown, Unknown, True},
		{True, False, False, True},
		{Unknown, True, Unknown, True},
		{Unknown, Unknown, Unknown, Unknown},
		{Unknown, False, False, Unknown},
		{False, True, False, True},
		{False, Unknown, False, Unknown},
		{False, False, False, False},
	} {
		f := Facts{Level: level[x.a], Source: level[x.b]}
		require.Equal(t, x.and, eval(t, `level == "A" and source == "A"`, f), "%v", x)
		require.Equal(t, x.or, eval(t, `level == "A" or source == "A"`, f), "%v", x)
	}
}

// Each fact of days is counted from its own instant.
func TestDaysCountFrom(t *testing.T) {
	at := now.Add(-10 * day)
	for fact, f := range map[Fact]Facts{
		FollowupDays:        {FollowupFrom: at},
		OwnedDays:           {OwnedSince: at},
		DealDays:            {FirstFollowupAt: at},
		LastOrderDays:       {LastOrderAt: at},
		LastInteractionDays: {LastInteractionAt: at},
	} {
		for _, x := range []struct {
			op    Op
			wants [3]Truth // 9, 10 and 11
		}{
			{Greater, [3]Truth{True, False, False}},
			{AtLeast, [3]Truth{True, True, False}},
			{Less, [3]Truth{False, False, True}},
			{AtMost, [3]Truth{False, True, True}},
		} {
			for i, want := range x.wants {
				text := fmt.Sprint(fact, x.op, 9+i)
				require.Equal(t, want, eval(t, text, f), text)
				require.Equal(t, Unknown, eval(t, text, Facts{}), text)
				require.Equal(t, Unknown, eval(t, "not ("+text+")", Facts{}), text)
			}
		}
	}
}

// One microsecond below, at and above the boundary of every comparison.
func TestDaysAreExactToTheMicrosecond(t *testing.T) {
	for _, x := range []struct {
		n       string
		elapsed time.Duration
	}{
		{"0", 0},
		{"7", 7 * day},
		{"0.5", 12 * time.Hour},
		{"0.0001", 8640 * time.Millisecond},
		{"2.1234", 2*day + 1234*8640*time.Millisecond},
		{"36500", 36500 * day},
		{"36499.9999", 36500*day - 8640*time.Millisecond},
	} {
		for op, wants := range map[Op][3]Truth{
			Greater: {False, False, True}, AtLeast: {False, True, True},
			Less: {True, False, False}, AtMost: {True, True, False},
		} {
			for i, beside := range []time.Duration{-µs, 0, µs} {
				f := Facts{FollowupFrom: now.Add(-x.elapsed).Add(-beside)}
				text := fmt.Sprint("followup_days ", op, " ", x.n)
				require.Equal(t, wants[i], eval(t, text, f), "%s, %v beside", text, beside)
			}
		}
	}
}

// A clock that is finer than the store's does not make Go and SQL differ.
func TestDaysIgnoreNanoseconds(t *testing.T) {
	f, c := Facts{OwnedSince: now.Add(-7 * day)}, parse(t, "owned_days > 7")
	require.Equal(t, False, c.Eval(f, now.Add(999*time.Nanosecond), nil))
	require.Equal(t, True, c.Eval(f, now.Add(µs), nil))
	require.Equal(t, True, c.Eval(f, now.Add(µs).In(time.FixedZone("east", 8*3600)), nil))
	require.Equal(t, time.UTC, Elapsed{}.Cut(now.Local(), true, number("1")).Location())
}

// No deal counts from the first follow-up until an order comes, at it or later.
func TestDealDays(t *testing.T) {
	first := now.Add(-100 * day)
	for name, x := range map[string]struct {
		f    Facts
		want Truth
	}{
		"no follow-up":                      {Facts{LastOrderAt: first}, Unknown},
		"no order":                          {Facts{FirstFollowupAt: first}, True},
		"an order just before":              {Facts{FirstFollowupAt: first, LastOrderAt: first.Add(-µs)}, True},
		"an order at it":                    {Facts{FirstFollowupAt: first, LastOrderAt: first}, Unknown},
		"an order just after":               {Facts{FirstFollowupAt: first, LastOrderAt: first.Add(µs)}, Unknown},
		"an order after the last follow-up": {Facts{FirstFollowupAt: first, FollowupFrom: first.Add(day), LastOrderAt: now}, Unknown},
	} {
		require.Equal(t, x.want, eval(t, "deal_days > 90", x.f), name)
		require.Equal(t, -x.want, eval(t, "deal_days <= 90", x.f), name)
	}
}

func TestTexts(t *testing.T) {
	for fact, with := range map[Fact]func(string) Facts{
		Level:    func(s string) Facts { return Facts{Level: s} },
		Standing: func(s string) Facts { return Facts{Standing: s} },
		Stage:    func(s string) Facts { return Facts{Stage: s} },
		Type:     func(s string) Facts { return Facts{Type: s} },
		Industry: func(s string) Facts { return Facts{Industry: s} },
		Source:   func(s string) Facts { return Facts{Source: s} },
	} {
		values := append(fact.Values(), "x", "y")[:2]
		if fact.Values() != nil {
			values = fact.Values()[:2]
		}
		one, other := values[0], values[1]
		in := fmt.Sprintf("%s in [%q, %q]", fact, one, other)
		require.Equal(t, True, eval(t, fmt.Sprintf("%s == %q", fact, one), with(one)), fact)
		require.Equal(t, False, eval(t, fmt.Sprintf("%s == %q", fact, one), with(other)), fact)
		require.Equal(t, False, eval(t, fmt.Sprintf("%s == %q", fact, one), with(one+" ")), "%s: compared exactly", fact)
		require.Equal(t, True, eval(t, in, with(other)), fact)
		require.Equal(t, False, eval(t, in, with("z")), fact)
		require.Equal(t, Unknown, eval(t, in, with("")), fact)
		require.Equal(t, Unknown, eval(t, "not ("+in+")", with("")), fact)
	}
}

func TestRegionsMatchByPrefix(t *testing.T) {
	for region, wants := range map[string][3]Truth{ // == "3301", in ["3301", "35"], not in of the same
		"":       {Unknown, Unknown, Unknown},
		"33":     {False, False, True}, // the whole province is not within a city of it
		"3301":   {True, True, False},
		"330106": {True, True, False},
		"3302":   {False, False, True},
		"350200": {False, True, False},
		"133010": {False, False, True},
	} {
		f := Facts{Region: region}
		require.Equal(t, wants[0], eval(t, `region == "3301"`, f), region)
		require.Equal(t, wants[1], eval(t, `region in ["3301", "35"]`, f), region)
		require.Equal(t, wants[2], eval(t, `region not in ["3301", "35"]`, f), region)
	}
}

func TestTagsAreNeverUnknown(t *testing.T) {
	require.Equal(t, False, eval(t, `"VIP" in tags`, Facts{}))
	require.Equal(t, True, eval(t, `"VIP" not in tags`, Facts{}))
	require.Equal(t, True, eval(t, `"VIP" in tags`, Facts{Tags: []string{"new", "VIP"}}))
	require.Equal(t, False, eval(t, `"VIP" in tags`, Facts{Tags: []string{"vip"}}))
}

// One ten-thousandth below, at and above, for amounts; for counts the integers around.
func TestNumbers(t *testing.T) {
	wants := map[Op][3]Truth{
		Equal: {False, True, False}, NotEqual: {True, False, True}, Less: {True, False, False},
		AtMost: {True, True, False}, Greater: {False, False, True}, AtLeast: {False, True, True},
	}
	for op, want := range wants {
		for i, n := range []string{"-100.0001", "-100", "-99.9999"} {
			spend := Facts{Spend: number(n)}
			require.Equal(t, want[i], eval(t, fmt.Sprintf("spend %s -100", op), spend), "%s %s", n, op)
			require.Equal(t, want[i], eval(t, fmt.Sprintf("spend %s -100.0000", op), spend), "%s %s", n, op)
			potential := Facts{Potential: decimal.NewNullDecimal(number(n))}
			require.Equal(t, want[i], eval(t, fmt.Sprintf("potential %s -100", op), potential), "%s %s", n, op)
		}
		for i, n := range []int64{4, 5, 6} {
			for fact, f := range map[Fact]Facts{
				OpenOpportunities: {OpenOpportunities: n}, ActiveContracts: {ActiveContracts: n},
				OpenCases: {OpenCases: n}, Orders: {Orders: n},
			} {
				require.Equal(t, want[i], eval(t, fmt.Sprintf("%s %s 5", fact, op), f), "%s %d %s", fact, n, op)
			}
		}
		require.Equal(t, Unknown, eval(t, fmt.Sprintf("potential %s 0", op), Facts{}), op)
	}
	require.Equal(t, True, eval(t, "orders == 0 and spend == 0", Facts{}), "counts and sums are 0, never absent")
	require.Equal(t, True, eval(t, "orders > 2.5", Facts{Orders: 3}))
	require.Equal(t, False, eval(t, "orders == 2.5", Facts{Orders: 3}))
}

// workdays counts nothing but the calls that it gets: whatever days are, they come as one instant.
type workdays struct{ asked []string }

func (w *workdays) Cut(now time.Time, orEqual bool, n decimal.Decimal) time.Time {
	w.asked = append(w.asked, fmt.Sprint(n, orEqual))
	return now.Add(-day)
}

func (w *workdays) Reach(from time.Time, _ bool, _ decimal.Decimal) (time.Time, bool) {
	return from, true
}

func TestReachIsTheFirstInstantThatTheCutLetsThrough(t *testing.T) {
	for _, n := range []string{"0", "0.0001", "2.5", "7", "36500"} {
		for _, orEqual := range []bool{false, true} {
			from := now.Add(-3 * day)
			at, ok := Elapsed{}.Reach(from, orEqual, number(n))
			require.True(t, ok)
			require.True(t, from.Before(Elapsed{}.Cut(at, orEqual, number(n))), n)
			require.False(t, from.Before(Elapsed{}.Cut(at.Add(-µs), orEqual, number(n))), n)
		}
	}
}

func TestCountingIsAskedForTheCut(t *testing.T) {
	w := &workdays{}
	c := parse(t, "owned_days > 1 and owned_days >= 2 and not (owned_days <= 3) and not (owned_days < 4)")
	require.Equal(t, True, c.Eval(Facts{OwnedSince: now.Add(-day - µs)}, now, w))
	require.Equal(t, []string{"1 false", "2 true", "3 false", "4 true"}, w.asked)
	require.Equal(t, False, c.Eval(Facts{OwnedSince: now.Add(-day)}, now, w))
}

func TestCut(t *testing.T) {
	for op, want := range map[Op]struct {
		cut    time.Time
		before bool
	}{
		Greater: {now.Add(-7 * day), true}, AtLeast: {now.Add(-7*day + µs), true},
		AtMost: {now.Add(-7 * day), false}, Less: {now.Add(-7*day + µs), false},
	} {
		cut, before := Compare{OwnedDays, op, number("7")}.Cut(now, Elapsed{})
		require.Equal(t, want.cut, cut, op)
		require.Equal(t, want.before, before, op)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(seeds[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	c := parse(b, seeds[0])
	f := Facts{FollowupFrom: now.Add(-8 * day), Level: "D", Region: "330106", Spend: number("100")}
	for b.Loop() {
		c.Eval(f, now, nil)
	}
}
