package bunstore

import (
	"context"

	"github.com/shopspring/decimal"
	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type priceLists tx

// Insert see [sales.PriceListRepository].
func (r *priceLists) Insert(ctx context.Context, tenant kernel.TenantID, x *sales.PriceList) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return false, err
	}
	x.ID = sales.PriceListID(ids[0])
	written, err := insertFree(ctx, t, []priceListRow{priceListRowOf(n, x)})
	return written[ids[0]], err
}

func (r *priceLists) find(ctx context.Context, tenant kernel.TenantID, lock bool, ids []sales.PriceListID) ([]*sales.PriceList, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []priceListRow
	q := oneOf(r.db.NewSelect().Model(&rows).Where("pl.tenant_id = ?", n), "pl.id", ids).Order("pl.id").Conn(r.conn)
	if lock && r.pg {
		q = q.For("UPDATE") // also against prices that are being written while the list is deleted
	}
	err = q.Scan(ctx)
	return mapped(rows, (*priceListRow).domain), err
}

// Get see [sales.PriceListRepository].
func (r *priceLists) Get(ctx context.Context, tenant kernel.TenantID, ids ...sales.PriceListID) ([]*sales.PriceList, error) {
	return r.find(ctx, tenant, false, ids)
}

// Lock see [sales.PriceListRepository].
func (r *priceLists) Lock(ctx context.Context, tenant kernel.TenantID, ids ...sales.PriceListID) ([]*sales.PriceList, error) {
	return r.find(ctx, tenant, true, ids)
}

// Update see [sales.PriceListRepository].
func (r *priceLists) Update(ctx context.Context, tenant kernel.TenantID, x *sales.PriceList) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	var twins int
	err = t.raw("SELECT count(*) FROM crm_price_lists WHERE tenant_id = ? AND name = ? AND id <> ?", n, x.Name, int64(x.ID)).Scan(ctx, &twins)
	if err != nil || twins > 0 {
		return false, err
	}
	return true, put(ctx, t, []priceListRow{priceListRowOf(n, x)})
}

// Delete see [sales.PriceListRepository].
func (r *priceLists) Delete(ctx context.Context, tenant kernel.TenantID, id sales.PriceListID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM crm_prices WHERE tenant_id = ? AND list_id = ?", n, int64(id)); err != nil {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_price_lists WHERE tenant_id = ? AND id = ?", n, int64(id))
	return err
}

// List see [sales.PriceListRepository].
func (r *priceLists) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*sales.PriceList, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []priceListRow
	err = byID(r.db.NewSelect().Model(&rows).Where("pl.tenant_id = ?", n).Conn(r.conn), "pl", w).Scan(ctx)
	return mapped(rows, (*priceListRow).domain), err
}

// PutPrices see [sales.PriceListRepository].
func (r *priceLists) PutPrices(ctx context.Context, tenant kernel.TenantID, id sales.PriceListID, prices ...sales.Price) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	for len(prices) > 0 {
		part := prices[:min(len(prices), t.batch())]
		rows := make([]priceRow, len(part))
		for i, p := range part {
			rows[i] = priceRow{TenantID: n, ListID: id, ProductID: p.Product, FromQuantity: amountOf(p.From), Price: amountOf(p.Price)}
		}
		_, err := t.db.NewInsert().Model(&rows).Conn(t.conn).
			On("CONFLICT (tenant_id, list_id, product_id, from_quantity) DO UPDATE").Set("price = EXCLUDED.price").Returning("NULL").Exec(ctx)
		if err != nil {
			return err
		}
		prices = prices[len(part):]
	}
	return nil
}

// TakePrices see [sales.PriceListRepository].
func (r *priceLists) TakePrices(ctx context.Context, tenant kernel.TenantID, id sales.PriceListID, of ...sales.ProductID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(of) == 0 {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_prices WHERE tenant_id = ? AND list_id = ? AND product_id IN (?)", n, int64(id), bun.List(of))
	return err
}

// Prices see [sales.PriceListRepository].
func (r *priceLists) Prices(ctx context.Context, tenant kernel.TenantID, id sales.PriceListID, w kernel.Window) ([]sales.Price, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []priceRow
	q := r.ofList(&rows, n, id).Limit(int64(w.Limit) + 1)
	if len(w.After) == 2 {
		q = q.Where("(pp.product_id, pp.from_quantity) > (?, ?)", w.After[0], amountOf(decimal.New(w.After[1], -4)))
	}
	err = q.Scan(ctx)
	return mapped(rows, (*priceRow).domain), err
}

// PricesOf see [sales.PriceListRepository].
func (r *priceLists) PricesOf(ctx context.Context, tenant kernel.TenantID, id sales.PriceListID, of ...sales.ProductID) ([]sales.Price, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(of) == 0 {
		return nil, err
	}
	var rows []priceRow
	err = oneOf(r.ofList(&rows, n, id), "pp.product_id", of).Scan(ctx)
	return mapped(rows, (*priceRow).domain), err
}

func (r *priceLists) ofList(rows *[]priceRow, n int64, id sales.PriceListID) *bun.SelectQuery {
	return r.db.NewSelect().Model(rows).Where("pp.tenant_id = ?", n).Where("pp.list_id = ?", id).Order("pp.product_id", "pp.from_quantity").Conn(r.conn)
}

func (r *priceRow) domain() sales.Price {
	return sales.Price{Product: r.ProductID, From: r.FromQuantity.Decimal, Price: r.Price.Decimal}
}

// Currency see [sales.PriceListRepository].
func (r *priceLists) Currency(ctx context.Context, tenant kernel.TenantID) (currency string, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return "", err
	}
	err = t.raw("SELECT currency FROM crm_tenants WHERE id = ?", n).Scan(ctx, &currency)
	return currency, err
}
