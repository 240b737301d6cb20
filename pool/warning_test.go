package pool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func TestReached(t *testing.T) {
	const µs = time.Microsecond
	due := time.Date(2026, 3, 20, 4, 0, 0, 0, time.UTC)
	steps := DefaultSteps()
	for name, x := range map[string]struct {
		since, now time.Duration // before the due instant
		want       time.Duration // 0: none
	}{
		"before the first":                   {30 * day, 3*day + µs, 0},
		"at the first":                       {30 * day, 3 * day, 3 * day},
		"between them":                       {30 * day, 2 * day, 3 * day},
		"before the second":                  {30 * day, day + µs, 3 * day},
		"at the second":                      {30 * day, day, day},
		"at the due instant":                 {30 * day, 0, day},
		"overdue":                            {30 * day, -9 * day, day},
		"owned before the first":             {3*day + µs, 3 * day, 3 * day},
		"owned at the first":                 {3 * day, 2 * day, 0},
		"owned at the first, at the second":  {3 * day, day, day},
		"owned at the second":                {day, day, 0},
		"owned after the second, at the end": {day - µs, 0, 0},
	} {
		step, ok := reached(steps, due, due.Add(-x.since), due.Add(-x.now))
		require.Equal(t, []any{x.want, x.want > 0}, []any{step, ok}, name)
	}
}

func TestCheckSteps(t *testing.T) {
	got, err := checkSteps(nil)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{3 * day, day}, got)
	got, err = checkSteps([]time.Duration{time.Minute, longestStep, time.Hour})
	require.NoError(t, err)
	require.Equal(t, []time.Duration{longestStep, time.Hour, time.Minute}, got)
	for name, x := range map[string]struct {
		steps  []time.Duration
		reason kernel.Reason
	}{
		"too short":     {[]time.Duration{time.Minute - time.Second}, kernel.OutOfRange},
		"too long":      {[]time.Duration{longestStep + time.Second}, kernel.OutOfRange},
		"no seconds":    {[]time.Duration{time.Hour + time.Millisecond}, kernel.OutOfRange},
		"negative":      {[]time.Duration{-day}, kernel.OutOfRange},
		"twice":         {[]time.Duration{day, 2 * day, day}, kernel.Duplicate},
		"more than ten": {make([]time.Duration, mostSteps+1), kernel.TooMany},
	} {
		_, err := checkSteps(x.steps)
		require.ErrorIs(t, err, x.reason, name)
	}
}

func TestDaysLeft(t *testing.T) {
	for span, want := range map[time.Duration]int{
		2*day + time.Hour: 2, 2 * day: 2, 2*day - 1: 1, 1: 0, 0: 0, -1: -1, -day: -1, -day - 1: -2,
	} {
		require.Equal(t, want, daysLeft(span), span)
	}
}
