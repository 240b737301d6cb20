package main

import (
	"context"
	"errors"
)

// The parts of a claim: $1 tenant, $2 customer, $3 claimer, $4 now, $5 day.
const (
	rawClaimRecord = `UPDATE crm_customers AS t SET owner_id = $3, owned_since = $4, pool_entered_at = NULL, first_followup_at = NULL, last_followup_at = NULL,
			version = t.version + 1, seq = t.seq + 1, updated_at = $4, updated_by = $3
		FROM crm_pools AS p, crm_members AS m
		WHERE t.tenant_id = $1 AND t.id = $2 AND t.owner_id IS NULL AND t.deleted_at IS NULL AND t.standing <> 'blacklist'
			AND p.tenant_id = $1 AND p.id = t.pool_id AND p.claim_condition = '' AND m.tenant_id = $1 AND m.user_id = $3 AND m.inactive_since IS NULL
			AND (p.public OR EXISTS (SELECT 1 FROM crm_pool_members b WHERE b.tenant_id = $1 AND b.pool_id = p.id AND b.user_id = $3)
				OR EXISTS (SELECT 1 FROM crm_pool_members b JOIN crm_department_tree a ON a.tenant_id = b.tenant_id AND a.ancestor_id = b.department_id
					WHERE b.tenant_id = $1 AND b.pool_id = p.id AND a.department_id = m.department_id))`
	rawClaimPlace = `ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places, claims_day = excluded.claims_day,
			claims_used = CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END + 1
		WHERE (excluded.places = 0 OR k.places < coalesce(k.own_cap, (SELECT cap FROM crm_policies WHERE tenant_id = $1 AND kind = 'customer')))
			AND CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END
				< coalesce(k.own_daily_quota, (SELECT daily_quota FROM crm_policies WHERE tenant_id = $1 AND kind = 'customer'))
		RETURNING user_id`
	rawOperation = `INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, to_owner, pool_id, reason, note, rule_id, rule, at) `
	rawAudit     = `INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, at, before, after) `
	rawEvent     = `INSERT INTO crm_outbox (tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, at, data) `
)

// rawClaimPostgres is all of a claim: $6 is the document of audit and event.
const rawClaimPostgres = `WITH c AS (` + rawClaimRecord + `
		AND (t.pool_entered_at IS NULL OR t.pool_entered_at + p.protection * interval '1 microsecond' <= $4)
		AND (t.pool_entered_at IS NULL OR t.last_owner IS DISTINCT FROM $3 OR t.pool_entered_at + p.cool_down * interval '1 microsecond' <= $4)
		RETURNING t.id, t.seq, t.pool_id, t.stage),
	m AS (INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used)
		SELECT $1, 'customer', $3, CASE WHEN stage = 'won' THEN 0 ELSE 1 END, $5, 1 FROM c ` + rawClaimPlace + `),
	l AS (` + rawOperation + `SELECT $1, 'customer', c.id, 'claim', m.user_id, $3, c.pool_id, '', '', 0, '', $4 FROM c LEFT JOIN m ON true),
	a AS (` + rawAudit + `SELECT $1, 'customer', id, 'customer', id, 'customer.claimed', $3, $4, '{"owner_id":""}', $6 FROM c),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, seq, 'customer', id, 'customer.claimed', $3, $4, $6 FROM c)
	SELECT id FROM c`

func (r *rawSQL) claim(ctx context.Context, w who, id int64) error {
	tenant, user, doc, day := r.d.houses[w.tenant].number, string(w.user), `{"owner_id":"`+string(w.user)+`"}`, "2026-03-02"
	if r.e.pg {
		_, err := r.one(ctx, rawClaimPostgres, tenant, id, user, now, day, doc)
		return err
	}
	at := now.UnixMicro()
	return r.write(ctx, func(t writeTx) error {
		var seq, pool int64
		var stage, place string
		if err := t.row(rawClaimRecord+` AND (t.pool_entered_at IS NULL OR t.pool_entered_at + p.protection <= $4)
			AND (t.pool_entered_at IS NULL OR t.last_owner IS NOT $3 OR t.pool_entered_at + p.cool_down <= $4)
			RETURNING seq, pool_id, stage`, []any{tenant, id, user, at}, &seq, &pool, &stage); err != nil {
			return err
		}
		takes := 1
		if stage == "won" {
			takes = 0
		}
		return errors.Join(
			t.row(`INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used) VALUES ($1, 'customer', $3, $2, $5, 1) `+rawClaimPlace,
				[]any{tenant, takes, user, at, day}, &place),
			t.exec(rawOperation+`VALUES ($1, 'customer', $2, 'claim', $3, $3, $5, '', '', 0, '', $4)`, tenant, id, user, at, pool),
			t.exec(rawAudit+`VALUES ($1, 'customer', $2, 'customer', $2, 'customer.claimed', $3, $4, '{"owner_id":""}', $5)`, tenant, id, user, at, doc),
			t.exec(rawEvent+`VALUES ($1, 'customer', $2, $5, 'customer', $2, 'customer.claimed', $3, $4, $6)`, tenant, id, user, at, seq, doc),
		)
	})
}
