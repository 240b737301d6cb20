package sales

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales/calc"
)

// What quotes and contracts do alike.

// settle fills in currency and what products say, and computes.
func settle(ctx context.Context, c *kernel.Call[Tx], b *Body, currency string) error {
	if b.Currency == "" {
		b.Currency = currency
	}
	if err := sold(ctx, c, b, currency); err != nil {
		return err
	}
	return b.compute()
}

// sold reads the products of a body, once for all lines, and fills in what they say.
func sold(ctx context.Context, c *kernel.Call[Tx], b *Body, currency string) error {
	var ids []ProductID
	for _, l := range b.Lines {
		if l.ProductID != 0 {
			ids = append(ids, l.ProductID)
		}
	}
	slices.Sort(ids)
	found, err := c.Tx.Products().Get(ctx, c.Actor.Tenant, false, slices.Compact(ids)...)
	if err != nil {
		return err
	}
	products := make(map[ProductID]*Product, len(found))
	for _, p := range found {
		products[p.ID] = p
	}
	return b.fill(products, currency)
}

// opportunityOf refuses an opportunity that is not the customer's; 0 is none.
func opportunityOf(ctx context.Context, c *kernel.Call[Tx], of customer.ID, id OpportunityID) error {
	if id == 0 {
		return nil
	}
	found, err := c.Tx.Opportunities().Get(ctx, c.Actor.Tenant, kernel.Scope{All: true}, id)
	if err == nil && (len(found) == 0 || found[0].CustomerID != of) {
		err = kernel.Invalidf("opportunity_id", kernel.Unknown, "the customer has no such opportunity")
	}
	return err
}

// rated is the rate to the tenant's currency that a document keeps from now on, and what its total comes to in it.
func rated(ctx context.Context, c *kernel.Call[Tx], b *Body, rate decimal.Decimal) (fixed, base decimal.Decimal, err error) {
	currency, err := c.Tx.PriceLists().Currency(ctx, c.Actor.Tenant)
	if err != nil {
		return rate, base, err
	}
	if b.Currency == currency {
		rate = one
	}
	if !rate.IsPositive() {
		return rate, base, kernel.Invalidf("fx_rate", kernel.Empty, "the rate from %s to %s", b.Currency, currency)
	}
	base, err = calc.Base(b.GrandTotal, rate, calc.Currency(currency), b.Rules.Rounding)
	return rate, base, err
}
