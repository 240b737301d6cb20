package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// Rehome see [pool.Repository].
func (r *records) Rehome(ctx context.Context, mv pool.Move) error {
	n, err := r.tenant(ctx, mv.By.Tenant)
	if err != nil || len(mv.Records) == 0 {
		return err
	}
	ids := make([]int64, len(mv.Records))
	for i, x := range mv.Records {
		ids[i] = x.ID
	}
	_, err = r.exec(ctx, "UPDATE "+r.table+` SET pool_id = ?pool, version = version + 1, seq = seq + 1, updated_at = ?now, updated_by = ?by
		WHERE tenant_id = ?tenant AND id IN (?ids)`,
		binds{"now": moment(mv.Now), "pool": mv.Pool, "by": mv.By.User, "tenant": n, "ids": bun.List(ids)})
	if err != nil {
		return err
	}
	return r.tellMove(ctx, mv)
}

// AtHome see [pool.Repository].
func (r *records) AtHome(ctx context.Context, tenant kernel.TenantID, id pool.ID, after int64, atMost int) (ids []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	err = r.raw("SELECT id FROM "+r.table+" WHERE tenant_id = ? AND pool_id = ? AND deleted_at IS NULL AND id > ? ORDER BY id LIMIT ?",
		n, int64(id), after, atMost).Scan(ctx, &ids)
	return ids, err
}

// RehomeDeleted see [pool.Repository].
func (r *records) RehomeDeleted(ctx context.Context, tenant kernel.TenantID, from, into pool.ID, atMost int) (int, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	find := "SELECT id FROM " + r.table + " WHERE tenant_id = ?tenant AND pool_id = ?from AND deleted_at IS NOT NULL ORDER BY id LIMIT ?most"
	if r.pg {
		find += " FOR NO KEY UPDATE"
	}
	return r.exec(ctx, "UPDATE "+r.table+` SET pool_id = (SELECT p.id FROM crm_pools AS p WHERE p.tenant_id = ?tenant AND p.kind = ?kind
			AND (p.id = ?into OR ?into = 0 AND p.is_default))
		WHERE tenant_id = ?tenant AND deleted_at IS NOT NULL AND id IN (`+find+")",
		binds{"tenant": n, "kind": r.kind, "from": int64(from), "into": int64(into), "most": atMost})
}

// Delete see [pool.PoolRepository].
func (p *pools) Delete(ctx context.Context, tenant kernel.TenantID, id pool.ID) error {
	n, err := p.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	for _, text := range []string{
		"DELETE FROM crm_pool_rules WHERE tenant_id = ? AND pool_id = ?",
		"DELETE FROM crm_pool_members WHERE tenant_id = ? AND pool_id = ?",
		"DELETE FROM crm_pools WHERE tenant_id = ? AND id = ?",
	} {
		if _, err := p.exec(ctx, text, n, int64(id)); err != nil {
			return err
		}
	}
	return nil
}
