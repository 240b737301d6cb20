package pool

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

// spring is the Chinese spring of 2026: off from Sunday 15 to Monday 23 February, and Saturday 14 and 28 are worked.
func spring(t testing.TB, zone string) *calendar.Calendar {
	t.Helper()
	office := []calendar.Window{{From: calendar.At(9, 0), To: calendar.At(18, 0)}}
	c, err := calendar.Spec{
		Zone: zone, Week: calendar.MondayToFriday(office...),
		Holidays: []calendar.Holiday{{From: "2026-02-15", To: "2026-02-23", Name: "春节"}},
		Extra:    []calendar.ExtraDay{{Date: "2026-02-14", Name: "调休", Windows: office}, {Date: "2026-02-28", Name: "调休", Windows: office}},
	}.Compile()
	require.NoError(t, err)
	return c
}

func local(t testing.TB, zone *time.Location, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	require.NoError(t, err)
	return at.UTC()
}

// Each line says the first instant at which "days > n" and "days >= n" hold.
func TestDaysAreReached(t *testing.T) {
	c := spring(t, "Asia/Shanghai")
	for _, x := range []struct {
		days           condition.Counting
		from           string
		n              int64
		above, atLeast string
	}{
		{CalendarDays(c.Zone()), "2026-03-01 00:00", 0, "2026-03-02 00:00", "2026-03-01 00:00"},
		{CalendarDays(c.Zone()), "2026-03-01 23:59", 1, "2026-03-03 00:00", "2026-03-02 00:00"},
		{CalendarDays(c.Zone()), "2026-02-27 12:00", 3, "2026-03-03 00:00", "2026-03-02 00:00"},
		{WorkingDays(c), "2026-03-06 17:00", 1, "2026-03-10 00:00", "2026-03-09 00:00"}, // a Friday
		{WorkingDays(c), "2026-03-07 17:00", 1, "2026-03-10 00:00", "2026-03-09 00:00"}, // a Saturday
		{WorkingDays(c), "2026-03-08 23:59", 0, "2026-03-09 00:00", "2026-03-06 00:00"}, // a Sunday: none so far
		{WorkingDays(c), "2026-02-13 09:00", 1, "2026-02-24 00:00", "2026-02-14 00:00"}, // Saturday is worked, then the festival
		{WorkingDays(c), "2026-02-16 09:00", 3, "2026-02-27 00:00", "2026-02-26 00:00"},
		{WorkingDays(c), "2026-02-26 09:00", 2, "2026-03-02 00:00", "2026-02-28 00:00"},
	} {
		from, n := local(t, c.Zone(), x.from), decimal.NewFromInt(x.n)
		for orEqual, want := range map[bool]string{false: x.above, true: x.atLeast} {
			at, ok := x.days.Reach(from, orEqual, n)
			require.True(t, ok)
			require.Equal(t, local(t, c.Zone(), want), at, "%v %v", x, orEqual)
		}
	}
}

// What is reached is what the cut says, one microsecond before and at it; and cuts never go back.
func TestCutAndReachAgree(t *testing.T) {
	only, err := calendar.Spec{Zone: "Europe/Berlin", Extra: []calendar.ExtraDay{
		{Date: "2026-03-07", Name: "x", Windows: []calendar.Window{{From: 0, To: calendar.At(24, 0)}}},
	}}.Compile()
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo"} {
		c := spring(t, name)
		for _, days := range []condition.Counting{condition.Elapsed{}, CalendarDays(c.Zone()), WorkingDays(c), WorkingDays(only)} {
			last := time.Time{}
			for i := range 300 {
				now := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 7 * time.Hour)
				cut := days.Cut(now, false, decimal.NewFromInt(3))
				require.False(t, cut.Before(last), "%T", days)
				last = cut

				from := now.Add(time.Duration(r.Int64N(int64(24 * time.Hour)))).Truncate(time.Microsecond)
				n, orEqual := decimal.NewFromInt(r.Int64N(12)), r.IntN(2) == 0
				at, ok := days.Reach(from, orEqual, n)
				if !ok {
					require.False(t, from.Before(days.Cut(from.AddDate(300, 0, 0), orEqual, n)))
					continue
				}
				require.Equal(t, time.UTC, at.Location())
				require.True(t, from.Before(days.Cut(at, orEqual, n)), "%T %v %v", days, from, n)
				if at.Year() < 1100 { // it has always been so
					continue
				}
				require.False(t, from.Before(days.Cut(at.Add(-time.Microsecond), orEqual, n)), "%T %v %v", days, from, n)
			}
		}
	}
	for _, days := range []condition.Counting{CalendarDays(time.UTC), WorkingDays(spring(t, "UTC")), WorkingDays(only)} {
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		require.False(t, days.Cut(now, false, decimal.NewFromInt(36500)).IsZero())
		require.True(t, days.Cut(now, false, decimal.NewFromInt(36500)).Before(now.AddDate(-99, 0, 0)))
	}
}

func TestFractionsOfDaysNeedElapsedTime(t *testing.T) {
	for text, refused := range map[string]bool{
		"followup_days > 3": false, "followup_days > 2.5": true, "orders > 2.5": false,
		`level == "A" and not (owned_days < 7 or deal_days >= 0.5)`: true, "owned_days > 3.0": false,
	} {
		for _, c := range []Counting{CountElapsed, CountCalendar, CountWorking} {
			r := Rule{Condition: text}
			err := r.countedBy(c)
			if refused && c != CountElapsed {
				require.ErrorIs(t, err, WholeDays, text)
				require.ErrorIs(t, err, kernel.ErrInvalid, text)
				continue
			}
			require.NoError(t, err, text)
		}
	}
}
