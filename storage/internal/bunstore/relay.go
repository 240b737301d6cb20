package bunstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// relay leases events and notes what becomes of them. That an event is the head of its subject cannot change before it is
// delivered: events of a subject are committed in the order of seq, and none becomes undelivered again.
type relay tx

// walkSteps bounds how many subjects one statement looks at.
const walkSteps = 1_000

// walkSQL hops from subject to subject over the index of what waits, from one head to the next, and never reads what
// waits behind a head or was delivered. The last row has no id when there is no subject left. The plus and the CROSS JOIN are
// for SQLite: a bare column would end the range of its index at the kind, and the join would begin with the outbox.
const walkSQL = `WITH RECURSIVE walk (id, step) AS (
	SELECT (SELECT x.id FROM crm_outbox AS x {waiting} WHERE x.tenant_id = ?tenant AND x.delivered_at IS NULL
		AND (x.subject_kind, x.subject_id) > (?kind, ?subject) ORDER BY x.subject_kind, x.subject_id, x.seq LIMIT 1), 1
	UNION ALL
	SELECT (SELECT x.id FROM crm_outbox AS x {waiting} WHERE x.tenant_id = ?tenant AND x.delivered_at IS NULL
		AND (x.subject_kind, x.subject_id) > (e.subject_kind, +e.subject_id) ORDER BY x.subject_kind, x.subject_id, x.seq LIMIT 1), w.step + 1
	FROM walk AS w CROSS JOIN crm_outbox AS e WHERE e.tenant_id = ?tenant AND e.id = w.id AND w.step < ?steps
)`

// headsSQL is a walk with what decides whether a head is due.
const headsSQL = walkSQL + `
SELECT e.id, e.subject_kind, e.subject_id, e.seq, w.step, (NOT e.dead AND (e.due_at IS NULL OR e.due_at <= ?now)
	AND (e.lease_until IS NULL OR e.lease_until <= ?now)) AS due
FROM walk AS w CROSS JOIN crm_outbox AS e WHERE e.tenant_id = ?tenant AND e.id = w.id ORDER BY w.step`

type headRow struct {
	ID          int64
	SubjectKind string
	SubjectID   int64
	Seq         int64
	Step        int
	Due         bool
}

// waiting writes a statement for the engine: SQLite keeps no statistics unless the host asks for them, and must be told the
// index of what waits, or, by a plus before the tenant, that the ids are what finds the rows.
func (t *tx) waiting(text string) string {
	hint, plus := "INDEXED BY crm_ix_outbox_waiting", "+"
	if t.pg {
		hint, plus = "", ""
	}
	return strings.NewReplacer("{waiting}", hint, "{+}", plus).Replace(text)
}

// Take see [team.RelayRepository].
func (r *relay) Take(ctx context.Context, tenant kernel.TenantID, c team.Claim, now time.Time) (taken team.Taken, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return taken, err
	}
	var walked []headRow
	err = t.raw(t.waiting(headsSQL), binds{
		"tenant": n, "kind": c.After.Kind, "subject": c.After.ID, "steps": walkSteps, "now": moment(now),
	}).Scan(ctx, &walked)
	if err != nil {
		return taken, err
	}
	taken.After, taken.Last = c.After, len(walked) < walkSteps
	var due []int64
	for i, h := range walked {
		if h.Due {
			due = append(due, h.ID)
		}
		taken.After = kernel.Ref{Kind: h.SubjectKind, ID: h.SubjectID}
		if len(due) == c.AtMost {
			taken.Last = taken.Last && i == len(walked)-1
			walked = walked[:i+1]
			break
		}
	}
	if due, err = r.lock(ctx, n, due, now); err != nil || len(due) == 0 {
		return taken, err
	}
	var heads tuples
	for _, h := range walked {
		if slices.Contains(due, h.ID) {
			heads = append(heads, tuple{h.SubjectKind, h.SubjectID, h.Seq})
		}
	}
	taken.Events, err = r.lease(ctx, n, heads, c)
	return taken, err
}

// lock keeps the heads that still are due and that nobody else is about to lease.
func (r *relay) lock(ctx context.Context, n int64, heads []int64, now time.Time) (locked []int64, err error) {
	if len(heads) == 0 {
		return nil, nil
	}
	t := (*tx)(r)
	text := `SELECT e.id FROM crm_outbox AS e WHERE {+}e.tenant_id = ? AND e.id IN (?) AND e.delivered_at IS NULL AND NOT e.dead
		AND (e.due_at IS NULL OR e.due_at <= ?) AND (e.lease_until IS NULL OR e.lease_until <= ?) ORDER BY e.id`
	if t.pg {
		text += " FOR NO KEY UPDATE SKIP LOCKED"
	}
	err = t.raw(t.waiting(text), n, bun.List(heads), moment(now), moment(now)).Scan(ctx, &locked)
	return locked, err
}

// lease takes the heads, and as much behind each as all have room for.
func (r *relay) lease(ctx context.Context, n int64, heads tuples, c team.Claim) ([]team.LeasedEvent, error) {
	t := (*tx)(r)
	var rows []struct {
		ID int64
		eventRow
		Attempts int
	}
	err := t.raw(t.waiting(`WITH h (kind, subject, seq) AS (VALUES ?heads)
		UPDATE crm_outbox SET lease_until = ?until, lease_token = ?token WHERE {+}tenant_id = ?tenant AND id IN (
			SELECT x.id FROM h CROSS JOIN crm_outbox AS x {waiting} WHERE x.tenant_id = ?tenant AND x.subject_kind = h.kind AND x.subject_id = h.subject
				AND x.seq >= h.seq AND x.seq < h.seq + ?run AND x.delivered_at IS NULL)
		RETURNING id, attempts, `)+t.columnsOf((*eventRow)(nil), ""), binds{
		"heads": heads, "until": moment(c.Until), "token": c.Token, "tenant": n, "run": max(1, c.AtMost/len(heads)),
	}).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	events := make([]team.LeasedEvent, len(rows))
	for i, x := range rows {
		events[i] = team.LeasedEvent{Event: x.event(x.ID), Attempts: x.Attempts}
	}
	slices.SortFunc(events, func(a, b team.LeasedEvent) int {
		return cmp.Or(cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.ID, b.Subject.ID), cmp.Compare(a.Seq, b.Seq))
	})
	return events, nil
}

// Renew see [team.RelayRepository].
func (r *relay) Renew(ctx context.Context, tenant kernel.TenantID, token string, until time.Time, ids []int64) (kept []int64, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	err = t.raw(t.waiting(`UPDATE crm_outbox AS e SET lease_until = ?until WHERE {+}e.tenant_id = ?tenant AND e.id IN (?ids) AND e.lease_token = ?token
		AND e.delivered_at IS NULL AND NOT EXISTS (SELECT 1 FROM crm_outbox AS x WHERE x.tenant_id = ?tenant AND x.subject_kind = e.subject_kind
			AND x.subject_id = e.subject_id AND x.seq < e.seq AND x.delivered_at IS NULL AND (x.lease_token IS NULL OR x.lease_token <> ?token))
		RETURNING id`), binds{"until": moment(until), "tenant": n, "ids": bun.List(ids), "token": token}).Scan(ctx, &kept)
	return kept, err
}

// Mark see [team.RelayRepository].
func (r *relay) Mark(ctx context.Context, tenant kernel.TenantID, token string, at time.Time, ids []int64) (int, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return t.exec(ctx, t.waiting(`UPDATE crm_outbox SET delivered_at = ?, lease_until = NULL, lease_token = NULL
		WHERE {+}tenant_id = ? AND id IN (?) AND lease_token = ? AND delivered_at IS NULL`), moment(at), n, bun.List(ids), token)
}

// Fail see [team.RelayRepository].
func (r *relay) Fail(ctx context.Context, tenant kernel.TenantID, token string, f team.Failure) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	noted, err := t.exec(ctx, `UPDATE crm_outbox SET attempts = ?, due_at = ?, dead = ?, last_error = ?, lease_until = NULL, lease_token = NULL
		WHERE tenant_id = ? AND id = ? AND lease_token = ? AND delivered_at IS NULL`,
		f.Attempts, moment(f.Due), f.Dead, f.Error, n, f.ID, token)
	if err != nil || noted == 0 {
		return false, err
	}
	_, err = t.exec(ctx, `UPDATE crm_outbox SET lease_until = NULL, lease_token = NULL
		WHERE tenant_id = ? AND subject_kind = ? AND subject_id = ? AND seq > ? AND delivered_at IS NULL AND lease_token = ?`,
		n, f.Subject.Kind, f.Subject.ID, f.Seq, token)
	return true, err
}

// Release see [team.RelayRepository].
func (r *relay) Release(ctx context.Context, tenant kernel.TenantID, token string, ids []int64) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = t.exec(ctx, t.waiting(`UPDATE crm_outbox SET lease_until = NULL, lease_token = NULL
		WHERE {+}tenant_id = ? AND id IN (?) AND lease_token = ? AND delivered_at IS NULL`), n, bun.List(ids), token)
	return err
}

// Settle see [team.RelayRepository].
func (r *relay) Settle(ctx context.Context, tenant kernel.TenantID, id int64, skip bool, at time.Time) (known, settled bool, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, false, err
	}
	var done int
	if skip { // it stays dead: that tells it from what was delivered
		done, err = t.exec(ctx, "UPDATE crm_outbox SET delivered_at = ? WHERE tenant_id = ? AND id = ? AND dead AND delivered_at IS NULL", moment(at), n, id)
	} else {
		done, err = t.exec(ctx, `UPDATE crm_outbox SET dead = FALSE, attempts = 0, due_at = NULL
			WHERE tenant_id = ? AND id = ? AND dead AND delivered_at IS NULL`, n, id)
	}
	if err != nil || done == 1 {
		return done == 1, done == 1, err
	}
	var found int
	err = t.raw("SELECT count(*) FROM crm_outbox WHERE tenant_id = ? AND id = ?", n, id).Scan(ctx, &found)
	return found == 1, false, err
}

// Dead see [team.RelayRepository].
func (r *relay) Dead(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]team.DeadLetter, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	after := int64(0)
	if len(w.After) > 0 {
		after = w.After[0]
	}
	var rows []struct {
		ID int64
		eventRow
		Attempts  int
		LastError nullText
		DueAt     moment
		Masked    bool
	}
	err = t.raw("SELECT e.id, e.attempts, e.last_error, e.due_at, "+t.columnsOf((*eventRow)(nil), "e.")+", "+subjectInPool("e")+` FROM crm_outbox AS e
		WHERE e.tenant_id = ? AND e.dead AND e.delivered_at IS NULL AND e.id > ? ORDER BY e.id LIMIT ?`, n, after, w.Limit+1).Scan(ctx, &rows)
	letters := make([]team.DeadLetter, len(rows))
	for i, x := range rows {
		letters[i] = team.DeadLetter{Event: x.event(x.ID), Attempts: x.Attempts, LastError: string(x.LastError), DiedAt: time.Time(x.DueAt)}
		letters[i].Masked = x.Masked
	}
	return letters, err
}

// Backlog see [team.RelayRepository].
func (r *relay) Backlog(ctx context.Context, tenant kernel.TenantID) (b team.Backlog, err error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return b, err
	}
	var oldest moment
	var events, dead, subjects int
	args := binds{"tenant": n, "kind": "", "subject": 0, "steps": team.MaxBacklog + 1, "most": team.MaxBacklog + 1}
	err = kernel.FirstError(
		t.raw(t.waiting(`SELECT count(*) FROM (SELECT 1 FROM crm_outbox AS e {waiting}
			WHERE e.tenant_id = ?tenant AND e.delivered_at IS NULL
			ORDER BY e.subject_kind, e.subject_id, e.seq LIMIT ?most) AS x`), args).Scan(ctx, &events),
		t.raw(`SELECT count(*) FROM (SELECT 1 FROM crm_outbox AS e
			WHERE e.tenant_id = ?tenant AND e.dead AND e.delivered_at IS NULL LIMIT ?most) AS x`, args).Scan(ctx, &dead),
		t.raw(t.waiting(walkSQL)+` SELECT count(*), min(e.at) FROM walk AS w CROSS JOIN crm_outbox AS e WHERE e.tenant_id = ?tenant AND e.id = w.id`, args).
			Scan(ctx, &subjects, &oldest),
	)
	b = team.Backlog{
		Events: min(events, team.MaxBacklog), Subjects: min(subjects, team.MaxBacklog), Dead: min(dead, team.MaxBacklog),
		Oldest: time.Time(oldest), Capped: max(events, subjects, dead) > team.MaxBacklog,
	}
	return b, err
}

// Purge see [team.RelayRepository].
func (r *relay) Purge(ctx context.Context, tenant kernel.TenantID, before time.Time, atMost int) (int, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	skip := ""
	if t.pg {
		skip = "FOR UPDATE SKIP LOCKED" // another call is deleting them
	}
	return t.exec(ctx, t.waiting(`DELETE FROM crm_outbox WHERE {+}tenant_id = ?0 AND id IN (SELECT x.id FROM crm_outbox AS x
		WHERE x.tenant_id = ?0 AND x.delivered_at <= ?1 ORDER BY x.delivered_at LIMIT ?2 `+skip+`)`), n, moment(before), atMost)
}
