package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// The limits of a calendar.
const (
	MaxWindows = 24    // of one day
	MaxDates   = 3_000 // holidays and extra days, each date counted
	maxHoliday = 366   // dates of one holiday
)

// Time is a time of day in whole minutes, 00:00 to 24:00. As text it is 15:04.
type Time int

const minutesOfDay = 24 * 60

// String is the time as 15:04.
func (t Time) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }

// MarshalText writes 15:04.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads 15:04, and 24:00 as the end of the day.
func (t *Time) UnmarshalText(text []byte) error {
	two := func(b []byte) int {
		if b[0] < '0' || b[0] > '9' || b[1] < '0' || b[1] > '9' {
			return -1
		}
		return int(b[0]-'0')*10 + int(b[1]-'0')
	}
	if len(text) == 5 && text[2] == ':' {
		hour, minute := two(text[:2]), two(text[3:])
		if hour >= 0 && minute >= 0 && minute < 60 && hour*60+minute <= minutesOfDay {
			*t = Time(hour*60 + minute)
			return nil
		}
	}
	return kernel.Invalidf("time", kernel.Malformed, "%.20q is no time of day between 00:00 and 24:00", text)
}

// At is a time of day.
func At(hour, minute int) Time { return Time(hour*60 + minute) }

// Window is a span of a day in which work is done: from its first instant up to, and without, its last.
type Window struct {
	From Time `json:"from"`
	To   Time `json:"to"` // 24:00 is the end of the day
}

// Holiday is one or several dates on which nobody works, whatever the weekday.
type Holiday struct {
	From kernel.Date `json:"from"`
	To   kernel.Date `json:"to,omitempty"` // its last date; empty: From alone
	Name string      `json:"name"`         // at most 100
}

// ExtraDay is a date with working windows of its own, whatever the weekday: a Saturday that makes up for a holiday (调休),
// or a Christmas Eve that ends at noon.
type ExtraDay struct {
	Date    kernel.Date `json:"date"`
	Name    string      `json:"name"` // at most 100
	Windows []Window    `json:"windows"`
}

// Spec is a calendar as data.
type Spec struct {
	Zone     string      `json:"zone"` // IANA name
	Week     [7][]Window `json:"week"` // by time.Weekday: Sunday is the first; a day without windows is no working day
	Holidays []Holiday   `json:"holidays,omitempty"`
	Extra    []ExtraDay  `json:"extra,omitempty"`
}

// MondayToFriday is a week with the same windows on five days.
func MondayToFriday(windows ...Window) (week [7][]Window) {
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = slices.Clone(windows)
	}
	return week
}

// Compile checks a calendar and makes it ready to reckon with. Errors are invalid and name the field: zone, week, holidays
// or extra. Windows of one day may touch and must not overlap, in the order of the day; a date is named once; there is at
// least one working day.
func (s Spec) Compile() (*Calendar, error) {
	if s.Zone == "" {
		return nil, kernel.Invalid("zone", kernel.Empty)
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "Local" {
		return nil, kernel.Invalidf("zone", kernel.Unknown, "%.50q is no time zone of this machine's database", s.Zone)
	}
	works := len(s.Extra) > 0
	for i, windows := range s.Week {
		if err := checkWindows("week", time.Weekday(i).String(), windows); err != nil {
			return nil, err
		}
		works = works || len(windows) > 0
	}
	if !works {
		return nil, kernel.Invalidf("week", kernel.Empty, "a calendar has at least one working day")
	}
	exceptions, err := s.exceptions()
	if err != nil {
		return nil, err
	}
	return newCalendar(zone, s.Week, exceptions), nil
}

func checkWindows(field, on string, windows []Window) error {
	if len(windows) > MaxWindows {
		return kernel.Invalidf(field, kernel.TooMany, "%s has more than %d windows", on, MaxWindows)
	}
	end := Time(0)
	for _, w := range windows {
		switch {
		case w.From < 0 || w.To > minutesOfDay || w.From >= w.To:
			return kernel.Invalidf(field, kernel.OutOfRange, "%s: a window begins at 00:00 or later, ends at 24:00 or earlier, and begins before it ends", on)
		case w.From < end:
			return kernel.Invalidf(field, kernel.Duplicate, "%s: the window from %v begins before the last one ends; they stand in the order of the day", on, w.From)
		}
		end = w.To
	}
	return nil
}

// exceptions are the holidays and extra days, in order; a date stands there once.
func (s Spec) exceptions() (all []exception, err error) {
	seen := map[Day]bool{}
	add := func(field string, d Day, windows []Window) error {
		switch {
		case seen[d]:
			return kernel.Invalidf(field, kernel.Duplicate, "%s is named twice", d.Date())
		case len(all) == MaxDates:
			return kernel.Invalidf(field, kernel.TooMany, "at most %d dates", MaxDates)
		}
		seen[d] = true
		all = append(all, exception{day: d, windows: slices.Clone(windows)})
		return nil
	}
	for i, h := range s.Holidays {
		if h.To == "" {
			h.To = h.From
		}
		from, err1 := dayIn("holidays", h.From)
		to, err2 := dayIn("holidays", h.To)
		if err = kernel.FirstError(err1, err2, kernel.CheckName("holidays", h.Name, 100)); err == nil && (to < from || to-from >= maxHoliday) {
			err = kernel.Invalidf("holidays", kernel.OutOfRange, "a holiday ends on its first date or later, and has at most %d dates", maxHoliday)
		}
		for d := from; err == nil && d <= to; d++ {
			err = add("holidays", d, nil)
		}
		if err != nil {
			return nil, kernel.At(i, err)
		}
	}
	for i, x := range s.Extra {
		d, err := dayIn("extra", x.Date)
		if err = kernel.FirstError(err, kernel.CheckName("extra", x.Name, 100), checkWindows("extra", string(x.Date), x.Windows)); err == nil {
			err = add("extra", d, x.Windows)
			if len(x.Windows) == 0 {
				err = kernel.Invalidf("extra", kernel.Empty, "%s has no windows: a day off is a holiday", x.Date)
			}
		}
		if err != nil {
			return nil, kernel.At(i, err)
		}
	}
	slices.SortFunc(all, func(a, b exception) int { return cmp.Compare(a.day, b.day) })
	return all, nil
}

// dayIn is the day of a date that calendars take: nobody plans holidays of other centuries.
func dayIn(field string, d kernel.Date) (Day, error) {
	if d == "" {
		return 0, kernel.Invalid(field, kernel.Empty)
	}
	if err := d.Check(field); err != nil {
		return 0, err
	}
	if d < "1900-01-01" || d > "2999-12-31" {
		return 0, kernel.Invalidf(field, kernel.OutOfRange, "%s lies outside the years 1900 to 2999", d)
	}
	return DayOn(d), nil
}
