package storagetest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
)

// near are the pages of what may be new in a pool.
func (b *bundle) near(s pool.Sweep, horizon time.Duration, stamp string, page int) (all []pool.Doubt) {
	b.t.Helper()
	err := b.store.Do(b.t.Context(), kernel.Read, func(ctx context.Context, tx storage.Tx) error {
		for after := int64(0); ; after = all[len(all)-1].ID {
			found, err := tx.Dues(pool.Customers).Near(ctx, s, s.Now.Add(horizon), stamp, after, page)
			all = append(all, found...)
			if err != nil || len(found) < page {
				return err
			}
		}
	})
	require.NoError(b.t, err)
	return all
}

func testWarnNotes(t *testing.T, open Open) {
	t.Run("pages of any size name the same: who is due without a right note, and due notes that nobody stands behind", func(t *testing.T) {
		b := setup(t, open)
		r := rand.New(rand.NewPCG(3, 7))
		rule := b.rule(pool.Rule{Condition: "owned_days >= 2", Action: pool.Release})
		b.rule(pool.Rule{Condition: "followup_days >= 2", Action: pool.Release})
		ids := b.create(40, "li")
		b.wait(day)
		require.Equal(t, 40, b.warn(nil).Warned)
		var stamp string
		require.NoError(t, b.db.QueryRowContext(t.Context(), "SELECT max(stamp) FROM crm_due").Scan(&stamp))
		rules, err := b.Pool.Pools.Rules(t.Context(), boss, rule.PoolID)
		require.NoError(t, err)
		p, err := b.Pool.Pools.Get(t.Context(), boss, rule.PoolID)
		require.NoError(t, err)
		sweep := pool.Sweep{By: boss, Now: b.now(), Pool: p, Days: condition.Elapsed{}}
		for _, x := range rules {
			parsed, err := condition.Parse(x.Condition)
			require.NoError(t, err)
			if x.Enabled {
				sweep.Rules = append(sweep.Rules, pool.SweepRule{Rule: *x, Parsed: parsed, Acts: x.Action == pool.Release})
			}
		}
		require.Empty(t, b.near(sweep, 3*day, stamp, 7), "nothing is new")
		require.Len(t, b.near(sweep, 3*day, "", 7), 40, "no note is right")
		want := map[int64]bool{}
		for _, id := range ids {
			switch r.IntN(4) {
			case 0: // a new owner: it is due later, and the note is of before
				require.NoError(t, b.Pool.Assign(t.Context(), boss, id, "wang", nil))
				want[int64(id)] = true
			case 1:
				require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
				want[int64(id)] = false
			}
		}
		for _, page := range []int{1, 2, 7, 1000} {
			got := map[int64]bool{}
			for _, d := range b.near(sweep, 3*day, stamp, page) {
				got[d.ID] = d.Named
			}
			require.Equal(t, want, got, page)
		}
	})
	t.Run("what was told goes with the ownership, also where nothing is due any more", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		ids := b.create(3, "li")
		b.since(8 * day)
		require.Equal(t, 3, b.warn(nil).Warned)
		for _, id := range ids {
			b.followup(li, id)
		}
		require.Zero(t, b.dueNow())
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_due"))
		require.NoError(t, b.Pool.Assign(t.Context(), boss, ids[0], "wang", nil))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[1], nil))
		report := b.warn(nil)
		require.Equal(t, []int{0, 0}, []int{report.Looked, report.Noted}, "they need not be judged")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_due"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_due WHERE owner_id = 'li'"))
		b.agree()
	})
	t.Run("notes of a pool that was deleted are cleaned, those of records that are gone too", func(t *testing.T) {
		b := setup(t, open)
		own, into := b.pool("own", 9, pool.Member{User: "li"}), b.pool("into", 0, pool.Member{User: "li"})
		b.rule(pool.Rule{PoolID: own, Condition: "owned_days >= 2", Action: pool.Release})
		b.at(own, 5, "li")
		b.wait(day)
		require.Equal(t, 5, b.warn(nil).Warned)
		require.NoError(t, b.Pool.Pools.Delete(t.Context(), boss, own, into))
		b.warn(&pool.WarnOptions{Pools: []pool.ID{into}})
		require.Equal(t, 5, b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL"), "the run was of another pool")
		require.Zero(t, b.dueNow())
		require.Equal(t, 5, b.count("SELECT count(*) FROM crm_due"), "the ownership goes on")
		b.rule(pool.Rule{PoolID: into, Condition: "owned_days >= 2", Action: pool.Release})
		require.Equal(t, []int{0, 5}, []int{b.warn(nil).Warned, b.dueNow()}, "of the same due instant they were told")
		for _, text := range []string{
			`INSERT INTO crm_due SELECT tenant_id, kind, record_id + 1099511627776, owner_id, owned_since, pool_id, followup_from, lock_until, due_at, rule_id,
				told_due, told_step, warned, seq, stamp, next_at FROM crm_due`,
			"UPDATE crm_due SET due_at = NULL WHERE record_id = (SELECT max(record_id) FROM crm_due)",
		} {
			_, err := b.db.ExecContext(t.Context(), text)
			require.NoError(t, err)
		}
		require.Equal(t, 10, b.count("SELECT count(*) FROM crm_due"))
		require.Equal(t, 5, b.dueNow())
		require.Equal(t, 5, b.count("SELECT count(*) FROM crm_due"))
		require.Equal(t, 5, b.count("SELECT count(*) FROM crm_due WHERE record_id < 1099511627776"))
		b.agree()
	})
}
