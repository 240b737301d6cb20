package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// opensAgree is agree, and recounts what openings keep twice: the counter of the day are its rows, and each row has its line
// of the trail.
func (b *bundle) opensAgree() {
	b.t.Helper()
	b.agree()
	require.Zero(b.t, b.count(`SELECT count(*) FROM crm_counters m WHERE m.opens_used <> (SELECT count(*) FROM crm_opens o
		WHERE o.tenant_id = m.tenant_id AND o.kind = m.kind AND o.user_id = m.user_id AND o.day = m.opens_day)`), "the counter differs from the rows")
	require.Zero(b.t, b.count(`SELECT count(*) FROM crm_opens o WHERE NOT EXISTS (SELECT 1 FROM crm_counters m
		WHERE m.tenant_id = o.tenant_id AND m.kind = o.kind AND m.user_id = o.user_id)`), "a row without a counter")
	require.Equal(b.t, b.opens(), b.count("SELECT count(*) FROM crm_audit WHERE type = 'customer.opened'"), "an opening is not on the trail, or twice")
}

func (b *bundle) opens() int { return b.count("SELECT count(*) FROM crm_opens") }

// opened is an opening that must succeed.
func (b *bundle) opened(who crm.Actor, id customer.ID) *pool.Opened {
	b.t.Helper()
	o, err := b.Pool.Open(b.t.Context(), who, id)
	require.NoError(b.t, err)
	return o
}

func (b *bundle) openErr(who crm.Actor, id customer.ID) error {
	_, err := b.Pool.Open(b.t.Context(), who, id)
	return err
}

// midnight is the instant at which the day of start ends in Shanghai.
var midnight = start.Add(23*time.Hour + 30*time.Minute)

func testOpens(t *testing.T, open Open) {
	t.Run("it shows the whole, counts once a day, and stands on the trail", func(t *testing.T) { opensOnce(t, setupSecretive(t, open)) })
	t.Run("the limit of the day holds to the last, and ends at the tenant's midnight", func(t *testing.T) { opensLimited(t, setup(t, open)) })
	t.Run("behind an opening of the next day a late one is to be tried again", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.OpenLimit = 2 })
		ids := b.create(4, "")
		b.wait(midnight.Sub(start) - time.Microsecond)
		b.opened(li, ids[0])
		b.wait(time.Microsecond)
		b.opened(li, ids[1])
		b.opened(head, ids[1])
		b.wait(-time.Microsecond)
		require.ErrorIs(t, b.openErr(li, ids[2]), crm.ErrRetry)
		require.ErrorIs(t, b.openErr(head, ids[2]), crm.ErrRetry, "exempt, but counted")
		require.False(t, b.opened(li, ids[0]).First, "what is open stays open")
		b.wait(time.Microsecond)
		b.opened(li, ids[2])
		requireRefusal(t, b.openErr(li, ids[3]), pool.OpenLimit)
		b.opensAgree()
	})
	t.Run("a member's own limit comes before the tenant's", func(t *testing.T) { opensByOwnLimit(t, setup(t, open)) })
	t.Run("superiors and administrators are exempt from the limit, not from the trail", func(t *testing.T) { opensExempt(t, setup(t, open)) })
	t.Run("who may not read it finds nothing; what somebody has is refused", func(t *testing.T) { opensRefused(t, setupLand(t, open)) })
	t.Run("a request counts once, is of one day, and keeps nothing that was shown", func(t *testing.T) { opensByRequest(t, setupSecretive(t, open)) })
	t.Run("more than 200 of a kind are cut, and said so", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		for _, n := range []int{200, 1} {
			xs := make([]*customer.Contact, n)
			for i := range xs {
				xs[i] = &customer.Contact{CustomerID: id, FullName: "王", Phone: fmt.Sprintf("138%08d", n*1000+i)}
			}
			_, err := b.Customers.Contacts.AddMany(t.Context(), boss, xs, crm.AllOrNothing)
			require.NoError(t, err)
			o := b.opened(li, id)
			require.Len(t, o.Contacts, 200)
			require.Equal(t, n == 1, o.More)
		}
	})
	t.Run("in a host's transaction it is the host's to keep or undo", func(t *testing.T) { opensInHost(t, setup(t, open)) })
	t.Run("old rows go, those of today never", func(t *testing.T) { opensPurged(t, setup(t, open)) })
	t.Run("Races", func(t *testing.T) { testOpenRaces(t, open) })
	t.Run("0007: counters of before have opened nothing and have no limit of their own", func(t *testing.T) {
		b := setup(t, open)
		two := 2
		ids := b.create(2, "")
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &two}))
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]))
		b.opened(li, ids[1])
		require.NoError(t, b.store.MigrateDown(t.Context(), 6))
		require.Equal(t, 1, b.count("SELECT places FROM crm_counters WHERE user_id = 'li' AND own_cap = 2 AND claims_used = 1"))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		m, err := b.Pool.Counter(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, customer.Counter{
			User: "li", Places: 1, Cap: 2, DailyQuota: 20, ClaimsDay: "2026-02-28", ClaimsUsed: 1, OpenLimit: 100, OpensDay: "2026-02-28",
		}, m)
		require.Zero(t, b.opens())
		require.True(t, b.opened(li, ids[1]).First)
	})
}

func opensOnce(t *testing.T, b *secretive) {
	seq := b.get(b.id).Seq
	o := b.opened(li, b.id)
	require.True(t, o.First)
	require.False(t, o.More)
	require.Equal(t, []any{hiddenText, false}, []any{o.Customer.Remarks, o.Customer.Masked})
	require.Equal(t, []any{hiddenPhone, "s3cret@example.com", false}, []any{o.Contacts[0].Phone, o.Contacts[0].Email, o.Contacts[0].Masked})
	require.Equal(t, []any{"秘密路 1 号", false}, []any{o.Addresses[0].Street, o.Addresses[0].Masked})
	require.Equal(t, []any{hiddenText, false}, []any{o.Interactions[0].Content, o.Interactions[0].Masked})
	require.Equal(t, seq+1, b.get(b.id).Seq)
	require.Equal(t, seq+1, o.Customer.Seq)
	again := b.opened(li, b.id)
	require.False(t, again.First)
	again.First = true
	require.Equal(t, o, again)
	require.Equal(t, 1, b.opens())
	require.True(t, b.opened(wang, b.id).First, "each member by itself")
	e := b.auditAs(boss)[1]
	require.Equal(t, []any{"customer.opened", kernel.UserID("li"), `{"day":"2026-02-28"}`}, []any{e.Type, e.Actor, string(e.After)})
	m, err := b.Pool.Counter(t.Context(), li)
	require.NoError(t, err)
	require.Equal(t, []any{100, kernel.Date("2026-02-28"), 1}, []any{m.OpenLimit, m.OpensDay, m.OpensUsed})
	b.masked(li)
	b.wait(midnight.Sub(start) - time.Microsecond)
	require.False(t, b.opened(li, b.id).First)
	b.wait(time.Microsecond)
	m, err = b.Pool.Counter(t.Context(), li)
	require.NoError(t, err)
	require.Equal(t, []any{kernel.Date("2026-03-01"), 0}, []any{m.OpensDay, m.OpensUsed})
	require.True(t, b.opened(li, b.id).First)
	require.Equal(t, 3, b.opens())
	b.opensAgree()
}

func opensLimited(t *testing.T, b *bundle) {
	b.policy(func(p *pool.Policy) { p.OpenLimit = 3 })
	ids := b.create(5, "")
	for _, id := range ids[:3] {
		b.opened(li, id)
	}
	for range 2 {
		no := requireRefusal(t, b.openErr(li, ids[3]), pool.OpenLimit)
		require.Equal(t, []any{3, midnight, ids[3]}, []any{no.Limit, no.Until, customer.ID(no.Ref.ID)})
		require.ErrorContains(t, no, "limit 3")
	}
	require.False(t, b.opened(li, ids[0]).First, "what is open stays open")
	b.opened(wang, ids[3])
	require.Equal(t, 4, b.opens())
	b.opensAgree()
	b.wait(midnight.Sub(start) - time.Microsecond)
	requireRefusal(t, b.openErr(li, ids[3]), pool.OpenLimit)
	b.wait(time.Microsecond)
	for _, id := range ids[2:] {
		require.True(t, b.opened(li, id).First)
	}
	requireRefusal(t, b.openErr(li, ids[0]), pool.OpenLimit)
	b.policy(func(p *pool.Policy) { p.OpenLimit = 4 })
	b.opened(li, ids[0])
	b.policy(func(p *pool.Policy) { p.OpenLimit = 0 })
	requireRefusal(t, b.openErr(li, ids[1]), pool.OpenLimit)
	require.Zero(t, requireRefusal(t, b.openErr(b.members(1)[0], ids[1]), pool.OpenLimit).Limit, "who has no counter yet")
	require.NoError(t, b.Pool.Claim(t.Context(), li, ids[0]), "claims have a quota of their own")
	b.opensAgree()
}

func opensByOwnLimit(t *testing.T, b *bundle) {
	ctx, zero, two, bad := t.Context(), 0, 2, -1
	b.policy(func(p *pool.Policy) { p.OpenLimit = 1 })
	ids := b.create(3, "")
	require.NoError(t, b.Pool.Pools.SetLimits(ctx, admin, "li", pool.Limits{OpenLimit: &two}))
	require.NoError(t, b.Pool.Pools.SetLimits(ctx, admin, "wang", pool.Limits{OpenLimit: &zero}))
	b.opened(li, ids[0])
	b.opened(li, ids[1])
	require.Equal(t, 2, requireRefusal(t, b.openErr(li, ids[2]), pool.OpenLimit).Limit)
	require.Equal(t, 0, requireRefusal(t, b.openErr(wang, ids[2]), pool.OpenLimit).Limit)
	require.NoError(t, b.Pool.Pools.SetLimits(ctx, admin, "wang", pool.Limits{}))
	b.opened(wang, ids[2])
	requireRefusal(t, b.openErr(wang, ids[1]), pool.OpenLimit)
	b.policy(func(p *pool.Policy) { p.OpenLimit = 0 })
	require.NoError(t, b.Pool.Pools.SetLimits(ctx, admin, "u00", pool.Limits{OpenLimit: &two}))
	b.opened(b.members(1)[0], ids[0])
	requireError(t, b.Pool.Pools.SetLimits(ctx, admin, "li", pool.Limits{OpenLimit: &bad}), crm.ErrInvalid, kernel.OutOfRange, "open_limit")
	l, err := b.Team.Trail.Audit(ctx, admin, team.TrailFilter{Types: []string{"limits.set"}}, crm.Page{})
	require.NoError(t, err)
	require.Contains(t, string(l.Items[1].Before), `"open_limit":0`)
	b.opensAgree()
}

func opensExempt(t *testing.T, b *bundle) {
	b.policy(func(p *pool.Policy) { p.OpenLimit = 0 })
	east := b.pool("east", 0, pool.Member{User: "u00", Admin: true}, pool.Member{User: "u01"})
	u := b.members(3)
	id, ids := b.create(1, "")[0], b.at(east, 2, "")
	for _, who := range []crm.Actor{head, admin} {
		require.True(t, b.opened(who, id).First)
		require.False(t, b.opened(who, id).First)
	}
	b.opened(u[0], ids[0]) // it administers east, and no other pool
	requireRefusal(t, b.openErr(u[0], id), pool.OpenLimit)
	requireRefusal(t, b.openErr(u[1], ids[0]), pool.OpenLimit)
	requireRefusal(t, b.openErr(li, id), pool.OpenLimit)
	w, err := b.Team.Members.Get(t.Context(), boss, "wang")
	require.NoError(t, err)
	w.Superior = "u02" // by name
	_, err = b.Team.Members.Update(t.Context(), boss, *w)
	require.NoError(t, err)
	b.opened(u[2], id)
	require.Equal(t, 4, b.opens())
	require.Equal(t, 4, b.count(`SELECT count(*) FROM crm_audit WHERE type = 'customer.opened' AND after LIKE '%"exempt":true%'`))
	require.Equal(t, 4, b.count("SELECT sum(opens_used) FROM crm_counters"))
	w.Superior, w.Version = "", w.Version+1
	_, err = b.Team.Members.Update(t.Context(), boss, *w)
	require.NoError(t, err)
	requireRefusal(t, b.openErr(u[2], b.create(1, "")[0]), pool.OpenLimit)
	b.opensAgree()
}

func opensRefused(t *testing.T, l *land) {
	ctx := t.Context()
	requireRefusal(t, l.openErr(li, l.named["closed"]), pool.NotFound)
	requireRefusal(t, l.openErr(li, 1<<40), pool.NotFound)
	requireRefusal(t, l.openErr(otherLi, l.named["open"]), pool.NotFound)
	requireError(t, l.openErr(boss, l.named["open"]), crm.ErrDenied, kernel.NotAMember, "actor")
	requireError(t, l.openErr(crm.Actor{Tenant: "acme", User: "nobody"}, l.named["open"]), crm.ErrDenied, kernel.NotAMember, "actor.user")
	require.Empty(t, requireRefusal(t, l.openErr(li, l.named["wang"]), pool.Taken).By, "who has it is not told")
	require.EqualValues(t, "wang", requireRefusal(t, l.openErr(head, l.named["wang"]), pool.Taken).By)
	require.EqualValues(t, "li", requireRefusal(t, l.openErr(li, l.named["li"]), pool.Taken).By)
	require.Zero(t, l.opens())
	l.opened(admin, l.named["closed"]) // it sees the whole tenant
	require.NoError(t, l.Pool.Pools.SetMembers(ctx, boss, l.closed, []pool.Member{{User: "li"}}))
	l.opened(li, l.named["closed"])
	requireRefusal(t, l.openErr(wang, l.named["closed"]), pool.NotFound)
	require.NoError(t, l.Pool.Pools.SetMembers(ctx, boss, l.closed, []pool.Member{{User: "wang"}}))
	requireRefusal(t, l.openErr(li, l.named["closed"]), pool.NotFound) // though opened today
	require.NoError(t, l.Customers.Blacklist(ctx, boss, l.named["open"], "x"))
	l.opened(li, l.named["open"])
	require.NoError(t, l.Customers.Delete(ctx, boss, l.named["open"], l.get(l.named["open"]).Version))
	requireRefusal(t, l.openErr(li, l.named["open"]), pool.NotFound)
	_, err := l.Team.Roles.Put(ctx, boss, team.Role{Name: "blind", Reach: team.ReachAll, Permissions: []kernel.Permission{team.PoolClaim}})
	require.NoError(t, err)
	require.NoError(t, l.Team.Members.Add(ctx, boss, team.Member{User: "x", Role: "blind"}))
	requireError(t, l.openErr(crm.Actor{Tenant: "acme", User: "x"}, l.named["closed"]), crm.ErrDenied, "", string(team.CustomerRead))
	l.opensAgree()

	// A process that still keeps the rights of before asks for the membership anew.
	kept := l.open(func(o *crm.Options) { o.KeepRights = time.Minute })
	_, err = kept.Pool.Open(ctx, wang, l.named["closed"])
	require.NoError(t, err)
	require.NoError(t, l.Pool.Pools.SetMembers(ctx, boss, l.closed, nil))
	_, err = kept.Pool.Open(ctx, wang, l.named["closed"])
	requireRefusal(t, err, pool.NotFound)
}

func opensByRequest(t *testing.T, b *secretive) {
	by := li
	by.Request = "open"
	require.True(t, b.opened(by, b.id).First)
	again := b.opened(by, b.id)
	require.True(t, again.First, "what the first call said")
	require.Equal(t, hiddenPhone, again.Contacts[0].Phone)
	require.Equal(t, 1, b.opens())
	kept, err := b.db.Query("SELECT outcome FROM crm_requests WHERE request = 'open'")
	require.NoError(t, err)
	defer kept.Close()
	for kept.Next() {
		var outcome string
		require.NoError(t, kept.Scan(&outcome))
		require.Equal(t, "true", outcome)
	}
	require.NoError(t, kept.Err())
	require.NoError(t, kept.Close())
	require.ErrorIs(t, b.openErr(by, b.create(1, "")[0]), kernel.Reused)
	b.wait(day) // a request is not a way around the next day's limit
	require.ErrorIs(t, b.openErr(by, b.id), kernel.Reused)
	require.NoError(t, b.Pool.Assign(t.Context(), head, b.id, "wang", nil))
	requireRefusal(t, b.openErr(by, b.id), pool.Taken) // what was shown once is not shown again
	b.opensAgree()
}

func opensInHost(t *testing.T, b *bundle) {
	b.policy(func(p *pool.Policy) { p.OpenLimit = 1 })
	ids := b.create(2, "")
	tx := b.begin()
	in := b.In(tx)
	o, err := in.Pool.Open(t.Context(), li, ids[0])
	require.NoError(t, err)
	require.True(t, o.First)
	_, err = in.Pool.Open(t.Context(), li, ids[1])
	requireRefusal(t, err, pool.OpenLimit)
	_, err = in.Customers.Get(t.Context(), li, ids[1]) // still usable
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	require.Zero(t, b.opens())
	tx = b.begin()
	_, err = b.In(tx).Pool.Open(t.Context(), li, ids[1])
	require.NoError(t, err)
	_, err = b.In(tx).Pool.PurgeOpens(t.Context(), boss, 0)
	require.ErrorIs(t, err, kernel.OwnCommits)
	require.NoError(t, tx.Commit())
	requireRefusal(t, b.openErr(li, ids[0]), pool.OpenLimit)
	b.opensAgree()
	if !b.postgres() {
		return
	}
	b.policy(func(p *pool.Policy) { p.OpenLimit = 2 })
	tx, err = b.db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
	require.NoError(t, err)
	_, err = b.In(tx).Customers.Get(t.Context(), li, ids[0]) // the snapshot
	require.NoError(t, err)
	b.opened(li, ids[0])
	_, err = b.In(tx).Pool.Open(t.Context(), li, b.create(1, "")[0])
	require.Error(t, err, "by an old snapshot nobody gets above the limit")
	b.opensAgree()
}

func opensPurged(t *testing.T, b *bundle) {
	ctx, ids := t.Context(), b.create(2, "")
	b.opened(li, ids[0])
	b.wait(day)
	b.opened(li, ids[0])
	b.opened(wang, ids[1])
	purge := func(olderThan time.Duration) int {
		n, err := b.Pool.PurgeOpens(ctx, boss, olderThan)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, purge(0))
	b.wait(89 * day)
	require.Zero(t, purge(0), "90 days ago")
	b.wait(day)
	require.Equal(t, 1, purge(0))
	b.opened(li, ids[1])
	require.Equal(t, 2, purge(time.Microsecond), "all but today's")
	require.False(t, b.opened(li, ids[1]).First)
	require.Equal(t, 1, b.opens())
	require.Equal(t, 4, b.count("SELECT count(*) FROM crm_audit WHERE type = 'customer.opened'"), "the trail stays")
	_, err := b.Pool.PurgeOpens(ctx, boss, -1)
	requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "older_than")
	_, err = b.Pool.PurgeOpens(ctx, admin, 0)
	requireError(t, err, crm.ErrDenied, "", "actor")
	_, err = b.Pool.PurgeOpens(ctx, otherBoss, time.Microsecond)
	require.NoError(t, err)
	require.Equal(t, 1, b.opens())
	b.agree()
}

func testOpenRaces(t *testing.T, open Open) {
	t.Run("30 at the edge of the limit, in two processes, each twice: never above it", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.OpenLimit = 10 })
		ids, other := b.create(30, ""), b.open(nil)
		var won atomic.Int32
		together(60, func(i int) {
			c := []*crm.CRM{b.CRM, other}[i%2]
			err := insist(func() error {
				o, err := c.Pool.Open(t.Context(), li, ids[i%30])
				if err == nil && o.First {
					won.Add(1)
				}
				return err
			})
			if err != nil && !errors.Is(err, pool.OpenLimit) {
				t.Error(err)
			}
		})
		require.EqualValues(t, 10, won.Load())
		require.Equal(t, 10, b.opens())
		b.opensAgree()
	})
	t.Run("32 times the same one at once: it counts once", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "")[0]
		var won atomic.Int32
		together(32, func(int) {
			err := insist(func() error {
				o, err := b.Pool.Open(t.Context(), li, id)
				if err == nil && o.First {
					won.Add(1)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		b.opensAgree()
	})
	t.Run("beside claims, releases and other members, without a deadlock", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.OpenLimit, p.DailyQuota = 8, 1_000 })
		ids := b.create(10, "")
		together(8, func(i int) {
			who := []crm.Actor{li, wang}[i%2]
			for n := range 10 {
				id := ids[(i*3+n)%10]
				err := insist(func() (err error) {
					switch (i + n) % 4 {
					case 0:
						err = b.Pool.Claim(t.Context(), who, id)
					case 1:
						_, err = b.Pool.ReleaseMany(t.Context(), admin, ids, pool.WhatCanBeHad, nil)
					default:
						err = b.openErr(who, id)
					}
					return err
				})
				if err != nil && !errors.Is(err, crm.ErrRefused) {
					t.Error(err)
				}
			}
		})
		require.LessOrEqual(t, b.count("SELECT max(opens_used) FROM crm_counters"), 8)
		b.opensAgree()
	})
}
