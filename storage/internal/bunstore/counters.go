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
	"github.com/openseas/crm/team"
)

type counters struct {
	*tx
	kind string
}

type counterRow struct {
	UserID     kernel.UserID
	Places     int
	Cap        int
	DailyQuota int
	ClaimsDay  kernel.Date
	ClaimsUsed int
	OpenLimit  int
	OpensDay   kernel.Date
	OpensUsed  int
	AssignedAt moment
	Closed     bool
}

func (r counterRow) domain() customer.Counter {
	return customer.Counter{
		User: r.UserID, Places: r.Places, Cap: r.Cap, DailyQuota: r.DailyQuota, ClaimsDay: r.ClaimsDay, ClaimsUsed: r.ClaimsUsed,
		OpenLimit: r.OpenLimit, OpensDay: r.OpensDay, OpensUsed: r.OpensUsed,
		AssignedAt: time.Time(r.AssignedAt), Closed: r.Closed,
	}
}

// counterSQL reads counter rows with the limits that hold: the member's own, else the tenant's.
const counterSQL = `SELECT m.user_id, m.places, coalesce(m.own_cap, y.cap) AS cap, coalesce(m.own_daily_quota, y.daily_quota) AS daily_quota,
	m.claims_day, m.claims_used, coalesce(m.own_open_limit, y.open_limit) AS open_limit, m.opens_day, m.opens_used, m.assigned_at, m.closed
	FROM crm_counters m JOIN crm_policies y ON y.tenant_id = m.tenant_id AND y.kind = m.kind
	WHERE m.tenant_id = ? AND m.kind = ? AND m.user_id IN (?) ORDER BY m.user_id`

// Lock see [customer.CounterRepository].
func (c *counters) Lock(ctx context.Context, tenant kernel.TenantID, users ...kernel.UserID) ([]customer.Counter, error) {
	n, err := c.tenant(ctx, tenant)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	users = slices.Clone(users)
	slices.Sort(users)
	users = slices.Compact(users)
	values := make(tuples, len(users))
	for i, u := range users {
		values[i] = tuple{n, c.kind, u, 0}
	}
	for part := range slices.Chunk(values, c.batch()) {
		if _, err := c.exec(ctx, `INSERT INTO crm_counters (tenant_id, kind, user_id, places) VALUES ? ON CONFLICT DO NOTHING`, part); err != nil {
			return nil, err
		}
	}
	text := counterSQL
	if c.pg {
		text += " FOR NO KEY UPDATE OF m"
	}
	var rows []counterRow
	if err := c.raw(text, n, c.kind, bun.List(users)).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	return toCounters(rows), nil
}

func toCounters(rows []counterRow) []customer.Counter {
	found := make([]customer.Counter, len(rows))
	for i, r := range rows {
		found[i] = r.domain()
	}
	return found
}

// Look see [customer.CounterRepository].
func (c *counters) Look(ctx context.Context, tenant kernel.TenantID, users ...kernel.UserID) ([]customer.Counter, error) {
	n, err := c.tenant(ctx, tenant)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	values := make(tuples, len(users))
	for i, u := range users {
		values[i] = tuple{u}
	}
	var rows []counterRow
	err = c.raw(`WITH u (user_id) AS (VALUES ?)
		SELECT DISTINCT u.user_id, coalesce(k.places, 0) AS places, coalesce(k.own_cap, y.cap) AS cap, coalesce(k.own_daily_quota, y.daily_quota) AS daily_quota,
			coalesce(k.claims_day, '') AS claims_day, coalesce(k.claims_used, 0) AS claims_used, k.assigned_at,
			coalesce(k.closed, false) AS closed
		FROM crm_policies y CROSS JOIN u LEFT JOIN crm_counters k ON k.tenant_id = y.tenant_id AND k.kind = y.kind AND k.user_id = u.user_id
		WHERE y.tenant_id = ? AND y.kind = ? ORDER BY u.user_id`, values, n, c.kind).Scan(ctx, &rows)
	return toCounters(rows), err
}

// AddPlaces see [customer.CounterRepository].
func (c *counters) AddPlaces(ctx context.Context, tenant kernel.TenantID, places map[kernel.UserID]int) error {
	n, err := c.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	var values tuples
	for user, by := range places {
		if by != 0 {
			values = append(values, tuple{user, by})
		}
	}
	for part := range slices.Chunk(values, c.batch()) {
		_, err := c.exec(ctx, `WITH v (user_id, by) AS (VALUES ?)
			UPDATE crm_counters SET places = places + (SELECT v.by FROM v WHERE v.user_id = crm_counters.user_id)
			WHERE tenant_id = ? AND kind = ? AND user_id IN (SELECT v.user_id FROM v)`, part, n, c.kind)
		if err != nil {
			return err
		}
	}
	return nil
}

type operations struct {
	*tx
	kind string
}

// Append see [customer.OperationRepository].
func (o *operations) Append(ctx context.Context, tenant kernel.TenantID, ops ...customer.Operation) error {
	n, err := o.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]operationRow, len(ops))
	for i, x := range ops {
		rows[i] = operationRow{
			TenantID: n, Kind: o.kind, RecordID: x.RecordID, Action: x.Action, Actor: x.Actor, FromOwner: nullText(x.From), ToOwner: nullText(x.To),
			PoolID: x.PoolID, Reason: x.Reason, Note: x.Note, RuleID: x.RuleID, Rule: x.Rule, OverCap: x.OverCap, Unlocked: x.Unlocked,
			Request: nullText(x.Request), At: moment(x.At),
		}
	}
	return insert(ctx, o.tx, rows)
}

// List see [customer.OperationRepository].
func (o *operations) List(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, f customer.OperationFilter, w kernel.Window,
) ([]customer.Operation, error) {
	n, err := o.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID     int64
		Masked bool
		operationRow
	}
	q := o.db.NewSelect().Model((*operationRow)(nil)).ColumnExpr("l.id, "+o.columnsOf((*operationRow)(nil), "l.")).
		ColumnExpr("coalesce((SELECT t.owner_id IS NULL FROM ? AS t WHERE t.tenant_id = l.tenant_id AND t.id = l.record_id), FALSE) AS masked",
			safeName(o.eng.Names.rename(recordTables[pool.Kind(o.kind)]))).Where("l.tenant_id = ?", n).Where("l.kind = ?", o.kind).
		Order("l.id DESC").Limit(int64(w.Limit) + 1)
	if !sc.All {
		q = q.Where("l.from_owner IN (?0) OR l.to_owner IN (?0)", bun.List(sc.Owners))
	}
	if f.Record != 0 {
		q = q.Where("l.record_id = ?", f.Record)
	}
	if f.Actor != "" {
		q = q.Where("l.actor = ?", f.Actor)
	}
	if f.Owner != "" {
		q = q.Where("l.from_owner = ?0 OR l.to_owner = ?0", f.Owner)
	}
	q = oneOf(q, "l.action", f.Actions)
	if !f.From.IsZero() {
		q = q.Where("l.at >= ?", moment(f.From))
	}
	if !f.To.IsZero() {
		q = q.Where("l.at < ?", moment(f.To))
	}
	if len(w.After) > 0 {
		q = q.Where("l.id < ?", w.After[0])
	}
	if err := q.Conn(o.conn).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	ops := make([]customer.Operation, len(rows))
	for i, r := range rows {
		ops[i] = customer.Operation{
			ID: r.ID, Kind: r.Kind, RecordID: r.RecordID, Action: r.Action, Actor: r.Actor, From: kernel.UserID(r.FromOwner), To: kernel.UserID(r.ToOwner),
			PoolID: r.PoolID, Reason: r.Reason, Note: r.Note, RuleID: r.RuleID, Rule: r.Rule, OverCap: r.OverCap, Unlocked: r.Unlocked,
			Request: string(r.Request), At: time.Time(r.At), Masked: r.Masked,
		}
	}
	return ops, nil
}

// closeCounters notes on the members' counters, of every kind of record, whether they may get anything. A claim tests and
// locks that row: one that is under way ends first, and one that began earlier finds it closed. Only who is inactive is given
// a row for it. Rows are locked kind by kind in the order of the users, as by others.
func (t *tx) closeCounters(ctx context.Context, n int64, ms []*team.Member) error {
	var closed tuples
	var open, all []kernel.UserID
	for _, m := range slices.SortedFunc(slices.Values(ms), func(a, b *team.Member) int { return strings.Compare(string(a.User), string(b.User)) }) {
		if all = append(all, m.User); m.Active() {
			open = append(open, m.User)
		}
	}
	for _, kind := range recordKinds() {
		for _, m := range all {
			if _, active := slices.BinarySearch(open, m); !active {
				closed = append(closed, tuple{n, string(kind), m, 0, true})
			}
		}
	}
	if t.pg && len(all) > 1 {
		if _, err := t.exec(ctx, `SELECT 1 FROM crm_counters WHERE tenant_id = ? AND user_id IN (?) ORDER BY kind, user_id FOR NO KEY UPDATE`,
			n, bun.List(all)); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(closed, t.batch()) {
		if _, err := t.exec(ctx, `INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places, closed) VALUES ?
			ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET closed = excluded.closed`, part); err != nil {
			return err
		}
	}
	if len(open) == 0 {
		return nil
	}
	_, err := t.exec(ctx, "UPDATE crm_counters SET closed = false WHERE tenant_id = ? AND user_id IN (?) AND closed", n, bun.List(open))
	return err
}
