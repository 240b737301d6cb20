package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// pastSQL gives every customer of the tenants a past of ten lines in the operation log, with the rows of the audit trail
// that such lines have, and four follow-ups. The first column of each says how much there is already.
var pastSQL = []string{
	`INSERT INTO crm_operations (tenant_id, kind, record_id, action, actor, from_owner, to_owner, pool_id, reason, note, rule_id, rule, at)
	SELECT c.tenant_id, 'customer', c.id, CASE x % 2 WHEN 0 THEN 'claim' ELSE 'release' END, 's' || ((c.id + x / 2) % {sellers}),
		CASE x % 2 WHEN 1 THEN 's' || ((c.id + x / 2) % {sellers}) END, CASE x % 2 WHEN 0 THEN 's' || ((c.id + x / 2) % {sellers}) END,
		c.pool_id, '', '', 0, '', {at} ({now} - (390 - x * 40) * {day} + c.id % 1000000 * 1000)
	FROM crm_customers AS c CROSS JOIN {steps} AS s WHERE c.tenant_id IN ({houses}) AND c.created_at < {at} ({now}) ORDER BY x, c.id`,
	`INSERT INTO crm_audit (tenant_id, subject_kind, subject_id, kind, record_id, type, actor, at, before, after)
	SELECT tenant_id, kind, record_id, kind, record_id, 'customer.' || action || 'd', actor, at, '{"owner_id":""}', '{"owner_id":""}' FROM crm_operations
	WHERE tenant_id IN ({houses}) AND action IN ('claim', 'release') AND at < {at} ({now}) ORDER BY id`,
	`INSERT INTO crm_interactions (tenant_id, id, customer_id, contact_id, type, direction, subject, content, at, minutes, outcome, next_action, staff,
		session_tag, followup, automatic, version, created_at, created_by, updated_at)
	SELECT c.tenant_id, 4000000000 + c.id * 9 + x, c.id, 0, 'call', 'outbound', 'call', '', {at} ({now} - (385 - x * 31) * {day}), 10, 'successful', '', 's0',
		'', x % 2 = 0, FALSE, 1, {at} ({now} - (385 - x * 31) * {day}), 's0', {at} ({now} - (385 - x * 31) * {day})
	FROM crm_customers AS c CROSS JOIN {steps} AS s WHERE x < 8 AND c.tenant_id IN ({houses}) AND c.created_at < {at} ({now}) ORDER BY x, c.id`,
}

// live gives the customers their past, unless they have one.
func (d *data) live(ctx context.Context, e engine, say func(format string, args ...any)) error {
	var houses []string
	for _, h := range d.houses {
		houses = append(houses, fmt.Sprint(h.number))
	}
	b, err := loader(ctx, e)
	if err != nil {
		return err
	}
	defer b.Close()
	var n int
	if err := b.conn.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM crm_operations WHERE action = 'claim' AND tenant_id = "+houses[0]+" LIMIT 1) AS x").Scan(&n); err != nil || n > 0 {
		return err
	}
	steps := "(WITH RECURSIVE r (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM r WHERE x < 9) SELECT x FROM r)"
	words := strings.NewReplacer("{steps}", steps, "{houses}", strings.Join(houses, ", "))
	for _, text := range append(pastSQL, b.after...) {
		begin := time.Now()
		if err := b.exec(ctx, d.words(e).Replace(words.Replace(text))); err != nil {
			return fmt.Errorf("%.100s: %w", text, err)
		}
		say("  %5.1f s  %.90s", time.Since(begin).Seconds(), strings.Join(strings.Fields(text), " "))
	}
	return nil
}

// simulate replays the past of every tenant by other rules, and says how long that took and how much memory was in use.
func simulate(ctx context.Context, e engine, d *data, w io.Writer) error {
	db, err := e.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(ctx, e.store(db), &crm.Options{Clock: clock})
	if err != nil {
		return err
	}
	rules := []pool.Rule{
		{Name: "sooner", Condition: `followup_days > 14 and level in ["C", "D"]`, Action: pool.Release},
		{Name: "buyers", Condition: "spend > 500", Action: pool.Keep, Priority: 9},
	}
	var most uint64
	var sum pool.Simulation[customer.ID]
	begin := time.Now()
	for t := range d.houses {
		s, err := c.Pool.Simulate(ctx, boss(t), rules, &pool.SimulateOptions{Progress: func(pool.SimulationProgress) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		}})
		if err != nil {
			return err
		}
		sum.Records += s.Records
		sum.Ownerships += s.Ownerships
		sum.Changed.Released += s.Changed.Released
		sum.Present.Released += s.Present.Released
	}
	spent := time.Since(begin)
	var lines int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM crm_operations").Scan(&lines); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d customers, %d lines of the log, %d ownerships in the pools: %.1f s, %.0f customers a second, %d MiB of heap in use at most; %d released, %d by the present rules\n",
		e, sum.Records, lines, sum.Ownerships, spent.Seconds(), float64(sum.Records)/spent.Seconds(), most>>20, sum.Changed.Released, sum.Present.Released)
	for _, q := range []struct {
		name string
		ask  func(a crm.Actor) (int, error)
	}{
		{"claims given back", func(a crm.Actor) (int, error) {
			l, err := c.Pool.Patterns.ClaimAndRelease(ctx, a, pool.PatternFilter{Within: 40 * 24 * time.Hour}, crm.Page{})
			return len(l.Items), err
		}},
		{"swaps", func(a crm.Actor) (int, error) {
			l, err := c.Pool.Patterns.Swaps(ctx, a, pool.PatternFilter{}, crm.Page{})
			return len(l.Items), err
		}},
		{"claims given back, of 90 days", func(a crm.Actor) (int, error) {
			l, err := c.Pool.Patterns.ClaimAndRelease(ctx, a, pool.PatternFilter{From: now.Add(-90 * 24 * time.Hour)}, crm.Page{})
			return len(l.Items), err
		}},
		{"swaps, of 90 days", func(a crm.Actor) (int, error) {
			l, err := c.Pool.Patterns.Swaps(ctx, a, pool.PatternFilter{From: now.Add(-90 * 24 * time.Hour)}, crm.Page{})
			return len(l.Items), err
		}},
	} {
		begin := time.Now()
		n, err := q.ask(boss(0))
		if err != nil {
			return errors.Join(fmt.Errorf("%s", q.name), err)
		}
		fmt.Fprintf(w, "%s: %s of one tenant: %.2f s, %d lines\n", e, q.name, time.Since(begin).Seconds(), n)
	}
	return nil
}
