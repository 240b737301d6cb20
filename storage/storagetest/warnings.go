package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

func (b *bundle) warn(opts *pool.WarnOptions) pool.WarnReport {
	b.t.Helper()
	report, err := b.Pool.Warn(b.t.Context(), boss, opts)
	require.NoError(b.t, err)
	require.Empty(b.t, report.Failed)
	return report
}

// dueNow runs Warn and counts what is noted then.
func (b *bundle) dueNow() int {
	b.t.Helper()
	b.warn(nil)
	return b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL")
}

// warnings are the events of a type about a customer, oldest first.
func warnings[T any](b *bundle, kind string, id customer.ID) (all []T) {
	b.t.Helper()
	rows, err := b.db.QueryContext(b.t.Context(), "SELECT data FROM crm_outbox WHERE type = '"+kind+"' AND record_id = "+strconv.FormatInt(int64(id), 10)+" ORDER BY seq")
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		var data T
		require.NoError(b.t, rows.Scan(&text))
		require.NoError(b.t, json.Unmarshal([]byte(text), &data))
		all = append(all, data)
	}
	require.NoError(b.t, rows.Err())
	return all
}

func (b *bundle) dueSoon(id customer.ID) []pool.DueSoon {
	b.t.Helper()
	return warnings[pool.DueSoon](b, "customer.due_soon", id)
}

// since moves the clock to a span after the start.
func (b *bundle) since(d time.Duration) { b.micros.Store(start.Add(d).UnixMicro()) }

// live lets something happen that changes what rules say of a customer.
func (b *bundle) happen(r *rand.Rand, id customer.ID) {
	b.t.Helper()
	ctx, c := b.t.Context(), b.get(id)
	var err error
	switch r.IntN(9) {
	case 0, 1:
		err = b.Customers.Interactions.Add(ctx, boss, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Staff: "head", Followup: true})
	case 2:
		_, err = b.Customers.RecordDeal(ctx, boss, customer.Deal{CustomerID: id, Number: strconv.FormatUint(r.Uint64(), 10), At: b.now(), Amount: decimal.NewFromInt(1)})
	case 3:
		c.Level = []customer.Level{"A", "B", "C"}[r.IntN(3)]
		err = b.Customers.Update(ctx, boss, c)
	case 4:
		err = b.Customers.Interactions.Add(ctx, boss, &customer.Interaction{CustomerID: id, Type: customer.Other, Subject: "x", Automatic: true})
	case 5:
		if c.OwnerID != "head" {
			err = b.Pool.Assign(ctx, boss, id, "head", nil)
		}
	case 6:
		if c.OwnerID == "head" {
			err = b.Pool.Lock(ctx, head, id, b.now().Add(time.Duration(r.Int64N(int64(5*day)))+time.Second), "x")
		}
	case 7: // whose customers no rule concerns until it is back
		m, e := b.Team.Members.Get(ctx, boss, "li")
		require.NoError(b.t, e)
		if m.Active() {
			err = b.Team.Members.Deactivate(ctx, boss, "li")
		} else {
			err = b.Team.Members.Activate(ctx, boss, "li")
		}
	case 8:
		rules, e := b.Pool.Pools.Rules(ctx, boss, c.PoolID)
		require.NoError(b.t, e)
		rule := rules[r.IntN(len(rules))]
		if !rule.BuiltIn {
			rule.Enabled = !rule.Enabled
			err = b.Pool.Pools.PutRule(ctx, boss, rule)
		}
	}
	require.NoError(b.t, err)
}

const micro = time.Microsecond

func testWarnings(t *testing.T, open Open) {
	t.Run("each step is told once, at its instant and not a microsecond before, the last one to the superior too", func(t *testing.T) {
		b := setup(t, open)
		rule := b.rule(pool.Rule{Name: "ten", Condition: "followup_days >= 10", Action: pool.Release})
		id := b.create(1, "li")[0]
		due := start.Add(10 * day)
		b.since(7*day - micro)
		require.Equal(t, []int{0, 0}, []int{b.warn(nil).Warned, b.dueNow()})
		b.since(7 * day)
		report := b.warn(nil)
		require.Equal(t, []int{1, 1, 1}, []int{report.Warned, report.Looked, report.Noted})
		require.Equal(t, []pool.StepCount{{Step: 3 * day, Warned: 1}, {Step: day}}, report.ByStep)
		want := pool.DueSoon{Owner: "li", DueAt: due, StepSeconds: 3 * 24 * 3600, Rule: rule.ID, Name: "ten"}
		require.Equal(t, []pool.DueSoon{want}, b.dueSoon(id))
		report = b.warn(nil)
		require.Equal(t, []int{0, 0, 0}, []int{report.Warned, report.Looked, report.Noted}, "nothing is new")
		b.since(9*day - micro)
		require.Zero(t, b.warn(nil).Warned)
		b.since(9 * day)
		report = b.warn(nil)
		require.Equal(t, []pool.StepCount{{Step: 3 * day}, {Step: day, Warned: 1}}, report.ByStep)
		last := want
		last.StepSeconds, last.Superior = 24*3600, "head"
		require.Equal(t, []pool.DueSoon{want, last}, b.dueSoon(id))
		b.since(10 * day)
		require.Zero(t, b.warn(nil).Warned)
		require.Equal(t, 1, b.recycle().Released)
		require.Zero(t, b.dueNow())
		require.Zero(t, b.count("SELECT count(*) FROM crm_due"), "the ownership has ended")
		b.agree()
	})
	t.Run("owned a year, last contact 28 days ago, limit 30, warned 2 days before: on day 28, once", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days > 30", Action: pool.Release})
		id := b.create(1, "li")[0]
		for range 12 {
			b.wait(30 * day)
			b.followup(li, id)
		}
		two := &pool.WarnOptions{Steps: []time.Duration{2 * day}}
		b.wait(28 * day)
		require.Zero(t, b.warn(two).Warned)
		for range 5 {
			b.wait(time.Hour)
			b.warn(two)
		}
		require.Len(t, b.dueSoon(id), 1)
		require.Equal(t, start.Add((360+30)*day+micro), b.dueSoon(id)[0].DueAt)
		b.agree()
	})
	t.Run("of steps that were missed, the last one is told only; what is overdue is told too", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		ids := b.create(1, "li")
		b.since(9*day + time.Hour)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.EqualValues(t, 24*3600, b.dueSoon(ids[0])[0].StepSeconds)
		require.Zero(t, b.warn(nil).Warned)
		late := b.create(1, "li")[0]
		b.wait(11 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.True(t, b.dueSoon(late)[0].DueAt.Before(b.now()))
	})
	t.Run("a step at or before the begin of the ownership is left out", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days >= 3", Action: pool.Release})
		id := b.create(1, "li")[0]
		b.wait(time.Hour)
		require.Equal(t, []int{0, 1}, []int{b.warn(nil).Warned, b.dueNow()})
		b.since(2 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.EqualValues(t, 24*3600, b.dueSoon(id)[0].StepSeconds)
		b.rule(pool.Rule{Name: "after", Condition: "owned_days > 3", Action: pool.Release, Priority: 9})
		fresh := b.create(1, "wang")[0]
		b.rule(pool.Rule{Name: "keep", Condition: "owned_days <= 3", Action: pool.Keep, Priority: 99})
		b.wait(micro) // three days before are a microsecond after the begin
		b.warn(nil)
		require.Len(t, b.dueSoon(fresh), 1)
	})
	t.Run("a follow-up puts the date off and is warned of anew; a transfer begins a new ownership", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		id := b.create(1, "li")[0]
		b.since(8 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		b.followup(li, id)
		require.Zero(t, b.warn(nil).Warned)
		b.wait(7 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.NoError(t, b.Pool.Assign(t.Context(), boss, id, "wang", nil))
		require.Zero(t, b.warn(nil).Warned)
		b.wait(9 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		all := b.dueSoon(id)
		require.Equal(t, []kernel.UserID{"li", "li", "wang"}, []kernel.UserID{all[0].Owner, all[1].Owner, all[2].Owner})
		require.Equal(t, start.Add(18*day), all[1].DueAt)
		b.agree()
	})
	t.Run("the same date again after another is not told again: a grade that comes and goes", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		b.rule(pool.Rule{Condition: `level == "A"`, Action: pool.Keep, Priority: 9})
		id := b.create(1, "li")[0]
		grade := func(l customer.Level) {
			c := b.get(id)
			c.Level = l
			require.NoError(t, b.Customers.Update(t.Context(), li, c))
		}
		b.since(8 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		grade("A")
		require.Equal(t, []int{0, 0}, []int{b.warn(nil).Warned, b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL")})
		grade("B")
		require.Equal(t, []int{0, 1}, []int{b.warn(nil).Warned, b.dueNow()})
		require.Len(t, b.dueSoon(id), 1)
	})
	t.Run("a lock puts the date off to its end", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 10", Action: pool.Release})
		id := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Lock(t.Context(), li, id, start.Add(20*day), "contract in March"))
		b.since(9 * day)
		require.Zero(t, b.warn(nil).Warned)
		b.since(17*day - micro)
		require.Zero(t, b.warn(nil).Warned)
		b.since(17 * day)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.Equal(t, start.Add(20*day), b.dueSoon(id)[0].DueAt)
	})
	t.Run("windows, keeps and calendars: what DueAt says is warned of", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Counting = pool.CountCalendar })
		b.rule(pool.Rule{Condition: "followup_days > 3 and followup_days < 5", Action: pool.Release})
		b.rule(pool.Rule{Condition: `not (stage == "won") and owned_days < 1`, Action: pool.Keep, Priority: 2})
		id := b.create(1, "li")[0]
		at := b.due(id)[id].At
		require.Equal(t, at, at.Truncate(24*time.Hour).Add(16*time.Hour), "midnight in Shanghai")
		b.micros.Store(at.Add(-day).UnixMicro() - 1)
		require.LessOrEqual(t, b.warn(nil).Warned, 1)
		before := len(b.dueSoon(id))
		b.wait(micro)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.Equal(t, at, b.dueSoon(id)[before].DueAt)
		b.micros.Store(at.Add(3 * day).UnixMicro())
		require.Zero(t, b.dueNow(), "the window is over")
	})
	testWarnRules(t, open)
	testWarnRuns(t, open)
	testWarnNotes(t, open)
}

func testWarnRules(t *testing.T, open Open) {
	t.Run("a warn rule that wins is told once per ownership", func(t *testing.T) {
		b := setup(t, open)
		rule := b.rule(pool.Rule{Name: "idle", Condition: "followup_days > 5", Action: pool.Warn, Priority: 1})
		b.rule(pool.Rule{Condition: `level == "A"`, Action: pool.Keep, Priority: 2})
		ids := b.create(2, "li")
		c := b.get(ids[1])
		c.Level = "A"
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		b.since(5 * day)
		require.Zero(t, b.warn(nil).ByRule[0].Told)
		b.wait(micro)
		require.Equal(t, []pool.RuleTold{{Pool: rule.PoolID, Rule: rule.ID, Name: "idle", Told: 1}}, b.warn(nil).ByRule)
		b.followup(li, ids[0])
		b.wait(6 * day)
		require.Zero(t, b.warn(nil).ByRule[0].Told)
		require.Equal(t, []pool.RuleWarning{{Owner: "li", Rule: rule.ID, Name: "idle"}}, warnings[pool.RuleWarning](b, "customer.warned", ids[0]))
		require.Empty(t, warnings[pool.RuleWarning](b, "customer.warned", ids[1]))
		second := b.rule(pool.Rule{Name: "second", Condition: "followup_days > 1", Action: pool.Warn, Priority: 9})
		b.warn(nil)
		require.NoError(t, b.Pool.Assign(t.Context(), boss, ids[0], "wang", nil))
		b.wait(6 * day)
		b.warn(nil)
		var told []pool.RuleID
		for _, w := range warnings[pool.RuleWarning](b, "customer.warned", ids[0]) {
			told = append(told, w.Rule)
		}
		require.Equal(t, []pool.RuleID{rule.ID, second.ID, second.ID}, told)
		b.agree()
	})
	t.Run("a lock keeps a customer from warn rules too", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Name: "warn", Condition: "followup_days >= 4", Action: pool.Warn})
		b.rule(pool.Rule{Name: "release", Condition: "followup_days >= 40", Action: pool.Release})
		id := b.create(1, "li")[0]
		require.NoError(t, b.Pool.Lock(t.Context(), li, id, start.Add(6*day), "x"))
		b.since(6*day - micro)
		require.Zero(t, b.warn(nil).ByRule[0].Told)
		b.since(6 * day)
		require.Equal(t, 1, b.warn(nil).ByRule[0].Told)
	})
	t.Run("a warn rule above a release rule keeps the customer, and so it is not due", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Name: "release", Condition: "followup_days >= 5", Action: pool.Release})
		b.rule(pool.Rule{Name: "warn", Condition: "followup_days >= 4", Action: pool.Warn, Priority: 1})
		id := b.create(1, "li")[0]
		b.since(4 * day)
		report := b.warn(nil)
		require.Equal(t, []int{0, 0, 1}, []int{b.dueNow(), report.Warned, report.ByRule[0].Told})
		require.Empty(t, b.dueSoon(id))
	})
	t.Run("only those are warned whom the rules of their home pool concern; the nearest active superior is named", func(t *testing.T) {
		b := setup(t, open)
		own := b.pool("own", 9, pool.Member{User: "li"})
		b.rule(pool.Rule{PoolID: own, Condition: "owned_days >= 2", Action: pool.Release})
		lis := b.create(1, "li")[0]
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "wang", PoolID: own}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		b.wait(day)
		report, err := b.Pool.Warn(t.Context(), boss, &pool.WarnOptions{Pools: []pool.ID{1 << 40}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "pools")
		require.Zero(t, report.Warned)
		require.Equal(t, 1, b.warn(nil).Warned)
		require.EqualValues(t, "head", b.dueSoon(lis)[0].Superior)
		require.Empty(t, b.dueSoon(c.ID))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		m.Superior = "admin"
		_, err = b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		again := b.create(1, "li")[0]
		b.wait(day)
		b.warn(nil)
		require.EqualValues(t, "admin", b.dueSoon(again)[0].Superior)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "admin"))
		again = b.create(1, "li")[0]
		b.wait(day)
		b.warn(nil)
		require.EqualValues(t, "head", b.dueSoon(again)[0].Superior)
	})
	t.Run("whose superior is nobody, it is told to the owner alone", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days >= 2", Action: pool.Release})
		id := b.create(1, "head")[0]
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "alone", Role: team.Seller}))
		other := b.create(1, "alone")[0]
		b.wait(day)
		require.Equal(t, 2, b.warn(nil).Warned)
		require.Empty(t, b.dueSoon(id)[0].Superior)
		require.Empty(t, b.dueSoon(other)[0].Superior)
	})
}

func testWarnRuns(t *testing.T, open Open) {
	t.Run("options and rights are checked before anything is done", func(t *testing.T) {
		b := setup(t, open)
		for field, bad := range map[string]pool.WarnOptions{
			"steps":   {Steps: []time.Duration{day, day}},
			"steps ":  {Steps: []time.Duration{0}},
			"steps  ": {Steps: make([]time.Duration, 11)},
			"horizon": {Horizon: 2 * day},
			"batch":   {Batch: 10_001},
		} {
			_, err := b.Pool.Warn(t.Context(), boss, &bad)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
		}
		_, err := b.Pool.Warn(t.Context(), li, nil)
		require.ErrorIs(t, err, crm.ErrDenied)
		_, err = b.In(b.begin()).Pool.Warn(t.Context(), boss, nil)
		requireError(t, err, crm.ErrInvalid, kernel.OwnCommits, "")
	})
	t.Run("batches commit one by one; cancelled in the middle, the next run goes on", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days >= 2", Action: pool.Release})
		b.create(60, "li")
		b.create(40, "wang")
		b.wait(day)
		ctx, cancel := context.WithCancel(t.Context())
		var kept []pool.WarnReport
		report, err := b.Pool.Warn(ctx, boss, &pool.WarnOptions{Batch: 10, Progress: func(r pool.WarnReport) {
			if kept = append(kept, r); r.Warned == 30 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 30, report.Warned)
		for _, r := range kept {
			warned := 0
			for _, step := range r.ByStep {
				warned += step.Warned
			}
			require.Equal(t, r.Warned, warned, "what was told stays as it was")
		}
		b.agree()
		require.Equal(t, 70, b.warn(nil).Warned)
		require.Equal(t, 100, b.count("SELECT count(DISTINCT record_id) FROM crm_outbox WHERE type = 'customer.due_soon'"))
		b.agree()
	})
	t.Run("one bad row is reported and does not stop the rest", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days >= 2", Action: pool.Release})
		ids := b.create(20, "li")
		b.wait(day)
		b.poison(ids[7])
		report, err := b.Pool.Warn(t.Context(), boss, nil)
		require.NoError(t, err)
		require.Equal(t, 19, report.Warned)
		require.Len(t, report.Failed, 1)
		require.Equal(t, kernel.Ref{Kind: "customer", ID: int64(ids[7])}, report.Failed[0].Ref)
		require.Empty(t, b.dueSoon(ids[7]))
		b.agree()
	})
	t.Run("two runs at once, beside follow-ups and claims, tell nobody twice", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days >= 4", Action: pool.Release})
		b.rule(pool.Rule{Condition: "followup_days >= 2", Action: pool.Warn, Priority: -1})
		ids := append(b.create(60, "li"), b.create(60, "wang")...)
		b.wait(3 * day)
		var warned, told [3]int
		together(4, func(i int) {
			if i < 3 {
				report, err := b.Pool.Warn(t.Context(), boss, &pool.WarnOptions{Batch: 7})
				if err != nil && !errors.Is(err, crm.ErrRetry) {
					t.Error(err)
				}
				warned[i], told[i] = report.Warned, report.ByRule[0].Told
				return
			}
			for n := range 20 {
				id := ids[n*5]
				err := insist(func() error {
					if n%2 == 0 {
						return b.Pool.Assign(t.Context(), boss, id, "head", nil)
					}
					return b.Customers.Interactions.Add(t.Context(), boss, &customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "x", Staff: "li", Followup: true})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		require.Equal(t, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.due_soon'"), warned[0]+warned[1]+warned[2])
		require.Equal(t, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.warned'"), told[0]+told[1]+told[2])
		for warned := 1; warned > 0; {
			warned = b.warn(nil).Warned
		}
		for _, kind := range []string{"customer.due_soon", "customer.warned"} {
			require.Zero(t, b.count("SELECT count(*) FROM (SELECT record_id FROM crm_outbox WHERE type = '"+kind+"' GROUP BY record_id, data HAVING count(*) > 1) AS twice"))
		}
		b.agree()
	})
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("whatever the policy, what DueAt says within the horizon is noted, and nothing else ", seed), func(t *testing.T) {
			b := setup(t, open)
			r := rand.New(rand.NewPCG(seed, 11))
			b.policyOf(r)
			ids := b.history(r)
			horizon := 3*day + time.Duration(r.Int64N(int64(4*day)))
			for range 12 {
				b.warn(&pool.WarnOptions{Horizon: horizon, Batch: 1 + r.IntN(9)})
				want := map[customer.ID]pool.Due{}
				for id, due := range b.due(ids...) {
					if !due.At.After(b.now().Add(horizon)) {
						want[id] = due
					}
				}
				got := map[customer.ID]pool.Due{}
				for row, err := range crm.All(func(p crm.Page) (crm.List[pool.PrivateRow[customer.ID]], error) {
					p.Limit = 3
					return b.Pool.DueList(t.Context(), boss, pool.PrivateFilter{}, p)
				}) {
					require.NoError(t, err)
					got[row.ID] = *row.Due
				}
				require.Equal(t, want, got)
				require.Len(t, want, b.count("SELECT count(*) FROM crm_due WHERE due_at IS NOT NULL"))
				b.wait(time.Duration(r.Int64N(int64(2 * day))))
				for range r.IntN(4) {
					b.happen(r, ids[r.IntN(len(ids))])
				}
			}
			b.agree()
		})
	}
}
