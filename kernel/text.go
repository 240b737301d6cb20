package kernel

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// CheckLine refuses text that is longer than limit characters, is not valid UTF-8, or holds a NUL byte (which would end
// the SQL text), a control character, a line break, or a character that reorders text for the eye (which lets one name
// look like another). Empty is accepted.
func CheckLine(field, s string, limit int) error { return checkText(field, s, limit, false) }

// CheckText is CheckLine for text of several lines: line feed, carriage return and tab are accepted.
func CheckText(field, s string, limit int) error { return checkText(field, s, limit, true) }

func checkText(field, s string, limit int, lines bool) error {
	if len(s) > 4*limit || utf8.RuneCountInString(s) > limit {
		return Invalidf(field, TooLong, "at most %d characters", limit)
	}
	if !utf8.ValidString(s) {
		return Invalidf(field, BadText, "not valid UTF-8")
	}
	for _, r := range s {
		if lines && (r == '\n' || r == '\r' || r == '\t') {
			continue
		}
		if unicode.IsControl(r) || isHidden(r) {
			return Invalidf(field, BadText, "the character %U is not accepted", r)
		}
	}
	return nil
}

// isHidden tells the characters that change the order of others (Unicode TR 36, bidirectional text spoofing), line and
// paragraph separators, and the byte order mark.
func isHidden(r rune) bool {
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return true
	case r == 0x2028, r == 0x2029, r == 0xfeff:
		return true
	}
	return false
}

// CheckName is CheckLine for a name that must be there: it also refuses text that is empty or only white space, or has
// white space at its ends, where "Acme " would be another name than "Acme".
func CheckName(field, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return Invalid(field, Empty)
	}
	if strings.TrimSpace(s) != s {
		return Invalidf(field, BadText, "white space at its start or end")
	}
	return CheckLine(field, s, limit)
}

// amountLimit bounds amounts on both engines: an INTEGER of ten-thousandths on SQLite, NUMERIC(18,4) on Postgres.
var amountLimit = decimal.New(1, 14)

// CheckAmount refuses amounts that the store cannot keep exactly: more than 4 decimals, or 10^14 and above in size.
func CheckAmount(field string, d decimal.Decimal) error {
	// The size of the exponent first: 1e10000 is small to write and enormous to compute with.
	if e := d.Exponent(); e > 14 || e < -1000 {
		return Invalidf(field, OutOfRange, "amounts are smaller than 10^14, with at most 4 decimals")
	}
	if !d.Equal(d.Truncate(4)) {
		return Invalidf(field, OutOfRange, "at most 4 decimals")
	}
	if d.Abs().GreaterThanOrEqual(amountLimit) {
		return Invalidf(field, OutOfRange, "amounts are smaller than 10^14")
	}
	return nil
}

// CheckPositive is CheckAmount for an amount that cannot be negative.
func CheckPositive(field string, d decimal.Decimal) error {
	if d.IsNegative() {
		return Invalidf(field, OutOfRange, "must not be negative")
	}
	return CheckAmount(field, d)
}

// CheckInstant refuses times outside the years 1900 to 2999, which are mistakes in a CRM and do not survive every column
// type. The zero time is accepted.
func CheckInstant(field string, t time.Time) error {
	if !t.IsZero() && (t.Year() < 1900 || t.Year() > 2999) {
		return Invalidf(field, OutOfRange, "the year %d is not accepted", t.Year())
	}
	return nil
}

// Instant is a time as the store keeps it: UTC, cut to the microsecond.
func Instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// OneOf refuses a value that is not in the list. Empty is accepted.
func OneOf[S ~string](field string, value S, list ...S) error {
	if value == "" || slices.Contains(list, value) {
		return nil
	}
	return Invalidf(field, Unknown, "%.40q is none of %q", string(value), list)
}

// CheckRegion refuses what is neither empty nor a division code: 2 to 12 digits (GB/T 2260 has 6; streets and villages
// have 9 and 12). Scopes, filters and rules match a region by the digits that it starts with.
func CheckRegion(field, region string) error {
	if region == "" {
		return nil
	}
	if len(region) < 2 || len(region) > 12 || strings.Trim(region, "0123456789") != "" {
		return Invalidf(field, Malformed, "a region is a division code of 2 to 12 digits")
	}
	return nil
}
