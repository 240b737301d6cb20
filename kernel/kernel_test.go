package kernel_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func TestErrorsAreFoundByCodeAndReason(t *testing.T) {
	err := kernel.Wrap("customer.Create", kernel.At(2, kernel.Invalidf("name", kernel.TooLong, "at most %d characters", 200)))
	require.ErrorIs(t, err, kernel.ErrInvalid)
	require.ErrorIs(t, err, kernel.TooLong)
	require.NotErrorIs(t, err, kernel.ErrConflict)
	require.EqualError(t, err, "customer.Create: invalid too_long (name of item 2): at most 200 characters")
	code, ok := errors.AsType[kernel.Code](err)
	require.True(t, ok)
	require.Equal(t, kernel.ErrInvalid, code)
	require.Same(t, err, kernel.Wrap("again", err), "the operation is named once")
	single := kernel.Single(err)
	var e *kernel.Error
	require.ErrorAs(t, single, &e)
	_, many := e.Item()
	require.False(t, many)
	require.NoError(t, kernel.Wrap("x", nil))
	require.EqualError(t, kernel.Wrap("x", kernel.ErrNotFound), "x: not_found")
	require.EqualError(t, kernel.Wrap("x", errors.New("boom")), "x: boom")
	plain := errors.New("boom")
	require.Same(t, plain, kernel.At(1, plain))
}

func TestErrorsSurviveAsOutcomes(t *testing.T) {
	var stale *kernel.Error
	require.ErrorAs(t, kernel.At(0, kernel.StaleVersion(1, 2)), &stale)
	text, err := json.Marshal(stale)
	require.NoError(t, err)
	var back kernel.Error
	require.NoError(t, json.Unmarshal(text, &back))
	require.ErrorIs(t, &back, kernel.Stale)
	i, ok := back.Item()
	require.True(t, ok)
	require.Zero(t, i)
	require.Equal(t, stale.Error(), back.Error())
}

func TestActorsWithoutTenantOrUserAreRefused(t *testing.T) {
	for name, a := range map[string]kernel.Actor{
		"nobody": {}, "no tenant": {User: "li"}, "no user": {Tenant: "acme"}, "forged system": {Tenant: "acme", User: kernel.SystemUser},
		"system without a reason": kernel.System("acme", ""), "NUL": {Tenant: "acme", User: "a\x00"},
		"over-long request": {Tenant: "acme", User: "li", Request: strings.Repeat("x", 201)},
	} {
		require.ErrorIs(t, a.Check(), kernel.ErrInvalid, name)
	}
	require.NoError(t, kernel.Actor{Tenant: "acme", User: "li"}.Check())
	require.NoError(t, kernel.System("acme", "nightly run").Check())
	var forged kernel.Actor //nolint:musttag // what a careless host might do
	require.NoError(t, json.Unmarshal([]byte(`{"Tenant":"acme","User":"$system","reason":"x"}`), &forged))
	_, system := forged.System()
	require.False(t, system)
}

func TestClockIsCutToMicrosecondsInUTC(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	c := kernel.Clock(func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 1999, zone) })
	require.Equal(t, time.Date(2025, 12, 31, 23, 0, 0, 1000, time.UTC), c.Now())
	require.WithinDuration(t, time.Now(), kernel.Clock(nil).Now(), time.Minute)
}

func TestDates(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := time.Date(2026, 2, 27, 16, 0, 0, 0, time.UTC)
	require.Equal(t, kernel.Date("2026-02-28"), kernel.DateOf(at, shanghai))
	require.Equal(t, kernel.Date("2026-02-27"), kernel.DateOf(at.Add(-time.Microsecond), shanghai))
	require.Equal(t, at, kernel.Date("2026-02-28").Start(shanghai))
	require.Equal(t, kernel.Date("2026-03-01"), kernel.Date("2026-02-28").Next())
	require.Equal(t, kernel.Date("2023-02-28"), kernel.Date("2024-02-29").YearBefore())
	for _, bad := range []kernel.Date{"2026-02-29", "2026-2-1", "0000-01-01", "x", "2026-01-01T00:00"} {
		require.ErrorIs(t, bad.Check("day"), kernel.ErrInvalid, bad)
	}
	require.NoError(t, kernel.Date("").Check("day"))
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	require.Equal(t, 23*time.Hour, kernel.Date("2026-03-30").Start(berlin).Sub(kernel.Date("2026-03-29").Start(berlin)), "a day of the change of clocks")
}

func TestTextsAndAmounts(t *testing.T) {
	require.NoError(t, kernel.CheckName("f", strings.Repeat("蓝", 200), 200))
	require.ErrorIs(t, kernel.CheckName("f", strings.Repeat("蓝", 201), 200), kernel.TooLong)
	require.NoError(t, kernel.CheckText("f", "a\r\n\tb", 10))
	require.ErrorIs(t, kernel.CheckLine("f", "a\tb", 10), kernel.BadText)
	for _, bad := range []string{"\x00", "\xff", "\x7f", "\u0085", "\u200e", "\u202e", "\u2066", "\u2028", "\ufeff"} {
		require.ErrorIs(t, kernel.CheckText("f", "a"+bad, 10), kernel.BadText, "%q", bad)
	}
	require.NoError(t, kernel.CheckLine("f", "👨‍👩‍👧 İ ﬁ 蓝", 20))
	for text, good := range map[string]bool{
		"99999999999999.9999": true, "-99999999999999.9999": true, "0.0001": true, "1.50000": true, "100000000000000": false, "0.00001": false,
	} {
		require.Equal(t, good, kernel.CheckAmount("f", decimal.RequireFromString(text)) == nil, text)
	}
	require.Error(t, kernel.CheckAmount("f", decimal.New(1, 9000)))
	require.Error(t, kernel.CheckAmount("f", decimal.New(1, -9000)))
	require.ErrorIs(t, kernel.CheckPositive("f", decimal.New(-1, -4)), kernel.OutOfRange)
	for region, good := range map[string]bool{"": true, "33": true, "330102": true, "330102001001": true, "3": false, "3301020010011": false, "33a": false, "３３": false} {
		require.Equal(t, good, kernel.CheckRegion("f", region) == nil, region)
	}
}

func TestCursorsBelongToTheirList(t *testing.T) {
	w, err := kernel.Page{}.Open("a", 2)
	require.NoError(t, err)
	require.Equal(t, kernel.Window{Limit: 50}, w)
	w, err = kernel.Page{Limit: 9999}.Open("a", 2)
	require.NoError(t, err)
	require.Equal(t, 500, w.Limit)
	l := kernel.Cut("a", kernel.Window{Limit: 2}, []int64{-7, 1 << 60, 3}, func(n int64) []int64 { return []int64{n, -n} })
	require.Equal(t, []int64{-7, 1 << 60}, l.Items)
	w, err = kernel.Page{After: l.Next}.Open("a", 2)
	require.NoError(t, err)
	require.Equal(t, []int64{1 << 60, -(1 << 60)}, w.After)
	for _, wrong := range []struct {
		list string
		n    int
	}{{"b", 2}, {"a", 1}} {
		_, err = kernel.Page{After: l.Next}.Open(wrong.list, wrong.n)
		require.ErrorIs(t, err, kernel.ErrInvalid)
	}
	require.Empty(t, kernel.Cut("a", kernel.Window{Limit: 2}, []int64{1, 2}, func(n int64) []int64 { return []int64{n} }).Next)
}

func TestDiffLeavesWhatDiffers(t *testing.T) {
	type record struct {
		A string `json:"a"`
		B string `json:"b,omitempty"`
		C int    `json:"c"`
	}
	was, is := kernel.Diff(record{"x", "y", 1}, record{"x", "", 2})
	require.Equal(t, map[string]any{"b": json.RawMessage(`"y"`), "c": json.RawMessage("1")}, was)
	require.Equal(t, map[string]any{"b": nil, "c": json.RawMessage("2")}, is)
	was, is = kernel.Diff(record{"x", "y", 1}, record{"x", "y", 1})
	require.Nil(t, was)
	require.Nil(t, is)
}

func TestScopesSeeWhatTheyName(t *testing.T) {
	require.False(t, kernel.Scope{}.Sees("li", "33", 1))
	require.False(t, kernel.Scope{}.Sees("", "", 0))
	require.True(t, kernel.Scope{All: true}.Sees("", "", 0))
	s := kernel.Scope{Owners: []kernel.UserID{"li", ""}, Regions: []string{"3301"}, Pools: []int64{7}}
	require.True(t, s.Sees("li", "", 9))
	require.False(t, s.Sees("wang", "", 7), "only what lies in the pool")
	require.True(t, s.Sees("", "", 7))
	require.False(t, s.Sees("", "", 9), "nobody's record is not that of an empty name")
	require.True(t, s.Sees("wang", "330102", 9))
	require.False(t, s.Sees("wang", "33", 9))
}

func TestWhatConcernsTheWholeTenantNeedsAScopeOfAll(t *testing.T) {
	for _, p := range []kernel.Permission{
		kernel.PoolManage, kernel.PoolRecycle, kernel.TeamManage, kernel.AuditRead, kernel.ProductManage, kernel.PipelineManage,
	} {
		for name, short := range map[string]kernel.Scope{
			"nothing": {}, "owners": {Owners: []kernel.UserID{"li"}}, "regions": {Regions: []string{"33"}}, "pools": {Pools: []int64{7}},
		} {
			scope, err := kernel.Rights{Grants: map[kernel.Permission]kernel.Scope{p: short}}.Scope(p)
			require.ErrorIs(t, err, kernel.ErrDenied, name)
			require.ErrorContains(t, err, "("+string(p)+"): only a role that reaches all")
			require.Equal(t, kernel.Scope{}, scope)
		}
		scope, err := kernel.Rights{Grants: map[kernel.Permission]kernel.Scope{p: {All: true}}}.Scope(p)
		require.NoError(t, err)
		require.True(t, scope.All)
		_, err = kernel.Rights{System: true}.Scope(p)
		require.NoError(t, err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add("", 0)
	f.Add("YS8xLzI", 10)
	f.Fuzz(func(t *testing.T, after string, limit int) {
		w, err := kernel.Page{After: after, Limit: limit}.Open("a", 2)
		if err == nil && after != "" && len(w.After) != 2 {
			t.Fatal(w)
		}
	})
}
