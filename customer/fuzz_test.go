package customer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

// A key of a phone number or an address is its own key, and has nothing in it that the text had not.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{
		"138 0013 8000", "+86 138-0013-8000", "(010) 6552 9988", "010-65529988 转 801", "+1 (415) 555-2671", "00", "+0", "１３８００１３８０００",
		"a@b.cn", "A@B.CN", "a@b", "a@1.2", "İ@b.cn", "ǅ@b.cn", "a..b@c.de", "\xff@b.cn",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key := PhoneKey(text); key != "" {
			require.Equal(t, key, PhoneKey(key), "of %q", text)
			require.Empty(t, strings.Trim(key, "+x0123456789"), "of %q", text)
			require.LessOrEqual(t, len(key), 25)
		}
		if key := EmailKey(text); key != "" {
			require.Equal(t, key, EmailKey(key), "of %q", text)
			require.Equal(t, 1, strings.Count(key, "@"))
			require.NoError(t, kernel.CheckLine("email", key, emailLimit))
		}
		for _, err := range []error{checkPhone("phone", text), checkEmail(text)} {
			if err != nil {
				require.ErrorIs(t, err, kernel.ErrInvalid)
				require.Less(t, len(err.Error()), 600)
			}
		}
	})
}

// A tag that is accepted is accepted again as it then is, and its colour is one.
func FuzzTag(f *testing.F) {
	for _, s := range []string{"#ff0000", "#FFF", "#GGGGGG", "ff0000", "#ff00000", "#ｆｆ0000", "#ﬀ0000", ""} {
		f.Add("VIP", s)
	}
	f.Fuzz(func(t *testing.T, name, colour string) {
		x := Tag{Name: name, Colour: colour}
		if err := x.check(); err != nil {
			require.ErrorIs(t, err, kernel.ErrInvalid)
			require.Less(t, len(err.Error()), 400)
			return
		}
		once := x
		require.NoError(t, x.check())
		require.Equal(t, once, x)
		require.Contains(t, []int{0, 7}, len(x.Colour))
	})
}

// Documents of the host are kept as JSON: what is accepted is valid, compact, and accepted again as it is.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2]}`, `[]`, `null`, `{"a":"\u0000"}`, `{"a":1e999}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `{"a":"\ud800"}`, " {} "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, bracket := range []byte("{[") {
			kept, err := checkJSON("preferences", text, bracket)
			if err != nil {
				require.ErrorIs(t, err, kernel.ErrInvalid)
				continue
			}
			if kept == nil {
				continue
			}
			require.True(t, json.Valid(kept))
			require.Equal(t, bracket, kept[0])
			again, err := checkJSON("preferences", kept, bracket)
			require.NoError(t, err)
			require.Equal(t, string(kept), string(again))
		}
	})
}
