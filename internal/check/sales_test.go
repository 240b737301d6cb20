package check

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

// offered is what there is to sell, and what is offered of it.
type offered struct {
	category sales.CategoryID
	product  sales.ProductID
	list     sales.PriceListID
	pipeline sales.PipelineID
	stage    sales.StageID
	stages   []sales.Stage
	documents
	money
}

// money is a signed contract of a customer, with an instalment, what was paid of it, and an invoice that was partly taken back.
type money struct {
	signed  sales.ContractID
	due     sales.PlanID
	payment sales.PaymentID
	invoice sales.InvoiceID
}

// billed makes a signed contract over 11, of which 4 are paid and 5 invoiced, less 1.
func (o offered) billed(h *house, by kernel.Actor, owner kernel.UserID, of customer.ID, name string) money {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	k := &sales.Contract{CustomerID: of, Name: name, OwnerID: owner, Body: o.body(name)}
	ok(h.Sales.Contracts.Create(ctx, by, k))
	plans, err := h.Sales.Contracts.SetPlans(ctx, by, k.ID, sales.Plan{Date: "2026-01-31", Amount: k.GrandTotal, Note: name})
	ok(err)
	ok(h.Sales.Contracts.Approve(ctx, by, k.ID, 1))
	ok(h.Sales.Contracts.Sign(ctx, by, k.ID, "2026-01-01"))
	var last sales.PaymentID
	for _, amount := range []int64{6, -2} {
		p := &sales.Payment{
			ContractID: k.ID, Date: "2026-01-20", Amount: decimal.NewFromInt(amount), Method: name, FileURL: name, Remark: name,
			ExternalSystem: name, ExternalID: k.Number + decimal.NewFromInt(amount).String(),
		}
		ok(h.Sales.Payments.Record(ctx, by, p))
		last = p.ID
	}
	v := &sales.Invoice{
		ContractID: k.ID, Type: sales.OrdinaryInvoice, Medium: sales.PaperInvoice, Amount: decimal.NewFromInt(5), FileURL: name, Remark: name,
		Buyer: sales.Buyer{Name: name, TaxNo: name, Address: name, Phone: name, Bank: name, Account: name},
	}
	ok(h.Sales.Invoices.Request(ctx, by, v))
	ok(h.Sales.Invoices.Issue(ctx, by, v.ID, name+k.Number, ""))
	_, err = h.Sales.Invoices.Red(ctx, by, v.ID, sales.RedFlush{Amount: decimal.NewFromInt(1), InvoiceNo: name + k.Number + "-red", NoticeNo: name, Remark: name})
	ok(err)
	return money{k.ID, plans[0].ID, last, v.ID}
}

// documents are of one customer.
type documents struct {
	opportunity sales.OpportunityID
	quote       sales.QuoteID
	contract    sales.ContractID
	plan        sales.PlanID
	order       sales.OrderID
}

// offer makes a catalogue, a pipeline and the documents of a customer, all of one name.
func (h *house) offer(by kernel.Actor, owner kernel.UserID, of customer.ID, contact customer.ContactID, name string) (o offered) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	category := &sales.Category{Name: name}
	ok(h.Sales.Categories.Create(ctx, by, category))
	product := &sales.Product{
		Name: name, Code: name, Category: category.ID, Price: decimal.NewFromInt(1), ExternalSystem: "erp", ExternalID: name, Description: name,
	}
	ok(h.Sales.Products.Create(ctx, by, product))
	list := &sales.PriceList{Name: name, Currency: "CNY"}
	ok(h.Sales.PriceLists.Create(ctx, by, list))
	ok(h.Sales.PriceLists.PutPrices(ctx, by, list.ID, sales.Price{Product: product.ID, Price: decimal.NewFromInt(1)}))
	pipeline := sales.DefaultPipeline()
	pipeline.Name = name
	ok(h.Sales.Pipelines.Put(ctx, by, &pipeline))
	o = offered{category: category.ID, product: product.ID, list: list.ID, pipeline: pipeline.ID, stage: pipeline.Stages[1].ID, stages: pipeline.Stages}
	o.documents = o.documentsOf(h, by, owner, of, contact, name)
	return o
}

// documentsOf makes an opportunity, a draft of a quote, and a contract with an instalment.
func (o offered) documentsOf(h *house, by kernel.Actor, owner kernel.UserID, of customer.ID, contact customer.ContactID, name string) documents {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	deal := &sales.Opportunity{CustomerID: of, ContactID: contact, Name: name, OwnerID: owner, Products: []sales.ProductID{o.product}}
	ok(h.Sales.Opportunities.Create(ctx, by, deal))
	q := &sales.Quote{CustomerID: of, OpportunityID: deal.ID, ContactID: contact, Title: name, OwnerID: owner, Body: o.body(name)}
	ok(h.Sales.Quotes.Create(ctx, by, q))
	k := &sales.Contract{CustomerID: of, OpportunityID: deal.ID, ContactID: contact, Name: name, OwnerID: owner, Body: o.body(name)}
	ok(h.Sales.Contracts.Create(ctx, by, k))
	plans, err := h.Sales.Contracts.SetPlans(ctx, by, k.ID, sales.Plan{Date: "2026-06-01", Amount: k.GrandTotal, Note: name})
	ok(err)
	orders, err := h.Sales.Orders.Record(ctx, by, reported(of, name, h.now()))
	ok(err)
	return documents{deal.ID, q.ID, k.ID, plans[0].ID, orders[0].ID}
}

// reported is a report of an order that is not paid yet.
func reported(of customer.ID, number string, at time.Time) *sales.Order {
	return &sales.Order{
		System: "erp", Number: number, CustomerID: of, Status: sales.OrderPlaced, Total: decimal.NewFromInt(1), OrderedAt: at,
		Lines:   []sales.OrderLine{{Name: number, Quantity: decimal.NewFromInt(1), UnitPrice: decimal.NewFromInt(1), Amount: decimal.NewFromInt(1)}},
		Refunds: []sales.OrderRefund{{At: at, Amount: decimal.NewFromInt(1)}},
	}
}

// body is what a document sells.
func (o offered) body(name string) sales.Body {
	return sales.Body{
		Currency: "CNY",
		Lines:    []sales.Line{{ProductID: o.product, Name: name, Quantity: decimal.NewFromInt(2), UnitPrice: decimal.NewNullDecimal(decimal.NewFromInt(5))}},
		Fees:     []sales.Fee{{Fee: calc.Fee{Name: name, Amount: decimal.NewFromInt(1)}}},
	}
}

func (x lived) salesMakers() []func() any {
	return []func() any{
		func() any { return sales.Category{ID: x.offer.category, Name: "another", Version: 1} },
		func() any {
			return sales.Product{ID: x.offer.product, Name: "another", Code: "another", Category: x.offer.category, Version: 1}
		},
		func() any { return sales.ProductFilter{} },
		func() any { return sales.PriceList{ID: x.offer.list, Name: "another", Currency: "CNY", Version: 1} },
		func() any { return sales.Price{Product: x.offer.product, Price: decimal.NewFromInt(2)} },
		func() any { return sales.PriceQuery{Product: x.offer.product} },
		func() any {
			return sales.Pipeline{ID: x.offer.pipeline, Name: "another", Default: true, Stages: x.offer.someStages(), Version: 1}
		},
		func() any {
			return sales.Opportunity{
				ID: x.offer.opportunity, CustomerID: x.busy, ContactID: x.contact, Name: "another", PipelineID: x.offer.pipeline, StageID: x.offer.stage,
				Currency: "CNY", Products: []sales.ProductID{x.offer.product}, OwnerID: "li", Version: 1,
			}
		},
		func() any { return sales.OpportunityFilter{} },
		func() any { return sales.AnalysisFilter{} },
		func() any { return sales.ForecastFilter{} },
		func() any { return sales.MoveOptions{} },
		func() any {
			return sales.Quote{
				ID: x.offer.quote, RootID: x.offer.quote, CustomerID: x.busy, OpportunityID: x.offer.opportunity, ContactID: x.contact, Title: "another",
				OwnerID: "li", Body: x.offer.body("another"), Version: 1,
			}
		},
		func() any { return sales.QuoteFilter{} },
		func() any {
			return sales.Contract{
				ID: x.offer.contract, CustomerID: x.busy, OpportunityID: x.offer.opportunity, QuoteID: x.offer.quote, ContactID: x.contact, Name: "another",
				OwnerID: "li", Body: x.offer.body("another"), Plans: []sales.Plan{x.offer.instalment()}, Version: 1,
			}
		},
		func() any { return sales.ContractFilter{} },
		func() any { return *reported(x.busy, "another", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) },
		func() any { return sales.OrderFilter{} },
		func() any { return decimal.NewFromInt(1) },
		func() any { return x.offer.instalment() },
		func() any {
			return sales.Payment{
				ContractID: x.offer.signed, PlanID: x.offer.due, Date: "2026-02-01", Amount: decimal.NewFromInt(1), Currency: "CNY", Method: "x",
				ExternalSystem: "another", ExternalID: "another", Allocations: []sales.Allocation{{PlanID: x.offer.due}},
			}
		},
		func() any { return sales.PaymentFilter{Contract: x.offer.signed} },
		func() any {
			return sales.Invoice{
				ContractID: x.offer.signed, PaymentID: x.offer.payment, Type: sales.OrdinaryInvoice, Medium: sales.PaperInvoice, Amount: decimal.NewFromInt(2),
				Rates: []sales.InvoiceRate{{Amount: decimal.NewFromInt(2)}}, Buyer: sales.Buyer{Name: "x"},
			}
		},
		func() any { return sales.RedFlush{Amount: decimal.NewFromInt(1), InvoiceNo: "another", NoticeNo: "x"} },
		func() any { return sales.InvoiceFilter{} },
		func() any { return sales.AgeingFilter{} },
		func() any {
			return sales.ChangeOrder{
				Lines:  []sales.Line{{ProductID: x.offer.product, Name: "another", Quantity: decimal.NewFromInt(1), UnitPrice: decimal.NewNullDecimal(decimal.NewFromInt(5))}},
				Plans:  []sales.Plan{{ID: x.offer.due, Date: "2026-06-02", Amount: decimal.NewFromInt(16)}},
				Reason: "x",
			}
		},
		func() any { return kernel.Date("2026-06-01") },
	}
}

// someStages are fresh copies, which a test may write to.
func (o offered) someStages() []sales.Stage { return append([]sales.Stage{}, o.stages...) }

func (o offered) instalment() sales.Plan {
	return sales.Plan{ID: o.plan, Date: "2026-06-02", Amount: decimal.NewFromInt(11)}
}

func (x lived) salesSpecial() map[string]func() any {
	version := func() any { return int64(1) }
	return map[string]func() any{
		"Sales.Categories.Create#0":   func() any { return &sales.Category{Name: "another", Parent: x.offer.category} },
		"Sales.Products.Create#0":     func() any { return &sales.Product{Name: "another", Category: x.offer.category} },
		"Sales.Products.CreateMany#0": func() any { return []*sales.Product{{Name: "another", Category: x.offer.category}} },
		"Sales.Products.Sync#0":       func() any { return "erp" },
		"Sales.Products.Sync#1": func() any {
			return []*sales.Product{{Name: "another", ExternalSystem: "erp", ExternalID: "another", Category: x.offer.category}}
		},
		"Sales.Products.Delete#1":   version,
		"Sales.PriceLists.Create#0": func() any { return &sales.PriceList{Name: "another", Currency: "CNY"} },
		"Sales.PriceLists.Delete#1": version,
		"Sales.Opportunities.Create#0": func() any {
			return &sales.Opportunity{CustomerID: x.busy, Name: "another", OwnerID: "li", Products: []sales.ProductID{x.offer.product}}
		},
		"Sales.Opportunities.Delete#1": version,
		"Sales.Quotes.Create#0": func() any {
			return &sales.Quote{CustomerID: x.busy, OpportunityID: x.offer.opportunity, OwnerID: "li", Body: x.offer.body("another")}
		},
		"Sales.Quotes.Approve#1": version,
		"Sales.Quotes.Delete#1":  version,
		"Sales.Contracts.Create#0": func() any {
			return &sales.Contract{
				CustomerID: x.busy, OpportunityID: x.offer.opportunity, Name: "another", OwnerID: "li", Body: x.offer.body("another"),
				Plans: []sales.Plan{{Date: "2026-06-01", Amount: decimal.NewFromInt(1)}},
			}
		},
		"Sales.Contracts.Approve#1": version,
		"Sales.Contracts.Amend#0":   func() any { return x.offer.signed },
		"Sales.Contracts.Amend#1":   func() any { return int64(3) },
	}
}
