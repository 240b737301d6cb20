package bunstore

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

type roles tx

func (r *roleRow) domain() *team.Role {
	role := r.Role
	role.Permissions, role.CreatedAt, role.UpdatedAt = r.Permissions, time.Time(r.CreatedAt), time.Time(r.UpdatedAt)
	return &role
}

// Put see [team.RoleRepository].
func (r *roles) Put(ctx context.Context, tenant kernel.TenantID, role *team.Role) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if role.ID == 0 {
		ids, err := t.newIDs(ctx, 1)
		if err != nil {
			return err
		}
		role.ID = team.RoleID(ids[0])
	}
	return put(ctx, t, []roleRow{{
		TenantID: n, Role: *role, Permissions: role.Permissions, CreatedAt: moment(role.CreatedAt), UpdatedAt: moment(role.UpdatedAt),
	}})
}

// All see [team.RoleRepository].
func (r *roles) All(ctx context.Context, tenant kernel.TenantID) ([]*team.Role, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []roleRow
	err = t.db.NewSelect().Model(&rows).Where("r.tenant_id = ?", n).Order("r.name").Conn(t.conn).Scan(ctx)
	all := make([]*team.Role, len(rows))
	for i := range rows {
		all[i] = rows[i].domain()
	}
	return all, err
}

// Delete see [team.RoleRepository].
func (r *roles) Delete(ctx context.Context, tenant kernel.TenantID, name team.RoleName, unusedOnly bool) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	text, args := "DELETE FROM crm_roles WHERE tenant_id = ? AND name = ?", []any{n, name}
	if unusedOnly {
		text += " AND NOT EXISTS (SELECT 1 FROM crm_members m WHERE m.tenant_id = ? AND " + t.hasRole("m") + ")"
		args = append(args, n, name, "[]", name)
	}
	gone, err := t.exec(ctx, text, args...)
	return gone == 1, err
}
