package bunstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

type calendars tx

func (r *calendarRow) domain() (*team.Calendar, error) {
	c := &team.Calendar{ID: r.ID, Name: r.Name, Version: r.Version, CreatedAt: time.Time(r.CreatedAt), UpdatedAt: time.Time(r.UpdatedAt)}
	if err := json.Unmarshal([]byte(r.Spec), &c.Spec); err != nil {
		return nil, fmt.Errorf("calendar %d: %w", r.ID, err)
	}
	return c, nil
}

// Put see [team.CalendarRepository].
func (r *calendars) Put(ctx context.Context, tenant kernel.TenantID, c *team.Calendar) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	taken, err := t.db.NewSelect().Model((*calendarRow)(nil)).Where("y.tenant_id = ?", n).Where("y.name = ?", c.Name).Where("y.id <> ?", c.ID).
		Conn(t.conn).Exists(ctx)
	if err != nil || taken {
		return false, err
	}
	if c.ID == 0 {
		ids, err := t.newIDs(ctx, 1)
		if err != nil {
			return false, err
		}
		c.ID = team.CalendarID(ids[0])
	}
	spec, err := asJSON(c.Spec)
	if err != nil {
		return false, err
	}
	return true, put(ctx, t, []calendarRow{{
		TenantID: n, ID: c.ID, Name: c.Name, Spec: spec, Version: c.Version, CreatedAt: moment(c.CreatedAt), UpdatedAt: moment(c.UpdatedAt),
	}})
}

// Get see [team.CalendarRepository].
func (r *calendars) Get(ctx context.Context, tenant kernel.TenantID, ids ...team.CalendarID) ([]*team.Calendar, error) {
	return r.get(ctx, tenant, false, ids)
}

// Lock see [team.CalendarRepository].
func (r *calendars) Lock(ctx context.Context, tenant kernel.TenantID, ids ...team.CalendarID) ([]*team.Calendar, error) {
	return r.get(ctx, tenant, true, ids)
}

func (r *calendars) get(ctx context.Context, tenant kernel.TenantID, lock bool, ids []team.CalendarID) ([]*team.Calendar, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	q := t.db.NewSelect().Where("y.tenant_id = ?", n).Where("y.id IN (?)", bun.List(ids))
	if lock && t.pg {
		q = q.For("UPDATE OF y")
	}
	return r.scan(ctx, q)
}

func (r *calendars) scan(ctx context.Context, q *bun.SelectQuery) ([]*team.Calendar, error) {
	var rows []calendarRow
	if err := q.Model(&rows).Order("y.id").Conn(r.conn).Scan(ctx); err != nil {
		return nil, err
	}
	all := make([]*team.Calendar, len(rows))
	for i := range rows {
		c, err := rows[i].domain()
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	return all, nil
}

// List see [team.CalendarRepository].
func (r *calendars) List(ctx context.Context, tenant kernel.TenantID, w kernel.Window) ([]*team.Calendar, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	q := t.db.NewSelect().Where("y.tenant_id = ?", n).Limit(int64(w.Limit) + 1)
	if len(w.After) > 0 {
		q = q.Where("y.id > ?", w.After[0])
	}
	return r.scan(ctx, q)
}

// Delete see [team.CalendarRepository]. The row was locked by a statement of its own, so this one sees every pool that
// began to count by it.
func (r *calendars) Delete(ctx context.Context, tenant kernel.TenantID, id team.CalendarID) (bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return false, err
	}
	gone, err := t.exec(ctx, `DELETE FROM crm_calendars AS y WHERE y.tenant_id = ?0 AND y.id = ?1
		AND NOT EXISTS (SELECT 1 FROM crm_pools p WHERE p.tenant_id = ?0 AND p.calendar_id = ?1)`, n, int64(id))
	return gone == 1, err
}
