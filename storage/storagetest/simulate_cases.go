package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team/calendar"
)

// sooner is the question of the day: with 14 days instead of 30?
var sooner = []pool.Rule{{Name: "sooner", Condition: "followup_days > 14", Action: pool.Release}}

func testSimulateLater(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Name: "30 days", Condition: "followup_days > 30", Action: pool.Release})
		ids := b.create(6, "li") // 5 sleeps for ever, 6 is won in time
		b.create(3, "")
		b.wait(10 * day)
		b.deal(ids[5], 7)
		b.wait(10 * day)
		b.followup(li, ids[0]) // 6 days after it would have been released
		b.deal(ids[1], 100)
		b.deal(ids[1], 20)
		b.followup(li, ids[1])
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, ids[2], customer.Won, ""))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[3], nil))
		b.wait(11 * day)
		require.Equal(t, 3, b.recycle().Released, "the third and the last two")
		b.deal(ids[2], 5) // the ownership is over
		b.wait(day)
		s := b.simulate(sooner, pool.SimulateOptions{Examples: 10})
		require.Equal(t, []int{9, 6, 6}, []int{s.Records, s.Owned, s.Ownerships})
		require.Equal(t, 6, s.Changed.Released)
		require.Equal(t, 6, s.Changed.Records)
		requireSameJSON(t, pool.Later{FollowedUp: 2, Ordered: 1, Won: 2, Amount: decimal.NewFromInt(120)}, s.Changed.Later)
		require.Equal(t, "6 released, 2 of them later won, 1 ordered later (120): releases_everybody", s.Changed.String())
		require.Equal(t, []any{pool.ReleasesEverybody, 100}, []any{s.Changed.Warning, s.Changed.Share})
		require.Equal(t, []any{3, 3, kernel.Reason("")}, []any{s.Present.Released, s.Both, s.Present.Warning})
		require.Equal(t, []any{3, "30 days: followup_days > 30", 3}, []any{s.Recorded.Recycled, s.Recorded.ByRule[0].Name, s.Recorded.ByRule[0].Released})
		require.Equal(t, []pool.MonthCount{{Month: "2026-03", Released: 3}}, s.Recorded.ByMonth)
		require.Equal(t, "2026-03", s.Changed.ByMonth[0].Month)
		require.Len(t, s.Examples, 6)
		x := s.Examples[1]
		require.Equal(t, start.Add(14*day+time.Microsecond), x.At)
		require.Equal(t, []any{ids[1], kernel.UserID("li"), "sooner", true, 1}, []any{x.ID, x.Owner, x.Name, x.Ended.IsZero(), x.Later.Won})
		require.True(t, x.Present.IsZero())
		require.Equal(t, customer.Released, s.Examples[3].How)
		require.Equal(t, start.Add(30*day+time.Microsecond), s.Examples[2].Present)

		longer := b.simulate([]pool.Rule{{Name: "longer", Condition: "followup_days > 60", Action: pool.Release}}, pool.SimulateOptions{})
		require.Equal(t, []any{0, 3, pool.ReleasesNobody}, []any{longer.Changed.Released, longer.Changed.Spared, longer.Changed.Warning})

		late := b.simulate(sooner, pool.SimulateOptions{From: start.Add(20*day + time.Hour), To: start.Add(25 * day), Examples: 10})
		require.Equal(t, []int{5, 3}, []int{late.Ownerships, late.Changed.Released}, "the first two were followed up")
		for _, x := range late.Examples {
			require.Equal(t, late.From, x.At, "overdue when the rules come into force")
		}
		require.Zero(t, late.Recorded.Recycled, "before the runs")
		late = b.simulate(sooner, pool.SimulateOptions{From: b.now().Add(-time.Hour)})
		require.Equal(t, []int{0, 2}, []int{late.Recorded.Recycled, late.Ownerships}, "behind them")
	}
}

func testSimulateFacts(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		c := b.get(id)
		set := func(level customer.Level) {
			c = b.get(id)
			c.Level = level
			require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		}
		taken := func(text string) string {
			s := b.simulate([]pool.Rule{{Name: "x", Condition: text, Action: pool.Release}}, pool.SimulateOptions{Examples: 1})
			if len(s.Examples) == 0 {
				return ""
			}
			return s.Examples[0].At.Sub(start).String()
		}
		b.wait(day)
		set("A")
		b.wait(day)
		set("B")
		b.wait(day)
		set("")
		b.deal(id, 300)
		b.wait(day)
		require.NoError(t, b.Pool.Lock(t.Context(), li, id, b.now().Add(2*day), "x"))
		b.wait(400 * day)
		for text, want := range map[string]string{
			`level == "A"`:                        "24h0m0s",
			`level == "B"`:                        "48h0m0s",
			`level == "C"`:                        "",
			`level != "A"`:                        "48h0m0s", // before it has none: unknown
			`stage == "won"`:                      "72h0m0s",
			`orders > 0`:                          "72h0m0s",
			`spend >= 300`:                        "72h0m0s",
			`owned_days > 3.5 and level == "B"`:   "",
			`owned_days >= 4`:                     "144h0m0s", // locked for two days
			`owned_days > 5 and owned_days < 5.5`: "",
			`owned_days >= 5 and spend == 0`:      "8831h30m0s", // the order is of 3 March 2026 in Shanghai; on that day of 2027 it counts no more
		} {
			require.Equal(t, want, taken(text), text)
		}
		require.NoError(t, b.Customers.Tags.Create(t.Context(), boss, &customer.Tag{Name: "VIP"}))
		_, err := b.Customers.Tags.Put(t.Context(), boss, []customer.ID{id}, "VIP")
		require.NoError(t, err)
		require.Equal(t, "0s", taken(`"VIP" in tags`), "tags are taken as they are now")

		require.NoError(t, b.Customers.Delete(t.Context(), boss, id, b.get(id).Version))
		require.Equal(t, "24h0m0s", taken(`level == "A"`), "it was there")
		b.wait(30 * day)
		require.Empty(t, taken(`owned_days > 410`), "it is deleted")
		_, err = b.Customers.Restore(t.Context(), boss, id)
		require.NoError(t, err)
		b.wait(time.Microsecond)
		require.Equal(t, (434 * day).String(), taken(`owned_days > 410`), "it is back, and its owner's")
	}
}

func testSimulateParts(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		r := rand.New(rand.NewPCG(3, 3))
		b.twoPools(r)
		b.create(9, "li")
		for i := range 80 {
			b.live(r, b.everyone())
			if i%10 == 9 {
				b.recycle()
			}
			b.wait(time.Duration(r.Int64N(int64(9 * time.Hour))))
		}
		rules := []pool.Rule{
			{Name: "a", Condition: "followup_days > 2", Action: pool.Release},
			{Name: "b", Condition: `level == "A"`, Action: pool.Keep, Priority: 3},
		}
		o := pool.SimulateOptions{To: b.now(), Examples: 100}
		operations, audits := b.count("SELECT count(*) FROM crm_operations"), b.count("SELECT count(*) FROM crm_audit")
		whole := b.simulate(rules, o)
		require.Empty(t, whole.Next)
		require.Positive(t, whole.Changed.Released)
		require.Positive(t, whole.Changed.Spared)
		require.Equal(t, len(b.everyone()), whole.Records)

		var sum pool.Simulation[customer.ID]
		o.Limit, o.Batch = 4, 3
		for i := 0; ; i++ {
			part := b.simulate(rules, o)
			require.LessOrEqual(t, part.Records, 4)
			if i == 0 {
				sum = part
			} else {
				require.NoError(t, sum.Add(part))
			}
			if o.After = sum.Next; o.After == "" {
				break
			}
		}
		requireSameJSON(t, whole, sum)
		require.Error(t, sum.Add(whole), "it is whole already")

		tx := b.begin()
		_, err := b.In(tx).Customers.CreateMany(t.Context(), boss, []*customer.Customer{{Name: "x"}}, pool.AllOrNothing)
		require.NoError(t, err)
		joined, err := b.In(tx).Pool.Simulate(t.Context(), boss, rules, nil)
		require.NoError(t, err)
		require.Equal(t, whole.Records+1, joined.Records, "it reads what the host's transaction wrote")
		require.NoError(t, tx.Rollback())

		o = pool.SimulateOptions{To: o.To, Examples: 100, Batch: 5}
		ctx, stop := context.WithCancel(t.Context())
		var told []pool.SimulationProgress
		o.Progress = func(p pool.SimulationProgress) {
			if told = append(told, p); len(told) == 2 {
				stop()
			}
		}
		part, err := b.Pool.Simulate(ctx, boss, rules, &o)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []int{5, 10}, []int{told[0].Records, told[1].Records})
		require.Equal(t, whole.Records, told[0].Of)
		o.After, o.Progress = part.Next, nil
		require.NoError(t, part.Add(b.simulate(rules, o)))
		requireSameJSON(t, whole, part)
		other := part
		other.Next = "x"
		err = other.Add(b.simulate(sooner, o))
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "more")

		require.Equal(t, operations, b.count("SELECT count(*) FROM crm_operations"), "nothing was written")
		require.Equal(t, audits, b.count("SELECT count(*) FROM crm_audit"))
		b.agree()
	}
}

func requireSameJSON(t *testing.T, want, got any) {
	t.Helper()
	one, err := json.Marshal(want)
	require.NoError(t, err)
	two, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(one), string(two))
}

func testSimulateInput(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		ask := func(a crm.Actor, rules []pool.Rule, o pool.SimulateOptions) error {
			_, err := b.Pool.Simulate(t.Context(), a, rules, &o)
			return err
		}
		_, err := b.Pool.Simulate(t.Context(), admin, nil, nil)
		require.NoError(t, err)
		require.ErrorIs(t, ask(li, nil, pool.SimulateOptions{}), crm.ErrDenied)
		requireError(t, ask(boss, nil, pool.SimulateOptions{To: b.now().Add(2 * time.Microsecond)}), crm.ErrInvalid, kernel.InFuture, "to")
		requireError(t, ask(boss, nil, pool.SimulateOptions{From: b.now().Add(time.Microsecond)}), crm.ErrInvalid, kernel.OutOfRange, "from")
		requireError(t, ask(boss, nil, pool.SimulateOptions{Batch: 5001}), crm.ErrInvalid, kernel.OutOfRange, "batch")
		requireError(t, ask(boss, nil, pool.SimulateOptions{Limit: -1}), crm.ErrInvalid, kernel.OutOfRange, "limit")
		requireError(t, ask(boss, nil, pool.SimulateOptions{Examples: 1001}), crm.ErrInvalid, kernel.OutOfRange, "examples")
		requireError(t, ask(boss, nil, pool.SimulateOptions{RunsAt: new(calendar.Time(24 * 60))}), crm.ErrInvalid, kernel.OutOfRange, "runs_at")
		requireError(t, ask(boss, nil, pool.SimulateOptions{After: "x"}), crm.ErrInvalid, kernel.Malformed, "after")
		bad := []pool.Rule{sooner[0], {Name: "x", Condition: "followup_days >", Action: pool.Release}}
		e := requireError(t, ask(boss, bad, pool.SimulateOptions{}), crm.ErrInvalid, kernel.Malformed, "condition")
		item, ok := e.Item()
		require.Equal(t, []any{1, true}, []any{item, ok})
		var where *condition.SyntaxError
		require.ErrorAs(t, e, &where)
		require.Equal(t, 16, where.Column)
		requireError(t, ask(boss, []pool.Rule{{Name: "x", PoolID: 1 << 40, Condition: "orders > 0", Action: pool.Warn}}, pool.SimulateOptions{}),
			crm.ErrInvalid, kernel.Unknown, "pool_id")
		b.settings(func(p *pool.Pool) { p.Counting = pool.CountCalendar })
		requireError(t, ask(boss, []pool.Rule{{Name: "x", Condition: "owned_days > 0.5", Action: pool.Release}}, pool.SimulateOptions{}),
			crm.ErrInvalid, pool.WholeDays, "condition")

		require.Equal(t, pool.NoHistory, b.simulate(sooner, pool.SimulateOptions{}).Changed.Warning)
		b.create(3, "li")
		b.wait(100 * day)
		keep := []pool.Rule{{Name: "keep", Condition: "orders >= 0", Action: pool.Keep}}
		s := b.simulate(keep, pool.SimulateOptions{})
		require.Equal(t, []any{0, 3, pool.NoReleaseRule, 0}, []any{s.Changed.Released, s.Ownerships, s.Changed.Warning, s.Changed.Share})
		s = b.simulate(append(keep, sooner...), pool.SimulateOptions{})
		require.Equal(t, pool.ReleasesNobody, s.Changed.Warning, "of equals, the one that stands first wins")
		s = b.simulate(append(sooner, keep...), pool.SimulateOptions{})
		require.Equal(t, pool.ReleasesEverybody, s.Changed.Warning)
	}
}

// much writes n lines of the operation log of a customer, by turns a claim and a release.
func (b *bundle) much(id customer.ID, n int) {
	b.t.Helper()
	at := "1700000000000000 + n * 1000000"
	series := "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d)"
	if b.postgres() {
		at = "timestamptz '2023-11-14 22:13:20Z' + n * interval '1 second'"
	}
	_, err := b.db.ExecContext(b.t.Context(), fmt.Sprintf(series+` INSERT INTO crm_operations
		(tenant_id, kind, record_id, action, actor, from_owner, to_owner, pool_id, reason, note, rule_id, rule, at)
		SELECT c.tenant_id, 'customer', c.id, CASE WHEN n %% 2 = 1 THEN 'claim' ELSE 'release' END, 'li', CASE WHEN n %% 2 = 0 THEN 'li' END,
			CASE WHEN n %% 2 = 1 THEN 'li' END, c.pool_id, '', '', 0, '', %s FROM s, crm_customers c WHERE c.id = %d`, n, at, id))
	require.NoError(b.t, err)
}

func testSimulateMuch(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(12, "")
		for _, id := range ids[:8] {
			b.much(id, 6_000) // a batch holds 20,000
		}
		b.much(ids[9], 50_000)
		var batches []int
		rules := []pool.Rule{{Name: "x", Condition: "owned_days >= 0", Action: pool.Release}}
		s := b.simulate(rules, pool.SimulateOptions{Progress: func(p pool.SimulationProgress) { batches = append(batches, p.Records) }})
		require.Equal(t, []int{12, 9}, []int{s.Records, s.Owned})
		require.Equal(t, []int{8*3_000 + 25_000, 8*3_000 + 25_000, 9}, []int{s.Ownerships, s.Changed.Released, s.Changed.Records})
		require.Equal(t, []int{3, 6, 9, 10, 12}, batches)
	}
}
