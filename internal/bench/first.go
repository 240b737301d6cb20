package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/openseas/crm/customer"
)

// mostItems is how many customers a call of a first mirror has: as many as the library takes.
const mostItems = 10_000

// firstMirrors lets the library and the best SQL create all customers of a host, each twice and in turns, in a database
// without any.
func firstMirrors(ctx context.Context, e engine, want shape, w io.Writer, say func(format string, args ...any)) error {
	for _, name := range []string{raw, "crm", "crm", raw} {
		if err := firstMirror(ctx, e, want, name, w, say); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := e.drop(ctx); err != nil {
			return err
		}
	}
	return nil
}

func firstMirror(ctx context.Context, e engine, want shape, name string, w io.Writer, say func(format string, args ...any)) (err error) {
	d := &data{shape: want}
	b, err := d.unfilled(ctx, e, say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	c := b.all[slices.IndexFunc(b.all, func(c *contestant) bool { return c.name == name })]
	begin := time.Now()
	heap, err := d.mirror(ctx, c, func(done int) { say("  %8d customers of %s in %.1f s", done, name, time.Since(begin).Seconds()) })
	if err != nil {
		return err
	}
	spent := time.Since(begin)
	var n int
	if err := b.db.QueryRowContext(ctx, "SELECT count(*) FROM crm_customers").Scan(&n); err != nil || n != d.tenants*d.perTenant() {
		return errors.Join(err, fmt.Errorf("%d customers are there", n))
	}
	_, err = fmt.Fprintf(w, "%-4s %d customers on %s: %.1f s, %.0f a second, heap %d MB in the first tenth and %d MB in the last\n",
		name, n, e, spent.Seconds(), float64(n)/spent.Seconds(), heap[0]>>20, heap[1]>>20)
	return err
}

// unfilled is a bench on a database with tenants and no customers.
func (d *data) unfilled(ctx context.Context, e engine, say func(format string, args ...any)) (*bench, error) {
	db, err := e.open()
	if err != nil {
		return nil, err
	}
	b := &bench{e: e, d: d, db: db, say: say, share: 1, by: regexp.MustCompile(".")}
	if err = e.store(db).Migrate(ctx); err == nil {
		err = d.found(ctx, e, db)
	}
	if err == nil {
		b.all, err = contestants(ctx, e, d)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// mirror creates all customers, tenant by tenant, and returns the peaks of the heap in the first tenth and the last.
func (d *data) mirror(ctx context.Context, c *contestant, progress func(done int)) (heap [2]uint64, err error) {
	var all []*customer.Customer
	for t := range d.tenants {
		peak := watchHeap()
		for from := 0; from < d.perTenant() && err == nil; from += len(all) {
			all = all[:0]
			for k := from; k < min(from+mostItems, d.perTenant()); k++ {
				all = append(all, d.item(t, k, 0))
			}
			err = c.load(ctx, t, all)
		}
		most := peak()
		if err != nil {
			return heap, err
		}
		if t == 0 {
			heap[0] = most
		}
		heap[1] = most
		progress((t + 1) * d.perTenant())
	}
	return heap, nil
}
