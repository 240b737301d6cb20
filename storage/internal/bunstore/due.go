package bunstore

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// dues is what the warning run has noted of the records of one kind.
type dues struct{ records }

func (t *tx) Dues(k pool.Kind) pool.DueRepository { return &dues{records{t, k, recordTables[k]}} }

// dueRow is a note.
type dueRow struct {
	bun.BaseModel `bun:"table:crm_due,alias:d"`
	TenantID      int64
	Kind          string
	RecordID      int64
	OwnerID       kernel.UserID
	OwnedSince    moment
	PoolID        pool.ID
	FollowupFrom  moment
	LockUntil     moment
	DueAt         moment
	RuleID        pool.RuleID
	ToldDue       moment
	ToldStep      int64    // microseconds
	Warned        nullText // JSON
	Seq           int64
	Stamp         string
	NextAt        moment
}

func dueRowOf(tenant int64, kind string, n pool.Note) (dueRow, error) {
	warned := nullText("[]")
	if len(n.Warned) > 0 {
		var err error
		if warned, err = asJSON(n.Warned); err != nil {
			return dueRow{}, err
		}
	}
	return dueRow{
		TenantID: tenant, Kind: kind, RecordID: n.ID, OwnerID: n.Owner, OwnedSince: moment(n.OwnedSince), PoolID: n.Pool,
		FollowupFrom: moment(n.FollowupFrom), LockUntil: moment(n.LockUntil), DueAt: moment(n.DueAt), RuleID: n.Rule,
		ToldDue: moment(n.ToldDue), ToldStep: n.ToldStep.Microseconds(), Warned: warned,
		Seq: n.Seq, Stamp: n.Stamp, NextAt: moment(n.NextAt),
	}, nil
}

func (r *dueRow) domain() (pool.Note, error) {
	n := pool.Note{
		ID: r.RecordID, Owner: r.OwnerID, OwnedSince: time.Time(r.OwnedSince), Pool: r.PoolID, FollowupFrom: time.Time(r.FollowupFrom),
		LockUntil: time.Time(r.LockUntil), DueAt: time.Time(r.DueAt), Rule: r.RuleID, ToldDue: time.Time(r.ToldDue),
		ToldStep: time.Duration(r.ToldStep) * time.Microsecond, Seq: r.Seq, Stamp: r.Stamp, NextAt: time.Time(r.NextAt),
	}
	if r.Warned == "[]" {
		return n, nil
	}
	return n, json.Unmarshal([]byte(r.Warned), &n.Warned)
}

// A note counts as long as the record says what it said when it was judged. Its ownership goes on as long as the first line
// holds.
const (
	sameOwnershipSQL = "t.deleted_at IS NULL AND t.owner_id = d.owner_id AND t.owned_since = d.owned_since"
	countsSQL        = sameOwnershipSQL + ` AND t.pool_id = d.pool_id AND coalesce(t.last_followup_at, t.owned_since) = d.followup_from
		AND t.lock_until IS NOT DISTINCT FROM d.lock_until`
)

// Near see [pool.DueRepository]. Each rule is asked by itself, so that the index of its own days serves it: over an OR of rules
// all owned records would be walked. What they name and what is noted are put beside each other by the id in one grouping,
// and only what does not match comes back. A join of the two, or a look by the key for each, costs as much as the finding.
func (r *dues) Near(ctx context.Context, s pool.Sweep, until time.Time, stamp string, after int64, atMost int) ([]pool.Doubt, error) {
	n, err := r.tenant(ctx, s.By.Tenant)
	if err != nil {
		return nil, err
	}
	args := binds{
		"tenant": n, "pool": int64(s.Pool.ID), "until": moment(until), "after": after, "most": atMost,
		"kind": string(r.kind), "stamp": stamp, "now": moment(s.Now),
	}
	owner := "t.owner_id"
	if !r.pg {
		owner = "+t.owner_id" // SQLite would walk all that the members own, member by member, instead of the days of the rule
	}
	right := "FALSE"
	if stamp != "" {
		right = "d.stamp = ?stamp AND (d.next_at IS NULL OR d.next_at > ?now)"
	}
	arms := []string{"SELECT d.record_id AS id, CAST(NULL AS bigint) AS seq, CASE WHEN " + right + ` THEN d.seq ELSE -1 END AS noted,
		CASE WHEN d.due_at IS NULL THEN 0 ELSE 1 END AS due
		FROM crm_due AS d WHERE d.tenant_id = ?tenant AND d.kind = ?kind AND d.pool_id = ?pool AND d.record_id > ?after`}
	for _, rule := range s.Rules {
		if rule.Action == pool.Keep {
			continue
		}
		in := conditionInput{Now: s.Now, Days: s.Days, Spend: spendWindow{s.SpendFrom, s.SpendUntil}, Table: r.Store.table, Kind: r.kind}
		if rule.Action == pool.Release { // of a warn rule only what is true now
			in.Until = until
		}
		c, err := compileCondition(rule.Parsed, in)
		if err != nil {
			return nil, err
		}
		from := r.table + " AS t"
		if c.NeedsFacts {
			from += " " + kinds[r.kind].facts
		}
		name := "rule" + strconv.Itoa(len(arms))
		args[name] = schema.SafeQuery(c.SQL, c.Args)
		arms = append(arms, "SELECT t.id, t.seq, NULL, 0 FROM "+from+` WHERE t.tenant_id = ?tenant AND t.pool_id = ?pool AND t.owner_id IS NOT NULL
			AND t.deleted_at IS NULL AND (t.lock_until IS NULL OR t.lock_until <= ?until) AND (?`+name+") AND "+owner+" IN ("+membersSQL+") AND t.id > ?after")
	}
	var rows []struct {
		ID    int64
		Named bool
	}
	err = r.raw("SELECT id, max(seq) IS NOT NULL AS named FROM ("+strings.Join(arms, " UNION ALL ")+`) AS x GROUP BY id
		HAVING max(seq) IS DISTINCT FROM max(noted) AND (max(seq) IS NOT NULL OR max(due) = 1) ORDER BY id LIMIT ?most`, args).Scan(ctx, &rows)
	found := make([]pool.Doubt, len(rows))
	for i, x := range rows {
		found[i] = pool.Doubt{ID: x.ID, Named: x.Named}
	}
	return found, err
}

// Hold see [pool.DueRepository].
func (r *dues) Hold(ctx context.Context, tenant kernel.TenantID, ids ...int64) ([]pool.Record, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	free, err := r.hold(ctx, n, ids)
	if err != nil {
		return nil, err
	}
	return r.Look(ctx, tenant, free...)
}

// hold locks those of the records that nobody else holds, deleted or not.
func (r *dues) hold(ctx context.Context, n int64, ids []int64) (free []int64, err error) {
	if !r.pg || len(ids) == 0 {
		return ids, nil
	}
	err = r.raw("SELECT id FROM "+r.table+" WHERE tenant_id = ? AND id IN (?) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED", n, bun.List(ids)).Scan(ctx, &free)
	return free, err
}

// Notes see [pool.DueRepository].
func (r *dues) Notes(ctx context.Context, tenant kernel.TenantID, ids ...int64) (map[int64]pool.Note, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []dueRow
	err = r.db.NewSelect().Model(&rows).Where("d.tenant_id = ?", n).Where("d.kind = ?", string(r.kind)).
		Where("d.record_id IN (?)", bun.List(ids)).Conn(r.conn).Scan(ctx)
	notes := make(map[int64]pool.Note, len(rows))
	for i := range rows {
		if err != nil {
			return nil, err
		}
		notes[rows[i].RecordID], err = rows[i].domain()
	}
	return notes, err
}

// Write see [pool.DueRepository].
func (r *dues) Write(ctx context.Context, tenant kernel.TenantID, notes ...pool.Note) error {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]dueRow, len(notes))
	for i, x := range notes {
		if rows[i], err = dueRowOf(n, string(r.kind), x); err != nil {
			return err
		}
	}
	for len(rows) > 0 {
		part := rows[:min(len(rows), r.batch())]
		if _, err := r.db.NewInsert().Model(&part).Conn(r.conn).On("CONFLICT (tenant_id, kind, record_id) DO UPDATE").Returning("NULL").Exec(ctx); err != nil {
			return err
		}
		rows = rows[len(part):]
	}
	return nil
}

// Tell see [pool.DueRepository]. A record has one event or two; its seq rises by as many.
func (r *dues) Tell(ctx context.Context, by kernel.Actor, now time.Time, events ...pool.Told) error {
	n, err := r.tenant(ctx, by.Tenant)
	if err != nil || len(events) == 0 {
		return err
	}
	count := map[int64]int64{}
	changes := make([]kernel.Change, len(events))
	for i, e := range events {
		count[e.Record.ID]++
		ref := kernel.Ref{Kind: string(r.kind), ID: e.Record.ID}
		changes[i] = kernel.Change{
			Subject: ref, Seq: e.Record.Seq + count[e.Record.ID], Ref: ref, Type: string(r.kind) + "." + e.Type, After: e.Data,
		}
	}
	raised := map[int64][]int64{}
	for id, k := range count {
		raised[k] = append(raised[k], id)
	}
	for k, ids := range raised {
		if _, err := r.exec(ctx, "UPDATE "+r.table+" SET seq = seq + ? WHERE tenant_id = ? AND id IN (?)", k, n, bun.List(ids)); err != nil {
			return err
		}
	}
	return r.Journal().Record(ctx, by, now, changes...)
}

// exposedSQL tells whether the owner of t is an active member of its home pool. All its conditions stand under WHERE: with
// t under ON, Postgres would ask for every row instead of joining.
const exposedSQL = `EXISTS (SELECT 1 FROM crm_members AS m, crm_pools AS p WHERE m.tenant_id = t.tenant_id AND m.user_id = t.owner_id
	AND m.inactive_since IS NULL AND p.tenant_id = m.tenant_id AND p.id = t.pool_id AND ` + belongsSQL + ")"

// membersSQL are the active members of one pool. Nothing in it depends on a record, so that it is read once.
const membersSQL = `SELECT m.user_id FROM crm_members AS m, crm_pools AS p WHERE m.tenant_id = ?tenant
	AND m.inactive_since IS NULL AND p.tenant_id = ?tenant AND p.id = ?pool AND ` + belongsSQL

// goodSQL tells whether a note is not worn.
const goodSQL = sameOwnershipSQL + " AND (d.due_at IS NULL OR " + countsSQL + " AND " + exposedSQL + ")"

// Pools see [pool.DueRepository]. It goes from one pool to the next by the index, whatever the number of notes.
func (r *dues) Pools(ctx context.Context, tenant kernel.TenantID) (ids []pool.ID, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	const next = "SELECT min(d.pool_id) FROM crm_due AS d WHERE d.tenant_id = ?tenant AND d.kind = ?kind"
	err = r.raw("WITH RECURSIVE p (id) AS ("+next+" UNION ALL SELECT ("+next+` AND d.pool_id > p.id) FROM p WHERE p.id IS NOT NULL)
		SELECT id FROM p WHERE id IS NOT NULL`, binds{"tenant": n, "kind": string(r.kind)}).Scan(ctx, &ids)
	return ids, err
}

// Ended see [pool.DueRepository]. The record of each is looked up by its key: Postgres would join with the whole table
// instead.
func (r *dues) Ended(ctx context.Context, tenant kernel.TenantID, after int64, atMost int) (ids []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	err = r.raw(`SELECT d.record_id FROM crm_due AS d WHERE d.tenant_id = ?tenant AND d.kind = ?kind AND d.due_at IS NULL AND d.record_id > ?after
		AND (SELECT `+sameOwnershipSQL+" FROM "+r.table+` AS t WHERE t.tenant_id = d.tenant_id AND t.id = d.record_id) IS NOT TRUE
		ORDER BY d.record_id LIMIT ?most`, binds{"tenant": n, "kind": string(r.kind), "after": after, "most": atMost}).Scan(ctx, &ids)
	return ids, err
}

// Wipe see [pool.DueRepository]. Whoever writes a note holds its record, so none is written meanwhile; of a record that is gone
// nobody can.
func (r *dues) Wipe(ctx context.Context, tenant kernel.TenantID, ids ...int64) (cleaned []int64, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	free, err := r.hold(ctx, n, ids)
	if err != nil {
		return nil, err
	}
	const (
		of = " WHERE d.tenant_id = ? AND d.kind = ? AND d.record_id IN (?)" +
			" AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.tenant_id = d.tenant_id AND t.id = d.record_id"
		done = ") RETURNING record_id"
	)
	for _, x := range []struct {
		text string
		of   []int64
	}{
		{"DELETE FROM crm_due AS d" + of + done, ids},
		{"DELETE FROM crm_due AS d" + of + " AND " + sameOwnershipSQL + done, free},
		{"UPDATE crm_due AS d SET due_at = NULL, rule_id = 0, stamp = ''" + of + " AND " + goodSQL + done, free},
	} {
		var some []int64
		if len(x.of) == 0 {
			continue
		}
		if err := r.raw(strings.ReplaceAll(x.text, "{table}", r.table), n, string(r.kind), bun.List(x.of)).Scan(ctx, &some); err != nil {
			return nil, err
		}
		cleaned = append(cleaned, some...)
	}
	slices.Sort(cleaned)
	return cleaned, nil
}
