package bunstore

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// List see [customer.Repository].
func (c *customers) List(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f customer.Filter, w kernel.Window) ([]*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []customerRow
	q := t.filtered(t.db.NewSelect().Model(&rows), n, sc, f).Limit(int64(w.Limit) + 1)
	if f.Newest {
		q = q.Order("t.id DESC")
	} else {
		q = q.Order("t.id")
	}
	switch {
	case len(w.After) == 0:
	case f.Newest:
		q = q.Where("t.id < ?", w.After[0])
	default:
		q = q.Where("t.id > ?", w.After[0])
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toCustomers(rows), err
}

// Count see [customer.Repository].
func (c *customers) Count(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f customer.Filter, limit int) (int, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	var count int
	found := t.filtered(t.db.NewSelect().Model((*customerRow)(nil)).ColumnExpr("1"), n, sc, f).Limit(int64(limit))
	err = t.db.NewSelect().TableExpr("(?) AS found", found).ColumnExpr("count(*)").Conn(t.conn).Scan(ctx, &count)
	return count, err
}

// filtered adds tenant, scope, life and the conditions of a filter.
func (t *tx) filtered(q *bun.SelectQuery, n int64, sc kernel.Scope, f customer.Filter) *bun.SelectQuery {
	sc, f = narrowed(sc, f)
	text, args := scopeSQL(sc)
	q = q.Where("t.tenant_id = ?", n).Where(text, args...)
	if f.Deleted {
		q = q.Where("t.deleted_at IS NOT NULL")
	} else {
		q = q.Where("t.deleted_at IS NULL")
	}
	if f.InPool {
		q = q.Where("t.owner_id IS NULL")
	}
	if !f.CreatedFrom.IsZero() {
		q = q.Where("t.created_at >= ?", moment(f.CreatedFrom))
	}
	if !f.CreatedTo.IsZero() {
		q = q.Where("t.created_at < ?", moment(f.CreatedTo))
	}
	q = oneOf(q, "t.owner_id", f.Owners)
	q = oneOf(q, "t.pool_id", f.Pools)
	q = oneOf(q, "t.level", f.Levels)
	q = oneOf(q, "t.standing", f.Standings)
	q = oneOf(q, "t.stage", f.Stages)
	q = oneOf(q, "t.type", f.Types)
	q = oneOf(q, "t.industry", f.Industries)
	q = oneOf(q, "t.source", f.Sources)
	q = oneOf(q, "t.brand", f.Brands)
	q = oneOf(q, "t.service_agent", f.Agents)
	if len(f.Regions) > 0 {
		text, args := regionsSQL(f.Regions)
		q = q.Where(text, args...)
	}
	return t.tagged(q, f)
}

// narrowed takes from a scope what the filter leaves nothing of: "mine or in my pools" with "mine" is "mine". An OR over
// two columns is walked on neither of their indexes in the order of ids; an equality is.
func narrowed(sc kernel.Scope, f customer.Filter) (kernel.Scope, customer.Filter) {
	if sc.All || len(sc.Regions) > 0 {
		return sc, f
	}
	switch {
	case f.InPool && len(f.Owners) == 0:
		pools := make([]customer.PoolID, 0, len(sc.Pools))
		for _, id := range sc.Pools {
			if pool := customer.PoolID(id); len(f.Pools) == 0 || slices.Contains(f.Pools, pool) {
				pools = append(pools, pool)
			}
		}
		f.Pools = pools
	case !f.InPool && len(f.Owners) > 0:
		f.Owners = slices.DeleteFunc(slices.Clone(f.Owners), func(u kernel.UserID) bool { return !slices.Contains(sc.Owners, u) })
	default:
		return sc, f
	}
	return kernel.Scope{All: len(f.Pools) > 0 && f.InPool || len(f.Owners) > 0}, f
}

// oneOf is no condition for an empty list. One value is an equality: an index in the order of ids then serves the page.
func oneOf[T any](q *bun.SelectQuery, column string, values []T) *bun.SelectQuery {
	switch len(values) {
	case 0:
		return q
	case 1:
		return q.Where("? = ?", bun.Ident(column), values[0])
	}
	return q.Where("? IN (?)", bun.Ident(column), bun.List(values))
}

// regionsSQL matches by the digits that a code begins with; a colon follows the digits in every character set.
func regionsSQL(prefixes []string) (text string, args []any) {
	text = "1 = 0"
	for _, prefix := range prefixes {
		text, args = text+" OR (t.region >= ? AND t.region < ?)", append(args, prefix, prefix+":")
	}
	return text, args
}

func (t *tx) tagged(q *bun.SelectQuery, f customer.Filter) *bun.SelectQuery {
	const carries = `EXISTS (SELECT 1 FROM ? AS ct JOIN ? AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id
		WHERE ct.tenant_id = t.tenant_id AND ct.customer_id = t.id AND g.deleted_at IS NULL AND g.name IN (?))`
	if len(f.TagsAny) > 0 {
		q = q.Where(carries, t.table("customer_tags"), t.table("tags"), bun.List(f.TagsAny))
	}
	for _, tag := range f.TagsAll {
		q = q.Where(carries, t.table("customer_tags"), t.table("tags"), bun.List([]string{tag}))
	}
	return q
}
