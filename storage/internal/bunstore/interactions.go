package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

type interactions tx

func interactionRowOf(tenant int64, x *customer.Interaction) interactionRow {
	return interactionRow{
		TenantID: tenant, Interaction: *x, At: moment(x.At), NextActionAt: moment(x.NextActionAt), NextDoneAt: moment(x.NextDoneAt),
		Attachments: nullText(x.Attachments), CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt),
	}
}

func (r *interactionRow) domain() *customer.Interaction {
	x := r.Interaction
	x.Masked = r.Masked
	x.At, x.NextActionAt, x.NextDoneAt = time.Time(r.At), time.Time(r.NextActionAt), time.Time(r.NextDoneAt)
	x.Attachments = document(r.Attachments)
	x.CreatedAt, x.UpdatedAt, x.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &x
}

func toInteractions(rows []interactionRow) []*customer.Interaction {
	is := make([]*customer.Interaction, len(rows))
	for i := range rows {
		is[i] = rows[i].domain()
	}
	return is
}

// Insert see [customer.InteractionRepository].
func (c *interactions) Insert(ctx context.Context, tenant kernel.TenantID, is ...*customer.Interaction) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(is) == 0 {
		return err
	}
	ids, err := t.newIDs(ctx, len(is))
	if err != nil {
		return err
	}
	rows := make([]interactionRow, len(is))
	for i, x := range is {
		x.ID = customer.InteractionID(ids[i])
		rows[i] = interactionRowOf(n, x)
	}
	return insert(ctx, t, rows)
}

// Get see [customer.InteractionRepository].
func (c *interactions) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...customer.InteractionID) ([]*customer.Interaction, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []interactionRow
	q := life(t.ofCustomers(inPool(t.db.NewSelect().Model(&rows)), "i", n, sc), "i", false)
	err = q.Where("i.id IN (?)", bun.List(ids)).Order("i.id").Conn(t.conn).Scan(ctx)
	return toInteractions(rows), err
}

// Update see [customer.InteractionRepository].
func (c *interactions) Update(ctx context.Context, tenant kernel.TenantID, is ...*customer.Interaction) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]interactionRow, len(is))
	for i, x := range is {
		rows[i] = interactionRowOf(n, x)
	}
	return put(ctx, t, rows)
}

// List see [customer.InteractionRepository].
func (c *interactions) List(ctx context.Context, tenant kernel.TenantID, id customer.ID, w kernel.Window) ([]*customer.Interaction, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []interactionRow
	q := t.db.NewSelect().Model(&rows).Where("i.tenant_id = ?", n).Where("i.customer_id = ?", id).Where("i.deleted_at IS NULL").
		Order("i.at DESC", "i.id DESC").Limit(int64(w.Limit) + 1)
	if len(w.After) > 1 {
		q = q.Where("(i.at, i.id) < (?, ?)", moment(time.UnixMicro(w.After[0])), w.After[1])
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toInteractions(rows), err
}

// Pending see [customer.InteractionRepository].
func (c *interactions) Pending(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, staff kernel.UserID, before time.Time, w kernel.Window,
) ([]*customer.Interaction, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []interactionRow
	q := life(t.ofCustomers(inPool(t.db.NewSelect().Model(&rows)), "i", n, sc), "i", false).Where("i.staff = ?", staff).
		Where("i.next_action_at IS NOT NULL").Where("i.next_done_at IS NULL").
		Order("i.next_action_at", "i.id").Limit(int64(w.Limit) + 1)
	if !before.IsZero() {
		q = q.Where("i.next_action_at < ?", moment(before))
	}
	if len(w.After) > 1 {
		q = q.Where("(i.next_action_at, i.id) > (?, ?)", moment(time.UnixMicro(w.After[0])), w.After[1])
	}
	err = q.Conn(t.conn).Scan(ctx)
	return toInteractions(rows), err
}

// Followups see [customer.InteractionRepository].
func (c *interactions) Followups(ctx context.Context, tenant kernel.TenantID, id customer.ID, since time.Time) (first, last time.Time, err error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return first, last, err
	}
	err = t.raw(`SELECT min(at), max(at) FROM crm_interactions
		WHERE tenant_id = ? AND customer_id = ? AND deleted_at IS NULL AND followup AND at >= ?`, n, int64(id), moment(since)).
		Scan(ctx, (*moment)(&first), (*moment)(&last))
	return first, last, err
}

// Latest see [customer.InteractionRepository].
func (c *interactions) Latest(ctx context.Context, tenant kernel.TenantID, id customer.ID) (last time.Time, err error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return last, err
	}
	err = t.raw("SELECT max(at) FROM crm_interactions WHERE tenant_id = ? AND customer_id = ? AND deleted_at IS NULL", n, int64(id)).
		Scan(ctx, (*moment)(&last))
	return last, err
}
