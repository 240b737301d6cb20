package bunstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

type addresses tx

func addressRowOf(tenant int64, x *customer.Address) addressRow {
	return addressRow{
		TenantID: tenant, Address: *x, CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt),
	}
}

func (r *addressRow) domain() *customer.Address {
	x := r.Address
	x.Masked = r.Masked
	x.CreatedAt, x.UpdatedAt, x.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &x
}

func toAddresses(rows []addressRow) []*customer.Address {
	as := make([]*customer.Address, len(rows))
	for i := range rows {
		as[i] = rows[i].domain()
	}
	return as
}

// Insert see [customer.AddressRepository].
func (c *addresses) Insert(ctx context.Context, tenant kernel.TenantID, as ...*customer.Address) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(as) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(as))
	if err != nil {
		return nil, err
	}
	rows := make([]addressRow, len(as))
	for i, x := range as {
		x.ID = customer.AddressID(ids[i])
		rows[i] = addressRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	var taken []customer.Taken
	for i, id := range ids {
		if !written[id] { // it has one unique value only
			taken = append(taken, customer.Taken{Index: i, Field: "is_default"})
		}
	}
	return taken, nil
}

// Get see [customer.AddressRepository].
func (c *addresses) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, deleted bool, ids ...customer.AddressID) ([]*customer.Address, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []addressRow
	q := life(t.ofCustomers(inPool(t.db.NewSelect().Model(&rows)), "a", n, sc), "a", deleted)
	err = q.Where("a.id IN (?)", bun.List(ids)).Order("a.id").Conn(t.conn).Scan(ctx)
	return toAddresses(rows), err
}

// Update see [customer.AddressRepository]. The customer is locked, so nothing can come between the look and the write.
func (c *addresses) Update(ctx context.Context, tenant kernel.TenantID, as ...*customer.Address) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(as) == 0 {
		return nil, err
	}
	type place struct {
		CustomerID customer.ID
		Type       customer.AddressType
	}
	rows := make([]addressRow, len(as))
	var of []customer.ID
	var ids []customer.AddressID
	for i, x := range as {
		rows[i] = addressRowOf(n, x)
		of, ids = append(of, x.CustomerID), append(ids, x.ID)
	}
	var others []place
	err = t.db.NewSelect().Model((*addressRow)(nil)).Column("customer_id", "type").Where("a.tenant_id = ?", n).
		Where("a.customer_id IN (?)", bun.List(of)).Where("a.deleted_at IS NULL").Where("a.is_default").
		Where("a.id NOT IN (?)", bun.List(ids)).Conn(t.conn).Scan(ctx, &others)
	if err != nil {
		return nil, err
	}
	has := make(map[place]bool, len(others))
	for _, o := range others {
		has[o] = true
	}
	var taken []customer.Taken
	for i, x := range as {
		if x.IsDefault && x.DeletedAt.IsZero() && has[place{x.CustomerID, x.Type}] {
			taken = append(taken, customer.Taken{Index: i, Field: "is_default"})
		}
	}
	return taken, put(ctx, t, free(rows, taken))
}

// Default see [customer.AddressRepository].
func (c *addresses) Default(ctx context.Context, tenant kernel.TenantID, id customer.ID, typ customer.AddressType) (*customer.Address, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []addressRow
	err = t.db.NewSelect().Model(&rows).Where("a.tenant_id = ?", n).Where("a.customer_id = ?", id).Where("a.type = ?", typ).
		Where("a.deleted_at IS NULL").Where("a.is_default").Conn(t.conn).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].domain(), nil
}

// List see [customer.AddressRepository].
func (c *addresses) List(ctx context.Context, tenant kernel.TenantID, id customer.ID, w kernel.Window) ([]*customer.Address, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []addressRow
	q := t.db.NewSelect().Model(&rows).Where("a.tenant_id = ?", n).Where("a.customer_id = ?", id).Where("a.deleted_at IS NULL")
	err = byID(q, "a", w).Conn(t.conn).Scan(ctx)
	return toAddresses(rows), err
}
