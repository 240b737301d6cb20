package condition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func number(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func parse(t testing.TB, text string) *Condition {
	t.Helper()
	c, err := Parse(text)
	require.NoError(t, err, text)
	return c
}

// The leaves that the trees below are made of.
var (
	a    = In{Level, []string{"A"}}
	won  = In{Stage, []string{"won"}}
	many = Compare{Orders, Greater, number("5")}
	vip  = HasTag{"VIP"}
)

func TestParseMakesTheTree(t *testing.T) {
	for text, want := range map[string]Node{
		// every comparison of every kind
		`followup_days < 7`:                  Compare{FollowupDays, Less, number("7")},
		`owned_days <= 7`:                    Compare{OwnedDays, AtMost, number("7")},
		`deal_days > 90`:                     Compare{DealDays, Greater, number("90")},
		`last_order_days >= 0.5`:             Compare{LastOrderDays, AtLeast, number("0.5")},
		`last_interaction_days > 36500`:      Compare{LastInteractionDays, Greater, number("36500")},
		`orders == 1`:                        Compare{Orders, Equal, number("1")},
		`open_opportunities != 1`:            Compare{OpenOpportunities, NotEqual, number("1")},
		`active_contracts < 1`:               Compare{ActiveContracts, Less, number("1")},
		`open_cases <= 2.5`:                  Compare{OpenCases, AtMost, number("2.5")},
		`spend > -99999999999999.9999`:       Compare{Spend, Greater, number("-99999999999999.9999")},
		`potential >= 99999999999999.9999`:   Compare{Potential, AtLeast, number("99999999999999.9999")},
		`level == "A"`:                       a,
		`level != "A"`:                       Not{a},
		`level in ["A", "B"]`:                In{Level, []string{"A", "B"}},
		`level not in ["C"]`:                 Not{In{Level, []string{"C"}}},
		`standing == "blacklist"`:            In{Standing, []string{"blacklist"}},
		`type == "individual"`:               In{Type, []string{"individual"}},
		`industry in ['零售', "C13"]`:          In{Industry, []string{"零售", "C13"}},
		`source != "website"`:                Not{In{Source, []string{"website"}}},
		`region == "33"`:                     In{Region, []string{"33"}},
		`region in ["3301", "330203001001"]`: In{Region, []string{"3301", "330203001001"}},
		`region not in ["33"]`:               Not{In{Region, []string{"33"}}},
		`"VIP" in tags`:                      vip,
		`"VIP" not in tags`:                  Not{vip},
		// texts
		`industry == "a\"b'c\\d\n\t?"`: In{Industry, []string{"a\"b'c\\d\n\t?"}},
		`industry == 'a"b\'c'`:         In{Industry, []string{`a"b'c`}},
		`industry == " "`:              In{Industry, []string{" "}},
		// precedence: or < and < not
		`level == "A" and stage == "won" and orders > 5`:   And{[]Node{a, won, many}},
		`level == "A" or stage == "won" or orders > 5`:     Or{[]Node{a, won, many}},
		`level == "A" or stage == "won" and orders > 5`:    Or{[]Node{a, And{[]Node{won, many}}}},
		`level == "A" and stage == "won" or orders > 5`:    Or{[]Node{And{[]Node{a, won}}, many}},
		`(level == "A" or stage == "won") and orders > 5`:  And{[]Node{Or{[]Node{a, won}}, many}},
		`(level == "A" and stage == "won") and orders > 5`: And{[]Node{And{[]Node{a, won}}, many}},
		`not (level == "A") and "VIP" in tags`:             And{[]Node{Not{a}, vip}},
		`not (level == "A" and "VIP" in tags)`:             Not{And{[]Node{a, vip}}},
		`not not (level == "A")`:                           Not{Not{a}},
		`not (not (level == "A"))`:                         Not{Not{a}},
		`((level == "A"))`:                                 a,
		// spaces
		`level=="A"and(not("VIP"in tags)or orders>5)`: And{[]Node{a, Or{[]Node{Not{vip}, many}}}},
		`  level   ==  "A"  `:                         a,
		`level  not   in["A"]`:                        Not{a},
		`spend>-5`:                                    Compare{Spend, Greater, number("-5")},
		`spend==-0`:                                   Compare{Spend, Equal, number("0")},
	} {
		c := parse(t, text)
		require.Equal(t, want, c.Root(), text)
		require.Equal(t, text, c.String())
	}
}

func TestFactsAreNamedOnce(t *testing.T) {
	c := parse(t, `"VIP" in tags or spend > 5 and not (level == "A" or spend < 1) and "x" in tags`)
	require.Equal(t, []Fact{Tags, Spend, Level}, c.Facts())
}

func TestFactsAreThoseOfTheRules(t *testing.T) {
	require.Equal(t, []Fact{
		"followup_days", "owned_days", "deal_days", "last_order_days", "last_interaction_days",
		"level", "standing", "stage", "type", "industry", "source", "region", "tags", "open_opportunities",
		"active_contracts", "open_cases", "orders", "spend", "potential",
	}, AllFacts())
	require.Equal(t, []string{"potential", "won", "lost"}, Stage.Values())
	require.Nil(t, Industry.Values())
	require.Nil(t, Fact("name").Values())
	require.Zero(t, Fact("name").Kind())
	for _, f := range AllFacts() {
		require.NotZero(t, f.Kind(), f)
	}
}

// Each text is refused at the column given, counted in characters, with the reason and the sentence.
func TestParseSaysWhatIsWrong(t *testing.T) {
	const factExpected = `expected a fact, a text with "in tags", "not" or "("`
	for _, x := range []struct {
		text   string
		column int
		reason kernel.Reason
		says   string
	}{
		// no text
		{"", 1, kernel.Empty, "a condition is needed"},
		{"   ", 1, kernel.Empty, "a condition is needed"},
		{"level ==\x00 \"A\"", 9, kernel.BadText, `found "\x00"; the character U+0000 is not accepted`},
		{"level ==\n\"A\"", 9, kernel.BadText, `found "\n"; the character U+000A is not accepted`},
		{"level ==\t\"A\"", 9, kernel.BadText, `the character U+0009 is not accepted`},
		{"industry == \"零\u202e\"", 15, kernel.BadText, `the character U+202E is not accepted`},
		{"industry == \"零\xff\"", 15, kernel.BadText, `found "\xff"; not valid UTF-8`},
		// incomplete
		{`followup_days`, 14, kernel.Malformed, `expected "<", "<=", ">" or ">=", found the end`},
		{`level`, 6, kernel.Malformed, `expected "==", "!=", "in" or "not in", found the end`},
		{`orders`, 7, kernel.Malformed, `expected "==", "!=", "<", "<=", ">" or ">=", found the end`},
		{`spend >`, 8, kernel.Malformed, "expected a number after >, found the end"},
		{`level == "A" and`, 17, kernel.Malformed, factExpected + ", found the end"},
		{`level == "A" or or`, 17, kernel.Malformed, factExpected + `, found "or"`},
		{`and`, 1, kernel.Malformed, factExpected + `, found "and"`},
		{`()`, 2, kernel.Malformed, factExpected + `, found ")"`},
		{`(level == "A"`, 14, kernel.Malformed, `expected "and", "or" or ")", found the end`},
		{`level == "A")`, 13, kernel.Malformed, `expected "and", "or" or the end, found ")"`},
		{`level == "A" stage == "won"`, 14, kernel.Malformed, `expected "and", "or" or the end, found "stage"`},
		{`level == "A" AND stage == "won"`, 14, kernel.Malformed, `expected "and", "or" or the end, found "AND"`},
		{`not`, 4, kernel.Malformed, `expected "(", found the end`},
		// what expr-lang reads as (not level) == "A"
		{`not level == "A"`, 5, kernel.Malformed, `expected "(", found "level"; what is negated stands in parentheses`},
		{`not "VIP" in tags`, 5, kernel.Malformed, `expected "(", found the text "VIP"; what is negated`},
		{`NOT (level == "A")`, 1, kernel.Malformed, factExpected + `, found "NOT"`},
		// facts
		{`levle == "A"`, 1, kernel.Unknown, `expected a fact, found "levle"; did you mean level?`},
		{`LEVEL == "A"`, 1, kernel.Unknown, `did you mean level?`},
		{`spend > 5 and folowup_day > 3`, 15, kernel.Unknown, `found "folowup_day"; did you mean followup_days?`},
		{`name == "A"`, 1, kernel.Unknown, `the facts are followup_days, owned_days,`},
		{`true`, 1, kernel.Unknown, `expected a fact, found "true"`},
		{`len(tags) > 3`, 1, kernel.Malformed, `expected a fact, found "len"; there are no functions`},
		{`7`, 1, kernel.Malformed, "the fact stands first, as in spend > 5"},
		{`7 < spend`, 1, kernel.Malformed, `found "7"; the fact stands first, as in spend > 5`},
		{`spend > potential`, 9, kernel.Malformed, `expected a number after >, found "potential"; two facts cannot be compared`},
		{`level == standing`, 10, kernel.Malformed, `expected a text in quotes after ==, found "standing"; two facts cannot`},
		// comparisons that a fact does not take
		{`followup_days == 3`, 15, kernel.Malformed, `found "=="; time passes all the while`},
		{`deal_days != 3`, 11, kernel.Malformed, `found "!="; time passes all the while`},
		{`owned_days in ["3"]`, 12, kernel.Malformed, `expected "<", "<=", ">" or ">=", found "in"`},
		{`owned_days not in ["3"]`, 12, kernel.Malformed, `expected "<", "<=", ">" or ">=", found "not"`},
		{`level > "B"`, 7, kernel.Malformed, `expected "==", "!=", "in" or "not in", found ">"`},
		{`region != "33"`, 8, kernel.Malformed, `expected "==", "in" or "not in", found "!="; a region is compared by`},
		{`region >= "33"`, 8, kernel.Malformed, `expected "==", "in" or "not in", found ">="`},
		{`level not == "A"`, 11, kernel.Malformed, `expected "in", found "=="`},
		{`spend < 3 < 4`, 11, kernel.Malformed, `expected "and", "or" or the end, found "<"`},
		{`spend <> 3`, 8, kernel.Malformed, `expected a number after <, found ">"`},
		// tags
		{`tags == "VIP"`, 1, kernel.Malformed, `tags are asked for as in "VIP" in tags`},
		{`"VIP"`, 6, kernel.Malformed, `expected "in tags" or "not in tags", found the end`},
		{`"A" == level`, 5, kernel.Malformed, `found "=="; the fact stands first, but for a tag`},
		{`"VIP" in level`, 10, kernel.Malformed, `expected "tags", found "level"`},
		{`"VIP" not tags`, 11, kernel.Malformed, `expected "in", found "tags"`},
		{`level == "A" or "" in tags`, 17, kernel.Malformed, "no tag has an empty name"},
		// texts
		{`level == "E"`, 10, kernel.Unknown, `expected "A", "B", "C" or "D", found the text "E"`},
		{`level == "a"`, 10, kernel.Unknown, `expected "A", "B", "C" or "D", found the text "a"`},
		{`standing == "dormant"`, 13, kernel.Unknown, `expected "active", "inactive" or "blacklist"`},
		{`stage in ["won", "gone"]`, 18, kernel.Unknown, `expected "potential", "won" or "lost"`},
		{`type == "company"`, 9, kernel.Unknown, `expected "enterprise" or "individual"`},
		{`level == A`, 10, kernel.Malformed, `expected a text in quotes after ==, found "A"; a text stands in quotes, as in "A"`},
		{`level == 3`, 10, kernel.Malformed, `expected a text in quotes after ==, found "3"`},
		{`source == ""`, 11, kernel.Malformed, "an unset source is absent, never empty"},
		{`industry == "a\x41"`, 15, kernel.Malformed, `found "\x"; the escapes here are \\, \n, \t and \"`},
		{`industry == "a\'b"`, 15, kernel.Malformed, `found "\'"; the escapes here are \\, \n, \t and \"`},
		{`industry == '零\"'`, 15, kernel.Malformed, `found "\""; the escapes here are \\, \n, \t and \'`},
		{`industry == "abc`, 13, kernel.Malformed, "the text that starts here has no closing quote"},
		{`industry == "abc\`, 13, kernel.Malformed, "the text that starts here has no closing quote"},
		{`industry == "abc\"`, 13, kernel.Malformed, "the text that starts here has no closing quote"},
		{`region == "3"`, 11, kernel.Malformed, "a region is a division code of 2 to 12 digits"},
		{`region == "1234567890123"`, 11, kernel.Malformed, "a region is a division code of 2 to 12 digits"},
		{`region in ["33", "3x"]`, 18, kernel.Malformed, "a region is a division code of 2 to 12 digits"},
		// lists
		{`level in "A"`, 10, kernel.Malformed, "expected a list after in, found the text"},
		{`level in []`, 11, kernel.Malformed, `expected a text in quotes after in, found "]"`},
		{`level in ["A",]`, 15, kernel.Malformed, `expected a text in quotes after in, found "]"`},
		{`level in ["A" "B"]`, 15, kernel.Malformed, `expected "," or "]", found the text "B"`},
		{`level in ["A"`, 14, kernel.Malformed, `expected "," or "]", found the end`},
		{`level in tags`, 10, kernel.Malformed, `expected a list after in, found "tags"`},
		// numbers
		{`followup_days > abc`, 17, kernel.Malformed, `expected a number after >, found "abc"`},
		{`followup_days > "7"`, 17, kernel.Malformed, `expected a number after >, found the text "7"`},
		{`spend > 1.00000`, 9, kernel.OutOfRange, `found "1.00000"; a number has at most 4 decimals`},
		{`spend > 007`, 9, kernel.Malformed, `found "007"; a number has no leading zeros`},
		{`spend > 00or level == "A"`, 9, kernel.Malformed, `found "00"; a number has no leading zeros`},
		{`spend > 0or level == "A"`, 9, kernel.Malformed, `found "0or"; a number is written in digits`},
		{`spend > 5天`, 9, kernel.Malformed, `found "5天"; a number is written in digits`},
		{`spend > 1.`, 9, kernel.Malformed, `found "1."; a number is written in digits`},
		{`spend > 1..2`, 9, kernel.Malformed, `found "1..2"; a number is written in digits`},
		{`spend > 1e3`, 9, kernel.Malformed, `found "1e3"; a number is written in digits`},
		{`spend > 1_000`, 9, kernel.Malformed, `found "1_000"; a number is written in digits`},
		{`spend > 0x1f`, 9, kernel.Malformed, `found "0x1f"; a number is written in digits`},
		{`spend > .5`, 9, kernel.Malformed, `found "."; a number starts with a digit`},
		{`spend > --5`, 9, kernel.Malformed, `found "-"; there is no arithmetic`},
		{`spend > - 5`, 9, kernel.Malformed, `found "-"; there is no arithmetic`},
		{`spend > 5 + 3`, 11, kernel.Malformed, `found "+"; there is no arithmetic`},
		{`spend > 5-3`, 10, kernel.Malformed, `expected "and", "or" or the end, found "-3"`},
		// characters
		{`level = "A"`, 7, kernel.Malformed, `found "="; an equality is written "=="`},
		{`level === "A"`, 9, kernel.Malformed, `found "="; an equality is written "=="`},
		{`!(level == "A")`, 1, kernel.Malformed, `found "!"; write "not"`},
		{`level == "A" && stage == "won"`, 14, kernel.Malformed, `found "&"; write "and"`},
		{`level == "A" || stage == "won"`, 14, kernel.Malformed, `found "|"; write "or"`},
		{`level == “A”`, 10, kernel.Malformed, `found "“"; a text stands in " or '`},
		{`industry == "零售" and level ≠ "A"`, 28, kernel.Malformed, `found "≠"; write "!="`},
		{`spend ≥ 5`, 7, kernel.Malformed, `found "≥"; write ">="`},
		{`spend ≤ 5`, 7, kernel.Malformed, `found "≤"; write "<="`},
		{`（level == "A"）`, 1, kernel.Malformed, `found "（"; write the half-width (ASCII) form`},
		{`level == "A"; stage == "won"`, 13, kernel.Malformed, `found ";"; this character has no meaning here`},
		{`level == "A" // best`, 14, kernel.Malformed, `found "/"; there is no arithmetic`},
		{`tags.x == "A"`, 1, kernel.Malformed, `tags are asked for`},
		{`level.x == "A"`, 6, kernel.Malformed, `found "."`},
		{`level#`, 6, kernel.Malformed, `found "#"; this character has no meaning here`},
	} {
		_, err := Parse(x.text)
		var e *kernel.Error
		var s *SyntaxError
		require.ErrorAs(t, err, &e, "%q", x.text)
		require.ErrorAs(t, err, &s, "%q", x.text)
		require.Equal(t, kernel.ErrInvalid, e.Code)
		require.Equal(t, Field, e.Field)
		require.Equal(t, x.reason, e.Reason, "%q: %v", x.text, err)
		require.Equal(t, x.column, s.Column, "%q: %v", x.text, err)
		require.Len(t, []rune(x.text[:s.Offset]), x.column-1, x.text)
		require.Contains(t, s.Error(), fmt.Sprintf("column %d: ", x.column))
		require.Contains(t, s.Error(), x.says, x.text)
		require.True(t, strings.HasPrefix(x.text[s.Offset:], s.Found), x.text)
	}
}

// Every limit holds for the last that fits, and refuses the first that does not.
func TestParseLimits(t *testing.T) {
	cases := map[string]struct {
		text   func(n int) string
		limit  int
		reason kernel.Reason
	}{
		"bytes": {func(n int) string { return `industry == "` + strings.Repeat("x", n-14) + `"` }, MaxBytes, kernel.TooLong},
		"nodes": {nodes, MaxNodes, kernel.TooMany},
		"parentheses": {
			func(n int) string { return strings.Repeat("(", n) + `level=="A"` + strings.Repeat(")", n) },
			MaxDepth, kernel.TooMany,
		},
		"depth": {func(n int) string { return strings.Repeat("not ", n-1) + `(level=="A")` }, MaxDepth, kernel.TooMany},
		"items": {func(n int) string { return `level in ["A"` + strings.Repeat(`,"B"`, n-1) + `]` }, MaxItems, kernel.TooMany},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			parse(t, x.text(x.limit-1))
			parse(t, x.text(x.limit))
			_, err := Parse(x.text(x.limit + 1))
			require.ErrorIs(t, err, x.reason)
			require.ErrorContains(t, err, fmt.Sprintf("at most %d", x.limit))
		})
	}
}

// nodes is a condition of exactly n nodes: a run, and tests that are negated (2) or, if need be, not (1).
func nodes(n int) string {
	text := "spend>1"
	if n%2 == 1 {
		text = "not(spend>1)"
	}
	for left := n - 2 - n%2; left > 0; left -= 2 {
		text += "or not(spend>1)"
	}
	return strings.Replace(text, "spend>1or", "spend>1 or", 1)
}

func TestDepthIsOfWhatIsOpen(t *testing.T) {
	parse(t, strings.TrimSuffix(strings.Repeat(`not (level == "A") and `, 9), " and "))
	parse(t, `not (level == "A" and not (level == "B" or not (level == "C" and not (level == "D"))))`)
	_, err := Parse(`not (level == "A" and not (level == "B" or not (level == "C" and not ((level == "D")))))`)
	require.ErrorIs(t, err, kernel.TooMany)
	_, err = Parse(strings.Repeat("not ", MaxDepth+1) + `(level == "A")`)
	require.ErrorIs(t, err, kernel.TooMany)
}

// The column of what is too long is the first character that does not fit, even if its first byte would.
func TestTooLongInTheMiddleOfACharacter(t *testing.T) {
	text := `industry == "` + strings.Repeat("x", MaxBytes-13-1) + "零\""
	_, err := Parse(text)
	var s *SyntaxError
	require.ErrorAs(t, err, &s)
	require.Equal(t, MaxBytes-1, s.Offset)
	require.Equal(t, MaxBytes, s.Column)
}

func TestNumbersKeepTheirRange(t *testing.T) {
	for _, days := range []string{"0", "0.0001", "36499.9999", "36500", "36500.0000", "-0"} {
		parse(t, "followup_days > "+days)
	}
	for _, days := range []string{"-0.0001", "-1", "36500.0001", "36501", "0.00001"} {
		_, err := Parse("followup_days > " + days)
		require.ErrorIs(t, err, kernel.OutOfRange, days)
	}
	for _, fact := range []string{"spend", "potential", "orders"} {
		for _, n := range []string{"99999999999999", "99999999999999.9999", "-99999999999999.9999", "0.0001"} {
			parse(t, fact+" > "+n)
		}
		for _, n := range []string{"100000000000000", "-100000000000000", "0.00001", "1" + strings.Repeat("0", 400)} {
			_, err := Parse(fact + " > " + n)
			require.ErrorIs(t, err, kernel.OutOfRange, n)
		}
	}
}

func TestErrorWithoutExpectation(t *testing.T) {
	require.Equal(t, "column 3: too much", (&SyntaxError{Column: 3, Why: "too much"}).Error())
	require.Equal(t, `column 3: expected x, found the end`, (&SyntaxError{Column: 3, Expected: []string{"x"}}).Error())
	_, err := Parse("")
	require.ErrorIs(t, err, kernel.ErrInvalid)
}
