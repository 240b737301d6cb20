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

// Near see [pool.DueRepository]. Each rule is asked by itself, so that the index of its own days serves it, and the lists
// are united: over an OR of rules all owned records would be walked.
func (r *dues) Near(ctx context.Context, s pool.Sweep, until time.Time, stamp string, after int64, atMost int) (ids []int64, err error) {
	n, err := r.tenant(ctx, s.By.Tenant)
	if err != nil {
		return nil, err
	}
	args := binds{
		"tenant": n, "pool": int64(s.Pool.ID), "until": moment(until), "after": after, "most": atMost,
		"kind": string(r.kind), "stamp": stamp, "now": moment(s.Now),
	}
	right := ""
	if stamp != "" { // a look by the key for each row: a join would be planned by what is known of a table that fills while the run goes
		right = ` AND (SELECT d.seq = t.seq AND d.stamp = ?stamp AND (d.next_at IS NULL OR d.next_at > ?now) FROM crm_due AS d
			WHERE d.tenant_id = t.tenant_id AND d.kind = ?kind AND d.record_id = t.id) IS NOT TRUE`
	}
	var arms []string
	for _, rule := range s.Rules {
		if rule.Action == pool.Keep {
			continue
		}
		in := conditionInput{Now: s.Now, Days: s.Days, Spend: spendWindow{s.SpendFrom, s.SpendUntil}, Table: r.Store.table}
		if rule.Action == pool.Release { // of a warn rule only what is true now
			in.Until = until
		}
		c, err := compileCondition(rule.Parsed, in)
		if err != nil {
			return nil, err
		}
		from := r.table + " AS t"
		if c.NeedsFacts {
			from += " JOIN crm_customer_facts AS f ON f.tenant_id = t.tenant_id AND f.customer_id = t.id"
		}
		name := "rule" + strconv.Itoa(len(arms))
		args[name] = schema.SafeQuery(c.SQL, c.Args)
		arms = append(arms, "SELECT t.id FROM "+from+` WHERE t.tenant_id = ?tenant AND t.pool_id = ?pool AND t.owner_id IS NOT NULL AND t.deleted_at IS NULL
			AND (t.lock_until IS NULL OR t.lock_until <= ?until) AND (?`+name+") AND "+exposedSQL+" AND t.id > ?after"+right)
	}
	if len(arms) == 0 {
		return nil, nil
	}
	err = r.raw(strings.Join(arms, " UNION ")+" ORDER BY id LIMIT ?most", args).Scan(ctx, &ids)
	return ids, err
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

// goodSQL tells whether a note is not worn.
const goodSQL = sameOwnershipSQL + " AND (d.due_at IS NULL OR " + countsSQL + " AND " + exposedSQL + ")"

// Doubtful see [pool.DueRepository]. It is one walk over the notes with their records, both in the order of the ids.
func (r *dues) Doubtful(
	ctx context.Context, tenant kernel.TenantID, now time.Time, pools []pool.ID, stamps []string, after int64, atMost int,
) ([]pool.Doubt, error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	args := binds{
		"tenant": n, "kind": string(r.kind), "after": after, "most": atMost, "now": moment(now),
		"stamps": bun.List(append(slices.Clone(stamps), "-")), "pools": bun.List(append(slices.Clone(pools), 0)), // never empty
	}
	var rows []struct {
		ID     int64
		PoolID pool.ID
		Worn   bool
	}
	err = r.raw(`SELECT d.record_id AS id, d.pool_id, (`+goodSQL+`) IS NOT TRUE AS worn
		FROM crm_due AS d LEFT JOIN `+r.table+` AS t ON t.tenant_id = d.tenant_id AND t.id = d.record_id
		WHERE d.tenant_id = ?tenant AND d.kind = ?kind AND d.record_id > ?after AND ((`+goodSQL+`) IS NOT TRUE
			OR d.due_at IS NOT NULL AND d.pool_id IN (?pools) AND (d.seq <> t.seq OR d.next_at <= ?now OR d.stamp NOT IN (?stamps)))
		ORDER BY d.record_id LIMIT ?most`, args).Scan(ctx, &rows)
	found := make([]pool.Doubt, len(rows))
	for i, x := range rows {
		found[i] = pool.Doubt{ID: x.ID, Pool: x.PoolID, Worn: x.Worn}
	}
	return found, err
}

// Wipe see [pool.DueRepository]. Whoever writes a note holds its record, so none is written meanwhile.
func (r *dues) Wipe(ctx context.Context, tenant kernel.TenantID, ids ...int64) error {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	free, err := r.hold(ctx, n, ids)
	if err != nil || len(free) == 0 {
		return err
	}
	const of = ` WHERE d.tenant_id = ? AND d.kind = ? AND d.record_id IN (?)
		AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.tenant_id = d.tenant_id AND t.id = d.record_id AND `
	for _, text := range []string{
		"DELETE FROM crm_due AS d" + of + sameOwnershipSQL + ")",
		"UPDATE crm_due AS d SET due_at = NULL, rule_id = 0, stamp = ''" + of + goodSQL + ")",
	} {
		if _, err := r.exec(ctx, strings.ReplaceAll(text, "{table}", r.table), n, string(r.kind), bun.List(free)); err != nil {
			return err
		}
	}
	return nil
}
