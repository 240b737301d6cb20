package storage

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Finding is a row that breaks an invariant, or that says something else than what is counted again from others.
type Finding struct {
	Check    string     `json:"check"`         // the invariant: "places", "owner_log", … (docs/verify.md lists them)
	Ref      kernel.Ref `json:"ref"`           // the record; without an id where its key is a text
	Key      string     `json:"key,omitempty"` // the user of a counter, else empty
	Expected string     `json:"expected"`      // what other rows say
	Found    string     `json:"found"`         // what this row says
}

// Mark is a place in a walk: the key of a row. The zero value is before the first one.
type Mark struct {
	Text   string
	Number int64
}

// Look is one page of a walk that is looked at.
type Look struct {
	Section string
	After   Mark // rows behind this one
	UpTo    Mark // up to this one, and with it
	// The day by which today's claims are counted: its date in the tenant's zone, its first instant and that of the next one.
	Today       kernel.Date
	Start, Next time.Time
}

// Section is a table that is walked, with the checks that its rows go through.
type Section struct {
	Name   string
	Checks []string
}

// VerifyRepository counts again what is kept twice. It only reads.
type VerifyRepository interface {
	// Sections must return what is walked, in the order in which it is.
	Sections() []Section
	// Page must return the key of the last of at most a number of rows of a section behind a mark, in the order of their
	// keys, and how many rows these are: none at the end.
	Page(ctx context.Context, t kernel.TenantID, section string, after Mark, atMost int) (last Mark, rows int, err error)
	// Findings must return what is wrong with the rows of a page. Each check must be one statement, so that what is written
	// meanwhile is seen whole or not at all.
	Findings(ctx context.Context, t kernel.TenantID, l Look) ([]Finding, error)
}
