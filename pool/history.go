package pool

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// History is all that was written down about one record, as far as rules read it.
type History struct {
	ID           int64
	Facts        condition.Facts // as they are now; the clocks, orders and spend in it are not asked for
	Deleted      bool            // it is now
	Operations   []PastOperation // in the order in which they were written
	Interactions []PastInteraction
	Orders       []PastOrder
	Changes      []PastChange // in the order in which they were written
}

// PastOperation is a line of the operation log.
type PastOperation struct {
	At     time.Time
	Action customer.Action
	To     kernel.UserID
	Pool   ID
	Rule   RuleID
	Text   string // the rule's name and condition, as they were
}

// PastInteraction is an interaction that was not deleted. A run before Known did not know of it.
type PastInteraction struct {
	At, Known time.Time
	Followup  bool
}

// PastOrder is an order that was not cancelled.
type PastOrder struct {
	At, Known time.Time
	Amount    decimal.Decimal
	Paid      bool // it counts as spend
}

// PastChange is a row of the audit trail about the record itself.
type PastChange struct {
	At            time.Time
	Type          string
	Before, After json.RawMessage
}

// Membership says that the rules of a pool apply to what a member owns.
type Membership struct {
	Pool  ID
	User  kernel.UserID
	Until time.Time // it left then; zero: it has not
}

// HistoryRepository reads what the simulator replays. It writes nothing and locks nothing.
type HistoryRepository interface {
	// Count must count the records beyond an id, the deleted ones too.
	Count(ctx context.Context, t kernel.TenantID, after int64) (int, error)
	// Histories must return the next records beyond an id in the order of their ids, deleted ones too: at most a number, and
	// fewer where what is written about them would be too much to hold at once, but at least one while there is any. A record
	// must be read before what was written about it.
	Histories(ctx context.Context, t kernel.TenantID, after int64, atMost int) ([]History, error)
	// Memberships must return which of the members belong to which of the pools, those too that have left since.
	Memberships(ctx context.Context, t kernel.TenantID, pools []ID, users []kernel.UserID) ([]Membership, error)
}

// pastFields are the facts that the audit trail tells the history of.
type pastFields struct {
	level, standing, stage, kind, industry, source, region string
	potential                                              decimal.NullDecimal
	deleted                                                bool
}

func (h *History) fields() pastFields {
	f := h.Facts
	return pastFields{f.Level, f.Standing, f.Stage, f.Type, f.Industry, f.Source, f.Region, f.Potential, h.Deleted}
}

// set gives a field the value that the trail tells; nil is none. Other names mean nothing to rules.
func (p *pastFields) set(name string, raw json.RawMessage) error {
	text := func(to *string) error {
		*to = ""
		return decode(raw, to)
	}
	switch name {
	case "level":
		return text(&p.level)
	case "standing":
		return text(&p.standing)
	case "stage":
		return text(&p.stage)
	case "type":
		return text(&p.kind)
	case "industry":
		return text(&p.industry)
	case "source":
		return text(&p.source)
	case "region":
		return text(&p.region)
	case "annual_potential":
		p.potential = decimal.NullDecimal{}
		return decode(raw, &p.potential)
	case "deleted_at", "closed_at": // the one of customers, the other of leads
		p.deleted = isThere(raw)
	}
	return nil
}

func (p *pastFields) into(f *condition.Facts) {
	f.Level, f.Standing, f.Stage, f.Type = p.level, p.standing, p.stage, p.kind
	f.Industry, f.Source, f.Region, f.Potential = p.industry, p.source, p.region, p.potential
}

func isThere(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func decode(raw json.RawMessage, to any) error {
	if !isThere(raw) {
		return nil
	}
	return json.Unmarshal(raw, to)
}

// past is a change of the record, read.
type past struct {
	at            time.Time
	made          json.RawMessage // what it was made as
	before, after map[string]json.RawMessage
}

// read decodes the changes of the record's own fields.
func (h *History) read(k Kind) (all []past, err error) {
	for _, c := range h.Changes {
		p := past{at: c.At}
		switch {
		case c.Type == string(k)+".created":
			p.made = c.After
		case !strings.HasPrefix(c.Type, string(k)+"."): // such as what a host reports, which may call its fields as it likes
			continue
		default:
			if err := kernel.FirstError(decode(c.Before, &p.before), decode(c.After, &p.after)); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// begin is how the fields were at first: from now on backwards, each change is undone.
func (h *History) begin(changes []past) (pastFields, error) {
	f := h.fields()
	for _, c := range slices.Backward(changes) {
		for name := range c.after {
			if err := f.set(name, c.before[name]); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// stated is what a first sync says of the ownership that a record begins with.
type stated struct {
	OwnedSince      time.Time `json:"owned_since"`
	FirstFollowupAt time.Time `json:"first_followup_at"`
	LastFollowupAt  time.Time `json:"last_followup_at"`
}
