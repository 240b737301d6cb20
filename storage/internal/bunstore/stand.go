package bunstore

import (
	"context"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func standName(k pool.Kind) string { return "record." + string(k) + ".stand" }

// standSQL is what a refusal is made of, in one read.
func (s *Store) standSQL(table string) string {
	columns := s.columnsOf((*recordRow)(nil), "t.") + ", " + s.columnsOf((*poolRow)(nil), "p.")
	return "SELECT " + columns + ", m.user_id IS NOT NULL AND " + belongsSQL + ` AS belongs
		FROM ` + table + ` AS t JOIN crm_pools AS p ON p.tenant_id = t.tenant_id AND p.kind = :kind AND p.id = t.pool_id
		LEFT JOIN crm_members AS m ON m.tenant_id = :tenant AND m.user_id = :user AND m.inactive_since IS NULL
		WHERE t.tenant_id = :tenant AND t.id = :id AND t.deleted_at IS NULL`
}

// Stand see [pool.Repository].
func (r *records) Stand(ctx context.Context, tenant kernel.TenantID, user kernel.UserID, id int64) (*pool.Stand, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := r.open(ctx, standName(r.kind), named{"tenant": n, "kind": string(r.kind), "user": string(user), "id": id})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	record, home, belongs := newPlace[recordRow](r.Store), newPlace[poolRow](r.Store), false
	if err := rows.Scan(append(append(record.into, home.into...), &belongs)...); err != nil {
		return nil, err
	}
	return &pool.Stand{Record: record.row.domain(), Pool: home.row.domain(), Belongs: belongs}, rows.Err()
}
