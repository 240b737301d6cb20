package bunstore

import (
	"context"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// Locked see [pool.Repository].
func (r *records) Locked(ctx context.Context, tenant kernel.TenantID, owner kernel.UserID, now time.Time, but int64) (count int, err error) {
	n, err := r.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = r.raw("SELECT count(*) FROM "+r.table+" WHERE tenant_id = ? AND owner_id = ? AND lock_until > ? AND deleted_at IS NULL AND id <> ?",
		n, string(owner), moment(now), but).Scan(ctx, &count)
	return count, err
}

// SetLock see [pool.Repository]. The counter is written though nothing of it changes: of two transactions of the level
// REPEATABLE READ that lock at once the second then fails, instead of counting by its old snapshot.
func (r *records) SetLock(ctx context.Context, l pool.LockChange) error {
	n, err := r.tenant(ctx, l.By.Tenant)
	if err != nil {
		return err
	}
	x, args := l.Record, binds{
		"tenant": n, "id": l.Record.ID, "until": moment(l.Until), "reason": l.Reason, "now": moment(l.Now), "by": l.By.User,
		"kind": r.kind, "owner": l.Record.OwnerID,
	}
	if l.Action == customer.Locked {
		if _, err := r.exec(ctx, "UPDATE crm_counters SET places = places WHERE tenant_id = ?tenant AND kind = ?kind AND user_id = ?owner", args); err != nil {
			return err
		}
	}
	if _, err := r.exec(ctx, "UPDATE "+r.table+` SET lock_until = ?until, lock_reason = ?reason, version = version + 1, seq = seq + 1,
		updated_at = ?now, updated_by = ?by WHERE tenant_id = ?tenant AND id = ?id`, args); err != nil {
		return err
	}
	o := customer.Operation{
		RecordID: x.ID, Action: l.Action, Actor: l.By.User, From: x.OwnerID, To: x.OwnerID, PoolID: x.PoolID,
		Reason: l.Reason, Request: l.By.Request, At: l.Now,
	}
	if l.Action == customer.Locked {
		o.Note = "until " + l.Until.Format(time.RFC3339Nano)
	}
	if err := (&operations{r.tx, string(r.kind)}).Append(ctx, l.By.Tenant, o); err != nil {
		return err
	}
	before := map[string]any{"lock_until": x.LockUntil, "lock_reason": x.LockReason}
	after := map[string]any{"lock_until": l.Until, "lock_reason": l.Reason}
	for _, side := range []map[string]any{before, after} {
		if at, ok := side["lock_until"].(time.Time); ok && at.IsZero() {
			side["lock_until"] = nil
		}
	}
	ref := kernel.Ref{Kind: string(r.kind), ID: x.ID}
	return r.Journal().Record(ctx, l.By, l.Now, kernel.Change{
		Subject: ref, Seq: x.Seq + 1, Ref: ref, Type: string(r.kind) + pastOf(l.Action), Before: before, After: after,
	})
}
