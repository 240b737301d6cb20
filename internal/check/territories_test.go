package check

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// territory lets li and wang share what nobody owns; it is there once.
func (h *house) territory(members ...kernel.UserID) {
	h.t.Helper()
	if h.count("SELECT count(*) FROM crm_territories") > 0 {
		return
	}
	require.NoError(h.t, h.Pool.Territories.Put(context.Background(), boss, &pool.Territory{Name: "all", Members: members, Enabled: true}))
}

// byTerritory are undertakings, see there.
var byTerritory = []undertaking{
	{name: "AutoAssign", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		h.territory("li", "wang")
		ids := h.create(3, "")
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Pool.AutoAssign(ctx, as(boss, request), ids)
			return err
		}
	}},
	{name: "AutoAssignPool", alone: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		h.territory("li", "wang")
		h.create(3, "")
		return func(ctx context.Context, c *crm.CRM, request string) error {
			_, err := c.Pool.AutoAssignPool(ctx, as(boss, request), 0, nil)
			return err
		}
	}},
	{name: "Create by territory", prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
		h.territory("li", "wang")
		h.settings(func(p *pool.Pool) { p.AssignNew = true })
		return func(ctx context.Context, c *crm.CRM, request string) error {
			return c.Customers.Create(ctx, as(li, request), &customer.Customer{Name: "x"})
		}
	}},
}

// newcomersChild makes customers that nobody owns, one by one, several at a time.
func newcomersChild(o order, _ *told) error {
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
		wg.Go(func() {
			for range o.Steps {
				errs[i] = errors.Join(errs[i], insist(func() error {
					return c.Customers.Create(context.Background(), boss, &customer.Customer{Name: "x"})
				}))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Two processes make customers in bursts: no share is more than one item ahead of another, whatever the caps are.
func TestNewcomersOfTwoProcessesAreSharedFairly(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		caps := map[kernel.UserID]int{"li": 200, "wang": 200, "head": 200, "a": 50, "b": 7, "c": 0}
		for user, n := range caps {
			if len(user) == 1 {
				require.NoError(t, h.Team.Members.Add(t.Context(), boss, team.Member{User: user, Role: team.Seller}))
			}
			require.NoError(t, h.Pool.Pools.SetLimits(t.Context(), boss, user, pool.Limits{Cap: &n}))
		}
		h.territory("li", "wang", "head", "a", "b", "c")
		h.settings(func(p *pool.Pool) { p.AssignNew = true })
		const steps, workers = 10, 6
		offsets := []time.Duration{0, -time.Hour} // the clock of the second is an hour behind
		var both []*process
		for i, offset := range offsets {
			o := order{Role: "newcomers", Place: p, Workers: workers, Steps: choose(steps, 5*steps), Offset: time.Until(noon) + offset, Seed: uint64(i)}
			both = append(both, spawn(t, o))
		}
		for _, c := range both {
			c.begin()
		}
		for _, c := range both {
			require.NoError(t, c.end())
		}
		places, total := map[kernel.UserID]int{}, 0
		for user := range caps {
			places[user] = h.count("SELECT coalesce(max(places), 0) FROM crm_counters WHERE user_id = '" + string(user) + "'")
			total += places[user]
		}
		require.Equal(t, min(2*workers*choose(steps, 5*steps), 657), total)
		for a, n := range caps {
			require.LessOrEqual(t, places[a], n)
			for b, m := range caps { // without its last item nobody's share is above another's, unless that one is full
				if places[b] < m {
					require.LessOrEqual(t, (places[a]-1)*m, places[b]*n, "%s %d of %d, %s %d of %d", a, places[a], n, b, places[b], m)
				}
			}
		}
		h.agree()
	})
}

// assignChild gives a pool to its members, and tells after every batch how many.
func assignChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	return insist(func() error {
		_, err := c.Pool.AutoAssignPool(context.Background(), boss, 0, &pool.AutoAssignOptions{
			Batch: 7, Progress: func(r pool.AutoAssignReport) { out.say(r.Assigned) },
		})
		return err
	})
}

func TestAssignmentsOfAPoolAreKilledAndGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		h.free()
		h.territory("li", "wang", "head")
		run := order{Role: "assign", Place: p, Offset: time.Until(noon)}
		const n = 120
		round := 0
		interruptions(t, 4, 20*time.Millisecond, func(wait time.Duration) (interrupted bool) {
			h.create(n, "")
			first := spawn(t, run)
			var second *process
			if round++; round%2 == 0 { // two at once
				second = spawn(t, run)
				second.begin()
			}
			first.begin()
			seen := 0
			first.next(&seen) // one batch is done
			time.Sleep(wait)
			first.kill()
			interrupted = first.end() != nil
			if second != nil {
				all[int](second)
			}
			_, err := h.Pool.AutoAssignPool(t.Context(), boss, 0, nil)
			require.NoError(t, err)
			require.Equal(t, n*round, h.count("SELECT count(*) FROM crm_operations WHERE action = 'assign'"))
			require.Equal(t, n*round, h.count("SELECT count(DISTINCT record_id) FROM crm_operations WHERE action = 'assign'"))
			require.Zero(t, h.count("SELECT count(*) FROM crm_customers WHERE owner_id IS NULL"))
			require.LessOrEqual(t, h.count("SELECT max(places) - min(places) FROM crm_counters"), 1)
			h.agree()
			return interrupted
		})
	})
}
