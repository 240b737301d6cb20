package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

// loadCases are many on few, many at once, and what goes on beside something else.
func loadCases() []benchCase {
	return []benchCase{
		{name: "claim of 500", workers: 1, ops: 2, rounds: 8, of: claimBulk},
		{name: "claim, 64 workers on 100 customers", workers: 64, ops: 100, rounds: 4, of: claimHot},
		{name: "claim, refused as taken", workers: 1, ops: 200, rounds: 10, of: claimTaken},
		{name: "get, beside 4 writers", workers: 4, ops: 200, rounds: 8, of: getBeside, beside: writers(4)},
		{name: "get, beside 4 writers, one shared connection", workers: 4, ops: 50, rounds: 8, of: getShared, beside: sharedWriters(4)},
		{name: "follow-up, 2 workers with pauses", workers: 2, ops: 100, rounds: 3, pause: pause, of: followPaused},
		{name: "follow-up, 2 workers with pauses, beside a run", workers: 2, ops: 100, rounds: 3, pause: pause, of: followPaused, beside: runs, after: (*bench).restore},
		{name: "recycle all tenants", workers: 1, ops: 1, rounds: 2, heap: true, after: (*bench).restore, of: recycleAll},
		{name: "recycle a tenant, row by row", workers: 1, ops: 1, rounds: 1, after: (*bench).restore, of: recycleRows},
	}
}

func claimBulk(b *bench, c *contestant) operation {
	if c.claimMany == nil {
		return nil
	}
	n := min(500, b.d.perTenant()/50)
	var tenant int
	return func(ctx context.Context, _, _ int) error {
		t := tenant % b.d.tenants
		tenant++
		ids, err := b.bulk[t].take(n)
		if err != nil {
			return err
		}
		return c.claimMany(ctx, who{t, seller(1 + tenant%(b.d.sellers-1))}, ids)
	}
}

// refused tells that a claim came too late, in the contestant's own words; what the CRM says must be typed.
func refused(c *contestant, err error) bool {
	if c.kept != nil || c.name == "group" {
		return errors.Is(err, pool.Taken)
	}
	return errors.Is(err, errLost)
}

// claimHot lets all workers claim the same customers at the same time. Each has one winner.
func claimHot(b *bench, c *contestant) operation {
	queues := c.kept != nil || c.name == "group" || c.name == raw
	if c.claim == nil || !b.e.pg && !queues { // 64 that fight for the lock of SQLite take minutes
		return nil
	}
	var mu sync.Mutex
	targets := map[int]target{}
	return func(ctx context.Context, worker, i int) error {
		mu.Lock()
		x, ok := targets[i]
		if !ok {
			var err error
			if x, err = b.pool.take(); err != nil {
				mu.Unlock()
				return err
			}
			targets[i] = x
		}
		mu.Unlock()
		x.user = seller(worker % b.d.sellers)
		err := c.claim(ctx, x.who, x.id)
		if err != nil && refused(c, err) {
			return nil
		}
		return err
	}
}

// claimTaken claims what somebody has.
func claimTaken(b *bench, c *contestant) operation {
	if c.claim == nil {
		return nil
	}
	return func(ctx context.Context, _, i int) error {
		x := b.own.look(i)
		x.user = seller((i + 1) % b.d.sellers)
		if x.user == b.own.look(i).user {
			x.user = seller((i + 2) % b.d.sellers)
		}
		switch err := c.claim(ctx, x.who, x.id); {
		case err == nil:
			return fmt.Errorf("customer %d was taken and could be claimed", x.id)
		case errors.Is(err, errLost), errors.Is(err, crm.ErrRefused), errors.Is(err, crm.ErrNotFound):
			return nil
		default:
			return err
		}
	}
}

func getBeside(b *bench, c *contestant) operation {
	if c.kept == nil && c.name != raw {
		return nil
	}
	return func(ctx context.Context, worker, i int) error {
		x := b.own.look(worker*7919 + i)
		_, err := c.get(ctx, x.who, x.id)
		return err
	}
}

// shared is a CRM whose handle has one connection, for readers and writers.
func (b *bench) shared(ctx context.Context) (*crm.CRM, error) {
	if b.one != nil {
		return b.one, nil
	}
	db, err := b.e.open()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	b.closers = append(b.closers, db)
	b.one, err = crm.New(ctx, b.e.store(db), &crm.Options{Clock: clock})
	return b.one, err
}

func getShared(b *bench, c *contestant) operation {
	if c.kept == nil {
		return nil
	}
	return func(ctx context.Context, worker, i int) error {
		x := b.own.look(worker*7919 + i)
		_, err := b.one.Customers.Get(ctx, x.actor(), customer.ID(x.id))
		return err
	}
}

// writers claim without a pause until they are stopped.
func writers(n int) func(b *bench, ctx context.Context, c *contestant) (stop func() error, err error) {
	return func(b *bench, ctx context.Context, c *contestant) (func() error, error) {
		return b.loop(ctx, n, func(ctx context.Context, x target) error { return c.claim(ctx, x.who, x.id) }), nil
	}
}

func sharedWriters(n int) func(b *bench, ctx context.Context, c *contestant) (stop func() error, err error) {
	return func(b *bench, ctx context.Context, _ *contestant) (func() error, error) {
		one, err := b.shared(ctx)
		if err != nil {
			return nil, err
		}
		return b.loop(ctx, n, func(ctx context.Context, x target) error { return one.Pool.Claim(ctx, x.actor(), customer.ID(x.id)) }), nil
	}
}

// loop lets workers do the same with one target after the other until it is stopped.
func (b *bench) loop(ctx context.Context, n int, do func(ctx context.Context, x target) error) (stop func() error) {
	end, errs := make(chan struct{}), make([]error, n)
	var all sync.WaitGroup
	for w := range n {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				x, err := b.pool.take()
				if err != nil { // there were enough for a while
					return
				}
				if errs[w] = do(ctx, x); errs[w] != nil {
					return
				}
			}
		})
	}
	return func() error { close(end); all.Wait(); return errors.Join(errs...) }
}

const pause = 4 * time.Millisecond

// followPaused records follow-ups as people do, with pauses, which are not measured.
func followPaused(b *bench, c *contestant) operation {
	if c.kept == nil {
		return nil
	}
	return func(ctx context.Context, _, _ int) error {
		x, err := b.own.take()
		if err != nil {
			return err
		}
		return c.followUp(ctx, x.who, followUpOf(customer.ID(x.id)))
	}
}

// runs recycle tenant after tenant until they are stopped.
func runs(b *bench, ctx context.Context, c *contestant) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		released := 0
		for t := range b.d.tenants {
			n, err := c.recycle(ctx, t)
			released += n
			if err != nil && ctx.Err() == nil {
				done <- err
				return
			}
			if ctx.Err() != nil {
				break
			}
		}
		b.say("  %d released meanwhile", released)
		done <- nil
	}()
	return func() error { cancel(); return <-done }, nil
}

func recycleAll(b *bench, c *contestant) operation {
	if c.recycle == nil {
		return nil
	}
	return func(ctx context.Context, _, _ int) error {
		for t := range b.d.tenants {
			if n, err := c.recycle(ctx, t); err != nil || n == 0 {
				return errors.Join(err, fmt.Errorf("%d released of tenant %d", n, t))
			}
		}
		return nil
	}
}

// recycleRows is the same as for a tenant with a transaction for each customer: only raw does that, a thousand of them.
func recycleRows(b *bench, c *contestant) operation {
	if c.rows == nil {
		return nil
	}
	return func(ctx context.Context, _, i int) error { return c.rows(ctx, i%b.d.tenants, 1_000) }
}
