package sales

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// NumberRepository counts the numbers of documents.
type NumberRepository interface {
	// Next must raise the count of a kind in a period by one and return it, from 1. Of two calls at once each has its own.
	Next(ctx context.Context, t kernel.TenantID, kind, period string) (int64, error)
	// Reserve must raise the count by n, 1 at least, and return the first of the n numbers, which are the caller's alone.
	Reserve(ctx context.Context, t kernel.TenantID, kind, period string, n int) (int64, error)
}

// Check says what is wrong with options.
func (o Options) Check() error {
	_, err := calc.Line("CNY", calc.Item{Quantity: one}, o.Rules)
	return errors.Join(err, o.QuoteNumbers.check(), o.ContractNumbers.check(), o.PaymentNumbers.check(), o.InvoiceNumbers.check(), o.Terms.Check(),
		kernel.OneOf("Overpayment", o.Overpayment, calc.CreditOverpayment, calc.RejectOverpayment),
		kernel.OneOf("WinOn", o.WinOn, WonWhenSigned, WonWhenAccepted, WonByHand), o.checkOrders())
}

func (f NumberFormat) check() error {
	switch {
	case len(f.Prefix) > 10 || strings.ContainsFunc(f.Prefix, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }):
		return fmt.Errorf("the prefix %q is not at most 10 letters A to Z and digits", f.Prefix)
	case f.Date != "" && f.Date != "20060102" && f.Date != "200601" && f.Date != "2006" && f.Date != "-":
		return fmt.Errorf("the date %q is none of 20060102, 200601, 2006 and -", f.Date)
	case f.Width < 0 || f.Width > 12:
		return errors.New("the width is 1 to 12")
	}
	return nil
}

// or fills in what is empty.
func (f NumberFormat) or(prefix string) NumberFormat {
	if f.Prefix == "" {
		f.Prefix = prefix
	}
	if f.Date == "" {
		f.Date = "20060102"
	}
	if f.Width == 0 {
		f.Width = 4
	}
	return f
}

// draw takes the next number of a kind, in a transaction of its own: a document that is not made in the end leaves a gap, and
// none holds up the others while it is written. Inside a host's transaction the number is drawn in that.
func draw(ctx context.Context, core *kernel.Service[Tx], a kernel.Actor, kind string, f NumberFormat, zone *time.Location) (string, error) {
	period := ""
	if f.Date != "-" {
		period = core.Clock.Now().In(zone).Format(f.Date)
	}
	var n int64
	err := core.Unit(ctx, kernel.OneCall, func(ctx context.Context, tx Tx) (err error) {
		n, err = tx.Numbers().Next(ctx, a.Tenant, kind, period)
		return err
	})
	return fmt.Sprintf("%s%s%0*d", f.Prefix, period, f.Width, n), undrawn(err)
}

// undrawn is the error of a number that was drawn, or not: the call has done nothing yet, and a number that nobody heard of is a
// gap.
func undrawn(err error) error {
	if errors.Is(err, kernel.ErrUnknownOutcome) {
		return &kernel.Error{Code: kernel.ErrRetry, Err: errors.Unwrap(err)}
	}
	return err
}

// drawMany is draw for n numbers at once.
func drawMany(ctx context.Context, core *kernel.Service[Tx], a kernel.Actor, kind string, f NumberFormat, zone *time.Location, n int) ([]string, error) {
	period := ""
	if f.Date != "-" {
		period = core.Clock.Now().In(zone).Format(f.Date)
	}
	var first int64
	err := core.Unit(ctx, kernel.OneCall, func(ctx context.Context, tx Tx) (err error) {
		first, err = tx.Numbers().Reserve(ctx, a.Tenant, kind, period, n)
		return err
	})
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%s%0*d", f.Prefix, period, f.Width, first+int64(i))
	}
	return all, undrawn(err)
}
