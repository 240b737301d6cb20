package sales

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// ContractID is a contract's number in the database; what people call its number is Contract.Number.
type ContractID int64

// ContractKind is how references name contracts.
const ContractKind = "contract"

// ContractStatus is the state of a contract; the numbers go on from those of seed 003.
type ContractStatus int

// The states (quote-to-cash.md §3.1).
const (
	ContractDraft      ContractStatus = 1
	ContractApproved   ContractStatus = 2
	ContractSigned     ContractStatus = 3
	ContractTerminated ContractStatus = 4
	ContractCompleted  ContractStatus = 5
	ContractVoided     ContractStatus = 6
)

var contractStates = map[ContractStatus]string{
	ContractDraft: "draft", ContractApproved: "approved", ContractSigned: "signed", ContractTerminated: "terminated",
	ContractCompleted: "completed", ContractVoided: "voided",
}

// String is the word for people.
func (s ContractStatus) String() string { return contractStates[s] }

// WinOn says when the opportunity of a quote or contract is won.
type WinOn string

// The instants. The default is WonWhenSigned.
const (
	WonWhenSigned   WinOn = "contract_signed"
	WonWhenAccepted WinOn = "quote_accepted"
	WonByHand       WinOn = "manual"
)

// wonByOther is the reason that the opportunity's other sent quotes are rejected with when it is won.
const wonByOther = "won by other"

// Contract is what a customer and the company agree on (seed 003, crm_contract; mission.md, S7). Lengths are in characters.
type Contract struct {
	ID            ContractID         `json:"id"`
	Number        string             `json:"number"`                   // made: HT202611220001
	Name          string             `json:"name"`                     // at most 200
	CustomerID    customer.ID        `json:"customer_id"`              // never changes
	OpportunityID OpportunityID      `json:"opportunity_id,omitempty"` // one of the customer's; never changes
	QuoteID       QuoteID            `json:"quote_id,omitempty"`       // the accepted quote that it was drafted from
	ContactID     customer.ContactID `json:"contact_id,omitempty"`     // one of the customer's
	Status        ContractStatus     `json:"status"`                   //
	ApprovedBy    kernel.UserID      `json:"approved_by,omitempty"`    //
	Body                             //
	FXRate        decimal.Decimal    `json:"fx_rate"`              // to the tenant's currency, 8 decimals; fixed when it is signed
	BaseAmount    decimal.Decimal    `json:"base_amount"`          // the grand total in the tenant's currency, from then on
	SignDate      kernel.Date        `json:"sign_date,omitempty"`  // from the signature on
	StartDate     kernel.Date        `json:"start_date,omitempty"` //
	EndDate       kernel.Date        `json:"end_date,omitempty"`   // not before StartDate
	FileURL       string             `json:"file_url,omitempty"`   // at most 500
	Terms         string             `json:"terms,omitempty"`      // at most 10,000
	Remark        string             `json:"remark,omitempty"`     // at most 10,000: for colleagues; changes in any state
	EndReason     string             `json:"end_reason,omitempty"` // at most 500: why it was terminated or voided
	OwnerID       kernel.UserID      `json:"owner_id"`             // an active member; the actor when empty
	EndedOn       kernel.Date        `json:"ended_on,omitempty"`   // the day in the tenant's zone that it was terminated, completed or voided
	Received      decimal.Decimal    `json:"received"`             // by Payments: what came less what went back
	Credit        decimal.Decimal    `json:"credit"`               // of it, what no instalment is paid with: 预收; never negative
	Invoiced      decimal.Decimal    `json:"invoiced"`             // by Invoices: of those that are issued and not void, less the red ones
	Changes       int                `json:"changes,omitempty"`    // change orders, by Amend
	Plans         []Plan             `json:"plans,omitempty"`      // by SetPlans and Amend; at most 1,000
	Version       int64              `json:"version"`
	CreatedAt     time.Time          `json:"created_at"`
	CreatedBy     kernel.UserID      `json:"created_by"`
	UpdatedAt     time.Time          `json:"updated_at"`
	UpdatedBy     kernel.UserID      `json:"updated_by"`
	Masked        bool               `json:"masked,omitempty"` // its customer lies in a pool, and a person reads it: it cannot be written so
}

// PlanID is the number of an instalment.
type PlanID int64

// Plan is an instalment of a contract: 回款计划.
type Plan struct {
	ID     PlanID          `json:"id"`
	Date   kernel.Date     `json:"date"`           // when it is due
	Amount decimal.Decimal `json:"amount"`         // above 0, with no more decimals than the currency has
	Note   string          `json:"note,omitempty"` // at most 200
	Paid   decimal.Decimal `json:"paid"`           // by Payments, 0 to Amount
	Status calc.PlanStatus `json:"status"`         // how much of it is paid; that it is overdue follows from Date
}

// Overdue tells that the instalment was due before a day and is not paid in full.
func (p Plan) Overdue(today kernel.Date) bool { return p.Status != calc.Paid && p.Date < today }

// PlanSum is why a contract is not approved or signed: its instalments do not add up to its total.
const PlanSum kernel.Reason = "plan_sum"

// Ref names the contract in audit and events.
func (x *Contract) Ref() kernel.Ref { return kernel.Ref{Kind: ContractKind, ID: int64(x.ID)} }

func (x *Contract) check() error {
	err := kernel.FirstError(whole(x), kernel.CheckName("name", x.Name, 200), x.StartDate.Check("start_date"), x.EndDate.Check("end_date"),
		kernel.CheckLine("file_url", x.FileURL, 500), kernel.CheckText("terms", x.Terms, 10_000), kernel.CheckText("remark", x.Remark, 10_000),
		kernel.CheckLine("owner_id", string(x.OwnerID), 200), checkRate(x.FXRate), x.Body.check())
	switch {
	case err != nil:
		return err
	case x.CustomerID <= 0:
		return kernel.Invalid("customer_id", kernel.Empty)
	case x.StartDate != "" && x.EndDate != "" && x.EndDate < x.StartDate:
		return kernel.Invalidf("end_date", kernel.OutOfRange, "before its start")
	}
	return nil
}

// active tells whether the contract counts among the customer's active ones, which rules read.
func (x *Contract) active() bool { return x.Status == ContractSigned }

// ContractFilter says which contracts a list has: all conditions hold together; an empty one is no condition.
type ContractFilter struct {
	Customer    customer.ID // all of one customer, whoever owns them, for those who may see the customer
	Opportunity OpportunityID
	Owners      []kernel.UserID
	Statuses    []ContractStatus
	SignedFrom  kernel.Date // on this day or later
	SignedTo    kernel.Date // on this day or before
}
