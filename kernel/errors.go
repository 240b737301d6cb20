package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Code says what kind of failure it is, for programs. A code is itself a constant error, so errors.Is(err, ErrNotFound)
// needs no mutable sentinel, and errors.AsType[Code](err) reads the code back.
type Code string

// The codes. Every error that the library makes carries exactly one.
const (
	ErrNotFound       Code = "not_found"       // it does not exist, or lies outside what the actor may see
	ErrConflict       Code = "conflict"        // a unique value is taken, or the row has changed since it was read
	ErrInvalid        Code = "invalid"         // the input can never be accepted; nothing was written
	ErrDenied         Code = "denied"          // the actor lacks the permission
	ErrRefused        Code = "refused"         // a business rule says no, as things stand now
	ErrRetry          Code = "retry"           // nothing was written; the same call may succeed
	ErrUnknownOutcome Code = "unknown_outcome" // the connection broke at the commit: ask again with the same Actor.Request
)

// Error is the code's own name.
func (c Code) Error() string { return string(c) }

// Reason says why, in one stable word for programs ("taken", "stale", "too_long"). Like [Code] it is a constant error:
// errors.Is(err, pool.Taken) holds for a refused claim of a customer that somebody owns.
type Reason string

// Reasons that every module uses. Modules add their own.
const (
	Empty      Reason = "empty"        // a value is needed
	TooLong    Reason = "too_long"     // more characters than the field takes
	TooMany    Reason = "too_many"     // more items than a call takes, or than a rule allows
	BadText    Reason = "bad_text"     // invalid UTF-8, a NUL byte, a control or a bidirectional override character
	Unknown    Reason = "unknown"      // not one of the values that the field takes
	OutOfRange Reason = "out_of_range" // a number, an amount or a time outside the field's range
	Malformed  Reason = "malformed"    // it does not have the form that the field takes
	Duplicate  Reason = "duplicate"    // another record, or another item of the same call, has this value
	Stale      Reason = "stale"        // the record has changed since it was read; see [StaleError]
	InFuture   Reason = "in_future"    // an instant that has not come yet
	ReadOnly   Reason = "read_only"    // this field changes through a use case of its own
	Reused     Reason = "reused"       // Actor.Request was used before, for other content
	OwnCommits Reason = "own_commits"  // the call commits in batches and cannot run inside a host's transaction
	InUse      Reason = "in_use"       // something else still refers to it
	Cycle      Reason = "cycle"        // it would become its own ancestor
	NotAMember Reason = "not_a_member" // the actor is no active member of the tenant
)

// Error is the reason's own name.
func (r Reason) Error() string { return string(r) }

// Error says what went wrong, where, and why.
type Error struct {
	Code   Code
	Op     string // the use case, such as "customer.Create"; set once, at the boundary
	Field  string // the field in the host's words, such as "name"; empty where no field is at fault
	Index  int    // of the item, from 0, in a call that takes many; see Item
	Reason Reason // empty where the code says all
	Err    error  // the cause, for people

	many bool
}

// Invalid is an error about a field of the input.
func Invalid(field string, why Reason) *Error {
	return &Error{Code: ErrInvalid, Field: field, Reason: why}
}

// Invalidf is Invalid with a sentence for people.
func Invalidf(field string, why Reason, format string, args ...any) *Error {
	return &Error{Code: ErrInvalid, Field: field, Reason: why, Err: fmt.Errorf(format, args...)}
}

// At names the item, from 0, that an error is about, in a call that takes many. Errors that are no *Error come back as they are.
func At(index int, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	placed := *e
	placed.Index, placed.many = index, true
	return &placed
}

// Single takes the item's index off again, for a call of one that is made of a call of many.
func Single(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	single := *e
	single.Index, single.many = 0, false
	return &single
}

// Item is the index of the item at fault; false when the call took one, or when no single item is at fault.
func (e *Error) Item() (index int, ok bool) { return e.Index, e.many }

// Error is one line: operation, code, reason, field with the item's index, cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(string(e.Code))
	if e.Reason != "" {
		b.WriteString(" " + string(e.Reason))
	}
	switch {
	case e.Field != "" && e.many:
		b.WriteString(" (" + e.Field + " of item " + strconv.Itoa(e.Index) + ")")
	case e.Field != "":
		b.WriteString(" (" + e.Field + ")")
	case e.many:
		b.WriteString(" (item " + strconv.Itoa(e.Index) + ")")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives errors.Is the code, the reason and the cause.
func (e *Error) Unwrap() []error {
	all := []error{e.Code}
	if e.Reason != "" {
		all = append(all, e.Reason)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// StaleError is the cause of a conflict with reason [Stale]: the caller changed a version that is no longer the last.
type StaleError struct {
	Given   int64 // the version that the caller had read
	Current int64 // the version that the record has now
}

// Error names both versions.
func (e *StaleError) Error() string {
	return fmt.Sprintf("version %d was changed meanwhile, it is now %d", e.Given, e.Current)
}

// StaleVersion is the conflict of an update that names another version than the record has.
func StaleVersion(given, current int64) *Error {
	return &Error{Code: ErrConflict, Field: "version", Reason: Stale, Err: &StaleError{given, current}}
}

// Taken is the conflict of a unique field whose value another record has.
func Taken(field string) *Error {
	return &Error{Code: ErrConflict, Field: field, Reason: Duplicate}
}

// Wrap names the operation, once: use cases call it where they return to the host.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // only an error of our own on top can take the name; what is wrapped has one
		if e.Op != "" {
			return err
		}
		named := *e
		named.Op = op
		return &named
	}
	if code, ok := err.(Code); ok { //nolint:errorlint // likewise
		return &Error{Code: code, Op: op}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// FirstError is the first error that is not nil: a list of checks reads as one.
func FirstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wireError is an error in the outcome that a request left: what programs act upon, and the cause as text.
type wireError struct {
	Code   Code   `json:"code"`
	Field  string `json:"field,omitempty"`
	Index  *int   `json:"index,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

// MarshalJSON keeps what programs act upon, and the cause as text.
func (e *Error) MarshalJSON() ([]byte, error) {
	w := wireError{Code: e.Code, Field: e.Field, Reason: e.Reason}
	if e.many {
		w.Index = &e.Index
	}
	if e.Err != nil {
		w.Cause = e.Err.Error()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Error) UnmarshalJSON(text []byte) error {
	var w wireError
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*e = Error{Code: w.Code, Field: w.Field, Reason: w.Reason}
	if w.Index != nil {
		e.Index, e.many = *w.Index, true
	}
	if w.Cause != "" {
		e.Err = errors.New(w.Cause)
	}
	return nil
}
