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
	sc, f = narrowed(sc, f)
	if parts, rest := t.branches(sc, f); len(parts) > 0 && len(parts) <= t.mostBranches() {
		all := append(t.conditions(n, kernel.Scope{All: true}, rest), beyond(f, w, t.unseen("bigint"))...)
		all[0].text = "t.tenant_id = " + t.unseen("bigint")
		return t.page(ctx, parts, all, f.Newest, w.Limit+1)
	}
	var rows []customerRow
	q := filtered(t.db.NewSelect().Model(&rows), append(t.conditions(n, sc, f), beyond(f, w, "?")...)).Limit(int64(w.Limit) + 1)
	if f.Newest {
		q = q.Order("t.id DESC")
	} else {
		q = q.Order("t.id")
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toCustomers(rows), err
}

// beyond is what comes after the last one seen; id is how its id is written.
func beyond(f customer.Filter, w kernel.Window, id string) []where {
	switch {
	case len(w.After) == 0:
		return nil
	case f.Newest:
		return []where{{"t.id < " + id, []any{w.After[0]}}}
	}
	return []where{{"t.id > " + id, []any{w.After[0]}}}
}

// Count see [customer.Repository].
func (c *customers) Count(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f customer.Filter, limit int) (int, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	sc, f = narrowed(sc, f)
	var count int
	found := filtered(t.db.NewSelect().Model((*customerRow)(nil)).ColumnExpr("1"), t.conditions(n, sc, f)).Limit(int64(limit))
	err = t.db.NewSelect().TableExpr("(?) AS found", found).ColumnExpr("count(*)").Conn(t.conn).Scan(ctx, &count)
	return count, err
}

// filtered adds conditions with their values written into the text: the engine plans each by its values.
func filtered(q *bun.SelectQuery, conditions []where) *bun.SelectQuery {
	for _, c := range conditions {
		q = q.Where(c.text, c.args...)
	}
	return q
}

// conditions are tenant, which is the first, scope, life and those of a filter.
func (t *tx) conditions(n int64, sc kernel.Scope, f customer.Filter) []where {
	text, args := scopeSQL(sc)
	all := []where{{"t.tenant_id = ?", []any{n}}, {text, args}}
	if f.Deleted {
		all = append(all, where{"t.deleted_at IS NOT NULL", nil})
	} else {
		all = append(all, where{"t.deleted_at IS NULL", nil})
	}
	if f.InPool {
		all = append(all, where{"t.owner_id IS NULL", nil})
	}
	if !f.CreatedFrom.IsZero() {
		all = append(all, where{"t.created_at >= ?", []any{moment(f.CreatedFrom)}})
	}
	if !f.CreatedTo.IsZero() {
		all = append(all, where{"t.created_at < ?", []any{moment(f.CreatedTo)}})
	}
	all = among(all, "t.owner_id", f.Owners)
	all = among(all, "t.pool_id", f.Pools)
	all = among(all, "t.level", f.Levels)
	all = among(all, "t.standing", f.Standings)
	all = among(all, "t.stage", f.Stages)
	all = among(all, "t.type", f.Types)
	all = among(all, "t.industry", f.Industries)
	all = among(all, "t.source", f.Sources)
	all = among(all, "t.brand", f.Brands)
	all = among(all, "t.service_agent", f.Agents)
	if len(f.Regions) > 0 {
		text, args := regionsSQL(f.Regions)
		all = append(all, where{text, args})
	}
	return t.tagged(all, f)
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

func (t *tx) tagged(all []where, f customer.Filter) []where {
	carries := `EXISTS (SELECT 1 FROM ` + string(t.table("customer_tags")) + ` AS ct
		JOIN ` + string(t.table("tags")) + ` AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id
		WHERE ct.tenant_id = t.tenant_id AND ct.customer_id = t.id AND g.deleted_at IS NULL AND g.name IN (?))`
	if len(f.TagsAny) > 0 {
		all = append(all, where{carries, []any{manyOf(f.TagsAny)}})
	}
	for _, tag := range f.TagsAll {
		all = append(all, where{carries, []any{many{tag}}})
	}
	return all
}

// among is oneOf as a condition.
func among[T any](all []where, column string, values []T) []where {
	switch len(values) {
	case 0:
		return all
	case 1:
		return append(all, where{column + " = ?", []any{values[0]}})
	}
	return append(all, where{column + " IN (?)", []any{manyOf(values)}})
}
