package bunstore

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

type trail tx

func (s stamp) subject() kernel.Ref { return kernel.Ref{Kind: s.SubjectKind, ID: s.SubjectID} }
func (s stamp) ref() kernel.Ref     { return kernel.Ref{Kind: s.Kind, ID: s.RecordID} }

// told adds tenant and filter to a query of rows that carry a stamp.
func told(q *bun.SelectQuery, n int64, f team.TrailFilter) *bun.SelectQuery {
	q = q.Where("?TableAlias.tenant_id = ?", n)
	if f.Subject != (kernel.Ref{}) {
		q = q.Where("?TableAlias.subject_kind = ? AND ?TableAlias.subject_id = ?", f.Subject.Kind, f.Subject.ID)
	}
	if f.Actor != "" {
		q = q.Where("?TableAlias.actor = ?", f.Actor)
	}
	if len(f.Types) > 0 {
		q = q.Where("?TableAlias.type IN (?)", bun.List(f.Types))
	}
	if !f.From.IsZero() {
		q = q.Where("?TableAlias.at >= ?", moment(f.From))
	}
	if !f.To.IsZero() {
		q = q.Where("?TableAlias.at < ?", moment(f.To))
	}
	return q
}

// subjectInPool is the column that tells whether the customer that a row belongs to lies in a pool: a look by primary key for
// each row of the page. With EXISTS instead Postgres may read every customer that lies in a pool into a hash first.
func subjectInPool(alias string) string {
	return strings.ReplaceAll(`coalesce(CASE {row}.subject_kind WHEN 'lead' THEN (SELECT t.owner_id IS NULL FROM crm_leads AS t
		WHERE t.tenant_id = {row}.tenant_id AND t.id = {row}.subject_id) ELSE
		(SELECT t.owner_id IS NULL FROM crm_customers AS t WHERE t.tenant_id = {row}.tenant_id AND t.id =
		CASE {row}.subject_kind WHEN 'customer' THEN {row}.subject_id
			WHEN 'task' THEN (SELECT j.customer_id FROM crm_tasks AS j WHERE j.tenant_id = {row}.tenant_id AND j.id = {row}.subject_id) END) END,
		FALSE) AS masked`, "{row}", alias)
}

// Audit see [team.TrailRepository].
func (r *trail) Audit(ctx context.Context, tenant kernel.TenantID, f team.TrailFilter, w kernel.Window) ([]kernel.AuditEntry, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID     int64
		Masked bool
		auditRow
	}
	q := told(t.db.NewSelect().Model((*auditRow)(nil)), n, f).ColumnExpr("w.id, " + t.columnsOf((*auditRow)(nil), "w.")).
		ColumnExpr(t.eng.Names.SQL(subjectInPool("w"))).
		Limit(int64(w.Limit) + 1).Conn(t.conn)
	switch {
	case f.ByTime() && len(w.After) > 0:
		q = q.Where("(w.at, w.id) < (?, ?)", moment(time.UnixMicro(w.After[0]).UTC()), w.After[1])
	case len(w.After) > 0:
		q = q.Where("w.id < ?", w.After[0])
	}
	if f.ByTime() {
		q = q.Order("w.at DESC")
	}
	q = q.Order("w.id DESC")
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	entries := make([]kernel.AuditEntry, len(rows))
	for i, x := range rows {
		entries[i] = kernel.AuditEntry{
			ID: x.ID, Subject: x.subject(), Ref: x.ref(), Type: x.Type, Actor: x.Actor, Reason: string(x.Reason), Request: string(x.Request),
			At: time.Time(x.At), Before: asRaw(x.Before), After: asRaw(x.After), Masked: x.Masked,
		}
	}
	return entries, nil
}

// Events see [team.TrailRepository].
func (r *trail) Events(ctx context.Context, tenant kernel.TenantID, f team.TrailFilter, w kernel.Window) ([]kernel.Event, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	order := "e.id"
	if f.Subject != (kernel.Ref{}) {
		order = "e.seq"
	}
	var rows []struct {
		ID     int64
		Masked bool
		eventRow
	}
	q := told(t.db.NewSelect().Model((*eventRow)(nil)), n, f).ColumnExpr("e.id, " + t.columnsOf((*eventRow)(nil), "e.")).
		ColumnExpr(t.eng.Names.SQL(subjectInPool("e"))).
		Order(order).Limit(int64(w.Limit) + 1).Conn(t.conn)
	if len(w.After) > 0 {
		q = q.Where("? > ?", bun.Ident(order), w.After[0])
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	events := make([]kernel.Event, len(rows))
	for i, x := range rows {
		events[i] = x.event(x.ID)
		events[i].Masked = x.Masked
	}
	return events, nil
}

func (r *eventRow) event(id int64) kernel.Event {
	return kernel.Event{
		ID: id, Subject: r.subject(), Seq: r.Seq, Ref: r.ref(), Type: r.Type, Actor: r.Actor, Request: string(r.Request),
		At: time.Time(r.At), Data: asRaw(r.Data),
	}
}

// asRaw is JSON as it was written; nil for none.
func asRaw(text nullText) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// Visible see [team.TrailRepository].
func (r *trail) Visible(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, id int64) (bool, error) {
	found, err := (*customers)(r).Get(ctx, tenant, sc, customer.ID(id))
	return len(found) == 1, err
}

// ForgetRequests see [team.TrailRepository].
func (r *trail) ForgetRequests(ctx context.Context, tenant kernel.TenantID, before time.Time, atMost int) (int, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	return t.exec(ctx, `DELETE FROM crm_requests WHERE tenant_id = ?0 AND (request, op) IN (
		SELECT x.request, x.op FROM crm_requests x WHERE x.tenant_id = ?0 AND x.at < ?1 ORDER BY x.at LIMIT ?2)`, n, moment(before), atMost)
}
