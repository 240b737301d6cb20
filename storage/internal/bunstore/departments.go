package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

type departments tx

func departmentRowOf(tenant int64, d *team.Department) departmentRow {
	return departmentRow{
		TenantID: tenant, ID: d.ID, Key: nullText(d.Key), Name: d.Name, ParentID: nullID(d.Parent), Head: nullText(d.Head), Sort: d.Sort,
		Version: d.Version, CreatedAt: moment(d.CreatedAt), UpdatedAt: moment(d.UpdatedAt),
	}
}

func (r *departmentRow) domain() *team.Department {
	return &team.Department{
		ID: r.ID, Key: string(r.Key), Name: r.Name, Parent: team.DepartmentID(r.ParentID), Head: kernel.UserID(r.Head), Sort: r.Sort,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

func toDepartments(rows []departmentRow) []*team.Department {
	ds := make([]*team.Department, len(rows))
	for i := range rows {
		ds[i] = rows[i].domain()
	}
	return ds
}

// Insert see [team.DepartmentRepository].
func (r *departments) Insert(ctx context.Context, tenant kernel.TenantID, ds ...*team.Department) (taken []int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ds) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(ds))
	if err != nil {
		return nil, err
	}
	rows := make([]departmentRow, len(ds))
	for i, d := range ds {
		d.ID = team.DepartmentID(ids[i])
		rows[i] = departmentRowOf(n, d)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if !written[id] {
			taken = append(taken, i)
		}
	}
	return taken, nil
}

// Get see [team.DepartmentRepository].
func (r *departments) Get(ctx context.Context, tenant kernel.TenantID, ids ...team.DepartmentID) ([]*team.Department, error) {
	return departmentsBy(ctx, (*tx)(r), tenant, "d.id", ids)
}

// ByKey see [team.DepartmentRepository].
func (r *departments) ByKey(ctx context.Context, tenant kernel.TenantID, keys ...string) ([]*team.Department, error) {
	return departmentsBy(ctx, (*tx)(r), tenant, "d.key", keys)
}

func departmentsBy[V any](ctx context.Context, t *tx, tenant kernel.TenantID, column string, values []V) ([]*team.Department, error) {
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	var rows []departmentRow
	err = oneOf(t.db.NewSelect().Model(&rows).Where("d.tenant_id = ?", n), column, values).Order("d.id").Conn(t.conn).Scan(ctx)
	return toDepartments(rows), err
}

// Update see [team.DepartmentRepository]. The look before it spares a key that is taken an SQL error; under the tenant's
// lock nobody comes in between.
func (r *departments) Update(ctx context.Context, tenant kernel.TenantID, ds ...*team.Department) (taken []int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ds) == 0 {
		return nil, err
	}
	var keys []string
	for _, d := range ds {
		if d.Key != "" {
			keys = append(keys, d.Key)
		}
	}
	found, err := r.ByKey(ctx, tenant, keys...)
	if err != nil {
		return nil, err
	}
	has := make(map[string]team.DepartmentID, len(found))
	for _, d := range found {
		has[d.Key] = d.ID
	}
	var rows []departmentRow
	for i, d := range ds {
		if id, ok := has[d.Key]; ok && id != d.ID {
			taken = append(taken, i)
			continue
		}
		rows = append(rows, departmentRowOf(n, d))
	}
	return taken, put(ctx, t, rows)
}

// Delete see [team.DepartmentRepository].
func (r *departments) Delete(ctx context.Context, tenant kernel.TenantID, ids ...team.DepartmentID) (used []team.DepartmentID, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var gone []team.DepartmentID
	err = t.raw(`DELETE FROM crm_departments AS d WHERE d.tenant_id = ?0 AND d.id IN (?1)
			AND NOT EXISTS (SELECT 1 FROM crm_members m WHERE m.tenant_id = ?0 AND m.department_id = d.id)
			AND NOT EXISTS (SELECT 1 FROM crm_departments c WHERE c.tenant_id = ?0 AND c.parent_id = d.id)
			AND NOT EXISTS (SELECT 1 FROM crm_pool_members b WHERE b.tenant_id = ?0 AND b.department_id = d.id AND b.department_id <> 0)
			AND NOT EXISTS (SELECT 1 FROM crm_territories v WHERE v.tenant_id = ?0 AND v.department_id = d.id)
		RETURNING id`, n, bun.List(ids)).Scan(ctx, &gone)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id team.DepartmentID) bool { return slices.Contains(gone, id) }), nil
}

// Rebuild see [team.DepartmentRepository]. It writes only what differs: one department more or less must not rewrite the
// tree of ten thousand.
func (r *departments) Rebuild(ctx context.Context, tenant kernel.TenantID) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if err := t.checkTree(ctx, n); err != nil {
		return err
	}
	// Nobody is its own ancestor any more, so climbing ends.
	const above = `WITH RECURSIVE up (department_id, ancestor_id, depth) AS (
		SELECT id, id, 0 FROM crm_departments WHERE tenant_id = ?0
		UNION ALL
		SELECT up.department_id, d.parent_id, up.depth + 1 FROM up CROSS JOIN crm_departments d
		WHERE d.tenant_id = ?0 AND d.id = up.ancestor_id AND d.parent_id IS NOT NULL) `
	if _, err := t.exec(ctx, above+`DELETE FROM crm_department_tree WHERE tenant_id = ?0
		AND (department_id, ancestor_id, depth) NOT IN (SELECT department_id, ancestor_id, depth FROM up)`, n); err != nil {
		return err
	}
	_, err = t.exec(ctx, above+`INSERT INTO crm_department_tree (tenant_id, department_id, ancestor_id, depth)
		SELECT ?0, department_id, ancestor_id, depth FROM up WHERE true ON CONFLICT DO NOTHING`, n)
	return err
}

// checkTree climbs down from the roots: what it does not come by hangs on a circle. (CROSS JOIN: see grantee.go.)
func (t *tx) checkTree(ctx context.Context, n int64) error {
	var tree struct {
		Total, Reached, Depth int
	}
	err := t.raw(`WITH RECURSIVE down (id, depth) AS (
			SELECT id, 0 FROM crm_departments WHERE tenant_id = ?0 AND parent_id IS NULL
			UNION ALL
			SELECT d.id, down.depth + 1 FROM down CROSS JOIN crm_departments d WHERE d.tenant_id = ?0 AND d.parent_id = down.id)
		SELECT (SELECT count(*) FROM crm_departments WHERE tenant_id = ?0) AS total, count(*) AS reached, coalesce(max(depth), 0) AS depth FROM down`,
		n).Scan(ctx, &tree)
	switch {
	case err != nil:
		return err
	case tree.Reached < tree.Total:
		return kernel.Invalidf("parent", kernel.Cycle, "a department cannot be below itself")
	case tree.Depth > team.MaxDepth:
		return kernel.Invalidf("parent", kernel.TooMany, "at most %d departments above another", team.MaxDepth)
	}
	return nil
}

// List see [team.DepartmentRepository].
func (r *departments) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*team.Department, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []departmentRow
	q := t.db.NewSelect().Model(&rows).Where("d.tenant_id = ?", n).Order("d.id").Limit(int64(w.Limit) + 1).Conn(t.conn)
	if len(w.After) > 0 {
		q = q.Where("d.id > ?", w.After[0])
	}
	err = q.Scan(ctx)
	return toDepartments(rows), err
}
