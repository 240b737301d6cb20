package check

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// openWest makes the second pool: of wang alone, without protection, with the same rule, and last in the order of pools.
func (m *model) openWest() {
	ctx := context.Background()
	home, err := m.Pool.Pools.Get(ctx, boss, 0)
	require.NoError(m.t, err)
	west := &pool.Pool{Name: "west", Priority: -1, Settings: pool.Settings{CoolDown: modelCoolDown}}
	require.NoError(m.t, m.Pool.Pools.Create(ctx, boss, west))
	require.NoError(m.t, m.Pool.Pools.SetMembers(ctx, boss, west.ID, []pool.Member{{User: "wang"}}))
	require.NoError(m.t, m.Pool.Pools.PutRule(ctx, boss, &pool.Rule{PoolID: west.ID, Name: "idle", Condition: "followup_days > 3", Action: pool.Release, Enabled: true}))
	m.home, m.west = home.ID, west.ID
}

func (m *model) protection(x *mine) time.Duration {
	if x.o.PoolID == m.west {
		return 0
	}
	return modelProtection
}

// belongs tells whether a user is an active member of the customer's home pool.
func (m *model) belongs(user kernel.UserID, x *mine) bool {
	seat, ok := m.members[user]
	return (!ok || !seat.inactive) && (x.o.PoolID == m.home || user == "wang")
}

// hides tells what is to a seller as if it were not there.
func (m *model) hides(user kernel.UserID, x *mine) bool {
	return x.dead || x.o.OwnerID != user && (x.o.OwnerID != "" || !m.belongs(user, x))
}

// give lets the system actor assign or transfer a customer, now and then above the cap.
func (m *model) give(t *rapid.T) {
	now, x, to, over := m.tick(), m.one(t), m.user(t), rapid.Bool().Draw(t, "override")
	err := m.Pool.Assign(context.Background(), boss, x.id, to, &pool.AssignOptions{OverrideCap: over})
	full := x.stage != customer.Won && m.places(to) >= modelCap
	switch {
	case x.dead:
		require.ErrorIs(t, err, pool.NotFound)
		return
	case x.o.OwnerID == to:
		require.ErrorIs(t, err, pool.SameOwner)
		return
	case !m.belongs(to, x):
		require.ErrorIs(t, err, pool.NotPoolMember)
		return
	case x.o.OwnerID == "" && x.black:
		require.ErrorIs(t, err, pool.Blacklisted)
		return
	case full && !over:
		require.ErrorIs(t, err, pool.CapReached)
		return
	}
	require.NoError(t, err)
	line := m.line(x)
	require.Equal(t, full, line.OverCap, "the log says when it was above the cap")
	require.Equal(t, x.o.IsLocked(now), line.Unlocked, "the log says that a lock ended")
	require.Equal(t, map[bool]customer.Action{true: customer.Assigned, false: customer.Transferred}[x.o.OwnerID == ""], line.Action)
	x.o = customer.Ownership{OwnerID: to, OwnedSince: now, LastOwner: x.o.LastOwner, PoolID: x.o.PoolID}
	m.changed(x, 1, 1)
}

// line is the last line of the operation log.
func (m *model) line(x *mine) customer.Operation {
	l, err := m.Pool.Log(context.Background(), boss, customer.OperationFilter{Record: int64(x.id)}, crm.Page{Limit: 1})
	require.NoError(m.t, err)
	require.Len(m.t, l.Items, 1)
	return l.Items[0]
}

// takeOff is a release by the head of both sellers' department, who belongs to the default pool only.
func (m *model) takeOff(t *rapid.T) {
	now, x := m.tick(), m.one(t)
	err := m.Pool.Release(context.Background(), head, x.id, nil)
	switch {
	case x.dead, x.o.OwnerID == "" && x.o.PoolID == m.west:
		require.ErrorIs(t, err, crm.ErrNotFound)
	case x.o.OwnerID == "":
		require.ErrorIs(t, err, pool.NotOwned)
	default:
		require.NoError(t, err)
		line := m.line(x)
		require.Equal(t, customer.TakenOff, line.Action)
		require.Equal(t, x.o.IsLocked(now), line.Unlocked, "the log says that a lock ended")
		x.enterPool(now)
		m.changed(x, 1, 1)
	}
}

func (m *model) lock(t *rapid.T) {
	now, x, user := m.tick(), m.one(t), m.user(t)
	until := now.Add(rapid.SampledFrom([]time.Duration{time.Microsecond, day, modelLockDays * day, modelLockDays * day, modelLockDays*day + time.Microsecond}).Draw(t, "for"))
	err := m.Pool.Lock(context.Background(), crm.Actor{Tenant: "acme", User: user}, x.id, until, "contract")
	switch {
	case m.members[user].inactive:
		require.ErrorIs(t, err, kernel.NotAMember)
	case m.hides(user, x):
		require.ErrorIs(t, err, crm.ErrNotFound)
	case x.o.OwnerID == "":
		require.ErrorIs(t, err, pool.NotOwned)
	case until.After(now.Add(modelLockDays * day)):
		require.ErrorIs(t, err, pool.LockTooLong)
	case m.locks(user, x, now) >= modelLocks:
		require.ErrorIs(t, err, pool.LockLimit)
	default:
		require.NoError(t, err)
		x.o.LockUntil = until
		m.changed(x, 1, 1)
	}
}

// locks are the customers besides one that a member has locked, and that have not run out.
func (m *model) locks(user kernel.UserID, but *mine, now time.Time) (n int) {
	for _, x := range m.customers {
		if x != but && x.o.OwnerID == user && !x.dead && x.o.IsLocked(now) {
			n++
		}
	}
	return n
}

func (m *model) unlock(t *rapid.T) {
	m.unlockOf(t, m.one(t))
}

// inTimeOfLock unlocks, releases or recycles when a lock runs out.
func (m *model) inTimeOfLock(t *rapid.T) {
	i := slices.IndexFunc(m.customers, func(x *mine) bool { return !x.o.LockUntil.IsZero() })
	if i < 0 {
		t.Skip("none")
	}
	m.until(t, m.customers[i].o.LockUntil)
	rapid.SampledFrom([]func(*rapid.T){func(t *rapid.T) { m.unlockOf(t, m.customers[i]) }, m.release, m.recycle, m.recycle, m.lock}).Draw(t, "do")(t)
}

func (m *model) unlockOf(t *rapid.T, x *mine) {
	now, user := m.tick(), m.user(t)
	err := m.Pool.Unlock(context.Background(), crm.Actor{Tenant: "acme", User: user}, x.id)
	switch {
	case m.members[user].inactive:
		require.ErrorIs(t, err, kernel.NotAMember)
	case m.hides(user, x):
		require.ErrorIs(t, err, crm.ErrNotFound)
	case x.o.OwnerID == "":
		require.ErrorIs(t, err, pool.NotOwned)
	case !x.o.IsLocked(now):
		require.ErrorIs(t, err, pool.NotLocked)
	default:
		require.NoError(t, err)
		x.o.LockUntil = time.Time{}
		m.changed(x, 1, 1)
	}
}

// move gives a customer another home; owner, clocks, lock and protection stay.
func (m *model) move(t *rapid.T) {
	m.tick()
	x, to := m.one(t), rapid.SampledFrom([]pool.ID{m.home, m.west}).Draw(t, "pool")
	_, err := m.Pool.MoveToPool(context.Background(), boss, []customer.ID{x.id}, to, pool.AllOrNothing, nil)
	switch {
	case x.dead:
		require.ErrorIs(t, err, pool.NotFound)
	case x.o.PoolID == to:
		require.ErrorIs(t, err, pool.SamePool)
	default:
		require.NoError(t, err)
		x.o.PoolID = to
		m.changed(x, 1, 1)
	}
}

// blacklist puts a customer on the list, or takes it off.
func (m *model) blacklist(t *rapid.T) {
	m.tick()
	x := m.one(t)
	var err error
	if x.black {
		err = m.Customers.Unblacklist(context.Background(), boss, x.id)
	} else {
		err = m.Customers.Blacklist(context.Background(), boss, x.id, "does not pay")
	}
	if x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	x.black = !x.black
	m.changed(x, 1, 1)
}
