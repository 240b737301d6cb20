package check

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// The model's rules: few places, few claims, short times, so that all of them are met in a few steps.
const (
	modelCap        = 2
	modelQuota      = 4
	modelProtection = day
	modelCoolDown   = 3 * day
	modelIdle       = 3 * day
	modelLocks      = 1
	modelLockDays   = 5
)

// model is the CRM in some hundred lines: what rules.md says of customers and their pools, on maps. Every method does to the model what it
// asks of the CRM, and demands the same answer.
type model struct {
	*house
	customers []*mine
	members   map[kernel.UserID]*seat
	home      pool.ID // the default pool: everybody's
	west      pool.ID // of wang alone
	told      int     // audit rows, and so events
	steps     int
}

// mine is a customer.
type mine struct {
	id         customer.ID
	o          customer.Ownership
	stage      customer.Stage
	version    int64
	dead       bool
	black      bool
	interviews []interview
}

// GoString is how rapid tells which one it has drawn.
func (x *mine) GoString() string { return fmt.Sprint("customer ", x.id) }

// interview is a follow-up.
type interview struct {
	id customer.InteractionID
	at time.Time
}

// seat is a member.
type seat struct {
	inactive bool
	day      kernel.Date
	used     int
}

func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{house: build(t, place{"sqlite", ":memory:?_pragma=foreign_keys(1)"}), members: map[kernel.UserID]*seat{"li": {}, "wang": {}}}
		m.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = modelProtection, modelCoolDown })
		m.policy(func(p *pool.Policy) {
			p.Cap, p.DailyQuota, p.LockLimit, p.LockDays = modelCap, modelQuota, modelLocks, modelLockDays
		})
		m.openWest()
		require.NoError(t, m.Pool.Pools.PutRule(context.Background(), boss, &pool.Rule{Name: "idle", Condition: "followup_days > 3", Action: pool.Release, Enabled: true}))
		m.told = m.count("SELECT count(*) FROM crm_audit")
		m.create(t)
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "create": m.create, "claim": m.claim, "claim in time": m.claimInTime, "release": m.release, "follow up": m.followUp,
			"unfollow": m.unfollow, "delete": m.remove, "restore": m.restore, "stage": m.setStage, "deal": m.deal, "recycle": m.recycle,
			"recycle in time": m.recycleInTime, "deactivate": m.activate, "sleep": m.sleep, "give": m.give, "take off": m.takeOff, "lock": m.lock, "unlock": m.unlock,
			"unlock in time": m.inTimeOfLock, "move": m.move, "blacklist": m.blacklist,
		})
	})
}

// sleep ends on another day.
func (m *model) sleep(*rapid.T) { m.wait(12 * time.Hour) }

// until lets the next step happen at an instant at which a rule changes its mind, or a microsecond beside it, unless that
// has passed.
func (m *model) until(t *rapid.T, at time.Time) {
	at = at.Add(rapid.SampledFrom([]time.Duration{-time.Microsecond, 0, time.Microsecond}).Draw(t, "beside"))
	if at.After(m.now()) {
		m.micros.Store(at.Add(-time.Microsecond).UnixMicro())
	}
}

// tick begins a step: no two happen at one instant.
func (m *model) tick() (now time.Time) {
	m.wait(time.Microsecond)
	return kernel.Instant(m.now())
}

func (m *model) one(t *rapid.T) *mine { return rapid.SampledFrom(m.customers).Draw(t, "customer") }

func (m *model) user(t *rapid.T) kernel.UserID {
	return rapid.SampledFrom([]kernel.UserID{"li", "wang"}).Draw(t, "member")
}

// places are the customers that take one under a member's cap.
func (m *model) places(user kernel.UserID) (n int) {
	for _, x := range m.customers {
		if x.o.OwnerID == user && !x.dead && x.stage != customer.Won {
			n++
		}
	}
	return n
}

// changed notes changes of one customer: each is told, and those of its own row raise its version.
func (m *model) changed(x *mine, own, told int) {
	x.version += int64(own)
	m.told += told
}

func (x *mine) enterPool(now time.Time) {
	x.o.LastOwner, x.o.OwnerID, x.o.OwnedSince, x.o.PoolEnteredAt, x.o.LockUntil = x.o.OwnerID, "", time.Time{}, now, time.Time{}
}

func (m *model) create(t *rapid.T) {
	now, owner := m.tick(), rapid.SampledFrom([]kernel.UserID{"", "li", "wang"}).Draw(t, "owner")
	c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: owner}}
	err := m.Customers.Create(context.Background(), boss, c)
	switch {
	case owner != "" && m.members[owner].inactive:
		require.ErrorIs(t, err, kernel.Unknown)
		return
	case owner != "" && m.places(owner) >= modelCap:
		require.ErrorIs(t, err, customer.NoPlace)
		return
	}
	require.NoError(t, err)
	x := &mine{id: c.ID, stage: customer.Potential, o: customer.Ownership{OwnerID: owner, PoolID: m.home}}
	if owner != "" {
		x.o.OwnedSince = now
	}
	m.customers = append(m.customers, x)
	m.changed(x, 1, 1)
}

func (m *model) claim(t *rapid.T) { m.claimOf(t, m.one(t)) }

// claimInTime claims when protection or cool-down end, or the day's quota begins anew.
func (m *model) claimInTime(t *rapid.T) {
	x := m.one(t)
	midnight := kernel.DateOf(m.now(), shanghai).Next().Start(shanghai)
	m.until(t, rapid.SampledFrom([]time.Time{x.o.PoolEnteredAt.Add(m.protection(x)), x.o.PoolEnteredAt.Add(modelCoolDown), midnight}).Draw(t, "when"))
	m.claimOf(t, x)
}

func (m *model) claimOf(t *rapid.T, x *mine) {
	now, user := m.tick(), m.user(t)
	err := m.Pool.Claim(context.Background(), crm.Actor{Tenant: "acme", User: user}, x.id)
	if why := m.refuseClaim(x, user, now); why != nil {
		require.ErrorIs(t, err, why)
		return
	}
	require.NoError(t, err)
	x.o = customer.Ownership{OwnerID: user, OwnedSince: now, LastOwner: x.o.LastOwner, PoolID: x.o.PoolID}
	seat, today := m.members[user], kernel.DateOf(now, shanghai)
	if seat.day != today {
		seat.day, seat.used = today, 0
	}
	seat.used++
	m.changed(x, 1, 1)
}

// refuseClaim is the first reason against a claim (rules.md, Claim).
func (m *model) refuseClaim(x *mine, user kernel.UserID, now time.Time) error {
	seat, inPool := m.members[user], now.Sub(x.o.PoolEnteredAt)
	switch {
	case seat.inactive:
		return kernel.NotAMember
	case x.dead, !m.belongs(user, x) && x.o.OwnerID != user:
		return pool.NotFound
	case !m.belongs(user, x): // its own, which it may read
		return pool.ForeignPool
	case x.o.OwnerID != "":
		return pool.Taken
	case x.black:
		return pool.Blacklisted
	case !x.o.PoolEnteredAt.IsZero() && inPool < m.protection(x):
		return pool.Protected
	case !x.o.PoolEnteredAt.IsZero() && inPool < modelCoolDown && x.o.LastOwner == user:
		return pool.CoolDown
	case x.stage != customer.Won && m.places(user) >= modelCap:
		return pool.CapReached
	case seat.day == kernel.DateOf(now, shanghai) && seat.used >= modelQuota:
		return pool.QuotaUsed
	}
	return nil
}

func (m *model) release(t *rapid.T) {
	now, x, user := m.tick(), m.one(t), m.user(t)
	err := m.Pool.Release(context.Background(), crm.Actor{Tenant: "acme", User: user}, x.id, nil)
	switch {
	case m.members[user].inactive:
		require.ErrorIs(t, err, kernel.NotAMember)
	case m.hides(user, x):
		require.ErrorIs(t, err, crm.ErrNotFound)
	case x.o.OwnerID == "":
		require.ErrorIs(t, err, pool.NotOwned)
	case x.o.IsLocked(now):
		require.ErrorIs(t, err, pool.Locked)
	default:
		require.NoError(t, err)
		x.enterPool(now)
		m.changed(x, 1, 1)
	}
}

func (m *model) followUp(t *rapid.T) {
	now, x := m.tick(), m.one(t)
	at := now.Add(-rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 2 * day}).Draw(t, "ago"))
	i := &customer.Interaction{CustomerID: x.id, Type: customer.Call, Subject: "x", At: at, Staff: "li", Followup: true}
	err := m.Customers.Interactions.Add(context.Background(), boss, i)
	if x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	x.interviews = append(x.interviews, interview{i.ID, at})
	x.setClocks(at)
	m.changed(x, 0, 1)
}

func (m *model) unfollow(t *rapid.T) {
	m.tick()
	x := m.one(t)
	if x.dead || len(x.interviews) == 0 {
		t.Skip("none")
	}
	n := rapid.IntRange(0, len(x.interviews)-1).Draw(t, "which")
	gone := x.interviews[n]
	require.NoError(t, m.Customers.Interactions.Delete(context.Background(), boss, gone.id, 1))
	x.interviews = slices.Delete(x.interviews, n, n+1)
	x.setClocks(gone.at)
	m.changed(x, 0, 1)
}

// setClocks makes the clocks those of the follow-ups of the present ownership; one of an instant before it moves none.
func (x *mine) setClocks(at time.Time) {
	if x.o.OwnerID == "" || at.Before(x.o.OwnedSince) {
		return
	}
	x.o.FirstFollowupAt, x.o.LastFollowupAt = time.Time{}, time.Time{}
	for _, i := range x.interviews {
		if i.at.Before(x.o.OwnedSince) {
			continue
		}
		if x.o.FirstFollowupAt.IsZero() || i.at.Before(x.o.FirstFollowupAt) {
			x.o.FirstFollowupAt = i.at
		}
		x.o.LastFollowupAt = later(x.o.LastFollowupAt, i.at)
	}
}

func (m *model) remove(t *rapid.T) {
	m.tick()
	x := m.one(t)
	err := m.Customers.Delete(context.Background(), boss, x.id, x.version)
	if x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	x.dead, x.o.LockUntil = true, time.Time{}
	m.changed(x, 1, 1)
}

func (m *model) restore(t *rapid.T) {
	now, x := m.tick(), m.one(t)
	_, err := m.Customers.Restore(context.Background(), boss, x.id)
	if !x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	if owner := x.o.OwnerID; owner != "" && (m.members[owner].inactive || x.stage != customer.Won && m.places(owner) >= modelCap) {
		x.enterPool(now)
	}
	x.dead = false
	m.changed(x, 1, 1)
}

func (m *model) setStage(t *rapid.T) {
	m.tick()
	x, stage := m.one(t), rapid.SampledFrom([]customer.Stage{customer.Potential, customer.Won, customer.Lost}).Draw(t, "stage")
	err := m.Customers.SetStage(context.Background(), boss, x.id, stage, map[customer.Stage]string{customer.Lost: "price"}[stage])
	if x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	if x.stage != stage {
		m.changed(x, 1, 1)
	}
	x.stage = stage // may lead above the cap, which then only stops new ones
}

func (m *model) deal(t *rapid.T) {
	now, x := m.tick(), m.one(t)
	_, err := m.Customers.RecordDeal(context.Background(), boss, customer.Deal{CustomerID: x.id, Number: fmt.Sprint(now.UnixMicro()), At: now, Amount: decimal.NewFromInt(1)})
	if x.dead {
		require.ErrorIs(t, err, crm.ErrNotFound)
		return
	}
	require.NoError(t, err)
	if x.stage != customer.Won {
		m.changed(x, 1, 1)
	}
	x.stage = customer.Won
	m.changed(x, 0, 1)
}

// recycleInTime recycles when the rule begins to hold for a customer.
func (m *model) recycleInTime(t *rapid.T) {
	m.until(t, m.one(t).o.FollowupFrom().Add(modelIdle))
	m.recycle(t)
}

func (m *model) recycle(t *rapid.T) {
	now, released := m.tick(), 0
	for _, x := range m.customers {
		if x.o.OwnerID != "" && !x.dead && m.belongs(x.o.OwnerID, x) && !x.o.IsLocked(now) && now.Sub(x.o.FollowupFrom()) > modelIdle {
			x.enterPool(now)
			m.changed(x, 1, 1)
			released++
		}
	}
	report, err := m.Pool.Recycle(context.Background(), boss, &pool.RecycleOptions{MaxShare: 100})
	require.NoError(t, err)
	require.Equal(t, released, report.Released)
}

// activate makes a member inactive, or active again.
func (m *model) activate(t *rapid.T) {
	m.tick()
	user := m.user(t)
	do := m.Team.Members.Deactivate
	if m.members[user].inactive {
		do = m.Team.Members.Activate
	}
	require.NoError(t, do(context.Background(), boss, user))
	m.members[user].inactive = !m.members[user].inactive
	m.told++
}

// check compares everything.
func (m *model) check(t *rapid.T) {
	m.t = t
	var want []string
	for _, x := range m.customers {
		require.Equal(t, x.o.OwnerID == "", x.o.OwnedSince.IsZero())
		micros := func(t time.Time) int64 {
			if t.IsZero() {
				return 0
			}
			return t.UnixMicro()
		}
		want = append(want, fmt.Sprintf("%d %s %d %d %d %d %s %s %d %t %d %d %t", x.id, x.o.OwnerID, micros(x.o.OwnedSince), micros(x.o.FirstFollowupAt),
			micros(x.o.LastFollowupAt), micros(x.o.PoolEnteredAt), x.o.LastOwner, x.stage, x.version, x.dead,
			x.o.PoolID, micros(x.o.LockUntil), x.black))
	}
	require.Equal(t, want, texts(t, m.db, `SELECT format('%d %s %d %d %d %d %s %s %d %s %d %d %s', id, owner_id, owned_since, first_followup_at, last_followup_at,
		pool_entered_at, last_owner, stage, version, iif(deleted_at IS NULL, 'false', 'true'), pool_id, lock_until, iif(standing = 'blacklist', 'true', 'false')) FROM crm_customers ORDER BY id`))
	for user, seat := range m.members {
		require.Equal(t, m.places(user), m.count("SELECT coalesce(sum(places), 0) FROM crm_counters WHERE user_id = $1", string(user)))
		require.Equal(t, seat.used, m.count("SELECT coalesce(sum(claims_used), 0) FROM crm_counters WHERE user_id = $1", string(user)))
	}
	require.Equal(t, m.told, m.count("SELECT count(*) FROM crm_audit"))
	m.agree()
	if m.steps++; m.steps%10 == 0 { // it is many statements
		m.sound()
	}
}
