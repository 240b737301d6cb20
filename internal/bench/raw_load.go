package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/openseas/crm/customer"
)

// load writes customers that are known to be new: with COPY on PostgreSQL, with prepared statements on SQLite, in one
// transaction.
func (r *rawSQL) load(ctx context.Context, tenant int, all []*customer.Customer) error {
	h := r.d.houses[tenant]
	if !r.e.pg {
		return r.write(ctx, func(t writeTx) error { return r.insertRows(t, h, all) })
	}
	f, err := r.fresh(h, all, func(n int) (int64, error) { return r.idBlocks(ctx, n) })
	if err != nil {
		return err
	}
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return errors.New("no connection of pgx")
		}
		return pgx.BeginFunc(ctx, c.Conn(), func(tx pgx.Tx) error { return f.copy(ctx, tx, h) })
	})
}

// copy writes the rows, a table after the other.
func (f *freshRows) copy(ctx context.Context, tx pgx.Tx, h house) error {
	const by = "$system"
	for _, table := range []struct {
		name, columns string
		row           func(i int) []any
	}{
		{
			"crm_customers", `tenant_id, id, code, name, type, standing, blacklist_reason, stage, lost_reason, size, credit_rating, referred_by, province, city, district,
			acquired_on, source_lead, brand, remarks, external_system, external_id, owner_id, owned_since, pool_id, version, seq, created_at, created_by, updated_at, updated_by`,
			func(i int) []any {
				return []any{
					h.number, f.ids[i], madeCode(f.ids[i]), f.names[i], "enterprise", "active", "", "potential", "", "", "", 0, "", "", "", "", 0, "", f.remarks[i],
					"erp", f.keys[i], f.owners[i], now, h.pools[0], 1, 1, now, by, now, by,
				}
			},
		},
		{"crm_customer_facts", "tenant_id, customer_id", func(i int) []any { return []any{h.number, f.ids[i]} }},
		{"crm_operations", "tenant_id, kind, record_id, action, actor, to_owner, pool_id, reason, note, rule_id, rule, at", func(i int) []any {
			return []any{h.number, "customer", f.ids[i], "create", by, f.owners[i], h.pools[0], "", "", 0, "", now}
		}},
		{"crm_audit", "tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, at, after", func(i int) []any {
			return []any{h.number, "customer", f.ids[i], "customer", f.ids[i], "customer.created", by, "bench", now, f.docs[i]}
		}},
		{"crm_outbox", "tenant_id, subject_kind, subject_id, seq, kind, record_id, type, actor, at, data", func(i int) []any {
			return []any{h.number, "customer", f.ids[i], 1, "customer", f.ids[i], "customer.created", by, now, f.docs[i]}
		}},
	} {
		columns := strings.Fields(strings.ReplaceAll(table.columns, ",", " "))
		from := pgx.CopyFromSlice(len(f.ids), func(i int) ([]any, error) { return table.row(i), nil })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{table.name}, columns, from); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places)
		SELECT $1, 'customer', owner, count(*) FROM unnest($2::text[]) AS o (owner) GROUP BY owner ORDER BY owner`+rawPlaces, h.number, f.owners)
	return err
}
