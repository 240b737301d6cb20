package storagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
	"github.com/openseas/crm/team"
)

// instalments makes an approved contract with the instalments of "amount date", in CNY and without tax, owned by li.
func (b *bundle) instalments(of customer.ID, plans ...string) *sales.Contract {
	b.t.Helper()
	ctx := b.t.Context()
	var list []sales.Plan
	total := decimal.Zero
	for _, p := range plans {
		amount, date, _ := strings.Cut(p, " ")
		list = append(list, sales.Plan{Date: kernel.Date(date), Amount: dec(amount)})
		total = total.Add(dec(amount))
	}
	x := &sales.Contract{CustomerID: of, Name: "pumps", Body: sales.Body{Lines: []sales.Line{{Name: "pump", Quantity: dec("1"), UnitPrice: decimal.NewNullDecimal(total)}}}}
	require.NoError(b.t, b.Sales.Contracts.Create(ctx, li, x))
	_, err := b.Sales.Contracts.SetPlans(ctx, li, x.ID, list...)
	require.NoError(b.t, err)
	require.NoError(b.t, b.actOn(x.ID, "approve"))
	return b.getContract(x.ID)
}

// owes is instalments, and signed.
func (b *bundle) owes(of customer.ID, on kernel.Date, plans ...string) *sales.Contract {
	b.t.Helper()
	x := b.instalments(of, plans...)
	require.NoError(b.t, b.Sales.Contracts.Sign(b.t.Context(), li, x.ID, on))
	return b.getContract(x.ID)
}

// pay records a payment of a contract.
func (b *bundle) pay(x *sales.Contract, on kernel.Date, amount string, plan sales.PlanID) *sales.Payment {
	b.t.Helper()
	p := &sales.Payment{ContractID: x.ID, Date: on, Amount: dec(amount), PlanID: plan}
	require.NoError(b.t, b.Sales.Payments.Record(b.t.Context(), li, p))
	return p
}

// requirePaid compares what is paid of each instalment, its status, and the credit: "300/3 200/2 0/1 +0".
func (b *bundle) requirePaid(want string, id sales.ContractID) *sales.Contract {
	b.t.Helper()
	x := b.getContract(id)
	var got []string
	sum := x.Credit
	for _, p := range x.Plans {
		got = append(got, fmt.Sprintf("%s/%d", p.Paid, p.Status))
		sum = sum.Add(p.Paid)
	}
	require.Equal(b.t, want, strings.Join(got, " ")+" +"+x.Credit.String())
	requireMoney(b.t, x.Received.String(), sum)
	return x
}

// fillMoney gives the tenant a row of each kind that hangs on a signed contract.
func (b *bundle) fillMoney(by crm.Actor, of customer.ID, owner kernel.UserID) {
	b.t.Helper()
	ctx := b.t.Context()
	ask := func(request string) crm.Actor { by.Request = request; return by }
	x := &sales.Contract{CustomerID: of, OwnerID: owner, Name: "y", Body: sales.Body{Lines: []sales.Line{{Name: "x", Quantity: dec("1"), UnitPrice: null("3")}}}}
	require.NoError(b.t, b.Sales.Contracts.Create(ctx, ask("money"), x))
	_, err := b.Sales.Contracts.SetPlans(ctx, ask("money"), x.ID, sales.Plan{Date: "2026-03-01", Amount: dec("3")})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Sales.Contracts.Approve(ctx, ask("money"), x.ID, 1))
	require.NoError(b.t, b.Sales.Contracts.Sign(ctx, ask("money"), x.ID, ""))
	p := &sales.Payment{ContractID: x.ID, Amount: dec("2")}
	require.NoError(b.t, b.Sales.Payments.Record(ctx, ask("money"), p))
	_, err = b.Sales.Payments.Reverse(ctx, ask("money"), p.ID, "")
	require.NoError(b.t, err)
	p = &sales.Payment{ContractID: x.ID, Amount: dec("1")}
	require.NoError(b.t, b.Sales.Payments.Record(ctx, ask("money 2"), p))
	v := &sales.Invoice{ContractID: x.ID, Type: sales.OrdinaryInvoice, Medium: sales.PaperInvoice, Amount: dec("2"), PaymentID: p.ID}
	require.NoError(b.t, b.Sales.Invoices.Request(ctx, ask("money"), v))
	require.NoError(b.t, b.Sales.Invoices.Issue(ctx, ask("money"), v.ID, "1", ""))
	_, err = b.Sales.Invoices.Red(ctx, ask("money"), v.ID, sales.RedFlush{Amount: dec("1"), InvoiceNo: "2"})
	require.NoError(b.t, err)
}

func testPayments(t *testing.T, open Open) {
	t.Run("money goes to the instalment that it names, then to the earliest; what is left is credit", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		x := b.owes(of, "2026-01-01", "300 2026-01-10", "600 2026-02-10", "100 2026-03-10")
		p := b.pay(x, "2026-01-05", "500", 0)
		require.Equal(t, "HK202602280001", p.Number)
		require.Equal(t, "CNY", p.Currency)
		require.Equal(t, of, p.CustomerID)
		x = b.requirePaid("300/3 200/2 0/1 +0", x.ID)
		p = b.pay(x, "2026-01-06", "700", x.Plans[2].ID)
		require.Len(t, p.Allocations, 2)
		b.requirePaid("300/3 600/3 100/3 +200", x.ID)
		got, err := b.Sales.Payments.Get(t.Context(), li, p.ID)
		require.NoError(t, err)
		requireSame(t, p, got)
		f := b.getContract(x.ID).Figures()
		requireMoney(t, "-200", f.Receivable)
		requireMoney(t, "0", f.Outstanding)
		requireMoney(t, "1200", f.ReceivedUninvoiced)
		b.agree()
	})
	t.Run("a refund takes from the credit, then from the instalment that it names, then from the latest", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "600 2026-02-10", "100 2026-03-10")
		b.pay(x, "2026-01-05", "1200", 0)
		b.requirePaid("300/3 600/3 100/3 +200", x.ID)
		b.pay(x, "2026-01-06", "-500", 0)
		requireMoney(t, "700", b.requirePaid("300/3 400/2 0/1 +0", x.ID).Received)
		b.pay(x, "2026-01-07", "-100", x.Plans[0].ID)
		b.requirePaid("200/2 400/2 0/1 +0", x.ID)
		err := b.Sales.Payments.Record(t.Context(), li, &sales.Payment{ContractID: x.ID, Amount: dec("-600.01")})
		requireError(t, err, crm.ErrRefused, calc.RefundExceedsReceived, "amount")
		b.requirePaid("200/2 400/2 0/1 +0", x.ID)
		b.agree()
	})
	t.Run("one that is entered late changes what those after it paid", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "600 2026-02-10")
		later := b.pay(x, "2026-02-01", "300", 0)
		require.Equal(t, x.Plans[0].ID, later.Allocations[0].PlanID)
		b.pay(x, "2026-01-02", "200", 0)
		got, err := b.Sales.Payments.Get(t.Context(), li, later.ID)
		require.NoError(t, err)
		require.Len(t, got.Allocations, 2)
		b.requirePaid("300/3 200/2 +0", x.ID)
		err = b.Sales.Payments.Record(t.Context(), li, &sales.Payment{ContractID: x.ID, Date: "2026-01-01", Amount: dec("-100")})
		requireError(t, err, crm.ErrRefused, calc.RefundExceedsReceived, "amount")
		b.agree()
	})
	t.Run("two on one instalment: partly, then fully paid; what a third brings beyond the contract is credit, or refused", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		for policy, want := range map[calc.Overpaid]string{calc.CreditOverpayment: "100/3 50/3 +10", calc.RejectOverpayment: "100/3 0/1 +0"} {
			b.CRM = b.open(func(o *crm.Options) { o.Sales.Overpayment = policy })
			x := b.owes(of, "2026-01-01", "100 2026-01-10", "50 2026-02-10")
			named := x.Plans[0].ID
			b.pay(x, "2026-01-05", "40", named)
			b.requirePaid("40/2 0/1 +0", x.ID)
			b.pay(x, "2026-01-06", "60", named)
			b.requirePaid("100/3 0/1 +0", x.ID)
			err := b.Sales.Payments.Record(t.Context(), li, &sales.Payment{ContractID: x.ID, PlanID: named, Amount: dec("60")})
			if policy == calc.RejectOverpayment {
				requireError(t, err, crm.ErrRefused, calc.Overpayment, "amount")
			} else {
				require.NoError(t, err)
			}
			b.requirePaid(want, x.ID)
			b.agree()
		}
	})
	t.Run("a wrong one is reversed by its mirror, once", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "300 2026-01-10", "600 2026-02-10")
		b.pay(x, "2026-01-02", "100", 0)
		wrong := b.pay(x, "2026-01-03", "1000", x.Plans[1].ID)
		b.requirePaid("300/3 600/3 +200", x.ID)
		mirror, err := b.Sales.Payments.Reverse(ctx, li, wrong.ID, "another customer's")
		require.NoError(t, err)
		requireMoney(t, "-1000", mirror.Amount)
		require.Equal(t, wrong.Date, mirror.Date)
		require.Equal(t, wrong.ID, mirror.ReversesID)
		b.requirePaid("100/2 0/1 +0", x.ID)
		for _, id := range []sales.PaymentID{wrong.ID, mirror.ID} {
			_, err = b.Sales.Payments.Reverse(ctx, li, id, "")
			requireError(t, err, crm.ErrRefused, sales.AlreadyReversed, "reverses_id")
		}
		spent := b.pay(x, "2026-01-05", "200", 0)
		b.pay(x, "2026-01-06", "-300", 0)
		_, err = b.Sales.Payments.Reverse(ctx, li, spent.ID, "")
		requireError(t, err, crm.ErrRefused, calc.RefundExceedsReceived, "amount")
		b.agree()
	})
	t.Run("bad input and contracts that take no money", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		signed, approved := b.owes(of, "2026-01-01", "100 2026-01-10"), b.instalments(of, "100 2026-01-10")
		draft := b.contract(li, of)
		for _, x := range []struct {
			p      sales.Payment
			code   kernel.Code
			reason kernel.Reason
			field  string
		}{
			{sales.Payment{ContractID: signed.ID}, crm.ErrInvalid, calc.ZeroPayment, "amount"},
			{sales.Payment{Amount: dec("1")}, crm.ErrInvalid, kernel.Empty, "contract_id"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), Date: "2026-03-01"}, crm.ErrInvalid, kernel.InFuture, "date"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), Date: "yesterday"}, crm.ErrInvalid, kernel.Malformed, "date"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("0.001")}, crm.ErrInvalid, calc.Scale, "amount"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), PlanID: 1 << 40}, crm.ErrInvalid, kernel.Unknown, "plan_id"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), Currency: "USD"}, crm.ErrRefused, sales.CurrencyMismatch, "currency"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), ExternalSystem: "erp"}, crm.ErrInvalid, kernel.Empty, "external_id"},
			{sales.Payment{ContractID: signed.ID, Amount: dec("1"), ExternalID: "1"}, crm.ErrInvalid, kernel.Empty, "date"},
			{sales.Payment{ContractID: 1 << 40, Amount: dec("1")}, crm.ErrNotFound, "", "contract_id"},
			{sales.Payment{ContractID: approved.ID, Amount: dec("1")}, crm.ErrRefused, sales.InvalidTransition, "status"},
			{sales.Payment{ContractID: draft.ID, Amount: dec("-1")}, crm.ErrRefused, sales.InvalidTransition, "status"},
		} {
			requireError(t, b.Sales.Payments.Record(ctx, li, &x.p), x.code, x.reason, x.field)
		}
		require.Zero(t, b.count("SELECT count(*) FROM crm_payments"))
		for _, who := range []crm.Actor{wang, otherLi} {
			err := b.Sales.Payments.Record(ctx, who, &sales.Payment{ContractID: signed.ID, Amount: dec("1")})
			requireError(t, err, crm.ErrNotFound, "", "contract_id")
		}
	})
	t.Run("options: overpayment is refused, deposits are taken before the signature", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		b.CRM = b.open(func(o *crm.Options) { o.Sales.Overpayment, o.Sales.Deposits = calc.RejectOverpayment, true })
		x := b.instalments(b.create(1, "li")[0], "100 2026-01-10", "50 2026-02-10")
		b.pay(x, "2026-01-02", "60", 0)
		b.requirePaid("60/2 0/1 +0", x.ID)
		requireError(t, b.actOn(x.ID, "void"), crm.ErrRefused, sales.BelowSettled, "status")
		requireError(t, b.actOn(x.ID, "unapprove"), crm.ErrRefused, sales.BelowSettled, "status")
		_, err := b.Sales.Contracts.SetPlans(ctx, li, x.ID, sales.Plan{Date: "2026-01-10", Amount: dec("20")}, sales.Plan{Date: "2026-01-11", Amount: dec("130")})
		require.NoError(t, err)
		b.requirePaid("20/3 40/2 +0", x.ID)
		err = b.Sales.Payments.Record(ctx, li, &sales.Payment{ContractID: x.ID, Amount: dec("90.01")})
		requireError(t, err, crm.ErrRefused, calc.Overpayment, "amount")
		named := b.getContract(x.ID).Plans[1]
		b.pay(x, "2026-01-03", "5", named.ID)
		_, err = b.Sales.Contracts.SetPlans(ctx, li, x.ID, sales.Plan{Date: "2026-01-10", Amount: dec("150")})
		requireError(t, err, crm.ErrRefused, kernel.InUse, "plans")
		require.NoError(t, b.actOn(x.ID, "sign"))
		b.requirePaid("20/3 45/2 +0", x.ID)
		b.agree()
	})
	t.Run("paid and invoiced in full it is completed; when money goes back it is signed again", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "100 2026-01-10")
		b.invoice(x.ID, "100", "1")
		require.Equal(t, sales.ContractSigned, b.getContract(x.ID).Status)
		p := b.pay(x, "2026-01-02", "100", 0)
		got := b.getContract(x.ID)
		require.Equal(t, sales.ContractCompleted, got.Status)
		require.Equal(t, kernel.Date("2026-02-28"), got.EndedOn)
		require.Equal(t, x.Version+1, got.Version)
		b.agree()
		_, err := b.Sales.Payments.Reverse(t.Context(), li, p.ID, "bounced")
		require.NoError(t, err)
		got = b.getContract(x.ID)
		require.Equal(t, sales.ContractSigned, got.Status)
		require.Empty(t, got.EndedOn)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'contract.reopened'"))
		require.NoError(t, b.actOn(x.ID, "terminate"))
		b.agree()
	})
	t.Run("a contract that was paid and invoiced before is completed by its signature", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.Sales.Deposits, o.Sales.EarlyInvoices = true, true })
		x := b.instalments(b.create(1, "li")[0], "100 2026-01-10")
		b.pay(x, "2026-01-02", "100", 0)
		b.invoice(x.ID, "100", "1")
		require.NoError(t, b.actOn(x.ID, "sign"))
		require.Equal(t, sales.ContractCompleted, b.getContract(x.ID).Status)
		b.agree()
	})
	t.Run("many: a refusal is the outcome of its item, or refuses all", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(2, "li")
		x, y := b.owes(of[0], "2026-01-01", "100 2026-01-10"), b.owes(of[1], "2026-01-01", "100 2026-01-10")
		batch := func() []*sales.Payment {
			return []*sales.Payment{
				{ContractID: y.ID, Date: "2026-01-05", Amount: dec("30"), ExternalSystem: "erp", ExternalID: "1"},
				{ContractID: x.ID, Date: "2026-01-05", Amount: dec("-10")},
				{ContractID: 1 << 40, Date: "2026-01-05", Amount: dec("1")},
				{ContractID: y.ID, Date: "2026-01-04", Amount: dec("-40")},
				{ContractID: y.ID, Date: "2026-01-06", Amount: dec("10")},
				{ContractID: x.ID, Date: "2026-01-05", Amount: dec("20")},
			}
		}
		_, err := b.Sales.Payments.RecordMany(ctx, li, batch(), kernel.AllOrNothing)
		i, _ := requireError(t, err, crm.ErrRefused, calc.RefundExceedsReceived, "amount").Item()
		require.Equal(t, 1, i)
		require.Zero(t, b.count("SELECT count(*) FROM crm_payments"))
		ps := batch()
		outcomes, err := b.Sales.Payments.RecordMany(ctx, li, ps, kernel.WhatCanBeHad)
		require.NoError(t, err)
		for i, refused := range []kernel.Reason{"", calc.RefundExceedsReceived, "", calc.RefundExceedsReceived, "", ""} {
			if refused != "" {
				require.ErrorIs(t, outcomes[i].Err, refused)
			} else if i != 2 {
				require.Nil(t, outcomes[i].Err)
				require.Equal(t, outcomes[i].ID, ps[i].ID)
			}
		}
		require.ErrorIs(t, outcomes[2].Err, crm.ErrNotFound)
		b.requirePaid("20/2 +0", x.ID)
		b.requirePaid("40/2 +0", y.ID)
		bad := batch()
		bad[4].Amount = decimal.Zero
		_, err = b.Sales.Payments.RecordMany(ctx, li, bad, kernel.WhatCanBeHad)
		i, _ = requireError(t, err, crm.ErrInvalid, calc.ZeroPayment, "amount").Item()
		require.Equal(t, 4, i)
		b.agree()
	})
	t.Run("the same key again changes nothing, with other content it is refused", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "100 2026-01-10")
		p := sales.Payment{ContractID: x.ID, Date: "2026-01-05", Amount: dec("30"), ExternalSystem: "bank", ExternalID: "A-1"}
		first := p
		require.NoError(t, b.Sales.Payments.Record(ctx, li, &first))
		again := p
		require.NoError(t, b.Sales.Payments.Record(ctx, li, &again))
		requireSame(t, first, again)
		outcomes, err := b.Sales.Payments.RecordMany(ctx, li, []*sales.Payment{&p}, kernel.WhatCanBeHad)
		require.NoError(t, err)
		require.True(t, outcomes[0].Repeated)
		other := p
		other.Amount = dec("31")
		requireError(t, b.Sales.Payments.Record(ctx, li, &other), crm.ErrConflict, kernel.Reused, "external_id")
		by := li
		by.Request = "r1"
		for range 2 {
			q := sales.Payment{ContractID: x.ID, Date: "2026-01-06", Amount: dec("5")}
			require.NoError(t, b.Sales.Payments.Record(ctx, by, &q))
			require.Equal(t, 2, q.Place)
		}
		b.requirePaid("35/2 +0", x.ID)
		b.agree()
	})
	t.Run("lists by contract and by customer, by day, page by page", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		x, y := b.owes(of, "2026-01-01", "100 2026-01-10"), b.owes(of, "2026-01-01", "100 2026-01-10")
		for i, day := range []kernel.Date{"2026-01-05", "2026-01-03", "2026-01-04", "2026-01-03", "2026-01-05"} {
			b.pay([]*sales.Contract{x, y}[i%2], day, "1", 0)
		}
		list := func(who crm.Actor, f sales.PaymentFilter) (days []string) {
			for p, err := range crm.All(func(p crm.Page) (crm.List[*sales.Payment], error) {
				p.Limit = 2
				return b.Sales.Payments.List(ctx, who, f, p)
			}) {
				require.NoError(t, err)
				days = append(days, string(p.Date)[8:])
			}
			return days
		}
		require.Equal(t, []string{"03", "03", "04", "05", "05"}, list(li, sales.PaymentFilter{Customer: of}))
		require.Equal(t, []string{"04", "05", "05"}, list(li, sales.PaymentFilter{Contract: x.ID}))
		require.Equal(t, []string{"03", "03", "04"}, list(li, sales.PaymentFilter{Customer: of, To: "2026-01-04"}))
		require.Equal(t, []string{"04", "05", "05"}, list(head, sales.PaymentFilter{From: "2026-01-04"}))
		require.Empty(t, list(wang, sales.PaymentFilter{From: "2026-01-01"}))
		require.Empty(t, list(wang, sales.PaymentFilter{Contract: x.ID}))
		require.Empty(t, list(otherBoss, sales.PaymentFilter{Contract: x.ID}))
		_, err := b.Sales.Payments.List(ctx, li, sales.PaymentFilter{}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "from")
	})
	t.Run("each has its audit row and its event", func(t *testing.T) {
		b := setup(t, open)
		x := b.owes(b.create(1, "li")[0], "2026-01-01", "100 2026-01-10")
		p := b.pay(x, "2026-01-02", "10", 0)
		_, err := b.Sales.Payments.Reverse(t.Context(), li, p.ID, "")
		require.NoError(t, err)
		var types []string
		for _, e := range b.audit(team.TrailFilter{}) {
			if e.Ref.Kind == sales.PaymentKind {
				types = append(types, e.Type)
			}
		}
		require.ElementsMatch(t, []string{"payment.recorded", "payment.reversed"}, types)
	})
}
