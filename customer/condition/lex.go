package condition

import (
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenNumber
	tokenText
	tokenSymbol // an operator, a parenthesis, a bracket or a comma
	tokenBad    // what is no token at all
)

// token is one word of a condition.
type token struct {
	kind  tokenKind
	at    int    // in bytes
	raw   string // as it stands in the text; empty at its end
	value string // of a text: what it stands for
	why   string // of a bad one: what is wrong
}

// lexer cuts a text into tokens. What is no token becomes a bad one, which no rule of the grammar takes, so that the
// first mistake in the text is the one that is reported.
type lexer struct {
	text string
	at   int
}

func (l *lexer) next() token {
	for l.at < len(l.text) && l.text[l.at] == ' ' {
		l.at++
	}
	rest := l.text[l.at:]
	if rest == "" {
		return token{kind: tokenEnd, at: l.at}
	}
	switch c := rest[0]; {
	case isLetter(c):
		return l.take(tokenWord, span(rest, 0, isWordByte))
	case isDigit(c), c == '-' && len(rest) > 1 && isDigit(rest[1]):
		return l.number(rest)
	case c == '"', c == '\'':
		return l.quoted(rest)
	case strings.IndexByte("()[],", c) >= 0:
		return l.take(tokenSymbol, 1)
	case strings.IndexByte("=!<>", c) >= 0 && len(rest) > 1 && rest[1] == '=':
		return l.take(tokenSymbol, 2)
	case c == '<', c == '>':
		return l.take(tokenSymbol, 1)
	}
	r, size := utf8.DecodeRuneInString(rest)
	return l.bad(l.at, size, hint(r))
}

// take makes a token of the next size bytes.
func (l *lexer) take(kind tokenKind, size int) token {
	t := token{kind: kind, at: l.at, raw: l.text[l.at : l.at+size]}
	l.at += size
	return t
}

// bad ends the text: nothing behind the first mistake is looked at.
func (l *lexer) bad(at, size int, why string) token {
	l.at = len(l.text)
	return token{kind: tokenBad, at: at, raw: l.text[at : at+size], why: why}
}

// number takes what looks like one, and refuses the forms that expr-lang reads differently or that nobody means: 007, 1.,
// 1e3, 1_000, 0x1f, and a number glued to a word.
func (l *lexer) number(rest string) token {
	start := 0
	if rest[0] == '-' {
		start = 1
	}
	end := span(rest, start, isDigit)
	digits := rest[start:end]
	if end+1 < len(rest) && rest[end] == '.' && isDigit(rest[end+1]) {
		end = span(rest, end+1, isDigit)
	}
	if len(digits) > 1 && digits[0] == '0' {
		return l.bad(l.at, end, "a number has no leading zeros")
	}
	if glued := span(rest, end, func(c byte) bool { return isWordByte(c) || c == '.' || c >= utf8.RuneSelf }); glued > end {
		return l.bad(l.at, glued, "a number is written in digits, such as 7, 2.5 or -1000")
	}
	return l.take(tokenNumber, end)
}

// quoted takes a text in quotes. Of expr-lang's escapes it knows those that both spell alike: expr has \" within double
// quotes only, and \' within single ones.
func (l *lexer) quoted(rest string) token {
	quote, value := rest[0], strings.Builder{}
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; c {
		case quote:
			t := l.take(tokenText, i+1)
			t.value = value.String()
			return t
		case '\\':
			i++
			if i == len(rest) {
				break
			}
			switch e := rest[i]; e {
			case '\\', quote:
				value.WriteByte(e)
			case 'n':
				value.WriteByte('\n')
			case 't':
				value.WriteByte('\t')
			default:
				_, size := utf8.DecodeRuneInString(rest[i:])
				return l.bad(l.at+i-1, 1+size, `the escapes here are \\, \n, \t and \`+string(quote))
			}
		default:
			value.WriteByte(c)
		}
	}
	return l.bad(l.at, 0, "the text that starts here has no closing quote")
}

// span is where the bytes of a class that start at from end.
func span(s string, from int, class func(byte) bool) int {
	for from < len(s) && class(s[from]) {
		from++
	}
	return from
}

func isLetter(c byte) bool   { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) }

// hint says what to write in place of a character that has no meaning here. Chinese keyboards make the full-width ones.
func hint(r rune) string {
	switch r {
	case '=':
		return `an equality is written "=="`
	case '!':
		return `write "not"`
	case '&':
		return `write "and"`
	case '|':
		return `write "or"`
	case '+', '-', '*', '/', '%', '^':
		return "there is no arithmetic"
	case '.':
		return "a number starts with a digit, such as 0.5"
	case '`', '“', '”', '‘', '’', '「', '」', '＂', '＇':
		return `a text stands in " or '`
	case '≥':
		return `write ">="`
	case '≤':
		return `write "<="`
	case '≠':
		return `write "!="`
	case '（', '）', '，', '、', '【', '】', '［', '］', '＝', '＜', '＞', '！', '　':
		return "write the half-width (ASCII) form"
	}
	return "this character has no meaning here"
}
