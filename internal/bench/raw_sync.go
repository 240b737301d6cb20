package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
)

// A mirror by hand, of items that say nothing but name, remarks and, when they are new, an owner: $1 tenant, $2 system, $3
// now, $4 who. What differs is written, and told in audit and event; what does not costs a look.
const (
	rawNewCustomer = `INSERT INTO crm_customers (tenant_id, id, code, name, type, standing, blacklist_reason, stage, lost_reason, size, credit_rating,
		referred_by, province, city, district, acquired_on, source_lead, brand, remarks, external_system, external_id, owner_id, owned_since, pool_id,
		version, seq, created_at, created_by, updated_at, updated_by) `
	rawNewValues = `$1, {id}, 'C' || {id}, {name}, 'enterprise', 'active', '', 'potential', '', '', '', 0, '', '', '', '', 0, '', {remarks}, $2, {key}, {owner}, $3, {pool},
		1, 1, $3, $4, $3, $4`
	rawAuditReason = `INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, reason, at, before, after) `
	// rawPlaces gives places under the cap.
	rawPlaces = ` ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET places = k.places + excluded.places
		WHERE k.places + excluded.places <= coalesce(k.own_cap, (SELECT cap FROM crm_policies WHERE tenant_id = $1 AND kind = 'customer'))`
)

// rawSyncPostgres updates those that are there, in one statement, and returns the keys of all of them: $5 keys, $6 names,
// $7 remarks.
const rawSyncPostgres = `WITH v AS MATERIALIZED (SELECT * FROM unnest($5::text[], $6::text[], $7::text[]) AS v (key, name, remarks)),
	s AS MATERIALIZED (SELECT t.id, t.external_id, v.name, CASE v.remarks WHEN '' THEN t.remarks ELSE v.remarks END AS remarks, t.name AS old_name, t.remarks AS old_remarks
		FROM v JOIN crm_customers AS t ON t.tenant_id = $1 AND t.external_system = $2 AND t.external_id = v.key AND t.deleted_at IS NULL
		ORDER BY t.id FOR NO KEY UPDATE OF t),
	c AS (UPDATE crm_customers AS t SET name = s.name, remarks = s.remarks, version = t.version + 1, seq = t.seq + 1, updated_at = $3, updated_by = $4
		FROM s WHERE t.tenant_id = $1 AND t.id = s.id AND (s.name <> s.old_name OR s.remarks <> s.old_remarks)
		RETURNING t.id, t.seq,
			'{' || concat_ws(',', CASE WHEN s.name <> s.old_name THEN '"name":' || to_json(s.old_name) END,
				CASE WHEN s.remarks <> s.old_remarks AND s.old_remarks <> '' THEN '"remarks":' || to_json(s.old_remarks) END) || '}' AS before,
			'{' || concat_ws(',', CASE WHEN s.name <> s.old_name THEN '"name":' || to_json(s.name) END,
				CASE WHEN s.remarks <> s.old_remarks THEN '"remarks":' || to_json(s.remarks) END) || '}' AS after),
	a AS (` + rawAuditReason + `SELECT $1, 'customer', id, 'customer', id, 'customer.synced', $4, 'bench', $3, before, after FROM c),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, seq, 'customer', id, 'customer.synced', $4, $3, after FROM c)
	SELECT external_id FROM s`

// rawInsertPostgres writes new ones: $5 pool, $6 ids, $7 names, $8 remarks, $9 keys, $10 owners, $11 documents.
const rawInsertPostgres = `WITH v AS MATERIALIZED (SELECT * FROM unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
		AS v (id, name, remarks, key, owner, doc)),
	c AS (` + rawNewCustomer + `SELECT {values} FROM v ON CONFLICT DO NOTHING RETURNING id, owner_id),
	f AS (INSERT INTO crm_customer_facts (tenant_id, customer_id) SELECT $1, id FROM c),
	m AS (INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places) SELECT $1, 'customer', owner_id, count(*) FROM c GROUP BY owner_id ORDER BY owner_id` + rawPlaces + `),
	l AS (` + rawOperation + `SELECT $1, 'customer', id, 'create', $4, owner_id, $5, '', '', 0, '', $3 FROM c),
	a AS (` + rawAuditReason + `SELECT $1, 'customer', id, 'customer', id, 'customer.created', $4, 'bench', $3, NULL, doc FROM v),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, 1, 'customer', id, 'customer.created', $4, $3, doc FROM v)
	SELECT count(*) FROM c`

// valuesOf is rawNewValues with the words of a statement.
func valuesOf(words ...string) string { return strings.NewReplacer(words...).Replace(rawNewValues) }

// sync mirrors customers of a host: in two statements on PostgreSQL, on SQLite row by row with prepared statements, each in
// one transaction.
func (r *rawSQL) sync(ctx context.Context, tenant int, all []*customer.Customer) error {
	if !r.e.pg {
		return r.write(ctx, func(t writeTx) error { return r.syncRows(t, tenant, all) })
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	h := r.d.houses[tenant]
	st, err := r.statement(ctx, rawSyncPostgres)
	if err != nil {
		return err
	}
	text := func(of func(x *customer.Customer) string) []string {
		texts := make([]string, len(all))
		for i, x := range all {
			texts[i] = of(x)
		}
		return texts
	}
	rows, err := tx.StmtContext(ctx, st).QueryContext(ctx, h.number, "erp", now, "$system", text(func(x *customer.Customer) string { return x.ExternalID }),
		text(func(x *customer.Customer) string { return x.Name }), text(func(x *customer.Customer) string { return x.Remarks }))
	if err != nil {
		return err
	}
	defer rows.Close()
	there := make(map[string]bool, len(all))
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		there[key] = true
	}
	if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
		return err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(x *customer.Customer) bool { return there[x.ExternalID] })
	if len(all) > 0 {
		fresh, err := r.fresh(h, all, func(n int) (int64, error) { return r.idBlocks(ctx, n) })
		if err != nil {
			return err
		}
		values := valuesOf("{id}", "v.id", "{name}", "v.name", "{remarks}", "v.remarks", "{key}", "v.key", "{owner}", "v.owner", "{pool}", "$5")
		if st, err = r.statement(ctx, strings.ReplaceAll(rawInsertPostgres, "{values}", values)); err != nil {
			return err
		}
		var n int
		err = tx.StmtContext(ctx, st).QueryRowContext(ctx, h.number, "erp", now, "$system", h.pools[0], fresh.ids, fresh.names, fresh.remarks, fresh.keys, fresh.owners,
			fresh.docs).Scan(&n)
		if err == nil && n < len(all) {
			err = errLost
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// freshRows are new customers by column, in the order of their keys, in which two mirrors wait for each other.
type freshRows struct {
	ids                                []int64
	names, remarks, keys, owners, docs []string
}

// fresh gives new customers ids, and makes the document of each for audit and event.
func (r *rawSQL) fresh(h house, all []*customer.Customer, block func(n int) (first int64, err error)) (f freshRows, err error) {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *customer.Customer) int { return strings.Compare(a.ExternalID, b.ExternalID) })
	if f.ids, err = r.take(len(all), block); err != nil {
		return f, err
	}
	for i, x := range sorted {
		c := *x
		c.ID, c.Code, c.Type, c.Standing, c.Stage = customer.ID(f.ids[i]), madeCode(f.ids[i]), customer.Enterprise, customer.Active, customer.Potential
		c.OwnedSince, c.PoolID = now, customer.PoolID(h.pools[0])
		c.Version, c.Seq, c.CreatedAt, c.CreatedBy, c.UpdatedAt, c.UpdatedBy = 1, 1, now, crm.UserID("$system"), now, crm.UserID("$system")
		doc, err := json.Marshal(&c)
		if err != nil {
			return f, err
		}
		f.names, f.remarks, f.keys = append(f.names, c.Name), append(f.remarks, c.Remarks), append(f.keys, c.ExternalID)
		f.owners, f.docs = append(f.owners, string(c.OwnerID)), append(f.docs, string(doc))
	}
	return f, nil
}

// madeCode is the code of a customer that was given none.
func madeCode(id int64) string { return "C" + strconv.FormatInt(id, 10) }

// take takes ids, from new blocks where the last one is used up. On SQLite the caller is in a write transaction, which holds
// the ids.
func (r *rawSQL) take(n int, block func(n int) (first int64, err error)) ([]int64, error) {
	if r.e.pg {
		r.writing.Lock()
		defer r.writing.Unlock()
	}
	ids := make([]int64, 0, n)
	for len(ids) < n {
		if r.ids[0] == r.ids[1] {
			want := n - len(ids)
			if r.e.pg {
				want = (want + blockSize - 1) / blockSize * blockSize
			}
			want = max(want, blockSize)
			first, err := block(want)
			if err != nil {
				return nil, err
			}
			r.ids = [2]int64{first, first + int64(want)}
		}
		ids = append(ids, r.ids[0])
		r.ids[0]++
	}
	return ids, nil
}

// idBlocks takes blocks of ids that follow each other, which they do while nobody else takes any.
func (r *rawSQL) idBlocks(ctx context.Context, n int) (int64, error) {
	last, err := r.one(ctx, "SELECT max(id) - min(id) + $2 FROM (SELECT nextval('crm_ids') AS id FROM generate_series(1, $1)) AS b", n/blockSize, blockSize)
	if err != nil {
		return 0, err
	}
	if last != int64(n) {
		return 0, errors.New("raw: somebody else takes ids")
	}
	return r.one(ctx, "SELECT last_value - $1 FROM crm_ids", n-blockSize)
}

// syncRows is a mirror on SQLite.
func (r *rawSQL) syncRows(t writeTx, tenant int, all []*customer.Customer) error {
	h, at := r.d.houses[tenant], now.UnixMicro()
	var rest []*customer.Customer
	for _, x := range all {
		var id, seq int64
		var name, remarks string
		err := t.row("SELECT id, seq, name, remarks FROM crm_customers WHERE tenant_id = $1 AND external_system = $2 AND external_id = $3 AND deleted_at IS NULL AND external_id IS NOT NULL",
			[]any{h.number, "erp", x.ExternalID}, &id, &seq, &name, &remarks)
		if errors.Is(err, errLost) {
			rest = append(rest, x)
			continue
		}
		if err != nil {
			return err
		}
		was, is := map[string]string{}, map[string]string{}
		if x.Name != name {
			was["name"], is["name"] = name, x.Name
		}
		if x.Remarks != "" && x.Remarks != remarks {
			is["remarks"] = x.Remarks
			if remarks != "" {
				was["remarks"] = remarks
			}
		}
		if len(is) == 0 {
			continue
		}
		before, err1 := json.Marshal(was)
		after, err2 := json.Marshal(is)
		if err := errors.Join(err1, err2,
			t.exec("UPDATE crm_customers SET name = $2, remarks = $3, version = version + 1, seq = $4 + 1, updated_at = $5, updated_by = $6 WHERE id = $1",
				id, x.Name, cmp.Or(x.Remarks, remarks), seq, at, "$system"),
			t.exec(rawAuditReason+"VALUES ($1, 'customer', $2, 'customer', $2, 'customer.synced', $3, 'bench', $4, $5, $6)", h.number, id, "$system", at, string(before), string(after)),
			t.exec(rawEvent+"VALUES ($1, 'customer', $2, $5, 'customer', $2, 'customer.synced', $3, $4, $6)", h.number, id, "$system", at, seq+1, string(after)),
		); err != nil {
			return err
		}
	}
	return r.insertRows(t, h, rest)
}

// insertRows writes new customers on SQLite.
func (r *rawSQL) insertRows(t writeTx, h house, all []*customer.Customer) error {
	if len(all) == 0 {
		return nil
	}
	f, err := r.fresh(h, all, func(n int) (first int64, err error) {
		err = t.row("UPDATE crm_ids SET next = next + $1 RETURNING next - $1", []any{n}, &first)
		return first, err
	})
	if err != nil {
		return err
	}
	at, by, places := now.UnixMicro(), "$system", map[string]int{}
	values := valuesOf("{id}", "$5", "{name}", "$6", "{remarks}", "$7", "{key}", "$8", "{owner}", "$9", "{pool}", strconv.FormatInt(h.pools[0], 10))
	for i, id := range f.ids {
		places[f.owners[i]]++
		if err := errors.Join(
			t.exec(rawNewCustomer+"VALUES ("+values+")", h.number, "erp", at, by, id, f.names[i], f.remarks[i], f.keys[i], f.owners[i]),
			t.exec("INSERT INTO crm_customer_facts (tenant_id, customer_id) VALUES ($1, $2)", h.number, id),
			t.exec(rawOperation+"VALUES ($1, 'customer', $2, 'create', $3, $4, $5, '', '', 0, '', $6)", h.number, id, by, f.owners[i], h.pools[0], at),
			t.exec(rawAuditReason+"VALUES ($1, 'customer', $2, 'customer', $2, 'customer.created', $3, 'bench', $4, NULL, $5)", h.number, id, by, at, f.docs[i]),
			t.exec(rawEvent+"VALUES ($1, 'customer', $2, 1, 'customer', $2, 'customer.created', $3, $4, $5)", h.number, id, by, at, f.docs[i]),
		); err != nil {
			return err
		}
	}
	for _, owner := range slices.Sorted(maps.Keys(places)) {
		if err := t.exec("INSERT INTO crm_counters AS k (tenant_id, kind, user_id, places) VALUES ($1, 'customer', $2, $3)"+rawPlaces, h.number, owner, places[owner]); err != nil {
			return fmt.Errorf("places of %s: %w", owner, err)
		}
	}
	return nil
}
