package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

const (
	hammerMembers    = 10 // of each process
	hammerCap        = 3
	hammerQuota      = 8
	hammerProtection = 2 * time.Millisecond
	hammerCoolDown   = 20 * time.Millisecond
)

// hammerChild lets all workers of both processes act for one member at a time, so that all meet at its limits.
func hammerChild(o order, _ *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	errs := make([]error, o.Workers)
	var wg sync.WaitGroup
	for i := range o.Workers {
		r := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		wg.Go(func() {
			for n := range o.Steps {
				by := crm.Actor{Tenant: "acme", User: memberOf(n * 2 * hammerMembers / o.Steps)}
				if err := hammer(c, r, by, o); err != nil && !errors.Is(err, crm.ErrRefused) && !errors.Is(err, crm.ErrNotFound) && !errors.Is(err, crm.ErrRetry) {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// memberOf is the n-th member of both processes together.
func memberOf(n int) kernel.UserID { return kernel.UserID(fmt.Sprint([]string{"a", "b"}[n%2], n/2)) }

func hammer(c *crm.CRM, r *rand.Rand, by crm.Actor, o order) error {
	ctx := context.Background()
	id := customer.ID(pick(r, o.IDs...))
	switch r.IntN(6) {
	case 0, 1:
		return c.Pool.Claim(ctx, by, id)
	case 2:
		_, err := c.Pool.ClaimMany(ctx, by, []customer.ID{id, customer.ID(pick(r, o.IDs...))}, pool.WhatCanBeHad)
		return err
	case 3: // a request takes the other way through the claim
		by.Request = fmt.Sprint(r.Uint64())
		return c.Pool.Claim(ctx, by, id)
	}
	l, err := c.Customers.List(ctx, by, customer.Filter{Owners: []kernel.UserID{by.User}}, crm.Page{Limit: 1})
	if err != nil || len(l.Items) == 0 {
		return err
	}
	return c.Pool.Release(ctx, by, l.Items[0].ID, nil)
}

// Whatever two processes do at once, the operation log must tell the same as the counters, and show that no limit was
// ever exceeded, not by one and not for a moment.
func TestLimitsHoldUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		h, both := crowd(t, fresh(t), 30, hammerMembers, order{Role: "hammer", Workers: 3, Steps: choose(400, 4000)})
		h.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = hammerCap, hammerQuota })
		h.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = hammerProtection, hammerCoolDown })
		for _, c := range both {
			c.begin()
		}
		watched := h.watch(t)
		for _, c := range both {
			require.Empty(t, all[string](c))
		}
		watched()
		h.agree()
		claims, places := requireLimits(t, h)
		for user, n := range claims {
			require.Equal(t, n, h.count("SELECT claims_used FROM crm_counters WHERE user_id = '"+string(user)+"'"), user)
			require.Equal(t, places[user], h.count("SELECT places FROM crm_counters WHERE user_id = '"+string(user)+"'"), user)
			require.Equal(t, hammerQuota, n, "%s had more than enough time to use up its quota", user)
		}
		require.Len(t, claims, 2*hammerMembers)
	})
}

// requireLimits replays the log. Lines of one member stand in it in the order in which its counter was locked, and those of
// one customer in the order in which that was.
func requireLimits(t *testing.T, h *house) (claims, places map[kernel.UserID]int) {
	t.Helper()
	claims, places = map[kernel.UserID]int{}, map[kernel.UserID]int{}
	released := map[int64]operation{}
	for _, op := range operations(h, "1 = 1") {
		switch op.Action {
		case customer.Claimed:
			claims[op.To]++
			places[op.To]++
			require.LessOrEqual(t, places[op.To], hammerCap, "%v", op)
			require.LessOrEqual(t, claims[op.To], hammerQuota, "%v", op)
			if was, ok := released[op.Record]; ok {
				pause := op.At.Sub(was.At)
				require.GreaterOrEqual(t, pause, hammerProtection, "%v after %v", op, was)
				if was.From == op.To {
					require.GreaterOrEqual(t, pause, hammerCoolDown, "%v after %v", op, was)
				}
			}
		case customer.Released:
			places[op.From]--
			released[op.Record] = op
		default:
			require.Fail(t, "a line that nobody made", "%v", op)
		}
	}
	return claims, places
}

// watch lets Verify look on until it is told to stop: whatever goes on, it must find nothing.
func (h *house) watch(t *testing.T) (stop func()) {
	t.Helper()
	over, ended, runs := make(chan struct{}), make(chan error, 1), 0
	go func() {
		for {
			report, err := h.Verify(context.Background(), boss, &crm.VerifyOptions{Page: 10})
			if err == nil && report.Total > 0 {
				err = fmt.Errorf("while others work, Verify finds %v", report.Findings)
			}
			select {
			case <-over:
				ended <- err
				return
			default:
			}
			if runs++; err != nil && !errors.Is(err, crm.ErrRetry) {
				ended <- err
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() {
		close(over)
		require.NoError(t, <-ended)
		t.Logf("Verify looked on %d times", runs)
	}
}
