package bunstore

import (
	"context"
	"slices"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type products tx

// Insert see [sales.ProductRepository]. The code of a product that is given none is made from its id; where somebody has
// typed that code by hand, it is taken.
func (r *products) Insert(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Product) ([]sales.Taken, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(xs))
	if err != nil {
		return nil, err
	}
	rows := make([]productRow, len(xs))
	for i, x := range xs {
		x.ID = sales.ProductID(ids[i])
		if x.Code == "" {
			x.Code = "P" + strconv.FormatInt(ids[i], 10)
		}
		rows[i] = productRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil || len(written) == len(xs) {
		return nil, err
	}
	var lost []int
	for i, id := range ids {
		if !written[id] {
			lost = append(lost, i)
		}
	}
	return r.whose(ctx, n, xs, lost)
}

// whose finds out which unique value each of the products shares with one that is there.
func (r *products) whose(ctx context.Context, n int64, xs []*sales.Product, at []int) ([]sales.Taken, error) {
	codes, keys := make([]string, len(at)), make([]string, len(at))
	for k, i := range at {
		codes[k], keys[k] = xs[i].Code, xs[i].ExternalID
	}
	var rows []productRow
	err := r.alive(&rows, n).Where("pr.code IN (?0) OR pr.external_id IN (?1)", bun.List(codes), bun.List(keys)).Scan(ctx)
	if err != nil {
		return nil, err
	}
	var taken []sales.Taken
	for _, i := range at {
		x, field := xs[i], "code"
		for _, other := range rows {
			if other.ID != x.ID && x.ExternalID != "" && string(other.ExternalID) == x.ExternalID && string(other.ExternalSystem) == x.ExternalSystem {
				field = "external_id"
			}
		}
		taken = append(taken, sales.Taken{Index: i, Field: field})
	}
	return taken, nil
}

// alive is a query on the tenant's products.
func (r *products) alive(rows *[]productRow, n int64) *bun.SelectQuery {
	return r.db.NewSelect().Model(rows).Where("pr.tenant_id = ?", n).Where("pr.deleted_at IS NULL").Conn(r.conn)
}

// Get see [sales.ProductRepository].
func (r *products) Get(ctx context.Context, tenant kernel.TenantID, deleted bool, ids ...sales.ProductID) ([]*sales.Product, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []productRow
	q := r.db.NewSelect().Model(&rows).Where("pr.tenant_id = ?", n)
	if !deleted {
		q = q.Where("pr.deleted_at IS NULL")
	}
	err = oneOf(q, "pr.id", ids).Order("pr.id").Conn(r.conn).Scan(ctx)
	return mapped(rows, (*productRow).domain), err
}

// Lock see [sales.ProductRepository]. SQLite has locked the whole database.
func (r *products) Lock(ctx context.Context, tenant kernel.TenantID, ids ...sales.ProductID) ([]*sales.Product, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []productRow
	return r.locked(ctx, &rows, oneOf(r.alive(&rows, n), "pr.id", ids))
}

// LockByKey see [sales.ProductRepository].
func (r *products) LockByKey(ctx context.Context, tenant kernel.TenantID, system string, externalIDs ...string) ([]*sales.Product, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil || len(externalIDs) == 0 {
		return nil, err
	}
	var rows []productRow
	return r.locked(ctx, &rows, oneOf(r.alive(&rows, n).Where("pr.external_system = ?", system), "pr.external_id", externalIDs))
}

func (r *products) locked(ctx context.Context, rows *[]productRow, q *bun.SelectQuery) ([]*sales.Product, error) {
	q = q.Order("pr.id")
	if r.pg {
		q = q.For("NO KEY UPDATE") // documents may go on naming the product meanwhile
	}
	err := q.Scan(ctx)
	return mapped(*rows, (*productRow).domain), err
}

// Update see [sales.ProductRepository]. The look before it spares nearly all conflicts an SQL error; of two that take one
// value at the same time, the unique index refuses the second.
func (r *products) Update(ctx context.Context, tenant kernel.TenantID, xs ...*sales.Product) ([]sales.Taken, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	rows, codes, keys := make([]productRow, len(xs)), make([]string, len(xs)), make([]string, len(xs))
	for i, x := range xs {
		rows[i], codes[i], keys[i] = productRowOf(n, x), x.Code, x.ExternalID
	}
	var others []productRow
	err = r.alive(&others, n).Where("pr.code IN (?0) OR pr.external_id IN (?1)", bun.List(codes), bun.List(keys)).Scan(ctx)
	if err != nil {
		return nil, err
	}
	byCode, byKey := map[string]sales.ProductID{}, map[[2]string]sales.ProductID{}
	for _, o := range others {
		byCode[o.Code] = o.ID
		if o.ExternalID != "" {
			byKey[[2]string{string(o.ExternalSystem), string(o.ExternalID)}] = o.ID
		}
	}
	var taken []sales.Taken
	for i, x := range xs {
		if !x.DeletedAt.IsZero() {
			continue
		}
		if id, ok := byCode[x.Code]; ok && id != x.ID {
			taken = append(taken, sales.Taken{Index: i, Field: "code"})
		} else if id, ok := byKey[[2]string{x.ExternalSystem, x.ExternalID}]; ok && id != x.ID {
			taken = append(taken, sales.Taken{Index: i, Field: "external_id"})
		}
	}
	var rest []productRow
	for i, row := range rows {
		if !slices.ContainsFunc(taken, func(k sales.Taken) bool { return k.Index == i }) {
			rest = append(rest, row)
		}
	}
	return taken, put(ctx, t, rest)
}

// List see [sales.ProductRepository]. Categories are looked up first, with all below them: a few numbers, by which the
// index of the products is read.
func (r *products) List(ctx context.Context, tenant kernel.TenantID, f sales.ProductFilter, w kernel.Window) ([]*sales.Product, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []productRow
	q := oneOf(r.alive(&rows, n), "pr.type", f.Types)
	if f.Active {
		q = q.Where("NOT pr.inactive")
	}
	if len(f.Categories) > 0 {
		q = q.Where(r.eng.Names.SQL(`pr.category_id IN (WITH RECURSIVE down (id) AS (
			SELECT id FROM crm_product_categories WHERE tenant_id = ?0 AND id IN (?1)
			UNION SELECT c.id FROM down CROSS JOIN crm_product_categories c WHERE c.tenant_id = ?0 AND c.parent_id = down.id)
			SELECT id FROM down)`), n, bun.List(f.Categories))
	}
	err = byID(q, "pr", w).Scan(ctx)
	return mapped(rows, (*productRow).domain), err
}

type categories tx

// Insert see [sales.CategoryRepository].
func (r *categories) Insert(ctx context.Context, tenant kernel.TenantID, x *sales.Category) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	ids, err := t.newIDs(ctx, 1)
	if err != nil {
		return false, err
	}
	x.ID = sales.CategoryID(ids[0])
	written, err := insertFree(ctx, t, []categoryRow{categoryRowOf(n, x)})
	return written[ids[0]], err
}

// LockAll see [sales.CategoryRepository].
func (r *categories) LockAll(ctx context.Context, tenant kernel.TenantID) ([]*sales.Category, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []categoryRow
	q := r.db.NewSelect().Model(&rows).Where("pc.tenant_id = ?", n).Order("pc.id").Conn(r.conn)
	if r.pg {
		q = q.For("NO KEY UPDATE")
	}
	err = q.Scan(ctx)
	return mapped(rows, (*categoryRow).domain), err
}

// Count see [sales.CategoryRepository].
func (r *categories) Count(ctx context.Context, tenant kernel.TenantID) (count int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = t.raw("SELECT count(*) FROM crm_product_categories WHERE tenant_id = ?", n).Scan(ctx, &count)
	return count, err
}

// Update see [sales.CategoryRepository]. All categories are locked, so the look before it decides.
func (r *categories) Update(ctx context.Context, tenant kernel.TenantID, x *sales.Category) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	var twins int
	err = t.raw("SELECT count(*) FROM crm_product_categories WHERE tenant_id = ? AND coalesce(parent_id, 0) = ? AND name = ? AND id <> ?",
		n, int64(x.Parent), x.Name, int64(x.ID)).Scan(ctx, &twins)
	if err != nil || twins > 0 {
		return false, err
	}
	return true, put(ctx, t, []categoryRow{categoryRowOf(n, x)})
}

// Delete see [sales.CategoryRepository].
func (r *categories) Delete(ctx context.Context, tenant kernel.TenantID, id sales.CategoryID) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	gone, err := t.exec(ctx, `DELETE FROM crm_product_categories AS x WHERE x.tenant_id = ?0 AND x.id = ?1
		AND NOT EXISTS (SELECT 1 FROM crm_product_categories c WHERE c.tenant_id = ?0 AND c.parent_id = ?1)
		AND NOT EXISTS (SELECT 1 FROM crm_products p WHERE p.tenant_id = ?0 AND p.category_id = ?1)`, n, int64(id))
	return gone == 1, err
}

// List see [sales.CategoryRepository].
func (r *categories) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*sales.Category, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []categoryRow
	err = byID(r.db.NewSelect().Model(&rows).Where("pc.tenant_id = ?", n).Conn(r.conn), "pc", w).Scan(ctx)
	return mapped(rows, (*categoryRow).domain), err
}

// Existing see [sales.CategoryRepository].
func (r *categories) Existing(ctx context.Context, tenant kernel.TenantID, ids ...sales.CategoryID) (found []sales.CategoryID, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	text := "SELECT id FROM crm_product_categories WHERE tenant_id = ? AND id IN (?) ORDER BY id"
	if t.pg {
		text += " FOR KEY SHARE"
	}
	err = t.raw(text, n, bun.List(ids)).Scan(ctx, &found)
	return found, err
}
