package calendar

import (
	"math"
	"sort"
	"time"

	"github.com/openseas/crm/kernel"
)

// MaxYears bounds how far ahead the end of some working time is looked for.
const MaxYears = 50

// Calendar is a compiled [Spec]. Many goroutines may use it at once. Instants are taken to the microsecond.
type Calendar struct {
	zone       *time.Location
	week       [7][]Window
	exceptions []exception
	days       tally // working days
	micros     tally // working time on the wall
}

// exception is a date that differs from its weekday: a holiday, without windows, or an extra day.
type exception struct {
	day     Day
	windows []Window
}

// tally sums something over days: of a regular week, beginning with the Thursday that day 0 is, and what the exceptions
// before each of them add to that.
type tally struct {
	week [8]int64
	more []int64
}

func newCalendar(zone *time.Location, week [7][]Window, exceptions []exception) *Calendar {
	c := &Calendar{zone: zone, week: week, exceptions: exceptions}
	one := func(windows []Window) int64 { return int64(min(len(windows), 1)) }
	c.days, c.micros = c.tally(one), c.tally(length)
	return c
}

func (c *Calendar) tally(of func([]Window) int64) (t tally) {
	for i := range 7 {
		t.week[i+1] = t.week[i] + of(c.week[Day(i).Weekday()])
	}
	t.more = make([]int64, len(c.exceptions)+1)
	for i, x := range c.exceptions {
		t.more[i+1] = t.more[i] + of(x.windows) - of(c.week[x.day.Weekday()])
	}
	return t
}

func length(windows []Window) (micros int64) {
	for _, w := range windows {
		micros += int64(w.To-w.From) * 60_000_000
	}
	return micros
}

// before is the sum over all days before one, counted from day 0.
func (c *Calendar) before(t *tally, d Day) int64 {
	i := sort.Search(len(c.exceptions), func(i int) bool { return c.exceptions[i].day >= d })
	return floorDiv(int64(d), 7)*t.week[7] + t.week[floorMod(int64(d), 7)] + t.more[i]
}

// reach is the first day, not before from, with which a sum comes to a target; false when it is beyond the last day.
func (c *Calendar) reach(t *tally, from, until Day, target int64) (Day, bool) {
	n := sort.Search(int(until-from)+1, func(i int) bool { return c.before(t, from+Day(i)+1) >= target })
	d := from + Day(n)
	return min(d, until), d <= until
}

func (c *Calendar) windows(d Day) []Window {
	i := sort.Search(len(c.exceptions), func(i int) bool { return c.exceptions[i].day >= d })
	if i < len(c.exceptions) && c.exceptions[i].day == d {
		return c.exceptions[i].windows
	}
	return c.week[d.Weekday()]
}

// Zone is the calendar's time zone.
func (c *Calendar) Zone() *time.Location { return c.zone }

// WorkingDay tells whether somebody works on a date.
func (c *Calendar) WorkingDay(d kernel.Date) bool { return len(c.windows(DayOn(d))) > 0 }

// WorkingDays is the number of working days after one date up to another, that one included. It is negative when the
// second date comes first: WorkingDays(a, b) = -WorkingDays(b, a).
func (c *Calendar) WorkingDays(after, until kernel.Date) int {
	return int(c.before(&c.days, DayOn(until)+1) - c.before(&c.days, DayOn(after)+1))
}

// AddDays is the first day with at least n working days after d up to and with it: for 1 the next working day, for 0 the
// last one that is not after d, for -1 the one before that. false when the calendar has no such day any more; the day is
// then the last that is reckoned with.
func (c *Calendar) AddDays(d Day, n int) (Day, bool) {
	return c.reach(&c.days, firstDay, lastDay, c.before(&c.days, within(d)+1)+int64(n))
}

// Day is the day that an instant lies in.
func (c *Calendar) Day(t time.Time) Day { return DayOf(t, c.zone) }

// wall is the working time up to a reading of the wall clock, in microseconds, counted from day 0.
func (c *Calendar) wall(local int64) int64 {
	d := Day(floorDiv(local, microsOfDay))
	sum, rest := c.before(&c.micros, d), floorMod(local, microsOfDay)
	for _, w := range c.windows(d) {
		sum += min(max(rest-int64(w.From)*60_000_000, 0), int64(w.To-w.From)*60_000_000)
	}
	return sum
}

// unwall is the first reading at which wall comes to a target; the caller knows that it lies between two readings.
func (c *Calendar) unwall(from, until, target int64) int64 {
	d, _ := c.reach(&c.micros, Day(floorDiv(from, microsOfDay)), Day(floorDiv(until, microsOfDay)), target)
	left := target - c.before(&c.micros, d)
	for _, w := range c.windows(d) {
		if size := int64(w.To-w.From) * 60_000_000; left > size {
			left -= size
			continue
		}
		return int64(d)*microsOfDay + int64(w.From)*60_000_000 + left
	}
	return until
}

// stretches calls fn for each part of a span in which the zone keeps its offset, in microseconds, until it says stop.
func (c *Calendar) stretches(from, until int64, fn func(from, until, offset int64) (stop bool)) {
	for from < until {
		t := time.UnixMicro(from).In(c.zone)
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		to := until
		if !end.IsZero() {
			to = min(to, end.UnixMicro())
		}
		if fn(from, to, int64(offset)*1_000_000) {
			return
		}
		from = to
	}
}

func micros(t time.Time) int64 {
	day := within(Day(floorDiv(t.Unix(), secondsOfDay)))
	if day == firstDay || day == lastDay {
		return int64(day) * microsOfDay
	}
	return t.Unix()*1_000_000 + int64(t.Nanosecond())/1_000
}

// Between is the working time from one instant to another. It is negative when the second comes first, and at most 292
// years.
func (c *Calendar) Between(from, until time.Time) time.Duration {
	a, b, sign := micros(from), micros(until), int64(1)
	if b < a {
		a, b, sign = b, a, -1
	}
	var sum int64
	c.stretches(a, b, func(from, until, offset int64) bool {
		sum += c.wall(until+offset) - c.wall(from+offset)
		return false
	})
	if sum > math.MaxInt64/1_000 {
		return time.Duration(sign * math.MaxInt64)
	}
	return time.Duration(sign * sum * 1_000)
}

// Add is the first instant at which so much working time has passed since another one: two hours after Friday 17:30 are
// over on Monday at 10:30, half an hour after it at 18:00 of the same day. No or less time is over at once. false when it
// is not reached within [MaxYears], as in a calendar that has only extra days, all of them past.
func (c *Calendar) Add(t time.Time, d time.Duration) (time.Time, bool) {
	left, begin := d.Microseconds(), micros(t)
	if left <= 0 {
		return kernel.Instant(t), true
	}
	at, found := int64(0), false
	c.stretches(begin, begin+MaxYears*366*microsOfDay, func(from, until, offset int64) bool {
		done := c.wall(from + offset)
		if worked := c.wall(until+offset) - done; worked < left {
			left -= worked
			return false
		}
		at, found = c.unwall(from+offset, until+offset, done+left)-offset, true
		return true
	})
	if !found {
		return time.Time{}, false
	}
	return time.UnixMicro(at).UTC(), true
}

// Open tells whether an instant is working time.
func (c *Calendar) Open(t time.Time) bool { return c.Between(t, t.Add(time.Microsecond)) > 0 }

// Opening is the first instant, t or later, that is working time: t itself within a window, else the start of the next
// one. false as with Add.
func (c *Calendar) Opening(t time.Time) (time.Time, bool) {
	end, ok := c.Add(t, time.Microsecond)
	if !ok {
		return end, false
	}
	return end.Add(-time.Microsecond), true
}
