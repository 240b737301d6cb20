package customer

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// The kinds of timeline entries besides InteractionKind.
const (
	OperationKind = "operation" // a line of the operation log
	OrderKind     = "order"
)

// Entry is one line of a customer's timeline: an interaction, a step of its ownership, or an order. The fields that a
// kind does not have are empty.
type Entry struct {
	At      time.Time           `json:"at"`
	Ref     kernel.Ref          `json:"ref"`                  // its kind is InteractionKind, OperationKind or OrderKind
	By      kernel.UserID       `json:"by"`                   // the staff of an interaction; else who did it
	What    string              `json:"what"`                 // the interaction's type, the operation's action, the order's status
	Subject string              `json:"subject,omitempty"`    // of an interaction; the rule or reason of an operation; the order's number
	Amount  decimal.NullDecimal `json:"amount"`               // of an order
	From    kernel.UserID       `json:"from_owner,omitempty"` // of an operation
	To      kernel.UserID       `json:"to_owner,omitempty"`   // of an operation
}

// Rank is the place of the entry's kind among entries of one instant: interactions, which mean most, are the newest.
func (e Entry) Rank() int64 {
	switch e.Ref.Kind {
	case InteractionKind:
		return 3
	case OperationKind:
		return 2
	default:
		return 1
	}
}

// Timeline returns a page of what happened to a customer, newest first: interactions, steps of its ownership, orders.
// What happens between two pages neither repeats nor hides an older entry.
func (s *Service) Timeline(ctx context.Context, a kernel.Actor, id ID, p kernel.Page) (kernel.List[Entry], error) {
	const op = "customer.Timeline"
	w, err := openByTime(p, "timeline", 3)
	if err != nil {
		return kernel.List[Entry]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[Entry], error) {
		of, err := visible(ctx, c, id)
		if err != nil {
			return kernel.List[Entry]{}, err
		}
		found, err := c.Tx.Customers().Timeline(ctx, a.Tenant, id, w)
		if !c.Rights.System && customerInPool(of) {
			for i := range found {
				found[i].mask()
			}
		}
		return kernel.Cut("timeline", w, found, func(e Entry) []int64 { return []int64{e.At.UnixMicro(), e.Rank(), e.Ref.ID} }), err
	})
}

// openByTime opens a page of a list whose first key is an instant in microseconds. A forged cursor is refused here: the
// engines have errors of their own for times that they cannot keep.
func openByTime(p kernel.Page, list string, keys int) (kernel.Window, error) {
	w, err := p.Open(list, keys)
	if err == nil && len(w.After) > 0 && kernel.CheckInstant("after", time.UnixMicro(w.After[0]).UTC()) != nil {
		err = kernel.Invalid("after", kernel.Malformed)
	}
	return w, err
}
