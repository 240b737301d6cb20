package condition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Parse checks a text and makes a condition of it (rules.md, The condition language). An error is a [*kernel.Error] with
// code invalid and field [Field], whose cause is a [*SyntaxError]. Its reason is Unknown for a word that is no fact and a
// value that a fact cannot have, OutOfRange for a number, TooLong for the text, TooMany for nodes, depth and items, Empty
// and BadText for texts that are none, and Malformed for all else.
func Parse(text string) (*Condition, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	p := parser{lexer: lexer{text: text}}
	p.next()
	root, err := p.condition()
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenEnd {
		return nil, p.unexpected("", `"and"`, `"or"`, "the end")
	}
	return &Condition{text: text, root: root, facts: p.facts}, nil
}

// parser reads the grammar in doc.go, one method a rule, looking one token ahead.
type parser struct {
	lexer lexer
	token token
	depth int
	nodes int
	facts []Fact
}

func (p *parser) next() { p.token = p.lexer.next() }

// at tells whether a word or a symbol is next. (The raw text of a quoted one has its quotes.)
func (p *parser) at(word string) bool { return p.token.raw == word }

func (p *parser) accept(word string) bool {
	if !p.at(word) {
		return false
	}
	p.next()
	return true
}

// unexpected is the error that the next token is none of the expected ones.
func (p *parser) unexpected(why string, expected ...string) error {
	t := p.token
	if t.kind == tokenBad { // what is wrong with it matters more than what could stand there
		why, expected = t.why, nil
	}
	return refuse(p.lexer.text, kernel.Malformed, &SyntaxError{Offset: t.at, Found: t.raw, Expected: expected, Why: why})
}

// fail is an error about a token that was read, and that is of the right kind.
func (p *parser) fail(t token, reason kernel.Reason, why string, expected ...string) error {
	return refuse(p.lexer.text, reason, &SyntaxError{Offset: t.at, Found: t.raw, Expected: expected, Why: why})
}

// tooMany is an error about a limit, which the token t exceeds, whatever it is.
func (p *parser) tooMany(t token, why string) error {
	return p.fail(token{at: t.at}, kernel.TooMany, why)
}

// made counts a node that the token t gave rise to.
func (p *parser) made(n Node, t token) (Node, error) {
	if p.nodes++; p.nodes > MaxNodes {
		return nil, p.tooMany(t, fmt.Sprintf("a condition has at most %d parts", MaxNodes))
	}
	return n, nil
}

// enter goes one level deeper, which also bounds the recursion.
func (p *parser) enter(t token) error {
	if p.depth++; p.depth > MaxDepth {
		return p.tooMany(t, fmt.Sprintf(`parentheses and "not" go at most %d levels deep`, MaxDepth))
	}
	return nil
}

func (p *parser) condition() (Node, error) {
	return p.run("or", p.all, func(nodes []Node) Node { return Or{nodes} })
}

func (p *parser) all() (Node, error) {
	return p.run("and", p.one, func(nodes []Node) Node { return And{nodes} })
}

// run reads operands with the same word between them, which make one node.
func (p *parser) run(word string, operand func() (Node, error), join func([]Node) Node) (Node, error) {
	first, err := operand()
	if err != nil || !p.at(word) {
		return first, err
	}
	t, nodes := p.token, []Node{first}
	for p.accept(word) {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return p.made(join(nodes), t)
}

func (p *parser) one() (Node, error) {
	switch t := p.token; {
	case p.accept("not"):
		if err := p.enter(t); err != nil {
			return nil, err
		}
		if !p.at("(") && !p.at("not") {
			return nil, p.unexpected("what is negated stands in parentheses", `"("`)
		}
		n, err := p.one()
		if err != nil {
			return nil, err
		}
		p.depth--
		return p.made(Not{n}, t)
	case p.accept("("):
		if err := p.enter(t); err != nil {
			return nil, err
		}
		n, err := p.condition()
		if err != nil {
			return nil, err
		}
		if !p.accept(")") {
			return nil, p.unexpected("", `"and"`, `"or"`, `")"`)
		}
		p.depth--
		return n, nil
	case t.kind == tokenText:
		return p.tag()
	default:
		return p.test()
	}
}

// tag reads "VIP" in tags.
func (p *parser) tag() (Node, error) {
	t := p.token
	p.next()
	negate := p.accept("not")
	if !p.at("in") {
		if negate {
			return nil, p.unexpected("", `"in"`)
		}
		return nil, p.unexpected("the fact stands first, but for a tag", `"in tags"`, `"not in tags"`)
	}
	p.next()
	if !p.at(string(Tags)) {
		return nil, p.unexpected("the fact stands first, but for a tag", `"tags"`)
	}
	if t.value == "" {
		return nil, p.fail(t, kernel.Malformed, "no tag has an empty name")
	}
	p.next()
	p.use(Tags)
	return p.negated(negate, HasTag{t.value}, t)
}

// test reads a fact with what it is compared with.
func (p *parser) test() (Node, error) {
	t := p.token
	s, err := p.fact()
	if err != nil {
		return nil, err
	}
	op, err := p.operator(s)
	if err != nil {
		return nil, err
	}
	switch op {
	case "in", "not in":
		texts, err := p.list(s, op)
		if err != nil {
			return nil, err
		}
		return p.negated(op == "not in", In{s.fact, texts}, t)
	}
	if s.kind == KindText || s.kind == KindRegion {
		text, err := p.text(s, op)
		if err != nil {
			return nil, err
		}
		return p.negated(op == "!=", In{s.fact, []string{text}}, t)
	}
	n, err := p.number(s, op)
	if err != nil {
		return nil, err
	}
	return p.made(Compare{s.fact, Op(op), n}, t)
}

func (p *parser) negated(negate bool, n Node, t token) (Node, error) {
	n, err := p.made(n, t)
	if err != nil || !negate {
		return n, err
	}
	return p.made(Not{n}, t)
}

func (p *parser) use(f Fact) {
	if !slices.Contains(p.facts, f) {
		p.facts = append(p.facts, f)
	}
}

// fact reads the name of a fact that may stand first.
func (p *parser) fact() (*spec, error) {
	t := p.token
	expected := []string{"a fact", `a text with "in tags"`, `"not"`, `"("`}
	switch {
	case t.kind == tokenNumber:
		return nil, p.unexpected("the fact stands first, as in spend > 5", expected...)
	case t.kind != tokenWord, isKeyword(strings.ToLower(t.raw)):
		return nil, p.unexpected("", expected...)
	}
	s := lookup(Fact(t.raw))
	p.next()
	switch {
	case s != nil && s.kind == KindTags:
		return nil, p.fail(t, kernel.Malformed, `tags are asked for as in "VIP" in tags`)
	case s != nil:
		p.use(s.fact)
		return s, nil
	case p.at("("):
		return nil, p.fail(t, kernel.Malformed, "there are no functions", "a fact")
	}
	why := "the facts are " + strings.Join(names(), ", ")
	if near := nearest(strings.ToLower(t.raw)); near != "" {
		why = "did you mean " + string(near) + "?"
	}
	return nil, p.fail(t, kernel.Unknown, why, "a fact")
}

func names() []string {
	var list []string
	for _, f := range AllFacts() {
		list = append(list, string(f))
	}
	return list
}

func isKeyword(word string) bool { return slices.Contains([]string{"and", "or", "not", "in"}, word) }

// operator reads one that the fact takes.
func (p *parser) operator(s *spec) (string, error) {
	t, op := p.token, p.token.raw
	takes := s.kind.operators()
	if p.at("not") {
		if p.next(); !p.at("in") {
			return "", p.unexpected("", `"in"`)
		}
		op = "not in"
	}
	if slices.Contains(takes, op) {
		p.next()
		return op, nil
	}
	if t.kind == tokenBad {
		return "", p.unexpected("")
	}
	why := ""
	switch {
	case s.kind == KindDays && (op == "==" || op == "!="):
		why = "time passes all the while, so the days are equal to a number for one microsecond only"
	case s.kind == KindRegion && op == "!=":
		why = `a region is compared by its first digits: write not (region == "33")`
	}
	return "", p.fail(t, kernel.Malformed, why, quoteAll(takes)...)
}

// list reads ["C", "D"].
func (p *parser) list(s *spec, op string) ([]string, error) {
	if !p.accept("[") {
		return nil, p.unexpected(`a list is written ["…", "…"]`, "a list after "+op)
	}
	var texts []string
	for {
		if len(texts) == MaxItems {
			return nil, p.tooMany(p.token, fmt.Sprintf("a list has at most %d items", MaxItems))
		}
		text, err := p.text(s, op)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
		if p.accept("]") {
			return texts, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected("", `","`, `"]"`)
		}
	}
}

// text reads a text that the fact can be.
func (p *parser) text(s *spec, after string) (string, error) {
	t := p.token
	if t.kind != tokenText {
		return "", p.unexpected(p.noLiteral(), "a text in quotes after "+after)
	}
	switch {
	case t.value == "":
		return "", p.fail(t, kernel.Malformed, "an unset "+string(s.fact)+" is absent, never empty")
	case s.values != nil && !slices.Contains(s.values, t.value):
		return "", p.fail(t, kernel.Unknown, "", quoteAll(s.values)...)
	case s.kind == KindRegion && !isCode(t.value):
		return "", p.fail(t, kernel.Malformed, "a region is a division code of 2 to 12 digits, or the first of them")
	}
	p.next()
	return t.value, nil
}

func isCode(s string) bool { return len(s) >= 2 && len(s) <= 12 && span(s, 0, isDigit) == len(s) }

// noLiteral says why a word cannot stand where a literal is needed.
func (p *parser) noLiteral() string {
	switch {
	case p.token.kind != tokenWord:
		return ""
	case lookup(Fact(p.token.raw)) != nil:
		return "two facts cannot be compared"
	}
	return "a text stands in quotes, as in " + strconv.Quote(p.token.raw)
}

var (
	maxDays   = decimal.NewFromInt(36_500)
	maxNumber = decimal.New(1, 14)
)

// number reads a number within the range of the fact.
func (p *parser) number(s *spec, after string) (decimal.Decimal, error) {
	t := p.token
	if t.kind != tokenNumber {
		why := ""
		if t.kind == tokenWord && lookup(Fact(t.raw)) != nil {
			why = "two facts cannot be compared"
		}
		return decimal.Decimal{}, p.unexpected(why, "a number after "+after)
	}
	n, err := decimal.NewFromString(t.raw)
	switch _, decimals, _ := strings.Cut(t.raw, "."); {
	case err != nil:
		return n, p.fail(t, kernel.Malformed, err.Error())
	case len(decimals) > 4:
		return n, p.fail(t, kernel.OutOfRange, "a number has at most 4 decimals")
	case s.kind == KindDays && (n.IsNegative() || n.GreaterThan(maxDays)):
		return n, p.fail(t, kernel.OutOfRange, "days are 0 to 36500")
	case n.Abs().GreaterThanOrEqual(maxNumber):
		return n, p.fail(t, kernel.OutOfRange, "numbers are smaller than 10^14")
	}
	p.next()
	return n, nil
}
