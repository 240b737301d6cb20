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
	}
}
