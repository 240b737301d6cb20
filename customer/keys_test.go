package customer_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
)

func TestPhoneKey(t *testing.T) {
	for key, spellings := range map[string][]string{
		"13800138000": {
			"13800138000", "138 0013 8000", "138-0013-8000", "+8613800138000", "+86 138 0013 8000", "(+86)138-0013-8000", "0086 13800138000",
			"008613800138000", "8613800138000", "+86 013800138000", "＋８６ １３８００１３８０００", "138\u00a00013\u30008000", "138–0013—8000",
		},
		"19912345678":     {"+8619912345678", "199 1234 5678"},
		"12912345678":     {"12912345678"}, // 12… is no mobile number
		"+8612912345678":  {"+86 12912345678"},
		"01065529988":     {"010-65529988", "(010) 6552 9988", "（010）65529988", "+86 10 65529988", "+86 (0)10 65529988", "0086-010-65529988"},
		"07557654321":     {"0755-7654321", "+86 755 7654321"},
		"02187654321":     {"021 8765 4321", "+862187654321"},
		"4008001234":      {"400-800-1234", "+86 400 800 1234"},
		"8008101234":      {"800 810 1234", "+86 8008101234"},
		"+8695588":        {"+86 95588"}, // what no form knows keeps its country code
		"95588":           {"95588"},
		"01065529988x801": {"010-65529988 转 801", "010-65529988 ext. 801", "010-65529988x801", "01065529988#801", "010 65529988 分机801", "+86 10 65529988 EXT 801", "01065529988 Extension 801"},
		"01065529988801":  {"010-65529988-801"}, // a third hyphen is no word for an extension
		"+14155552671":    {"+1 (415) 555-2671", "001 415 555 2671", "+1.415.555.2671"},
		"4155552671":      {"(415) 555-2671"},
		"+442079460958":   {"+44 20 7946 0958", "+44 (0)20 7946 0958", "0044 20 7946 0958"},
		"12345":           {"12345", "1 23-45"},
		"123451234567890": {"123451234567890"}, // 15 digits are the longest that can be dialled
		"12345x12345678":  {"12345 x 12345678"},
		"": {
			"", " ", "-", "+", "1234", "+1234", "12a45", "电话13800138000", "138001380001234567", "1234567890123456", "13800138000/13900139000",
			"13800138000,13900139000", "13800138000x", "13800138000x123456789", "x801", "+", "++8613800138000", "138+00138000", "00012345", "+012345",
			"0000000000", "1380013800٠", "138\x0000138000", "\xff13800138000", "138001\u202e38000", "12345ext12ext3",
		},
	} {
		for _, phone := range spellings {
			require.Equal(t, key, customer.PhoneKey(phone), "%q", phone)
		}
	}
}

func TestEmailKey(t *testing.T) {
	long := strings.Repeat("a", 64)
	label := strings.Repeat("b", 63)
	domain := strings.Join([]string{label, label, strings.Repeat("c", 61)}, ".") // 189
	require.Len(t, long+"@"+domain, 254)
	for email, key := range map[string]string{
		"li@example.com": "li@example.com", "Li.Wang+CRM@Example.COM": "li.wang+crm@example.com", "o'neil@a-b.co": "o'neil@a-b.co",
		"a@b.c": "a@b.c", "1_2@3.x4": "1_2@3.x4", "张三@例子.中国": "张三@例子.中国", "ÄRGER@example.de": "ärger@example.de",
		"x@xn--fsqu00a.xn--0zwm56d": "x@xn--fsqu00a.xn--0zwm56d", long + "@" + domain: long + "@" + domain,

		"": "", "@": "", "li": "", "li@": "", "@example.com": "", "li@example": "", "li@localhost": "", "a@b@example.com": "", "li@127.0.0.1": "",
		" li@example.com": "", "li@example.com ": "", "li wang@example.com": "", "li@exam ple.com": "", ".li@example.com": "", "li.@example.com": "",
		"li..wang@example.com": "", "li@.example.com": "", "li@example.com.": "", "li@example..com": "", "li@-example.com": "", "li@example-.com": "",
		"li@exa_mple.com": "", "<li@example.com>": "", "li,wang@example.com": "", `"li"@example.com`: "", "li@example.com\x00": "",
		"li\xff@example.com": "", "li\u202e@example.com": "", "li@example.com\n": "", long + "a@example.com": "", "a@" + label + "b.com": "",
		long + "@" + domain + "c": "",
	} {
		require.Equal(t, key, customer.EmailKey(email), "%q", email)
	}
}

var phoneKeyForm = regexp.MustCompile(`^\+?[0-9]{5,15}(x[0-9]{1,8})?$`)

func FuzzPhoneKey(f *testing.F) {
	for _, seed := range []string{"+86 138-0013-8000", "010-65529988转801", "0044 (0)20 7946 0958", "+8600", "００８６１３８００１３８０００", "8686138001380", "(0)(0)12345x1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, phone string) {
		key := customer.PhoneKey(phone)
		if key == "" {
			return
		}
		require.Regexp(t, phoneKeyForm, key)
		require.Equal(t, key, customer.PhoneKey(key), "a key is its own key")
		require.Equal(t, key, customer.PhoneKey(" "+phone+"-"), "noise means nothing")
	})
}

func FuzzEmailKey(f *testing.F) {
	for _, seed := range []string{"Li@Example.COM", "張@例.中國", "İ@ǅ.ß", "a..b@c.d", "K@x.y", "Ⱥ@b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, email string) {
		key := customer.EmailKey(email)
		if key == "" {
			return
		}
		require.LessOrEqual(t, len(key), 254)
		require.Equal(t, 1, strings.Count(key, "@"))
		require.Equal(t, key, customer.EmailKey(key), "a key is its own key")
		require.NotContains(t, key, " ")
	})
}
