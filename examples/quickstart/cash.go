package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// cash is the second act: a lead from the website becomes a customer, an opportunity, a quote, a contract, money and invoices
// (从线索到回款).
type cash struct {
	*story
	li, book crm.Actor // who sells, and who keeps the books

	customer    customer.ID
	opportunity sales.OpportunityID
	contract    sales.ContractID
}

// tellCash lives the second act after the last day, and prints it.
func (s *story) tellCash(ctx context.Context) error {
	s.printf("\nThe second act: from a lead to the last cent (从线索到回款)\n\n")
	a := &cash{story: s, li: s.seller("li").who, book: crm.System("acme", "the books")}
	for _, scene := range []struct {
		days int // after the one before
		play func(context.Context) error
	}{
		{1, a.prepare},
		{0, a.capture},
		{2, a.convert},
		{1, a.offer},
		{4, a.sign},
		{3, a.firstInstalment},
		{40, a.overdue},
		{2, a.tooMuch},
		{20, a.lastInstalment},
	} {
		s.clock.now = s.clock.now.Truncate(24 * time.Hour).Add(time.Duration(scene.days)*day + time.Hour) // nine in Shanghai
		if err := scene.play(ctx); err != nil {
			return err
		}
	}
	return a.ledger(ctx)
}

// sayf prints a sentence of the act with its day.
func (a *cash) sayf(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n              ")
	a.printf("  %s  %s\n", a.clock.now.In(shanghai).Format(time.DateOnly), text)
}

func money(d decimal.Decimal) string { return d.StringFixed(2) }

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// prepare is what a company does once: what it sells, and the stages of a sale. Act one left no places: the cap is raised.
func (a *cash) prepare(ctx context.Context) error {
	policy, err := a.crm.Pool.Pools.Policy(ctx, admin)
	if err != nil {
		return err
	}
	policy.Cap += 10
	if err := a.crm.Pool.Pools.SetPolicy(ctx, admin, policy); err != nil {
		return err
	}
	pipeline := sales.DefaultPipeline()
	if err := a.crm.Sales.Pipelines.Put(ctx, admin, &pipeline); err != nil {
		return err
	}
	return a.crm.Sales.Products.Create(ctx, admin, &sales.Product{
		Code: "LP-200", Name: "冷却泵", Unit: "台", Price: dec("12800"), TaxRate: decimal.NewNullDecimal(dec("13")),
	})
}

// capture takes a lead from two forms: the second is told that it is there already.
func (a *cash) capture(ctx context.Context) error {
	captured, err := a.crm.Sales.Leads.CreateMany(ctx, crm.System("acme", "web form"), []*sales.Lead{
		{Name: "吴敏", Company: "苏州金鸡湖制冷设备有限公司", Phone: "139 0013 9000", Source: "website", ProductInterest: "cooling pumps", Region: "320500", Intent: 3},
		{Name: "吴女士", Phone: "+86 139-0013-9000", Source: "hotline"},
	}, crm.WhatCanBeHad)
	if err != nil {
		return err
	}
	lead := captured[0].ID
	a.sayf("The website and the hotline bring the same lead: %s, %s (by %s).", captured[0].Did, captured[1].Did, captured[1].Err.Field)
	if err := a.crm.LeadPool.Claim(ctx, a.li, lead); err != nil {
		return err
	}
	a.sayf("%s claims it from the pool of leads, and calls.", a.li.User)
	return a.crm.Sales.Leads.FollowUp(ctx, a.li, &sales.FollowUp{
		LeadID: lead, Interaction: customer.Interaction{Type: customer.Call, Subject: "wants three pumps before the summer", Followup: true},
	})
}

// convert looks at what a conversion would do before it does it.
func (a *cash) convert(ctx context.Context) error {
	found, err := a.crm.Sales.Leads.List(ctx, a.li, sales.LeadFilter{Owners: []crm.UserID{a.li.User}}, crm.Page{Limit: 1})
	if err != nil {
		return err
	}
	plan, err := a.crm.Sales.Leads.PlanConversion(ctx, a.li, found.Items[0].ID)
	if err != nil {
		return err
	}
	plan.Opportunity = &sales.Opportunity{Name: "三台冷却泵", Amount: dec("38400"), ExpectedClose: crm.Date(a.clock.now.AddDate(0, 0, 30).Format(time.DateOnly))}
	done, err := a.crm.Sales.Leads.Convert(ctx, a.li, plan)
	if err != nil {
		return err
	}
	a.customer, a.opportunity = done.Customer, done.Opportunity
	moved, err := a.crm.Customers.Interactions.List(ctx, a.li, a.customer, crm.Page{})
	if err != nil {
		return err
	}
	a.sayf("The lead becomes a customer with a contact and an opportunity of 38400.00; %d call moves along.", len(moved.Items))
	return nil
}

// offer makes a quote and sends it. Net, tax and discount are computed, to the cent.
func (a *cash) offer(ctx context.Context) error {
	pumps, err := a.crm.Sales.Products.List(ctx, a.li, sales.ProductFilter{}, crm.Page{Limit: 1})
	if err != nil {
		return err
	}
	q := &sales.Quote{CustomerID: a.customer, OpportunityID: a.opportunity, Title: "冷却泵三台,含安装", Body: sales.Body{
		Lines: []sales.Line{{ProductID: pumps.Items[0].ID, Quantity: dec("3"), Discount: calc.PercentOff(dec("5"))}},
		Fees:  []sales.Fee{{Fee: calc.Fee{Name: "安装", Amount: dec("2000"), TaxRate: dec("6")}}},
	}}
	if err := a.crm.Sales.Quotes.Create(ctx, a.li, q); err != nil {
		return err
	}
	if err := a.crm.Sales.Quotes.Send(ctx, a.li, q.ID); err != nil {
		return err
	}
	a.sayf("Quote %s: 3 pumps of %s at 95 %% are %s, installation %s, tax %s; together %s.", q.Number,
		money(q.Lines[0].UnitPrice.Decimal), money(q.Lines[0].Net), money(q.FeeTotal), money(q.TaxTotal), money(q.GrandTotal))
	return nil
}

// sign turns the accepted quote into a contract, plans its instalments, and signs. A second person approves.
func (a *cash) sign(ctx context.Context) error {
	quotes, err := a.crm.Sales.Quotes.List(ctx, a.li, sales.QuoteFilter{Customer: a.customer}, crm.Page{})
	if err != nil {
		return err
	}
	if err := a.crm.Sales.Quotes.Accept(ctx, a.li, quotes.Items[0].ID, "吴敏"); err != nil { // it drafts the contract
		return err
	}
	drafts, err := a.crm.Sales.Contracts.List(ctx, a.li, sales.ContractFilter{Customer: a.customer}, crm.Page{})
	if err != nil {
		return err
	}
	x := drafts.Items[0]
	a.contract = x.ID
	parts, err := calc.SplitPercent(calc.Currency(x.Currency), x.GrandTotal, x.Rules.Rounding, dec("30"), dec("60"), dec("10"))
	if err != nil {
		return err
	}
	today := crm.Date(a.clock.now.In(shanghai).Format(time.DateOnly))
	plans := make([]sales.Plan, len(parts))
	for i, days := range []int{7, 30, 90} {
		plans[i] = sales.Plan{Date: calc.After(today, days), Amount: parts[i]}
	}
	if _, err := a.crm.Sales.Contracts.SetPlans(ctx, a.li, x.ID, plans...); err != nil {
		return err
	}
	if err := a.crm.Sales.Contracts.Approve(ctx, head, x.ID, x.Version); err != nil {
		return err
	}
	if err := a.crm.Sales.Contracts.Sign(ctx, a.li, x.ID, today); err != nil {
		return err
	}
	won, err := a.crm.Sales.Opportunities.Get(ctx, a.li, a.opportunity)
	if err != nil {
		return err
	}
	a.sayf("Accepted, and contract %s is signed: %s + %s + %s = %s. The opportunity is %s.", x.Number,
		money(parts[0]), money(parts[1]), money(parts[2]), money(x.GrandTotal), won.Status)
	return nil
}

func (a *cash) firstInstalment(ctx context.Context) error {
	if err := a.pay(ctx, "13000", "transfer"); err != nil {
		return err
	}
	return a.invoice(ctx, "13000", "26322000000000000001")
}

func (a *cash) pay(ctx context.Context, amount, method string) error {
	return a.crm.Sales.Payments.Record(ctx, a.book, &sales.Payment{ContractID: a.contract, Amount: dec(amount), Method: method})
}

// invoice asks for one and notes the number that the tax system gave it.
func (a *cash) invoice(ctx context.Context, amount, number string) error {
	v := &sales.Invoice{ContractID: a.contract, Type: sales.OrdinaryInvoice, Medium: sales.DigitalInvoice, Amount: dec(amount)}
	if err := a.crm.Sales.Invoices.Request(ctx, a.book, v); err != nil {
		return err
	}
	return a.crm.Sales.Invoices.Issue(ctx, a.book, v.ID, number, "")
}

// overdue asks who owes what, for how long, and what that says about the customer.
func (a *cash) overdue(ctx context.Context) error {
	aged, err := a.crm.Sales.Receivables.Ageing(ctx, head, sales.AgeingFilter{}, crm.Page{})
	if err != nil {
		return err
	}
	risk, err := a.crm.Sales.Receivables.Risk(ctx, head, a.customer)
	if err != nil {
		return err
	}
	b := aged.Items[0].Base
	a.sayf("Receivable: %s, of which %s is not due, %s is overdue up to 30 days, %s up to 60.\nThe customer's risk: %s, since %s.",
		money(b.Total), money(b.Current), money(b.Days30), money(b.Days60), risk.Level, risk.Rule)
	return nil
}

// tooMuch is a payment that the plan did not foresee: it pays what is due, and what is left is credit for the last instalment.
func (a *cash) tooMuch(ctx context.Context) error {
	if err := a.pay(ctx, "27000", "transfer"); err != nil {
		return err
	}
	x, err := a.crm.Sales.Contracts.Get(ctx, a.li, a.contract)
	if err != nil {
		return err
	}
	var parts []string
	for _, p := range x.Plans {
		parts = append(parts, fmt.Sprintf("%s of %s", money(p.Paid), money(p.Amount)))
	}
	a.sayf("27000.00 come in. The instalments are paid: %s.", strings.Join(parts, ", "))
	return nil
}

// lastInstalment pays the rest. A cent more than the contract cannot be invoiced; the last invoice takes exactly the rest.
func (a *cash) lastInstalment(ctx context.Context) error {
	x, err := a.crm.Sales.Contracts.Get(ctx, a.li, a.contract)
	if err != nil {
		return err
	}
	if err := a.pay(ctx, x.Figures().Receivable.String(), "transfer"); err != nil {
		return err
	}
	rest := x.GrandTotal.Sub(x.Invoiced)
	err = a.invoice(ctx, rest.Add(dec("0.01")).String(), "26322000000000000002")
	if !errors.Is(err, calc.OverInvoice) {
		return fmt.Errorf("an invoice above the contract: %w", err)
	}
	if err := a.invoice(ctx, rest.String(), "26322000000000000002"); err != nil {
		return err
	}
	if x, err = a.crm.Sales.Contracts.Get(ctx, a.li, a.contract); err != nil {
		return err
	}
	a.sayf("The rest is paid and invoiced; a cent more was refused. Contract %s is %s.", x.Number, x.Status)
	return nil
}
