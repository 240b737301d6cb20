package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// Change is one thing that happened to a record. It becomes a row of the audit trail (before and after) and an event in
// the outbox, both in the transaction of the change itself.
type Change struct {
	Subject Ref    // whose order of events it belongs to: the customer if there is one
	Seq     int64  // its place in that order, where the writer has raised the seq of the subject's row; 0 lets the journal raise it
	Ref     Ref    // the record that changed
	Type    string // "customer.updated", "contact.created", …
	Before  any    // rendered as JSON; nil when it was made
	After   any    // rendered as JSON; nil when it is gone
}

// Journal writes changes in the transaction of what they tell about.
type Journal interface {
	// Record must write an audit row and an event for each change, in a fixed number of statements.
	Record(ctx context.Context, a Actor, at time.Time, changes ...Change) error
}

// AuditEntry is a row of the audit trail as it is read back.
type AuditEntry struct {
	ID      int64           `json:"id"`
	Subject Ref             `json:"subject"`
	Ref     Ref             `json:"ref"`
	Type    string          `json:"type"`
	Actor   UserID          `json:"actor"`
	Reason  string          `json:"reason,omitempty"`  // of a system actor
	Request string          `json:"request,omitempty"` // Actor.Request
	At      time.Time       `json:"at"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
	Masked  bool            `json:"masked,omitempty"` // it is about what lies in a pool, and a person reads it
}

// Event is a row of the outbox as it is read back. Events of one subject are delivered in the order of Seq.
type Event struct {
	ID      int64           `json:"id"`
	Subject Ref             `json:"subject"`
	Seq     int64           `json:"seq"`
	Ref     Ref             `json:"ref"`
	Type    string          `json:"type"`
	Actor   UserID          `json:"actor"`
	Request string          `json:"request,omitempty"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data,omitempty"`   // what the change made of the record
	Masked  bool            `json:"masked,omitempty"` // it is about what lies in a pool, and a person reads it
}

// Diff leaves of two states of one record what differs, as maps by JSON name, for [Change.Before] and [Change.After].
// Both are nil when nothing does.
func Diff(before, after any) (was, is map[string]any) {
	old, now := fields(before), fields(after)
	for name, value := range now {
		if bytes.Equal(old[name], value) {
			continue
		}
		if is == nil {
			was, is = map[string]any{}, map[string]any{}
		}
		is[name] = value
		if v, had := old[name]; had {
			was[name] = v
		}
	}
	for name, value := range old {
		if _, has := now[name]; has {
			continue
		}
		if is == nil {
			was, is = map[string]any{}, map[string]any{}
		}
		was[name], is[name] = value, nil
	}
	return was, is
}

func fields(v any) map[string]json.RawMessage {
	raw := map[string]json.RawMessage{}
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &raw)
	}
	if err != nil { // our own structs: a bug, not an outcome
		panic("crm: " + err.Error())
	}
	return raw
}
