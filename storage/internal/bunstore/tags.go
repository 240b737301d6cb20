package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// tags is the repository of tags. A deleted tag stays on its customers' rows, however many these are: every question about
// who carries what goes through the tags that live.
type tags tx

func tagRowOf(tenant int64, x *customer.Tag) tagRow {
	return tagRow{TenantID: tenant, Tag: *x, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt)}
}

func (r *tagRow) domain() *customer.Tag {
	x := r.Tag
	x.CreatedAt, x.UpdatedAt, x.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &x
}

func toTags(rows []tagRow) []*customer.Tag {
	all := make([]*customer.Tag, len(rows))
	for i := range rows {
		all[i] = rows[i].domain()
	}
	return all
}

// Insert see [customer.TagRepository].
func (c *tags) Insert(ctx context.Context, tenant kernel.TenantID, xs ...*customer.Tag) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(xs))
	if err != nil {
		return nil, err
	}
	rows := make([]tagRow, len(xs))
	for i, x := range xs {
		x.ID = customer.TagID(ids[i])
		rows[i] = tagRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	var taken []customer.Taken
	for i, id := range ids {
		if !written[id] {
			taken = append(taken, customer.Taken{Index: i, Field: "name"})
		}
	}
	return taken, nil
}

// alive is a query on the tenant's tags.
func (c *tags) alive(rows *[]tagRow, n int64) *bun.SelectQuery {
	return c.db.NewSelect().Model(rows).Where("g.tenant_id = ?", n).Where("g.deleted_at IS NULL").Conn(c.conn)
}

// Lock see [customer.TagRepository]. SQLite has locked the whole database.
func (c *tags) Lock(ctx context.Context, tenant kernel.TenantID, ids ...customer.TagID) ([]*customer.Tag, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []tagRow
	q := c.alive(&rows, n).Where("g.id IN (?)", bun.List(ids)).Order("g.id")
	if t.pg {
		q = q.For("NO KEY UPDATE") // customers may go on taking the tag meanwhile
	}
	err = q.Scan(ctx)
	return toTags(rows), err
}

// ByName see [customer.TagRepository].
func (c *tags) ByName(ctx context.Context, tenant kernel.TenantID, names ...string) ([]*customer.Tag, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var rows []tagRow
	err = c.alive(&rows, n).Where("g.name IN (?)", bun.List(names)).Order("g.name").Scan(ctx)
	return toTags(rows), err
}

// Update see [customer.TagRepository]. The look before it spares nearly all conflicts an SQL error; of two that take one
// name at the same time, the unique index refuses the second.
func (c *tags) Update(ctx context.Context, tenant kernel.TenantID, xs ...*customer.Tag) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	rows := make([]tagRow, len(xs))
	names, ids := make([]string, len(xs)), make([]customer.TagID, len(xs))
	for i, x := range xs {
		rows[i], names[i], ids[i] = tagRowOf(n, x), x.Name, x.ID
	}
	var others []tagRow
	err = c.alive(&others, n).Where("g.name IN (?)", bun.List(names)).Where("g.id NOT IN (?)", bun.List(ids)).Scan(ctx)
	if err != nil {
		return nil, err
	}
	var taken []customer.Taken
	for i, x := range xs {
		if x.DeletedAt.IsZero() && slices.ContainsFunc(others, func(o tagRow) bool { return o.Name == x.Name }) {
			taken = append(taken, customer.Taken{Index: i, Field: "name"})
		}
	}
	return taken, put(ctx, t, free(rows, taken))
}

// List see [customer.TagRepository].
func (c *tags) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*customer.Tag, error) {
	n, err := (*tx)(c).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []tagRow
	err = byID(c.alive(&rows, n), "g", w).Scan(ctx)
	return toTags(rows), err
}

// Of see [customer.TagRepository].
func (c *tags) Of(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...customer.ID) (map[customer.ID][]customer.Tag, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []struct {
		OfID customer.ID
		tagRow
	}
	q := t.ofCustomers(t.db.NewSelect().Model((*customerTagRow)(nil)).ColumnExpr("ct.customer_id AS of_id, "+t.columnsOf((*tagRow)(nil), "g.")), "ct", n, sc).
		Join("JOIN ? AS g ON g.tenant_id = ct.tenant_id AND g.id = ct.tag_id", t.table("tags")).Where("g.deleted_at IS NULL")
	if err := q.Where("ct.customer_id IN (?)", bun.List(ids)).Order("g.name").Conn(t.conn).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	of := make(map[customer.ID][]customer.Tag, len(ids))
	for i := range rows {
		of[rows[i].OfID] = append(of[rows[i].OfID], *rows[i].domain())
	}
	return of, nil
}

// Put see [customer.TagRepository].
func (c *tags) Put(ctx context.Context, tenant kernel.TenantID, tagIDs []customer.TagID, ids ...customer.ID) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 || len(tagIDs) == 0 {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO crm_customer_tags (tenant_id, customer_id, tag_id)
		SELECT t.tenant_id, t.id, g.id FROM crm_customers t JOIN crm_tags g ON g.tenant_id = t.tenant_id
		WHERE t.tenant_id = ? AND t.id IN (?) AND g.id IN (?) ON CONFLICT DO NOTHING`, n, bun.List(ids), bun.List(tagIDs))
	return err
}

// Take see [customer.TagRepository].
func (c *tags) Take(ctx context.Context, tenant kernel.TenantID, tagIDs []customer.TagID, ids ...customer.ID) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 || len(tagIDs) == 0 {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_customer_tags WHERE tenant_id = ? AND customer_id IN (?) AND tag_id IN (?)",
		n, bun.List(ids), bun.List(tagIDs))
	return err
}
