// Package calendar reckons in working time and working days: a time zone, several working windows per weekday, holidays,
// and extra working days (调休). It is pure: a [Spec] is data, a [Calendar] is what was compiled of it and never changes.
//
// An instant is working time when the clock on the wall, in the calendar's zone, reads a time within a window of its date.
// So an hour that a change to summer time skips is not worked, and one that is repeated in autumn is worked twice.
//
// Nothing steps through minutes or days: sums up to a day are read from a table of the week and of the exceptions, and a
// span is cut only where the zone changes its offset.
package calendar
