package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// hand lets a member claim records, and put them back after a while.
func (b *bundle) hand(a crm.Actor, after time.Duration, ids ...customer.ID) {
	b.t.Helper()
	_, err := b.Pool.ClaimMany(b.t.Context(), a, ids, pool.AllOrNothing)
	require.NoError(b.t, err)
	b.wait(after)
	_, err = b.Pool.ReleaseMany(b.t.Context(), a, ids, pool.AllOrNothing, &pool.ReleaseOptions{Reason: "no need"})
	require.NoError(b.t, err)
	b.wait(time.Minute)
}

// market is a house without protection and quotas, in which the pool can be played with.
func market(t *testing.T, open Open) *bundle {
	b := setup(t, open)
	b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
	b.policy(func(p *pool.Policy) { p.DailyQuota, p.Cap = 1_000, 1_000 })
	return b
}

func testPatterns(t *testing.T, open Open) {
	t.Run("who claims and gives back without a follow-up", testClaimAndRelease(open))
	t.Run("who swaps records through the pool", testSwaps(open))
	t.Run("who opens much and claims little", testOpenAndClaim(open))
	t.Run("asked by who may read the whole trail, and no other tenant's; what is no question is refused", testPatternsScope(open))
	t.Run("0010: the index comes and goes, and the log stays", func(t *testing.T) {
		b := market(t, open)
		b.hand(li, time.Hour, b.create(3, "")...)
		n := b.count("SELECT count(*) FROM crm_operations")
		require.NoError(t, b.store.MigrateDown(t.Context(), 9))
		require.NoError(t, b.store.Migrate(t.Context()))
		b.CRM = b.open(nil)
		require.Equal(t, n, b.count("SELECT count(*) FROM crm_operations"))
		l, err := b.Pool.Patterns.ClaimAndRelease(t.Context(), boss, pool.PatternFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, []pool.ClaimAndRelease{{Member: "li", Claims: 3, Released: 3, Share: 100}}, l.Items)
	})
}

func testOpenAndClaim(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := market(t, open)
		ids, ctx := b.create(5, ""), t.Context()
		from := b.now()
		look := func(who crm.Actor, ids ...customer.ID) {
			for _, id := range ids {
				_, err := b.Pool.Open(ctx, who, id)
				require.NoError(t, err)
			}
		}
		look(li, ids...)
		look(li, ids[0]) // the same day again is the same opening
		look(wang, ids[:2]...)
		b.wait(day)
		look(li, ids[0])
		require.NoError(t, b.Pool.Claim(ctx, wang, ids[0]))
		b.wait(6 * day)
		require.NoError(t, b.Pool.Claim(ctx, wang, ids[1])) // a week after it was opened, to the microsecond
		b.wait(time.Microsecond)
		require.NoError(t, b.Pool.Claim(ctx, li, ids[2])) // too late
		all := func(f pool.PatternFilter) (found []pool.OpenAndClaim) {
			for x, err := range crm.All(func(p crm.Page) (crm.List[pool.OpenAndClaim], error) {
				p.Limit = 1
				return b.Pool.Patterns.OpenAndClaim(ctx, boss, f, p)
			}) {
				require.NoError(t, err)
				found = append(found, x)
			}
			return found
		}
		require.Equal(t, []pool.OpenAndClaim{{Member: "li", Opened: 6}, {Member: "wang", Opened: 2, Claimed: 2, Share: 100}}, all(pool.PatternFilter{}))
		require.Equal(t, []pool.OpenAndClaim{{Member: "li", Opened: 6, Claimed: 1, Share: 16}, {Member: "wang", Opened: 2, Claimed: 2, Share: 100}},
			all(pool.PatternFilter{Within: 8 * day}))
		require.Equal(t, []pool.OpenAndClaim{{Member: "li", Opened: 1}}, all(pool.PatternFilter{From: from.Add(time.Hour)}))
		require.Empty(t, all(pool.PatternFilter{To: from}))
		_, err := b.Pool.Patterns.OpenAndClaim(ctx, li, pool.PatternFilter{}, crm.Page{})
		requireError(t, err, crm.ErrDenied, "", string(kernel.AuditRead))
	}
}

func testClaimAndRelease(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := market(t, open)
		ids := b.create(12, "")
		b.hand(li, 7*day, ids[:3]...)                   // to the microsecond in time
		b.hand(li, 7*day+time.Microsecond, ids[3:5]...) // too late
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[5]))
		b.followup(head, ids[5])
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[5], nil)) // followed up
		b.followup(li, ids[5])                                           // in the pool: it counts for nobody
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[6]))
		require.NoError(t, b.Pool.Release(t.Context(), head, ids[6], nil)) // taken off by its head
		require.NoError(t, b.Pool.Claim(t.Context(), li, ids[7]))
		require.NoError(t, b.Pool.Assign(t.Context(), boss, ids[7], "wang", nil))
		require.NoError(t, b.Pool.Release(t.Context(), wang, ids[7], nil)) // no claim of wang's
		b.wait(time.Minute)
		between := b.now()
		b.hand(wang, day, ids[8:11]...)
		b.hand(wang, day, ids[8]) // twice the same is two
		require.NoError(t, b.Customers.Interactions.Add(t.Context(), boss, &customer.Interaction{
			CustomerID: ids[8], Type: customer.Other, Subject: "bounced", Automatic: true, At: b.now().Add(-day),
		})) // no follow-up
		second := &pool.Pool{Name: "second", Public: true, Settings: pool.DefaultSettings()}
		require.NoError(t, b.Pool.Pools.Create(t.Context(), boss, second))
		require.NoError(t, b.Pool.Claim(t.Context(), wang, ids[11]))
		_, err := b.Pool.MoveToPool(t.Context(), boss, ids[11:], second.ID, pool.AllOrNothing, nil)
		require.NoError(t, err)
		require.NoError(t, b.Pool.Release(t.Context(), wang, ids[11], nil)) // a move in between is no matter
		b.wait(time.Minute)
		b.followup(wang, ids[9]) // too late to count

		ask := func(f pool.PatternFilter, p crm.Page) crm.List[pool.ClaimAndRelease] {
			l, err := b.Pool.Patterns.ClaimAndRelease(t.Context(), boss, f, p)
			require.NoError(t, err)
			return l
		}
		want := []pool.ClaimAndRelease{{Member: "wang", Claims: 5, Released: 5, Share: 100}, {Member: "li", Claims: 8, Released: 3, Share: 37}}
		require.Equal(t, want, ask(pool.PatternFilter{}, crm.Page{}).Items)
		first := ask(pool.PatternFilter{}, crm.Page{Limit: 1})
		require.Equal(t, want[:1], first.Items)
		rest := ask(pool.PatternFilter{}, crm.Page{Limit: 1, After: first.Next})
		require.Equal(t, want[1:], rest.Items)
		require.Empty(t, rest.Next)
		require.Equal(t, want[:1], ask(pool.PatternFilter{From: between}, crm.Page{}).Items)
		require.Equal(t, want[1:], ask(pool.PatternFilter{To: between}, crm.Page{}).Items)
		require.Equal(t, 5, ask(pool.PatternFilter{Within: 8 * day}, crm.Page{}).Items[1].Released)
		b.wait(time.Minute)
		equals := b.now()
		for _, u := range b.members(3) {
			b.hand(u, day, ids[0])
		}
		all := ask(pool.PatternFilter{From: equals}, crm.Page{}).Items
		require.Len(t, all, 3)
		var paged []pool.ClaimAndRelease
		for x, err := range crm.All(func(p crm.Page) (crm.List[pool.ClaimAndRelease], error) {
			p.Limit = 1
			return b.Pool.Patterns.ClaimAndRelease(t.Context(), boss, pool.PatternFilter{From: equals}, p)
		}) {
			require.NoError(t, err)
			paged = append(paged, x)
		}
		require.Equal(t, all, paged, "of equals none is left out")

		var found []customer.ID
		for x, err := range crm.All(func(p crm.Page) (crm.List[pool.ClaimReleased[customer.ID]], error) {
			p.Limit = 2
			return b.Pool.Patterns.ClaimsReleased(t.Context(), boss, "wang", pool.PatternFilter{}, p)
		}) {
			require.NoError(t, err)
			found = append(found, x.ID)
			require.Equal(t, kernel.UserID("wang"), x.Member)
			require.True(t, x.ReleasedAt.After(x.ClaimedAt) || x.ReleasedAt.Equal(x.ClaimedAt))
		}
		require.Equal(t, []customer.ID{ids[11], ids[8], ids[10], ids[9], ids[8]}, found)
	}
}

func testSwaps(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := market(t, open)
		u := b.members(4)
		ids := b.create(12, "")
		b.hand(u[0], day, ids[0], ids[1])
		b.hand(u[1], day, ids[0], ids[2]) // 0 handed ids[0] to 1
		b.hand(u[0], day, ids[0], ids[2]) // and 1 two back to 0
		second := &pool.Pool{Name: "second", Public: true, Settings: pool.Settings{}}
		require.NoError(t, b.Pool.Pools.Create(t.Context(), boss, second))
		b.hand(u[2], day, ids[4])
		_, err := b.Pool.MoveToPool(t.Context(), boss, ids[4:5], second.ID, pool.AllOrNothing, nil) // changes no owner
		require.NoError(t, err)
		b.hand(u[3], day, ids[4], ids[5])
		b.hand(u[2], day, ids[5]) // 2 and 3: one each way
		b.hand(u[2], day, ids[6])
		b.wait(30 * day)
		b.hand(u[3], day, ids[6]) // too late by a few minutes
		b.hand(u[0], day, ids[7])
		b.hand(u[0], day, ids[7]) // to itself
		b.hand(u[0], day, ids[8])
		b.hand(u[3], day, ids[8]) // one way only
		b.hand(u[1], day, ids[9])
		require.NoError(t, b.Pool.Assign(t.Context(), boss, ids[9], u[0].User, nil)) // given, not claimed

		ask := func(f pool.PatternFilter, p crm.Page) crm.List[pool.Swap] {
			l, err := b.Pool.Patterns.Swaps(t.Context(), boss, f, p)
			require.NoError(t, err)
			return l
		}
		want := []pool.Swap{{A: "u00", B: "u01", ToB: 1, ToA: 2, BackAndForth: 1}, {A: "u02", B: "u03", ToB: 1, ToA: 1, BackAndForth: 0}}
		require.Equal(t, want, ask(pool.PatternFilter{}, crm.Page{}).Items)
		first := ask(pool.PatternFilter{}, crm.Page{Limit: 1})
		require.Equal(t, want[:1], first.Items)
		require.Equal(t, want[1:], ask(pool.PatternFilter{}, crm.Page{Limit: 1, After: first.Next}).Items)
		require.Equal(t, 2, ask(pool.PatternFilter{Within: 31 * day}, crm.Page{}).Items[1].ToB, "the late one counts")
		require.Empty(t, ask(pool.PatternFilter{From: b.now().Add(-20 * day)}, crm.Page{}).Items)
		require.Empty(t, ask(pool.PatternFilter{Within: time.Second}, crm.Page{}).Items)

		var found []customer.ID
		for x, err := range crm.All(func(p crm.Page) (crm.List[pool.Handed[customer.ID]], error) {
			p.Limit = 2
			return b.Pool.Patterns.Handed(t.Context(), boss, u[1].User, u[0].User, pool.PatternFilter{}, p)
		}) {
			require.NoError(t, err)
			found = append(found, x.ID)
			require.NotEqual(t, x.From, x.To)
			require.Equal(t, time.Minute, x.ClaimedAt.Sub(x.ReleasedAt))
		}
		require.ElementsMatch(t, []customer.ID{ids[0], ids[0], ids[2]}, found)
	}
}

func testPatternsScope(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := market(t, open)
		ctx := t.Context()
		_, err := b.Team.Roles.Put(ctx, boss, team.Role{Name: "lead", Reach: team.ReachTree, Permissions: []kernel.Permission{team.AuditRead}})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(ctx, boss, team.Member{User: "lead", Role: "lead", Department: b.sales}))
		b.hand(li, day, b.create(1, "")...)
		_, err = b.Pool.Patterns.ClaimAndRelease(ctx, crm.Actor{Tenant: "acme", User: "lead"}, pool.PatternFilter{}, crm.Page{})
		requireError(t, err, crm.ErrDenied, "", string(kernel.AuditRead))
		_, err = b.Pool.Patterns.Swaps(ctx, li, pool.PatternFilter{}, crm.Page{})
		require.ErrorIs(t, err, crm.ErrDenied)
		other, err := b.Pool.Patterns.ClaimAndRelease(ctx, otherBoss, pool.PatternFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, other.Items)

		_, err = b.Pool.Patterns.Swaps(ctx, boss, pool.PatternFilter{From: b.now(), To: b.now()}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "from")
		_, err = b.Pool.Patterns.Swaps(ctx, boss, pool.PatternFilter{Within: -1}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "within")
		_, err = b.Pool.Patterns.Handed(ctx, boss, "", "li", pool.PatternFilter{}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "member")
		_, err = b.Pool.Patterns.ClaimAndRelease(ctx, boss, pool.PatternFilter{}, crm.Page{After: "x"})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	}
}
