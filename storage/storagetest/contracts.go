package storagetest

import (
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

// contract makes a draft over 1,000.00, without tax.
func (b *bundle) contract(who crm.Actor, of customer.ID) *sales.Contract {
	b.t.Helper()
	x := &sales.Contract{CustomerID: of, Name: "two pumps", Body: sales.Body{
		Lines: []sales.Line{{Name: "pump", Quantity: dec("2"), UnitPrice: null("500")}},
	}}
	require.NoError(b.t, b.Sales.Contracts.Create(b.t.Context(), who, x))
	return x
}

func (b *bundle) getContract(id sales.ContractID) *sales.Contract {
	b.t.Helper()
	x, err := b.Sales.Contracts.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return x
}

// plan makes n equal instalments, a month apart.
func (b *bundle) plan(id sales.ContractID, n int) []sales.Plan {
	b.t.Helper()
	x := b.getContract(id)
	parts, err := calc.SplitEqual(calc.Currency(x.Currency), x.GrandTotal, n)
	require.NoError(b.t, err)
	var plans []sales.Plan
	for i, p := range parts {
		plans = append(plans, sales.Plan{Date: calc.MonthsLater("2026-03-31", i), Amount: p})
	}
	plans, err = b.Sales.Contracts.SetPlans(b.t.Context(), li, id, plans...)
	require.NoError(b.t, err)
	return plans
}

// actOn is every action on a contract, by name.
func (b *bundle) actOn(id sales.ContractID, action string) error {
	ctx := b.t.Context()
	switch action {
	case "plan":
		b.plan(id, 2)
		return nil
	case "approve":
		return b.Sales.Contracts.Approve(ctx, head, id, b.getContract(id).Version)
	case "unapprove":
		return b.Sales.Contracts.Unapprove(ctx, head, id)
	case "sign":
		return b.Sales.Contracts.Sign(ctx, li, id, "")
	case "terminate":
		return b.Sales.Contracts.Terminate(ctx, li, id, "bankrupt")
	case "complete":
		return b.Sales.Contracts.Complete(ctx, li, id)
	}
	return b.Sales.Contracts.Void(ctx, li, id, "changed their mind")
}

func (b *bundle) signed(of customer.ID) sales.ContractID {
	b.t.Helper()
	x := b.contract(li, of)
	for _, action := range []string{"plan", "approve", "sign"} {
		require.NoError(b.t, b.actOn(x.ID, action))
	}
	return x.ID
}

func testContracts(t *testing.T, open Open) {
	t.Run("an accepted quote becomes a draft, to the cent", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		of := b.create(1, "li")[0]
		deal := b.opportunity(li, of, "1")
		q := b.quote(li, of, func(q *sales.Quote) { q.OpportunityID, q.HeaderDiscountAmount = deal.ID, dec("0.09") })
		require.NoError(t, b.act(li, "send", q.ID))
		require.NoError(t, b.act(li, "accept", q.ID))
		l, err := b.Sales.Contracts.List(t.Context(), li, sales.ContractFilter{Opportunity: deal.ID}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		x := b.getContract(l.Items[0].ID)
		require.Equal(t, "HT202602280001", x.Number)
		require.Equal(t, deal.Name, x.Name)
		require.Equal(t, q.ID, x.QuoteID)
		require.Equal(t, sales.ContractDraft, x.Status)
		requireSame(t, b.getQuote(q.ID).Body, x.Body)
		b.CRM = b.open(func(o *crm.Options) { o.Sales.NoContract, o.Sales.ManyAccepted = true, true })
		q = b.quote(li, of, nil)
		require.NoError(t, b.act(li, "send", q.ID))
		require.NoError(t, b.act(li, "accept", q.ID))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_contracts"))
		b.agree()
	})
	t.Run("signed: customer and opportunity are won, other offers are over", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		of := b.create(1, "li")[0]
		deal := b.opportunity(li, of, "1")
		var quotes []sales.QuoteID
		for range 2 {
			q := b.quote(li, of, func(q *sales.Quote) { q.OpportunityID = deal.ID })
			require.NoError(t, b.act(li, "send", q.ID))
			quotes = append(quotes, q.ID)
		}
		require.NoError(t, b.act(li, "accept", quotes[0]))
		l, err := b.Sales.Contracts.List(t.Context(), li, sales.ContractFilter{Customer: of}, crm.Page{})
		require.NoError(t, err)
		id := l.Items[0].ID
		for _, action := range []string{"plan", "approve", "sign"} {
			require.Equal(t, customer.Potential, b.get(of).Stage)
			require.NoError(t, b.actOn(id, action))
		}
		require.Equal(t, customer.Won, b.get(of).Stage)
		got, err := b.Sales.Opportunities.Get(t.Context(), li, deal.ID)
		require.NoError(t, err)
		require.Equal(t, sales.Won, got.Status)
		require.Zero(t, b.openOpportunities(of))
		require.Equal(t, sales.QuoteAccepted, b.getQuote(quotes[0]).Status)
		other := b.getQuote(quotes[1])
		require.Equal(t, sales.QuoteRejected, other.Status)
		require.Equal(t, "won by other", other.RejectReason)
		f, err := b.Customers.Facts(t.Context(), boss, of)
		require.NoError(t, err)
		require.EqualValues(t, 1, f.ActiveContracts)
		require.Equal(t, kernel.Date("2026-02-28"), b.getContract(id).SignDate)
		requireMoney(t, "112.99", b.getContract(id).BaseAmount)
		require.NoError(t, b.actOn(id, "complete"))
		f, err = b.Customers.Facts(t.Context(), boss, of)
		require.NoError(t, err)
		require.Zero(t, f.ActiveContracts)
		b.agree()
	})
	t.Run("every action in every state is in the table, or refused", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		reach := map[string][]string{
			"draft": {"plan"}, "approved": {"plan", "approve"}, "signed": {"plan", "approve", "sign"}, "terminated": {"plan", "approve", "sign", "terminate"},
			"completed": {"plan", "approve", "sign", "complete"}, "voided": {"plan", "void"},
		}
		allowed := map[string][]string{
			"draft": {"approve", "void"}, "approved": {"unapprove", "sign", "void"}, "signed": {"terminate", "complete"},
			"terminated": {}, "completed": {}, "voided": {},
		}
		for _, state := range []string{"draft", "approved", "signed", "terminated", "completed", "voided"} {
			for _, action := range []string{"approve", "unapprove", "sign", "terminate", "complete", "void"} {
				x := b.contract(li, of)
				for _, step := range reach[state] {
					require.NoError(t, b.actOn(x.ID, step))
				}
				require.Equal(t, state, b.getContract(x.ID).Status.String())
				err := b.actOn(x.ID, action)
				if slices.Contains(allowed[state], action) {
					require.NoError(t, err, "%s: %s", state, action)
					continue
				}
				require.ErrorIs(t, err, sales.InvalidTransition, "%s: %s", state, action)
			}
		}
		f, err := b.Customers.Facts(t.Context(), boss, of)
		require.NoError(t, err)
		require.EqualValues(t, b.count("SELECT count(*) FROM crm_contracts WHERE status = 3"), f.ActiveContracts)
		b.agree()
	})
	t.Run("instalments add up before it is signed", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := b.contract(li, b.create(1, "li")[0])
		require.NoError(t, b.actOn(x.ID, "approve"))
		requireError(t, b.actOn(x.ID, "sign"), crm.ErrRefused, sales.PlanSum, "plans")
		plans := b.plan(x.ID, 3)
		require.Equal(t, []string{"333.34", "333.33", "333.33"}, []string{plans[0].Amount.String(), plans[1].Amount.String(), plans[2].Amount.String()})
		plans[2].Amount = dec("333.32")
		again, err := b.Sales.Contracts.SetPlans(ctx, li, x.ID, plans...)
		require.NoError(t, err)
		require.Equal(t, plans[0].ID, again[0].ID)
		requireError(t, b.actOn(x.ID, "sign"), crm.ErrRefused, sales.PlanSum, "plans")
		for _, c := range []struct {
			plan   sales.Plan
			reason kernel.Reason
			field  string
		}{
			{sales.Plan{Date: "2026-03-01", Amount: dec("0.001")}, calc.Scale, "amount"},
			{sales.Plan{Date: "2026-03-01"}, calc.InstallmentSign, "amount"},
			{sales.Plan{Amount: dec("1")}, kernel.Empty, "date"},
			{sales.Plan{ID: 1 << 40, Date: "2026-03-01", Amount: dec("1")}, kernel.Unknown, "id"},
		} {
			_, err := b.Sales.Contracts.SetPlans(ctx, li, x.ID, plans[0], c.plan)
			i, ok := requireError(t, err, crm.ErrInvalid, c.reason, c.field).Item()
			require.True(t, ok && i == 1)
		}
		b.plan(x.ID, 2)
		requireError(t, b.Sales.Contracts.Sign(ctx, li, x.ID, "2026-03-01"), crm.ErrInvalid, kernel.InFuture, "sign_date")
		require.NoError(t, b.Sales.Contracts.Sign(ctx, li, x.ID, "2026-02-01"))
		_, err = b.Sales.Contracts.SetPlans(ctx, li, x.ID)
		require.ErrorIs(t, err, sales.InvalidTransition)
		b.agree()
	})
	t.Run("a new revision voids the draft; what is approved stands", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		of := b.create(1, "li")[0]
		q := b.quote(li, of, nil)
		require.NoError(t, b.act(li, "send", q.ID))
		require.NoError(t, b.act(li, "accept", q.ID))
		next, err := b.Sales.Quotes.Revise(ctx, li, q.ID)
		require.NoError(t, err)
		require.NoError(t, b.act(li, "send", next.ID))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_contracts WHERE status = 6"))
		require.NoError(t, b.act(li, "accept", next.ID))
		l, err := b.Sales.Contracts.List(ctx, li, sales.ContractFilter{Statuses: []sales.ContractStatus{sales.ContractDraft}}, crm.Page{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		require.NoError(t, b.actOn(l.Items[0].ID, "approve"))
		_, err = b.Sales.Quotes.Revise(ctx, li, next.ID)
		require.ErrorIs(t, err, sales.InvalidTransition)
		b.agree()
	})
	t.Run("lines change in a draft only", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := b.contract(li, b.create(1, "li")[0])
		x.Lines[0].Quantity, x.Name = dec("3"), "three pumps"
		require.NoError(t, b.Sales.Contracts.Update(ctx, li, x))
		requireMoney(t, "1500", x.GrandTotal)
		require.NoError(t, b.actOn(x.ID, "approve"))
		x = b.getContract(x.ID)
		given := *x
		given.Lines = slices.Clone(x.Lines)
		given.Lines[0].Quantity = dec("4")
		requireError(t, b.Sales.Contracts.Update(ctx, li, &given), crm.ErrInvalid, kernel.ReadOnly, "lines")
		given = *x
		given.Terms = "none"
		requireError(t, b.Sales.Contracts.Update(ctx, li, &given), crm.ErrInvalid, kernel.ReadOnly, "terms")
		x.FileURL, x.EndDate = "https://files.example/1.pdf", "2027-02-28"
		require.NoError(t, b.Sales.Contracts.Update(ctx, li, x))
		requireSame(t, x, b.getContract(x.ID))
		empty := &sales.Contract{CustomerID: x.CustomerID, Name: "nothing"}
		require.NoError(t, b.Sales.Contracts.Create(ctx, li, empty))
		requireError(t, b.actOn(empty.ID, "approve"), crm.ErrRefused, sales.NoLines, "lines")
		for _, who := range []crm.Actor{wang, otherLi, otherBoss} {
			_, err := b.Sales.Contracts.Get(ctx, who, x.ID)
			require.ErrorIs(t, err, crm.ErrNotFound)
		}
		b.agree()
	})
	t.Run("signed by several at once: once", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		x := b.contract(li, of)
		require.NoError(t, b.actOn(x.ID, "plan"))
		require.NoError(t, b.actOn(x.ID, "approve"))
		errs := make([]error, 6)
		together(6, func(i int) {
			errs[i] = insist(func() error { return b.Sales.Contracts.Sign(t.Context(), li, x.ID, "") })
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, sales.InvalidTransition)
			}
		}
		require.Equal(t, 1, won)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'contract.signed'"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.won'"))
		require.True(t, decimal.NewFromInt(1000).Equal(b.getContract(x.ID).GrandTotal))
		b.agree()
	})
	t.Run("a contract keeps its customer from the built-in rules", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(2, "li")
		require.Equal(t, sales.ContractSigned, b.getContract(b.signed(of[0])).Status)
		require.NoError(t, b.Pool.UseDefaults(t.Context(), boss, 0))
		b.wait(4 * day)
		_, err := b.Pool.Recycle(t.Context(), boss, all)
		require.NoError(t, err)
		require.EqualValues(t, "li", b.owner(of[0]))
		require.Empty(t, b.owner(of[1]))
	})
}
