package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// policyOf is a random policy: up to six rules of any action, days counted any way.
func (b *bundle) policyOf(r *rand.Rand) {
	b.t.Helper()
	counting := []pool.Counting{pool.CountElapsed, pool.CountCalendar, pool.CountWorking}[r.IntN(3)]
	cal := b.calendar(fmt.Sprint("calendar ", r.Uint64()))
	b.settings(func(p *pool.Pool) { p.Counting, p.Calendar = counting, cal.ID })
	days := func() string {
		fact := []string{"followup_days", "owned_days", "followup_days", "deal_days", "last_order_days", "last_interaction_days"}[r.IntN(6)]
		n := strconv.Itoa(r.IntN(7))
		if counting == pool.CountElapsed && r.IntN(3) == 0 {
			n += ".25"
		}
		return fact + " " + []string{">", ">=", ">", ">=", "<", "<="}[r.IntN(6)] + " " + n
	}
	b.rule(pool.Rule{Name: "last", Condition: "followup_days > 6", Action: pool.Release, Priority: -1})
	for i := range 2 + r.IntN(4) {
		text := []string{
			days(), days() + " and " + days(), days() + " or " + days(), "not (" + days() + " or " + days() + ")",
			days() + ` and level in ["A", "B"]`, `level == "C" or ` + days(), days() + " and orders == 0",
		}[r.IntN(7)]
		action := []pool.Action{pool.Release, pool.Release, pool.Release, pool.Keep, pool.Warn}[r.IntN(5)]
		b.rule(pool.Rule{Name: strconv.Itoa(i), Condition: text, Action: action, Priority: r.IntN(4)})
		b.wait(time.Second)
	}
}

// history makes customers of li and wang, with levels, follow-ups and orders at any time.
func (b *bundle) history(r *rand.Rand) (ids []customer.ID) {
	b.t.Helper()
	ctx := b.t.Context()
	for i := range 16 {
		by := []crm.Actor{li, wang}[r.IntN(2)]
		id := b.create(1, by.User)[0]
		ids = append(ids, id)
		if r.IntN(2) == 0 {
			c := b.get(id)
			c.Level = []customer.Level{"A", "B", "C"}[r.IntN(3)]
			require.NoError(b.t, b.Customers.Update(ctx, by, c))
		}
		for range r.IntN(3) {
			b.wait(time.Duration(r.Int64N(int64(12 * time.Hour))))
			if r.IntN(2) == 0 {
				b.followup(by, id)
				continue
			}
			_, err := b.Customers.RecordDeal(ctx, by, customer.Deal{
				CustomerID: id, Number: fmt.Sprint(i, "-", r.Uint64()), At: b.now(), Amount: decimal.NewFromInt(1),
			})
			require.NoError(b.t, err)
		}
		b.wait(time.Duration(r.Int64N(int64(8 * time.Hour))))
	}
	return ids
}

func (b *bundle) due(ids ...customer.ID) map[customer.ID]pool.Due {
	b.t.Helper()
	due, err := b.Pool.DueAt(b.t.Context(), boss, ids...)
	require.NoError(b.t, err)
	return due
}

// takenWhenDue runs through the time to come: at each due instant a run takes what is due then, and a microsecond before
// it takes nothing.
func (b *bundle) takenWhenDue(ids []customer.ID) {
	b.t.Helper()
	begin := b.now().UTC()
	due := b.due(ids...)
	byTime := map[time.Time][]customer.ID{}
	for id, d := range due {
		if d.At.Before(begin) {
			d.At = begin // overdue: the first run takes it
		}
		byTime[d.At] = append(byTime[d.At], id)
	}
	times := slices.SortedFunc(func(yield func(time.Time) bool) {
		for at := range byTime {
			if !yield(at) {
				return
			}
		}
	}, time.Time.Compare)
	for _, at := range times {
		if at.After(begin) {
			b.micros.Store(at.UnixMicro() - 1)
			require.Zero(b.t, b.recycle().Released, "a microsecond before %v", at)
		}
		b.micros.Store(at.UnixMicro())
		preview, err := b.Pool.Preview(b.t.Context(), boss, nil, crm.Page{})
		require.NoError(b.t, err)
		require.Equal(b.t, len(byTime[at]), preview.Due)
		var rows []customer.ID
		for _, row := range preview.Rows {
			rows = append(rows, row.ID)
		}
		require.ElementsMatch(b.t, byTime[at], rows)
		require.Equal(b.t, len(byTime[at]), b.recycle().Released, at)
		for _, id := range byTime[at] {
			require.Empty(b.t, b.owner(id))
		}
	}
	b.t.Logf("%d of %d are due, at %d instants", len(due), len(ids), len(times))
	for range 12 { // what is never due is never taken
		b.wait(3*day + time.Hour)
		require.Zero(b.t, b.recycle().Released)
	}
}

func testDue(t *testing.T, open Open) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("every customer is taken at the instant that was told, whatever the policy ", seed), func(t *testing.T) {
			b := setup(t, open)
			r := rand.New(rand.NewPCG(seed, 7))
			b.policyOf(r)
			b.takenWhenDue(b.history(r))
			b.agree()
		})
	}
	t.Run("explain tells of a claim what stands against it, and until when", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		x, err := b.Pool.Explain(t.Context(), li, id)
		require.NoError(t, err)
		require.False(t, x.Claimable)
		failed := map[kernel.Reason]time.Time{}
		for _, c := range x.Claim {
			if !c.Holds {
				failed[c.Reason] = c.Until
			}
		}
		now := b.now().UTC()
		require.Equal(t, map[kernel.Reason]time.Time{pool.Protected: now.Add(7 * day), pool.CoolDown: now.Add(30 * day)}, failed)
		require.Equal(t, []kernel.Reason{pool.NotOwned, pool.NoReleaseRule}, x.Stops)
		b.wait(30 * day)
		x, err = b.Pool.Explain(t.Context(), li, id)
		require.NoError(t, err)
		require.True(t, x.Claimable)
		require.NoError(t, b.Pool.Claim(t.Context(), li, id))
		x, err = b.Pool.Explain(t.Context(), boss, id)
		require.NoError(t, err)
		require.False(t, x.Claimable, "the system actor claims nothing")
		_, err = b.Pool.Explain(t.Context(), wang, id)
		require.ErrorIs(t, err, crm.ErrNotFound)
		_, err = b.Pool.Explain(t.Context(), otherBoss, id)
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("explain tells which rule takes it, when, and what stops it", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		explain := func() pool.Explanation {
			x, err := b.Pool.Explain(t.Context(), li, id)
			require.NoError(t, err)
			return x
		}
		require.Equal(t, []kernel.Reason{pool.NoReleaseRule}, explain().Stops, "the built-in ones are switched off")
		require.NoError(t, b.Pool.UseDefaults(t.Context(), boss, 0))
		x := explain()
		require.Equal(t, b.now().UTC().Add(3*day+time.Microsecond), x.Due.At)
		require.Equal(t, "no follow-up for 3 days", x.Due.Name)
		require.Empty(t, x.Stops)
		require.Len(t, x.Rules, 3)
		require.Equal(t, []condition.Truth{condition.False, condition.False, condition.Unknown},
			[]condition.Truth{x.Rules[0].Verdict, x.Rules[1].Verdict, x.Rules[2].Verdict})
		b.wait(4 * day)
		x = explain()
		require.True(t, x.Rules[1].Wins)
		require.Equal(t, b.now().UTC().Add(-day+time.Microsecond), x.Due.At, "overdue since then")
		b.rule(pool.Rule{Name: "keep", Condition: "orders == 0", Action: pool.Keep, Priority: 200})
		require.Equal(t, []kernel.Reason{pool.NeverDue}, explain().Stops)
		b.settings(func(p *pool.Pool) { p.Public = false })
		x = explain()
		require.Nil(t, x.Due)
		require.Equal(t, []kernel.Reason{pool.OwnerNotInPool}, x.Stops)
		require.Empty(t, b.due(id))
	})
	t.Run("due dates are told only of what the actor sees", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Pool.UseDefaults(t.Context(), boss, 0))
		ids := append(b.create(2, "li"), b.create(1, "")...)
		due, err := b.Pool.DueAt(t.Context(), li, ids...)
		require.NoError(t, err)
		require.Len(t, due, 2)
		due, err = b.Pool.DueAt(t.Context(), wang, ids...)
		require.NoError(t, err)
		require.Empty(t, due)
		due, err = b.Pool.DueAt(t.Context(), otherBoss, ids...)
		require.NoError(t, err)
		require.Empty(t, due)
	})
	t.Run("a dry run changes nothing, counts by rule, and pages through pools", func(t *testing.T) {
		b := setup(t, open)
		second := &pool.Pool{Name: "second", Public: true, Settings: pool.DefaultSettings()}
		require.NoError(t, b.Pool.Pools.Create(t.Context(), boss, second))
		ids := b.create(5, "li")
		other := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "wang", PoolID: second.ID}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, other))
		b.followup(li, ids[0])
		b.wait(2 * day)
		p, err := b.Pool.Preview(t.Context(), admin, nil, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, []any{0, 6, 0}, []any{p.Due, p.Owned, len(p.Rows)}, "no rule is enabled")
		try := []pool.Rule{
			{Name: "all", Condition: "owned_days > 1", Action: pool.Release},
			{Name: "followed up", Condition: "not (deal_days < 1)", Action: pool.Keep, Priority: 1},
			{Name: "in the second", PoolID: second.ID, Condition: "owned_days > 1", Action: pool.Release},
		}
		var rows []customer.ID
		for page := (crm.Page{Limit: 2}); ; {
			p, err = b.Pool.Preview(t.Context(), admin, try, page)
			require.NoError(t, err)
			require.Equal(t, 5, p.Due)
			wins := map[string]int{}
			for _, r := range p.ByRule {
				wins[r.Name] = r.Wins
			}
			require.Equal(t, map[string]int{"followed up": 1, "all": 4, "in the second": 1}, wins)
			for _, row := range p.Rows {
				rows = append(rows, row.ID)
				require.NotEmpty(t, row.Name)
				require.NotEmpty(t, row.Owner)
			}
			if page.After = p.Next; p.Next == "" {
				break
			}
		}
		require.ElementsMatch(t, append(ids[1:], other.ID), rows)
		require.Zero(t, b.operations(customer.Recycled))
		_, err = b.Pool.Preview(t.Context(), li, nil, crm.Page{})
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.Pool.Preview(t.Context(), admin, []pool.Rule{{Name: "x", PoolID: 1 << 40, Condition: "orders > 0", Action: pool.Warn}}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "pool_id")
		_, err = b.Pool.Preview(t.Context(), admin, []pool.Rule{{Name: "x", Condition: "orders >", Action: pool.Warn}}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "condition")
		b.agree()
	})
	t.Run("a member who leaves stops the rules, and the due dates with them", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Pool.UseDefaults(t.Context(), boss, 0))
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, 0, nil))
		b.settings(func(p *pool.Pool) { p.Public = false })
		p, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, p.ID, []pool.Member{{Department: b.sales}}))
		id := b.create(1, "li")[0]
		require.Len(t, b.due(id), 1)
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, p.ID, []pool.Member{{User: "wang"}}))
		require.Empty(t, b.due(id))
		b.wait(30 * day)
		require.Zero(t, b.recycle().Released)
	})
}
