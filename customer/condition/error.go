package condition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/openseas/crm/kernel"
)

// Field is the field of the errors of [Parse]. Callers that take several conditions put their own in its place.
const Field = "condition"

// SyntaxError is the cause of every error of [Parse]: where the text is wrong, and what would be right there.
type SyntaxError struct {
	Offset   int      // in bytes, from 0: where Found starts
	Column   int      // in characters, from 1: the same place, for people
	Found    string   // as it stands in the text; empty at its end, and where what is wrong is no single word
	Expected []string // what could stand there; may be empty
	Why      string   // a hint or the reason, for people; may be empty
}

// Error is a sentence that whoever wrote the text can act on.
func (e *SyntaxError) Error() string {
	var parts []string
	switch {
	case len(e.Expected) > 0:
		parts = append(parts, "expected "+either(e.Expected)+", found "+quoted(e.Found))
	case e.Found != "":
		parts = append(parts, "found "+quoted(e.Found))
	}
	if e.Why != "" {
		parts = append(parts, e.Why)
	}
	return "column " + strconv.Itoa(e.Column) + ": " + strings.Join(parts, "; ")
}

// either is "a", "a or b", "a, b or c".
func either(list []string) string {
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

func quoted(found string) string {
	switch {
	case found == "":
		return "the end"
	case found[0] == '"' || found[0] == '\'':
		return "the text " + found
	case strconv.CanBackquote(found): // it needs no escapes
		return `"` + found + `"`
	}
	return strconv.Quote(found)
}

func quoteAll(list []string) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = strconv.Quote(s)
	}
	return all
}

// refuse is an error of Parse about the place of e.Offset.
func refuse(text string, reason kernel.Reason, e *SyntaxError) error {
	e.Column = utf8.RuneCountInString(text[:e.Offset]) + 1
	err := kernel.Invalid(Field, reason)
	err.Err = e
	return err
}

// checkText refuses what need not be looked at word by word.
func checkText(text string) error {
	if len(text) > MaxBytes {
		at := MaxBytes
		for at > 0 && !utf8.RuneStart(text[at]) {
			at--
		}
		return refuse(text, kernel.TooLong, &SyntaxError{Offset: at, Why: fmt.Sprintf("a condition has at most %d bytes", MaxBytes)})
	}
	if strings.Trim(text, " ") == "" {
		return refuse(text, kernel.Empty, &SyntaxError{Why: "a condition is needed"})
	}
	err := kernel.CheckLine(Field, text, MaxBytes)
	if err == nil {
		return nil
	}
	for at := range text { // which character was it?
		_, size := utf8.DecodeRuneInString(text[at:])
		if bad, ok := errors.AsType[*kernel.Error](kernel.CheckLine(Field, text[at:at+size], 1)); ok {
			return refuse(text, bad.Reason, &SyntaxError{Offset: at, Found: text[at : at+size], Why: bad.Err.Error()})
		}
	}
	return err
}
