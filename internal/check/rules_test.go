package check

import (
	"errors"
	"math/rand/v2"
	"strings"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// The values that rules and customers both draw from, so that they meet, and meet at the boundaries. The engines differ in
// case, in normal forms, in what a backslash and a question mark do, and in numbers that a float cannot hold.
var (
	dayNumbers = []string{"0", "0.0001", "0.5", "1", "3", "7", "30", "89.9999", "90", "365", "36500"}
	amounts    = []string{"0", "-0", "0.0001", "1", "0.5", "49999.9999", "50000", "50000.0001", "99999999999999.9999", "99999999999999", "-1", "-99999999999999.9999"}
	counts     = []string{"0", "1", "2", "3", "2.5", "-1", "0.0001", "2.9999", "99999999999999.9999"}
	regions    = []string{"33", "3301", "330102", "330102003", "330102003001", "11", "110101", "99", "44", "00", "440106"}
	words      = []string{
		"零售", "C13", "C1", "c13", "it's", `a"b`, `\`, `\'`, `\\"`, "?0", "?", "??", "北区?0", "?TableAlias", "%", "_", "%_", "' OR 1=1 --", "'); DROP TABLE crm_tags;--",
		"\u00e9", "e\u0301", "\uff23\uff11\uff13", "👩\u200d👧", "ß", "SS", "İ", " x", "x ", "null", "NULL", "0", "$1", ":tenant", "{x}", "#", "/*", `\x00`, `E'\n'`, "a\u00a0b",
	}
	tagNames = []string{"VIP", "vip", "it's", `a"b`, `\`, "?0", "重点", "?TableAlias", "%", "x y", "'--", "null"}
)

// deadTag was carried by everybody, and deleted.
const deadTag = "deleted"

// grammar writes random conditions. It knows the language from doc.go alone, so that what it writes and Parse refuses is a
// mistake of one of the two.
type grammar struct{ r *rand.Rand }

// condition is a text that Parse accepts, and what became of it. Only the limits make it try again.
func (g grammar) condition() (text string, parsed *condition.Condition, err error) {
	for {
		text = g.all(g.r.IntN(4))
		parsed, err = condition.Parse(text)
		if !errors.Is(err, kernel.TooLong) && !errors.Is(err, kernel.TooMany) {
			return text, parsed, err
		}
	}
}

// all is a run of "or" over runs of "and".
func (g grammar) all(depth int) string {
	return g.run(" or ", func() string { return g.run(" and ", func() string { return g.one(depth) }) })
}

func (g grammar) run(word string, part func() string) string {
	list := []string{part()}
	for g.r.IntN(5) < 2 && len(list) < 4 {
		list = append(list, part())
	}
	return strings.Join(list, word)
}

func (g grammar) one(depth int) string {
	kind := g.r.IntN(10)
	switch {
	case depth == 0 || kind < 5:
		return g.test()
	case kind < 7:
		return "(" + g.all(depth-1) + ")"
	case kind == 7:
		return "not not (" + g.test() + ")"
	}
	return "not" + pick(g.r, " ", "") + "(" + g.all(depth-1) + ")"
}

// test is one comparison. Facts that the engines compute, rather than read, come more often.
func (g grammar) test() string {
	all := append(condition.AllFacts(), condition.DealDays, condition.DealDays, condition.Spend, condition.Spend, condition.Tags, condition.Region)
	fact := pick(g.r, all...)
	name := string(fact)
	switch fact.Kind() {
	case condition.KindDays:
		return name + g.op("<", "<=", ">", ">=") + pick(g.r, dayNumbers...)
	case condition.KindCount:
		return name + g.op("==", "!=", "<", "<=", ">", ">=") + pick(g.r, counts...)
	case condition.KindAmount:
		return name + g.op("==", "!=", "<", "<=", ">", ">=") + pick(g.r, amounts...)
	case condition.KindTags:
		return g.quoted(pick(g.r, append([]string{deadTag}, tagNames...)...)) + pick(g.r, " in tags", " not in tags")
	case condition.KindRegion:
		return g.texts(name, g.region, "==")
	}
	values := fact.Values()
	if values == nil {
		values = append([]string{"a\nb", "a\tb"}, words...) // a customer cannot have those two, a condition can name them
	}
	return g.texts(name, func() string { return pick(g.r, values...) }, "==", "!=")
}

// region is a code, or the first digits of one.
func (g grammar) region() string {
	code := pick(g.r, regions...)
	return code[:2+g.r.IntN(len(code)-1)]
}

func (g grammar) texts(name string, text func() string, ops ...string) string {
	if g.r.IntN(2) == 0 {
		return name + g.op(ops...) + g.quoted(text())
	}
	list := make([]string, 1+g.r.IntN(4))
	for i := range list {
		list[i] = g.quoted(text())
	}
	return name + pick(g.r, " in ", " not in ") + "[" + strings.Join(list, pick(g.r, ",", ", ")) + "]"
}

func (g grammar) op(ops ...string) string {
	space := pick(g.r, " ", "", "  ")
	return space + pick(g.r, ops...) + space
}

// quoted writes a text in either quotes.
func (g grammar) quoted(s string) string {
	quote := pick(g.r, `"`, `'`)
	return quote + strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\t", `\t`).Replace(s) + quote
}
