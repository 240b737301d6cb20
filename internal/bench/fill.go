package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/openseas/crm/storage/sqlite"
)

// fillSQL writes the data, a statement a step. {at} turns microseconds into a time, {numbers} are those of the customers.
var fillSQL = []string{
	`INSERT INTO crm_customers (tenant_id, id, code, name, type, level, standing, blacklist_reason, stage, lost_reason, industry, size, annual_potential,
		credit_rating, source, referred_by, region, province, city, district, acquired_on, source_lead, brand, remarks, external_system, external_id,
		owner_id, owned_since, pool_id, pool_entered_at, last_owner, first_followup_at, last_followup_at, version, seq,
		created_at, created_by, updated_at, updated_by)
	SELECT h.tenant, {first} + g.i, 'C' || ({first} + g.i), '蓝鲸机械有限公司 ' || g.i, 'enterprise', CASE g.j % 5 WHEN 0 THEN 'A' WHEN 1 THEN 'B' WHEN 2 THEN 'C' WHEN 3 THEN 'D' END,
		'active', '', CASE WHEN g.m IN (1, 2) AND g.j % 10 = 9 THEN 'won' ELSE 'potential' END, '', 'C' || (10 + g.j % 30), 'medium', (g.j % 1000) * 1000 * {unit},
		'A', CASE g.j % 4 WHEN 0 THEN 'website' WHEN 1 THEN 'referral' WHEN 2 THEN 'event' ELSE 'cold call' END, 0,
		'' || (110000 + (g.j % 31) * 10000 + g.j % 17 * 100), '浙江', '杭州', '西湖', '2025-06-01', 0, '', '',
		'erp', 'K' || ({first} + g.i), {owner}, {at} (CASE WHEN g.m < 7 THEN {now} - (30 + g.j % 50) * {day} END),
		h.pool, {at} (CASE WHEN g.m IN (7, 9) THEN {now} - (31 + g.j % 300) * {day} END), CASE WHEN g.m IN (7, 9) THEN 's' || (g.j % {sellers}) END,
		{followed}, {followed}, 1, 1,
		{at} ({now} - (400 - 300 * g.i / {rows}) * {day}), '(system)', {at} ({now} - 30 * {day}), '(system)'
	FROM {customers} AS g JOIN {houses} AS h ON h.t = g.t AND h.n = CASE WHEN g.m = 9 THEN 1 + g.j % {departments} ELSE 0 END
	ORDER BY g.i`,
	`INSERT INTO crm_customer_facts (tenant_id, customer_id, interactions, last_interaction_at, orders, first_order_at, last_order_at)
	SELECT h.tenant, {first} + g.i, CASE WHEN g.k < 2 THEN {hot} WHEN g.m = 5 THEN 1 ELSE 0 END, {at} (CASE WHEN g.k < 2 OR g.m = 5 THEN {now} - 60 * {day} END),
		CASE WHEN g.m = 5 THEN 1 ELSE 0 END, {at} (CASE WHEN g.m = 5 THEN {now} - 200 * {day} END), {at} (CASE WHEN g.m = 5 THEN {now} - 200 * {day} END)
	FROM {customers} AS g JOIN {houses} AS h ON h.t = g.t AND h.n = 0
	ORDER BY g.i`,
	`INSERT INTO crm_interactions (tenant_id, id, customer_id, contact_id, type, direction, subject, content, at, minutes, outcome, next_action, staff,
		session_tag, followup, automatic, version, created_at, created_by, updated_at)
	SELECT h.tenant, {first} + {rows} + g.i, {first} + g.i, 0, 'call', 'outbound', 'first call', '', {at} ({now} - 60 * {day}), 10, 'successful', '', 's0',
		'', FALSE, FALSE, 1, {at} ({now} - 60 * {day}), 's0', {at} ({now} - 60 * {day})
	FROM {customers} AS g JOIN {houses} AS h ON h.t = g.t AND h.n = 0 WHERE g.m = 5
	ORDER BY g.i`,
	`INSERT INTO crm_interactions (tenant_id, id, customer_id, contact_id, type, direction, subject, content, at, minutes, outcome, next_action, staff,
		session_tag, followup, automatic, version, created_at, created_by, updated_at)
	SELECT h.tenant, {first} + 3 * {rows} + g.i * {hot} + x.x, {first} + g.i, 0, 'call', 'outbound', 'call ' || x.x, '', {at} ({now} - 60 * {day} - x.x * 3600000000), 10,
		'successful', '', 's0', '', FALSE, FALSE, 1, {at} ({now} - 60 * {day}), 's0', {at} ({now} - 60 * {day})
	FROM {customers} AS g JOIN {houses} AS h ON h.t = g.t AND h.n = 0 CROSS JOIN {hots} AS x WHERE g.i < 2 * {tenants}`,
	`INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, to_owner, pool_id, reason, note, rule_id, rule, at)
	SELECT c.tenant_id, 'customer', c.id, 'create', '(system)', c.owner_id, c.pool_id, '', '', 0, '', c.owned_since FROM crm_customers AS c
	WHERE c.owner_id IS NOT NULL ORDER BY c.id`,
	`INSERT INTO crm_orders (tenant_id, id, customer_id, system, number, status, amount, ordered_at, created_at, created_by)
	SELECT h.tenant, {first} + 2 * {rows} + g.i, {first} + g.i, 'erp', 'N' || g.i, 'completed', 1000 * {unit}, {at} ({now} - 200 * {day}), {at} ({now} - 200 * {day}), '(system)'
	FROM {customers} AS g JOIN {houses} AS h ON h.t = g.t AND h.n = 0 WHERE g.m = 5
	ORDER BY g.i`,
	`INSERT INTO crm_counters (tenant_id, kind, user_id, places)
	SELECT tenant_id, 'customer', owner_id, sum(CASE WHEN stage = 'won' THEN 0 ELSE 1 END) FROM crm_customers WHERE owner_id IS NOT NULL
	GROUP BY tenant_id, owner_id`,
}

// Parts of the statements above and of rewinding: t is the tenant, k the number in it, m = k%10 and j = k/10.
const (
	ownerSQL    = "CASE WHEN g.m = 0 THEN 's0' WHEN g.m < 7 THEN 's' || ((g.j + g.m * 17) % {sellers}) END"
	followedSQL = `{at} (CASE WHEN g.m = 3 AND g.j % 2 = 0 THEN {now} - 4 * {day} - (1 + g.j % 480) * 3600000000
		WHEN g.m < 7 AND g.m <> 3 THEN {now} - (1 + g.j % 48) * 3600000000 END)`
	customersSQL = `(SELECT i, i % {tenants} AS t, i / {tenants} AS k, i / {tenants} % 10 AS m, i / {tenants} / 10 AS j FROM {numbers} AS n (i))`
)

// words are the numbers and the words of the engine.
func (d *data) words(e engine) *strings.Replacer {
	var houses []string
	for t, h := range d.houses {
		for n, p := range h.pools {
			houses = append(houses, fmt.Sprintf("(%d, %d, %d, %d)", t, n, h.number, p))
		}
	}
	const series = `(WITH RECURSIVE r (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i + 1 < %d) SELECT i FROM r)`
	numbers, hots, at, unit := fmt.Sprintf(series, d.rows), "(SELECT i AS x FROM "+fmt.Sprintf(series, d.hot())+" AS r)", "", "10000"
	table := "(WITH v (t, n, tenant, pool) AS (VALUES " + strings.Join(houses, ", ") + ") SELECT * FROM v)"
	if e.pg {
		numbers, hots = fmt.Sprintf("generate_series(0::bigint, %d)", d.rows-1), fmt.Sprintf("(SELECT x FROM generate_series(0::bigint, %d) AS r (x))", d.hot()-1)
		at, unit = "timestamptz 'epoch' + interval '1 microsecond' *", "1"
	}
	customers := strings.ReplaceAll(customersSQL, "{numbers} AS n (i)", numbers+" AS n (i)")
	if !e.pg {
		customers = strings.ReplaceAll(customersSQL, "{numbers} AS n (i)", numbers)
	}
	plain := []string{
		"{first}", fmt.Sprint(d.first), "{rows}", fmt.Sprint(d.rows), "{tenants}", fmt.Sprint(d.tenants), "{sellers}", fmt.Sprint(d.sellers),
		"{departments}", fmt.Sprint(d.departments()), "{hot}", fmt.Sprint(d.hot()), "{now}", fmt.Sprint(now.UnixMicro()), "{day}", "86400000000",
		"{at}", at, "{unit}", unit, "{houses}", table, "{hots}", hots,
	}
	fill := strings.NewReplacer(plain...)
	return strings.NewReplacer(append(plain, "{customers}", fill.Replace(customers), "{owner}", fill.Replace(ownerSQL), "{followed}", fill.Replace(followedSQL))...)
}

// bulk is a connection that loads without the care that a host's data deserves: what is half built is built anew.
type bulk struct {
	db    *sql.DB
	conn  *sql.Conn
	list  string   // of the indexes to make again afterwards
	after []string // what makes the planner know the data
}

func loader(ctx context.Context, e engine) (*bulk, error) {
	b := &bulk{
		list:  "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'crm_customers' AND sql IS NOT NULL",
		after: []string{"ANALYZE"},
	}
	var set []string
	if e.pg {
		b.list = `SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'crm_customers'::regclass AND NOT indisprimary`
		b.after = []string{"VACUUM ANALYZE", "CHECKPOINT"}
		// The last one checks no foreign keys.
		set = []string{"SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'", "SET session_replication_role = replica"}
	}
	var err error
	if e.pg {
		b.db, err = e.open()
	} else {
		dsn := strings.NewReplacer("journal_mode(WAL)", "journal_mode(OFF)", "synchronous(FULL)", "synchronous(OFF)",
			"foreign_keys(1)", "foreign_keys(0)", "cache_size(-65536)", "cache_size(-524288)").Replace(sqlite.DSN(e.dsn))
		b.db, err = sql.Open("sqlite", dsn)
	}
	if err != nil {
		return nil, err
	}
	b.conn, err = b.db.Conn(ctx)
	for _, text := range set {
		if err == nil {
			err = b.exec(ctx, text)
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *bulk) exec(ctx context.Context, text string) error {
	_, err := b.conn.ExecContext(ctx, text)
	return err
}

// indexes are those of the customers, by name: with the table full they are made in a third of the time.
func (b *bulk) indexes(ctx context.Context) (map[string]string, error) {
	rows, err := b.conn.QueryContext(ctx, b.list)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		all[name] = definition
	}
	return all, rows.Err()
}

// Close closes connection and handle.
func (b *bulk) Close() error {
	var err error
	if b.conn != nil {
		err = b.conn.Close()
	}
	return errors.Join(err, b.db.Close())
}
