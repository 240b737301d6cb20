package sales

import (
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
	"github.com/openseas/crm/team"
)

// AgeingBy says what receivables are grouped by.
type AgeingBy string

// The groups.
const (
	ByNothing    AgeingBy = ""           // one line: everything within reach
	ByCustomer   AgeingBy = "customer"   // of the contract
	ByOwner      AgeingBy = "owner"      // of the contract
	ByDepartment AgeingBy = "department" // of the contract's owner, as it is now
)

// AgeingFilter says which receivables are aged, and on which day.
type AgeingFilter struct {
	AsOf     kernel.Date // payments up to this day count, and contracts that were signed then; today in the tenant's zone when empty
	By       AgeingBy
	Customer customer.ID // only this one's, whoever owns the contracts, for those who may see the customer
}

// CurrencyAgeing is what is receivable in one currency.
type CurrencyAgeing struct {
	Currency string `json:"currency"`
	calc.Ageing
	Credit decimal.Decimal `json:"credit"` // received, and not allocated to an instalment: never taken off the rest
}

// AgeingLine is what is receivable of one group. Of the names only the one that it is grouped by is set.
type AgeingLine struct {
	Customer   customer.ID       `json:"customer_id,omitempty"`
	Owner      kernel.UserID     `json:"owner_id,omitempty"`
	Department team.DepartmentID `json:"department_id,omitempty"` // 0: of owners without one
	Oldest     kernel.Date       `json:"oldest,omitempty"`        // when the oldest that is open was due
	Currencies []CurrencyAgeing  `json:"currencies"`              // by code
	Base       CurrencyAgeing    `json:"base"`                    // all in the tenant's currency, at each contract's rate, rounded once for each bucket
}

// Aged is a sum as a repository returns it: of one group, in one currency, at one rate.
type Aged struct {
	Key      int64         // by which groups are ordered
	Owner    kernel.UserID // if grouped by owner
	Currency string
	Rate     decimal.Decimal
	Oldest   kernel.Date
	calc.Ageing
	Credit decimal.Decimal
}

// CustomerRisk is the risk of a customer's receivables on a day, with what it follows from.
type CustomerRisk struct {
	Customer customer.ID `json:"customer_id"`
	AsOf     kernel.Date `json:"as_of"`
	calc.Risk
	Oldest kernel.Date    `json:"oldest,omitempty"` // when the oldest that is open was due
	Ageing CurrencyAgeing `json:"ageing"`           // in the tenant's currency
}

// PaymentTerms are days to pay by credit rating; a rating that it does not name pays in advance, and so does none. Nil is
// DefaultTerms.
type PaymentTerms map[customer.CreditRating]int

// DefaultTerms are the terms of rules.md, Orders and credit: AAA and AA 60 days, A 45, BBB 30, BB 15.
func DefaultTerms() PaymentTerms {
	return PaymentTerms{customer.CreditAAA: 60, customer.CreditAA: 60, customer.CreditA: 45, customer.CreditBBB: 30, customer.CreditBB: 15}
}

const longestTerm = 3_650

// Check refuses terms for what is no rating, and days outside 0 to 3,650.
func (p PaymentTerms) Check() error {
	known := []customer.CreditRating{
		customer.CreditAAA, customer.CreditAA, customer.CreditA, customer.CreditBBB, customer.CreditBB, customer.CreditB, customer.CreditC,
	}
	for _, rating := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(known, rating) {
			return kernel.Invalidf("Terms", kernel.Unknown, "%.40q is none of %q", string(rating), known)
		}
		if days := p[rating]; days < 0 || days > longestTerm {
			return kernel.Invalidf("Terms", kernel.OutOfRange, "%d days for %s: 0 to %d", days, rating, longestTerm)
		}
	}
	return nil
}

// Terms are what a customer is granted, with what decided it.
type Terms struct {
	Rating customer.CreditRating `json:"rating,omitempty"`
	Days   int                   `json:"days"` // to pay, from the invoice or the delivery, as the contract says
	Rule   string                `json:"rule"` // such as "credit rating BBB: 30 days"
}

// Prepaid tells that the customer pays in advance.
func (t Terms) Prepaid() bool { return t.Days == 0 }

// Due is the last day to pay of what begins on a day.
func (t Terms) Due(from kernel.Date) kernel.Date { return calc.After(from, t.Days) }

// Of are the terms for a rating; empty is none.
func (p PaymentTerms) Of(rating customer.CreditRating) Terms {
	if p == nil {
		p = DefaultTerms()
	}
	t := Terms{Rating: rating, Days: p[rating]}
	switch {
	case rating == "":
		t.Rule = "no credit rating: prepaid"
	case t.Days == 0:
		t.Rule = fmt.Sprintf("credit rating %s: prepaid", rating)
	default:
		t.Rule = fmt.Sprintf("credit rating %s: %d days", rating, t.Days)
	}
	return t
}

// plus adds what a repository returned.
func (a *CurrencyAgeing) plus(b calc.Ageing, credit, rate decimal.Decimal) {
	for _, x := range []struct {
		to *decimal.Decimal
		of decimal.Decimal
	}{
		{&a.Current, b.Current}, {&a.Days30, b.Days30}, {&a.Days60, b.Days60}, {&a.Days90, b.Days90}, {&a.Older, b.Older}, {&a.Credit, credit},
	} {
		*x.to = x.to.Add(x.of.Mul(rate))
	}
	a.sum()
}

func (a *CurrencyAgeing) sum() {
	a.Total = decimal.Sum(a.Current, a.Days30, a.Days60, a.Days90, a.Older)
}

// round rounds each bucket; the total is theirs.
func (a *CurrencyAgeing) round(digits int32) {
	for _, x := range []*decimal.Decimal{&a.Current, &a.Days30, &a.Days60, &a.Days90, &a.Older, &a.Credit} {
		*x = calc.HalfUp.Round(*x, digits)
	}
	a.sum()
}
