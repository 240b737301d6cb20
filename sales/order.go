package sales

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// OrderID is an order's number in the database; what people call its number is Order.Number.
type OrderID int64

// OrderStatus is how far an order has got, or a word of the host's for it: see Options.OrderStatuses.
type OrderStatus string

// The states (rules.md, Orders and credit). Any may follow any: the host knows, and its sequence tells the order.
const (
	OrderPlaced    OrderStatus = "placed"
	OrderPaid      OrderStatus = "paid"
	OrderShipped   OrderStatus = "shipped"
	OrderCompleted OrderStatus = "completed"
	OrderCancelled OrderStatus = "cancelled"
)

var orderStatuses = []OrderStatus{OrderPlaced, OrderPaid, OrderShipped, OrderCompleted, OrderCancelled}

// bought tells whether an order in this state makes its customer won, and counts as spend.
func (s OrderStatus) bought() bool { return s == OrderPaid || s == OrderShipped || s == OrderCompleted }

// What one call of Record takes.
const (
	mostOrderLines   = 5_000   // of one order
	mostOrderRefunds = 1_000   // of one order
	mostReported     = 100_000 // lines and refunds together
)

// Order is an order of the host as its last report tells (mission.md, S9). Lengths are in characters. Amounts are in the
// tenant's currency, below 10^14 in size, with at most 4 decimals, and are kept as given.
type Order struct {
	ID          OrderID         `json:"id"`
	System      string          `json:"system,omitempty"`       // at most 50: the host's system; empty is a system of its own
	Number      string          `json:"number"`                 // at most 100, unique in the tenant and system
	Sequence    int64           `json:"sequence"`               // of the report, from 0; a later report of this order has a higher one
	CustomerID  customer.ID     `json:"customer_id"`            // never changes
	CustomerKey string          `json:"customer_key,omitempty"` // in a report, instead of CustomerID: its ExternalID in System
	Status      OrderStatus     `json:"status"`                 // needed
	Total       decimal.Decimal `json:"total"`                  // below 0 only when cancelled: a credit note, which counts nowhere
	OrderedAt   time.Time       `json:"ordered_at"`             // needed, not in the future
	ChangedAt   time.Time       `json:"changed_at,omitzero"`    // in a report: when it got into its status, not in the future; else the call's time
	Lines       []OrderLine     `json:"lines,omitempty"`        // at most 5,000
	Refunds     []OrderRefund   `json:"refunds,omitempty"`      // at most 1,000: all that there were so far
	CreatedAt   time.Time       `json:"created_at,omitzero"`    //
	CreatedBy   kernel.UserID   `json:"created_by,omitempty"`   //
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`    // of the last report that changed it
	UpdatedBy   kernel.UserID   `json:"updated_by,omitempty"`   //
}

// OrderLine is what was ordered. All numbers are the host's, and may be negative.
type OrderLine struct {
	Code      string          `json:"code,omitempty"` // at most 100: the host's article
	Name      string          `json:"name,omitempty"` // at most 200
	Quantity  decimal.Decimal `json:"quantity"`
	UnitPrice decimal.Decimal `json:"unit_price"`
	Amount    decimal.Decimal `json:"amount"`
}

// OrderRefund is money that went back.
type OrderRefund struct {
	At     time.Time       `json:"at"`     // needed, not in the future
	Amount decimal.Decimal `json:"amount"` // above 0
}

// OrderResult is what became of a report.
type OrderResult string

// The results.
const (
	OrderRecorded  OrderResult = "recorded"  // the order is as reported
	OrderUnchanged OrderResult = "unchanged" // the same report was there before
	OrderStale     OrderResult = "stale"     // a report with a higher sequence was there before: this one is in the history only
	OrderRefused   OrderResult = "refused"   // see OrderOutcome.Err
)

// LinesDiffer is the warning that an order's lines do not add up to its total.
const LinesDiffer kernel.Reason = "lines_differ"

// OrderOutcome is what became of one report.
type OrderOutcome struct {
	ID         OrderID         `json:"id,omitempty"` // 0 when the order belongs to another customer
	Result     OrderResult     `json:"result"`
	Warning    kernel.Reason   `json:"warning,omitempty"` // LinesDiffer; the host's total stands
	LinesTotal decimal.Decimal `json:"lines_total"`       // what the lines add up to
	Err        *kernel.Error   `json:"error,omitempty"`   // why it was refused
}

// OrderReport is a row of an order's history: one for each sequence that was reported.
type OrderReport struct {
	OrderID    OrderID         `json:"order_id"`
	Sequence   int64           `json:"sequence"`
	Status     OrderStatus     `json:"status"`
	Total      decimal.Decimal `json:"total"`
	OrderedAt  time.Time       `json:"ordered_at"`
	Hash       string          `json:"-"`               // of all that was reported
	Stale      bool            `json:"stale,omitempty"` // it changed nothing: a later one was there before it
	ReportedAt time.Time       `json:"reported_at"`
	ReportedBy kernel.UserID   `json:"reported_by"`
}

// OrderFilter says which orders a list has: all conditions hold together; an empty one is no condition.
type OrderFilter struct {
	Customer customer.ID
	Statuses []OrderStatus // our words
	From     time.Time     // ordered at this instant or later
	Until    time.Time     // ordered before this instant
}

// Spend is what a customer paid for in the trailing year: see Orders.Spend.
type Spend struct {
	CustomerID customer.ID     `json:"customer_id"`
	Orders     decimal.Decimal `json:"orders"`  // totals of orders that are paid, shipped or completed
	Refunds    decimal.Decimal `json:"refunds"` // of such orders, older ones too
	Net        decimal.Decimal `json:"net"`     // the difference, which may be negative
}

// Ref names the order in audit and events.
func (x *Order) Ref() kernel.Ref { return kernel.Ref{Kind: customer.OrderKind, ID: int64(x.ID)} }

// counts tells whether the order is one of those that the customer's facts count.
func (x *Order) counts() bool { return x.Status != OrderCancelled }

// orderDraft is what of a report is taken over, checked, in our words.
func (o Options) orderDraft(x *Order, now time.Time) (*Order, error) {
	d := &Order{
		System: x.System, Number: x.Number, Sequence: x.Sequence, CustomerID: x.CustomerID, CustomerKey: x.CustomerKey, Status: x.Status,
		Total: x.Total, OrderedAt: kernel.Instant(x.OrderedAt), ChangedAt: kernel.Instant(x.ChangedAt),
		Lines: slices.Clone(x.Lines), Refunds: slices.Clone(x.Refunds),
	}
	if ours, ok := o.OrderStatuses[string(x.Status)]; ok {
		d.Status = ours
	}
	err := kernel.FirstError(kernel.CheckLine("system", d.System, 50), kernel.CheckName("number", d.Number, 100), d.checkCustomer(),
		kernel.OneOf("status", d.Status, orderStatuses...), kernel.CheckAmount("total", d.Total), checkPast("ordered_at", d.OrderedAt, now, true),
		checkPast("changed_at", d.ChangedAt, now, false), d.checkLines(), d.checkRefunds(now))
	switch {
	case err != nil:
		return nil, err
	case d.Status == "":
		return nil, kernel.Invalid("status", kernel.Empty)
	case d.Sequence < 0:
		return nil, kernel.Invalidf("sequence", kernel.OutOfRange, "0 or more")
	case d.Total.IsNegative() && d.Status != OrderCancelled:
		return nil, kernel.Invalidf("total", kernel.OutOfRange, "negative only when it is cancelled")
	}
	return d, nil
}

func (x *Order) checkCustomer() error {
	switch {
	case x.CustomerID < 0:
		return kernel.Invalid("customer_id", kernel.Unknown)
	case x.CustomerID != 0 && x.CustomerKey != "":
		return kernel.Invalidf("customer_key", kernel.Malformed, "the id or the key, not both")
	case x.CustomerID != 0:
		return nil
	case x.CustomerKey == "":
		return kernel.Invalid("customer_id", kernel.Empty)
	case x.System == "":
		return kernel.Invalidf("system", kernel.Empty, "the customer's key is one of a system")
	}
	return kernel.CheckName("customer_key", x.CustomerKey, 100)
}

func checkPast(field string, t, now time.Time, needed bool) error {
	if err := kernel.CheckInstant(field, t); err != nil {
		return err
	}
	switch {
	case needed && t.IsZero():
		return kernel.Invalid(field, kernel.Empty)
	case t.After(now):
		return kernel.Invalid(field, kernel.InFuture)
	}
	return nil
}

func (x *Order) checkLines() error {
	if len(x.Lines) > mostOrderLines {
		return kernel.Invalidf("lines", kernel.TooMany, "at most %d", mostOrderLines)
	}
	for i := range x.Lines {
		l := &x.Lines[i]
		err := kernel.FirstError(kernel.CheckLine("code", l.Code, 100), kernel.CheckLine("name", l.Name, 200), kernel.CheckAmount("quantity", l.Quantity),
			kernel.CheckAmount("unit_price", l.UnitPrice), kernel.CheckAmount("amount", l.Amount))
		if err != nil {
			return nested("lines", i, err)
		}
	}
	return nil
}

func (x *Order) checkRefunds(now time.Time) error {
	if len(x.Refunds) > mostOrderRefunds {
		return kernel.Invalidf("refunds", kernel.TooMany, "at most %d", mostOrderRefunds)
	}
	for i := range x.Refunds {
		r := &x.Refunds[i]
		r.At = kernel.Instant(r.At)
		err := kernel.FirstError(checkPast("at", r.At, now, true), kernel.CheckAmount("amount", r.Amount))
		if err == nil && !r.Amount.IsPositive() {
			err = kernel.Invalidf("amount", kernel.OutOfRange, "must be above 0")
		}
		if err != nil {
			return nested("refunds", i, err)
		}
	}
	return nil
}

// nested names the row of an item that an error is about: lines[3].amount.
func nested(rows string, i int, err error) error {
	var e *kernel.Error
	if !errors.As(err, &e) {
		return err
	}
	placed := *e
	placed.Field = fmt.Sprintf("%s[%d].%s", rows, i, e.Field)
	return &placed
}

// linesTotal is what the lines add up to, and whether that is another amount than the total; no lines are no claim.
func (x *Order) linesTotal() (sum decimal.Decimal, differs bool) {
	for i := range x.Lines {
		sum = sum.Add(x.Lines[i].Amount)
	}
	return sum, len(x.Lines) > 0 && !sum.Equal(x.Total)
}

// hash is the same for two reports with the same content; the customer's id is known by now.
func (x *Order) hash() (string, error) {
	content := *x
	content.ID, content.CustomerKey = 0, ""
	text, err := json.Marshal(content)
	sum := sha256.Sum256(text)
	return base64.RawStdEncoding.EncodeToString(sum[:]), err
}

// head is the order without what hangs on it, for the journal.
func (x *Order) head() *Order {
	h := *x
	h.Lines, h.CustomerKey = nil, ""
	return &h
}
