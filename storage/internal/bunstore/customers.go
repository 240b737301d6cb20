package bunstore

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

type customers tx

// getCustomer is the hot read of one.
func (s *Store) getCustomer() string {
	return "SELECT " + s.columnsOf((*customerRow)(nil), "") +
		" FROM crm_customers AS t WHERE t.tenant_id = :tenant AND t.id = :id AND t.deleted_at IS NULL"
}

func (s *Store) getFacts() string {
	return "SELECT " + s.columnsOf((*factsRow)(nil), "f.") + " FROM crm_customer_facts AS f WHERE f.tenant_id = :tenant AND f.customer_id = :id"
}

// Insert see [customer.Repository].
func (c *customers) Insert(ctx context.Context, tenant kernel.TenantID, cs ...*customer.Customer) ([]customer.Taken, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	ids, err := t.newIDs(ctx, len(cs))
	if err != nil {
		return nil, err
	}
	rows := make([]customerRow, len(cs))
	var made []int // those whose code we made
	for i, x := range cs {
		x.ID = customer.ID(ids[i])
		if x.Code == "" {
			x.Code = madeCode(ids[i])
			made = append(made, i)
		}
		rows[i] = customerRowOf(n, x)
	}
	written, err := insertFree(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	if err := t.secondCodes(ctx, n, cs, made, written); err != nil {
		return nil, err
	}
	var facts []factsRow
	var missing []int
	for i, x := range cs {
		if !written[ids[i]] {
			missing = append(missing, i)
			continue
		}
		facts = append(facts, factsRow{TenantID: n, Facts: customer.Facts{CustomerID: x.ID}})
	}
	if err := insert(ctx, t, facts); err != nil {
		return nil, err
	}
	return t.takenBy(ctx, n, cs, missing)
}

// madeCode is the code of a customer that was given none: from its id, so that no counter is a bottleneck.
func madeCode(id int64) string { return "C" + strconv.FormatInt(id, 10) }

// secondCodes tries again with another code for customers whose made code somebody had typed by hand before.
func (t *tx) secondCodes(ctx context.Context, n int64, cs []*customer.Customer, made []int, written map[int64]bool) error {
	var again []customerRow
	for _, i := range made {
		if x := cs[i]; !written[int64(x.ID)] {
			x.Code += "-" + strconv.FormatInt(int64(x.ID)%97, 10)
			again = append(again, customerRowOf(n, x))
		}
	}
	more, err := insertFree(ctx, t, again)
	for id := range more {
		written[id] = true
	}
	return err
}

// takenBy finds out which unique value of each of these customers another has.
func (t *tx) takenBy(ctx context.Context, n int64, cs []*customer.Customer, indexes []int) ([]customer.Taken, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	var keys []string
	for _, i := range indexes {
		if cs[i].ExternalID != "" {
			keys = append(keys, cs[i].ExternalID)
		}
	}
	var rows []customerRow
	if len(keys) > 0 {
		err := t.db.NewSelect().Model(&rows).Column("id", "external_system", "external_id").Where("t.tenant_id = ?", n).
			Where("t.deleted_at IS NULL").Where("t.external_id IN (?)", bun.List(keys)).Conn(t.conn).Scan(ctx)
		if err != nil {
			return nil, err
		}
	}
	taken := make([]customer.Taken, len(indexes))
	for k, i := range indexes {
		taken[k] = customer.Taken{Index: i, Field: "code"}
		if slices.ContainsFunc(rows, func(r customerRow) bool {
			return r.ID != cs[i].ID && string(r.ExternalID) == cs[i].ExternalID && string(r.ExternalSystem) == cs[i].ExternalSystem
		}) {
			taken[k].Field = "external_id"
		}
	}
	return taken, nil
}

// Discard see [customer.Repository].
func (c *customers) Discard(ctx context.Context, tenant kernel.TenantID, ids ...customer.ID) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM crm_customer_facts WHERE tenant_id = ? AND customer_id IN (?)", n, bun.List(ids)); err != nil {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM crm_customers WHERE tenant_id = ? AND id IN (?)", n, bun.List(ids))
	return err
}

// Get see [customer.Repository].
func (c *customers) Get(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, ids ...customer.ID) ([]*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if len(ids) == 1 { // hot; the scope of one is decided in Go, by the same value
		found, err := t.open(ctx, "customer.get", named{"tenant": n, "id": int64(ids[0])})
		return t.customersOf(sc, found, err)
	}
	var rows []customerRow
	err = within(t.db.NewSelect().Model(&rows), n, sc).Where("t.id IN (?)", bun.List(ids)).Order("t.id").Conn(t.conn).Scan(ctx)
	return toCustomers(rows), err
}

func toCustomers(rows []customerRow) []*customer.Customer {
	cs := make([]*customer.Customer, len(rows))
	for i := range rows {
		cs[i] = rows[i].domain()
	}
	return cs
}

// Lock see [customer.Repository]. SQLite has locked the whole database.
func (c *customers) Lock(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, deleted bool, ids ...customer.ID) ([]*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if len(ids) == 1 && !deleted {
		found, err := t.open(ctx, "customer.lock", named{"tenant": n, "id": int64(ids[0])})
		return t.customersOf(sc, found, err)
	}
	var rows []customerRow
	q := t.db.NewSelect().Model(&rows).Where("t.tenant_id = ?", n).Where("t.id IN (?)", bun.List(ids)).Order("t.id").Conn(t.conn)
	text, args := scopeSQL(sc)
	if q = q.Where(text, args...); deleted {
		q = q.Where("t.deleted_at IS NOT NULL")
	} else {
		q = q.Where("t.deleted_at IS NULL")
	}
	err = t.forUpdate(q).Scan(ctx)
	return toCustomers(rows), err
}

// forUpdate locks the rows of a query, where the engine has not locked the whole database: against all who write them too,
// and not against foreign keys, a host's among them, that refer to them.
func (t *tx) forUpdate(q *bun.SelectQuery) *bun.SelectQuery {
	if t.pg {
		return q.For("NO KEY UPDATE OF t")
	}
	return q
}

// ByKey see [customer.Repository].
func (c *customers) ByKey(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, system string, keys ...string,
) ([]*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var rows []customerRow
	err = within(t.db.NewSelect().Model(&rows), n, sc).Where("t.external_system = ?", system).
		Where("t.external_id IN (?)", bun.List(keys)).Order("t.id").Conn(t.conn).Scan(ctx)
	return toCustomers(rows), err
}

// LockByKey see [customer.Repository].
func (c *customers) LockByKey(ctx context.Context, tenant kernel.TenantID, system string, keys ...string) ([]*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	find := func(life string, keys []string) ([]*customer.Customer, error) {
		q := t.db.NewSelect().Model((*customerRow)(nil)).Where("t.tenant_id = ?", n).Where("t.external_system = ?", system).
			Where("t.external_id IN (?)", bun.List(keys)).Where("t.external_id IS NOT NULL").Where(life).Order("t.id").Conn(t.conn)
		rows, err := t.forUpdate(q).Rows(ctx)
		return t.customersOf(kernel.Scope{All: true}, rows, err)
	}
	found, err := find("t.deleted_at IS NULL", keys)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(found))
	for _, x := range found {
		has[x.ExternalID] = true
	}
	rest := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return has[key] })
	if len(rest) > 0 {
		gone, err := find("t.deleted_at IS NOT NULL", rest)
		if err != nil {
			return nil, err
		}
		found = append(found, gone...)
	}
	return found, nil
}

// collisions are the customers whose code or host key another living customer has, or one before it in the list.
func (t *tx) collisions(ctx context.Context, n int64, cs []*customer.Customer) ([]customer.Taken, error) {
	var codes, keys []string
	for _, x := range cs {
		codes = append(codes, x.Code)
		if x.ExternalID != "" {
			keys = append(keys, x.ExternalID)
		}
	}
	owner := map[string]customer.ID{}
	look := func(column string, values []string, key func(customerRow) string) error {
		if len(values) == 0 {
			return nil
		}
		var rows []customerRow
		err := t.db.NewSelect().Model(&rows).Column("id", "code", "external_system", "external_id").Where("t.tenant_id = ?", n).
			Where("t.deleted_at IS NULL").Where("? IN (?)", bun.Ident("t."+column), bun.List(values)).Conn(t.conn).Scan(ctx)
		for _, r := range rows {
			owner[key(r)] = r.ID
		}
		return err
	}
	codeKey := func(code string) string { return "c" + code }
	hostKey := func(system, id string) string { return "e" + system + "\x00" + id }
	if err := look("code", codes, func(r customerRow) string { return codeKey(r.Code) }); err != nil {
		return nil, err
	}
	if err := look("external_id", keys, func(r customerRow) string { return hostKey(string(r.ExternalSystem), string(r.ExternalID)) }); err != nil {
		return nil, err
	}
	var taken []customer.Taken
	claim := func(i int, field, key string) bool {
		if id, ok := owner[key]; ok && id != cs[i].ID {
			taken = append(taken, customer.Taken{Index: i, Field: field})
			return false
		}
		owner[key] = cs[i].ID
		return true
	}
	for i, x := range cs {
		if claim(i, "code", codeKey(x.Code)) && x.ExternalID != "" {
			claim(i, "external_id", hostKey(x.ExternalSystem, x.ExternalID))
		}
	}
	return taken, nil
}

// SetFollowups see [customer.Repository].
func (c *customers) SetFollowups(ctx context.Context, tenant kernel.TenantID, id customer.ID, first, last time.Time) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "UPDATE crm_customers SET first_followup_at = ?, last_followup_at = ? WHERE tenant_id = ? AND id = ?",
		moment(first), moment(last), n, int64(id))
	return err
}

// Facts see [customer.Repository].
func (c *customers) Facts(ctx context.Context, tenant kernel.TenantID, ids ...customer.ID) ([]customer.Facts, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []factsRow
	if len(ids) == 1 {
		err = t.query(ctx, "customer.facts", named{"tenant": n, "id": int64(ids[0])}, &rows)
	} else {
		err = t.db.NewSelect().Model(&rows).Where("f.tenant_id = ?", n).Where("f.customer_id IN (?)", bun.List(ids)).
			Order("f.customer_id").Conn(t.conn).Scan(ctx)
	}
	facts := make([]customer.Facts, len(rows))
	for i := range rows {
		facts[i] = rows[i].domain()
	}
	return facts, err
}

// PutFacts see [customer.Repository].
func (c *customers) PutFacts(ctx context.Context, tenant kernel.TenantID, fs ...customer.Facts) error {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rows := make([]factsRow, len(fs))
	for i, f := range fs {
		rows[i] = factsRowOf(n, f)
	}
	if len(rows) == 1 {
		_, err := t.single(ctx, putName(reflect.TypeFor[factsRow]()), &rows[0])
		return err
	}
	set := t.overwrite(reflect.TypeFor[factsRow](), "tenant_id", "customer_id")
	for part := range slices.Chunk(rows, t.batch()) {
		if done, err := bulkDo(ctx, t, putName(reflect.TypeFor[factsRow]()), part); err != nil {
			return err
		} else if done {
			continue
		}
		_, err := t.db.NewInsert().Model(&part).Conn(t.conn).On("CONFLICT (tenant_id, customer_id) DO UPDATE").Set(set).Returning("NULL").Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// belongsSQL tells whether member m belongs to pool p: as one of all when it is public, by name, or by its department or
// one above that.
const belongsSQL = `(p.public OR EXISTS (SELECT 1 FROM crm_pool_members b WHERE b.tenant_id = p.tenant_id AND b.pool_id = p.id AND b.user_id = m.user_id)
	OR EXISTS (SELECT 1 FROM crm_pool_members b JOIN crm_department_tree a ON a.tenant_id = b.tenant_id AND a.ancestor_id = b.department_id
		WHERE b.tenant_id = p.tenant_id AND b.pool_id = p.id AND a.department_id = m.department_id))`

// Homes see [customer.Repository].
func (c *customers) Homes(ctx context.Context, tenant kernel.TenantID, owners ...kernel.UserID) (map[kernel.UserID]customer.PoolID, error) {
	return (*tx)(c).homes(ctx, tenant, pool.Customers, owners)
}

// homes are the home pools for new records of a kind, by owner.
func (t *tx) homes(ctx context.Context, tenant kernel.TenantID, kind pool.Kind, owners []kernel.UserID) (map[kernel.UserID]customer.PoolID, error) {
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var base customer.PoolID
	err = t.raw("SELECT id FROM crm_pools WHERE tenant_id = ? AND kind = ? AND is_default", n, string(kind)).Scan(ctx, &base)
	if err != nil {
		return nil, sinceFirstDay(err)
	}
	homes := map[kernel.UserID]customer.PoolID{"": base}
	owners = slices.DeleteFunc(slices.Clone(owners), func(u kernel.UserID) bool { return u == "" })
	if len(owners) == 0 {
		return homes, nil
	}
	var rows []struct {
		UserID kernel.UserID
		PoolID *customer.PoolID
	}
	err = t.raw(`SELECT m.user_id, (SELECT p.id FROM crm_pools p WHERE p.tenant_id = m.tenant_id AND p.kind = ? AND `+belongsSQL+`
			ORDER BY p.priority DESC, p.is_default DESC, p.id LIMIT 1) AS pool_id
		FROM crm_members m WHERE m.tenant_id = ? AND m.user_id IN (?) AND m.inactive_since IS NULL`,
		string(kind), n, bun.List(owners)).Scan(ctx, &rows)
	for _, r := range rows {
		if homes[r.UserID] = base; r.PoolID != nil {
			homes[r.UserID] = *r.PoolID
		}
	}
	return homes, err
}

// PoolsExist see [customer.Repository].
func (c *customers) PoolsExist(ctx context.Context, tenant kernel.TenantID, ids ...customer.PoolID) ([]customer.PoolID, error) {
	return (*tx)(c).poolsExist(ctx, tenant, pool.Customers, ids)
}

// poolsExist are those of the pools that the tenant has for a kind.
func (t *tx) poolsExist(ctx context.Context, tenant kernel.TenantID, kind pool.Kind, ids []customer.PoolID) ([]customer.PoolID, error) {
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var found []pool.ID
	err = t.raw("SELECT id FROM crm_pools WHERE tenant_id = ? AND kind = ? AND id IN (?)", n, string(kind), bun.List(ids)).Scan(ctx, &found)
	return found, err
}
