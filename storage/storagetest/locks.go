package storagetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

func (b *bundle) lock(by crm.Actor, ids ...customer.ID) {
	b.t.Helper()
	for _, id := range ids {
		require.NoError(b.t, b.Pool.Lock(b.t.Context(), by, id, time.Time{}, "big deal"))
	}
}

func testLocks(t *testing.T, open Open) {
	t.Run("rules and its owner's release leave it alone until the very instant at which the lock ends", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days > 1", Action: pool.Release})
		ids := b.create(3, "li")
		until := start.Add(10 * day)
		before := b.get(ids[0])
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[0], until, "big deal"))
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[1], until.Add(-time.Microsecond), "x"))
		c := b.get(ids[0])
		require.Equal(t, []any{until, "big deal", before.Version + 1}, []any{c.LockUntil, c.LockReason, c.Version})
		o := b.last(ids[0])
		require.Equal(t, []any{customer.Locked, kernel.UserID("li"), kernel.UserID("li"), "big deal", "until 2026-03-09T16:30:00Z"}, []any{o.Action, o.From, o.To, o.Reason, o.Note})
		b.wait(10*day - time.Microsecond)
		require.Equal(t, until, requireRefusal(t, b.Pool.Release(t.Context(), li, ids[0], nil), pool.Locked).Until)
		require.Equal(t, 2, b.recycle().Released)
		require.Equal(t, []kernel.UserID{"li", "", ""}, []kernel.UserID{b.owner(ids[0]), b.owner(ids[1]), b.owner(ids[2])})
		require.False(t, b.last(ids[1]).Unlocked, "it had run out")
		b.agree()
		b.wait(time.Microsecond)
		require.Equal(t, 1, b.recycle().Released)
		require.True(t, b.get(ids[0]).LockUntil.IsZero())
		b.agree()
	})
	t.Run("a superior's and an administrator's release and a transfer end it, and the log says so", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(4, "li")
		b.lock(li, ids[:3]...)
		require.NoError(t, b.Pool.Release(t.Context(), head, ids[0], nil))
		require.NoError(t, b.Pool.Release(t.Context(), boss, ids[1], nil))
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[2], "wang", nil))
		require.NoError(t, b.Pool.Assign(t.Context(), head, ids[3], "wang", nil))
		for i, id := range ids {
			c := b.get(id)
			require.True(t, c.LockUntil.IsZero() && c.LockReason == "")
			require.Equal(t, i < 3, b.last(id).Unlocked, i)
		}
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_audit WHERE after LIKE '%unlocked%'"))
		require.NoError(t, b.Pool.Release(t.Context(), wang, ids[2], nil))
		b.agree()
	})
	t.Run("moving between pools and deals leave it, deletion ends it", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		b.lock(li, id)
		_, err := b.Pool.MoveToPool(t.Context(), boss, []customer.ID{id}, b.pool("east", 0), pool.AllOrNothing, nil)
		require.NoError(t, err)
		c := b.get(id)
		require.True(t, c.IsLocked(b.now()))
		b.agree()
		c.Name = "renamed"
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		require.True(t, b.get(id).IsLocked(b.now()))
		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, b.get(id).Version))
		c, err = b.Customers.Restore(t.Context(), boss, id)
		require.NoError(t, err)
		require.Equal(t, []any{kernel.UserID("li"), time.Time{}}, []any{c.OwnerID, c.LockUntil})
		b.agree()
	})
	t.Run("at most so many and so long; replaced ones and those that ran out do not count", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.LockLimit, p.LockDays = 2, 30 })
		ids := b.create(4, "li")
		latest := start.Add(30 * day)
		r := requireRefusal(t, b.Pool.Lock(t.Context(), li, ids[0], latest.Add(time.Microsecond), "x"), pool.LockTooLong)
		require.Equal(t, []any{latest, 30}, []any{r.Until, r.Limit})
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[0], latest, "x"))
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[1], start.Add(day), "x"))
		require.Equal(t, 2, requireRefusal(t, b.Pool.Lock(t.Context(), li, ids[2], latest, "x"), pool.LockLimit).Limit)
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[0], start.Add(2*day), "y"), "again")
		b.wait(day - time.Microsecond)
		requireRefusal(t, b.Pool.Lock(t.Context(), li, ids[2], time.Time{}, "x"), pool.LockLimit)
		b.wait(time.Microsecond)
		require.NoError(t, b.Pool.Lock(t.Context(), li, ids[2], time.Time{}, "x"))
		require.Equal(t, b.now().UTC().Add(30*day), b.get(ids[2]).LockUntil)
		b.agree()
		b.policy(func(p *pool.Policy) { p.LockDays = 0 })
		requireRefusal(t, b.Pool.Lock(t.Context(), li, ids[0], time.Time{}, "x"), pool.LockTooLong)
		for _, bad := range []pool.Policy{{LockLimit: -1}, {LockDays: -1}, {LockDays: 3651}} {
			require.ErrorIs(t, b.Pool.Pools.SetPolicy(t.Context(), boss, bad), crm.ErrInvalid)
		}
	})
	t.Run("only its owner locks; whoever may release it unlocks", func(t *testing.T) {
		b := setup(t, open)
		ids, free := b.create(2, "li"), b.create(1, "")[0]
		at := start.Add(day)
		lock := func(a crm.Actor, id customer.ID) error { return b.Pool.Lock(t.Context(), a, id, at, "x") }
		requireRefusal(t, lock(head, ids[0]), pool.NotOwner)
		requireRefusal(t, lock(boss, ids[0]), pool.NotOwner)
		requireRefusal(t, lock(wang, ids[0]), pool.NotFound)
		requireRefusal(t, lock(otherLi, ids[0]), pool.NotFound)
		requireRefusal(t, lock(li, free), pool.NotOwned)
		requireRefusal(t, lock(li, 1<<40), pool.NotFound)
		requireError(t, b.Pool.Lock(t.Context(), li, ids[0], start, "x"), crm.ErrInvalid, kernel.OutOfRange, "until")
		requireError(t, b.Pool.Lock(t.Context(), li, ids[0], at, ""), crm.ErrInvalid, kernel.Empty, "reason")
		for name, text := range badTexts {
			require.ErrorIs(t, b.Pool.Lock(t.Context(), li, ids[0], at, text), crm.ErrInvalid, name)
		}
		requireRefusal(t, b.Pool.Unlock(t.Context(), li, ids[0]), pool.NotLocked)
		b.lock(li, ids...)
		requireRefusal(t, b.Pool.Unlock(t.Context(), wang, ids[0]), pool.NotFound)
		require.NoError(t, b.Pool.Unlock(t.Context(), li, ids[0]))
		require.NoError(t, b.Pool.Unlock(t.Context(), head, ids[1]))
		requireRefusal(t, b.Pool.Unlock(t.Context(), li, ids[1]), pool.NotLocked)
		require.Equal(t, []any{customer.Unlocked, kernel.UserID("head")}, []any{b.last(ids[1]).Action, b.last(ids[1]).Actor})
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		by := li
		by.Request = "lock"
		for range 2 {
			require.NoError(t, b.Pool.Lock(t.Context(), by, ids[1], at, "x"))
		}
		require.Equal(t, 3, b.operations(customer.Locked))
		b.agree()
	})
	t.Run("no create and no sync makes one", func(t *testing.T) {
		b := setup(t, open)
		own := customer.Ownership{OwnerID: "li", LockUntil: start.Add(day), LockReason: "x"}
		c := &customer.Customer{Name: "x", Ownership: own}
		require.NoError(t, b.Customers.Create(t.Context(), li, c))
		require.True(t, b.get(c.ID).LockUntil.IsZero())
		got, err := b.Customers.Sync(t.Context(), boss, []*customer.Customer{{Name: "s", ExternalSystem: "erp", ExternalID: "1", Ownership: own}}, nil)
		require.NoError(t, err)
		require.True(t, b.get(got[0].ID).LockUntil.IsZero())
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers WHERE lock_reason <> ''"))
		b.agree()
	})
	t.Run("20 at the edge of the limit, beside sweeps and superiors: never above it", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.LockLimit = 5 })
		b.rule(pool.Rule{Condition: "owned_days > 1", Action: pool.Release})
		ids := b.create(20, "li")
		b.lock(li, ids[:4]...)
		var won atomic.Int32
		together(16, func(i int) {
			err := insist(func() error { return b.Pool.Lock(t.Context(), li, ids[4+i], time.Time{}, "x") })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pool.LockLimit):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		b.agree()
		b.wait(2 * day)
		together(12, func(i int) {
			err := insist(func() (err error) {
				switch i % 4 {
				case 0:
					err = b.Pool.Lock(t.Context(), li, ids[i], time.Time{}, "x")
				case 1:
					_, err = b.Pool.Recycle(t.Context(), boss, all)
				case 2:
					err = b.Pool.Unlock(t.Context(), head, ids[i%4])
				default:
					err = b.Pool.Release(t.Context(), head, ids[i%5], nil)
				}
				return err
			})
			if err != nil && !errors.Is(err, crm.ErrRefused) && !errors.Is(err, crm.ErrNotFound) {
				t.Error(err)
			}
		})
		require.LessOrEqual(t, b.count("SELECT count(*) FROM crm_customers WHERE lock_until IS NOT NULL"), 5)
		b.agree()
	})
	t.Run("by the old snapshot of a host's transaction nobody goes above the limit", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("SQLite has one writer")
		}
		b.policy(func(p *pool.Policy) { p.LockLimit = 1 })
		ids := b.create(2, "li")
		tx, err := b.db.BeginTx(context.Background(), nil)
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		_, err = tx.ExecContext(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
		require.NoError(t, err)
		_, err = b.In(tx).Customers.Get(t.Context(), li, ids[0]) // the snapshot
		require.NoError(t, err)
		b.lock(li, ids[1])
		require.ErrorIs(t, b.In(tx).Pool.Lock(t.Context(), li, ids[0], time.Time{}, "x"), crm.ErrRetry)
	})
}

// testLockDue holds a lock, its due instant and the runs together.
func testLockDue(t *testing.T, open Open) {
	t.Run("a locked customer is due when its lock runs out, and the run takes it at that instant", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days > 3", Action: pool.Release})
		id := b.create(1, "li")[0]
		until := b.now().Add(10 * day).UTC()
		require.NoError(t, b.Pool.Lock(t.Context(), li, id, until, "contract in March"))
		x, err := b.Pool.Explain(t.Context(), li, id)
		require.NoError(t, err)
		require.NotNil(t, x.Due)
		require.Equal(t, []time.Time{until, until}, []time.Time{x.Due.At, x.Locked})
		b.wait(10*day - time.Microsecond)
		require.Zero(t, b.recycle().Released)
		b.wait(time.Microsecond)
		due, err := b.Pool.DueAt(t.Context(), li, id)
		require.NoError(t, err)
		require.Equal(t, until, due[id].At)
		require.Equal(t, 1, b.recycle().Released)
		b.agree()
	})
}
