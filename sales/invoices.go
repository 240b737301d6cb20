package sales

import (
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// InvoiceRepository keeps invoices with their rates.
type InvoiceRepository interface {
	// Insert must give it an id and write it with its rates. Its contract is locked.
	Insert(ctx context.Context, t kernel.TenantID, v *Invoice) error
	// Get must return the invoices that exist and of whose contracts the owner or the customer lies within the scope, with
	// their rates, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...InvoiceID) ([]*Invoice, error)
	// Of must return all invoices of a contract, with their rates, in the order of the ids.
	Of(ctx context.Context, t kernel.TenantID, contract ContractID) ([]*Invoice, error)
	// Update must write all columns of an invoice whose contract is locked, and no rates.
	Update(ctx context.Context, t kernel.TenantID, v *Invoice) error
	// NumberFree tells whether no invoice of the tenant has the tax system's number.
	NumberFree(ctx context.Context, t kernel.TenantID, invoiceNo string) (bool, error)
	// List must return w.Limit+1 invoices at most, by id, without rates: see Invoices.List.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f InvoiceFilter, w kernel.Window) ([]*Invoice, error)
}

// Invoices is the use cases of invoices. They hang on contracts, and are within reach as those are: the permission is
// contract.write, over the contract. Each change is one transaction under the row locks of the customer and the contract.
type Invoices struct {
	core kernel.Service[Tx]
	o    Options
}

// mostInvoices bounds the invoices of one contract: all of them are added up when one is made.
const mostInvoices = 10_000

// book is a contract under its lock, with all its invoices.
type book struct {
	was, x *Contract
	all    []*Invoice
}

// invoiced adds up what is issued.
func (b *book) invoiced() {
	b.x.Invoiced = decimal.Zero
	for _, v := range b.all {
		if v.issued() {
			b.x.Invoiced = b.x.Invoiced.Add(v.Amount)
		}
	}
}

// left is what may still be invoiced of each rate, requests being counted.
func (b *book) left() []calc.RateTotals {
	var off []calc.RateTotals
	for _, v := range b.all {
		if v.counts() {
			off = append(off, v.byRate()...)
		}
	}
	return less(b.x.byRate(), off...)
}

func openBook(ctx context.Context, c *kernel.Call[Tx], id ContractID) (*book, error) {
	x, err := lockContract(ctx, c, id)
	if err != nil {
		return nil, err
	}
	next := *x
	all, err := c.Tx.Invoices().Of(ctx, c.Actor.Tenant, id)
	return &book{was: x, x: &next, all: all}, err
}

// save writes what invoices make of the contract, with the changes that did it.
func (b *book) save(ctx context.Context, c *kernel.Call[Tx], changes ...kernel.Change) error {
	b.invoiced()
	if !b.x.Invoiced.Equal(b.was.Invoiced) {
		concluded, err := saveAccounts(ctx, c, &account{was: b.was, x: b.x})
		if err != nil {
			return err
		}
		changes = append(changes, concluded...)
	}
	return c.Record(ctx, changes...)
}

// Request asks for an invoice of a contract, with its number; what it comes to by rate is given by amounts in v.Rates, or
// else split in proportion to what is left (package calc, InvoiceParts); the last invoice takes the rest of net and tax. It
// counts against what may still be invoiced until it is voided. On success v is as written.
//
// Errors: invalid for the input (Empty, with the field of the buyer that a special invoice needs), a rate that the contract
// has not, or a payment that is not the contract's (Unknown), more decimals than the currency has (Scale), or one that was
// read masked (customer.Masked); not found
// ("contract_id"); refused: InvalidTransition (not signed; see Options.EarlyInvoices), OverInvoice, for the contract and,
// with the index, for each rate that is given, TooMany (more than 10,000 of one contract).
func (s *Invoices) Request(ctx context.Context, a kernel.Actor, v *Invoice) error {
	const op = "sales.Invoices.Request"
	if v == nil {
		return kernel.Wrap(op, kernel.Invalid("invoice", kernel.Empty))
	}
	if v.Masked {
		return kernel.Wrap(op, kernel.Invalidf("masked", customer.Masked, "its buyer is hidden: claim the customer first"))
	}
	draft := *v
	draft.Rates = slices.Clone(v.Rates)
	draft.ID, draft.Number, draft.InvoiceNo, draft.IssueDate, draft.RedOfID, draft.RedNoticeNo, draft.Status = 0, "", "", "", 0, "", InvoiceRequested
	draft.Version, draft.CreatedAt, draft.CreatedBy, draft.UpdatedAt, draft.UpdatedBy = 0, time.Time{}, "", time.Time{}, ""
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.ContractWrite)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	number, err := draw(ctx, &s.core, a, InvoiceKind, s.o.InvoiceNumbers.or("FP"), rights.Zone)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	input := draft
	made, err := kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, input, func(ctx context.Context, c *kernel.Call[Tx]) (*Invoice, error) {
		b, err := openBook(ctx, c, draft.ContractID)
		if err != nil {
			return nil, inContract(err)
		}
		draft.Number = number
		return &draft, s.request(ctx, c, b, &draft)
	})
	if err == nil {
		*v = *made
	}
	return err
}

// inContract names the field of what was not found.
func inContract(err error) error {
	if err == error(kernel.ErrNotFound) { //nolint:errorlint // only the bare code lacks a field
		return &kernel.Error{Code: kernel.ErrNotFound, Field: "contract_id"}
	}
	return err
}

func (s *Invoices) request(ctx context.Context, c *kernel.Call[Tx], b *book, v *Invoice) error {
	if err := b.x.takesMoney("invoicing", false, s.o.EarlyInvoices); err != nil {
		return err
	}
	if len(b.all) >= mostInvoices {
		return &kernel.Error{Code: kernel.ErrRefused, Field: "contract_id", Reason: kernel.TooMany}
	}
	if err := b.split(v); err != nil {
		return err
	}
	if err := paidBy(ctx, c, v); err != nil {
		return err
	}
	v.CustomerID, v.Currency = b.x.CustomerID, b.x.Currency
	if v.Buyer.Name == "" {
		of, err := only(c.Tx.Customers().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, v.CustomerID))
		if err != nil {
			return err
		}
		v.Buyer.Name = of.Name
	}
	return b.insert(ctx, c, v, "invoice.requested")
}

func (b *book) insert(ctx context.Context, c *kernel.Call[Tx], v *Invoice, event string, others ...kernel.Change) error {
	v.Version, v.CreatedAt, v.CreatedBy, v.UpdatedAt, v.UpdatedBy = 1, c.Now, c.Actor.User, c.Now, c.Actor.User
	if err := c.Tx.Invoices().Insert(ctx, c.Actor.Tenant, v); err != nil {
		return err
	}
	b.all = append(b.all, v)
	return b.save(ctx, c, append(others, kernel.Change{Subject: subjectOf(b.x.CustomerID), Ref: v.Ref(), Type: event, After: v})...)
}

// split gives the invoice what it comes to by rate.
func (b *book) split(v *Invoice) error {
	left, currency := b.left(), calc.Currency(b.x.Currency)
	if len(v.Rates) == 0 {
		parts, err := calc.InvoiceParts(currency, b.x.Rules, v.Amount, left...)
		if err == nil {
			v.give(parts, 1)
		}
		return err
	}
	given := make([]calc.RateTotals, len(v.Rates))
	for k, r := range v.Rates {
		kind := r.Kind
		if kind == "" {
			kind = calc.Taxed
		}
		i := slices.IndexFunc(left, func(l calc.RateTotals) bool { return l.Rate.Equal(r.Rate) && l.Kind == kind })
		if i < 0 {
			return kernel.At(k, kernel.Invalidf("rates.rate", kernel.Unknown, "nothing of the contract bears %s %%", r.Rate))
		}
		part, err := calc.InvoicePart(currency, b.x.Rules, r.Amount, left[i])
		if err != nil {
			return kernel.At(k, err)
		}
		given[k] = part
		left[i].Net, left[i].Tax = left[i].Net.Sub(part.Net), left[i].Tax.Sub(part.Tax)
	}
	v.give(calc.ByRate(given...), 1)
	return nil
}

// paidBy refuses a payment that is not the contract's.
func paidBy(ctx context.Context, c *kernel.Call[Tx], v *Invoice) error {
	if v.PaymentID == 0 {
		return nil
	}
	found, err := c.Tx.Payments().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, v.PaymentID)
	if err == nil && (len(found) == 0 || found[0].ContractID != v.ContractID) {
		err = kernel.Invalidf("payment_id", kernel.Unknown, "the contract has no such payment")
	}
	return err
}

// Get returns an invoice with its rates.
func (s *Invoices) Get(ctx context.Context, a kernel.Actor, id InvoiceID) (*Invoice, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.Invoices.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Invoice, error) {
		v, err := only(c.Tx.Invoices().Get(ctx, a.Tenant, c.Scope, id))
		if err == nil {
			veilInvoices(c, v)
		}
		return v, err
	})
}

// List returns a page of invoices without their rates, in the order they were made: of one contract or one customer all of
// them, if the actor may see it; else those of contracts whose owner, or the region of whose customer, lies in the actor's
// scope.
func (s *Invoices) List(ctx context.Context, a kernel.Actor, f InvoiceFilter, p kernel.Page) (kernel.List[*Invoice], error) {
	const op = "sales.Invoices.List"
	w, err := p.Open("invoices", 1)
	if err = kernel.FirstError(err, checkCount("statuses", len(f.Statuses))); err != nil {
		return kernel.List[*Invoice]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Invoice], error) {
		found, err := c.Tx.Invoices().List(ctx, a.Tenant, c.Scope, f, w)
		veilInvoices(c, found...)
		return kernel.Cut("invoices", w, found, func(v *Invoice) []int64 { return []int64{int64(v.ID)} }), err
	})
}
