package bunstore

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// A CROSS JOIN with its condition under WHERE is a join like any other for Postgres. SQLite takes the tables of one in the
// order in which they are written: without statistics, which hosts seldom gather, it would walk all members of the tenant.

// Grantee see [team.TenantRepository]. It is five reads at most, each on an index; one for the system actor, two for a
// user who may do nothing.
func (r *tenants) Grantee(ctx context.Context, id kernel.TenantID, user kernel.UserID) (*team.Grantee, error) {
	t := (*tx)(r)
	n, g, err := r.grantee(ctx, id, user)
	if err != nil || g == nil || g.Member == nil || !g.Member.Active() {
		return g, err
	}
	if g.Roles, err = t.rolesNamed(ctx, n, append([]team.RoleName{g.Member.Role}, g.Member.MoreRoles...)); err != nil {
		return nil, err
	}
	if err := t.reached(ctx, n, g); err != nil {
		return nil, err
	}
	var rows []struct {
		ID   int64
		Kind pool.Kind
	}
	err = t.query(ctx, "grantee.pools", named{"tenant": n, "user": string(user), "department": int64(g.Member.Department)}, &rows)
	for _, p := range rows {
		if p.Kind == pool.Customers {
			g.Pools = append(g.Pools, p.ID)
		} else {
			g.LeadPools = append(g.LeadPools, p.ID)
		}
	}
	return g, err
}

const granteePoolsSQL = `SELECT p.id, p.kind FROM crm_pools p WHERE p.tenant_id = :tenant AND (p.public OR p.id IN (
		SELECT b.pool_id FROM crm_pool_members b WHERE b.tenant_id = :tenant AND b.user_id = :user AND b.user_id <> ''
		UNION SELECT b.pool_id FROM crm_department_tree a CROSS JOIN crm_pool_members b
		WHERE a.tenant_id = :tenant AND a.department_id = :department AND b.tenant_id = :tenant AND b.department_id = a.ancestor_id AND b.department_id <> 0))
	ORDER BY p.id`

// compileGrantee makes what rights are read with.
func (s *Store) compileGrantee(hot map[string]hotQuery) {
	hot["grantee.tenant"] = s.number("SELECT id, zone FROM crm_tenants WHERE key = :tenant AND dropped_at IS NULL")
	hot["grantee.member"] = s.number("SELECT " + s.columnsOf((*memberRow)(nil), "m.") + " FROM crm_members AS m WHERE m.tenant_id = :tenant AND m.user_id = :user")
	hot["grantee.roles"] = s.number("SELECT " + s.columnsOf((*roleRow)(nil), "r.") +
		" FROM crm_roles AS r WHERE r.tenant_id = :tenant AND r.name IN (:role, :second, :third)")
	hot["grantee.pools"] = s.number(granteePoolsSQL)
	for _, of := range []struct{ department, tree bool }{{}, {department: true}, {tree: true}, {true, true}} {
		hot[reachedName(of.department, of.tree)] = s.number(reachedSQL(of.department, of.tree))
	}
}

// grantee reads tenant and member, the tenant from the database and not from what is remembered: another process may have
// dropped it, and made another of its name.
func (r *tenants) grantee(ctx context.Context, id kernel.TenantID, user kernel.UserID) (int64, *team.Grantee, error) {
	t := (*tx)(r)
	var found []struct {
		ID   int64
		Zone string
	}
	err := t.query(ctx, "grantee.tenant", named{"tenant": string(id)}, &found)
	if err != nil {
		return 0, nil, err
	}
	if len(found) == 0 {
		t.forget(id)
		return 0, nil, nil
	}
	n, g := found[0].ID, &team.Grantee{Zone: found[0].Zone}
	if t.joined == nil && !t.shared { // see tenant
		t.tenants.Store(id, n)
	}
	t.know(id, n)
	if user == kernel.SystemUser {
		return n, g, nil
	}
	var is []memberRow
	err = t.query(ctx, "grantee.member", named{"tenant": n, "user": string(user)}, &is)
	if len(is) == 1 {
		g.Member = is[0].domain()
	}
	return n, g, err
}

// subordinatesSQL is the members below a user: those that name it as superior, those in departments that it heads and in
// all below them, and theirs. UNION ends circles. Each turn takes one of two ways, so that each join has an index.
const subordinatesSQL = `WITH RECURSIVE s (user_id) AS (
		SELECT user_id FROM crm_members WHERE tenant_id = :tenant AND user_id = :user
		UNION
		SELECT coalesce(a.user_id, m.user_id) FROM s CROSS JOIN (SELECT 1 AS way UNION ALL SELECT 2) AS w
			LEFT JOIN crm_members a ON w.way = 1 AND a.tenant_id = :tenant AND a.superior = s.user_id
			LEFT JOIN crm_departments d ON w.way = 2 AND d.tenant_id = :tenant AND d.head = s.user_id
			LEFT JOIN crm_department_tree b ON b.tenant_id = :tenant AND b.ancestor_id = d.id
			LEFT JOIN crm_members m ON m.tenant_id = :tenant AND m.department_id = b.department_id
		WHERE a.user_id IS NOT NULL OR m.user_id IS NOT NULL)
	SELECT 'subordinate' AS list, user_id FROM s WHERE user_id <> :user`

func reachedName(department, tree bool) string {
	name := "grantee.reached"
	if department {
		name += ".department"
	}
	if tree {
		name += ".tree"
	}
	return name
}

// reachedSQL is the members below a user and, where its roles reach them, those of its department and of its tree.
func reachedSQL(department, tree bool) string {
	text := subordinatesSQL
	if department {
		text += " UNION ALL SELECT 'department', user_id FROM crm_members WHERE tenant_id = :tenant AND department_id = :department"
	}
	if tree {
		text += ` UNION ALL SELECT 'tree', m.user_id FROM crm_department_tree b CROSS JOIN crm_members m
			WHERE b.tenant_id = :tenant AND b.ancestor_id = :department AND m.tenant_id = :tenant AND m.department_id = b.department_id`
	}
	return text
}

// reached reads the lists of members that the grantee's rights name: its subordinates, and those that its roles reach.
func (t *tx) reached(ctx context.Context, n int64, g *team.Grantee) error {
	reaches := g.Reaches()
	name := reachedName(slices.Contains(reaches, team.ReachDepartment), slices.Contains(reaches, team.ReachTree))
	var rows []struct {
		List   string
		UserID kernel.UserID
	}
	err := t.query(ctx, name, named{"tenant": n, "user": string(g.Member.User), "department": int64(g.Member.Department)}, &rows)
	for _, r := range rows {
		switch r.List {
		case "subordinate":
			g.Subordinates = append(g.Subordinates, r.UserID)
		case "department":
			g.DepartmentMembers = append(g.DepartmentMembers, r.UserID)
		default:
			g.TreeMembers = append(g.TreeMembers, r.UserID)
		}
	}
	slices.Sort(g.Subordinates)
	return err
}

// rolesNamed are the tenant's own roles of these names.
func (t *tx) rolesNamed(ctx context.Context, n int64, names []team.RoleName) ([]team.Role, error) {
	var rows []roleRow
	var err error
	if len(names) <= 3 {
		names = append(names, names[0], names[0]) // the same name again finds nothing more
		err = t.query(ctx, "grantee.roles", named{"tenant": n, "role": string(names[0]), "second": string(names[1]), "third": string(names[2])}, &rows)
	} else {
		err = t.db.NewSelect().Model(&rows).Where("r.tenant_id = ?", n).Where("r.name IN (?)", bun.List(names)).Conn(t.conn).Scan(ctx)
	}
	roles := make([]team.Role, len(rows))
	for i := range rows {
		roles[i] = *rows[i].domain()
	}
	return roles, err
}
