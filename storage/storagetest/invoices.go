package storagetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// ask requests an ordinary paper invoice.
func (b *bundle) ask(id sales.ContractID, amount string, change func(v *sales.Invoice)) (*sales.Invoice, error) {
	v := &sales.Invoice{ContractID: id, Type: sales.OrdinaryInvoice, Medium: sales.PaperInvoice, Amount: dec(amount)}
	if change != nil {
		change(v)
	}
	return v, b.Sales.Invoices.Request(b.t.Context(), li, v)
}

// invoice requests and issues one.
func (b *bundle) invoice(id sales.ContractID, amount, no string) *sales.Invoice {
	b.t.Helper()
	v, err := b.ask(id, amount, nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Sales.Invoices.Issue(b.t.Context(), li, v.ID, no, ""))
	return b.getInvoice(v.ID)
}

func (b *bundle) getInvoice(id sales.InvoiceID) *sales.Invoice {
	b.t.Helper()
	v, err := b.Sales.Invoices.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return v
}

// taxed makes a signed contract over the lines, with tax on top: 1,000.00 at 13 %, 500.00 at 6 % and a fee of 10.00 at 9 %,
// 1,130.00 + 530.00 + 10.90 in all.
func (b *bundle) taxed(of customer.ID) *sales.Contract {
	b.t.Helper()
	ctx := b.t.Context()
	x := &sales.Contract{CustomerID: of, Name: "pumps", Body: sales.Body{
		Lines: []sales.Line{
			{Name: "pump", Quantity: dec("2"), UnitPrice: null("500"), TaxRate: null("13")}, {Name: "mounting", Quantity: dec("1"), UnitPrice: null("500"), TaxRate: null("6")},
		},
		Fees: []sales.Fee{{Fee: calc.Fee{Name: "freight", Amount: dec("10"), TaxRate: dec("9")}}},
	}}
	require.NoError(b.t, b.Sales.Contracts.Create(ctx, li, x))
	b.plan(x.ID, 2)
	require.NoError(b.t, b.actOn(x.ID, "approve"))
	require.NoError(b.t, b.actOn(x.ID, "sign"))
	return b.getContract(x.ID)
}

// actInvoice is every action on an invoice, by name.
func (b *bundle) actInvoice(id sales.InvoiceID, action string) error {
	ctx, fresh := b.t.Context(), b.fresh()
	red := func(amount string) error {
		_, err := b.Sales.Invoices.Red(ctx, li, id, sales.RedFlush{Amount: dec(amount), InvoiceNo: fresh, NoticeNo: "N1"})
		return err
	}
	switch action {
	case "issue":
		return b.Sales.Invoices.Issue(ctx, li, id, fresh, "")
	case "deliver":
		return b.Sales.Invoices.Deliver(ctx, li, id)
	case "certify":
		return b.Sales.Invoices.Certify(ctx, li, id)
	case "void":
		return b.Sales.Invoices.Void(ctx, li, id)
	case "red":
		return red("0")
	case "part":
		return red("1")
	}
	return errors.New("no such action")
}

// fresh is a number that no invoice has.
func (b *bundle) fresh() string {
	return decimal.NewFromInt(int64(b.count("SELECT count(*) FROM crm_outbox"))).String()
}

// special asks for one with all that its buyer needs.
func special(v *sales.Invoice) {
	v.Type = sales.SpecialInvoice
	v.Buyer = sales.Buyer{TaxNo: "91330100MA27", Address: "杭州", Phone: "0571", Bank: "ICBC", Account: "1202"}
}

func testInvoices(t *testing.T, open Open) {
	t.Run("never more than the contract, to the cent; a red one makes room again", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		x := b.owes(of, "2026-01-01", "1000 2026-01-10")
		v := b.invoice(x.ID, "600", "1")
		require.Equal(t, "FP202602280001", v.Number)
		require.Equal(t, b.get(of).Name, v.Buyer.Name)
		_, err := b.ask(x.ID, "400.01", nil)
		requireError(t, err, crm.ErrRefused, calc.OverInvoice, "amount")
		b.invoice(x.ID, "400", "2")
		requireMoney(t, "1000", b.getContract(x.ID).Invoiced)
		x = b.owes(of, "2026-01-01", "1000 2026-01-10")
		v = b.invoice(x.ID, "1000", "3")
		red, err := b.Sales.Invoices.Red(t.Context(), li, v.ID, sales.RedFlush{Amount: dec("250"), InvoiceNo: "4"})
		require.NoError(t, err)
		requireMoney(t, "-250", red.Amount)
		requireSame(t, red, b.getInvoice(red.ID))
		require.Equal(t, sales.InvoicePartRed, b.getInvoice(v.ID).Status)
		requireMoney(t, "750", b.getContract(x.ID).Invoiced)
		_, err = b.ask(x.ID, "250.01", nil)
		requireError(t, err, crm.ErrRefused, calc.OverInvoice, "amount")
		b.invoice(x.ID, "250", "5")
		x = b.owes(of, "2026-01-01", "1000 2026-01-10")
		v = b.invoice(x.ID, "300", "6")
		_, err = b.Sales.Invoices.Red(t.Context(), li, v.ID, sales.RedFlush{Amount: dec("300.01"), InvoiceNo: "7"})
		requireError(t, err, crm.ErrRefused, calc.RedExceedsBlue, "amount")
		_, err = b.Sales.Invoices.Red(t.Context(), li, v.ID, sales.RedFlush{Amount: dec("300"), InvoiceNo: "7"})
		require.NoError(t, err)
		require.Equal(t, sales.InvoiceRed, b.getInvoice(v.ID).Status)
		f := b.getContract(x.ID).Figures()
		requireMoney(t, "0", f.Invoiced)
		b.agree()
	})
	t.Run("a request counts until it is voided", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "1000 2026-01-10")
		v, err := b.ask(x.ID, "600", nil)
		require.NoError(t, err)
		requireMoney(t, "0", b.getContract(x.ID).Invoiced)
		_, err = b.ask(x.ID, "400.01", nil)
		require.ErrorIs(t, err, calc.OverInvoice)
		require.NoError(t, b.actInvoice(v.ID, "void"))
		_, err = b.ask(x.ID, "1000", nil)
		require.NoError(t, err)
		b.agree()
	})
	t.Run("split over the rates; all together are the contract's net and tax", func(t *testing.T) {
		b := setup(t, open)
		x := b.taxed(b.create(1, "li")[0])
		requireMoney(t, "1670.90", x.GrandTotal)
		first := b.invoice(x.ID, "333.33", "1")
		require.Len(t, first.Rates, 3)
		second, err := b.ask(x.ID, "100", func(v *sales.Invoice) { v.Rates = []sales.InvoiceRate{{Rate: dec("6"), Amount: dec("100")}} })
		require.NoError(t, err)
		requireMoney(t, "94.34", second.Net)
		requireMoney(t, "5.66", second.Tax)
		_, err = b.ask(x.ID, "500", func(v *sales.Invoice) { v.Rates = []sales.InvoiceRate{{Rate: dec("6"), Amount: dec("500")}} })
		i, ok := requireError(t, err, crm.ErrRefused, calc.OverInvoice, "amount").Item()
		require.True(t, ok && i == 0)
		_, err = b.ask(x.ID, "5", func(v *sales.Invoice) { v.Rates = []sales.InvoiceRate{{Rate: dec("5"), Amount: dec("5")}} })
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "rates.rate")
		_, err = b.ask(x.ID, "5", func(v *sales.Invoice) { v.Rates = []sales.InvoiceRate{{Rate: dec("6"), Amount: dec("4")}} })
		requireError(t, err, crm.ErrInvalid, calc.AmountMismatch, "rates")
		last, err := b.ask(x.ID, "1237.57", nil)
		require.NoError(t, err)
		net, tax := decimal.Sum(first.Net, second.Net, last.Net), decimal.Sum(first.Tax, second.Tax, last.Tax)
		requireMoney(t, x.NetTotal.String(), net)
		requireMoney(t, x.TaxTotal.String(), tax)
		red, err := b.Sales.Invoices.Red(t.Context(), li, first.ID, sales.RedFlush{InvoiceNo: "9"})
		require.NoError(t, err)
		for i, r := range red.Rates {
			requireMoney(t, first.Rates[i].Net.Neg().String(), r.Net)
			requireMoney(t, first.Rates[i].Tax.Neg().String(), r.Tax)
		}
		b.agree()
	})
	t.Run("every action in every state is in the table, or refused", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "10000 2026-01-10")
		reach := map[string][]string{
			"requested": {}, "issued": {"issue"}, "delivered": {"issue", "deliver"}, "certified": {"issue", "deliver", "certify"}, "voided": {"issue", "void"},
			"red-flushed": {"issue", "red"}, "partly red-flushed": {"issue", "part"},
		}
		allowed := map[string][]string{
			"requested": {"issue", "void"}, "issued": {"deliver", "void", "red", "part"}, "delivered": {"certify", "void", "red", "part"},
			"certified": {"red", "part"}, "voided": {}, "red-flushed": {}, "partly red-flushed": {"red", "part"},
		}
		for state, steps := range reach {
			for _, action := range []string{"issue", "deliver", "certify", "void", "red", "part"} {
				v, err := b.ask(x.ID, "100", special)
				require.NoError(t, err)
				for _, step := range steps {
					require.NoError(t, b.actInvoice(v.ID, step))
				}
				require.Equal(t, state, b.getInvoice(v.ID).Status.String())
				err = b.actInvoice(v.ID, action)
				if slices.Contains(allowed[state], action) {
					require.NoError(t, err, "%s: %s", state, action)
					continue
				}
				require.ErrorIs(t, err, sales.InvalidTransition, "%s: %s", state, action)
			}
		}
		b.agree()
	})
	t.Run("what only some may: certify a special one, void paper in its month", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "10000 2026-01-10")
		ordinary := b.invoice(x.ID, "10", "1")
		require.NoError(t, b.actInvoice(ordinary.ID, "deliver"))
		requireError(t, b.actInvoice(ordinary.ID, "certify"), crm.ErrRefused, sales.InvalidTransition, "type")
		digital, err := b.ask(x.ID, "10", func(v *sales.Invoice) { v.Medium = sales.DigitalInvoice })
		require.NoError(t, err)
		require.NoError(t, b.actInvoice(digital.ID, "issue"))
		requireError(t, b.actInvoice(digital.ID, "void"), crm.ErrRefused, sales.InvalidTransition, "medium")
		_, err = b.Sales.Invoices.Red(ctx, li, digital.ID, sales.RedFlush{InvoiceNo: "R1"})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "red_notice_no")
		red, err := b.Sales.Invoices.Red(ctx, li, ordinary.ID, sales.RedFlush{InvoiceNo: "R1"})
		require.NoError(t, err, "neither special nor digital")
		requireError(t, b.actInvoice(red.ID, "void"), crm.ErrRefused, sales.InvalidTransition, "red_of_id")
		requireError(t, b.actInvoice(red.ID, "red"), crm.ErrRefused, sales.InvalidTransition, "red_of_id")
		old, err := b.ask(x.ID, "10", nil)
		require.NoError(t, err)
		require.NoError(t, b.Sales.Invoices.Issue(ctx, li, old.ID, "O1", "2026-02-01"))
		last, err := b.ask(x.ID, "10", nil)
		require.NoError(t, err)
		require.NoError(t, b.Sales.Invoices.Issue(ctx, li, last.ID, "O2", "2026-01-31"))
		requireError(t, b.actInvoice(last.ID, "void"), crm.ErrRefused, sales.InvalidTransition, "issue_date")
		require.NoError(t, b.actInvoice(old.ID, "void"))
		b.agree()
	})
	t.Run("what completed the contract is voided, or taken back: it is signed again", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		for _, action := range []string{"void", "red", "part"} {
			x := b.owes(of, "2026-01-01", "100 2026-01-10")
			b.pay(x, "2026-01-05", "100", 0)
			require.False(t, b.getContract(x.ID).Plans[0].Overdue("2026-02-28"))
			v := b.invoice(x.ID, "100", b.fresh())
			require.Equal(t, sales.ContractCompleted, b.getContract(x.ID).Status)
			require.NoError(t, b.actInvoice(v.ID, action))
			require.Equal(t, sales.ContractSigned, b.getContract(x.ID).Status)
			b.invoice(x.ID, b.getContract(x.ID).Figures().ReceivedUninvoiced.String(), b.fresh())
			require.Equal(t, sales.ContractCompleted, b.getContract(x.ID).Status)
		}
		x := b.owes(of, "2026-01-01", "100 2026-02-27", "100 2026-02-28")
		require.Equal(t, []bool{true, false}, []bool{x.Plans[0].Overdue("2026-02-28"), x.Plans[1].Overdue("2026-02-28")})
		b.agree()
	})
	t.Run("while the customer lies in the pool, people see its buyer masked", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		x := b.owes(of, "2026-01-01", "100 2026-01-10")
		v, err := b.ask(x.ID, "10", func(v *sales.Invoice) { special(v); v.Buyer.Phone = "057188881234" })
		require.NoError(t, err)
		got, err := b.Sales.Invoices.Get(ctx, li, v.ID)
		require.NoError(t, err)
		requireSame(t, v, got)
		require.NoError(t, b.Pool.Release(ctx, li, of, nil))
		got, err = b.Sales.Invoices.Get(ctx, head, v.ID)
		require.NoError(t, err)
		require.True(t, got.Masked)
		require.Equal(t, sales.Buyer{Name: v.Buyer.Name, TaxNo: v.Buyer.TaxNo, Address: "***", Phone: "057****1234", Bank: "***", Account: "***"}, got.Buyer)
		l, err := b.Sales.Invoices.List(ctx, li, sales.InvoiceFilter{Contract: x.ID}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, got.Buyer, l.Items[0].Buyer)
		require.Equal(t, v.Buyer, b.getInvoice(v.ID).Buyer, "the system actor sees all")
	})
	t.Run("bad input, numbers that are taken, contracts that are not signed", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		x, other := b.owes(of, "2026-01-01", "1000 2026-01-10"), b.owes(of, "2026-01-01", "1000 2026-01-10")
		p := b.pay(other, "2026-01-05", "1", 0)
		for _, c := range []struct {
			change func(v *sales.Invoice)
			code   kernel.Code
			reason kernel.Reason
			field  string
		}{
			{func(v *sales.Invoice) { v.Type = "" }, crm.ErrInvalid, kernel.Empty, "type"},
			{func(v *sales.Invoice) { v.Medium = "stone" }, crm.ErrInvalid, kernel.Unknown, "medium"},
			{func(v *sales.Invoice) { v.Amount = dec("-1") }, crm.ErrInvalid, kernel.OutOfRange, "amount"},
			{func(v *sales.Invoice) { v.Amount = dec("0.001") }, crm.ErrInvalid, calc.Scale, "amount"},
			{func(v *sales.Invoice) { special(v); v.Buyer.TaxNo = "" }, crm.ErrInvalid, kernel.Empty, "buyer.tax_no"},
			{func(v *sales.Invoice) { special(v); v.Buyer.Account = "" }, crm.ErrInvalid, kernel.Empty, "buyer.account"},
			{func(v *sales.Invoice) { v.PaymentID = p.ID }, crm.ErrInvalid, kernel.Unknown, "payment_id"},
			{func(v *sales.Invoice) { v.ContractID = 1 << 40 }, crm.ErrNotFound, "", "contract_id"},
			{func(v *sales.Invoice) { v.ContractID = b.instalments(of, "5 2026-01-10").ID }, crm.ErrRefused, sales.InvalidTransition, "status"},
		} {
			_, err := b.ask(x.ID, "1", c.change)
			requireError(t, err, c.code, c.reason, c.field)
		}
		_, err := b.ask(x.ID, "1", func(v *sales.Invoice) { special(v); v.Medium, v.Buyer.Account = sales.DigitalInvoice, "" })
		require.NoError(t, err)
		b.invoice(x.ID, "1", "N-1")
		v, err := b.ask(other.ID, "1", nil)
		require.NoError(t, err)
		requireError(t, b.Sales.Invoices.Issue(ctx, li, v.ID, "N-1", ""), crm.ErrConflict, kernel.Duplicate, "invoice_no")
		requireError(t, b.Sales.Invoices.Issue(ctx, li, v.ID, "N-2", "2026-03-01"), crm.ErrInvalid, kernel.InFuture, "issue_date")
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			require.ErrorIs(t, b.Sales.Invoices.Issue(ctx, who, v.ID, "N-2", ""), crm.ErrNotFound)
			_, err := b.Sales.Invoices.Get(ctx, who, v.ID)
			require.ErrorIs(t, err, crm.ErrNotFound)
			l, err := b.Sales.Invoices.List(ctx, who, sales.InvoiceFilter{Contract: x.ID}, crm.Page{})
			require.NoError(t, err)
			require.Empty(t, l.Items)
		}
		l, err := b.Sales.Invoices.List(ctx, li, sales.InvoiceFilter{Customer: of, Statuses: []sales.InvoiceStatus{sales.InvoiceIssued}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		b.agree()
	})
}

func testChangeOrders(t *testing.T, open Open) {
	amend := func(b *bundle, x *sales.Contract, o sales.ChangeOrder) (*sales.Contract, error) {
		if o.Reason == "" {
			o.Reason = "agreed"
		}
		return b.Sales.Contracts.Amend(b.t.Context(), head, x.ID, b.getContract(x.ID).Version, o)
	}
	line := func(quantity, price, rate string) sales.Line {
		return sales.Line{Name: "pump", Quantity: dec(quantity), UnitPrice: null(price), TaxRate: null(rate)}
	}
	t.Run("lines are added and taken back; the last instalment changes, and credit is used up", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "600 2026-02-10", "100 2026-03-10")
		b.pay(x, "2026-01-05", "1050", 0)
		got, err := amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("1", "200", "0")}})
		require.NoError(t, err)
		requireSame(t, got, b.getContract(x.ID))
		requireMoney(t, "1200", got.GrandTotal)
		requireMoney(t, "1200", got.BaseAmount)
		require.Equal(t, []int{0, 1}, []int{got.Lines[0].Change, got.Lines[1].Change})
		b.requirePaid("300/3 600/3 150/2 +0", x.ID)
		got, err = amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "150", "0")}})
		require.NoError(t, err)
		require.Equal(t, 2, got.Changes)
		requireMoney(t, "1050", got.GrandTotal)
		b.requirePaid("300/3 600/3 150/3 +0", x.ID)
		_, err = amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "0.01", "0")}})
		requireError(t, err, crm.ErrRefused, sales.BelowSettled, "lines")
		b.pay(x, "2026-01-06", "-1050", 0)
		got, err = amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "850", "0")}})
		require.NoError(t, err)
		require.Len(t, got.Plans, 1, "instalments that come to nothing are left out")
		b.requirePaid("0/1 +0", x.ID)
		_, err = amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "200", "0")}})
		requireError(t, err, crm.ErrInvalid, calc.ZeroTotal, "total")
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'contract.amended'"))
		b.agree()
	})
	t.Run("not below what is invoiced, in all and at each rate", func(t *testing.T) {
		b := setup(t, open)
		x := b.taxed(b.create(1, "li")[0])
		_, err := b.ask(x.ID, "1000", func(v *sales.Invoice) { v.Rates = []sales.InvoiceRate{{Rate: dec("13"), Amount: dec("1000")}} })
		require.NoError(t, err)
		_, err = amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "200", "13")}})
		requireError(t, err, crm.ErrRefused, sales.BelowSettled, "lines")
		got, err := amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "115.04", "13")}})
		require.NoError(t, err)
		requireMoney(t, "1540.90", got.GrandTotal)
		b.agree()
	})
	t.Run("instalments of its own must add up, keep ids, and keep those that payments name", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "700 2026-02-10")
		b.pay(x, "2026-01-05", "10", x.Plans[1].ID)
		more := []sales.Line{line("1", "100", "0")}
		_, err := amend(b, x, sales.ChangeOrder{Lines: more, Plans: []sales.Plan{{ID: x.Plans[1].ID, Date: "2026-02-10", Amount: dec("1099.99")}}})
		requireError(t, err, crm.ErrRefused, sales.PlanSum, "plans")
		_, err = amend(b, x, sales.ChangeOrder{Lines: more, Plans: []sales.Plan{{Date: "2026-02-10", Amount: dec("1100")}}})
		requireError(t, err, crm.ErrRefused, kernel.InUse, "plans")
		_, err = amend(b, x, sales.ChangeOrder{Lines: more, Plans: []sales.Plan{{ID: 1 << 40, Date: "2026-02-10", Amount: dec("1100")}}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "id")
		got, err := amend(b, x, sales.ChangeOrder{Lines: more, Plans: []sales.Plan{
			{ID: x.Plans[1].ID, Date: "2026-04-10", Amount: dec("500")}, {Date: "2026-05-10", Amount: dec("600")},
		}})
		require.NoError(t, err)
		require.Equal(t, x.Plans[1].ID, got.Plans[0].ID)
		b.requirePaid("10/2 0/1 +0", x.ID)
		b.agree()
	})
	t.Run("only of a signed contract, by those who approve, in the version that they read", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		more := sales.ChangeOrder{Reason: "x", Lines: []sales.Line{line("1", "1", "0")}}
		x := b.instalments(of, "100 2026-01-10")
		_, err := amend(b, x, more)
		require.ErrorIs(t, err, sales.InvalidTransition)
		require.NoError(t, b.actOn(x.ID, "sign"))
		_, err = b.Sales.Contracts.Amend(ctx, li, x.ID, 3, more)
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.Sales.Contracts.Amend(ctx, head, x.ID, 2, more)
		requireError(t, err, crm.ErrConflict, kernel.Stale, "version")
		_, err = b.Sales.Contracts.Amend(ctx, head, x.ID, 3, sales.ChangeOrder{Reason: "x"})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "lines")
		_, err = b.Sales.Contracts.Amend(ctx, head, x.ID, 3, sales.ChangeOrder{Lines: more.Lines})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "reason")
		b.agree()
	})
	t.Run("smaller to what was paid and invoiced: completed", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "700 2026-02-10")
		b.pay(x, "2026-01-05", "800", 0)
		b.invoice(x.ID, "800", "1")
		got, err := amend(b, x, sales.ChangeOrder{Lines: []sales.Line{line("-1", "200", "0")}})
		require.NoError(t, err)
		require.Equal(t, sales.ContractCompleted, got.Status)
		b.agree()
	})
}
