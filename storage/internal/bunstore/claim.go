package bunstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// The parts of a claim. Postgres runs them as one statement, SQLite one after the other in an immediate transaction; both
// take the record before the counter. The conditions are those of pool.Attempt.Refuse: SQL tests, Go explains.
const (
	// A pool with a claim condition is left to the way that locks first and decides in Go. The last condition is a cheap
	// look that spares an error; what decides about cap and quota is claimPlace.
	claimRecord = `UPDATE {table} AS t SET owner_id = :user, owned_since = :now, pool_entered_at = NULL, first_followup_at = NULL,
			last_followup_at = NULL, version = t.version + 1, seq = t.seq + 1, updated_at = :now, updated_by = :user
		FROM crm_pools AS p, crm_members AS m
		WHERE t.tenant_id = :tenant AND t.id = :id AND t.owner_id IS NULL AND t.deleted_at IS NULL AND t.standing <> 'blacklist'
			AND p.tenant_id = :tenant AND p.id = t.pool_id AND p.claim_condition = ''
			AND m.tenant_id = :tenant AND m.user_id = :user AND m.inactive_since IS NULL AND ` + belongsSQL + `
			AND (t.pool_entered_at IS NULL OR t.pool_entered_at + {protection} <= :now)
			AND (t.pool_entered_at IS NULL OR t.last_owner IS DISTINCT FROM :user OR t.pool_entered_at + {cool_down} <= :now)
			AND NOT EXISTS (SELECT 1 FROM crm_counters AS k JOIN crm_policies AS y ON y.tenant_id = k.tenant_id AND y.kind = k.kind
				WHERE k.tenant_id = :tenant AND k.kind = :kind AND k.user_id = :user
				AND (t.stage <> 'won' AND k.places >= coalesce(k.own_cap, y.cap) OR k.claims_day > :day
					OR k.claims_day = :day AND k.claims_used >= coalesce(k.own_daily_quota, y.daily_quota)))
		RETURNING {t.}id, {t.}seq, {t.}pool_id, {t.}stage`
	claimPlace = `INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, claims_day, claims_used)
		SELECT :tenant, :kind, :user, CASE WHEN c.stage = 'won' THEN 0 ELSE 1 END, :day, 1
		FROM {c} AS c, crm_policies AS y LEFT JOIN crm_counters AS x ON x.tenant_id = y.tenant_id AND x.kind = y.kind AND x.user_id = :user
		WHERE y.tenant_id = :tenant AND y.kind = :kind
			AND (c.stage = 'won' OR coalesce(x.own_cap, y.cap) > 0) AND coalesce(x.own_daily_quota, y.daily_quota) > 0
		ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places, claims_day = excluded.claims_day,
			claims_used = CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END + 1
		WHERE NOT k.closed AND k.claims_day <= excluded.claims_day
			AND (excluded.places = 0 OR k.places < coalesce(k.own_cap, (SELECT y.cap FROM crm_policies AS y WHERE y.tenant_id = :tenant AND y.kind = :kind)))
			AND CASE WHEN k.claims_day = excluded.claims_day THEN k.claims_used ELSE 0 END
				< coalesce(k.own_daily_quota, (SELECT y.daily_quota FROM crm_policies AS y WHERE y.tenant_id = :tenant AND y.kind = :kind))
		RETURNING user_id`
	claimLog = `INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, to_owner, pool_id, reason, note, rule_id, rule, request, at)
		SELECT :tenant, :kind, {id}, 'claim', {actor}, :user, {pool}, '', '', 0, '', :request, :now {from}`
	claimAudit = `INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, request, at, before, after)
		SELECT :tenant, :kind, {id}, :kind, {id}, :type, :user, :request, :now, '{"owner_id":""}', :data {from}`
	claimEvent = `INSERT INTO crm_outbox (tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, request, at, data)
		SELECT :tenant, :kind, {id}, {seq}, :kind, {id}, :type, :user, :request, :now, :data {from}`
)

// compileClaim makes the claim of one kind: one statement on Postgres, five on SQLite.
func (s *Store) compileClaim(hot map[string]hotQuery, kind pool.Kind, table string) {
	name := claimName(kind)
	if !s.pg {
		record := strings.NewReplacer("{table}", table, "{protection}", "p.protection", "{cool_down}", "p.cool_down", "{t.}", "")
		rest := strings.NewReplacer("{c}", "(SELECT :stage AS stage)", "{id}", ":id", "{seq}", ":seq", "{actor}", ":user", "{pool}", ":pool", "{from}", "")
		hot[name] = s.number(record.Replace(claimRecord))
		for part, text := range map[string]string{"place": claimPlace, "log": claimLog, "audit": claimAudit, "event": claimEvent} {
			hot[name+"."+part] = s.number(rest.Replace(text))
		}
		return
	}
	record := strings.NewReplacer("{table}", table, "{protection}", "p.protection * interval '1 microsecond'",
		"{cool_down}", "p.cool_down * interval '1 microsecond'", "{t.}", "t.")
	rest := strings.NewReplacer("{c}", "c", "{id}", "c.id", "{seq}", "c.seq", "{pool}", "c.pool_id", "{from}", "FROM c")
	// No place means no row in m, hence a NULL actor, hence an error that undoes the whole statement.
	log := strings.NewReplacer("{id}", "c.id", "{actor}", "m.user_id", "{pool}", "c.pool_id", "{from}", "FROM c LEFT JOIN m ON true")
	hot[name] = s.number("WITH c AS (" + record.Replace(claimRecord) + "), m AS (" + rest.Replace(claimPlace) + "), l AS (" + log.Replace(claimLog) +
		"), a AS (" + rest.Replace(claimAudit) + "), e AS (" + rest.Replace(claimEvent) + ") SELECT id, seq, pool_id, stage FROM c")
}

type claimed struct {
	ID     int64
	Seq    int64
	PoolID int64
	Stage  string
}

// Claim see [pool.Repository].
func (r *records) Claim(ctx context.Context, o pool.Order, id int64) error {
	n, err := r.tenant(ctx, o.By.Tenant)
	if err != nil {
		return err
	}
	data, err := asJSON(map[string]any{"owner_id": o.By.User})
	if err != nil {
		return err
	}
	args := named{
		"tenant": n, "kind": string(r.kind), "id": id, "user": string(o.By.User), "now": r.at(o.Now), "day": string(o.Day),
		"request": nullable(o.By.Request), "data": string(data), "type": string(r.kind) + ".claimed",
	}
	var won []claimed
	err = r.query(ctx, claimName(r.kind), args, &won)
	switch {
	case sqlState(err) == "23502": // the fence: a race for the last place
		return pool.Lost()
	case err != nil:
		return err
	case len(won) == 0:
		return pool.Lost()
	case r.pg:
		return nil
	}
	args["seq"], args["pool"], args["stage"] = won[0].Seq, won[0].PoolID, won[0].Stage
	places, err := r.do(ctx, claimName(r.kind)+".place", args)
	if err != nil {
		return err
	}
	if places == 0 {
		return pool.Lost() // the unit of work takes the record back
	}
	for _, part := range []string{".log", ".audit", ".event"} {
		if _, err := r.do(ctx, claimName(r.kind)+part, args); err != nil {
			return err
		}
	}
	return nil
}

// nullable is text as an argument of a hot statement; empty is NULL.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// lookCounterSQL is a member's counter without a lock, and with the tenant's limits where it has none yet.
const lookCounterSQL = `SELECT CAST(:user AS text) AS user_id, coalesce(k.places, 0) AS places, coalesce(k.own_cap, y.cap) AS cap,
		coalesce(k.own_daily_quota, y.daily_quota) AS daily_quota, coalesce(k.claims_day, '') AS claims_day, coalesce(k.claims_used, 0) AS claims_used,
		coalesce(k.own_open_limit, y.open_limit) AS open_limit, coalesce(k.opens_day, '') AS opens_day, coalesce(k.opens_used, 0) AS opens_used,
		k.assigned_at, coalesce(k.closed, false) AS closed
	FROM crm_policies y LEFT JOIN crm_counters k ON k.tenant_id = y.tenant_id AND k.kind = y.kind AND k.user_id = :user
	WHERE y.tenant_id = :tenant AND y.kind = :kind`

// Counter see [pool.Repository].
func (r *records) Counter(ctx context.Context, tenant kernel.TenantID, user kernel.UserID) (m customer.Counter, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return m, err
	}
	var rows []counterRow
	err = r.query(ctx, "counter.look", named{"tenant": n, "kind": string(r.kind), "user": string(user)}, &rows)
	if err == nil && len(rows) == 0 {
		err = sinceFirstDay(sql.ErrNoRows)
	}
	if err != nil {
		return m, err
	}
	return rows[0].domain(), nil
}
