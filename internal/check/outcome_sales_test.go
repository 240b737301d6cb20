package check

import (
	"context"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

// priced is what is sold for an amount.
func priced(amount int64) sales.Body {
	return sales.Body{Lines: []sales.Line{{Name: "x", Quantity: decimal.NewFromInt(1), UnitPrice: decimal.NewNullDecimal(decimal.NewFromInt(amount))}}}
}

// approve makes an approved contract over 10, in two instalments.
func (h *house) approve() *sales.Contract {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	x := &sales.Contract{CustomerID: h.create(1, "li")[0], Name: "x", Body: priced(10)}
	ok(h.Sales.Contracts.Create(ctx, li, x))
	five := decimal.NewFromInt(5)
	_, err := h.Sales.Contracts.SetPlans(ctx, li, x.ID, sales.Plan{Date: "2026-03-01", Amount: five}, sales.Plan{Date: "2026-04-01", Amount: five})
	ok(err)
	ok(h.Sales.Contracts.Approve(ctx, boss, x.ID, x.Version))
	return x
}

// signed is approve, and the signature.
func (h *house) signed() *sales.Contract {
	h.t.Helper()
	x := h.approve()
	require.NoError(h.t, h.Sales.Contracts.Sign(context.Background(), li, x.ID, ""))
	return x
}

// ofSales are undertakings with the documents of a customer.
var ofSales = []undertaking{
	{name: "Quote", draws: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		id := h.create(1, "li")[0]
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Sales.Quotes.Create(ctx, as(li, request), &sales.Quote{CustomerID: id, Body: priced(10)})
		}
	}},
	{name: "Accept", draws: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		q := &sales.Quote{CustomerID: h.create(1, "li")[0], Body: priced(10)}
		require.NoError(h.t, h.Sales.Quotes.Create(context.Background(), li, q))
		require.NoError(h.t, h.Sales.Quotes.Send(context.Background(), li, q.ID))
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Sales.Quotes.Accept(ctx, as(li, request), q.ID, "x")
		}
	}},
	{name: "Sign", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		x := h.approve()
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Sales.Contracts.Sign(ctx, as(li, request), x.ID, "")
		}
	}},
	{name: "Payment", draws: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		x := h.signed()
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Sales.Payments.Record(ctx, as(li, request), &sales.Payment{ContractID: x.ID, Amount: decimal.NewFromInt(7)})
		}
	}},
	{name: "Payments", draws: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		x, y := h.signed(), h.signed()
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Sales.Payments.RecordMany(ctx, as(li, request), []*sales.Payment{
				{ContractID: y.ID, Amount: decimal.NewFromInt(12)}, {ContractID: x.ID, Amount: decimal.NewFromInt(1)}, {ContractID: y.ID, Amount: decimal.NewFromInt(-3)},
			}, kernel.AllOrNothing)
			return err
		}
	}},
	{name: "Issue", prepare: func(h *house) func(context.Context, *crm.CRM, string) error { // and with it the completion
		ctx, x := context.Background(), h.signed()
		require.NoError(h.t, h.Sales.Payments.Record(ctx, li, &sales.Payment{ContractID: x.ID, Amount: decimal.NewFromInt(10)}))
		v := &sales.Invoice{ContractID: x.ID, Type: sales.OrdinaryInvoice, Medium: sales.PaperInvoice, Amount: decimal.NewFromInt(10)}
		require.NoError(h.t, h.Sales.Invoices.Request(ctx, li, v))
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Sales.Invoices.Issue(ctx, as(li, request), v.ID, v.Number, "")
		}
	}},
	{name: "Amend", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		x := h.signed()
		require.NoError(h.t, h.Sales.Payments.Record(context.Background(), li, &sales.Payment{ContractID: x.ID, Amount: decimal.NewFromInt(7)}))
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Sales.Contracts.Amend(ctx, as(boss, request), x.ID, 3, sales.ChangeOrder{Reason: "x", Lines: priced(2).Lines})
			return err
		}
	}},
}
