package bunstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

type members tx

func memberRowOf(tenant int64, m *team.Member) memberRow {
	return memberRow{
		TenantID: tenant, ID: m.ID, UserID: m.User, Name: m.Name, Role: m.Role, MoreRoles: m.MoreRoles, DepartmentID: nullID(m.Department),
		Superior: nullText(m.Superior), PhoneExt: m.PhoneExt, Regions: m.Regions, JoinedOn: m.JoinedOn, InactiveSince: moment(m.InactiveSince),
		LastSeenAt: moment(m.LastSeenAt), Version: m.Version, CreatedAt: moment(m.CreatedAt), UpdatedAt: moment(m.UpdatedAt),
	}
}

func (r *memberRow) domain() *team.Member {
	return &team.Member{
		ID: r.ID, User: r.UserID, Name: r.Name, Role: r.Role, MoreRoles: r.MoreRoles, Department: team.DepartmentID(r.DepartmentID),
		Superior: kernel.UserID(r.Superior), PhoneExt: r.PhoneExt, Regions: r.Regions, JoinedOn: r.JoinedOn, InactiveSince: time.Time(r.InactiveSince),
		LastSeenAt: time.Time(r.LastSeenAt), Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt),
	}
}

func toMembers(rows []memberRow) []*team.Member {
	ms := make([]*team.Member, len(rows))
	for i := range rows {
		ms[i] = rows[i].domain()
	}
	return ms
}

// Insert see [team.MemberRepository]. Rows are written in the order of the users, so that of two calls at once with the
// same users one waits for the other, and neither for both.
func (r *members) Insert(ctx context.Context, tenant kernel.TenantID, ms ...*team.Member) (taken []int, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(ms))
	if err != nil {
		return nil, err
	}
	rows := make([]memberRow, len(ms))
	for i, m := range ms {
		m.ID = team.MemberID(ids[i])
		rows[i] = memberRowOf(n, m)
	}
	slices.SortStableFunc(rows, func(a, b memberRow) int { return cmp.Compare(a.UserID, b.UserID) })
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	var inactive []*team.Member // whoever is new and active has no counter yet
	for i, id := range ids {
		switch {
		case !written[id]:
			taken = append(taken, i)
		case !ms[i].Active():
			inactive = append(inactive, ms[i])
		}
	}
	return taken, t.closeCounters(ctx, n, inactive)
}

// Lock see [team.MemberRepository].
func (r *members) Lock(ctx context.Context, tenant kernel.TenantID, users ...kernel.UserID) ([]*team.Member, error) {
	return r.find(ctx, tenant, true, users)
}

// Get see [team.MemberRepository].
func (r *members) Get(ctx context.Context, tenant kernel.TenantID, users ...kernel.UserID) ([]*team.Member, error) {
	return r.find(ctx, tenant, false, users)
}

func (r *members) find(ctx context.Context, tenant kernel.TenantID, lock bool, users []kernel.UserID) ([]*team.Member, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	var rows []memberRow
	q := oneOf(t.db.NewSelect().Model(&rows).Where("m.tenant_id = ?", n), "m.user_id", users).Order("m.user_id").Conn(t.conn)
	if lock {
		q = t.lockMembers(q)
	}
	err = q.Scan(ctx)
	return toMembers(rows), err
}

// lockMembers locks the rows of a query, where the engine has not locked the whole database.
func (t *tx) lockMembers(q *bun.SelectQuery) *bun.SelectQuery {
	if t.pg {
		return q.For("NO KEY UPDATE OF m")
	}
	return q
}

// Update see [team.MemberRepository].
func (r *members) Update(ctx context.Context, tenant kernel.TenantID, ms ...*team.Member) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]memberRow, len(ms))
	for i, m := range ms {
		rows[i] = memberRowOf(n, m)
	}
	if err := put(ctx, t, rows); err != nil {
		return err
	}
	return t.closeCounters(ctx, n, ms)
}

// List see [team.MemberRepository].
func (r *members) List(ctx context.Context, tenant kernel.TenantID, f team.MemberFilter, w kernel.Window) ([]*team.Member, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []memberRow
	q := t.db.NewSelect().Model(&rows).Where("m.tenant_id = ?", n).Order("m.id").Limit(int64(w.Limit) + 1).Conn(t.conn)
	if f.Inactive {
		q = q.Where("m.inactive_since IS NOT NULL")
	} else {
		q = q.Where("m.inactive_since IS NULL")
	}
	if len(f.Departments) > 0 {
		q = q.Where("m.department_id IN (SELECT b.department_id FROM ? AS b WHERE b.tenant_id = ? AND b.ancestor_id IN (?))",
			t.table("department_tree"), n, bun.List(f.Departments))
	}
	if f.Role != "" {
		q = q.Where(t.hasRole("m"), f.Role, "[]", f.Role)
	}
	if len(w.After) > 0 {
		q = q.Where("m.id > ?", w.After[0])
	}
	err = q.Scan(ctx)
	return toMembers(rows), err
}

// hasRole tells whether a member has a role: of three arguments, the first and the last are its name, the second is an
// empty list.
func (t *tx) hasRole(alias string) string {
	return "(" + alias + ".role = ? OR (" + alias + ".more_roles <> ? AND ? IN (SELECT x.value FROM " + t.elements(alias+".more_roles") + " AS x)))"
}

// elements is a JSON array of texts as a table with the column value.
func (t *tx) elements(array string) string {
	if t.pg {
		return "json_array_elements_text(CAST(" + array + " AS json))"
	}
	return "json_each(" + array + ")"
}

// OthersThan see [team.MemberRepository]. The users are one argument, a JSON array: 10,000 of them as a list of values are
// slow to plan, and Postgres 14 compares each with each.
func (r *members) OthersThan(ctx context.Context, tenant kernel.TenantID, users []kernel.UserID, atMost int) ([]*team.Member, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []memberRow
	q := t.db.NewSelect().Model(&rows).Where("m.tenant_id = ?", n).Where("m.inactive_since IS NULL").
		Where("m.user_id NOT IN (SELECT x.value FROM "+t.elements("?")+" AS x)", list[kernel.UserID](users)).
		Order("m.user_id").Limit(int64(atMost)).Conn(t.conn)
	err = t.lockMembers(q).Scan(ctx)
	return toMembers(rows), err
}

// Seen see [team.MemberRepository].
func (r *members) Seen(ctx context.Context, tenant kernel.TenantID, user kernel.UserID, at time.Time) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	found, err := t.exec(ctx, `UPDATE crm_members SET last_seen_at = CASE WHEN last_seen_at > ?0 THEN last_seen_at ELSE ?0 END
		WHERE tenant_id = ?1 AND user_id = ?2`, moment(at), n, string(user))
	return found == 1, err
}
