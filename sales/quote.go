package sales

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// QuoteID is a quote's number in the database; what people call its number is Quote.Number.
type QuoteID int64

// QuoteKind is how references name quotes.
const QuoteKind = "quote"

// The reasons of refusals of quotes: errors.Is(err, sales.QuoteExpired). Those of amounts are in package calc.
const (
	InvalidTransition           kernel.Reason = "invalid_transition"             // not in this state: Error.Err says from which, and what
	ApprovalRequired            kernel.Reason = "approval_required"              // Options.NeedsApproval says so, and nobody has approved
	QuoteExpired                kernel.Reason = "quote_expired"                  // its last day is over
	OpportunityHasAcceptedQuote kernel.Reason = "opportunity_has_accepted_quote" //
	OpportunityClosed           kernel.Reason = "opportunity_closed"             // it was lost or deleted: reopen it first
	CurrencyMismatch            kernel.Reason = "currency_mismatch"              // linked documents are in one currency
	NoLines                     kernel.Reason = "no_lines"                       // there is nothing to send
)

// QuoteStatus is the state of a quote; the numbers go on from those of seed 003.
type QuoteStatus int

// The states (quote-to-cash.md §2.1).
const (
	QuoteDraft      QuoteStatus = 1
	QuoteSent       QuoteStatus = 2
	QuoteAccepted   QuoteStatus = 3
	QuoteRejected   QuoteStatus = 4
	QuoteLapsed     QuoteStatus = 5 // expired: derived from ValidUntil whenever a sent one is read; written by Expire
	QuoteSuperseded QuoteStatus = 6 // a newer revision was sent
	QuoteCancelled  QuoteStatus = 7
)

var quoteStates = map[QuoteStatus]string{
	QuoteDraft: "draft", QuoteSent: "sent", QuoteAccepted: "accepted", QuoteRejected: "rejected", QuoteLapsed: "expired",
	QuoteSuperseded: "superseded", QuoteCancelled: "cancelled",
}

// String is the word for people.
func (s QuoteStatus) String() string { return quoteStates[s] }

// Approval is how far a quote has come with the person who must approve it.
type Approval int

// The states of approval. Any change of amounts takes it back to NotAsked.
const (
	NotAsked        Approval = 0
	ApprovalPending Approval = 1
	Approved        Approval = 2
	ApprovalRefused Approval = 3
)

// Line is a line of a quote or a contract. What the product says is copied when the line is written, and stays: a price
// that changes later changes no document.
type Line struct {
	ProductID     ProductID           `json:"product_id,omitempty"`    // 0: something that is no product
	Name          string              `json:"name"`                    // at most 200; the product's when empty
	Specification string              `json:"specification,omitempty"` // at most 500; the product's when empty
	Unit          string              `json:"unit,omitempty"`          // at most 20; the product's when empty
	Quantity      decimal.Decimal     `json:"quantity"`                // 4 decimals
	UnitPrice     decimal.NullDecimal `json:"unit_price"`              // 4 decimals; null: the product's, which must be in the document's currency
	Discount      decimal.NullDecimal `json:"discount"`                // the percent that is paid; null: 100
	TaxRate       decimal.NullDecimal `json:"tax_rate"`                // percent; null: the product's, else 0
	TaxKind       calc.TaxKind        `json:"tax_kind,omitempty"`
	Change        int                 `json:"change,omitempty"` // of a contract: the change order that it came with, from 1; 0: it was there from the start
	calc.LineTotals
}

// Fee is a fee of a document with what it comes to.
type Fee struct {
	calc.Fee
	calc.FeeTotals
}

// Body is what quotes and contracts have in common: what is sold, and what it comes to. Everything below the fees is
// computed (package calc).
type Body struct {
	Currency             string              `json:"currency"`   // ISO 4217; the tenant's when empty
	PriceMode            calc.PriceMode      `json:"price_mode"` // Exclusive when empty
	Rules                calc.Options        `json:"rules"`      // how amounts are rounded: those of sales.Options when the document was made
	Lines                []Line              `json:"lines"`      // at most 1,000
	HeaderDiscountRate   decimal.NullDecimal `json:"header_discount_rate"`
	HeaderDiscountAmount decimal.Decimal     `json:"header_discount_amount"`
	Fees                 []Fee               `json:"fees,omitempty"` // at most 50
	Subtotal             decimal.Decimal     `json:"subtotal"`
	DiscountTotal        decimal.Decimal     `json:"discount_total"`
	FeeTotal             decimal.Decimal     `json:"fee_total"`
	NetTotal             decimal.Decimal     `json:"net_total"`
	TaxTotal             decimal.Decimal     `json:"tax_total"`
	GrandTotal           decimal.Decimal     `json:"grand_total"`
}

// Quote is an offer to a customer (seed 003, crm_quotation; mission.md, S6). Lengths are in characters.
type Quote struct {
	ID            QuoteID            `json:"id"`
	Number        string             `json:"number"`                   // made: QT202611220001, and -R2 for a second revision
	RootID        QuoteID            `json:"root_id"`                  // the first revision
	Revision      int                `json:"revision"`                 // from 1
	CustomerID    customer.ID        `json:"customer_id"`              // never changes
	OpportunityID OpportunityID      `json:"opportunity_id,omitempty"` // one of the customer's; never changes
	ContactID     customer.ContactID `json:"contact_id,omitempty"`     // one of the customer's
	Title         string             `json:"title,omitempty"`          // at most 200
	Status        QuoteStatus        `json:"status"`                   //
	Approval      Approval           `json:"approval"`                 //
	ApprovedBy    kernel.UserID      `json:"approved_by,omitempty"`    // who approved or refused
	Date          kernel.Date        `json:"date"`                     // today in the tenant's zone when empty
	ValidUntil    kernel.Date        `json:"valid_until,omitempty"`    // the last day; empty: for ever
	Body                             //
	FXRate        decimal.Decimal    `json:"fx_rate"`                 // to the tenant's currency, 8 decimals; fixed when it is sent
	BaseAmount    decimal.Decimal    `json:"base_amount"`             // the grand total in the tenant's currency, from then on
	Terms         string             `json:"terms,omitempty"`         // at most 10,000: what the customer reads
	Remark        string             `json:"remark,omitempty"`        // at most 10,000: for colleagues; changes in any state
	RejectReason  string             `json:"reject_reason,omitempty"` // at most 500
	OwnerID       kernel.UserID      `json:"owner_id"`                // an active member; the actor when empty
	SentAt        time.Time          `json:"sent_at,omitzero"`
	AcceptedAt    time.Time          `json:"accepted_at,omitzero"`
	AcceptedBy    string             `json:"accepted_by,omitempty"` // at most 200: who said yes at the customer's
	Version       int64              `json:"version"`
	CreatedAt     time.Time          `json:"created_at"`
	CreatedBy     kernel.UserID      `json:"created_by"`
	UpdatedAt     time.Time          `json:"updated_at"`
	UpdatedBy     kernel.UserID      `json:"updated_by"`
	DeletedAt     time.Time          `json:"deleted_at,omitzero"`
	Masked        bool               `json:"masked,omitempty"` // its customer lies in a pool, and a person reads it: it cannot be written so
}

// Ref names the quote in audit and events.
func (q *Quote) Ref() kernel.Ref { return kernel.Ref{Kind: QuoteKind, ID: int64(q.ID)} }

// on is the quote as it stands on a day: a sent one whose last day is over has expired, whether or not Expire has come by.
func (q *Quote) on(today kernel.Date) *Quote {
	if q.Status == QuoteSent && q.ValidUntil != "" && q.ValidUntil < today {
		q.Status = QuoteLapsed
	}
	return q
}

const (
	mostLines = 1_000
	mostFees  = 50
)

func (q *Quote) check() error {
	err := kernel.FirstError(whole(q), kernel.CheckLine("title", q.Title, 200), q.Date.Check("date"), q.ValidUntil.Check("valid_until"),
		kernel.CheckText("terms", q.Terms, 10_000), kernel.CheckText("remark", q.Remark, 10_000), kernel.CheckLine("owner_id", string(q.OwnerID), 200),
		checkRate(q.FXRate), q.Body.check())
	switch {
	case err != nil:
		return err
	case q.CustomerID <= 0:
		return kernel.Invalid("customer_id", kernel.Empty)
	case q.Date != "" && q.ValidUntil != "" && q.ValidUntil < q.Date:
		return kernel.Invalidf("valid_until", kernel.OutOfRange, "before the quote's date")
	}
	return nil
}

// checkRate refuses a rate that a document cannot keep exactly; 0 is none yet.
func checkRate(d decimal.Decimal) error {
	switch {
	case d.Exponent() > 10 && !d.IsZero(), d.Exponent() < -1000, d.IsNegative(), !d.Equal(d.Truncate(8)), d.Cmp(mostRate) >= 0:
		return kernel.Invalidf("fx_rate", kernel.OutOfRange, "above 0 and below 10^10, with at most 8 decimals")
	}
	return nil
}

var mostRate = decimal.New(1, 10)

func (b *Body) check() error {
	if b.PriceMode == "" {
		b.PriceMode = calc.Exclusive
	}
	if len(b.Lines) > mostLines {
		return kernel.Invalidf("lines", kernel.TooMany, "at most %d", mostLines)
	}
	if len(b.Fees) > mostFees {
		return kernel.Invalidf("fees", kernel.TooMany, "at most %d", mostFees)
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		err := kernel.FirstError(kernel.CheckLine("name", l.Name, 200), kernel.CheckLine("specification", l.Specification, 500), kernel.CheckLine("unit", l.Unit, 20))
		if err == nil && l.ProductID == 0 {
			err = kernel.CheckName("name", l.Name, 200)
		}
		if err == nil && l.ProductID == 0 && !l.UnitPrice.Valid {
			err = kernel.Invalid("unit_price", kernel.Empty)
		}
		if err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// fill copies into lines what they leave to their products. The products are those in the order of their ids that exist.
func (b *Body) fill(products map[ProductID]*Product, currency string) error {
	for i := range b.Lines {
		l := &b.Lines[i]
		if l.ProductID == 0 {
			continue
		}
		p := products[l.ProductID]
		if p == nil || p.Inactive || !p.DeletedAt.IsZero() {
			return kernel.At(i, kernel.Invalidf("product_id", kernel.Unknown, "there is no product %d on sale", l.ProductID))
		}
		if l.Name == "" {
			l.Name = p.Name
		}
		if l.Specification == "" {
			l.Specification = p.Specification
		}
		if l.Unit == "" {
			l.Unit = p.Unit
		}
		if !l.TaxRate.Valid && (l.TaxKind == "" || l.TaxKind == calc.Taxed) {
			l.TaxRate = p.TaxRate
		}
		if !l.UnitPrice.Valid {
			if b.Currency != currency {
				return kernel.At(i, kernel.Invalidf("unit_price", kernel.Empty, "the product's price is in %s", currency))
			}
			l.UnitPrice = decimal.NewNullDecimal(p.Price)
		}
	}
	return nil
}

// compute gives everything that is computed its value. A supplied amount of a line is not looked at: it is computed anew.
func (b *Body) compute() error {
	d := calc.Draft{
		Currency: calc.Currency(b.Currency), PriceMode: b.PriceMode, Options: b.Rules,
		HeaderDiscountRate: b.HeaderDiscountRate, HeaderDiscountAmount: b.HeaderDiscountAmount,
	}
	for _, l := range b.Lines {
		d.Items = append(d.Items, calc.Item{
			Quantity: l.Quantity, UnitPrice: l.UnitPrice.Decimal, Discount: l.Discount, TaxRate: l.TaxRate.Decimal, TaxKind: l.TaxKind,
		})
	}
	for _, f := range b.Fees {
		d.Fees = append(d.Fees, f.Fee)
	}
	t, err := calc.Document(d)
	if err != nil {
		return err
	}
	for i := range b.Lines {
		b.Lines[i].LineTotals, b.Lines[i].Change = t.Lines[i], 0
		b.Lines[i].TaxRate = decimal.NewNullDecimal(b.Lines[i].TaxRate.Decimal)
		if !b.Lines[i].Discount.Valid {
			b.Lines[i].Discount = decimal.NewNullDecimal(hundred)
		}
	}
	for i := range b.Fees {
		b.Fees[i].FeeTotals = t.Fees[i]
	}
	b.Subtotal, b.DiscountTotal, b.FeeTotal = t.Subtotal, t.DiscountTotal, t.FeeTotal
	b.NetTotal, b.TaxTotal, b.GrandTotal = t.NetTotal, t.TaxTotal, t.GrandTotal
	return nil
}

// QuoteFilter says which quotes a list has: all conditions hold together; an empty one is no condition.
type QuoteFilter struct {
	Customer    customer.ID // all of one customer, whoever owns them, for those who may see the customer
	Opportunity OpportunityID
	Owners      []kernel.UserID
	Statuses    []QuoteStatus // as they are written: a sent one may have expired since
}

// Options are what documents of a tenant are made by. The zero value is what an office in China expects; see crm.Options.
type Options struct {
	// Rules are kept on each document that is made, so that an old one computes to the same cents.
	Rules calc.Options
	// NeedsApproval tells whether somebody with the permission quote.approve must approve a quote before it is sent. It is
	// asked when the quote is sent, with its amounts computed. Defaults to nobody.
	NeedsApproval func(q *Quote) bool
	// ManyAccepted allows an opportunity to have several accepted quotes.
	ManyAccepted bool
	// WinOn says when the opportunity of a quote is won. Defaults to WonWhenSigned.
	WinOn WinOn
	// NoContract leaves the draft of a contract out that an accepted quote is made into.
	NoContract bool
	// ContractNumbers is the form of contracts' numbers. Defaults to HT, the day, and four digits.
	ContractNumbers NumberFormat
	// QuoteNumbers is the form of quotes' numbers. Defaults to QT, the day, and four digits.
	QuoteNumbers NumberFormat
	// PaymentNumbers is the form of payments' numbers. Defaults to HK, the day, and four digits.
	PaymentNumbers NumberFormat
	// InvoiceNumbers is the form of the numbers of requests for invoices; invoices have that of the tax system, too. Defaults
	// to FP, the day, and four digits.
	InvoiceNumbers NumberFormat
	// Overpayment says what becomes of money beyond what a contract comes to. Defaults to calc.CreditOverpayment.
	Overpayment calc.Overpaid
	// Deposits takes payments on contracts that are approved and not signed yet, too.
	Deposits bool
	// EarlyInvoices makes invoices for contracts that are approved and not signed yet, too.
	EarlyInvoices bool
	// Terms are days to pay by credit rating. Defaults to DefaultTerms.
	Terms PaymentTerms
	// OrderStatuses maps the host's words for the states of orders. Our own words need no entry.
	OrderStatuses map[string]OrderStatus
	// OrderApproval says which orders need approval. Defaults to DefaultOrderPolicy.
	OrderApproval *OrderPolicy
}

// NumberFormat is the form of the numbers of documents of one kind: prefix, date of the tenant, and a count that begins anew
// with each date, of Width digits at least (9999 is followed by 10000).
type NumberFormat struct {
	Prefix string // at most 10 letters and digits
	Date   string // "20060102" by default, "200601", "2006", or "-" for none
	Width  int    // 1 to 12; 4 by default
}
