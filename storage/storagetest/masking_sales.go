package storagetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// documented is a customer that li had and released, with documents in which something hidden stands wherever a person can
// write something. They are li's still.
type documented struct {
	*bundle
	id          customer.ID
	opportunity sales.OpportunityID
	quote       sales.QuoteID // rejected
	offer       sales.QuoteID // accepted
	draft       sales.ContractID
	contract    sales.ContractID // signed
	ended       sales.ContractID
	payment     sales.PaymentID
	invoice     sales.InvoiceID
}

func setupDocumented(t *testing.T, open Open) *documented {
	t.Helper()
	b, ctx := setup(t, open), t.Context()
	_, stage := b.pipeline()
	d := &documented{bundle: b, id: b.create(1, "li")[0]}
	o := &sales.Opportunity{CustomerID: d.id, Name: "pumps", Remarks: hiddenText}
	require.NoError(t, b.Sales.Opportunities.Create(ctx, li, o))
	o.Remarks += "."
	require.NoError(t, b.Sales.Opportunities.Update(ctx, li, o)) // a row of the trail with before and after
	require.NoError(t, b.Sales.Opportunities.Move(ctx, li, o.ID, stage["Lost"], &sales.MoveOptions{LostReason: hiddenText}))
	noted := func(q *sales.Quote) { q.Terms, q.Remark = hiddenText, hiddenText }
	d.opportunity, d.quote, d.offer = o.ID, b.quote(li, d.id, noted).ID, b.quote(li, d.id, noted).ID
	require.NoError(t, b.Sales.Quotes.Send(ctx, li, d.quote))
	require.NoError(t, b.Sales.Quotes.Reject(ctx, li, d.quote, hiddenText))
	require.NoError(t, b.Sales.Quotes.Send(ctx, li, d.offer))
	require.NoError(t, b.Sales.Quotes.Accept(ctx, li, d.offer, "Mrs s3cret"))
	d.draft, d.ended, d.contract = d.agreement(false), d.agreement(true), d.agreement(true)
	require.NoError(t, b.Sales.Contracts.Terminate(ctx, li, d.ended, hiddenText))
	p := &sales.Payment{ContractID: d.contract, Amount: dec("10"), Remark: hiddenText}
	require.NoError(t, b.Sales.Payments.Record(ctx, li, p))
	v, err := b.ask(d.contract, "10", func(v *sales.Invoice) {
		special(v)
		v.Buyer.Address, v.Buyer.Phone, v.Buyer.Bank, v.Buyer.Account, v.Remark = "秘密路 1 号", hiddenPhone, "s3cret", "7777", hiddenText
	})
	require.NoError(t, err)
	require.NoError(t, b.Sales.Invoices.Issue(ctx, li, v.ID, "N-1", ""))
	d.payment, d.invoice = p.ID, v.ID
	require.NoError(t, b.Pool.Release(ctx, li, d.id, nil))
	return d
}

// agreement is a contract over 1,000 in one instalment.
func (d *documented) agreement(signed bool) sales.ContractID {
	d.t.Helper()
	ctx := d.t.Context()
	x := &sales.Contract{CustomerID: d.id, Name: "pumps", Terms: hiddenText, Remark: hiddenText, Body: sales.Body{
		Lines: []sales.Line{{Name: "pump", Quantity: dec("1"), UnitPrice: null("1000")}},
	}}
	require.NoError(d.t, d.Sales.Contracts.Create(ctx, li, x))
	_, err := d.Sales.Contracts.SetPlans(ctx, li, x.ID, sales.Plan{Date: "2026-06-30", Amount: dec("1000"), Note: hiddenText})
	require.NoError(d.t, err)
	if signed {
		require.NoError(d.t, d.actOn(x.ID, "approve"))
		require.NoError(d.t, d.actOn(x.ID, "sign"))
	}
	return x.ID
}

// reads are all calls that return something of a document, by service and method. One document may be asked for several
// times: what follows a blank is no part of the method's name.
func (d *documented) reads(who crm.Actor) map[string]func() (any, error) {
	ctx, s := d.t.Context(), d.Sales
	of := team.TrailFilter{Subject: kernel.Ref{Kind: customer.Kind, ID: int64(d.id)}}
	call := func(v any, err error) (any, error) { return v, err }
	return map[string]func() (any, error){
		"Opportunities.Get": func() (any, error) { return call(s.Opportunities.Get(ctx, who, d.opportunity)) },
		"Opportunities.List": func() (any, error) {
			return call(s.Opportunities.List(ctx, who, sales.OpportunityFilter{Customer: d.id}, crm.Page{}))
		},
		"Opportunities.List of owners": func() (any, error) {
			return call(s.Opportunities.List(ctx, who, sales.OpportunityFilter{}, crm.Page{}))
		},
		"Opportunities.History": func() (any, error) { return call(s.Opportunities.History(ctx, who, d.opportunity, crm.Page{})) },
		"Quotes.Get":            func() (any, error) { return call(s.Quotes.Get(ctx, who, d.quote)) },
		"Quotes.Get accepted":   func() (any, error) { return call(s.Quotes.Get(ctx, who, d.offer)) },
		"Quotes.List":           func() (any, error) { return call(s.Quotes.List(ctx, who, sales.QuoteFilter{}, crm.Page{})) },
		"Contracts.Get":         func() (any, error) { return call(s.Contracts.Get(ctx, who, d.contract)) },
		"Contracts.Get ended":   func() (any, error) { return call(s.Contracts.Get(ctx, who, d.ended)) },
		"Contracts.List":        func() (any, error) { return call(s.Contracts.List(ctx, who, sales.ContractFilter{}, crm.Page{})) },
		"Payments.Get":          func() (any, error) { return call(s.Payments.Get(ctx, who, d.payment)) },
		"Payments.List": func() (any, error) {
			return call(s.Payments.List(ctx, who, sales.PaymentFilter{Contract: d.contract}, crm.Page{}))
		},
		"Invoices.Get":  func() (any, error) { return call(s.Invoices.Get(ctx, who, d.invoice)) },
		"Invoices.List": func() (any, error) { return call(s.Invoices.List(ctx, who, sales.InvoiceFilter{}, crm.Page{})) },
		"Trail.Audit":   func() (any, error) { return call(d.Team.Trail.Audit(ctx, who, of, crm.Page{Limit: 200})) },
		"Trail.Events":  func() (any, error) { return call(d.Team.Trail.Events(ctx, who, of, crm.Page{Limit: 200})) },
	}
}

// otherDocuments are methods of documents and of what is sold that return nothing hidden, and those that write. Those that
// write and return a document have sub-tests of their own. Leads are masked by their own pool: see testLeadPool.
var otherDocuments = []string{
	"Categories.Create", "Categories.Update", "Categories.Delete", "Categories.List",
	"Products.Create", "Products.CreateMany", "Products.Get", "Products.GetMany", "Products.List", "Products.Update", "Products.Delete", "Products.Sync",
	"PriceLists.Create", "PriceLists.Update", "PriceLists.Delete", "PriceLists.Get", "PriceLists.List", "PriceLists.PutPrices", "PriceLists.TakePrices",
	"PriceLists.Prices", "PriceLists.PriceOf", "Pipelines.Put", "Pipelines.Get", "Pipelines.List",
	"Opportunities.Create", "Opportunities.Move", "Opportunities.Update", "Opportunities.Delete",
	"Quotes.Create", "Quotes.Update", "Quotes.AskApproval", "Quotes.Approve", "Quotes.Send", "Quotes.Accept", "Quotes.Reject", "Quotes.Extend",
	"Quotes.Cancel", "Quotes.Delete", "Quotes.Revise", "Quotes.Expire",
	"Contracts.Create", "Contracts.Update", "Contracts.Amend", "Contracts.Approve", "Contracts.Unapprove", "Contracts.Sign", "Contracts.Terminate",
	"Contracts.Complete", "Contracts.Void", "Contracts.SetPlans", "Payments.Record", "Payments.RecordMany", "Payments.Reverse",
	"Invoices.Issue", "Invoices.Deliver", "Invoices.Certify", "Invoices.Void", "Invoices.Red", "Invoices.Request",
	"Receivables.Ageing", "Receivables.Risk", "Receivables.Terms", "Analysis.Funnel", "Analysis.Results",
	"Analysis.Forecast", "Opportunities.HandOver", "Quotes.HandOver", "Contracts.HandOver",
	"Orders.Get", "Orders.List", "Orders.History", "Orders.Spend", "Orders.Approval", "Orders.Record",
	"Leads.Convert", "Leads.PlanConversion", "Leads.MarkInvalid", "Leads.Reopen", "Leads.FollowUp", "Leads.FollowUps", "Leads.SetTags", "Leads.Tags",
	"Leads.Create", "Leads.CreateMany", "Leads.Get", "Leads.List", "Leads.Update",
}

func testDocumentMasking(t *testing.T, open Open) {
	t.Run("every method of the sales services is known as a read or as another", func(t *testing.T) {
		d, known := &documented{bundle: setup(t, open)}, map[string]bool{}
		reads := d.reads(li)
		services := reflect.ValueOf(d.Sales).Elem()
		for i := range services.NumField() {
			name, typ := services.Type().Field(i).Name, services.Field(i).Type()
			require.Positive(t, typ.NumMethod(), name)
			for m := range typ.Methods() {
				method := name + "." + m.Name
				known[method] = true
				_, read := reads[method]
				require.NotEqual(t, read, slices.Contains(otherDocuments, method), "is %s a read?", method)
			}
		}
		for _, method := range otherDocuments {
			require.True(t, known[method], method)
		}
	})
	t.Run("in a pool no read shows texts of documents to any person, their owner among them; to the system actor they all do", func(t *testing.T) {
		d := setupDocumented(t, open)
		for _, who := range []crm.Actor{li, head, admin} {
			d.masked(who)
		}
		_, err := d.Pool.Open(t.Context(), admin, d.id)
		require.NoError(t, err)
		d.masked(admin) // also after an opening
		d.shown(boss)
		d.agree()
	})
	t.Run("claimed, every read shows them", func(t *testing.T) {
		d := setupDocumented(t, open)
		require.NoError(t, d.Pool.Assign(t.Context(), head, d.id, "wang", nil))
		d.shown(admin)
		d.shown(li, "Trail.Audit", "Trail.Events")
		o, err := d.Sales.Opportunities.Get(t.Context(), li, d.opportunity)
		require.NoError(t, err)
		require.Equal(t, []any{false, hiddenText}, []any{o.Masked, o.LostReason})
	})
	t.Run("what is no text stays, and the document says that it is masked", func(t *testing.T) {
		d := setupDocumented(t, open)
		o, err := d.Sales.Opportunities.Get(t.Context(), li, d.opportunity)
		require.NoError(t, err)
		require.Equal(t, []any{true, "pumps", customer.Mark, customer.Mark}, []any{o.Masked, o.Name, o.Remarks, o.LostReason})
		x, err := d.Sales.Contracts.Get(t.Context(), li, d.contract)
		require.NoError(t, err)
		require.Equal(t, []any{true, customer.Mark, customer.Mark, "", customer.Mark, "1000"},
			[]any{x.Masked, x.Terms, x.Remark, x.EndReason, x.Plans[0].Note, x.GrandTotal.String()})
	})
	t.Run("a masked form is never written, with or without its flag", func(t *testing.T) { documentsKept(t, setupDocumented(t, open)) })
	t.Run("what changes return is masked, but for what was sent", func(t *testing.T) { documentsReturned(t, setupDocumented(t, open)) })
}

// masked checks every read of a person: what it is allowed to read hides what is hidden.
func (d *documented) masked(who crm.Actor) {
	d.t.Helper()
	for name, read := range d.reads(who) {
		got, err := read()
		if err != nil {
			require.ErrorIs(d.t, err, crm.ErrDenied, name)
			require.NotEqual(d.t, admin, who, name)
			continue
		}
		require.Empty(d.t, hides(d.t, got), "%s by %s", name, who.User)
	}
}

// shown checks that every read but some shows what is hidden.
func (d *documented) shown(who crm.Actor, but ...string) {
	d.t.Helper()
	for name, read := range d.reads(who) {
		if slices.Contains(but, name) {
			continue
		}
		got, err := read()
		require.NoError(d.t, err, name)
		require.NotEmpty(d.t, hides(d.t, got), "%s by %s", name, who.User)
	}
}

func documentsKept(t *testing.T, d *documented) {
	ctx, s := t.Context(), d.Sales
	before := d.count("SELECT count(*) FROM crm_audit")
	o, err := s.Opportunities.Get(ctx, li, d.opportunity)
	require.NoError(t, err)
	q, err := s.Quotes.Get(ctx, li, d.quote)
	require.NoError(t, err)
	x, err := s.Contracts.Get(ctx, li, d.draft)
	require.NoError(t, err)
	p, err := s.Payments.Get(ctx, li, d.payment)
	require.NoError(t, err)
	writes := func() map[string]error {
		return map[string]error{
			"lost_reason": s.Opportunities.Update(ctx, li, o), "terms": s.Quotes.Update(ctx, li, q), "terms of a draft": s.Contracts.Update(ctx, li, x),
		}
	}
	require.ErrorIs(t, s.Payments.Record(ctx, li, p), customer.Masked)
	for name, err := range writes() {
		requireError(t, err, crm.ErrInvalid, customer.Masked, "masked")
		require.Error(t, err, name)
	}
	o.Masked, q.Masked, x.Masked = false, false, false // a form has lost it
	for name, err := range writes() {
		require.ErrorIs(t, err, customer.Masked, name)
	}
	x.Terms = hiddenText // one text is known, the next is found
	requireError(t, s.Contracts.Update(ctx, li, x), crm.ErrInvalid, customer.Masked, "remark")
	_, err = s.Contracts.SetPlans(ctx, li, d.draft, x.Plans...)
	requireError(t, err, crm.ErrInvalid, customer.Masked, "note")
	require.NoError(t, d.Pool.Assign(ctx, head, d.id, "wang", nil)) // a form that was filled before does no harm after
	for name, err := range writes() {
		require.ErrorIs(t, err, customer.Masked, name)
	}
	require.Equal(t, before+1, d.count("SELECT count(*) FROM crm_audit"))
	d.unmarked()
}

// unmarked checks that no table holds a mark.
func (d *documented) unmarked() {
	d.t.Helper()
	require.Zero(d.t, d.count(`SELECT (SELECT count(*) FROM crm_opportunities WHERE remarks LIKE '%***%' OR lost_reason LIKE '%***%')
		+ (SELECT count(*) FROM crm_quotes WHERE terms LIKE '%***%' OR remark LIKE '%***%' OR reject_reason LIKE '%***%' OR accepted_by LIKE '%***%')
		+ (SELECT count(*) FROM crm_contracts WHERE terms LIKE '%***%' OR remark LIKE '%***%' OR end_reason LIKE '%***%')
		+ (SELECT count(*) FROM crm_plans WHERE note LIKE '%***%') + (SELECT count(*) FROM crm_payments WHERE remark LIKE '%***%')
		+ (SELECT count(*) FROM crm_invoices WHERE remark LIKE '%***%' OR buyer LIKE '%***%')
		+ (SELECT count(*) FROM crm_audit WHERE before LIKE '%***%' OR after LIKE '%***%' OR after LIKE '%"masked"%')
		+ (SELECT count(*) FROM crm_outbox WHERE data LIKE '%***%' OR data LIKE '%"masked"%')`))
}

func documentsReturned(t *testing.T, d *documented) {
	ctx, s := t.Context(), d.Sales
	o := *d.getOpportunity()
	require.NoError(t, s.Opportunities.Update(ctx, li, &o)) // all is known to who sends it
	require.Equal(t, []any{false, hiddenText + ".", hiddenText}, []any{o.Masked, o.Remarks, o.LostReason})
	o.Remarks, o.LostReason = "new", "" // a loss is no field of Update: it stays
	require.NoError(t, s.Opportunities.Update(ctx, li, &o))
	require.Equal(t, []any{true, "new", customer.Mark}, []any{o.Masked, o.Remarks, o.LostReason})
	q := d.getQuote(d.offer)
	q.Remark = "new"
	require.NoError(t, s.Quotes.Update(ctx, li, q))
	require.False(t, q.Masked)
	by := li
	by.Request = "revised"
	for range 2 { // what is kept for the request is masked too
		next, err := s.Quotes.Revise(ctx, by, d.quote)
		require.NoError(t, err)
		require.True(t, next.Masked)
		require.Empty(t, hides(t, next))
		require.Equal(t, hiddenText, d.getQuote(next.ID).Terms)
	}
	x := d.getContract(d.draft)
	x.Name, x.Remark, x.Plans = "new", "new", nil
	require.NoError(t, s.Contracts.Update(ctx, li, x))
	require.Equal(t, []string{hiddenText, "new", customer.Mark}, []string{x.Terms, x.Remark, x.Plans[0].Note})
	signed := d.getContract(d.contract)
	more, err := s.Contracts.Amend(ctx, head, d.contract, signed.Version, sales.ChangeOrder{
		Reason: hiddenText, Lines: []sales.Line{{Name: "hose", Quantity: dec("1"), UnitPrice: null("5")}},
	})
	require.NoError(t, err)
	require.True(t, more.Masked)
	require.Empty(t, hides(t, more))
	red, err := s.Invoices.Red(ctx, li, d.invoice, sales.RedFlush{InvoiceNo: "N-2", NoticeNo: "1"})
	require.NoError(t, err)
	require.True(t, red.Masked)
	require.Empty(t, hides(t, red))
	require.Equal(t, hiddenText, d.getContract(d.contract).Plans[0].Note)
	require.Equal(t, "s3cret", d.getInvoice(red.ID).Buyer.Bank)
	d.masked(admin) // the trail of these changes too
	d.unmarked()
	d.agree()
}

func (d *documented) getOpportunity() *sales.Opportunity {
	d.t.Helper()
	o, err := d.Sales.Opportunities.Get(d.t.Context(), boss, d.opportunity)
	require.NoError(d.t, err)
	return o
}
