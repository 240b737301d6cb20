package calendar_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team/calendar"
)

var office = []calendar.Window{{From: calendar.At(9, 0), To: calendar.At(12, 0)}, {From: calendar.At(13, 0), To: calendar.At(18, 0)}}

// china has the spring of 2026: nine days off, paid for with two week-ends.
func china() calendar.Spec {
	return calendar.Spec{
		Zone: "Asia/Shanghai", Week: calendar.MondayToFriday(office...),
		Holidays: []calendar.Holiday{{From: "2026-02-15", To: "2026-02-23", Name: "春节"}, {From: "2026-04-06", Name: "清明节"}},
		Extra: []calendar.ExtraDay{
			{Date: "2026-02-14", Name: "调休", Windows: office}, {Date: "2026-02-28", Name: "调休", Windows: office[:1]},
		},
	}
}

func compile(t testing.TB, s calendar.Spec) *calendar.Calendar {
	t.Helper()
	c, err := s.Compile()
	require.NoError(t, err)
	return c
}

func in(t testing.TB, c *calendar.Calendar, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, c.Zone())
	require.NoError(t, err)
	return at
}

func TestAdd(t *testing.T) {
	c := compile(t, china())
	for _, x := range []struct {
		from string
		d    time.Duration
		want string
	}{
		{"2026-03-06 17:30", 2 * time.Hour, "2026-03-09 10:30"}, // a Friday
		{"2026-03-06 17:30", 30 * time.Minute, "2026-03-06 18:00"},
		{"2026-03-06 11:30", time.Hour, "2026-03-06 13:30"},
		{"2026-03-06 12:30", time.Hour, "2026-03-06 14:00"},
		{"2026-03-07 12:00", time.Minute, "2026-03-09 09:01"},
		{"2026-03-06 08:00", 8 * time.Hour, "2026-03-06 18:00"},
		{"2026-03-06 08:00", 40 * time.Hour, "2026-03-12 18:00"},
		{"2026-02-13 17:00", 2 * time.Hour, "2026-02-14 10:00"}, // into a Saturday that is worked
		{"2026-02-14 17:00", 2 * time.Hour, "2026-02-24 10:00"}, // over the festival
		{"2026-02-27 17:00", 5 * time.Hour, "2026-03-02 10:00"}, // a Saturday morning, then Monday
		{"2026-03-07 12:00", 0, "2026-03-07 12:00"},             // at once
		{"2026-03-07 12:00", -time.Hour, "2026-03-07 12:00"},    //
	} {
		at, ok := c.Add(in(t, c, x.from), x.d)
		require.True(t, ok)
		require.Equal(t, in(t, c, x.want).UTC(), at, "%s + %v", x.from, x.d)
	}
}

func TestBetween(t *testing.T) {
	c := compile(t, china())
	for _, x := range []struct {
		from, until string
		want        time.Duration
	}{
		{"2026-03-06 17:30", "2026-03-09 10:30", 2 * time.Hour},
		{"2026-03-06 11:30", "2026-03-06 13:30", time.Hour},
		{"2026-03-07 00:00", "2026-03-08 23:00", 0},
		{"2026-03-02 00:00", "2026-03-09 00:00", 40 * time.Hour},
		{"2026-02-14 00:00", "2026-02-24 00:00", 8 * time.Hour},
		{"2026-02-28 00:00", "2026-03-02 00:00", 3 * time.Hour},
		{"2026-04-03 18:00", "2026-04-07 09:00", 0},
	} {
		require.Equal(t, x.want, c.Between(in(t, c, x.from), in(t, c, x.until)), x)
		require.Equal(t, -x.want, c.Between(in(t, c, x.until), in(t, c, x.from)), x)
	}
}

func TestOpening(t *testing.T) {
	c := compile(t, china())
	for from, want := range map[string]string{
		"2026-03-06 09:00": "2026-03-06 09:00", "2026-03-06 08:59": "2026-03-06 09:00", "2026-03-06 11:59": "2026-03-06 11:59",
		"2026-03-06 12:00": "2026-03-06 13:00", "2026-03-06 18:00": "2026-03-09 09:00", "2026-02-14 18:00": "2026-02-24 09:00",
	} {
		at, ok := c.Opening(in(t, c, from))
		require.True(t, ok)
		require.Equal(t, in(t, c, want).UTC(), at, from)
		require.Equal(t, from == want, c.Open(in(t, c, from)), from)
	}
}

func TestWorkingDays(t *testing.T) {
	c := compile(t, china())
	for d, want := range map[kernel.Date]bool{
		"2026-02-13": true, "2026-02-14": true, "2026-02-15": false, "2026-02-16": false, "2026-02-23": false, "2026-02-24": true,
		"2026-02-28": true, "2026-03-01": false, "2026-03-02": true, "2026-04-06": false,
	} {
		require.Equal(t, want, c.WorkingDay(d), d)
	}
	for _, x := range []struct {
		after, until kernel.Date
		want         int
	}{
		{"2026-03-06", "2026-03-06", 0},
		{"2026-03-06", "2026-03-08", 0},
		{"2026-03-06", "2026-03-09", 1},
		{"2026-03-07", "2026-03-09", 1},
		{"2026-03-09", "2026-03-06", -1},
		{"2026-02-13", "2026-02-23", 1},
		{"2026-02-13", "2026-02-24", 2},
		{"2026-01-01", "2027-01-01", 261 - 7 + 2}, // of the holidays, seven are no week-end
	} {
		require.Equal(t, x.want, c.WorkingDays(x.after, x.until), x)
	}
	for n, want := range map[int]kernel.Date{0: "2026-02-14", 1: "2026-02-24", 2: "2026-02-25", -1: "2026-02-13", -2: "2026-02-12"} {
		d, ok := c.AddDays(calendar.DayOn("2026-02-20"), n)
		require.True(t, ok)
		require.Equal(t, want, d.Date(), n)
	}
}

func TestSummerTime(t *testing.T) {
	night := calendar.Spec{Zone: "Europe/Berlin"}
	for d := range night.Week {
		night.Week[d] = []calendar.Window{{From: calendar.At(1, 0), To: calendar.At(4, 0)}}
	}
	c := compile(t, night)
	for day, want := range map[string]time.Duration{
		"2026-03-28": 3 * time.Hour, "2026-03-29": 2 * time.Hour, "2026-10-24": 3 * time.Hour, "2026-10-25": 4 * time.Hour,
	} {
		from := in(t, c, day+" 00:30")
		require.Equal(t, want, c.Between(from, from.Add(10*time.Hour)), day)
		end, ok := c.Add(from, want)
		require.True(t, ok)
		require.Equal(t, in(t, c, day+" 04:00").UTC(), end, day)
	}
	at, _ := c.Add(in(t, c, "2026-03-29 00:00"), 90*time.Minute)
	require.Equal(t, in(t, c, "2026-03-29 03:30").UTC(), at, "the hour from 2 is skipped")
}

func TestDaysStartInTheirOrder(t *testing.T) {
	for _, x := range []struct{ zone, day, want string }{
		{"Asia/Shanghai", "2026-03-01", "2026-02-28T16:00:00Z"},
		{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"},
		{"Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"}, // midnight is skipped: it begins at 01:00
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"}, // at midnight the clock is put back to 23:00
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},      // a day that never was
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
	} {
		zone, err := time.LoadLocation(x.zone)
		require.NoError(t, err)
		d := calendar.DayOn(kernel.Date(x.day))
		start := d.Start(zone)
		require.Equal(t, x.want, start.Format(time.RFC3339), x)
		if x.day != "2011-12-30" {
			require.Equal(t, d, calendar.DayOf(start, zone), x)
			require.Less(t, calendar.DayOf(start.Add(-time.Microsecond), zone), d, x)
		}
	}
	for _, name := range []string{"Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Asia/Shanghai"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		last := calendar.Day(-1 << 60)
		for at := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2020; at = at.Add(time.Hour) {
			d := calendar.DayOf(at, zone)
			require.GreaterOrEqual(t, d, last, "%s %v", name, at)
			require.False(t, at.Before(d.Start(zone)))
			require.True(t, at.Before((d + 1).Start(zone)))
			last = d
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	w := func(from, to calendar.Time) calendar.Window { return calendar.Window{From: from, To: to} }
	for name, x := range map[string]struct {
		change func(s *calendar.Spec)
		field  string
		reason kernel.Reason
	}{
		"no zone":          {func(s *calendar.Spec) { s.Zone = "" }, "zone", kernel.Empty},
		"an unknown zone":  {func(s *calendar.Spec) { s.Zone = "Asia/Atlantis" }, "zone", kernel.Unknown},
		"the machine's":    {func(s *calendar.Spec) { s.Zone = "Local" }, "zone", kernel.Unknown},
		"overlap":          {func(s *calendar.Spec) { s.Week[1] = []calendar.Window{w(540, 720), w(719, 800)} }, "week", kernel.Duplicate},
		"the wrong order":  {func(s *calendar.Spec) { s.Week[1] = []calendar.Window{w(780, 1080), w(540, 720)} }, "week", kernel.Duplicate},
		"an empty window":  {func(s *calendar.Spec) { s.Week[1] = []calendar.Window{w(540, 540)} }, "week", kernel.OutOfRange},
		"past midnight":    {func(s *calendar.Spec) { s.Week[1] = []calendar.Window{w(540, 1441)} }, "week", kernel.OutOfRange},
		"many windows":     {func(s *calendar.Spec) { s.Week[1] = make([]calendar.Window, 25) }, "week", kernel.TooMany},
		"no working day":   {func(s *calendar.Spec) { s.Week, s.Extra = [7][]calendar.Window{}, nil }, "week", kernel.Empty},
		"holidays overlap": {func(s *calendar.Spec) { s.Holidays[1].From = "2026-02-23" }, "holidays", kernel.Duplicate},
		"a holiday worked": {func(s *calendar.Spec) { s.Extra[0].Date = "2026-02-16" }, "extra", kernel.Duplicate},
		"extra twice":      {func(s *calendar.Spec) { s.Extra[0].Date = "2026-02-28" }, "extra", kernel.Duplicate},
		"extra off":        {func(s *calendar.Spec) { s.Extra[0].Windows = nil }, "extra", kernel.Empty},
		"a backward one":   {func(s *calendar.Spec) { s.Holidays[0].To = "2026-02-14" }, "holidays", kernel.OutOfRange},
		"years off":        {func(s *calendar.Spec) { s.Holidays[0].To = "2027-02-16" }, "holidays", kernel.OutOfRange},
		"no date":          {func(s *calendar.Spec) { s.Holidays[0].From = "" }, "holidays", kernel.Empty},
		"no such date":     {func(s *calendar.Spec) { s.Holidays[0].From = "2026-02-30" }, "holidays", kernel.Malformed},
		"a far date":       {func(s *calendar.Spec) { s.Extra[0].Date = "3000-01-01" }, "extra", kernel.OutOfRange},
		"a nameless one":   {func(s *calendar.Spec) { s.Holidays[0].Name = "" }, "holidays", kernel.Empty},
		"too many of them": {func(s *calendar.Spec) { s.Holidays = years(9) }, "holidays", kernel.TooMany},
	} {
		t.Run(name, func(t *testing.T) {
			s := china()
			x.change(&s)
			_, err := s.Compile()
			var e *kernel.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, []any{kernel.ErrInvalid, x.field, x.reason}, []any{e.Code, e.Field, e.Reason}, err)
		})
	}
	s := china()
	s.Week[1] = []calendar.Window{w(0, 720), w(720, 1440)}
	require.Equal(t, 24*time.Hour, compile(t, s).Between(in(t, compile(t, s), "2026-03-09 00:00"), in(t, compile(t, s), "2026-03-10 00:00")))
}

func years(n int) (all []calendar.Holiday) {
	for i := range n {
		from := time.Date(2030+i, 1, 1, 0, 0, 0, 0, time.UTC)
		all = append(all, calendar.Holiday{From: kernel.Date(from.Format(time.DateOnly)), To: kernel.Date(from.AddDate(0, 0, 364).Format(time.DateOnly)), Name: "x"})
	}
	return all
}

func TestACalendarWithoutAWeekEnds(t *testing.T) {
	c := compile(t, calendar.Spec{Zone: "Asia/Shanghai", Extra: []calendar.ExtraDay{{Date: "2026-03-07", Name: "x", Windows: office}}})
	_, ok := c.Add(in(t, c, "2026-03-07 17:00"), time.Hour)
	require.True(t, ok)
	_, ok = c.Add(in(t, c, "2026-03-07 17:00"), time.Hour+time.Microsecond)
	require.False(t, ok)
	_, ok = c.Opening(in(t, c, "2026-03-07 18:00"))
	require.False(t, ok)
	_, ok = c.AddDays(calendar.DayOn("2026-03-07"), 1)
	require.False(t, ok)
	far := time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, 8*time.Hour, c.Between(time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), far))
	_, ok = c.Add(far, time.Hour)
	require.False(t, ok)
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(china())
	require.NoError(t, err)
	require.Contains(t, string(text), `{"from":"13:00","to":"18:00"}`)
	var s calendar.Spec
	require.NoError(t, json.Unmarshal(text, &s))
	require.Equal(t, china(), s)
	for text, ok := range map[string]bool{`"24:00"`: true, `"00:00"`: true, `"24:01"`: false, `"9:00"`: false, `"12:60"`: false, `"1:234"`: false, `"-1:00"`: false} {
		var w calendar.Time
		require.Equal(t, ok, json.Unmarshal([]byte(text), &w) == nil, text)
	}
}

// random is a calendar of a seed: any windows on any days, in zones that change their clocks.
func random(r *rand.Rand) calendar.Spec {
	windows := func() (all []calendar.Window) {
		for at := r.IntN(600); r.IntN(4) > 0 && at < 1440; {
			to := min(at+1+r.IntN(400), 1440)
			all = append(all, calendar.Window{From: calendar.Time(at), To: calendar.Time(to)})
			at = to + r.IntN(3)*r.IntN(120)
		}
		return all
	}
	zones := []string{"Europe/Berlin", "Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC", "Pacific/Apia"}
	s := calendar.Spec{Zone: zones[r.IntN(len(zones))]}
	for d := range s.Week {
		s.Week[d] = windows()
	}
	s.Week[r.IntN(7)] = office
	date := time.Date(2011, 11, 1, 0, 0, 0, 0, time.UTC)
	for range r.IntN(20) {
		date = date.AddDate(0, 0, 1+r.IntN(40))
		d := kernel.Date(date.Format(time.DateOnly))
		if own := windows(); len(own) > 0 {
			s.Extra = append(s.Extra, calendar.ExtraDay{Date: d, Name: "x", Windows: own})
		} else {
			s.Holidays = append(s.Holidays, calendar.Holiday{From: d, Name: "x"})
		}
	}
	return s
}

func checkLaws(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	s := random(r)
	c := compile(t, s)
	base := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC)
	for range 20 {
		a := base.Add(time.Duration(r.Int64N(int64(600 * 24 * time.Hour)))).Truncate(time.Microsecond)
		d := time.Duration(1+r.Int64N(int64(200*time.Hour))).Truncate(time.Microsecond) + time.Microsecond
		if r.IntN(2) == 0 {
			d = d.Truncate(time.Hour) + time.Microsecond
		}
		b, ok := c.Add(a, d)
		require.True(t, ok)
		require.Equal(t, d, c.Between(a, b), "what is added lies between")
		require.Equal(t, d-time.Microsecond, c.Between(a, b.Add(-time.Microsecond)), "not an instant sooner")
		later, ok := c.Add(a.Add(time.Hour), d)
		require.True(t, ok)
		require.False(t, later.Before(b), "monotone")
		opening, ok := c.Opening(a)
		require.True(t, ok)
		require.True(t, c.Open(opening))
		require.Zero(t, c.Between(a, opening))

		m := a.Truncate(time.Minute) // the slow way: every minute by itself
		var slow time.Duration
		for i := range 3 * 1440 {
			if reads(s, m.Add(time.Duration(i)*time.Minute).In(c.Zone())) {
				slow += time.Minute
			}
		}
		require.Equal(t, slow, c.Between(m, m.Add(3*24*time.Hour)))

		from, n := calendar.DayOf(a, c.Zone()), r.IntN(41)-20
		day, ok := c.AddDays(from, n)
		require.True(t, ok)
		require.GreaterOrEqual(t, c.WorkingDays(from.Date(), day.Date()), n)
		require.Less(t, c.WorkingDays(from.Date(), (day-1).Date()), n)
		require.True(t, c.WorkingDay(day.Date()))
	}
}

// reads tells whether a wall clock reads a time within a window.
func reads(s calendar.Spec, local time.Time) bool {
	date, minute := kernel.Date(local.Format(time.DateOnly)), calendar.At(local.Hour(), local.Minute())
	windows := s.Week[local.Weekday()]
	for _, h := range s.Holidays {
		if h.From == date {
			windows = nil
		}
	}
	for _, x := range s.Extra {
		if x.Date == date {
			windows = x.Windows
		}
	}
	for _, w := range windows {
		if w.From <= minute && minute < w.To {
			return true
		}
	}
	return false
}

func TestLaws(t *testing.T) {
	for seed := range uint64(20) {
		checkLaws(t, seed)
	}
}

func FuzzLaws(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(checkLaws)
}

func FuzzSpec(f *testing.F) {
	text, err := json.Marshal(china())
	require.NoError(f, err)
	f.Add(string(text), int64(1_770_000_000_000_000), int64(1e15))
	f.Fuzz(func(t *testing.T, text string, at, d int64) {
		var s calendar.Spec
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		c, err := s.Compile()
		if err != nil {
			return
		}
		from := time.UnixMicro(at)
		if end, ok := c.Add(from, time.Duration(d)); ok && d > 1000 && from.Year() > 1000 && end.Year() < 8999 {
			require.Equal(t, time.Duration(d/1000*1000), c.Between(from, end))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := china()
	s.Zone = "Europe/Berlin"
	c := compile(b, s)
	for b.Loop() {
		c.Add(time.Unix(1_770_000_000, 0), 1000*time.Hour)
	}
}
