package customer

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openseas/crm/kernel"
)

// PhoneKey is what a phone number is unique and looked up by: the ways to write one number have one key. It is empty for
// what is no phone number. PhoneKey of a key is the key itself.
//
//	"138 0013 8000", "+86 138-0013-8000", "0086 13800138000"   13800138000
//	"(010) 6552 9988", "+86 10 65529988"                       01065529988
//	"010-65529988 转 801", "01065529988 ext. 801"               01065529988x801
//	"+1 (415) 555-2671", "001 415 555 2671"                    +14155552671
//
// A number of mainland China is the one that is dialled there, without +86 or 0086; mobile numbers also without a bare 86.
// Other country codes stay, with a plus. An extension (x, ext, #, 转, 分机) of 1 to 8 digits stays, after an x. Spaces,
// hyphens, points and parentheses mean nothing, and full-width characters are what they look like. A key has 5 to 15
// digits before the extension; two numbers in one text are none.
func PhoneKey(phone string) string {
	text := strings.ToLower(strings.Map(narrow, phone))
	if digits := phoneNoise.Replace(text); strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "00") {
		text = strings.Replace(text, "(0)", "", 1) // the trunk zero that is not dialled from abroad
	}
	parts := phoneForm.FindStringSubmatch(phoneNoise.Replace(text))
	if parts == nil {
		return ""
	}
	key := domesticNumber(parts[1])
	if n := len(strings.TrimPrefix(key, "+")); n < 5 || n > 15 || strings.HasPrefix(key, "+0") {
		return ""
	}
	if parts[2] != "" {
		key += "x" + parts[2]
	}
	return key
}

var (
	phoneForm  = regexp.MustCompile(`^(\+?[0-9]+)(?:(?:extension|ext|x|#|转|分机)([0-9]{1,8}))?$`)
	phoneNoise = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", "\u2010", "", "\u2011", "", "\u2012", "", "\u2013", "", "\u2014", "",
		".", "", "(", "", ")", "")
	mobileForm   = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	serviceForm  = regexp.MustCompile(`^[48]00[0-9]{7}$`)                             // 400 and 800 numbers have no area code
	landlineForm = regexp.MustCompile(`^(?:10|2[0-9]|[3-9][0-9]{2})[1-9][0-9]{6,7}$`) // area code without its zero, number
)

// narrow turns the full-width forms of ASCII, and the ideographic space, into ASCII.
func narrow(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '\u3000':
		return ' '
	}
	return r
}

// domesticNumber takes the country code off numbers of mainland China; what does not look like one of them keeps it.
func domesticNumber(number string) string {
	if rest, abroad := strings.CutPrefix(number, "00"); abroad {
		number = "+" + rest
	}
	if rest, bare := strings.CutPrefix(number, "86"); bare && mobileForm.MatchString(rest) {
		return rest
	}
	rest, chinese := strings.CutPrefix(number, "+86")
	if !chinese {
		return number
	}
	rest = strings.TrimPrefix(rest, "0")
	switch {
	case mobileForm.MatchString(rest), serviceForm.MatchString(rest):
		return rest
	case landlineForm.MatchString(rest):
		return "0" + rest
	}
	return number
}

// emailLimit is the longest address that mail can be sent to, in bytes (RFC 5321).
const emailLimit = 254

// EmailKey is what an e-mail address is looked up by: the address in lower case. It is empty for what is no address:
// there must be one @, before it 1 to 64 bytes of letters, digits and the marks that RFC 5322 takes unquoted, after it a
// domain name of at least two labels whose last one is not a number; at most 254 bytes in all. Letters of every script
// are letters. EmailKey of a key is the key itself.
func EmailKey(email string) string {
	if len(email) > emailLimit || !utf8.ValidString(email) {
		return ""
	}
	key := strings.ToLower(email)
	local, domain, ok := strings.Cut(key, "@")
	if !ok || len(key) > emailLimit || !isLocalPart(local) || !isDomain(domain) {
		return ""
	}
	return key
}

func isLocalPart(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) })
}

func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) {
			return false
		}
	}
	return len(labels) > 1 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func isAlphanumeric(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// checkPhone refuses what could never be found again by its key. Empty is accepted.
func checkPhone(field, phone string) error {
	if err := kernel.FirstError(kernel.CheckLine(field, phone, 30), unmasked(field, phone)); err != nil || phone == "" {
		return err
	}
	if PhoneKey(phone) == "" {
		return kernel.Invalidf(field, kernel.Malformed, "%.40q is no phone number", phone)
	}
	return nil
}

// unmasked refuses what was read masked: l***@example.com would pass for an address.
func unmasked(field, text string) error {
	if strings.Contains(text, Mark) {
		return kernel.Invalidf(field, Masked, "this is a masked form")
	}
	return nil
}

func checkEmail(email string) error {
	if err := kernel.FirstError(kernel.CheckLine("email", email, emailLimit), unmasked("email", email)); err != nil || email == "" {
		return err
	}
	if EmailKey(email) == "" {
		return kernel.Invalidf("email", kernel.Malformed, "%.60q is no e-mail address", email)
	}
	return nil
}
