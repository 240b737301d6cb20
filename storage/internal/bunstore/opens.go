package bunstore

import (
	"context"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// openCounter raises the counter of a member that opens a record, or does nothing at the limit, or where the counter is of a
// later day. The row is made on first use; when it is there, the condition is decided on the row as it is locked, so that
// nobody gets past the limit.
const openCounter = `INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, opens_day, opens_used)
	SELECT ?tenant, ?kind, ?user, 0, ?day, 1
	FROM crm_policies AS y LEFT JOIN crm_counters AS x ON x.tenant_id = y.tenant_id AND x.kind = y.kind AND x.user_id = ?user
	WHERE y.tenant_id = ?tenant AND y.kind = ?kind AND (?exempt OR coalesce(x.own_open_limit, y.open_limit) > 0)
	ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET opens_day = excluded.opens_day,
		opens_used = CASE WHEN k.opens_day = excluded.opens_day THEN k.opens_used ELSE 0 END + 1
	WHERE k.opens_day <= excluded.opens_day AND (?exempt OR CASE WHEN k.opens_day = excluded.opens_day THEN k.opens_used ELSE 0 END
		< coalesce(k.own_open_limit, (SELECT y.open_limit FROM crm_policies AS y WHERE y.tenant_id = ?tenant AND y.kind = ?kind)))`

// Open see [pool.Repository].
func (r *records) Open(ctx context.Context, o pool.Opening) (bool, error) {
	n, err := r.tenant(ctx, o.By.Tenant)
	if err != nil {
		return false, err
	}
	args := binds{
		"tenant": n, "kind": string(r.kind), "user": string(o.By.User), "day": string(o.Day), "id": o.ID, "at": moment(o.Now), "exempt": o.Exempt,
	}
	noted, err := r.exec(ctx, `INSERT INTO crm_opens (tenant_id, kind, user_id, day, record_id, at)
		VALUES (?tenant, ?kind, ?user, ?day, ?id, ?at) ON CONFLICT DO NOTHING`, args)
	if err != nil || noted == 0 {
		return false, err
	}
	raised, err := r.exec(ctx, openCounter, args)
	if err == nil && raised == 0 {
		err = pool.Lost() // the unit of work takes the row back
	}
	return err == nil, err
}

// PurgeOpens see [pool.Repository].
func (r *records) PurgeOpens(ctx context.Context, tenant kernel.TenantID, before kernel.Date, atMost int) (int, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	skip := ""
	if r.pg {
		skip = " FOR UPDATE SKIP LOCKED" // another call is deleting them
	}
	return r.exec(ctx, `DELETE FROM crm_opens WHERE tenant_id = ?tenant AND kind = ?kind AND (user_id, day, record_id) IN (
		SELECT x.user_id, x.day, x.record_id FROM crm_opens AS x WHERE x.tenant_id = ?tenant AND x.kind = ?kind AND x.day < ?before
		ORDER BY x.day LIMIT ?most`+skip+`)`,
		binds{"tenant": n, "kind": string(r.kind), "before": string(before), "most": atMost})
}
