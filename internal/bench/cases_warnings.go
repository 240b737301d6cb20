package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

var levelA = []customer.Level{customer.LevelA}

// warnBefore is one step of a day: in the data it finds those that are overdue, as the sweep does, so that both work on the
// same customers.
var warnBefore = &pool.WarnOptions{Steps: []time.Duration{24 * time.Hour}}

// warningCases are the warning run, beside the query of a sweep by itself, and the lists of what it notes.
func warningCases() []benchCase {
	sweep := func(warn func(ctx context.Context, c *crm.CRM, tenant int) error) func(b *bench, c *contestant) operation {
		return func(b *bench, c *contestant) operation {
			switch {
			case c.sweep != nil:
				return func(ctx context.Context, _, i int) error { return c.sweep(ctx, i%b.d.tenants) }
			case c.kept != nil:
				return func(ctx context.Context, _, i int) error { return warn(ctx, c.kept, i%b.d.tenants) }
			}
			return nil
		}
	}
	first := func(ctx context.Context, c *crm.CRM, tenant int) error {
		report, err := c.Pool.Warn(ctx, boss(tenant), warnBefore)
		if err == nil && report.Warned == 0 {
			err = errors.New("nobody was warned")
		}
		return err
	}
	again := func(ctx context.Context, c *crm.CRM, tenant int) error {
		_, err := c.Pool.Warn(ctx, boss(tenant), warnBefore)
		return err
	}
	return []benchCase{
		{name: "warn a tenant, first time", workers: 1, ops: 1, rounds: 2, heap: true, after: (*bench).unwarn, of: sweep(first)},
		{name: "warn a tenant, nothing new", workers: 1, ops: 1, rounds: 4, heap: true, of: sweep(again)},
		{name: "superior's view, first page", workers: 1, ops: 50, rounds: 5, of: viewing(func(*data) string { return "" })},
		{name: "superior's view, page of others", workers: 1, ops: 50, rounds: 5, of: viewing(func(*data) string { return privateCursor("private", 1, 0, 0) })},
		{name: "superior's view, deep page", workers: 1, ops: 50, rounds: 5, of: viewing(func(d *data) string {
			return privateCursor("private", 1, 0, d.first+int64(d.rows)/2)
		})},
	}
}

// unwarn forgets what was told; the events of before stay.
func (b *bench) unwarn(ctx context.Context) error {
	_, err := b.db.ExecContext(ctx, "DELETE FROM crm_due")
	return err
}

// viewing is a page of the superior's view of a head with 20 sellers.
func viewing(after func(d *data) string) func(b *bench, c *contestant) operation {
	return func(b *bench, c *contestant) operation {
		if c.kept == nil {
			return nil
		}
		noted := map[int]bool{} // while it warms up
		return func(ctx context.Context, _, i int) error {
			w := who{i % b.d.tenants, head(0)}
			if !noted[w.tenant] {
				noted[w.tenant] = true
				if _, err := c.kept.Pool.Warn(ctx, boss(w.tenant), warnBefore); err != nil {
					return err
				}
			}
			l, err := c.kept.Pool.Private(ctx, w.actor(), pool.PrivateFilter{Subordinates: true}, crm.Page{Limit: pageSize, After: after(b.d)})
			if err == nil && len(l.Items) == 0 {
				err = fmt.Errorf("%v sees nothing", w)
			}
			return err
		}
	}
}
