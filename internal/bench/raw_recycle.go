package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What is due by the built-in rules: $1 tenant, $2 pool, $3 the follow-up must be before that, $4 the first follow-up before
// that, $5 now. Each rule is asked by itself, from its own index; a customer that is won and has a contract is kept.
const (
	rawDue = `SELECT t.id FROM crm_customers AS t WHERE {mine} AND coalesce(t.last_followup_at, t.owned_since) < $3
		UNION SELECT t.id FROM crm_customers AS t JOIN crm_customer_facts AS f ON f.tenant_id = t.tenant_id AND f.customer_id = t.id
			WHERE {mine} AND t.first_followup_at < $4 AND (f.last_order_at >= t.first_followup_at) IS NOT TRUE`
	rawMine = `t.tenant_id = $1 AND t.pool_id = $2 AND t.owner_id IS NOT NULL AND t.deleted_at IS NULL AND (t.lock_until IS NULL OR t.lock_until <= $5)`
	// rawSwept is a batch, with the number of the rule that wins.
	rawSwept = `SELECT t.id, t.owner_id, t.stage, CASE WHEN coalesce(t.last_followup_at, t.owned_since) < $3 THEN 0
				WHEN t.first_followup_at < $4 AND (f.last_order_at >= t.first_followup_at) IS NOT TRUE THEN 1 END AS winner
			FROM {batch} JOIN crm_customer_facts AS f ON f.tenant_id = t.tenant_id AND f.customer_id = t.id
			WHERE {mine} AND NOT (t.stage = 'won' AND f.active_contracts > 0)
				AND EXISTS (SELECT 1 FROM crm_members AS m WHERE m.tenant_id = t.tenant_id AND m.user_id = t.owner_id AND m.inactive_since IS NULL)`
)

const recycleBatch = 1_000

// rawRules are the ids of the two rules that release, and what the log keeps of them.
type rawRules [2]struct {
	id   int64
	text string
}

// recycle releases what is due in the default pool of a tenant, whose members are all members.
func (r *rawSQL) recycle(ctx context.Context, tenant int) (released int, err error) {
	h := r.d.houses[tenant]
	rules, err := r.rules(ctx, h)
	if err != nil {
		return 0, err
	}
	cuts := []any{h.number, h.pools[0], r.at(now.Add(-3 * 24 * time.Hour)), r.at(now.Add(-90 * 24 * time.Hour)), r.at(now)}
	ids, err := r.due(ctx, cuts)
	if err != nil {
		return 0, err
	}
	owned, err := r.one(ctx, "SELECT count(*) FROM crm_customers WHERE tenant_id = $1 AND deleted_at IS NULL AND owner_id IS NOT NULL", h.number)
	if err != nil {
		return 0, err
	}
	if int64(len(ids))*100 > owned*20 {
		return 0, fmt.Errorf("%d of %d are due", len(ids), owned)
	}
	for len(ids) > 0 {
		batch := ids[:min(recycleBatch, len(ids))]
		ids = ids[len(batch):]
		n, err := r.release(ctx, batch, cuts, rules)
		released += n
		if err != nil {
			return released, err
		}
	}
	return released, nil
}

// sweep finds what is due in the default pool of a tenant.
func (r *rawSQL) sweep(ctx context.Context, tenant int) error {
	h := r.d.houses[tenant]
	ids, err := r.due(ctx, []any{h.number, h.pools[0], r.at(now.Add(-3 * 24 * time.Hour)), r.at(now.Add(-90 * 24 * time.Hour)), r.at(now)})
	if err == nil && len(ids) == 0 {
		err = errors.New("nothing was due")
	}
	return err
}

// recycleRows is what one does first: a transaction for each.
func (r *rawSQL) recycleRows(ctx context.Context, tenant, n int) error {
	h := r.d.houses[tenant]
	rules, err := r.rules(ctx, h)
	if err != nil {
		return err
	}
	cuts := []any{h.number, h.pools[0], r.at(now.Add(-3 * 24 * time.Hour)), r.at(now.Add(-90 * 24 * time.Hour)), r.at(now)}
	ids, err := r.due(ctx, cuts)
	if err != nil {
		return err
	}
	for _, id := range ids[:min(n, len(ids))] {
		if _, err := r.release(ctx, []int64{id}, cuts, rules); err != nil {
			return err
		}
	}
	return nil
}

func (r *rawSQL) rules(ctx context.Context, h house) (rules rawRules, err error) {
	for i, priority := range []int{20, 10} {
		err := r.db.QueryRowContext(ctx, fmt.Sprintf(`SELECT id, name || ': ' || condition FROM crm_pool_rules WHERE tenant_id = %d AND pool_id = %d AND priority = %d`,
			h.number, h.pools[0], priority)).Scan(&rules[i].id, &rules[i].text)
		if err != nil {
			return rules, err
		}
	}
	return rules, nil
}

func (r *rawSQL) due(ctx context.Context, cuts []any) (ids []int64, err error) {
	rows, err := r.query(ctx, strings.ReplaceAll(rawDue, "{mine}", rawMine)+" ORDER BY 1", cuts...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// rawReleasePostgres is a batch in one statement: $6 the ids, $7 to $10 the rules.
const rawReleasePostgres = `WITH s AS MATERIALIZED (` + rawSwept + ` ORDER BY t.id FOR UPDATE OF t SKIP LOCKED),
	r AS (UPDATE crm_customers AS t SET owner_id = NULL, owned_since = NULL, last_owner = s.owner_id, pool_entered_at = $5, lock_until = NULL, lock_reason = '', version = t.version + 1,
		seq = t.seq + 1, updated_at = $5, updated_by = '$system' FROM s WHERE t.tenant_id = $1 AND t.id = s.id AND s.winner IS NOT NULL
		RETURNING t.id, t.seq, t.pool_id, s.owner_id, s.stage, s.winner),
	n AS (SELECT owner_id, count(*) AS n FROM r WHERE stage <> 'won' GROUP BY owner_id ORDER BY owner_id),
	k AS MATERIALIZED (SELECT m.user_id, n.n FROM crm_counters AS m JOIN n ON m.user_id = n.owner_id
		WHERE m.tenant_id = $1 AND m.kind = 'customer' ORDER BY m.user_id FOR UPDATE OF m),
	u AS (UPDATE crm_counters AS m SET places = m.places - k.n FROM k WHERE m.tenant_id = $1 AND m.kind = 'customer' AND m.user_id = k.user_id),
	l AS (INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, from_owner, pool_id, reason, note, rule_id, rule, at)
		SELECT $1, 'customer', id, 'recycle', '$system', owner_id, pool_id, 'bench', '', CASE winner WHEN 0 THEN $7::bigint ELSE $9::bigint END,
			CASE winner WHEN 0 THEN $8 ELSE $10 END, $5 FROM r),
	a AS (INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, at, before, after)
		SELECT $1, 'customer', id, 'customer', id, 'customer.recycled', '$system', 'bench', $5, '{"owner_id":"' || owner_id || '"}', '{"owner_id":""}' FROM r),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, seq, 'customer', id, 'customer.recycled', '$system', $5, '{"owner_id":""}' FROM r)
	SELECT count(*) FROM r`

// rawReleaseSQLite are the statements of a batch: who had it is read first, and all goes from there.
var rawReleaseSQLite = []string{
	"DELETE FROM temp.swept",
	"INSERT INTO temp.swept SELECT id, owner_id, stage, winner FROM (" + rawSwept + ") WHERE winner IS NOT NULL",
	`INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, from_owner, pool_id, reason, note, rule_id, rule, at)
		SELECT $1, 'customer', id, 'recycle', '$system', owner_id, $2, 'bench', '', CASE winner WHEN 0 THEN $7 ELSE $9 END, CASE winner WHEN 0 THEN $8 ELSE $10 END, $5
		FROM temp.swept ORDER BY id`,
	`INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, at, before, after)
		SELECT $1, 'customer', id, 'customer', id, 'customer.recycled', '$system', 'bench', $5, '{"owner_id":"' || owner_id || '"}', '{"owner_id":""}'
		FROM temp.swept ORDER BY id`,
	`UPDATE crm_counters AS m SET places = m.places - k.n FROM (SELECT owner_id, count(*) AS n FROM temp.swept WHERE stage <> 'won' GROUP BY owner_id) AS k
		WHERE m.tenant_id = $1 AND m.kind = 'customer' AND m.user_id = k.owner_id`,
	`UPDATE crm_customers SET last_owner = owner_id, owner_id = NULL, owned_since = NULL, pool_entered_at = $5, lock_until = NULL, lock_reason = '',
		version = version + 1, seq = seq + 1,
		updated_at = $5, updated_by = '$system' WHERE id IN (SELECT id FROM temp.swept)`,
	rawEvent + `SELECT $1, 'customer', s.id, t.seq, 'customer', s.id, 'customer.recycled', '$system', $5, '{"owner_id":""}'
		FROM temp.swept AS s CROSS JOIN crm_customers AS t ON t.id = s.id ORDER BY s.id`,
}

func (r *rawSQL) release(ctx context.Context, ids []int64, cuts []any, rules rawRules) (n int, err error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	args := append(cuts[:5:5], "{"+strings.Join(texts, ",")+"}", rules[0].id, rules[0].text, rules[1].id, rules[1].text)
	if r.e.pg {
		released, err := r.one(ctx, strings.NewReplacer("{mine}", rawMine, "{batch}",
			"unnest($6::bigint[]) AS b (id) JOIN crm_customers AS t ON t.tenant_id = $1 AND t.id = b.id").Replace(rawReleasePostgres), args...)
		return int(released), err
	}
	args[5] = "[" + strings.Join(texts, ",") + "]"
	words := strings.NewReplacer("{mine}", rawMine, "{batch}", "json_each($6) AS b CROSS JOIN crm_customers AS t ON t.id = b.value")
	err = r.write(ctx, func(t writeTx) error {
		if err := t.exec("CREATE TEMP TABLE IF NOT EXISTS swept (id INTEGER PRIMARY KEY, owner_id TEXT, stage TEXT, winner INTEGER)"); err != nil {
			return err
		}
		for _, text := range rawReleaseSQLite {
			text = words.Replace(text)
			if err := t.exec(text, args[:used(text)]...); err != nil {
				return err
			}
		}
		return t.row("SELECT count(*) FROM temp.swept", nil, &n)
	})
	return n, err
}

// used is the highest $n of a statement: SQLite wants as many arguments.
func used(text string) int {
	for n := 10; n > 0; n-- {
		if strings.Contains(text, "$"+strconv.Itoa(n)) {
			return n
		}
	}
	return 0
}
