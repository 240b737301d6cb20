package check

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
)

// A warning run looks only at those whom the store names. Whatever the rules, it must name everybody whom a rule takes
// until an instant, or tells of now.
func TestWarningsMissNobody(t *testing.T) {
	r := chance(t)
	people := crowdOf(r, choose(150, 600))
	sweeps := sweepsOf(t, r, choose(300, 5000))
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		s := settle(build(t, p), p, people)
		r := rand.New(rand.NewPCG(*seed, 17))
		named, needed := 0, 0
		for _, sw := range sweeps {
			days := pick[condition.Counting](r, condition.Elapsed{}, pool.CalendarDays(time.UTC))
			until := sw.now.Add(time.Duration(r.IntN(40)) * day)
			if r.IntN(2) == 0 {
				until = sw.now.Add(time.Duration(r.Int64N(int64(100 * day))))
			}
			more, must := requireNamed(t, s, sw, days, until)
			named, needed = named+more, needed+must
		}
		t.Logf("%d named, %d of them for a reason", named, needed)
		require.Greater(t, needed, len(sweeps), "too few to mean something")
	})
}

func requireNamed(t *testing.T, s *town, sw sweepCase, days condition.Counting, until time.Time) (named, needed int) {
	t.Helper()
	home := s.pools[0]
	sweep := s.sweep(home, sw.now, sw.rules...)
	sweep.Days = days
	near := map[int64]bool{}
	err := s.store.Do(context.Background(), kernel.Read, func(ctx context.Context, tx storage.Tx) error {
		for after := int64(0); ; {
			found, err := tx.Dues(pool.Customers).Near(ctx, sweep, until, "", after, 37)
			if err != nil || len(found) == 0 {
				return err
			}
			for _, d := range found {
				require.Greater(t, d.ID, after, "in the order of the ids")
				require.True(t, d.Named, "nothing is noted")
				near[d.ID], after = true, d.ID
			}
		}
	})
	require.NoError(t, err)
	for i, x := range s.people {
		if !s.mayLose(x, home) {
			require.False(t, near[s.ids[i]], "the rules of this pool do not concern it")
			continue
		}
		f := x.facts(sw.now)
		due := pool.DueAt(sw.rules, f, time.Time{}, sw.now, days)
		must := due != nil && !due.At.After(until)
		for _, rule := range sw.rules { // in the order in which they win
			if rule.Parsed.Eval(f, sw.now, days) == condition.True {
				must = must || rule.Action == pool.Warn
				break
			}
		}
		if must {
			needed++
			require.True(t, near[s.ids[i]], "rules:\n%sfrom:     %v\nuntil:    %v\ndue:      %+v\ncustomer: %s", ruleList(sw.rules), sw.now, until, due, show(f))
		}
	}
	return len(near), needed
}

// warnChild warns, and tells after every batch how many it has warned.
func warnChild(o order, out *told) error {
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
		_, err := c.Pool.Warn(context.Background(), boss, &pool.WarnOptions{Batch: 10, Progress: func(r pool.WarnReport) { out.say(r.Warned) }})
		return err
	})
}

// Killed at any instant, and with another run at the same time, everybody is told in the end, and nobody twice.
func TestWarningsAreKilledAndGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		h.free()
		require.NoError(t, h.Pool.Pools.PutRule(t.Context(), boss, &pool.Rule{Name: "idle", Condition: "owned_days >= 3", Action: pool.Release, Enabled: true}))
		run := order{Role: "warn", Place: p, Offset: time.Until(noon.Add(2 * day))}
		round := 0
		interruptions(t, 6, 20*time.Millisecond, func(wait time.Duration) (interrupted bool) {
			neglect(h, 200)
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
			for left := 1; left > 0; { // the rows that a killed process held may still be locked for a moment
				report, err := h.Pool.Warn(t.Context(), boss, nil)
				require.NoError(t, err)
				left = report.Left
			}
			require.Equal(t, 200*round, h.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.due_soon'"))
			require.Equal(t, 200*round, h.count("SELECT count(DISTINCT record_id) FROM crm_outbox WHERE type = 'customer.due_soon'"))
			h.agree()
			return interrupted
		})
	})
}
