package kernel

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Whatever the cursor: it is refused, or leads to keys that make the same place in the list again.
func FuzzCursor(f *testing.F) {
	for _, keys := range [][]int64{{0}, {1, 2}, {-1, 9_223_372_036_854_775_807}, {-9_223_372_036_854_775_808, 0}} {
		l := Cut("customers", Window{Limit: 1}, []int{1, 2}, func(int) []int64 { return keys })
		f.Add(l.Next, len(keys))
	}
	f.Add("Y3VzdG9tZXJz", 1)
	f.Add("!", 1)
	f.Fuzz(func(t *testing.T, after string, n int) {
		n = 1 + n&3
		w, err := Page{After: after}.Open("customers", n)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorIs(t, err, Malformed)
			return
		}
		if after == "" {
			require.Empty(t, w.After)
			return
		}
		require.Len(t, w.After, n)
		again, err := Page{After: Cut("customers", Window{Limit: 1}, []int{1, 2}, func(int) []int64 { return w.After }).Next}.Open("customers", n)
		require.NoError(t, err)
		require.Equal(t, w.After, again.After)
		_, err = Page{After: after}.Open("contacts", n)
		require.ErrorIs(t, err, Malformed, "the cursor of another list")
	})
}

// A date that is accepted is one day of the calendar: it has a beginning, and days before and after it. What is no date has
// neither, and its error is short.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-02-28", "2028-02-29", "0001-01-01", "9999-12-31", "2026-02-30", "2026-2-3", "", "x"} {
		f.Add(s)
	}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		d := Date(text)
		if err := d.Check("day"); err != nil {
			require.ErrorIs(t, err, Malformed)
			require.Less(t, len(err.Error()), 400)
			return
		}
		if d == "" {
			require.Empty(t, d.Next())
			return
		}
		require.Len(t, text, 10)
		begin := d.Start(shanghai)
		require.Equal(t, d, DateOf(begin, shanghai))
		require.Equal(t, d, DateOf(d.Start(time.UTC), time.UTC))
		if d != "9999-12-31" {
			require.Greater(t, d.Next(), d)
			require.False(t, d.Next().Start(shanghai).Before(begin))
		}
		if d > "0002-01-01" {
			require.Less(t, d.YearBefore(), d)
		}
	})
}

// What a check of text accepts is what it says: valid, short, and nothing hidden in it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"蓝鲸", "a\x00b", "\xff", "\u202e", "a\nb", " x", "\u2028", "👩‍🚀"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + limit&0xff
		line, many, name := CheckLine("f", text, limit), CheckText("f", text, limit), CheckName("f", text, limit)
		for _, err := range []error{line, many, name, CheckRegion("f", text)} {
			if err != nil {
				require.ErrorIs(t, err, ErrInvalid)
				require.Less(t, len(err.Error()), 400)
			}
		}
		if line == nil {
			require.NoError(t, many, "a line is a text")
			require.True(t, utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit)
			require.NotContains(t, text, "\x00")
		}
		if name == nil {
			require.NoError(t, line, "a name is a line")
			require.NotEmpty(t, text)
		}
	})
}
