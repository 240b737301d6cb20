package calc

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
)

// Instalment is one line of a payment plan.
type Instalment struct {
	ID     int64           `json:"id"`
	Date   kernel.Date     `json:"date"`   // when it is due
	Amount decimal.Decimal `json:"amount"` // above 0
}

// Payment is money that came, or went back if it is negative. A wrong one is corrected by its mirror, and never deleted.
type Payment struct {
	ID     int64           `json:"id"`
	Date   kernel.Date     `json:"date"`
	Amount decimal.Decimal `json:"amount"`         // not 0
	Plan   int64           `json:"plan,omitempty"` // the instalment that it is meant for; 0: none in particular
}

// Overpaid says what becomes of money beyond what the contract comes to.
type Overpaid string

// The policies. The default is CreditOverpayment.
const (
	CreditOverpayment Overpaid = "credit" // kept as the customer's credit (预收)
	RejectOverpayment Overpaid = "reject" // refused, with the reason Overpayment
)

// PlanStatus tells how much of an instalment is paid.
type PlanStatus int

// The statuses, as seed 003 numbers them.
const (
	Unpaid     PlanStatus = 1
	PartlyPaid PlanStatus = 2
	Paid       PlanStatus = 3
)

// InstalmentState is what is paid of an instalment.
type InstalmentState struct {
	ID          int64           `json:"id"`
	Paid        decimal.Decimal `json:"paid"`
	Outstanding decimal.Decimal `json:"outstanding"`
	Status      PlanStatus      `json:"status"`
}

// Allocation is how much of a payment went to an instalment; of a refund it is negative.
type Allocation struct {
	Payment int64           `json:"payment"`
	Plan    int64           `json:"plan"`
	Amount  decimal.Decimal `json:"amount"`
}

// Settlement is what all payments of a contract do to its plan. Allocations and Unallocated add up to Received; paid and
// outstanding of all instalments to the plan.
type Settlement struct {
	Plans       []InstalmentState `json:"plans"` // in the order given
	Allocations []Allocation      `json:"allocations"`
	Received    decimal.Decimal   `json:"received"`
	Unallocated decimal.Decimal   `json:"unallocated"` // the customer's credit, never negative
	Outstanding decimal.Decimal   `json:"outstanding"`
}

// Replay pays a plan with all payments of a contract, in the order of their dates and ids, whatever order they are given in:
// so a payment that is entered late, or corrected, changes what those after it paid (quote-to-cash.md §3.3). Money goes to
// the instalment that it names, then to the earliest due; what is left is credit. A refund takes from the credit, then from
// the instalment that it names, then from the latest due.
//
// Errors, with the index of the instalment or the payment: ZeroPayment, InstallmentSign, Scale, AmountOverflow, Unknown (the
// plan has no such instalment), Duplicate (an id twice); refused: RefundExceedsReceived and, under RejectOverpayment,
// Overpayment.
func Replay(c Currency, plans []Instalment, payments []Payment, over Overpaid) (Settlement, error) {
	digits, err := c.Digits()
	if err := kernel.FirstError(err, kernel.OneOf("overpayment", over, CreditOverpayment, RejectOverpayment)); err != nil {
		return Settlement{}, err
	}
	p, err := newPayer(digits, plans, payments)
	if err != nil {
		return Settlement{}, err
	}
	for _, i := range p.order {
		if err := p.pay(payments[i], over); err != nil {
			return Settlement{}, kernel.At(i, err)
		}
	}
	return p.settlement(digits), nil
}

// payer pays, in minor units.
type payer struct {
	plans   []Instalment
	due     []int         // indexes of plans, by date and id
	order   []int         // indexes of payments, by date and id
	at      map[int64]int // id to index in plans
	amounts []int64       // of payments
	total   []int64       // of plans
	paid    []int64       // of plans
	first   int           // in due: what is before it is paid
	credit  int64
	got     int64
	done    []allocation
	digits  int32
	byID    map[int64]int // payments
}

type allocation struct{ payment, plan, units int64 }

func newPayer(digits int32, plans []Instalment, payments []Payment) (*payer, error) {
	p := &payer{plans: plans, at: map[int64]int{}, byID: map[int64]int{}, digits: digits}
	var err error
	p.total, p.paid = make([]int64, len(plans)), make([]int64, len(plans))
	for i, x := range plans {
		if p.total[i], err = unitsOf("plans.amount", x.Amount, digits); err != nil {
			return nil, kernel.At(i, err)
		}
		if p.total[i] <= 0 {
			return nil, kernel.At(i, kernel.Invalidf("plans.amount", InstallmentSign, "must be above 0"))
		}
		if _, twice := p.at[x.ID]; twice {
			return nil, kernel.At(i, kernel.Invalid("plans.id", kernel.Duplicate))
		}
		p.at[x.ID] = i
	}
	p.due = sorted(len(plans), func(i int) (kernel.Date, int64) { return plans[i].Date, plans[i].ID })
	p.amounts = make([]int64, len(payments))
	for i, x := range payments {
		if err := p.check(i, x); err != nil {
			return nil, kernel.At(i, err)
		}
	}
	p.order = sorted(len(payments), func(i int) (kernel.Date, int64) { return payments[i].Date, payments[i].ID })
	return p, nil
}

func (p *payer) check(i int, x Payment) (err error) {
	if p.amounts[i], err = unitsOf("payments.amount", x.Amount, p.digits); err != nil {
		return err
	}
	_, known := p.at[x.Plan]
	_, twice := p.byID[x.ID]
	switch {
	case p.amounts[i] == 0:
		return kernel.Invalid("payments.amount", ZeroPayment)
	case x.Plan != 0 && !known:
		return kernel.Invalidf("payments.plan", kernel.Unknown, "there is no instalment %d", x.Plan)
	case twice:
		return kernel.Invalid("payments.id", kernel.Duplicate)
	}
	p.byID[x.ID] = i
	return nil
}

// sorted are the indexes below n by date and id, of equal ones the first.
func sorted(n int, key func(int) (kernel.Date, int64)) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int {
		da, ia := key(a)
		db, ib := key(b)
		return cmp.Or(cmp.Compare(da, db), cmp.Compare(ia, ib))
	})
	return all
}

func (p *payer) pay(x Payment, over Overpaid) error {
	left := p.amounts[p.byID[x.ID]]
	p.got += left
	if p.got < 0 {
		return &kernel.Error{Code: kernel.ErrRefused, Field: "payments.amount", Reason: RefundExceedsReceived}
	}
	if err := checkSize("received", amount(p.got, p.digits)); err != nil { // before sums of int64 could overflow
		return err
	}
	if left < 0 {
		p.refund(x, -left)
		return nil
	}
	if x.Plan != 0 {
		left = p.give(x, p.at[x.Plan], left)
	}
	for ; left > 0 && p.first < len(p.due); p.first++ {
		if left = p.give(x, p.due[p.first], left); left == 0 {
			break
		}
	}
	if left > 0 && over == RejectOverpayment {
		return &kernel.Error{Code: kernel.ErrRefused, Field: "payments.amount", Reason: Overpayment}
	}
	p.credit += left
	return nil
}

// give pays an instalment and returns what is left.
func (p *payer) give(x Payment, plan int, units int64) int64 {
	n := min(units, p.total[plan]-p.paid[plan])
	p.move(x, plan, n)
	return units - n
}

func (p *payer) move(x Payment, plan int, n int64) {
	if n == 0 {
		return
	}
	p.paid[plan] += n
	p.done = append(p.done, allocation{x.ID, p.plans[plan].ID, n})
}

func (p *payer) refund(x Payment, units int64) {
	n := min(units, p.credit)
	p.credit -= n
	units -= n
	take := func(plan int) {
		n := min(units, p.paid[plan])
		p.move(x, plan, -n)
		units -= n
	}
	if x.Plan != 0 {
		take(p.at[x.Plan])
	}
	for i := len(p.due) - 1; i >= 0 && units > 0; i-- {
		take(p.due[i])
	}
	p.first = 0 // what was paid may be open again
}

func (p *payer) settlement(digits int32) Settlement {
	s := Settlement{Plans: make([]InstalmentState, len(p.plans)), Received: amount(p.got, digits), Unallocated: amount(p.credit, digits)}
	var open int64
	for i, x := range p.plans {
		rest := p.total[i] - p.paid[i]
		open += rest
		status := PartlyPaid
		switch {
		case rest == 0:
			status = Paid
		case p.paid[i] == 0:
			status = Unpaid
		}
		s.Plans[i] = InstalmentState{x.ID, amount(p.paid[i], digits), amount(rest, digits), status}
	}
	s.Outstanding = amount(open, digits)
	s.Allocations = make([]Allocation, len(p.done))
	for i, a := range p.done {
		s.Allocations[i] = Allocation{a.payment, a.plan, amount(a.units, digits)}
	}
	return s
}
