package bunstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

type journal tx

// Record see [kernel.Journal].
func (j *journal) Record(ctx context.Context, a kernel.Actor, at time.Time, changes ...kernel.Change) error {
	if len(changes) == 0 {
		return nil
	}
	t := (*tx)(j)
	n, err := t.tenant(ctx, a.Tenant)
	if err != nil {
		return err
	}
	if changes, err = t.numbered(ctx, n, changes); err != nil {
		return err
	}
	reason, _ := a.System()
	audits, events := make([]auditRow, len(changes)), make([]eventRow, len(changes))
	for i, c := range changes {
		by := stamp{
			TenantID: n, SubjectKind: c.Subject.Kind, SubjectID: c.Subject.ID, Kind: c.Ref.Kind, RecordID: c.Ref.ID, Type: c.Type,
			Actor: a.User, Request: nullText(a.Request), At: moment(at),
		}
		before, err1 := asJSON(c.Before)
		after, err2 := asJSON(c.After)
		if err := kernel.FirstError(err1, err2); err != nil {
			return err
		}
		audits[i] = auditRow{stamp: by, Reason: nullText(reason), Before: before, After: after}
		events[i] = eventRow{stamp: by, Seq: c.Seq, Data: after}
	}
	if len(changes) == 1 {
		return t.recordOne(ctx, &audits[0], &events[0])
	}
	return kernel.FirstError(insert(ctx, t, audits), insert(ctx, t, events))
}

// recordOne writes the two rows of a single change.
func (t *tx) recordOne(ctx context.Context, audit *auditRow, event *eventRow) error {
	args := named{}
	if err := kernel.FirstError(t.rowArgs(args, audit), t.rowArgs(args, event)); err != nil {
		return err
	}
	if _, err := t.do(ctx, "journal", args); err != nil || t.pg {
		return err
	}
	_, err := t.do(ctx, "journal.event", args)
	return err
}

// numbered gives the changes of subjects without a seq of their own the next ones. The rows are taken in one order, so that
// two transactions that write about the same subjects wait for each other instead of deadlocking.
func (t *tx) numbered(ctx context.Context, tenant int64, changes []kernel.Change) ([]kernel.Change, error) {
	count := map[kernel.Ref]int64{}
	for _, c := range changes {
		if c.Seq == 0 {
			count[c.Subject]++
		}
	}
	if len(count) == 0 {
		return changes, nil
	}
	subjects := make([]kernel.Ref, 0, len(count))
	for ref := range count {
		subjects = append(subjects, ref)
	}
	slices.SortFunc(subjects, func(a, b kernel.Ref) int {
		if a.Kind != b.Kind {
			return cmp.Compare(a.Kind, b.Kind)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	last := make(map[kernel.Ref]int64, len(count))
	subjects, err := t.raiseRows(ctx, tenant, subjects, count, last)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(subjects, t.batch()) {
		if err := t.raiseSeqs(ctx, tenant, part, count, last); err != nil {
			return nil, err
		}
	}
	all := slices.Clone(changes)
	for i := range all {
		if c := &all[i]; c.Seq == 0 {
			count[c.Subject]--
			c.Seq = last[c.Subject] - count[c.Subject]
		}
	}
	return all, nil
}

// raiseRows raises the seqs of subjects that have a row of their own, locked in the order of the ids, and returns the others.
func (t *tx) raiseRows(ctx context.Context, tenant int64, subjects []kernel.Ref, count, last map[kernel.Ref]int64) (others []kernel.Ref, err error) {
	rows := map[string][]kernel.Ref{}
	for _, ref := range subjects {
		if _, owned := recordTables[pool.Kind(ref.Kind)]; owned {
			rows[ref.Kind] = append(rows[ref.Kind], ref)
		} else {
			others = append(others, ref)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(rows)) {
		for part := range slices.Chunk(rows[kind], t.batch()) {
			if err := t.raiseRowsOf(ctx, tenant, recordTables[pool.Kind(kind)], part, count, last); err != nil {
				return nil, err
			}
		}
	}
	return others, nil
}

func (t *tx) raiseRowsOf(ctx context.Context, tenant int64, table string, refs []kernel.Ref, count, last map[kernel.Ref]int64) error {
	ids, values := make([]int64, len(refs)), make(tuples, len(refs))
	for i, ref := range refs {
		ids[i], values[i] = ref.ID, tuple{ref.ID, count[ref]}
	}
	if t.pg && len(refs) > 1 { // one row is locked by its update
		var locked []int64
		err := t.raw("SELECT id FROM "+table+" WHERE tenant_id = ? AND id IN (?) ORDER BY id FOR NO KEY UPDATE", tenant, bun.List(ids)).Scan(ctx, &locked)
		if err != nil {
			return err
		}
	}
	var seqs []struct{ ID, Seq int64 }
	err := t.raw("UPDATE "+table+` AS t SET seq = t.seq + v.column2 FROM (VALUES ?) AS v
		WHERE t.tenant_id = ? AND t.id = v.column1 RETURNING id, seq`, values, tenant).Scan(ctx, &seqs)
	if err == nil && len(seqs) < len(refs) {
		err = kernel.ErrNotFound
	}
	for _, s := range seqs {
		last[kernel.Ref{Kind: refs[0].Kind, ID: s.ID}] = s.Seq
	}
	return err
}

func (t *tx) raiseSeqs(ctx context.Context, tenant int64, subjects []kernel.Ref, count, last map[kernel.Ref]int64) error {
	values := make(tuples, len(subjects))
	for i, ref := range subjects {
		values[i] = tuple{tenant, ref.Kind, ref.ID, count[ref]}
	}
	var got []struct {
		Kind     string
		RecordID int64
		Seq      int64
	}
	err := t.raw(`INSERT INTO crm_subjects AS s (tenant_id, kind, record_id, seq) VALUES ?
		ON CONFLICT (tenant_id, kind, record_id) DO UPDATE SET seq = s.seq + excluded.seq RETURNING kind, record_id, seq`,
		values).Scan(ctx, &got)
	for _, g := range got {
		last[kernel.Ref{Kind: g.Kind, ID: g.RecordID}] = g.Seq
	}
	return err
}

type requests tx

// Begin see [kernel.Requests]. On Postgres the insert waits for another transaction with the same key to end.
func (q *requests) Begin(ctx context.Context, a kernel.Actor, op string, hash []byte, at time.Time) ([]byte, error) {
	t := (*tx)(q)
	n, err := t.tenant(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	made, err := t.exec(ctx, `INSERT INTO crm_requests (tenant_id, request, op, hash, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		n, a.Request, op, hash, moment(at))
	if err != nil || made == 1 {
		return nil, err
	}
	var found []struct{ Hash, Outcome []byte }
	err = t.raw("SELECT hash, outcome FROM crm_requests WHERE tenant_id = ? AND request = ? AND op = ?", n, a.Request, op).Scan(ctx, &found)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0: // it was forgotten between the two statements
		return nil, kernel.ErrRetry
	case !bytes.Equal(found[0].Hash, hash):
		return nil, &kernel.Error{Code: kernel.ErrConflict, Field: "actor.request", Reason: kernel.Reused}
	case found[0].Outcome == nil:
		return nil, bug("request %q has no outcome", a.Request)
	}
	return found[0].Outcome, nil
}

// End see [kernel.Requests].
func (q *requests) End(ctx context.Context, a kernel.Actor, op string, outcome []byte) error {
	t := (*tx)(q)
	n, err := t.tenant(ctx, a.Tenant)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "UPDATE crm_requests SET outcome = ? WHERE tenant_id = ? AND request = ? AND op = ?", outcome, n, a.Request, op)
	return err
}
