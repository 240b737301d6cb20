package team

import (
	"fmt"
	"strings"
	"time"

	"github.com/openseas/crm/kernel"
)

// NotDead refuses to retry or to skip an event that is no dead letter.
const NotDead kernel.Reason = "not_dead"

// DeliveredKept is how long [Relay.Purge] keeps what was delivered, unless it is told otherwise.
const DeliveredKept = 7 * 24 * time.Hour

// RelayOptions may be nil, and so may each field. There is no filter by type: an event that is left out would hold up its
// subject, or be overtaken. A handler returns nil for what does not concern it.
type RelayOptions struct {
	// Batch is how many events are leased in one transaction, 1 to 1,000, and so how many are delivered again at most when
	// the process dies. Defaults to 100.
	Batch int
	// Lease is how long others leave leased events alone, 1 second to 1 hour. It is renewed before a call of the handler
	// when less than half of it is left; the handler's context ends with it. Defaults to 30 seconds.
	Lease time.Duration
	// Backoff says when a failed event is due again. The zero value is DefaultBackoff.
	Backoff Backoff
	// Most ends the call after so many calls of the handler, for a host with many tenants. Defaults to 0: it ends when
	// nothing is due.
	Most int
	// From begins after a subject: what RelayReport.Next of a call that Most ended says, so that all have their turn.
	From kernel.Ref
}

// Backoff is when a failed event is due again: First after its first failure, then twice as long each time, up to Longest;
// after so many Attempts it is dead.
type Backoff struct {
	First    time.Duration `json:"first"`    // 1 millisecond to 1 hour
	Longest  time.Duration `json:"longest"`  // First to 30 days
	Attempts int           `json:"attempts"` // 1 to 1,000
}

// DefaultBackoff tries sixteen times within seven and a half hours.
func DefaultBackoff() Backoff {
	return Backoff{First: 10 * time.Second, Longest: time.Hour, Attempts: 16}
}

// After is what becomes of an event that failed so many times.
func (b Backoff) After(failures int) (wait time.Duration, dead bool) {
	if failures >= b.Attempts {
		return 0, true
	}
	wait = b.First
	for n := 1; n < failures && wait < b.Longest; n++ {
		wait *= 2
	}
	return min(wait, b.Longest), false
}

func (b Backoff) check() error {
	switch {
	case b.First < time.Millisecond || b.First > time.Hour:
		return kernel.Invalidf("backoff.first", kernel.OutOfRange, "1 millisecond to 1 hour")
	case b.Longest < b.First || b.Longest > 30*24*time.Hour:
		return kernel.Invalidf("backoff.longest", kernel.OutOfRange, "first to 30 days")
	case b.Attempts < 1 || b.Attempts > 1_000:
		return kernel.Invalidf("backoff.attempts", kernel.OutOfRange, "1 to 1,000")
	}
	return nil
}

// filled is the options with their defaults, checked.
func (o *RelayOptions) filled() (RelayOptions, error) {
	var f RelayOptions
	if o != nil {
		f = *o
	}
	if f.Batch == 0 {
		f.Batch = 100
	}
	if f.Lease == 0 {
		f.Lease = 30 * time.Second
	}
	if f.Backoff == (Backoff{}) {
		f.Backoff = DefaultBackoff()
	}
	switch {
	case f.Batch < 1 || f.Batch > 1_000:
		return f, kernel.Invalidf("batch", kernel.OutOfRange, "1 to 1,000")
	case f.Lease < time.Second || f.Lease > time.Hour:
		return f, kernel.Invalidf("lease", kernel.OutOfRange, "1 second to 1 hour")
	case f.Most < 0:
		return f, kernel.Invalidf("most", kernel.OutOfRange, "0 is no limit")
	}
	return f, kernel.FirstError(f.Backoff.check(), kernel.CheckLine("from", f.From.Kind, 100))
}

// RelayReport is what one call of [Relay.Deliver] did.
type RelayReport struct {
	Delivered int            `json:"delivered"`          // and marked so
	Failed    int            `json:"failed"`             // by the handler, the dead ones included
	Dead      int            `json:"dead"`               // failed for the last time
	Lost      int            `json:"lost"`               // the handler was called, but the lease ran out: another call delivers them again
	Failures  []RelayFailure `json:"failures,omitempty"` // at most 100
	Next      kernel.Ref     `json:"next"`               // for RelayOptions.From, when Most ended the call
}

// RelayFailure is an event that the handler did not take.
type RelayFailure struct {
	Event    kernel.Event `json:"event"`
	Attempts int          `json:"attempts"` // this one included
	Dead     bool         `json:"dead"`
	Due      time.Time    `json:"due,omitzero"` // when it is tried again
	Err      error        `json:"-"`            // what the handler returned, or a *PanicError
}

// DeadLetter is an event that failed for the last time. Until [Relay.Retry] or [Relay.Skip] no later event of its subject
// is delivered.
type DeadLetter struct {
	kernel.Event

	Attempts  int       `json:"attempts"`
	LastError string    `json:"last_error"` // at most 500 characters
	DiedAt    time.Time `json:"died_at"`
}

// Backlog is how far deliveries are behind.
type Backlog struct {
	Events   int       `json:"events"`          // undelivered, dead letters and what they hold up included
	Subjects int       `json:"subjects"`        // that have such events
	Dead     int       `json:"dead"`            // dead letters
	Oldest   time.Time `json:"oldest,omitzero"` // when the oldest undelivered event happened; zero: none waits
	Capped   bool      `json:"capped"`          // a number is MaxBacklog and may be more; Oldest is that of the subjects that were looked at
}

// MaxBacklog is how far [Relay.Backlog] counts.
const MaxBacklog = 10_000

// PanicError is a panic of a handler, which counts as its error.
type PanicError struct {
	Value any
	Stack []byte
}

// Error is what the handler panicked with, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.Value) }

// Unwrap is the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// asText is an error as a column keeps it.
func asText(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "?"), "\x00", "?")
	if runes := []rune(text); len(runes) > 500 {
		text = string(runes[:500])
	}
	return text
}
