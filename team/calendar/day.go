package calendar

import (
	"time"

	"github.com/openseas/crm/kernel"
)

// Day is a calendar day as a number: 0 is 1970-01-01. Dates become numbers to be counted.
type Day int64

const (
	secondsOfDay = 24 * 60 * 60
	microsOfDay  = secondsOfDay * 1_000_000

	// Days are reckoned from 1000-01-01 to 9000-01-01: what lies outside counts as the nearer of the two.
	firstDay Day = -354285
	lastDay  Day = 2567655
)

func within(d Day) Day { return min(max(d, firstDay), lastDay) }

// DayOn is the day of a date; that of no date is 0.
func DayOn(d kernel.Date) Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return 0
	}
	return within(Day(floorDiv(t.Unix(), secondsOfDay)))
}

// Date is the day as a date.
func (d Day) Date() kernel.Date {
	return kernel.Date(time.Unix(int64(within(d))*secondsOfDay, 0).UTC().Format(time.DateOnly))
}

// Weekday is the day of the week.
func (d Day) Weekday() time.Weekday { return time.Weekday(floorMod(int64(d)+4, 7)) }

// Start is the first instant at which the wall clock of a zone reads the day, or a later one where the zone skips it. So
// a day whose midnight is skipped begins at 01:00, and days begin in their order whatever the zone does.
func (d Day) Start(zone *time.Location) time.Time {
	wall := int64(within(d)) * secondsOfDay
	t := time.Unix(wall-26*60*60, 0).In(zone) // no zone is so far from UTC that its clock could read the day by then
	for {
		_, offset := t.Zone()
		begin, end := t.ZoneBounds()
		if end.IsZero() || wall-int64(offset) < end.Unix() {
			at := time.Unix(wall-int64(offset), 0)
			if at.Before(begin) { // the clock was put forward over it
				at = begin
			}
			return at.UTC()
		}
		t = end
	}
}

// DayOf is the last day that has started: the date on the wall, but where a clock that is put back over midnight would
// make it yesterday again.
func DayOf(t time.Time, zone *time.Location) Day {
	local := t.In(zone)
	_, offset := local.Zone()
	d := within(Day(floorDiv(local.Unix()+int64(offset), secondsOfDay)))
	if next := d + 1; !t.Before(next.Start(zone)) {
		d = within(next)
	}
	return d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
