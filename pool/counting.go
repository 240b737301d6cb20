package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
	"github.com/openseas/crm/team/calendar"
)

// Counting says what a day is in the conditions of a pool: of its rules and of its claim condition. Protection and
// cool-down are spans of time and stay elapsed time, whatever the counting (rules.md, Public pool: Days).
type Counting string

// The countings. Calendar and working days are whole ones: conditions with fractions of days are refused with them.
const (
	CountElapsed  Counting = "elapsed"  // N days are N × 24 h
	CountCalendar Counting = "calendar" // dates of the tenant's zone: from 23:59 to 00:01 is one day
	CountWorking  Counting = "working"  // working days of the pool's calendar after the date, up to and with today
)

// WholeDays is why a condition with a fraction of a day is refused in a pool that does not count elapsed time.
const WholeDays kernel.Reason = "whole_days"

// CalendarDays counts dates in a zone: the date of now less the date counted from.
func CalendarDays(zone *time.Location) condition.Counting { return calendarDays{zone} }

type calendarDays struct{ zone *time.Location }

// Cut see [condition.Counting].
func (c calendarDays) Cut(now time.Time, orEqual bool, n decimal.Decimal) time.Time {
	return (calendar.DayOf(now, c.zone) - calendar.Day(more(orEqual, n)) + 1).Start(c.zone)
}

// Reach see [condition.Counting].
func (c calendarDays) Reach(from time.Time, orEqual bool, n decimal.Decimal) (time.Time, bool) {
	return (calendar.DayOf(from, c.zone) + calendar.Day(more(orEqual, n))).Start(c.zone), true
}

// WorkingDays counts the working days after the date counted from, up to and with the date of now: from Friday to Monday
// is one day, and so is from Saturday to Monday; from Friday to Saturday is none.
func WorkingDays(c *calendar.Calendar) condition.Counting { return workingDays{c} }

type workingDays struct{ *calendar.Calendar }

// Cut see [condition.Counting].
func (c workingDays) Cut(now time.Time, orEqual bool, n decimal.Decimal) time.Time {
	d, _ := c.AddDays(c.Day(now), 1-more(orEqual, n))
	return d.Start(c.Zone())
}

// Reach see [condition.Counting].
func (c workingDays) Reach(from time.Time, orEqual bool, n decimal.Decimal) (time.Time, bool) {
	d, ok := c.AddDays(c.Day(from), more(orEqual, n))
	return d.Start(c.Zone()), ok
}

// more is the least whole number of days with which "days > n" (with orEqual "days >= n") holds.
func more(orEqual bool, n decimal.Decimal) int {
	if orEqual {
		return int(n.Ceil().IntPart())
	}
	return int(n.Floor().IntPart()) + 1
}

// countings are how days are counted in each of the pools; one look-up whatever their number.
func countings(ctx context.Context, tx Tx, t kernel.TenantID, zone *time.Location, pools ...*Pool) (map[ID]condition.Counting, error) {
	var ids []team.CalendarID
	for _, p := range pools {
		if p.Counting == CountWorking {
			ids = append(ids, p.Calendar)
		}
	}
	byID := map[team.CalendarID]*calendar.Calendar{}
	if len(ids) > 0 {
		found, err := tx.Calendars().Get(ctx, t, ids...)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if byID[c.ID], err = c.Compile(); err != nil {
				return nil, fmt.Errorf("calendar %q: %w", c.Name, err)
			}
		}
	}
	days := make(map[ID]condition.Counting, len(pools))
	for _, p := range pools {
		switch p.Counting {
		case CountCalendar:
			days[p.ID] = CalendarDays(zone)
		case CountWorking:
			if byID[p.Calendar] == nil { // by other days it would release the wrong records
				return nil, fmt.Errorf("the pool %q counts by the calendar %d, which is not there", p.Name, p.Calendar)
			}
			days[p.ID] = WorkingDays(byID[p.Calendar])
		default:
			days[p.ID] = condition.Elapsed{}
		}
	}
	return days, nil
}

// wholeDays refuses a condition with a fraction of a day where days are counted whole.
func (c Counting) wholeDays(field string, parsed *condition.Condition) error {
	if c == "" || c == CountElapsed {
		return nil
	}
	for _, x := range dayTests(parsed.Root(), nil) {
		if !x.Number.IsInteger() {
			return kernel.Invalidf(field, WholeDays, "%s %s %s: this pool counts %s days, which are whole", x.Fact, x.Op, x.Number, c)
		}
	}
	return nil
}

// dayTests are the comparisons of days in a condition.
func dayTests(n condition.Node, all []condition.Compare) []condition.Compare {
	switch n := n.(type) {
	case condition.And:
		for _, x := range n.Nodes {
			all = dayTests(x, all)
		}
	case condition.Or:
		for _, x := range n.Nodes {
			all = dayTests(x, all)
		}
	case condition.Not:
		return dayTests(n.Node, all)
	case condition.Compare:
		if n.Fact.Kind() == condition.KindDays {
			return append(all, n)
		}
	}
	return all
}

// checkCounting refuses a calendar that is not there, and a counting that rules of the pool cannot be counted by.
func (s *Pools) checkCounting(ctx context.Context, c *kernel.Call[Tx], p *Pool) error {
	if p.Calendar != 0 { // locked, so that nobody deletes it meanwhile
		found, err := c.Tx.Calendars().Lock(ctx, c.Actor.Tenant, p.Calendar)
		if err == nil && len(found) == 0 {
			err = kernel.Invalidf("calendar", kernel.Unknown, "the tenant has no such calendar")
		}
		if err != nil {
			return err
		}
	}
	if p.ID == 0 || p.Counting == CountElapsed {
		return nil
	}
	rules, err := c.Tx.Pools(s.kind).Rules(ctx, c.Actor.Tenant, p.ID)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := r.countedBy(p.Counting); err != nil {
			return kernel.Invalidf("counting", WholeDays, "the rule %q: %w", r.Name, err)
		}
	}
	return nil
}
