package bunstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

type contacts tx

func contactRowOf(tenant int64, x *customer.Contact) contactRow {
	return contactRow{
		TenantID: tenant, Contact: *x, PhoneKey: nullText(customer.PhoneKey(x.Phone)), EmailKey: nullText(customer.EmailKey(x.Email)),
		Preferences: nullText(x.Preferences), CreatedAt: moment(x.CreatedAt), UpdatedAt: moment(x.UpdatedAt), DeletedAt: moment(x.DeletedAt),
	}
}

func (r *contactRow) domain() *customer.Contact {
	x := r.Contact
	x.Masked = r.Masked
	x.Preferences = document(r.Preferences)
	x.CreatedAt, x.UpdatedAt, x.DeletedAt = time.Time(r.CreatedAt), time.Time(r.UpdatedAt), time.Time(r.DeletedAt)
	return &x
}

// document is a JSON column; NULL is none.
func document(text nullText) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func toContacts(rows []contactRow) []*customer.Contact {
	cs := make([]*customer.Contact, len(rows))
	for i := range rows {
		cs[i] = rows[i].domain()
	}
	return cs
}

// ofCustomers joins the customers of a query on their children, as t. A cross join: SQLite then reads the children first,
// in the order of the index that the list wants, whatever its statistics say.
func (t *tx) ofCustomers(q *bun.SelectQuery, alias string, n int64, sc kernel.Scope) *bun.SelectQuery {
	q = q.Join("CROSS JOIN ? AS t", t.table("customers")).
		Where("?0.tenant_id = ?1 AND t.tenant_id = ?0.tenant_id AND t.id = ?0.customer_id", bun.Ident(alias), n)
	return within(q, n, sc)
}

// inPool adds to the columns of children whether their customer lies in a pool.
func inPool(q *bun.SelectQuery) *bun.SelectQuery {
	return q.ColumnExpr("?TableColumns").ColumnExpr("t.owner_id IS NULL AS masked")
}

// life leaves the living rows, or the deleted ones.
func life(q *bun.SelectQuery, alias string, deleted bool) *bun.SelectQuery {
	if deleted {
		return q.Where("?.deleted_at IS NOT NULL", bun.Ident(alias))
	}
	return q.Where("?.deleted_at IS NULL", bun.Ident(alias))
}

// Insert see [customer.ContactRepository].
func (c *contacts) Insert(ctx context.Context, tenant kernel.TenantID, cs ...*customer.Contact) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(cs))
	if err != nil {
		return nil, err
	}
	rows := make([]contactRow, len(cs))
	for i, x := range cs {
		x.ID = customer.ContactID(ids[i])
		rows[i] = contactRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	var missing []int
	for i, id := range ids {
		if !written[id] {
			missing = append(missing, i)
		}
	}
	taken, err := t.contactsInTheWay(ctx, n, rows, missing)
	if err == nil && len(taken) < len(missing) { // somebody who did not lock the customer took it, and gave it back
		err = kernel.ErrRetry
	}
	return taken, err
}

// contactsInTheWay finds out which unique value of each of these rows a living contact has that is none of them. Rows that
// nobody is in the way of are left out.
func (t *tx) contactsInTheWay(ctx context.Context, n int64, rows []contactRow, indexes []int) ([]customer.Taken, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	var of []customer.ID
	var ids []customer.ContactID
	var phones []string
	for _, i := range indexes {
		of, ids = append(of, rows[i].CustomerID), append(ids, rows[i].ID)
		if rows[i].PhoneKey != "" {
			phones = append(phones, string(rows[i].PhoneKey))
		}
	}
	q := t.db.NewSelect().Model((*contactRow)(nil)).Column("customer_id", "phone_key", "is_primary").Where("k.tenant_id = ?", n).
		Where("k.customer_id IN (?)", bun.List(of)).Where("k.deleted_at IS NULL").Where("k.id NOT IN (?)", bun.List(ids))
	if len(phones) > 0 {
		q = q.Where("k.is_primary OR k.phone_key IN (?)", bun.List(phones))
	} else {
		q = q.Where("k.is_primary")
	}
	var others []contactRow
	if err := q.Conn(t.conn).Scan(ctx, &others); err != nil {
		return nil, err
	}
	return conflictsOf(rows, indexes, others), nil
}

func conflictsOf(rows []contactRow, indexes []int, others []contactRow) (taken []customer.Taken) {
	type phone struct {
		of  customer.ID
		key nullText
	}
	phones, primaries := map[phone]bool{}, map[customer.ID]bool{}
	for _, o := range others {
		phones[phone{o.CustomerID, o.PhoneKey}] = true
		primaries[o.CustomerID] = primaries[o.CustomerID] || o.IsPrimary
	}
	for _, i := range indexes {
		switch r := rows[i]; {
		case r.PhoneKey != "" && phones[phone{r.CustomerID, r.PhoneKey}]:
			taken = append(taken, customer.Taken{Index: i, Field: "phone"})
		case r.IsPrimary && primaries[r.CustomerID]:
			taken = append(taken, customer.Taken{Index: i, Field: "is_primary"})
		}
	}
	return taken
}

// Get see [customer.ContactRepository].
func (c *contacts) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, deleted bool, ids ...customer.ContactID) ([]*customer.Contact, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []contactRow
	q := life(t.ofCustomers(inPool(t.db.NewSelect().Model(&rows)), "k", n, sc), "k", deleted)
	err = q.Where("k.id IN (?)", bun.List(ids)).Order("k.id").Conn(t.conn).Scan(ctx)
	return toContacts(rows), err
}

// Update see [customer.ContactRepository]. The customer is locked, so nothing can come between the look and the write.
func (c *contacts) Update(ctx context.Context, tenant kernel.TenantID, cs ...*customer.Contact) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	rows := make([]contactRow, len(cs))
	var living []int
	for i, x := range cs {
		if rows[i] = contactRowOf(n, x); x.DeletedAt.IsZero() {
			living = append(living, i)
		}
	}
	taken, err := t.contactsInTheWay(ctx, n, rows, living)
	if err != nil {
		return nil, err
	}
	return taken, put(ctx, t, free(rows, taken))
}

// free are the rows whose unique values nobody has.
func free[R any](rows []R, taken []customer.Taken) (rest []R) {
	for i, r := range rows {
		if !slices.ContainsFunc(taken, func(k customer.Taken) bool { return k.Index == i }) {
			rest = append(rest, r)
		}
	}
	return rest
}

// Primary see [customer.ContactRepository].
func (c *contacts) Primary(ctx context.Context, tenant kernel.TenantID, id customer.ID) (*customer.Contact, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []contactRow
	err = t.db.NewSelect().Model(&rows).Where("k.tenant_id = ?", n).Where("k.customer_id = ?", id).Where("k.deleted_at IS NULL").
		Where("k.is_primary").Conn(t.conn).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].domain(), nil
}

// List see [customer.ContactRepository].
func (c *contacts) List(ctx context.Context, tenant kernel.TenantID, id customer.ID, w kernel.Window) ([]*customer.Contact, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var rows []contactRow
	q := t.db.NewSelect().Model(&rows).Where("k.tenant_id = ?", n).Where("k.customer_id = ?", id).Where("k.deleted_at IS NULL")
	err = byID(q, "k", w).Conn(t.conn).Scan(ctx)
	return toContacts(rows), err
}

// byID is a page in the order of the ids.
func byID(q *bun.SelectQuery, alias string, w kernel.Window) *bun.SelectQuery {
	if len(w.After) > 0 {
		q = q.Where("?.id > ?", bun.Ident(alias), w.After[0])
	}
	return q.OrderExpr("?.id", bun.Ident(alias)).Limit(int64(w.Limit) + 1)
}

// Find see [customer.ContactRepository]. Two queries, each a page in the order of its own index: one with an OR would sort
// all contacts of a common number.
func (c *contacts) Find(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, phoneKey, emailKey string, w kernel.Window) ([]*customer.Contact, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var found []contactRow
	for column, key := range map[string]string{"phone_key": phoneKey, "email_key": emailKey} {
		if key == "" {
			continue
		}
		var rows []contactRow
		q := life(t.ofCustomers(inPool(t.db.NewSelect().Model(&rows)), "k", n, sc), "k", false).Where("k.? = ?", bun.Ident(column), key)
		if err := byID(q, "k", w).Conn(t.conn).Scan(ctx); err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	slices.SortFunc(found, func(x, y contactRow) int { return cmp.Compare(x.ID, y.ID) })
	found = slices.CompactFunc(found, func(x, y contactRow) bool { return x.ID == y.ID })
	return toContacts(found[:min(len(found), w.Limit+1)]), nil
}
