package bunstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

type tasks tx

func taskRowOf(tenant int64, t *customer.Task) taskRow {
	return taskRow{
		TenantID: tenant, Task: *t, CustomerID: nullID(t.CustomerID), DueAt: moment(t.DueAt), ClosedAt: moment(t.ClosedAt),
		ClosedBy: nullText(t.ClosedBy), CreatedAt: moment(t.CreatedAt), UpdatedAt: moment(t.UpdatedAt),
	}
}

func (r *taskRow) domain() *customer.Task {
	t := r.Task
	t.CustomerID, t.DueAt, t.ClosedAt = customer.ID(r.CustomerID), time.Time(r.DueAt), time.Time(r.ClosedAt)
	t.Masked = r.Masked
	t.ClosedBy, t.CreatedAt, t.UpdatedAt = kernel.UserID(r.ClosedBy), time.Time(r.CreatedAt), time.Time(r.UpdatedAt)
	return &t
}

func toTasks(rows []taskRow) []*customer.Task {
	ts := make([]*customer.Task, len(rows))
	for i := range rows {
		ts[i] = rows[i].domain()
	}
	return ts
}

func taskRows(tenant int64, ts []*customer.Task) []taskRow {
	rows := make([]taskRow, len(ts))
	for i, t := range ts {
		rows[i] = taskRowOf(tenant, t)
	}
	return rows
}

// Insert see [customer.TaskRepository].
func (c *tasks) Insert(ctx context.Context, tenant kernel.TenantID, ts ...*customer.Task) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ts) == 0 {
		return err
	}
	ids, err := t.newIDs(ctx, len(ts))
	if err != nil {
		return err
	}
	for i, x := range ts {
		x.ID = customer.TaskID(ids[i])
	}
	return insert(ctx, t, taskRows(n, ts))
}

// visibleTasks adds tenant, life and scope: a task may have no customer, so the customer is joined on the outside.
func (t *tx) visibleTasks(q *bun.SelectQuery, n int64, sc kernel.Scope) *bun.SelectQuery {
	q = q.ColumnExpr("?TableColumns").ColumnExpr("(t.id IS NOT NULL AND t.owner_id IS NULL) AS masked").
		Join("LEFT JOIN ? AS t ON t.tenant_id = j.tenant_id AND t.id = j.customer_id AND t.deleted_at IS NULL", t.table("customers")).
		Where("j.tenant_id = ?", n).Where("(j.customer_id IS NULL OR t.id IS NOT NULL)")
	text, args := scopeSQL(sc)
	if len(sc.Owners) > 0 {
		text, args = text+" OR j.owner_id IN (?)", append(args, bun.List(sc.Owners))
	}
	return q.Where("("+text+")", args...)
}

// Get see [customer.TaskRepository].
func (c *tasks) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...customer.TaskID) ([]*customer.Task, error) {
	return c.find(ctx, tenant, sc, false, ids)
}

// Lock see [customer.TaskRepository].
func (c *tasks) Lock(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...customer.TaskID) ([]*customer.Task, error) {
	return c.find(ctx, tenant, sc, true, ids)
}

func (c *tasks) find(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, lock bool, ids []customer.TaskID) ([]*customer.Task, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []taskRow
	q := t.visibleTasks(t.db.NewSelect().Model(&rows), n, sc).Where("j.id IN (?)", bun.List(ids)).Order("j.id")
	if lock {
		q = t.lockTasks(q)
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toTasks(rows), err
}

func (t *tx) lockTasks(q *bun.SelectQuery) *bun.SelectQuery {
	if t.pg {
		return q.For("UPDATE OF j")
	}
	return q
}

// Update see [customer.TaskRepository].
func (c *tasks) Update(ctx context.Context, tenant kernel.TenantID, ts ...*customer.Task) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	return put(ctx, t, taskRows(n, ts))
}

// List see [customer.TaskRepository]. Tasks of members that are all within the scope need no look at customers for it: the
// page is then walked on the index of their owner.
func (c *tasks) List(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f customer.TaskFilter, w kernel.Window,
) ([]*customer.Task, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	outside := func(u kernel.UserID) bool { return !slices.Contains(sc.Owners, u) }
	if len(f.Owners) > 0 && !slices.ContainsFunc(f.Owners, outside) {
		sc = kernel.Scope{All: true}
	}
	var rows []taskRow
	q := t.visibleTasks(t.db.NewSelect().Model(&rows), n, sc).Order("j.due_at", "j.id").Limit(int64(w.Limit) + 1)
	q = oneOf(oneOf(q, "j.owner_id", f.Owners), "j.state", f.States)
	if f.Customer != 0 {
		q = q.Where("j.customer_id = ?", int64(f.Customer))
	}
	if !f.DueFrom.IsZero() {
		q = q.Where("j.due_at >= ?", moment(f.DueFrom))
	}
	if !f.DueTo.IsZero() {
		q = q.Where("j.due_at < ?", moment(f.DueTo))
	}
	if len(w.After) > 1 {
		q = q.Where("(j.due_at, j.id) > (?, ?)", moment(time.UnixMicro(w.After[0])), w.After[1])
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toTasks(rows), err
}

// LockOpen see [customer.TaskRepository]. Tasks of deleted customers are handed over, too: they may come back.
func (c *tasks) LockOpen(
	ctx context.Context, tenant kernel.TenantID, owner kernel.UserID, after customer.TaskID, atMost int,
) ([]*customer.Task, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []taskRow
	q := t.db.NewSelect().Model(&rows).Where("j.tenant_id = ?", n).Where("j.owner_id = ?", owner).Where("j.state = ?", customer.TaskOpen).
		Where("+j.id > ?", int64(after)).OrderExpr("+j.id").Limit(int64(atMost))
	err = t.lockTasks(q).Conn(t.conn).Scan(ctx)
	return toTasks(rows), err
}

// CountOpen see [customer.TaskRepository].
func (c *tasks) CountOpen(ctx context.Context, tenant kernel.TenantID, owner kernel.UserID) (all, withOwner int, err error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, 0, err
	}
	err = t.raw(`SELECT count(*), count(t.id) FROM crm_tasks AS j LEFT JOIN crm_customers AS t ON t.tenant_id = j.tenant_id AND t.id = j.customer_id
			AND t.owner_id = j.owner_id AND t.deleted_at IS NULL
		WHERE j.tenant_id = ? AND j.owner_id = ? AND j.state = ?`, n, string(owner), string(customer.TaskOpen)).Scan(ctx, &all, &withOwner)
	return all, withOwner, err
}

// CancelOfOwners see [customer.TaskRepository].
func (c *tasks) CancelOfOwners(ctx context.Context, a kernel.Actor, at time.Time, reason string, ids ...customer.ID) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, a.Tenant)
	if err != nil || len(ids) == 0 {
		return err
	}
	records := make([]int64, len(ids))
	for i, id := range ids {
		records[i] = int64(id)
	}
	return t.followTasks(ctx, n, tasksOf{By: a, Now: at, Owner: "owner_id", Customers: records, Reason: reason})
}

// moveTasks lets the open tasks that the old owners have on the records go where the records go. It comes before the records
// change: they still name their owners.
func (r *records) moveTasks(ctx context.Context, n int64, mv pool.Move, ids []int64) error {
	owned := func(x pool.Record) bool { return x.OwnerID != "" }
	if r.kind != pool.Customers || !slices.ContainsFunc(mv.Records, owned) {
		return nil
	}
	return r.followTasks(ctx, n, tasksOf{By: mv.By, Now: mv.Now, Owner: "owner_id", Customers: ids, To: mv.To, Reason: string(mv.Action)})
}

func (r *records) sweepTasks(ctx context.Context, n int64, s pool.Sweep, owner string, ids []int64) error {
	if r.kind != pool.Customers {
		return nil
	}
	return r.followTasks(ctx, n, tasksOf{By: s.By, Now: s.Now, Owner: owner, Customers: ids, Reason: string(customer.Recycled)})
}

// tasksOf are the open tasks that the owners of customers have on them, and what becomes of them.
type tasksOf struct {
	By        kernel.Actor
	Now       time.Time
	Owner     string // the column of the customer that names the owner: "owner_id" before it changes, "last_owner" after
	Customers []int64
	To        kernel.UserID // who gets them; empty: they are cancelled
	Reason    string        // why
}

// SQLite, without statistics, takes the tables of a CROSS JOIN as they are written; and +j.id is j.id, but no reason to walk
// all tasks of the tenant in its order.
//
// The statement of Postgres takes the tasks in the order of their ids, as everybody does; the customers' rows are locked. The
// seq of a task's event is its version.
const (
	findTasks = `SELECT j.id, j.owner_id FROM crm_tasks AS j CROSS JOIN crm_customers AS t
		WHERE j.tenant_id = ?tenant AND j.customer_id IN (?ids) AND j.state = 'open'
			AND t.tenant_id = j.tenant_id AND t.id = j.customer_id AND t.{owner} = j.owner_id ORDER BY +j.id`
	taskAudit = `INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, request, at, before, after)
		SELECT ?tenant, 'task', x.id, 'task', x.id, ?type, ?by, nullif(?why, ''), ?request, ?now, {before}, ?after FROM {x} AS x`
	taskEvent = `INSERT INTO crm_outbox (tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, request, at, data)
		SELECT ?tenant, 'task', x.id, x.version, 'task', x.id, ?type, ?by, ?request, ?now, ?after FROM {x} AS x`
	followAtOnce = `WITH k AS MATERIALIZED (` + findTasks + ` FOR UPDATE OF j),
		x AS (UPDATE crm_tasks AS j SET {set}, version = j.version + 1, updated_at = ?now, updated_by = ?by
			FROM k WHERE j.tenant_id = ?tenant AND j.id = k.id RETURNING j.id, j.version, k.owner_id),
		a AS (` + taskAudit + `) ` + taskEvent
)

// followTasks is one statement on Postgres. On SQLite, inside its one write transaction, it is one where there are no tasks,
// and four where there are.
func (t *tx) followTasks(ctx context.Context, n int64, of tasksOf) error {
	set, before, after := "state = 'cancelled', reason = ?reason, closed_at = ?now, closed_by = ?by", `'{"state":"open"}'`, map[string]any{
		"state": customer.TaskCancelled, "reason": of.Reason, "closed_at": of.Now, "closed_by": of.By.User,
	}
	event := "task.cancelled"
	if of.To != "" {
		quoted := "json_quote(x.owner_id)"
		if t.pg {
			quoted = "CAST(to_json(x.owner_id) AS text)"
		}
		event, set, before, after = "task.updated", "owner_id = ?to", `'{"owner_id":' || `+quoted+` || '}'`, map[string]any{"owner_id": of.To}
	}
	text, err := asJSON(after)
	if err != nil {
		return err
	}
	why, _ := of.By.System()
	args := binds{
		"tenant": n, "ids": bun.List(of.Customers), "type": event, "by": of.By.User, "why": why, "request": nullText(of.By.Request), "now": moment(of.Now),
		"after": string(text), "reason": of.Reason, "to": of.To,
	}
	replace := strings.NewReplacer("{owner}", of.Owner, "{set}", set, "{before}", before, "{x}", "x")
	if t.pg {
		_, err := t.exec(ctx, replace.Replace(followAtOnce), args)
		return err
	}
	var found []struct {
		ID      int64
		OwnerID kernel.UserID
	}
	if err := t.raw(replace.Replace(findTasks), args).Scan(ctx, &found); err != nil || len(found) == 0 {
		return err
	}
	ids := make([]int64, len(found))
	for i, x := range found {
		ids[i] = x.ID
	}
	args["tasks"] = bun.List(ids)
	// What tells of the old owner is written before it goes: {x} is the tasks as they are now, with the version to come.
	now := "(SELECT j.id, j.version + 1 AS version, j.owner_id FROM crm_tasks AS j WHERE j.tenant_id = ?tenant AND j.id IN (?tasks) ORDER BY j.id)"
	replace = strings.NewReplacer("{before}", before, "{x}", now, "{set}", set)
	for _, text := range []string{
		taskAudit, taskEvent,
		"UPDATE crm_tasks SET {set}, version = version + 1, updated_at = ?now, updated_by = ?by WHERE tenant_id = ?tenant AND id IN (?tasks)",
	} {
		if _, err := t.exec(ctx, replace.Replace(text), args); err != nil {
			return err
		}
	}
	return nil
}
