package calendar

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

// Whatever a stored calendar says: it is refused with a field, or it can be reckoned with, and says the same when it is
// written and read again.
func FuzzStoredSpec(f *testing.F) {
	for _, s := range []string{
		`{"zone":"Asia/Shanghai","week":[[],[{"from":"09:00","to":"18:00"}],[],[],[],[],[]]}`,
		`{"zone":"Asia/Shanghai","week":[[],[{"from":"00:00","to":"24:00"}]],"holidays":[{"from":"2026-02-15","to":"2026-02-23"}],
			"extra":[{"date":"2026-02-14","windows":[{"from":"09:00","to":"12:00"},{"from":"13:00","to":"18:00"}]}]}`,
		`{"zone":"America/Sao_Paulo","extra":[{"date":"2018-11-04","windows":[{"from":"00:00","to":"00:30"}]}]}`,
		`{"zone":"Local"}`, `{"zone":"../../etc/passwd"}`, `{"week":[[{"from":"24:01"}]]}`, `{}`,
	} {
		f.Add([]byte(s), int64(1_770_000_000), int64(3_600))
	}
	f.Fuzz(func(t *testing.T, text []byte, at, seconds int64) {
		var spec Spec
		if json.Unmarshal(text, &spec) != nil {
			return
		}
		c, err := spec.Compile()
		if err != nil {
			require.ErrorIs(t, err, kernel.ErrInvalid)
			return
		}
		again := compiled(t, spec)
		from := time.Unix(at&0xffff_ffff, 0)
		until := from.Add(time.Duration(seconds&0xff_ffff) * time.Second)
		work := c.Between(from, until)
		require.Equal(t, work, again.Between(from, until))
		require.GreaterOrEqual(t, work, time.Duration(0))
		require.LessOrEqual(t, work, until.Sub(from))
		if end, ok := c.Add(from, work); ok && work > 0 {
			require.False(t, end.After(until), "the work is done when the time is over")
			require.Equal(t, work, c.Between(from, end))
		}
		after, last := kernel.DateOf(from, c.Zone()), kernel.DateOf(until, c.Zone())
		require.Equal(t, c.WorkingDays(after, last), again.WorkingDays(after, last))
	})
}

// compiled is the calendar of a spec that was written and read.
func compiled(t *testing.T, spec Spec) *Calendar {
	t.Helper()
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	var read Spec
	require.NoError(t, json.Unmarshal(text, &read))
	c, err := read.Compile()
	require.NoError(t, err)
	return c
}

// A time of day that is read is written as it was.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"00:00", "24:00", "23:59", "24:01", "9:00", "09:60", "-1:00", "１２:00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var at Time
		if err := at.UnmarshalText([]byte(text)); err != nil {
			require.ErrorIs(t, err, kernel.Malformed)
			return
		}
		require.Equal(t, text, at.String())
	})
}
