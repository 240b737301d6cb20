package pool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// attempt is a claim that succeeds; the tests take something away from it.
func attempt() Attempt {
	return Attempt{
		By: "li", Now: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC), Zone: shanghai, Settings: DefaultSettings(),
		Record:  Record{ID: 7, TakesPlace: true},
		Counter: customer.Counter{User: "li", Places: 199, Cap: 200, DailyQuota: 20, ClaimsDay: "2026-03-01", ClaimsUsed: 19},
	}
}

func TestClaimAtEachBoundary(t *testing.T) {
	now := attempt().Now
	for name, c := range map[string]struct {
		change func(a *Attempt)
		reason kernel.Reason
		until  time.Time
		limit  int
	}{
		"all is well":              {func(*Attempt) {}, "", time.Time{}, 0},
		"taken":                    {func(a *Attempt) { a.Record.OwnerID = "wang" }, Taken, time.Time{}, 0},
		"by oneself is taken too":  {func(a *Attempt) { a.Record.OwnerID = "li" }, Taken, time.Time{}, 0},
		"blacklisted":              {func(a *Attempt) { a.Record.Blacklisted = true }, Blacklisted, time.Time{}, 0},
		"protected to the last µs": {func(a *Attempt) { a.Record.PoolEnteredAt = now.Add(-7*day + time.Microsecond) }, Protected, now.Add(time.Microsecond), 0},
		"protection just over":     {func(a *Attempt) { a.Record.PoolEnteredAt = now.Add(-7 * day) }, "", time.Time{}, 0},
		"cool-down to the last µs": {func(a *Attempt) {
			a.Record.PoolEnteredAt, a.Record.LastOwner = now.Add(-30*day+time.Microsecond), "li"
		}, CoolDown, now.Add(time.Microsecond), 0},
		"cool-down just over":          {func(a *Attempt) { a.Record.PoolEnteredAt, a.Record.LastOwner = now.Add(-30*day), "li" }, "", time.Time{}, 0},
		"another's cool-down":          {func(a *Attempt) { a.Record.PoolEnteredAt, a.Record.LastOwner = now.Add(-8*day), "wang" }, "", time.Time{}, 0},
		"never released, no cool-down": {func(a *Attempt) { a.Record.LastOwner = "li" }, "", time.Time{}, 0},
		"no protection set":            {func(a *Attempt) { a.Record.PoolEnteredAt, a.Settings.Protection = now, 0 }, "", time.Time{}, 0},
		"the last place":               {func(a *Attempt) { a.Counter.Places = 200 }, CapReached, time.Time{}, 200},
		"above a lowered cap":          {func(a *Attempt) { a.Counter.Places = 300 }, CapReached, time.Time{}, 200},
		"a won one takes none":         {func(a *Attempt) { a.Counter.Places, a.Record.TakesPlace = 200, false }, "", time.Time{}, 0},
		"the quota is used":            {func(a *Attempt) { a.Counter.ClaimsUsed = 20 }, QuotaUsed, time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC), 20},
		"of yesterday it is not":       {func(a *Attempt) { a.Counter.ClaimsUsed, a.Counter.ClaimsDay = 20, "2026-02-28" }, "", time.Time{}, 0},
		"no quota at all":              {func(a *Attempt) { a.Counter = customer.Counter{Cap: 1} }, QuotaUsed, time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC), 0},
		"a condition that fails":       {func(a *Attempt) { a.Settings.ClaimCondition, a.Facts = `level == "A"`, &condition.Facts{Level: "B"} }, Condition, time.Time{}, 0},
		"a condition of the unknown":   {func(a *Attempt) { a.Settings.ClaimCondition, a.Facts = `level == "A"`, &condition.Facts{} }, Condition, time.Time{}, 0},
		"a condition that holds":       {func(a *Attempt) { a.Settings.ClaimCondition, a.Facts = `level == "A"`, &condition.Facts{Level: "A"} }, "", time.Time{}, 0},
		"no facts to decide by":        {func(a *Attempt) { a.Settings.ClaimCondition = `level == "A"` }, Condition, time.Time{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := attempt()
			c.change(&a)
			no := a.Refuse(Customers)
			if c.reason == "" {
				require.Nil(t, no)
				return
			}
			require.ErrorIs(t, no, c.reason)
			require.ErrorIs(t, no, kernel.ErrRefused)
			require.Equal(t, []any{c.until, c.limit, kernel.Ref{Kind: "customer", ID: 7}}, []any{no.Until, no.Limit, no.Ref})
			require.Contains(t, no.Error(), string(c.reason))
		})
	}
}

// Everything stands against it at once; each time the first reason is taken away.
func TestOfSeveralReasonsTheFirstIsTold(t *testing.T) {
	a := attempt()
	a.Record.OwnerID, a.Record.Blacklisted, a.Record.LastOwner, a.Record.PoolEnteredAt = "wang", true, "li", a.Now
	a.Settings.ClaimCondition, a.Facts = `level == "A"`, &condition.Facts{}
	a.Counter.Places, a.Counter.ClaimsUsed = 200, 20
	for _, step := range []struct {
		reason kernel.Reason
		lift   func()
	}{
		{Taken, func() { a.Record.OwnerID = "" }},
		{Blacklisted, func() { a.Record.Blacklisted = false }},
		{Protected, func() { a.Settings.Protection = 0 }},
		{CoolDown, func() { a.Settings.CoolDown = 0 }},
		{Condition, func() { a.Settings.ClaimCondition = "" }},
		{CapReached, func() { a.Counter.Places = 0 }},
		{QuotaUsed, func() { a.Counter.ClaimsUsed = 0 }},
	} {
		require.ErrorIs(t, a.Refuse(Customers), step.reason)
		step.lift()
	}
	require.Nil(t, a.Refuse(Customers))
}

func TestClaimedCounts(t *testing.T) {
	a := attempt()
	require.Equal(t, customer.Counter{User: "li", Places: 200, Cap: 200, DailyQuota: 20, ClaimsDay: "2026-03-01", ClaimsUsed: 20}, a.claimed())
	a.Counter.ClaimsDay, a.Record.TakesPlace = "2026-02-28", false
	require.Equal(t, customer.Counter{User: "li", Places: 199, Cap: 200, DailyQuota: 20, ClaimsDay: "2026-03-01", ClaimsUsed: 1}, a.claimed())
}

func TestTrailingYear(t *testing.T) {
	from, until := trailingYear(time.Date(2024, 2, 28, 16, 0, 0, 0, time.UTC), shanghai) // 29 February in Shanghai
	require.Equal(t, []time.Time{time.Date(2023, 2, 28, 16, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 16, 0, 0, 0, time.UTC)}, []time.Time{from, until})
}

func TestDefaultRulesAndSettingsAreAccepted(t *testing.T) {
	for _, r := range DefaultRules() {
		require.NoError(t, r.check())
		require.True(t, r.BuiltIn)
		require.False(t, r.Enabled)
	}
	require.NoError(t, (&Pool{Name: "x", Settings: DefaultSettings()}).check())
	require.NoError(t, DefaultPolicy().check())
}

func TestGiftAtEachBoundary(t *testing.T) {
	for name, c := range map[string]struct {
		change func(g *Gift)
		reason kernel.Reason
	}{
		"out of the pool":                             {func(*Gift) {}, ""},
		"from another":                                {func(g *Gift) { g.Record.OwnerID = "wang" }, ""},
		"from itself":                                 {func(g *Gift) { g.Record.OwnerID = "li" }, SameOwner},
		"to no member":                                {func(g *Gift) { g.Member = false }, NotPoolMember},
		"blacklisted, out of the pool":                {func(g *Gift) { g.Record.Blacklisted = true }, Blacklisted},
		"blacklisted, from another":                   {func(g *Gift) { g.Record.Blacklisted, g.Record.OwnerID = true, "wang" }, ""},
		"against the pool's condition":                {func(g *Gift) { g.Settings.ClaimCondition, g.Facts = `level == "A"`, &condition.Facts{Level: "B"} }, Condition},
		"against it, from another":                    {func(g *Gift) { g.Settings.ClaimCondition, g.Record.OwnerID = `level == "A"`, "wang" }, ""},
		"protected":                                   {func(g *Gift) { g.Record.PoolEnteredAt = g.Now }, ""},
		"in cool-down":                                {func(g *Gift) { g.Record.PoolEnteredAt, g.Record.LastOwner = g.Now, "li" }, ""},
		"above the quota":                             {func(g *Gift) { g.Counter.ClaimsUsed = 20 }, ""},
		"the last place":                              {func(g *Gift) { g.Counter.Places = 200 }, CapReached},
		"the last place, from another":                {func(g *Gift) { g.Counter.Places, g.Record.OwnerID = 200, "wang" }, CapReached},
		"a won one takes none":                        {func(g *Gift) { g.Counter.Places, g.Record.TakesPlace = 200, false }, ""},
		"overridden":                                  {func(g *Gift) { g.Counter.Places, g.Override = 200, true }, ""},
		"overridden, but still against the blacklist": {func(g *Gift) { g.Override, g.Record.Blacklisted = true, true }, Blacklisted},
	} {
		t.Run(name, func(t *testing.T) {
			g := Gift{Attempt: attempt(), Member: true}
			c.change(&g)
			no := g.Refuse(Customers)
			if c.reason == "" {
				require.Nil(t, no)
				return
			}
			require.Equal(t, c.reason, no.Reason)
			if c.reason == CapReached {
				require.Equal(t, 200, no.Limit)
			}
		})
	}
}
