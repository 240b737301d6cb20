package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/sales"
)

// entry is a line of the ledger: one document, in one of its columns.
type entry struct {
	date                     crm.Date
	voucher, text            string
	debit, credit, invoicing decimal.Decimal
}

// ledger prints the customer's account (应收账款明细): what the contract made receivable, what was paid, what is left, and what
// was invoiced, in the order of the days.
func (a *cash) ledger(ctx context.Context) error {
	x, err := a.crm.Sales.Contracts.Get(ctx, head, a.contract)
	if err != nil {
		return err
	}
	entries := []entry{{date: x.SignDate, voucher: x.Number, text: "contract signed", debit: x.GrandTotal}}
	for p, err := range crm.All(func(p crm.Page) (crm.List[*sales.Payment], error) {
		return a.crm.Sales.Payments.List(ctx, head, sales.PaymentFilter{Contract: a.contract}, p)
	}) {
		if err != nil {
			return err
		}
		entries = append(entries, entry{date: p.Date, voucher: p.Number, text: "payment, " + p.Method, credit: p.Amount})
	}
	for v, err := range crm.All(func(p crm.Page) (crm.List[*sales.Invoice], error) {
		return a.crm.Sales.Invoices.List(ctx, head, sales.InvoiceFilter{Contract: a.contract}, p)
	}) {
		if err != nil {
			return err
		}
		if v.Status != sales.InvoiceVoided {
			entries = append(entries, entry{date: v.IssueDate, voucher: v.Number, text: "invoice, tax " + money(v.Tax), invoicing: v.Amount})
		}
	}
	slices.SortStableFunc(entries, func(x, y entry) int { return cmp.Compare(x.date, y.date) })
	a.printf("\n")
	a.row("date", "voucher", "text", "receivable", "received", "balance", "invoiced")
	var sum entry
	for _, e := range entries {
		sum.debit, sum.credit, sum.invoicing = sum.debit.Add(e.debit), sum.credit.Add(e.credit), sum.invoicing.Add(e.invoicing)
		a.row(string(e.date), e.voucher, e.text, column(e.debit), column(e.credit), money(sum.debit.Sub(sum.credit)), column(e.invoicing))
	}
	a.row("", "", "sum", money(sum.debit), money(sum.credit), money(sum.debit.Sub(sum.credit)), money(sum.invoicing))
	return nil
}

func (a *cash) row(date, voucher, text, receivable, received, balance, invoiced string) {
	line := fmt.Sprintf("  %-10s  %-14s  %-22s  %10s  %10s  %10s  %10s", date, voucher, text, receivable, received, balance, invoiced)
	a.printf("%s\n", strings.TrimRight(line, " "))
}

// column leaves out what a line has nothing of.
func column(d decimal.Decimal) string {
	if d.IsZero() {
		return ""
	}
	return money(d)
}
