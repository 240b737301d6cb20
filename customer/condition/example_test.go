package condition_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// A rule that recycles customers that nobody has followed up for a week, but for the best.
func Example() {
	rule, err := condition.Parse(`followup_days > 7 and level != "A" and not ("VIP" in tags)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 9, 3, 0, 0, 0, time.UTC)
	week := 7 * 24 * time.Hour
	fmt.Println("to the microsecond:", rule.Eval(condition.Facts{FollowupFrom: now.Add(-week), Level: "B"}, now, nil))
	fmt.Println("and one more:", rule.Eval(condition.Facts{FollowupFrom: now.Add(-week - time.Microsecond), Level: "B"}, now, nil))
	fmt.Println("not graded:", rule.Eval(condition.Facts{FollowupFrom: now.Add(-2 * week)}, now, nil))
	fmt.Println("a VIP:", rule.Eval(condition.Facts{FollowupFrom: now.Add(-2 * week), Tags: []string{"VIP"}}, now, nil))
	// Output:
	// to the microsecond: false
	// and one more: true
	// not graded: unknown
	// a VIP: false
}

// Errors say where and what; programs read the reason and the place.
func ExampleParse_errors() {
	for _, text := range []string{
		`followup_days > abc`,
		`folowup_days > 3`,
		`followup_days == 3`,
		`level in ["A", "E"]`,
		`level == "A" && stage == "won"`,
	} {
		_, err := condition.Parse(text)
		fmt.Println(err)
	}
	_, err := condition.Parse(`spend > 1.23456`)
	var at *condition.SyntaxError
	fmt.Println(errors.Is(err, kernel.OutOfRange), errors.As(err, &at), at.Offset, at.Found)
	// Output:
	// invalid malformed (condition): column 17: expected a number after >, found "abc"
	// invalid unknown (condition): column 1: expected a fact, found "folowup_days"; did you mean followup_days?
	// invalid malformed (condition): column 15: expected "<", "<=", ">" or ">=", found "=="; time passes all the while, so the days are equal to a number for one microsecond only
	// invalid unknown (condition): column 16: expected "A", "B", "C" or "D", found the text "E"
	// invalid malformed (condition): column 14: found "&"; write "and"
	// true true 8 1.23456
}

// An adapter walks the tree; the parser has already made "!=" and "not in" of "not".
func ExampleCondition_Root() {
	c, _ := condition.Parse(`region == "33" and level != "A"`)
	for _, n := range c.Root().(condition.And).Nodes {
		fmt.Printf("%T %+v\n", n, n)
	}
	fmt.Println(c.Facts())
	// Output:
	// condition.In {Fact:region Texts:[33]}
	// condition.Not {Node:{Fact:level Texts:[A]}}
	// [region level]
}
