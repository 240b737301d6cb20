package sales

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// PriceLists is the use cases of price lists.
type PriceLists struct{ core kernel.Service[Tx] }

func (x *PriceList) check() error {
	_, err := calc.Currency(x.Currency).Digits()
	err = kernel.FirstError(kernel.CheckName("name", x.Name, 100), err, x.ValidFrom.Check("valid_from"), x.ValidTo.Check("valid_to"))
	if err == nil && x.ValidFrom != "" && x.ValidTo != "" && x.ValidTo < x.ValidFrom {
		err = kernel.Invalidf("valid_to", kernel.OutOfRange, "before its first day")
	}
	return err
}

// Create makes a price list without prices; id, version and times are filled in. A name that another has is a conflict
// ("name").
func (s *PriceLists) Create(ctx context.Context, a kernel.Actor, x *PriceList) error {
	const op = "sales.PriceLists.Create"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("price_list", kernel.Empty))
	}
	draft := &PriceList{Name: x.Name, Currency: x.Currency, ValidFrom: x.ValidFrom, ValidTo: x.ValidTo, Inactive: x.Inactive}
	if err := draft.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := manage(ctx, &s.core, a, op, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*PriceList, error) {
		draft.Version, draft.CreatedAt, draft.UpdatedAt = 1, c.Now, c.Now
		free, err := c.Tx.PriceLists().Insert(ctx, a.Tenant, draft)
		if err := named(free, err); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: draft.Ref(), Ref: draft.Ref(), Type: "price_list.created", After: draft})
	})
	if err == nil {
		*x = *made
	}
	return err
}

// Update writes a price list that was read: its Version must be the last. Its currency stays (invalid, reason ReadOnly).
func (s *PriceLists) Update(ctx context.Context, a kernel.Actor, x *PriceList) error {
	const op = "sales.PriceLists.Update"
	if x == nil {
		return kernel.Wrap(op, kernel.Invalid("price_list", kernel.Empty))
	}
	given := *x
	if err := given.check(); err != nil {
		return kernel.Wrap(op, err)
	}
	made, err := manage(ctx, &s.core, a, op, given, func(ctx context.Context, c *kernel.Call[Tx]) (*PriceList, error) {
		cur, err := s.lock(ctx, c, given.ID, given.Version)
		if err != nil {
			return nil, err
		}
		if given.Currency != cur.Currency {
			return nil, kernel.Invalidf("currency", kernel.ReadOnly, "the prices of the list are in %s", cur.Currency)
		}
		next := *cur
		next.Name, next.ValidFrom, next.ValidTo, next.Inactive = given.Name, given.ValidFrom, given.ValidTo, given.Inactive
		was, is := kernel.Diff(cur, &next)
		if is == nil {
			return cur, nil
		}
		next.Version, next.UpdatedAt = cur.Version+1, c.Now
		free, err := c.Tx.PriceLists().Update(ctx, a.Tenant, &next)
		if err := named(free, err); err != nil {
			return nil, err
		}
		return &next, c.Record(ctx, kernel.Change{Subject: next.Ref(), Ref: next.Ref(), Type: "price_list.updated", Before: was, After: is})
	})
	if err == nil {
		*x = *made
	}
	return err
}

func (s *PriceLists) lock(ctx context.Context, c *kernel.Call[Tx], id PriceListID, version int64) (*PriceList, error) {
	cur, err := only(c.Tx.PriceLists().Lock(ctx, c.Actor.Tenant, id))
	if err == nil && version != cur.Version {
		err = kernel.StaleVersion(version, cur.Version)
	}
	return cur, err
}

// Delete deletes a price list with its prices. The version is the one that was read.
func (s *PriceLists) Delete(ctx context.Context, a kernel.Actor, id PriceListID, version int64) error {
	_, err := manage(ctx, &s.core, a, "sales.PriceLists.Delete", []any{id, version}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		cur, err := s.lock(ctx, c, id, version)
		if err == nil {
			err = c.Tx.PriceLists().Delete(ctx, a.Tenant, id)
		}
		if err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{Subject: cur.Ref(), Ref: cur.Ref(), Type: "price_list.deleted", Before: cur})
	})
	return err
}

// Get returns a price list.
func (s *PriceLists) Get(ctx context.Context, a kernel.Actor, id PriceListID) (*PriceList, error) {
	return kernel.Ask(ctx, &s.core, a, "sales.PriceLists.Get", kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (*PriceList, error) {
		return only(c.Tx.PriceLists().Get(ctx, a.Tenant, id))
	})
}

// List returns a page of the price lists, in the order they were made.
func (s *PriceLists) List(ctx context.Context, a kernel.Actor, p kernel.Page) (kernel.List[*PriceList], error) {
	const op = "sales.PriceLists.List"
	w, err := p.Open("price_lists", 1)
	if err != nil {
		return kernel.List[*PriceList]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*PriceList], error) {
		found, err := c.Tx.PriceLists().List(ctx, a.Tenant, w)
		return kernel.Cut("price_lists", w, found, func(x *PriceList) []int64 { return []int64{int64(x.ID)} }), err
	})
}

// PutPrices writes at most 10,000 prices into a list, in place of those of the same product and quantity. A product that
// does not exist is invalid (reason Unknown) and named by its index, and so is the same product and quantity twice
// (Duplicate). Nothing is written then.
func (s *PriceLists) PutPrices(ctx context.Context, a kernel.Actor, id PriceListID, prices ...Price) error {
	const op = "sales.PriceLists.PutPrices"
	products, err := checkPrices(prices)
	if err != nil {
		return kernel.Wrap(op, err)
	}
	if len(prices) == 0 {
		return nil
	}
	_, err = manage(ctx, &s.core, a, op, []any{id, prices}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		list, err := only(c.Tx.PriceLists().Lock(ctx, a.Tenant, id))
		if err != nil {
			return kernel.None{}, err
		}
		found, err := c.Tx.Products().Get(ctx, a.Tenant, false, products...)
		if err != nil {
			return kernel.None{}, err
		}
		for i, p := range prices {
			if !slices.ContainsFunc(found, func(x *Product) bool { return x.ID == p.Product }) {
				return kernel.None{}, kernel.At(i, kernel.Invalidf("product", kernel.Unknown, "there is no product %d", p.Product))
			}
		}
		if err := c.Tx.PriceLists().PutPrices(ctx, a.Tenant, id, prices...); err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{
			Subject: list.Ref(), Ref: list.Ref(), Type: "price_list.priced", After: map[string]any{"prices": prices},
		})
	})
	return err
}

// checkPrices returns the products that are priced, each once.
func checkPrices(prices []Price) ([]ProductID, error) {
	if err := kernel.CheckItems("prices", len(prices)); err != nil {
		return nil, err
	}
	type key struct {
		product ProductID
		from    string
	}
	seen := make(map[key]bool, len(prices))
	var products []ProductID
	for i := range prices {
		p := &prices[i]
		if err := p.check(); err != nil {
			return nil, kernel.At(i, err)
		}
		k := key{p.Product, p.From.StringFixed(4)}
		if seen[k] {
			return nil, kernel.At(i, kernel.Invalidf("from", kernel.Duplicate, "two prices from this quantity on"))
		}
		seen[k] = true
		products = append(products, p.Product)
	}
	slices.Sort(products)
	return slices.Compact(products), nil
}

// TakePrices removes all prices of at most 10,000 products from a list; products that it does not have are no error.
func (s *PriceLists) TakePrices(ctx context.Context, a kernel.Actor, id PriceListID, products ...ProductID) error {
	const op = "sales.PriceLists.TakePrices"
	if err := kernel.CheckItems("products", len(products)); err != nil {
		return kernel.Wrap(op, err)
	}
	if len(products) == 0 {
		return nil
	}
	_, err := manage(ctx, &s.core, a, op, []any{id, products}, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.None, error) {
		list, err := only(c.Tx.PriceLists().Lock(ctx, a.Tenant, id))
		if err == nil {
			err = c.Tx.PriceLists().TakePrices(ctx, a.Tenant, id, products...)
		}
		if err != nil {
			return kernel.None{}, err
		}
		return kernel.None{}, c.Record(ctx, kernel.Change{
			Subject: list.Ref(), Ref: list.Ref(), Type: "price_list.unpriced", After: map[string]any{"products": products},
		})
	})
	return err
}

// Prices returns a page of a list's prices, by product and quantity.
func (s *PriceLists) Prices(ctx context.Context, a kernel.Actor, id PriceListID, p kernel.Page) (kernel.List[Price], error) {
	const op = "sales.PriceLists.Prices"
	w, err := p.Open("prices", 2)
	if err != nil {
		return kernel.List[Price]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[Price], error) {
		if _, err := only(c.Tx.PriceLists().Get(ctx, a.Tenant, id)); err != nil {
			return kernel.List[Price]{}, err
		}
		found, err := c.Tx.PriceLists().Prices(ctx, a.Tenant, id, w)
		return kernel.Cut("prices", w, found, func(x Price) []int64 { return []int64{int64(x.Product), x.From.Shift(4).IntPart()} }), err
	})
}

// PriceQuery asks what a product costs.
type PriceQuery struct {
	Product  ProductID
	Quantity decimal.Decimal // 0 counts as 1
}

// PriceOf says what products cost on a day (empty: today in the tenant's zone), at most 10,000 at once, in the order asked: by the
// list where it holds and has the product, from the largest quantity on that is reached; else, and with list 0, the price on
// the product itself, which is in the tenant's currency: a list in another currency that lacks a product says null. A
// product that does not exist, was deleted or is inactive is invalid (reason Unknown), with its index.
func (s *PriceLists) PriceOf(ctx context.Context, a kernel.Actor, list PriceListID, on kernel.Date, asked ...PriceQuery) ([]decimal.NullDecimal, error) {
	const op = "sales.PriceLists.PriceOf"
	if err := kernel.FirstError(kernel.CheckItems("products", len(asked)), on.Check("on")); err != nil {
		return nil, kernel.Wrap(op, err)
	}
	for i, q := range asked {
		if err := kernel.CheckAmount("quantity", q.Quantity); err != nil {
			return nil, kernel.Wrap(op, kernel.At(i, err))
		}
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.SalesRead, func(ctx context.Context, c *kernel.Call[Tx]) ([]decimal.NullDecimal, error) {
		if on == "" {
			on = c.Today()
		}
		return s.priceOf(ctx, c, list, on, asked)
	})
}

func (s *PriceLists) priceOf(ctx context.Context, c *kernel.Call[Tx], list PriceListID, on kernel.Date, asked []PriceQuery) ([]decimal.NullDecimal, error) {
	var ids []ProductID
	for _, q := range asked {
		ids = append(ids, q.Product)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found, err := c.Tx.Products().Get(ctx, c.Actor.Tenant, false, ids...)
	if err != nil {
		return nil, err
	}
	products := make(map[ProductID]*Product, len(found))
	for _, x := range found {
		products[x.ID] = x
	}
	prices, own, err := s.listed(ctx, c, list, on, ids)
	if err != nil {
		return nil, err
	}
	all := make([]decimal.NullDecimal, len(asked))
	for i, q := range asked {
		x := products[q.Product]
		if x == nil || x.Inactive {
			return nil, kernel.At(i, kernel.Invalidf("product", kernel.Unknown, "there is no product %d on sale", q.Product))
		}
		all[i] = best(prices[q.Product], q.Quantity)
		if !all[i].Valid && own {
			all[i] = decimal.NewNullDecimal(x.Price)
		}
	}
	return all, nil
}

// listed is the prices of a list by product, and whether the price on the product itself may stand in.
func (s *PriceLists) listed(ctx context.Context, c *kernel.Call[Tx], id PriceListID, on kernel.Date, ids []ProductID) (map[ProductID][]Price, bool, error) {
	if id == 0 {
		return nil, true, nil
	}
	list, err := only(c.Tx.PriceLists().Get(ctx, c.Actor.Tenant, id))
	if err != nil {
		return nil, false, err
	}
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil || !list.Holds(on) {
		return nil, list.Currency == currency, err
	}
	found, err := c.Tx.PriceLists().PricesOf(ctx, c.Actor.Tenant, id, ids...)
	of := map[ProductID][]Price{}
	for _, p := range found {
		of[p.Product] = append(of[p.Product], p)
	}
	return of, list.Currency == currency, err
}

// best is the price from the largest quantity on that is reached; null when none is.
func best(prices []Price, quantity decimal.Decimal) (found decimal.NullDecimal) {
	if quantity.IsZero() {
		quantity = decimal.NewFromInt(1)
	}
	for _, p := range prices { // by quantity
		if p.From.Cmp(quantity) <= 0 {
			found = decimal.NewNullDecimal(p.Price)
		}
	}
	return found
}
