package pool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

func ruled(t testing.TB, rules ...*Rule) []SweepRule {
	t.Helper()
	for i, r := range rules {
		r.ID, r.Enabled = RuleID(i+1), true
	}
	s, err := newSweep(kernel.System("acme", "test"), &Pool{}, rules, condition.Elapsed{})
	require.NoError(t, err)
	return s.Rules
}

func TestDueAt(t *testing.T) {
	owned := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	after := func(days float64, more time.Duration) *time.Time {
		at := owned.Add(time.Duration(days*24)*time.Hour + more)
		return &at
	}
	release := func(c string) *Rule { return &Rule{Condition: c, Action: Release} }
	keep := func(c string) *Rule { return &Rule{Condition: c, Action: Keep} }
	const µs = time.Microsecond
	for name, x := range map[string]struct {
		rules []*Rule
		now   time.Duration // since it is owned
		want  *time.Time
		by    RuleID
	}{
		"above":                       {[]*Rule{release("owned_days > 3")}, 0, after(3, µs), 1},
		"at least":                    {[]*Rule{release("owned_days >= 3")}, 0, after(3, 0), 1},
		"with a fraction":             {[]*Rule{release("owned_days >= 2.5")}, 0, after(2.5, 0), 1},
		"at once":                     {[]*Rule{release(`level == "B"`)}, 5 * day, after(0, 0), 1},
		"never: another level":        {[]*Rule{release(`level == "A" and owned_days > 3`)}, 0, nil, 0},
		"never: an absent fact":       {[]*Rule{release("deal_days > 3"), release("not (deal_days < 3)")}, 0, nil, 0},
		"overdue, since when":         {[]*Rule{release("owned_days > 3")}, 9 * day, after(3, µs), 1},
		"the sooner of two":           {[]*Rule{release("owned_days > 9"), release("owned_days > 3")}, 0, after(3, µs), 2},
		"under not":                   {[]*Rule{release("not (owned_days < 3)")}, 0, after(3, 0), 1},
		"under not, at most":          {[]*Rule{release("not (owned_days <= 3)")}, 0, after(3, µs), 1},
		"or":                          {[]*Rule{release("owned_days > 9 or followup_days >= 4")}, 0, after(5, 0), 1},
		"and":                         {[]*Rule{release("owned_days > 2 and followup_days >= 4")}, 0, after(5, 0), 1},
		"kept for a while":            {[]*Rule{keep("owned_days < 7"), release("owned_days > 3")}, 0, after(7, 0), 2},
		"kept for good":               {[]*Rule{keep(`level == "B"`), release("owned_days > 3")}, 0, nil, 0},
		"kept from then on":           {[]*Rule{keep("owned_days > 5"), release("owned_days > 3")}, 0, after(3, µs), 2},
		"kept since":                  {[]*Rule{keep("owned_days > 5"), release("owned_days > 3")}, 6 * day, nil, 0},
		"kept by what comes too late": {[]*Rule{release("owned_days > 3"), keep("owned_days > 2")}, 0, after(3, µs), 1},
		"a window":                    {[]*Rule{release("owned_days >= 3 and owned_days < 4")}, 0, after(3, 0), 1},
		"a window that is over":       {[]*Rule{release("owned_days >= 3 and owned_days < 4")}, 4 * day, nil, 0},
		"the second window": {
			[]*Rule{release("owned_days < 2 or owned_days > 6")}, 3 * day, after(6, µs), 1,
		},
		"no rule": {nil, 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rules := ruled(t, x.rules...)
			f := condition.Facts{OwnedSince: owned, FollowupFrom: owned.Add(day), Level: "B", LastOrderAt: owned}
			got := DueAt(rules, f, time.Time{}, owned.Add(x.now), condition.Elapsed{})
			if x.want == nil {
				require.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			require.Equal(t, []any{*x.want, x.by}, []any{got.At, got.Rule})
		})
	}
	require.Nil(t, DueAt(ruled(t, release("orders == 0")), condition.Facts{}, time.Time{}, owned, condition.Elapsed{}), "nobody owns it")
}

// A lock puts the instant off to its end, at which it has run out; a lock that ended before changes nothing.
func TestDueAtWaitsForALock(t *testing.T) {
	owned := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	rules := ruled(t, &Rule{Name: "r", Condition: "owned_days > 3", Action: Release})
	f := condition.Facts{OwnedSince: owned, FollowupFrom: owned}
	due := owned.Add(3*day + time.Microsecond)
	for locked, want := range map[time.Time]time.Time{
		{}:                         due,
		owned.Add(day):             due,
		due:                        due,
		due.Add(time.Microsecond):  due.Add(time.Microsecond),
		owned.Add(100 * day):       owned.Add(100 * day),
		owned.Add(-time.Second):    due,
		due.Add(-time.Microsecond): due,
	} {
		got := DueAt(rules, f, locked, owned, condition.Elapsed{})
		require.NotNil(t, got, locked)
		require.Equal(t, want, got.At, locked)
	}
}
