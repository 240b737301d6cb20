package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// rawClaimManyPostgres claims many of one claimer in one statement: $1 tenant, $2 ids, $3 claimer, $4 now, $5 day, $6 the
// document of audit and event.
const rawClaimManyPostgres = `WITH s AS MATERIALIZED (SELECT id FROM crm_customers WHERE tenant_id = $1 AND id = ANY ($2::text::bigint[]) ORDER BY id FOR UPDATE),
	c AS (UPDATE crm_customers AS t SET owner_id = $3, owned_since = $4, pool_entered_at = NULL, first_followup_at = NULL, last_followup_at = NULL,
			lock_until = NULL, lock_reason = '', version = t.version + 1, seq = t.seq + 1, updated_at = $4, updated_by = $3
		FROM s, crm_pools AS p, crm_members AS m
		WHERE t.tenant_id = $1 AND t.id = s.id AND t.owner_id IS NULL AND t.deleted_at IS NULL AND t.standing <> 'blacklist'
			AND p.tenant_id = $1 AND p.id = t.pool_id AND p.claim_condition = '' AND p.public AND m.tenant_id = $1 AND m.user_id = $3 AND m.inactive_since IS NULL
			AND (t.pool_entered_at IS NULL OR t.pool_entered_at + p.protection * interval '1 microsecond' <= $4)
			AND (t.pool_entered_at IS NULL OR t.last_owner IS DISTINCT FROM $3 OR t.pool_entered_at + p.cool_down * interval '1 microsecond' <= $4)
		RETURNING t.id, t.seq, t.pool_id, t.stage),
	n AS (SELECT count(*) AS claims, count(*) FILTER (WHERE stage <> 'won') AS places FROM c),
	m AS (INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used) SELECT $1, 'customer', $3, places, $5, claims FROM n
		ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places, claims_day = excluded.claims_day,
			claims_used = CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END + excluded.claims_used),
	l AS (` + rawOperation + `SELECT $1, 'customer', c.id, 'claim', $3, $3, c.pool_id, '', '', 0, '', $4 FROM c),
	a AS (` + rawAudit + `SELECT $1, 'customer', id, 'customer', id, 'customer.claimed', $3, $4, '{"owner_id":""}', $6 FROM c),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, seq, 'customer', id, 'customer.claimed', $3, $4, $6 FROM c)
	SELECT claims FROM n`

// claimMany claims customers of the default pool: in one statement on PostgreSQL, on SQLite row by row in one transaction,
// with prepared statements.
func (r *rawSQL) claimMany(ctx context.Context, w who, ids []int64) error {
	tenant, user, doc := r.d.houses[w.tenant].number, string(w.user), `{"owner_id":"`+string(w.user)+`"}`
	if r.e.pg {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = strconv.FormatInt(id, 10)
		}
		n, err := r.one(ctx, rawClaimManyPostgres, tenant, "{"+strings.Join(texts, ",")+"}", user, now, ormDay, doc)
		if err == nil && int(n) != len(ids) {
			err = fmt.Errorf("%d of %d: %w", n, len(ids), errLost)
		}
		return err
	}
	at := now.UnixMicro()
	return r.write(ctx, func(t writeTx) error {
		places := 0
		for _, id := range ids {
			var seq, pool int64
			var stage string
			if err := t.row(rawClaimRecord+` AND (t.pool_entered_at IS NULL OR t.pool_entered_at + p.protection <= $4)
				AND (t.pool_entered_at IS NULL OR t.last_owner IS NOT $3 OR t.pool_entered_at + p.cool_down <= $4)
				RETURNING seq, pool_id, stage`, []any{tenant, id, user, at}, &seq, &pool, &stage); err != nil {
				return err
			}
			if stage != "won" {
				places++
			}
			if err := errors.Join(
				t.exec(rawOperation+`VALUES ($1, 'customer', $2, 'claim', $3, $3, $5, '', '', 0, '', $4)`, tenant, id, user, at, pool),
				t.exec(rawAudit+`VALUES ($1, 'customer', $2, 'customer', $2, 'customer.claimed', $3, $4, '{"owner_id":""}', $5)`, tenant, id, user, at, doc),
				t.exec(rawEvent+`VALUES ($1, 'customer', $2, $5, 'customer', $2, 'customer.claimed', $3, $4, $6)`, tenant, id, user, at, seq, doc),
			); err != nil {
				return err
			}
		}
		return t.exec(`INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used) VALUES ($1, 'customer', $2, $3, $4, $5)
			ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places, claims_day = excluded.claims_day,
				claims_used = CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END + excluded.claims_used`,
			tenant, user, places, ormDay, len(ids))
	})
}
