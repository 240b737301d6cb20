package sales

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// Issue notes that the tax system has made the invoice, with its number and day (today when empty, not in the future). It
// counts as invoiced from then on; a contract that is then paid and invoiced in full is completed. Errors: conflict
// ("invoice_no"); refused: InvalidTransition, OverInvoice (a change order has made the contract smaller since).
func (s *Invoices) Issue(ctx context.Context, a kernel.Actor, id InvoiceID, invoiceNo string, on kernel.Date) error {
	const op = "sales.Invoices.Issue"
	if err := kernel.FirstError(kernel.CheckName("invoice_no", invoiceNo, 50), on.Check("issue_date")); err != nil {
		return kernel.Wrap(op, err)
	}
	return s.change(ctx, a, op, "invoice.issued", id, []any{invoiceNo, on}, func(ctx context.Context, c *kernel.Call[Tx], b *book, v *Invoice) error {
		if err := kernel.FirstError(v.transition("issuing", InvoiceRequested), b.x.takesMoney("invoicing", false, s.o.EarlyInvoices), b.fits()); err != nil {
			return err
		}
		v.Status, v.InvoiceNo, v.IssueDate = InvoiceIssued, invoiceNo, on
		if on == "" {
			v.IssueDate = c.Today()
		}
		return numbered(ctx, c, v)
	})
}

// fits refuses invoices, requests among them, of more than the contract comes to.
func (b *book) fits() error {
	for _, r := range b.left() {
		if r.Gross().IsNegative() {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "amount", Reason: calc.OverInvoice}
		}
	}
	return nil
}

// numbered refuses the day and the number that an invoice is about to have.
func numbered(ctx context.Context, c *kernel.Call[Tx], v *Invoice) error {
	if v.IssueDate > c.Today() {
		return kernel.Invalid("issue_date", kernel.InFuture)
	}
	free, err := c.Tx.Invoices().NumberFree(ctx, c.Actor.Tenant, v.InvoiceNo)
	if err == nil && !free {
		err = kernel.Taken("invoice_no")
	}
	return err
}

// Deliver notes that an issued invoice has reached the customer.
func (s *Invoices) Deliver(ctx context.Context, a kernel.Actor, id InvoiceID) error {
	return s.step(ctx, a, "sales.Invoices.Deliver", "delivering", "invoice.delivered", id, InvoiceIssued, InvoiceDelivered)
}

// Certify notes that the buyer has certified a delivered special invoice; an ordinary one is refused (InvalidTransition).
func (s *Invoices) Certify(ctx context.Context, a kernel.Actor, id InvoiceID) error {
	return s.step(ctx, a, "sales.Invoices.Certify", "certifying", "invoice.certified", id, InvoiceDelivered, InvoiceCertified)
}

func (s *Invoices) step(ctx context.Context, a kernel.Actor, op, action, event string, id InvoiceID, from, to InvoiceStatus) error {
	return s.change(ctx, a, op, event, id, nil, func(_ context.Context, _ *kernel.Call[Tx], _ *book, v *Invoice) error {
		if to == InvoiceCertified && v.Type != SpecialInvoice {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "type", Reason: InvalidTransition}
		}
		err := v.transition(action, from)
		v.Status = to
		return err
	})
}

// Void withdraws a request, or voids a paper invoice in the calendar month of its issue (the tenant's zone) that is not
// certified and of which nothing was taken back: what it came to may be invoiced again. Errors: refused, InvalidTransition,
// with the field that stands in the way (status, medium, issue_date, red_of_id).
func (s *Invoices) Void(ctx context.Context, a kernel.Actor, id InvoiceID) error {
	return s.change(ctx, a, "sales.Invoices.Void", "invoice.voided", id, nil, func(_ context.Context, c *kernel.Call[Tx], _ *book, v *Invoice) error {
		err := v.voidable(c.Today())
		v.Status = InvoiceVoided
		return err
	})
}

// change locks an invoice's contract, lets edit change the invoice, and writes it with what it makes of the contract.
func (s *Invoices) change(ctx context.Context, a kernel.Actor, op, event string, id InvoiceID, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], b *book, v *Invoice) error,
) error {
	_, err := kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		b, v, err := openInvoice(ctx, c, id)
		if err != nil {
			return kernel.None{}, err
		}
		was := *v
		if err := edit(ctx, c, b, v); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, b.update(ctx, c, event, &was, v)
	})
	return err
}

// update writes an invoice of the book that has changed, with what all of them make of the contract.
func (b *book) update(ctx context.Context, c *kernel.Call[Tx], event string, was, v *Invoice) error {
	change, err := b.put(ctx, c, event, was, v)
	if err != nil {
		return err
	}
	return b.save(ctx, c, change)
}

// put writes an invoice that has changed.
func (b *book) put(ctx context.Context, c *kernel.Call[Tx], event string, was, v *Invoice) (kernel.Change, error) {
	v.Version, v.UpdatedAt, v.UpdatedBy = was.Version+1, c.Now, c.Actor.User
	before, after := kernel.Diff(was, v)
	change := kernel.Change{Subject: subjectOf(b.x.CustomerID), Ref: v.Ref(), Type: event, Before: before, After: after}
	return change, c.Tx.Invoices().Update(ctx, c.Actor.Tenant, v)
}

// openInvoice finds an invoice within reach, and opens the book that it is in.
func openInvoice(ctx context.Context, c *kernel.Call[Tx], id InvoiceID) (*book, *Invoice, error) {
	found, err := only(c.Tx.Invoices().Get(ctx, c.Actor.Tenant, c.Scope, id))
	if err != nil {
		return nil, nil, err
	}
	b, err := openBook(ctx, c, found.ContractID)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(b.all, func(v *Invoice) bool { return v.ID == id })
	if i < 0 {
		return nil, nil, kernel.ErrNotFound
	}
	return b, b.all[i], nil
}

// Red takes back some or all of an issued invoice by one of its own that is negative, and that the tax system has made: the
// contract may be invoiced again by that much. What takes back all that is left mirrors its net and tax exactly. The invoice
// becomes partly, then fully red-flushed; the red one is returned. Errors: invalid ("red_notice_no", Empty) where the invoice
// is special or digital, more decimals than the currency has (Scale), a day in the future; conflict ("invoice_no"); refused:
// InvalidTransition (of a request, a void, fully red-flushed or red one), RedExceedsBlue, for the whole and per rate.
func (s *Invoices) Red(ctx context.Context, a kernel.Actor, id InvoiceID, r RedFlush) (*Invoice, error) {
	const op = "sales.Invoices.Red"
	if err := r.check(); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	rights, _, err := s.core.Enter(ctx, a, kernel.ContractWrite)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	number, err := draw(ctx, &s.core, a, InvoiceKind, s.o.InvoiceNumbers.or("FP"), rights.Zone)
	if err != nil {
		return nil, kernel.Wrap(op, err)
	}
	return kernel.Do(ctx, &s.core, a, op, kernel.ContractWrite, []any{id, r}, func(ctx context.Context, c *kernel.Call[Tx]) (*Invoice, error) {
		b, blue, err := openInvoice(ctx, c, id)
		if err != nil {
			return nil, err
		}
		red := &Invoice{
			Number: number, InvoiceNo: r.InvoiceNo, ContractID: blue.ContractID, CustomerID: blue.CustomerID, Type: blue.Type, Medium: blue.Medium,
			Status: InvoiceIssued, RedOfID: id, RedNoticeNo: r.NoticeNo, IssueDate: r.Date, Currency: blue.Currency, Buyer: blue.Buyer, Remark: r.Remark,
		}
		if red.IssueDate == "" {
			red.IssueDate = c.Today()
		}
		if err := b.red(ctx, c, blue, red, r); err != nil {
			return nil, err
		}
		red.Masked = b.was.Masked
		veilInvoices(c, red)
		return red, nil
	})
}

func (b *book) red(ctx context.Context, c *kernel.Call[Tx], blue, red *Invoice, r RedFlush) error {
	if err := blue.reddable(r.NoticeNo); err != nil {
		return err
	}
	if err := numbered(ctx, c, red); err != nil {
		return err
	}
	left := b.leftOf(blue)
	all, parts := grossOf(left), left
	whole := r.Amount.IsZero() || r.Amount.Equal(all)
	if r.Amount.Cmp(all) > 0 {
		return &kernel.Error{Code: kernel.ErrRefused, Field: "amount", Reason: calc.RedExceedsBlue}
	}
	if !whole {
		var err error
		if parts, err = calc.InvoiceParts(calc.Currency(blue.Currency), b.x.Rules, r.Amount, left...); err != nil {
			return err
		}
	}
	red.give(slices.DeleteFunc(parts, func(p calc.RateTotals) bool { return p.Gross().IsZero() }), -1)
	was := *blue
	if blue.Status = InvoicePartRed; whole {
		blue.Status = InvoiceRed
	}
	change, err := b.put(ctx, c, "invoice.red_flushed", &was, blue)
	if err != nil {
		return err
	}
	return b.insert(ctx, c, red, "invoice.issued", change)
}

// reddable refuses to take back what is not issued or is itself red, and what the tax system asks a notice for without one.
func (v *Invoice) reddable(notice string) error {
	if err := v.transition("red-flushing", InvoiceIssued, InvoiceDelivered, InvoiceCertified, InvoicePartRed); err != nil {
		return err
	}
	switch {
	case v.RedOfID != 0:
		return &kernel.Error{Code: kernel.ErrRefused, Field: "red_of_id", Reason: InvalidTransition}
	case notice == "" && (v.Type == SpecialInvoice || v.Medium == DigitalInvoice):
		return kernel.Invalidf("red_notice_no", kernel.Empty, "the tax system asks for it")
	}
	return nil
}

// leftOf is what was not taken back of an invoice, by rate.
func (b *book) leftOf(blue *Invoice) []calc.RateTotals {
	left := blue.byRate()
	for _, v := range b.all {
		if v.RedOfID == blue.ID && v.counts() {
			left = append(left, v.byRate()...) // which are negative
		}
	}
	return calc.ByRate(left...)
}

// grossOf is net and tax of all rates.
func grossOf(all []calc.RateTotals) decimal.Decimal {
	sum := decimal.Zero
	for _, r := range all {
		sum = sum.Add(r.Gross())
	}
	return sum
}
