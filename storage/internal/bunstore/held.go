package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/sales"
)

type held tx

// heldKinds is where each kind is, and what of it has not ended. Its owner's index (tenant_id, owner_id, id) finds it.
var heldKinds = map[string]struct{ table, lives string }{
	sales.OpportunityKind: {"crm_opportunities", "q.status = 'open' AND q.deleted_at IS NULL"},
	sales.QuoteKind:       {"crm_quotes", "q.status IN (1, 2) AND q.deleted_at IS NULL"},
	sales.ContractKind:    {"crm_contracts", "q.status IN (1, 2, 3)"},
}

type heldRow struct {
	ID         int64
	CustomerID customer.ID
	Holder     kernel.UserID
}

// find returns documents that the owner has; SQLite takes the tables of a CROSS JOIN as they are written.
func (r *held) find(ctx context.Context, n int64, kind string, owner kernel.UserID, rest string, args ...any) ([]sales.Held, error) {
	k := heldKinds[kind]
	var rows []heldRow
	err := (*tx)(r).raw(`SELECT q.id, q.customer_id, coalesce(t.owner_id, '') AS holder FROM `+k.table+` AS q CROSS JOIN crm_customers AS t
		WHERE q.tenant_id = ? AND q.owner_id = ? AND `+k.lives+` AND t.tenant_id = q.tenant_id AND t.id = q.customer_id `+rest,
		append([]any{n, string(owner)}, args...)...).Scan(ctx, &rows)
	return mapped(rows, func(x *heldRow) sales.Held { return sales.Held{ID: x.ID, CustomerID: x.CustomerID, With: x.Holder} }), err
}

// Of see [sales.HeldRepository].
func (r *held) Of(ctx context.Context, tenant kernel.TenantID, kind string, owner kernel.UserID, after int64, atMost int) ([]sales.Held, error) {
	n, err := (*tx)(r).tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return r.find(ctx, n, kind, owner, "AND q.id > ? ORDER BY q.id LIMIT ?", after, atMost)
}

// Lock see [sales.HeldRepository]. SQLite has locked the whole database.
func (r *held) Lock(ctx context.Context, tenant kernel.TenantID, kind string, owner kernel.UserID, xs ...sales.Held) ([]sales.Held, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil || len(xs) == 0 {
		return nil, err
	}
	ids, customers := make([]int64, len(xs)), make([]int64, len(xs))
	for i, x := range xs {
		ids[i], customers[i] = x.ID, int64(x.CustomerID)
	}
	rest := "AND q.id IN (?) ORDER BY q.id"
	if t.pg {
		slices.Sort(customers)
		var locked []int64
		err := t.raw("SELECT id FROM crm_customers WHERE tenant_id = ? AND id IN (?) ORDER BY id FOR NO KEY UPDATE",
			n, bun.List(slices.Compact(customers))).Scan(ctx, &locked)
		if err != nil {
			return nil, err
		}
		rest += " FOR NO KEY UPDATE OF q"
	}
	return r.find(ctx, n, kind, owner, rest, bun.List(ids))
}

// Active see [sales.HeldRepository].
func (r *held) Active(ctx context.Context, tenant kernel.TenantID, keep bool, users ...kernel.UserID) (map[kernel.UserID]bool, error) {
	t := (*tx)(r)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	users = slices.Clone(users)
	slices.Sort(users)
	text := "SELECT user_id FROM crm_members WHERE tenant_id = ? AND user_id IN (?) AND inactive_since IS NULL ORDER BY user_id"
	if t.pg && keep {
		text += " FOR SHARE" // who is being made inactive waits, or has been
	}
	active := map[kernel.UserID]bool{}
	for part := range slices.Chunk(slices.Compact(users), t.batch()) {
		var found []kernel.UserID
		if err := t.raw(text, n, bun.List(part)).Scan(ctx, &found); err != nil {
			return nil, err
		}
		for _, user := range found {
			active[user] = true
		}
	}
	return active, nil
}

// Give see [sales.HeldRepository].
func (r *held) Give(ctx context.Context, a kernel.Actor, at time.Time, kind string, xs ...sales.Held) error {
	t := (*tx)(r)
	n, err := t.tenant(ctx, a.Tenant)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(xs, t.batch()) {
		values := make(tuples, len(part))
		for i, x := range part {
			values[i] = tuple{x.ID, string(x.To)}
		}
		_, err := t.exec(ctx, "UPDATE "+heldKinds[kind].table+` AS q SET owner_id = v.column2, version = q.version + 1, updated_at = ?, updated_by = ?
			FROM (VALUES ?) AS v WHERE q.tenant_id = ? AND q.id = v.column1`, moment(at), string(a.User), values, n)
		if err != nil {
			return err
		}
	}
	return nil
}
