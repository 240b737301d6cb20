package storagetest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/sales/calc"
)

func (b *bundle) category(name string, parent sales.CategoryID) *sales.Category {
	b.t.Helper()
	x := &sales.Category{Name: name, Parent: parent}
	require.NoError(b.t, b.Sales.Categories.Create(b.t.Context(), admin, x))
	return x
}

func (b *bundle) product(name, price string, category sales.CategoryID) *sales.Product {
	b.t.Helper()
	x := &sales.Product{Name: name, Price: decimal.RequireFromString(price), Category: category}
	require.NoError(b.t, b.Sales.Products.Create(b.t.Context(), admin, x))
	return x
}

// names of the products that a filter leaves.
func (b *bundle) products(f sales.ProductFilter) (names []string) {
	b.t.Helper()
	for x, err := range crm.All(func(p crm.Page) (crm.List[*sales.Product], error) {
		p.Limit = 2
		return b.Sales.Products.List(b.t.Context(), li, f, p)
	}) {
		require.NoError(b.t, err)
		names = append(names, x.Name)
	}
	return names
}

func testCategories(t *testing.T, open Open) {
	t.Run("a tree: siblings have different names, a circle is refused", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		goods := b.category("goods", 0)
		bearings := b.category("bearings", goods.ID)
		balls := b.category("ball bearings", bearings.ID)
		b.category("bearings", 0)
		requireError(t, b.Sales.Categories.Create(ctx, admin, &sales.Category{Name: "bearings", Parent: goods.ID}), crm.ErrConflict, kernel.Duplicate, "name")
		requireError(t, b.Sales.Categories.Create(ctx, admin, &sales.Category{Name: "x", Parent: 1 << 40}), crm.ErrInvalid, kernel.Unknown, "parent")
		requireError(t, b.Sales.Categories.Create(ctx, li, &sales.Category{Name: "x"}), crm.ErrDenied, "", string(kernel.ProductManage))
		goods.Parent = balls.ID
		requireError(t, b.Sales.Categories.Update(ctx, admin, goods), crm.ErrInvalid, kernel.Cycle, "parent")
		goods.Parent = goods.ID
		requireError(t, b.Sales.Categories.Update(ctx, admin, goods), crm.ErrInvalid, kernel.Cycle, "parent")
		stale := *balls
		balls.Parent, balls.Name = goods.ID, "balls"
		require.NoError(t, b.Sales.Categories.Update(ctx, admin, balls))
		require.EqualValues(t, 2, balls.Version)
		requireError(t, b.Sales.Categories.Update(ctx, admin, &stale), crm.ErrConflict, kernel.Stale, "version")
		balls.Name = "bearings"
		requireError(t, b.Sales.Categories.Update(ctx, admin, balls), crm.ErrConflict, kernel.Duplicate, "name")
		b.agree()
	})
	t.Run("what something hangs on is not deleted", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		goods := b.category("goods", 0)
		below := b.category("below", goods.ID)
		x := b.product("x", "1", below.ID)
		for _, id := range []sales.CategoryID{goods.ID, below.ID} {
			requireError(t, b.Sales.Categories.Delete(ctx, admin, id), crm.ErrRefused, kernel.InUse, "category")
		}
		x.Category = 0
		require.NoError(t, b.Sales.Products.Update(ctx, admin, x))
		require.NoError(t, b.Sales.Categories.Delete(ctx, admin, below.ID))
		require.NoError(t, b.Sales.Categories.Delete(ctx, admin, goods.ID))
		require.ErrorIs(t, b.Sales.Categories.Delete(ctx, admin, goods.ID), crm.ErrNotFound)
		b.agree()
	})
	t.Run("moves at once never make a circle", func(t *testing.T) {
		b := setup(t, open)
		x, y := b.category("x", 0), b.category("y", 0)
		var moved atomic.Int32
		together(8, func(i int) {
			one, other := *x, *y
			if i%2 == 0 {
				one, other = other, one
			}
			one.Parent = other.ID
			err := insist(func() error { return b.Sales.Categories.Update(t.Context(), admin, &one) })
			if err == nil {
				moved.Add(1)
			}
		})
		require.EqualValues(t, 1, moved.Load())
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_product_categories WHERE parent_id IS NULL"))
	})
}

func testProducts(t *testing.T, open Open) {
	t.Run("made, read, changed and deleted, to four decimals", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x := &sales.Product{
			Code: "B-6204", Name: "深沟球轴承 6204", Category: b.category("bearings", 0).ID, Specification: "20×47×14", Unit: "套",
			Price: decimal.RequireFromString("12.3456"), Cost: decimal.NewNullDecimal(decimal.RequireFromString("0.0001")),
			TaxRate: decimal.NewNullDecimal(decimal.NewFromInt(13)), Description: "two\nlines", ExternalSystem: "erp", ExternalID: "4711",
		}
		require.NoError(t, b.Sales.Products.Create(ctx, admin, x))
		got, err := b.Sales.Products.Get(ctx, li, x.ID)
		require.NoError(t, err)
		requireSame(t, x, got)
		require.Equal(t, sales.TypeProduct, got.Type)
		stale := *got
		got.Price, got.Inactive, got.Cost = decimal.RequireFromString("13"), true, decimal.NullDecimal{}
		require.NoError(t, b.Sales.Products.Update(ctx, admin, got))
		require.EqualValues(t, 2, got.Version)
		requireError(t, b.Sales.Products.Update(ctx, admin, &stale), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Sales.Products.Delete(ctx, admin, x.ID, 2))
		require.Empty(t, b.products(sales.ProductFilter{}))
		gone, err := b.Sales.Products.Get(ctx, li, x.ID)
		require.NoError(t, err, "documents go on naming it")
		require.False(t, gone.DeletedAt.IsZero())
		again := &sales.Product{Code: "B-6204", Name: "x", ExternalSystem: "erp", ExternalID: "4711"}
		require.NoError(t, b.Sales.Products.Create(ctx, admin, again), "code and key are free")
		_, err = b.Sales.Products.Get(ctx, otherLi, x.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		b.agree()
	})
	t.Run("bad input is refused before anything is written", func(t *testing.T) {
		b := setup(t, open)
		for field, x := range map[string]sales.Product{
			"name": {}, "type": {Name: "x", Type: "gift"}, "price": {Name: "x", Price: decimal.RequireFromString("-0.0001")},
			"cost":     {Name: "x", Cost: decimal.NewNullDecimal(decimal.RequireFromString("0.00001"))},
			"tax_rate": {Name: "x", TaxRate: decimal.NewNullDecimal(decimal.NewFromInt(1000))}, "code": {Name: "x", Code: " x"},
			"category": {Name: "x", Category: 1 << 40}, "external_id": {Name: "x", ExternalSystem: "erp"}, "unit": {Name: "x", Unit: "a\x00"},
		} {
			err := b.Sales.Products.Create(t.Context(), admin, &x)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Field)
		}
		_, err := b.Sales.Products.CreateMany(t.Context(), admin, []*sales.Product{{Name: "a"}, {Name: ""}}, crm.WhatCanBeHad)
		i, ok := requireError(t, err, crm.ErrInvalid, kernel.Empty, "name").Item()
		require.True(t, ok && i == 1)
		require.Zero(t, b.count("SELECT count(*) FROM crm_products"))
	})
	t.Run("many: what is taken is the outcome of its item, or refuses all", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		b.product("there", "1", 0)
		code := b.products(sales.ProductFilter{})
		require.Len(t, code, 1)
		require.NoError(t, b.Sales.Products.Create(ctx, admin, &sales.Product{Name: "x", Code: "A", ExternalSystem: "erp", ExternalID: "1"}))
		batch := func() []*sales.Product {
			return []*sales.Product{{Name: "b", Code: "B"}, {Name: "a", Code: "A"}, {Name: "1", ExternalSystem: "erp", ExternalID: "1"}, {Name: "none"}}
		}
		_, err := b.Sales.Products.CreateMany(ctx, admin, batch(), crm.AllOrNothing)
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "code")
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_products"))
		xs := batch()
		out, err := b.Sales.Products.CreateMany(ctx, admin, xs, crm.WhatCanBeHad)
		require.NoError(t, err)
		require.Nil(t, out[0].Err)
		require.Equal(t, "code", out[1].Err.Field)
		require.Equal(t, "external_id", out[2].Err.Field)
		require.Nil(t, out[3].Err)
		require.Equal(t, fmt.Sprint("P", xs[3].ID), xs[3].Code)
		b.agree()
	})
	t.Run("listed by category with all below, by type, active ones", func(t *testing.T) {
		b := setup(t, open)
		goods := b.category("goods", 0)
		below := b.category("below", goods.ID)
		other := b.category("other", 0)
		b.product("a", "1", goods.ID)
		b.product("b", "1", below.ID)
		b.product("c", "1", other.ID)
		d := b.product("d", "1", 0)
		d.Inactive, d.Type = true, sales.TypeService
		require.NoError(t, b.Sales.Products.Update(t.Context(), admin, d))
		require.Equal(t, []string{"a", "b", "c", "d"}, b.products(sales.ProductFilter{}))
		require.Equal(t, []string{"a", "b"}, b.products(sales.ProductFilter{Categories: []sales.CategoryID{goods.ID}}))
		require.Equal(t, []string{"b", "c"}, b.products(sales.ProductFilter{Categories: []sales.CategoryID{below.ID, other.ID}}))
		require.Equal(t, []string{"d"}, b.products(sales.ProductFilter{Types: []sales.Type{sales.TypeService}}))
		require.Equal(t, []string{"a", "b", "c"}, b.products(sales.ProductFilter{Active: true}))
	})
	t.Run("a host's products are mirrored: made, changed, left alone", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		b.product("mine", "1", 0)
		require.NoError(t, b.Sales.Products.Create(ctx, admin, &sales.Product{Name: "typed by hand", Code: "H-2"}))
		theirs := func(price string) []*sales.Product {
			return []*sales.Product{
				{ExternalID: "1", Code: "H-1", Name: "one", Price: decimal.RequireFromString(price)},
				{ExternalID: "2", Code: "H-2", Name: "two"},
				{ExternalID: "3", Name: "three"},
			}
		}
		first, err := b.Sales.Products.Sync(ctx, admin, "erp", theirs("5"))
		require.NoError(t, err)
		require.Equal(t, "code", first[1].Err.Field)
		events := b.count("SELECT count(*) FROM crm_outbox")
		again, err := b.Sales.Products.Sync(ctx, admin, "erp", theirs("5"))
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, events, b.count("SELECT count(*) FROM crm_outbox"), "nothing changed, nothing is told")
		_, err = b.Sales.Products.Sync(ctx, admin, "erp", theirs("5.5"))
		require.NoError(t, err)
		x, err := b.Sales.Products.Get(ctx, li, first[0].ID)
		require.NoError(t, err)
		require.Equal(t, "5.5", x.Price.String())
		require.EqualValues(t, 2, x.Version)
		_, err = b.Sales.Products.Sync(ctx, admin, "erp", []*sales.Product{{ExternalID: "9", Name: "x"}, {ExternalID: "9", Name: "x"}})
		requireError(t, err, crm.ErrInvalid, kernel.Duplicate, "external_id")
		b.agree()
	})
}

func testPriceLists(t *testing.T, open Open) {
	price := func(b *bundle, list sales.PriceListID, on kernel.Date, x sales.ProductID, quantity string) string {
		got, err := b.Sales.PriceLists.PriceOf(b.t.Context(), li, list, on, sales.PriceQuery{Product: x, Quantity: decimal.RequireFromString(quantity)})
		require.NoError(b.t, err)
		if !got[0].Valid {
			return "null"
		}
		return got[0].Decimal.String()
	}
	t.Run("a price holds from its quantity on, on the days of its list", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x, y := b.product("x", "10", 0), b.product("y", "7", 0)
		spring := &sales.PriceList{Name: "spring", Currency: "CNY", ValidFrom: "2026-03-01", ValidTo: "2026-05-31"}
		require.NoError(t, b.Sales.PriceLists.Create(ctx, admin, spring))
		require.NoError(t, b.Sales.PriceLists.PutPrices(ctx, admin, spring.ID,
			sales.Price{Product: x.ID, Price: decimal.RequireFromString("9.9")},
			sales.Price{Product: x.ID, From: decimal.RequireFromString("100"), Price: decimal.RequireFromString("8.8888")}))
		for _, c := range []struct {
			on             kernel.Date
			quantity, want string
		}{
			{"2026-02-28", "1", "10"},
			{"2026-03-01", "1", "9.9"},
			{"2026-05-31", "99.9999", "9.9"},
			{"2026-05-31", "100", "8.8888"},
			{"2026-06-01", "100", "10"},
			{"2026-03-01", "0", "9.9"},
			{"", "1", "10"}, // it is February
		} {
			require.Equal(t, c.want, price(b, spring.ID, c.on, x.ID, c.quantity), c)
		}
		require.Equal(t, "7", price(b, spring.ID, "2026-03-01", y.ID, "1"), "what the list lacks costs what it costs")
		require.Equal(t, "10", price(b, 0, "2026-03-01", x.ID, "1"))
		spring.Inactive = true
		require.NoError(t, b.Sales.PriceLists.Update(ctx, admin, spring))
		require.Equal(t, "10", price(b, spring.ID, "2026-03-01", x.ID, "1"))
		b.agree()
	})
	t.Run("a list in another currency has no price where it lacks the product", func(t *testing.T) {
		b := setup(t, open)
		x := b.product("x", "10", 0)
		dollars := &sales.PriceList{Name: "dollars", Currency: "USD"}
		require.NoError(t, b.Sales.PriceLists.Create(t.Context(), admin, dollars))
		require.Equal(t, "null", price(b, dollars.ID, "", x.ID, "1"))
		dollars.Currency = "EUR"
		requireError(t, b.Sales.PriceLists.Update(t.Context(), admin, dollars), crm.ErrInvalid, kernel.ReadOnly, "currency")
		requireError(t, b.Sales.PriceLists.Create(t.Context(), admin, &sales.PriceList{Name: "x", Currency: "¥"}), crm.ErrInvalid, calc.UnknownCurrency, "currency")
		requireError(t, b.Sales.PriceLists.Create(t.Context(), admin, &sales.PriceList{Name: "dollars", Currency: "USD"}), crm.ErrConflict, kernel.Duplicate, "name")
		requireError(t, b.Sales.PriceLists.Create(t.Context(), admin, &sales.PriceList{Name: "x", Currency: "USD", ValidFrom: "2026-01-02", ValidTo: "2026-01-01"}),
			crm.ErrInvalid, kernel.OutOfRange, "valid_to")
	})
	t.Run("prices are paged, replaced, taken out, and go with their list", func(t *testing.T) {
		b := setup(t, open)
		ctx := t.Context()
		x, y := b.product("x", "10", 0), b.product("y", "7", 0)
		list := &sales.PriceList{Name: "l", Currency: "CNY"}
		require.NoError(t, b.Sales.PriceLists.Create(ctx, admin, list))
		var prices []sales.Price
		for _, from := range []string{"0", "0.0001", "2.5", "1000"} {
			for _, p := range []*sales.Product{x, y} {
				prices = append(prices, sales.Price{Product: p.ID, From: decimal.RequireFromString(from), Price: decimal.NewFromInt(1)})
			}
		}
		require.NoError(t, b.Sales.PriceLists.PutPrices(ctx, admin, list.ID, prices...))
		require.NoError(t, b.Sales.PriceLists.PutPrices(ctx, admin, list.ID, prices...))
		n := 0
		last := sales.Price{}
		for p, err := range crm.All(func(p crm.Page) (crm.List[sales.Price], error) {
			p.Limit = 3
			return b.Sales.PriceLists.Prices(ctx, li, list.ID, p)
		}) {
			require.NoError(t, err)
			require.True(t, p.Product > last.Product || p.From.Cmp(last.From) > 0, "%v after %v", p, last)
			last = p
			n++
		}
		require.Equal(t, 8, n)
		err := b.Sales.PriceLists.PutPrices(ctx, admin, list.ID, prices[0], sales.Price{Product: 1 << 40})
		i, _ := requireError(t, err, crm.ErrInvalid, kernel.Unknown, "product").Item()
		require.Equal(t, 1, i)
		requireError(t, b.Sales.PriceLists.PutPrices(ctx, admin, list.ID, prices[0], prices[0]), crm.ErrInvalid, kernel.Duplicate, "from")
		require.NoError(t, b.Sales.PriceLists.TakePrices(ctx, admin, list.ID, x.ID))
		require.Equal(t, 4, b.count("SELECT count(*) FROM crm_prices"))
		require.ErrorIs(t, b.Sales.PriceLists.Delete(ctx, otherBoss, list.ID, 1), crm.ErrNotFound)
		require.NoError(t, b.Sales.PriceLists.Delete(ctx, admin, list.ID, 1))
		require.Zero(t, b.count("SELECT count(*) FROM crm_prices"))
		b.agree()
	})
}

// requireSame compares as JSON: decimals of one value have several forms in Go.
func requireSame(t *testing.T, want, got any) {
	t.Helper()
	was, is := kernel.Diff(want, got)
	require.Empty(t, is, "was %v", was)
}

// fillSales writes something into the tables of what is sold.
func (b *bundle) fillSales(by crm.Actor, of customer.ID, owner kernel.UserID) {
	b.t.Helper()
	ctx := b.t.Context()
	above := &sales.Category{Name: "goods"}
	require.NoError(b.t, b.Sales.Categories.Create(ctx, by, above))
	by.Request = "below"
	below := &sales.Category{Name: "below", Parent: above.ID}
	require.NoError(b.t, b.Sales.Categories.Create(ctx, by, below))
	x := &sales.Product{Name: "x", Category: below.ID}
	require.NoError(b.t, b.Sales.Products.Create(ctx, by, x))
	list := &sales.PriceList{Name: "dealers", Currency: "CNY"}
	require.NoError(b.t, b.Sales.PriceLists.Create(ctx, by, list))
	require.NoError(b.t, b.Sales.PriceLists.PutPrices(ctx, by, list.ID, sales.Price{Product: x.ID}))
	p := sales.DefaultPipeline()
	require.NoError(b.t, b.Sales.Pipelines.Put(ctx, by, &p))
	deal := &sales.Opportunity{CustomerID: of, Name: "x", OwnerID: owner}
	require.NoError(b.t, b.Sales.Opportunities.Create(ctx, by, deal))
	q := &sales.Quote{CustomerID: of, OpportunityID: deal.ID, OwnerID: owner, Body: sales.Body{
		Lines: []sales.Line{{ProductID: x.ID, Quantity: dec("1")}},
	}}
	require.NoError(b.t, b.Sales.Quotes.Create(ctx, by, q))
	k := &sales.Contract{CustomerID: of, OpportunityID: deal.ID, OwnerID: owner, Name: "x", Body: sales.Body{
		Lines: []sales.Line{{ProductID: x.ID, Quantity: dec("1"), UnitPrice: null("1")}},
	}}
	require.NoError(b.t, b.Sales.Contracts.Create(ctx, by, k))
	_, err := b.Sales.Contracts.SetPlans(ctx, by, k.ID, sales.Plan{Date: "2026-03-01", Amount: dec("1")})
	require.NoError(b.t, err)
	b.fillMoney(by, of, owner)
	order := b.order(of, "x", 1, sales.OrderPlaced)
	order.Refunds = []sales.OrderRefund{{At: b.now(), Amount: dec("1")}}
	_, err = b.Sales.Orders.Record(ctx, by, order)
	require.NoError(b.t, err)
}
