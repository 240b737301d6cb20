package sales

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// InvoiceID is an invoice's number in the database; Invoice.Number is that of the request, and Invoice.InvoiceNo that of the
// tax system.
type InvoiceID int64

// InvoiceKind is how references name invoices.
const InvoiceKind = "invoice"

// InvoiceStatus is the state of an invoice; the numbers go on from those of seed 003.
type InvoiceStatus int

// The states (quote-to-cash.md §3.5).
const (
	InvoiceRequested InvoiceStatus = 0 // asked for, and counted against what may still be invoiced
	InvoiceIssued    InvoiceStatus = 1
	InvoiceDelivered InvoiceStatus = 2
	InvoiceCertified InvoiceStatus = 3 // 已认证: a special one, by its buyer
	InvoiceVoided    InvoiceStatus = 4 // 作废; of a request: withdrawn
	InvoiceRed       InvoiceStatus = 5 // 红冲: all of it was taken back
	InvoicePartRed   InvoiceStatus = 6 // some of it was taken back
)

var invoiceStates = map[InvoiceStatus]string{
	InvoiceRequested: "requested", InvoiceIssued: "issued", InvoiceDelivered: "delivered", InvoiceCertified: "certified", InvoiceVoided: "voided",
	InvoiceRed: "red-flushed", InvoicePartRed: "partly red-flushed",
}

// String is the word for people.
func (s InvoiceStatus) String() string { return invoiceStates[s] }

// InvoiceType says what the buyer may do with an invoice.
type InvoiceType string

// The types.
const (
	SpecialInvoice  InvoiceType = "special"  // 专票: its tax can be deducted
	OrdinaryInvoice InvoiceType = "ordinary" // 普票
)

// InvoiceMedium says what an invoice is printed on.
type InvoiceMedium string

// The media.
const (
	PaperInvoice   InvoiceMedium = "paper"
	DigitalInvoice InvoiceMedium = "digital" // 数电票
)

// Buyer is who an invoice is made out to. Of a customer that lies in a pool a person sees name and tax number, and the rest
// masked. Lengths are in characters.
type Buyer struct {
	Name    string `json:"name,omitempty"`    // at most 200; the customer's when empty
	TaxNo   string `json:"tax_no,omitempty"`  // at most 30
	Address string `json:"address,omitempty"` // at most 200
	Phone   string `json:"phone,omitempty"`   // at most 50
	Bank    string `json:"bank,omitempty"`    // at most 200
	Account string `json:"account,omitempty"` // at most 50
}

// InvoiceRate is what of an invoice bears one tax rate; Amount is net and tax.
type InvoiceRate struct {
	Rate   decimal.Decimal `json:"rate"` // percent
	Kind   calc.TaxKind    `json:"kind"`
	Amount decimal.Decimal `json:"amount"`
	Net    decimal.Decimal `json:"net"`
	Tax    decimal.Decimal `json:"tax"`
}

// Invoice is an invoice for a contract, or a red one that takes back some of another (seed 003, crm_invoice; mission.md, S8).
// Lengths are in characters.
type Invoice struct {
	ID          InvoiceID       `json:"id"`
	Number      string          `json:"number"`                  // made: FP202611220001
	InvoiceNo   string          `json:"invoice_no,omitempty"`    // at most 50: the tax system's, unique in the tenant; from Issue or Red on
	ContractID  ContractID      `json:"contract_id"`             //
	CustomerID  customer.ID     `json:"customer_id"`             // the contract's
	PaymentID   PaymentID       `json:"payment_id,omitempty"`    // one of the contract's, for which it is made
	Type        InvoiceType     `json:"type"`                    //
	Medium      InvoiceMedium   `json:"medium"`                  //
	Status      InvoiceStatus   `json:"status"`                  //
	RedOfID     InvoiceID       `json:"red_of_id,omitempty"`     // of a red one: what it takes back
	RedNoticeNo string          `json:"red_notice_no,omitempty"` // at most 50: 红字信息表 or 确认单
	IssueDate   kernel.Date     `json:"issue_date,omitempty"`    // from Issue on
	Currency    string          `json:"currency"`                // the contract's
	Amount      decimal.Decimal `json:"amount"`                  // tax included, above 0; of a red one below
	Net         decimal.Decimal `json:"net"`                     //
	Tax         decimal.Decimal `json:"tax"`                     //
	Rates       []InvoiceRate   `json:"rates,omitempty"`         // given with amounts that add up to Amount, or else computed; lists leave them out
	Buyer       Buyer           `json:"buyer"`
	FileURL     string          `json:"file_url,omitempty"` // at most 500
	Remark      string          `json:"remark,omitempty"`   // at most 1,000
	Version     int64           `json:"version"`
	CreatedAt   time.Time       `json:"created_at"`
	CreatedBy   kernel.UserID   `json:"created_by"`
	UpdatedAt   time.Time       `json:"updated_at"`
	UpdatedBy   kernel.UserID   `json:"updated_by"`
	Masked      bool            `json:"masked,omitempty"` // its customer lies in a pool, and a person reads it: remark and Buyer are
}

// RedFlush says how an invoice is taken back.
type RedFlush struct {
	Amount    decimal.Decimal `json:"amount"`              // how much, tax included and above 0; 0: all that is left of it
	InvoiceNo string          `json:"invoice_no"`          // the red one's own number, of the tax system
	NoticeNo  string          `json:"notice_no,omitempty"` // needed for special and for digital ones
	Date      kernel.Date     `json:"date,omitempty"`      // today when empty; not in the future
	Remark    string          `json:"remark,omitempty"`    // at most 1,000
}

// InvoiceFilter says which invoices a list has: all conditions hold together; an empty one is no condition.
type InvoiceFilter struct {
	Contract ContractID  // all of one contract, for those who may see it
	Customer customer.ID // all of one customer, whoever owns the contracts, for those who may see the customer
	Statuses []InvoiceStatus
}

// Ref names the invoice in audit and events.
func (v *Invoice) Ref() kernel.Ref { return kernel.Ref{Kind: InvoiceKind, ID: int64(v.ID)} }

// counts tells that the invoice is one of those that the contract's total bounds.
func (v *Invoice) counts() bool { return v.Status != InvoiceVoided }

// issued tells that the contract is invoiced by it.
func (v *Invoice) issued() bool { return v.Status != InvoiceRequested && v.Status != InvoiceVoided }

func (v *Invoice) check() error {
	err := kernel.FirstError(kernel.OneOf("type", v.Type, SpecialInvoice, OrdinaryInvoice), kernel.OneOf("medium", v.Medium, PaperInvoice, DigitalInvoice),
		kernel.CheckAmount("amount", v.Amount), kernel.CheckLine("file_url", v.FileURL, 500), kernel.CheckText("remark", v.Remark, 1_000), v.Buyer.check())
	switch {
	case err != nil:
		return err
	case v.ContractID <= 0:
		return kernel.Invalid("contract_id", kernel.Empty)
	case v.Type == "":
		return kernel.Invalid("type", kernel.Empty)
	case v.Medium == "":
		return kernel.Invalid("medium", kernel.Empty)
	case !v.Amount.IsPositive():
		return kernel.Invalidf("amount", kernel.OutOfRange, "must be above 0: Red takes an invoice back")
	case len(v.Rates) > mostLines+mostFees:
		return kernel.Invalidf("rates", kernel.TooMany, "at most %d", mostLines+mostFees)
	}
	return kernel.FirstError(v.checkRates(), v.needed())
}

// checkRates refuses amounts of rates that do not make the invoice's.
func (v *Invoice) checkRates() error {
	if len(v.Rates) == 0 {
		return nil
	}
	sum := decimal.Zero
	for i, r := range v.Rates {
		err := kernel.FirstError(kernel.CheckAmount("rates.amount", r.Amount), kernel.CheckAmount("rates.rate", r.Rate),
			kernel.OneOf("rates.kind", r.Kind, calc.Taxed, calc.ZeroRate, calc.Exempt, calc.NoTax))
		if err == nil && !r.Amount.IsPositive() {
			err = kernel.Invalidf("rates.amount", kernel.OutOfRange, "must be above 0")
		}
		if err != nil {
			return kernel.At(i, err)
		}
		sum = sum.Add(r.Amount)
	}
	if !sum.Equal(v.Amount) {
		return kernel.Invalidf("rates", calc.AmountMismatch, "they come to %s", sum)
	}
	return nil
}

func (b *Buyer) check() error {
	return kernel.FirstError(kernel.CheckLine("buyer.name", b.Name, 200), kernel.CheckLine("buyer.tax_no", b.TaxNo, 30),
		kernel.CheckLine("buyer.address", b.Address, 200), kernel.CheckLine("buyer.phone", b.Phone, 50), kernel.CheckLine("buyer.bank", b.Bank, 200),
		kernel.CheckLine("buyer.account", b.Account, 50))
}

// mask hides how the buyer is reached, and where its money is.
func (b *Buyer) mask() {
	b.Phone = customer.MaskPhone(b.Phone)
	for _, s := range []*string{&b.Address, &b.Bank, &b.Account} {
		*s = customer.MaskText(*s)
	}
}

// needed refuses a special invoice without what its buyer deducts the tax by.
func (v *Invoice) needed() error {
	if v.Type != SpecialInvoice {
		return nil
	}
	fields := []struct{ name, value string }{{"buyer.tax_no", v.Buyer.TaxNo}}
	if v.Medium == PaperInvoice {
		fields = append(fields, []struct{ name, value string }{
			{"buyer.address", v.Buyer.Address}, {"buyer.phone", v.Buyer.Phone}, {"buyer.bank", v.Buyer.Bank}, {"buyer.account", v.Buyer.Account},
		}...)
	}
	for _, f := range fields {
		if f.value == "" {
			return kernel.Invalidf(f.name, kernel.Empty, "a special invoice needs it")
		}
	}
	return nil
}

func (r *RedFlush) check() error {
	err := kernel.FirstError(kernel.CheckPositive("amount", r.Amount), kernel.CheckName("invoice_no", r.InvoiceNo, 50),
		kernel.CheckLine("red_notice_no", r.NoticeNo, 50), r.Date.Check("issue_date"), kernel.CheckText("remark", r.Remark, 1_000))
	return err
}

// transition refuses an action in a state that does not have it.
func (v *Invoice) transition(action string, from ...InvoiceStatus) error {
	if slices.Contains(from, v.Status) {
		return nil
	}
	return &kernel.Error{
		Code: kernel.ErrRefused, Field: "status", Reason: InvalidTransition, Err: fmt.Errorf("%s is not possible when it is %s", action, v.Status),
	}
}

// voidable refuses to void an invoice that can only be taken back by a red one.
func (v *Invoice) voidable(today kernel.Date) error {
	if err := v.transition("voiding", InvoiceRequested, InvoiceIssued, InvoiceDelivered); err != nil || v.Status == InvoiceRequested {
		return err
	}
	var field, why string
	switch {
	case v.RedOfID != 0:
		field, why = "red_of_id", "a red invoice is not voided"
	case v.Medium == DigitalInvoice:
		field, why = "medium", "a digital invoice is taken back by a red one"
	case v.IssueDate[:7] != today[:7]:
		field, why = "issue_date", "it was issued in another month: a red one takes it back"
	default:
		return nil
	}
	return &kernel.Error{Code: kernel.ErrRefused, Field: field, Reason: InvalidTransition, Err: fmt.Errorf("%s", why)}
}

// give writes parts of rates into the invoice, and their sums; sign is -1 for a red one.
func (v *Invoice) give(parts []calc.RateTotals, sign int64) {
	by := decimal.NewFromInt(sign)
	v.Rates, v.Amount, v.Net, v.Tax = nil, decimal.Zero, decimal.Zero, decimal.Zero
	for _, p := range parts {
		r := InvoiceRate{Rate: p.Rate, Kind: p.Kind, Amount: p.Gross().Mul(by), Net: p.Net.Mul(by), Tax: p.Tax.Mul(by)}
		v.Rates = append(v.Rates, r)
		v.Amount, v.Net, v.Tax = v.Amount.Add(r.Amount), v.Net.Add(r.Net), v.Tax.Add(r.Tax)
	}
}

// byRate is what the invoice comes to by rate.
func (v *Invoice) byRate() []calc.RateTotals {
	all := make([]calc.RateTotals, len(v.Rates))
	for i, r := range v.Rates {
		all[i] = calc.RateTotals{Rate: r.Rate, Kind: r.Kind, Net: r.Net, Tax: r.Tax}
	}
	return all
}

// byRate is what the body comes to by rate.
func (b *Body) byRate() []calc.RateTotals {
	var all []calc.RateTotals
	for _, l := range b.Lines {
		all = append(all, calc.RateTotals{Rate: l.TaxRate.Decimal, Kind: l.TaxKind, Net: l.Net, Tax: l.Tax})
	}
	for _, f := range b.Fees {
		all = append(all, calc.RateTotals{Rate: f.TaxRate, Kind: f.TaxKind, Net: f.Net, Tax: f.Tax})
	}
	return calc.ByRate(all...)
}

// less are totals by rate with others taken off.
func less(from []calc.RateTotals, off ...calc.RateTotals) []calc.RateTotals {
	for i := range off {
		off[i].Net, off[i].Tax = off[i].Net.Neg(), off[i].Tax.Neg()
	}
	return calc.ByRate(append(slices.Clone(from), off...)...)
}
