package sales

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// PaymentID is a payment's number in the database; what people call its number is Payment.Number.
type PaymentID int64

// PaymentKind is how references name payments.
const PaymentKind = "payment"

// The reasons of refusals of payments, invoices and change orders. Those of amounts are in package calc.
const (
	BelowSettled    kernel.Reason = "below_settled"    // the contract would come to less than what was received or invoiced
	AlreadyReversed kernel.Reason = "already_reversed" // a payment is reversed once, and what reverses one is not
)

// Payment is money that came for a contract, or went back (seed 003, crm_payment_record; mission.md, S8). It never changes: a
// wrong one is reversed by its mirror. Lengths are in characters.
type Payment struct {
	ID             PaymentID       `json:"id"`
	Number         string          `json:"number"`      // made: HK202611220001
	ContractID     ContractID      `json:"contract_id"` //
	CustomerID     customer.ID     `json:"customer_id"` // the contract's
	Place          int             `json:"place"`       // among the payments of its contract, from 1, in the order in which they were recorded
	PlanID         PlanID          `json:"plan_id,omitempty"`
	Date           kernel.Date     `json:"date"`                      // when the money came; today in the tenant's zone when empty; not in the future
	Amount         decimal.Decimal `json:"amount"`                    // not 0, negative when it went back, with no more decimals than the currency has
	Currency       string          `json:"currency"`                  // the contract's, and so it is when empty
	Method         string          `json:"method,omitempty"`          // at most 50: transfer, cash, …
	FileURL        string          `json:"file_url,omitempty"`        // at most 500: the bank's voucher
	Remark         string          `json:"remark,omitempty"`          // at most 1,000
	ExternalSystem string          `json:"external_system,omitempty"` // at most 50: with ExternalID the host's own key, unique in the tenant
	ExternalID     string          `json:"external_id,omitempty"`     // at most 100
	ReversesID     PaymentID       `json:"reverses_id,omitempty"`     // the payment whose mirror it is
	CreatedAt      time.Time       `json:"created_at"`
	CreatedBy      kernel.UserID   `json:"created_by"`
	Allocations    []Allocation    `json:"allocations,omitempty"` // what it pays, as all payments of the contract stand now; lists leave it out
	Masked         bool            `json:"masked,omitempty"`      // its customer lies in a pool, and a person reads it: the remark is hidden
}

// Allocation is how much of a payment pays an instalment; of a refund it is negative. What a payment does not allocate is
// credit of the contract, or was taken from it.
type Allocation struct {
	PlanID PlanID          `json:"plan_id"`
	Amount decimal.Decimal `json:"amount"`
}

// PaymentOutcome is what became of one of many payments.
type PaymentOutcome struct {
	ID       PaymentID     `json:"id,omitempty"`
	Number   string        `json:"number,omitempty"`
	Repeated bool          `json:"repeated,omitempty"` // its key was there already, with the same content: nothing was written
	Err      *kernel.Error `json:"err,omitempty"`
}

// PaymentFilter says which payments a list has: all conditions hold together; an empty one is no condition.
type PaymentFilter struct {
	Contract ContractID  // all of one contract, for those who may see it
	Customer customer.ID // all of one customer, whoever owns the contracts, for those who may see the customer
	From, To kernel.Date // by Payment.Date, both included; without contract and customer a From is needed
}

// mostPayments bounds the payments of one contract: all of them are replayed when one is recorded.
const mostPayments = 10_000

// Ref names the payment in audit and events.
func (p *Payment) Ref() kernel.Ref { return kernel.Ref{Kind: PaymentKind, ID: int64(p.ID)} }

func (p *Payment) check() error {
	err := kernel.FirstError(whole(p), p.Date.Check("date"), kernel.CheckAmount("amount", p.Amount), kernel.CheckLine("currency", p.Currency, 3),
		kernel.CheckLine("method", p.Method, 50), kernel.CheckLine("file_url", p.FileURL, 500), kernel.CheckText("remark", p.Remark, 1_000),
		kernel.CheckLine("external_system", p.ExternalSystem, 50), kernel.CheckLine("external_id", p.ExternalID, 100))
	switch {
	case err != nil:
		return err
	case p.ContractID <= 0:
		return kernel.Invalid("contract_id", kernel.Empty)
	case p.Amount.IsZero():
		return kernel.Invalid("amount", calc.ZeroPayment)
	case p.ExternalSystem != "" && p.ExternalID == "":
		return kernel.Invalid("external_id", kernel.Empty)
	case p.ExternalID != "" && p.Date == "":
		return kernel.Invalidf("date", kernel.Empty, "what is imported has a date of its own")
	}
	return nil
}

// same tells whether two payments of one key are one.
func (p *Payment) same(q *Payment) bool {
	return p.ContractID == q.ContractID && p.PlanID == q.PlanID && p.Date == q.Date && p.Amount.Equal(q.Amount) && p.Method == q.Method &&
		p.FileURL == q.FileURL && p.Remark == q.Remark
}

// Figures are what a contract has come to (quote-to-cash.md §3.5), in its currency.
type Figures struct {
	Total              decimal.Decimal `json:"total"`
	Received           decimal.Decimal `json:"received"`
	Credit             decimal.Decimal `json:"credit"`              // received, and not allocated to an instalment
	Receivable         decimal.Decimal `json:"receivable"`          // total less received; negative while there is credit beyond it
	Outstanding        decimal.Decimal `json:"outstanding"`         // what is not paid of the instalments
	Invoiced           decimal.Decimal `json:"invoiced"`            // of invoices that are issued and not void, less the red ones
	InvoicedUnreceived decimal.Decimal `json:"invoiced_unreceived"` // never negative
	ReceivedUninvoiced decimal.Decimal `json:"received_uninvoiced"` // never negative
}

// Figures are computed from what the contract keeps.
func (x *Contract) Figures() Figures {
	gap := x.Invoiced.Sub(x.Received)
	return Figures{
		Total: x.GrandTotal, Received: x.Received, Credit: x.Credit, Receivable: x.GrandTotal.Sub(x.Received), Outstanding: x.outstanding(),
		Invoiced: x.Invoiced, InvoicedUnreceived: decimal.Max(gap, decimal.Zero), ReceivedUninvoiced: decimal.Max(gap.Neg(), decimal.Zero),
	}
}

func (x *Contract) outstanding() decimal.Decimal { return x.GrandTotal.Sub(x.Received).Add(x.Credit) }

// fulfilled tells that nothing is left to pay or to invoice.
func (x *Contract) fulfilled() bool {
	return x.outstanding().IsZero() && x.Invoiced.Equal(x.GrandTotal)
}

// conclude completes a signed contract that is fulfilled, and makes a completed one signed again that was and is no more. The
// event is empty when neither is so.
func (x *Contract) conclude(was *Contract, today kernel.Date) (event string) {
	switch {
	case x.Status == ContractSigned && x.fulfilled():
		x.Status, x.EndedOn = ContractCompleted, today
		return "contract.completed"
	case x.Status == ContractCompleted && was.fulfilled() && !x.fulfilled():
		x.Status, x.EndedOn = ContractSigned, ""
		return "contract.reopened"
	}
	return ""
}

// takesMoney refuses what is done with a contract in a state that has it not: money comes and invoices are made when it is
// signed, or approved where an option says so; what goes back may do so later, too.
func (x *Contract) takesMoney(action string, back, approved bool) error {
	states := []ContractStatus{ContractSigned}
	if approved {
		states = append(states, ContractApproved)
	}
	if back {
		states = append(states, ContractApproved, ContractTerminated, ContractCompleted)
	}
	return contractTransition(x, action, states...)
}

// untouched refuses to take a contract back for which money came or an invoice was made.
func (x *Contract) untouched() error {
	if x.Received.IsZero() && x.Invoiced.IsZero() {
		return nil
	}
	return &kernel.Error{Code: kernel.ErrRefused, Field: "status", Reason: BelowSettled}
}

// settlement is what all payments of the contract do to its instalments. They are replayed by date and place: ids come in
// blocks to each process, so of two payments of one day the later one may have the smaller id.
func (x *Contract) settlement(payments []*Payment, over calc.Overpaid) (calc.Settlement, error) {
	plans := make([]calc.Instalment, len(x.Plans))
	for i, p := range x.Plans {
		plans[i] = calc.Instalment{ID: int64(p.ID), Date: p.Date, Amount: p.Amount}
	}
	all := make([]calc.Payment, len(payments))
	for i, p := range payments {
		all[i] = calc.Payment{ID: int64(p.Place), Date: p.Date, Amount: p.Amount, Plan: int64(p.PlanID)}
	}
	return calc.Replay(calc.Currency(x.Currency), plans, all, over)
}

// settle gives instalments, contract and payments what the payments come to.
func (x *Contract) settle(payments []*Payment, over calc.Overpaid) error {
	s, err := x.settlement(payments, over)
	if err != nil {
		return err
	}
	x.Received, x.Credit = s.Received, s.Unallocated
	x.Plans = slices.Clone(x.Plans)
	for i := range x.Plans {
		x.Plans[i].Paid, x.Plans[i].Status = s.Plans[i].Paid, s.Plans[i].Status
	}
	at := make(map[int64]*Payment, len(payments))
	for _, p := range payments {
		at[int64(p.Place)], p.Allocations = p, nil
	}
	for _, a := range s.Allocations {
		p := at[a.Payment]
		p.Allocations = append(p.Allocations, Allocation{PlanID(a.Plan), a.Amount})
	}
	for _, p := range payments {
		slices.SortFunc(p.Allocations, func(a, b Allocation) int { return cmp.Compare(a.PlanID, b.PlanID) })
	}
	return nil
}
