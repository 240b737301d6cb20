package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// pools is the pools of one kind.
type pools struct {
	*tx
	kind pool.Kind
}

func poolRowOf(n int64, p *pool.Pool) poolRow {
	return poolRow{
		TenantID: n, ID: p.ID, Kind: p.Kind, Name: p.Name, Description: p.Description, Public: p.Public, IsDefault: p.IsDefault, Priority: p.Priority,
		Protection: p.Protection.Microseconds(), CoolDown: p.CoolDown.Microseconds(), ClaimCondition: p.ClaimCondition,
		Counting: p.Counting, CalendarID: nullID(p.Calendar), AssignNew: p.AssignNew,
		Version: p.Version, CreatedAt: moment(p.CreatedAt), UpdatedAt: moment(p.UpdatedAt),
	}
}

func (r *poolRow) domain() *pool.Pool {
	return &pool.Pool{
		ID: r.ID, Kind: r.Kind, Name: r.Name, Description: r.Description, Public: r.Public, IsDefault: r.IsDefault, Priority: r.Priority,
		Settings: pool.Settings{
			Protection: time.Duration(r.Protection) * time.Microsecond, CoolDown: time.Duration(r.CoolDown) * time.Microsecond,
			ClaimCondition: r.ClaimCondition, Counting: r.Counting, Calendar: team.CalendarID(r.CalendarID), AssignNew: r.AssignNew,
		},
		Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

func ruleRowOf(n int64, r *pool.Rule) ruleRow {
	return ruleRow{TenantID: n, Rule: *r, CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt)}
}

func toRules(rows []ruleRow) []*pool.Rule {
	rules := make([]*pool.Rule, len(rows))
	for i, r := range rows {
		rule := r.Rule
		rule.CreatedAt, rule.UpdatedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt)
		rules[i] = &rule
	}
	return rules
}

// Insert see [pool.PoolRepository].
func (p *pools) Insert(ctx context.Context, tenant kernel.TenantID, x *pool.Pool, rules ...*pool.Rule) (bool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	ids, err := p.newIDs(ctx, 1+len(rules))
	if err != nil {
		return false, err
	}
	x.ID, x.Kind = pool.ID(ids[0]), p.kind
	written, err := insertFree(ctx, p.tx, []poolRow{poolRowOf(n, x)})
	if err != nil || !written[ids[0]] {
		return false, err
	}
	rows := make([]ruleRow, len(rules))
	for i, r := range rules {
		r.ID, r.PoolID = pool.RuleID(ids[i+1]), x.ID
		rows[i] = ruleRowOf(n, r)
	}
	return true, insert(ctx, p.tx, rows)
}

// Get see [pool.PoolRepository].
func (p *pools) Get(ctx context.Context, tenant kernel.TenantID, ids ...pool.ID) ([]*pool.Pool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []poolRow
	if len(ids) == 1 && ids[0] != 0 {
		err = p.query(ctx, "pool.get", named{"tenant": n, "kind": string(p.kind), "id": int64(ids[0])}, &rows)
		return toPools(rows), err
	}
	err = p.db.NewSelect().Model(&rows).Where("p.tenant_id = ?", n).Where("p.kind = ?", p.kind).
		Where("p.id IN (?) OR (p.is_default AND ?)", bun.List(ids), slices.Contains(ids, 0)).Order("p.id").Conn(p.conn).Scan(ctx)
	return toPools(rows), err
}

// getPool is the hot read of one.
func (s *Store) getPool() string {
	return "SELECT " + s.columnsOf((*poolRow)(nil), "p.") + " FROM crm_pools AS p WHERE p.tenant_id = :tenant AND p.kind = :kind AND p.id = :id"
}

func toPools(rows []poolRow) []*pool.Pool {
	all := make([]*pool.Pool, len(rows))
	for i := range rows {
		all[i] = rows[i].domain()
	}
	return all
}

// Lock see [pool.PoolRepository].
func (p *pools) Lock(ctx context.Context, tenant kernel.TenantID, id pool.ID) (*pool.Pool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []poolRow
	q := p.db.NewSelect().Model(&rows).Where("p.tenant_id = ?", n).Where("p.kind = ?", p.kind).Conn(p.conn)
	if id == 0 {
		q = q.Where("p.is_default")
	} else {
		q = q.Where("p.id = ?", id)
	}
	if p.pg {
		q = q.For("UPDATE OF p")
	}
	if err := q.Scan(ctx); err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].domain(), nil
}

// Update see [pool.PoolRepository].
func (p *pools) Update(ctx context.Context, tenant kernel.TenantID, x *pool.Pool) (bool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	taken, err := p.db.NewSelect().Model((*poolRow)(nil)).Where("p.tenant_id = ?", n).Where("p.kind = ?", p.kind).
		Where("p.name = ?", x.Name).Where("p.id <> ?", x.ID).Conn(p.conn).Exists(ctx)
	if err != nil || taken {
		return false, err
	}
	return true, put(ctx, p.tx, []poolRow{poolRowOf(n, x)})
}

// List see [pool.PoolRepository].
func (p *pools) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*pool.Pool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []poolRow
	q := p.db.NewSelect().Model(&rows).Where("p.tenant_id = ?", n).Where("p.kind = ?", p.kind).Order("p.id").Limit(int64(w.Limit) + 1)
	if len(w.After) > 0 {
		q = q.Where("p.id > ?", w.After[0])
	}
	err = q.Conn(p.conn).Scan(ctx)
	return toPools(rows), err
}

const (
	belongsToSQL = `SELECT p.id, (EXISTS (SELECT 1 FROM crm_pool_members b
				WHERE b.tenant_id = p.tenant_id AND b.pool_id = p.id AND b.user_id = m.user_id AND b.admin)
			OR EXISTS (SELECT 1 FROM crm_pool_members b JOIN crm_department_tree a ON a.tenant_id = b.tenant_id AND a.ancestor_id = b.department_id
				WHERE b.tenant_id = p.tenant_id AND b.pool_id = p.id AND a.department_id = m.department_id AND b.admin)) AS admin
		FROM crm_pools p, crm_members m WHERE`
	poolBelongsSQL = belongsToSQL + ` p.tenant_id = :tenant AND p.kind = :kind AND p.id = :id
		AND m.tenant_id = :tenant AND m.user_id = :user AND m.inactive_since IS NULL AND ` + belongsSQL
)

// Belongs see [pool.PoolRepository].
func (p *pools) Belongs(ctx context.Context, tenant kernel.TenantID, user kernel.UserID, ids ...pool.ID) (map[pool.ID]pool.Member, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []struct {
		ID    pool.ID
		Admin bool
	}
	if len(ids) == 1 {
		err = p.query(ctx, "pool.belongs", named{"tenant": n, "kind": string(p.kind), "id": int64(ids[0]), "user": string(user)}, &rows)
	} else {
		err = p.raw(belongsToSQL+` p.tenant_id = ?tenant AND p.kind = ?kind AND p.id IN (?ids)
			AND m.tenant_id = ?tenant AND m.user_id = ?user AND m.inactive_since IS NULL AND `+belongsSQL,
			binds{"tenant": n, "kind": p.kind, "ids": bun.List(ids), "user": user}).Scan(ctx, &rows)
	}
	belongs := make(map[pool.ID]pool.Member, len(rows))
	for _, r := range rows {
		belongs[r.ID] = pool.Member{User: user, Admin: r.Admin}
	}
	return belongs, err
}

// Members see [pool.PoolRepository].
func (p *pools) Members(ctx context.Context, tenant kernel.TenantID, id pool.ID) ([]pool.Member, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []poolMemberRow
	err = p.db.NewSelect().Model(&rows).Where("b.tenant_id = ?", n).Where("b.pool_id = ?", id).Order("b.user_id", "b.department_id").Conn(p.conn).Scan(ctx)
	ms := make([]pool.Member, len(rows))
	for i, r := range rows {
		ms[i] = pool.Member{User: r.UserID, Department: r.DepartmentID, Admin: r.Admin}
	}
	return ms, err
}

// SetMembers see [pool.PoolRepository].
func (p *pools) SetMembers(ctx context.Context, tenant kernel.TenantID, id pool.ID, ms ...pool.Member) error {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if _, err := p.exec(ctx, "DELETE FROM crm_pool_members WHERE tenant_id = ? AND pool_id = ?", n, int64(id)); err != nil {
		return err
	}
	rows := make([]poolMemberRow, len(ms))
	for i, m := range ms {
		rows[i] = poolMemberRow{TenantID: n, PoolID: id, UserID: m.User, DepartmentID: m.Department, Admin: m.Admin}
	}
	return insert(ctx, p.tx, rows)
}

// Rules see [pool.PoolRepository].
func (p *pools) Rules(ctx context.Context, tenant kernel.TenantID, ids ...pool.ID) ([]*pool.Rule, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []ruleRow
	err = p.db.NewSelect().Model(&rows).Where("u.tenant_id = ?", n).Where("u.pool_id IN (?)", bun.List(ids)).
		Order("u.pool_id", "u.priority DESC", "u.created_at", "u.id").Conn(p.conn).Scan(ctx)
	return toRules(rows), err
}

// Rule see [pool.PoolRepository].
func (p *pools) Rule(ctx context.Context, tenant kernel.TenantID, id pool.RuleID) (*pool.Rule, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []ruleRow
	err = p.db.NewSelect().Model(&rows).Where("u.tenant_id = ?", n).Where("u.id = ?", id).Conn(p.conn).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return toRules(rows)[0], nil
}

// PutRule see [pool.PoolRepository].
func (p *pools) PutRule(ctx context.Context, tenant kernel.TenantID, r *pool.Rule) (bool, error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	taken, err := p.db.NewSelect().Model((*ruleRow)(nil)).Where("u.tenant_id = ?", n).Where("u.pool_id = ?", r.PoolID).
		Where("u.name = ?", r.Name).Where("u.id <> ?", r.ID).Conn(p.conn).Exists(ctx)
	if err != nil || taken {
		return false, err
	}
	if r.ID == 0 {
		ids, err := p.newIDs(ctx, 1)
		if err != nil {
			return false, err
		}
		r.ID = pool.RuleID(ids[0])
	}
	return true, put(ctx, p.tx, []ruleRow{ruleRowOf(n, r)})
}

// DeleteRule see [pool.PoolRepository].
func (p *pools) DeleteRule(ctx context.Context, tenant kernel.TenantID, id pool.RuleID) error {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	_, err = p.exec(ctx, "DELETE FROM crm_pool_rules WHERE tenant_id = ? AND id = ?", n, int64(id))
	return err
}

// Policy see [pool.PolicyRepository].
func (p *pools) Policy(ctx context.Context, tenant kernel.TenantID) (policy pool.Policy, err error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return policy, err
	}
	err = p.raw("SELECT cap, daily_quota, open_limit, lock_limit, lock_days FROM crm_policies WHERE tenant_id = ? AND kind = ?", n, string(p.kind)).
		Scan(ctx, &policy.Cap, &policy.DailyQuota, &policy.OpenLimit, &policy.LockLimit, &policy.LockDays)
	return policy, sinceFirstDay(err)
}

// SetPolicy see [pool.PolicyRepository].
func (p *pools) SetPolicy(ctx context.Context, tenant kernel.TenantID, policy pool.Policy) error {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	_, err = p.exec(ctx, "UPDATE crm_policies SET cap = ?, daily_quota = ?, open_limit = ?, lock_limit = ?, lock_days = ? WHERE tenant_id = ? AND kind = ?",
		policy.Cap, policy.DailyQuota, policy.OpenLimit, policy.LockLimit, policy.LockDays, n, string(p.kind))
	return err
}

// SetLimits see [pool.PolicyRepository].
func (p *pools) SetLimits(ctx context.Context, tenant kernel.TenantID, user kernel.UserID, l pool.Limits) (before pool.Limits, err error) {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return before, err
	}
	err = p.raw("SELECT own_cap, own_daily_quota, own_open_limit FROM crm_counters WHERE tenant_id = ? AND kind = ? AND user_id = ?",
		n, string(p.kind), string(user)).
		Scan(ctx, &before.Cap, &before.DailyQuota, &before.OpenLimit)
	if err != nil {
		return before, err
	}
	_, err = p.exec(ctx, "UPDATE crm_counters SET own_cap = ?, own_daily_quota = ?, own_open_limit = ? WHERE tenant_id = ? AND kind = ? AND user_id = ?",
		l.Cap, l.DailyQuota, l.OpenLimit, n, string(p.kind), string(user))
	return before, err
}
