package bunstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// dueSQL is the records that a sweep releases: where, and the number of the rule that wins.
type dueSQL struct {
	from   string // constant
	where  schema.QueryWithArgs
	winner schema.QueryWithArgs
	// named are the ids that each rule that acts names by itself, from the index of its own days. Over an OR of rules all
	// records with an owner would be walked.
	named schema.QueryWithArgs
}

// sweepableSQL is what rules are asked about: what has an owner, and no lock that holds.
const sweepableSQL = `t.tenant_id = ?tenant AND t.pool_id = ?pool AND t.owner_id IS NOT NULL AND t.deleted_at IS NULL
		AND (t.lock_until IS NULL OR t.lock_until <= ?now)`

// due compiles a sweep. Rules are tested in the order in which they win, and CASE takes the first that is true: unknown
// is not. The conditions of the rules that act stand once more by themselves, where an index can serve them.
func (r *records) due(n int64, s pool.Sweep) (dueSQL, error) {
	in := conditionInput{
		Now: s.Now, Days: s.Days, Spend: spendWindow{s.SpendFrom, s.SpendUntil},
		Table: r.Store.table, Kind: r.kind,
	}
	now := in
	now.Until = s.Now // over a span, if only of an instant, a condition names what an index can serve
	var wins, acts, numbers, named []string
	var winArgs []any
	args := binds{"tenant": n, "pool": int64(s.Pool.ID), "now": moment(s.Now)}
	d := dueSQL{from: r.table + " AS t"}
	for i, rule := range s.Rules {
		c, err := compileCondition(rule.Parsed, in)
		if err != nil {
			return d, err
		}
		from := r.table + " AS t"
		if c.NeedsFacts {
			from += " " + kinds[r.kind].facts
			d.from = from
		}
		wins, winArgs = append(wins, fmt.Sprintf("WHEN %s THEN %d", c.SQL, i)), append(winArgs, c.Args...)
		if !rule.Acts {
			continue
		}
		if c, err = compileCondition(rule.Parsed, now); err != nil {
			return d, err
		}
		act := "(?act" + strconv.Itoa(i) + ")"
		args["act"+strconv.Itoa(i)] = schema.SafeQuery(c.SQL, c.Args)
		acts, named = append(acts, act), append(named, "SELECT t.id FROM "+from+" WHERE "+sweepableSQL+" AND "+act)
		numbers = append(numbers, strconv.Itoa(i))
	}
	d.winner = schema.SafeQuery("CASE "+strings.Join(wins, " ")+" END", winArgs)
	args["winner"] = d.winner
	d.where = schema.SafeQuery(r.eng.Names.SQL(sweepableSQL+" AND ("+strings.Join(acts, " OR ")+`)
		AND EXISTS (SELECT 1 FROM crm_members AS m JOIN crm_pools AS p ON p.tenant_id = m.tenant_id AND p.id = ?pool
			WHERE m.tenant_id = t.tenant_id AND m.user_id = t.owner_id AND m.inactive_since IS NULL AND `+belongsSQL+`)
		AND ?winner IN (`+strings.Join(numbers, ", ")+`)`), []any{args})
	d.named = schema.SafeQuery(r.eng.Names.SQL(strings.Join(named, " UNION ALL ")), []any{args})
	return d, nil
}

func (r *records) dueOf(ctx context.Context, s pool.Sweep) (n int64, d dueSQL, err error) {
	if n, err = r.tenant(ctx, s.By.Tenant); err == nil {
		d, err = r.due(n, s)
	}
	return n, d, err
}

// Exposed see [pool.Repository].
func (r *records) Exposed(ctx context.Context, tenant kernel.TenantID, ids ...int64) (exposed []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	err = r.raw(`SELECT t.id FROM `+r.table+` AS t, crm_pools AS p, crm_members AS m
		WHERE t.tenant_id = ?tenant AND t.id IN (?ids) AND t.deleted_at IS NULL AND p.tenant_id = ?tenant AND p.id = t.pool_id
			AND m.tenant_id = ?tenant AND m.user_id = t.owner_id AND m.inactive_since IS NULL AND `+belongsSQL+` ORDER BY t.id`,
		binds{"tenant": n, "ids": bun.List(ids)}).Scan(ctx, &exposed)
	return exposed, err
}

// Due see [pool.Repository].
func (r *records) Due(ctx context.Context, s pool.Sweep) (count int, err error) {
	_, d, err := r.dueOf(ctx, s)
	if err != nil {
		return 0, err
	}
	err = r.raw("SELECT count(*) FROM "+d.from+" WHERE ?where AND t.id IN (?named)", binds{"where": d.where, "named": d.named}).Scan(ctx, &count)
	return count, err
}

// mostWalked is up to how many candidates are found by walking the records in the order of their ids, which ends with the
// last one asked for. All of them are found faster rule by rule.
const mostWalked = 1_000

// Candidates see [pool.Repository].
func (r *records) Candidates(ctx context.Context, s pool.Sweep, after int64, atMost int) (ids []int64, err error) {
	_, d, err := r.dueOf(ctx, s)
	if err != nil {
		return nil, err
	}
	named := ""
	if atMost > mostWalked {
		named = " AND t.id IN (?named)"
	}
	err = r.raw("SELECT t.id FROM "+d.from+" WHERE ?where AND t.id > ?after"+named+" ORDER BY t.id LIMIT ?most",
		binds{"where": d.where, "named": d.named, "after": after, "most": atMost}).Scan(ctx, &ids)
	return ids, err
}

// sweptRow is a record that a sweep releases, with the number of its rule.
type sweptRow struct {
	ID      int64
	OwnerID kernel.UserID
	Winner  int
}

// Release see [pool.Repository]. The rows are locked by a statement of their own: the next one judges them by a snapshot
// that is younger than the locks, so that a follow-up or an order that was just committed counts.
func (r *records) Release(ctx context.Context, s pool.Sweep, ids ...int64) ([]pool.Swept, error) {
	n, d, err := r.dueOf(ctx, s)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []sweptRow
	if r.pg {
		rows, err = r.releaseAtOnce(ctx, n, s, d, ids)
	} else {
		rows, err = r.releaseStepwise(ctx, n, s, d, ids)
	}
	gone := make([]pool.Swept, len(rows))
	for i, x := range rows {
		gone[i] = pool.Swept{ID: x.ID, Owner: x.OwnerID, Rule: s.Rules[x.Winner].ID}
	}
	return gone, err
}

// releaseBatch leaves out what others hold, takes counters in the order of their members, and tells in log, audit and
// outbox.
const releaseBatch = `WITH s AS MATERIALIZED (SELECT t.id, t.owner_id, t.stage, ?winner AS winner FROM {from} WHERE ?where AND t.id IN (?ids)),
	r AS (UPDATE {table} AS t SET owner_id = NULL, owned_since = NULL, pool_entered_at = ?now, last_owner = s.owner_id, lock_until = NULL, lock_reason = '',
		version = t.version + 1, seq = t.seq + 1, updated_at = ?now, updated_by = ?by
		FROM s WHERE t.tenant_id = ?tenant AND t.id = s.id RETURNING t.id, t.seq, t.pool_id, s.owner_id, s.stage, s.winner),
	n AS (SELECT owner_id, count(*) FILTER (WHERE stage <> 'won') AS n FROM r GROUP BY owner_id),
	k AS MATERIALIZED (SELECT m.user_id, n.n FROM crm_counters AS m JOIN n ON n.owner_id = m.user_id
		WHERE m.tenant_id = ?tenant AND m.kind = ?kind ORDER BY m.user_id FOR NO KEY UPDATE OF m),
	u AS (UPDATE crm_counters AS m SET places = m.places - k.n FROM k
		WHERE m.tenant_id = ?tenant AND m.kind = ?kind AND m.user_id = k.user_id),
	l AS (INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, from_owner, pool_id, reason, note, rule_id, rule, request, at)
		SELECT ?tenant, ?kind, r.id, 'recycle', ?by, r.owner_id, r.pool_id, ?reason, '', v.id, v.rule, ?request, ?now
		FROM r JOIN (VALUES ?rules) AS v (winner, id, rule) ON v.winner = r.winner),
	a AS (INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, request, at, before, after)
		SELECT ?tenant, ?kind, id, ?kind, id, ?type, ?by, nullif(?reason, ''), ?request, ?now,
			'{"owner_id":' || CAST(to_json(owner_id) AS text) || '}', '{"owner_id":""}' FROM r),
	e AS (INSERT INTO crm_outbox (tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, request, at, data)
		SELECT ?tenant, ?kind, id, seq, ?kind, id, ?type, ?by, ?request, ?now, '{"owner_id":""}' FROM r)
	SELECT id, owner_id, winner FROM r`

func (r *records) releaseAtOnce(ctx context.Context, n int64, s pool.Sweep, d dueSQL, ids []int64) (rows []sweptRow, err error) {
	var free []int64
	err = r.raw("SELECT t.id FROM "+r.table+" AS t WHERE t.tenant_id = ? AND t.id IN (?) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED",
		n, bun.List(ids)).Scan(ctx, &free)
	if err != nil || len(free) == 0 {
		return nil, err
	}
	args := r.sweepArgs(n, s)
	args["winner"], args["where"], args["ids"] = d.winner, d.where, bun.List(free)
	text := strings.NewReplacer("{from}", d.from, "{table}", r.table).Replace(releaseBatch)
	if err = r.raw(text, args).Scan(ctx, &rows); err != nil || len(rows) == 0 {
		return rows, err
	}
	gone := make([]int64, len(rows))
	for i, x := range rows {
		gone[i] = x.ID
	}
	return rows, r.sweepTasks(ctx, n, s, "last_owner", gone)
}

func (r *records) sweepArgs(n int64, s pool.Sweep) binds {
	var rules tuples
	for i, rule := range s.Rules {
		rules = append(rules, tuple{i, int64(rule.ID), ruleText(rule)})
	}
	reason, _ := s.By.System()
	return binds{
		"tenant": n, "kind": r.kind, "now": moment(s.Now), "by": s.By.User, "reason": reason, "request": nullText(s.By.Request),
		"type": string(r.kind) + ".recycled", "rules": rules,
	}
}

// ruleText is what the log keeps of a rule: rules change, and the line must say what acted then.
func ruleText(rule pool.SweepRule) string { return rule.Name + ": " + rule.Condition }

// releaseStepwise does the same in a few statements inside SQLite's one write transaction. What tells of the old owner is
// written before the owner goes.
func (r *records) releaseStepwise(ctx context.Context, n int64, s pool.Sweep, d dueSQL, ids []int64) (rows []sweptRow, err error) {
	err = r.raw("SELECT t.id, t.owner_id, ? AS winner FROM "+d.from+" WHERE ? AND t.id IN (?) ORDER BY t.id", d.winner, d.where, bun.List(ids)).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	byRule := make([][]int64, len(s.Rules))
	all := make([]int64, len(rows))
	for i, x := range rows {
		all[i] = x.ID
		byRule[x.Winner] = append(byRule[x.Winner], x.ID)
	}
	args := r.sweepArgs(n, s)
	for i, ids := range byRule {
		if len(ids) == 0 {
			continue
		}
		args["ids"], args["rule_id"], args["rule"] = bun.List(ids), int64(s.Rules[i].ID), ruleText(s.Rules[i])
		if _, err := r.exec(ctx, `INSERT INTO crm_operations
				(tenant_id, kind, record_id, action, actor, from_owner, pool_id, reason, note, rule_id, rule, request, at)
			SELECT ?tenant, ?kind, id, 'recycle', ?by, owner_id, pool_id, ?reason, '', ?rule_id, ?rule, ?request, ?now
			FROM `+r.table+` WHERE tenant_id = ?tenant AND id IN (?ids) ORDER BY id`, args); err != nil {
			return nil, err
		}
	}
	if err := r.sweepTasks(ctx, n, s, "owner_id", all); err != nil {
		return nil, err
	}
	args["ids"] = bun.List(all)
	for _, text := range []string{
		`INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, request, at, before, after)
			SELECT ?tenant, ?kind, id, ?kind, id, ?type, ?by, nullif(?reason, ''), ?request, ?now, '{"owner_id":' || json_quote(owner_id) || '}', '{"owner_id":""}'
			FROM {table} WHERE tenant_id = ?tenant AND id IN (?ids) ORDER BY id`,
		`INSERT INTO crm_outbox (tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, request, at, data)
			SELECT ?tenant, ?kind, id, seq + 1, ?kind, id, ?type, ?by, ?request, ?now, '{"owner_id":""}'
			FROM {table} WHERE tenant_id = ?tenant AND id IN (?ids) ORDER BY id`,
		`UPDATE crm_counters AS m SET places = m.places - k.n FROM (SELECT owner_id, count(*) AS n FROM {table}
			WHERE tenant_id = ?tenant AND id IN (?ids) AND stage <> 'won' GROUP BY owner_id) AS k
			WHERE m.tenant_id = ?tenant AND m.kind = ?kind AND m.user_id = k.owner_id`,
		`UPDATE {table} SET last_owner = owner_id, owner_id = NULL, owned_since = NULL, pool_entered_at = ?now, lock_until = NULL, lock_reason = '',
			version = version + 1, seq = seq + 1,
			updated_at = ?now, updated_by = ?by WHERE tenant_id = ?tenant AND id IN (?ids)`,
	} {
		if _, err := r.exec(ctx, strings.ReplaceAll(text, "{table}", r.table), args); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
