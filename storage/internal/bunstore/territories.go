package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// territories is the territories of one kind.
type territories struct {
	*tx
	kind pool.Kind
}

func territoryRowOf(n int64, kind pool.Kind, x *pool.Territory) territoryRow {
	return territoryRow{
		TenantID: n, ID: x.ID, Kind: kind, Name: x.Name, Regions: x.Regions, Industries: x.Industries, VIP: x.VIP,
		DepartmentID: nullID(x.Department), Members: x.Members, Priority: x.Priority, Enabled: x.Enabled,
		Version: x.Version, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt),
	}
}

func (r *territoryRow) domain() *pool.Territory {
	return &pool.Territory{
		ID: r.ID, Name: r.Name, Regions: r.Regions, Industries: r.Industries, VIP: r.VIP,
		Department: team.DepartmentID(r.DepartmentID), Members: r.Members, Priority: r.Priority, Enabled: r.Enabled,
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

// Put see [pool.TerritoryRepository]. The look before it spares a name that is taken an SQL error; under the lock of the
// default pool nobody comes in between.
func (r *territories) Put(ctx context.Context, tenant kernel.TenantID, x *pool.Territory) (bool, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	taken, err := r.db.NewSelect().Model((*territoryRow)(nil)).Where("v.tenant_id = ?", n).Where("v.kind = ?", r.kind).
		Where("v.name = ?", x.Name).Where("v.id <> ?", x.ID).Conn(r.conn).Exists(ctx)
	if err != nil || taken {
		return false, err
	}
	if x.ID == 0 {
		ids, err := r.newIDs(ctx, 1)
		if err != nil {
			return false, err
		}
		x.ID = pool.TerritoryID(ids[0])
	}
	return true, put(ctx, r.tx, []territoryRow{territoryRowOf(n, r.kind, x)})
}

// Get see [pool.TerritoryRepository].
func (r *territories) Get(ctx context.Context, tenant kernel.TenantID, id pool.TerritoryID) (*pool.Territory, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	found, err := r.scan(ctx, r.db.NewSelect().Where("v.tenant_id = ?", n).Where("v.kind = ?", r.kind).Where("v.id = ?", id))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (r *territories) scan(ctx context.Context, q *bun.SelectQuery) ([]*pool.Territory, error) {
	var rows []territoryRow
	if err := q.Model(&rows).Order("v.id").Conn(r.conn).Scan(ctx); err != nil {
		return nil, err
	}
	all := make([]*pool.Territory, len(rows))
	for i := range rows {
		all[i] = rows[i].domain()
	}
	return all, nil
}

// List see [pool.TerritoryRepository].
func (r *territories) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*pool.Territory, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	q := r.db.NewSelect().Where("v.tenant_id = ?", n).Where("v.kind = ?", r.kind).Limit(int64(w.Limit) + 1)
	if len(w.After) > 0 {
		q = q.Where("v.id > ?", w.After[0])
	}
	return r.scan(ctx, q)
}

// Delete see [pool.TerritoryRepository].
func (r *territories) Delete(ctx context.Context, tenant kernel.TenantID, id pool.TerritoryID) error {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	_, err = r.exec(ctx, "DELETE FROM crm_territories WHERE tenant_id = ? AND kind = ? AND id = ?", n, string(r.kind), int64(id))
	return err
}

// Staff see [pool.TerritoryRepository]. CROSS JOIN: see grantee.go.
func (r *territories) Staff(
	ctx context.Context, tenant kernel.TenantID, departments []team.DepartmentID, users []kernel.UserID,
) (staff pool.Staff, err error) {
	staff = pool.Staff{Of: map[team.DepartmentID][]kernel.UserID{}, Active: map[kernel.UserID]bool{}}
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return staff, err
	}
	var rows []struct {
		DepartmentID team.DepartmentID
		UserID       kernel.UserID
	}
	err = r.raw(`SELECT 0 AS department_id, m.user_id FROM crm_members m WHERE m.tenant_id = ?0 AND m.user_id IN (?1) AND m.inactive_since IS NULL
		UNION ALL SELECT b.ancestor_id, m.user_id FROM crm_department_tree b CROSS JOIN crm_members m
			WHERE b.tenant_id = ?0 AND b.ancestor_id IN (?2) AND m.tenant_id = ?0 AND m.department_id = b.department_id AND m.inactive_since IS NULL`,
		n, bun.List(users), bun.List(departments)).Scan(ctx, &rows)
	for _, x := range rows {
		if staff.Active[x.UserID] = true; x.DepartmentID != 0 {
			staff.Of[x.DepartmentID] = append(staff.Of[x.DepartmentID], x.UserID)
		}
	}
	return staff, err
}

// Belonging see [pool.TerritoryRepository].
func (r *territories) Belonging(
	ctx context.Context, tenant kernel.TenantID, pools []pool.ID, users []kernel.UserID,
) (map[pool.ID]map[kernel.UserID]bool, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(pools) == 0 || len(users) == 0 {
		return nil, err
	}
	var rows []struct {
		ID     pool.ID
		UserID kernel.UserID
	}
	err = r.raw(`SELECT p.id, m.user_id FROM crm_pools p CROSS JOIN crm_members m WHERE p.tenant_id = ?tenant AND p.kind = ?kind AND p.id IN (?pools)
			AND m.tenant_id = ?tenant AND m.user_id IN (?users) AND m.inactive_since IS NULL AND `+belongsSQL,
		binds{"tenant": n, "kind": r.kind, "pools": bun.List(pools), "users": bun.List(users)}).Scan(ctx, &rows)
	belonging := map[pool.ID]map[kernel.UserID]bool{}
	for _, x := range rows {
		if belonging[x.ID] == nil {
			belonging[x.ID] = map[kernel.UserID]bool{}
		}
		belonging[x.ID][x.UserID] = true
	}
	return belonging, err
}

// InPool see [pool.Repository].
func (r *records) InPool(ctx context.Context, tenant kernel.TenantID, home pool.ID, after int64, atMost int) (ids []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	err = r.raw("SELECT id FROM "+r.table+" WHERE tenant_id = ? AND pool_id = ? AND owner_id IS NULL AND deleted_at IS NULL AND id > ? ORDER BY id LIMIT ?",
		n, int64(home), after, atMost).Scan(ctx, &ids)
	return ids, err
}

// Give see [pool.Repository]. Each new owner comes from a list of values, so that many owners are one statement.
func (r *records) Give(ctx context.Context, g pool.Giving) error {
	n, err := r.tenant(ctx, g.By.Tenant)
	if err != nil || len(g.Gifts) == 0 {
		return err
	}
	places, values := map[kernel.UserID]int{}, make(tuples, len(g.Gifts))
	for i, x := range g.Gifts {
		values[i] = tuple{x.Record.ID, x.To}
		n := places[x.To]
		if x.Record.TakesPlace {
			n++
		}
		places[x.To] = n // also 0: it got something
	}
	if err := r.countGifts(ctx, n, g, places); err != nil {
		return err
	}
	for part := range slices.Chunk(values, r.batch()) {
		if _, err := r.exec(ctx, `WITH v (id, owner) AS (VALUES ?values)
			UPDATE `+r.table+` AS t SET owner_id = v.owner, owned_since = ?now, pool_entered_at = NULL, first_followup_at = NULL, last_followup_at = NULL,
				version = t.version + 1, seq = t.seq + 1, updated_at = ?now, updated_by = ?by
			FROM v WHERE t.tenant_id = ?tenant AND t.id = v.id`,
			binds{"values": part, "now": moment(g.Now), "by": g.By.User, "tenant": n}); err != nil {
			return err
		}
	}
	return r.tellGifts(ctx, g)
}

// countGifts takes the places, and notes when the members got something. A process whose clock is behind does not turn
// that back.
func (r *records) countGifts(ctx context.Context, n int64, g pool.Giving, places map[kernel.UserID]int) error {
	users := make([]kernel.UserID, 0, len(places))
	for user := range places {
		users = append(users, user)
	}
	if err := (&counters{r.tx, string(r.kind)}).AddPlaces(ctx, g.By.Tenant, places); err != nil {
		return err
	}
	_, err := r.exec(ctx, `UPDATE crm_counters SET assigned_at = CASE WHEN assigned_at > ?now THEN assigned_at ELSE ?now END
		WHERE tenant_id = ?tenant AND kind = ?kind AND user_id IN (?users)`,
		binds{"now": moment(g.Now), "tenant": n, "kind": r.kind, "users": bun.List(users)})
	return err
}

func (r *records) tellGifts(ctx context.Context, g pool.Giving) error {
	ops := make([]customer.Operation, len(g.Gifts))
	changes := make([]kernel.Change, len(g.Gifts))
	reason, _ := g.By.System()
	for i, x := range g.Gifts {
		ops[i] = customer.Operation{
			RecordID: x.Record.ID, Action: customer.Assigned, Actor: g.By.User, To: x.To, PoolID: x.Record.PoolID, Reason: reason,
			RuleID: int64(x.Territory), Rule: x.Rule, Request: g.By.Request, At: g.Now,
		}
		ref := kernel.Ref{Kind: string(r.kind), ID: x.Record.ID}
		changes[i] = kernel.Change{
			Subject: ref, Seq: x.Record.Seq + 1, Ref: ref, Type: string(r.kind) + pastOf(customer.Assigned),
			Before: map[string]any{"owner_id": ""},
			After:  map[string]any{"owner_id": x.To, "territory": x.Territory, "rule": x.Rule},
		}
	}
	if err := (&operations{r.tx, string(r.kind)}).Append(ctx, g.By.Tenant, ops...); err != nil {
		return err
	}
	return r.Journal().Record(ctx, g.By, g.Now, changes...)
}
