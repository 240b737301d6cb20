package storagetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
)

// all lets a run release everything: the suite's tenants are small.
var all = &pool.RecycleOptions{MaxShare: 100}

// rule switches a rule on in the default pool, or in another.
func (b *bundle) rule(r pool.Rule) *pool.Rule {
	b.t.Helper()
	r.Enabled = true
	if r.Name == "" {
		r.Name = r.Condition
	}
	require.NoError(b.t, b.Pool.Pools.PutRule(b.t.Context(), boss, &r))
	return &r
}

func (b *bundle) followup(by crm.Actor, id customer.ID) {
	b.t.Helper()
	require.NoError(b.t, b.Customers.Interactions.Add(b.t.Context(), by,
		&customer.Interaction{CustomerID: id, Type: customer.Call, Subject: "hello", Followup: true}))
}

func (b *bundle) recycle() pool.Report {
	b.t.Helper()
	report, err := b.Pool.Recycle(b.t.Context(), boss, all)
	require.NoError(b.t, err)
	return report
}

func testRecycle(t *testing.T, open Open) {
	t.Run("no rule takes anything until somebody switches the defaults on", func(t *testing.T) {
		b := setup(t, open)
		b.create(3, "li")
		b.wait(400 * day)
		require.Zero(t, b.recycle().Released)
		require.NoError(t, b.Pool.UseDefaults(t.Context(), admin, 0))
		report := b.recycle()
		require.Equal(t, []int{3, 3}, []int{report.Due, report.Released})
		b.agree()
	})
	t.Run("no follow-up: from the last one, or from the first day, after more than the days, once", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Pool.UseDefaults(t.Context(), boss, 0))
		ids := append(b.create(2, "li"), b.create(1, "wang")...)
		b.wait(2 * day)
		b.followup(li, ids[0])
		b.wait(day) // the others are at exactly three days
		require.Zero(t, b.recycle().Released)
		b.wait(time.Microsecond)
		fresh := b.create(1, "li")[0]
		report := b.recycle()
		require.Equal(t, 2, report.Released)
		require.Equal(t, "no follow-up for 3 days", report.ByRule[0].Name)
		require.Equal(t, 2, report.ByRule[0].Released)
		require.Equal(t, []kernel.UserID{"li", "", "", "li"}, []kernel.UserID{b.owner(ids[0]), b.owner(ids[1]), b.owner(ids[2]), b.owner(fresh)})
		require.Zero(t, b.recycle().Released)
		log, err := b.Pool.Log(t.Context(), boss, customer.OperationFilter{Record: int64(ids[2])}, crm.Page{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, []any{customer.Recycled, kernel.UserID("wang"), "no follow-up for 3 days: followup_days > 3", report.ByRule[0].Rule, "set-up"},
			[]any{log.Items[0].Action, log.Items[0].From, log.Items[0].Rule, pool.RuleID(log.Items[0].RuleID), log.Items[0].Reason})
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[2]), pool.Protected)
		b.agree()
	})
	t.Run("no deal: from the first follow-up, unless an order came since", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "deal_days > 90", Action: pool.Release})
		ids := b.create(4, "li") // never followed up; nothing; an order; an order before the first follow-up
		deal := func(id customer.ID) {
			_, err := b.Customers.RecordDeal(t.Context(), li, customer.Deal{CustomerID: id, Number: decimal.NewFromInt(int64(id)).String(), At: b.now(), Amount: decimal.NewFromInt(1)})
			require.NoError(t, err)
		}
		deal(ids[3])
		b.wait(day)
		for _, id := range ids[1:] {
			b.followup(li, id)
		}
		deal(ids[2])
		b.wait(60 * day)
		b.followup(li, ids[1])
		b.wait(30 * day)
		require.Zero(t, b.recycle().Released, "at exactly ninety days")
		b.wait(time.Microsecond)
		require.Equal(t, 2, b.recycle().Released)
		for i, want := range []kernel.UserID{"li", "", "li", ""} {
			require.Equal(t, want, b.owner(ids[i]), i)
		}
		b.agree()
	})
	t.Run("of the rules that match, the highest priority acts; of equals, the older", func(t *testing.T) {
		b := setup(t, open)
		keep := b.rule(pool.Rule{Name: "keep A", Condition: `level == "A"`, Action: pool.Keep, Priority: 10})
		first := b.rule(pool.Rule{Name: "first", Condition: "owned_days > 1", Action: pool.Release, Priority: 5})
		b.wait(time.Second)
		b.rule(pool.Rule{Name: "second", Condition: "owned_days > 1", Action: pool.Release, Priority: 5})
		b.rule(pool.Rule{Name: "warn", Condition: `level == "B"`, Action: pool.Warn, Priority: 6})
		ids := b.create(3, "li")
		for i, level := range []customer.Level{"A", "B", "C"} {
			c := b.get(ids[i])
			c.Level = level
			require.NoError(t, b.Customers.Update(t.Context(), li, c))
		}
		b.wait(2 * day)
		report := b.recycle()
		require.Equal(t, 1, report.Released)
		require.Equal(t, first.ID, report.ByRule[0].Rule)
		require.Equal(t, 1, report.ByRule[0].Released)
		require.Empty(t, b.owner(ids[2]))
		require.NoError(t, b.Pool.Pools.DeleteRule(t.Context(), boss, keep.ID))
		require.Equal(t, 1, b.recycle().Released)
		require.Empty(t, b.owner(ids[0]))
		b.agree()
	})
	t.Run("an unset fact matches nothing, not even under not", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: `not (level == "A")`, Action: pool.Release})
		ids := b.create(2, "li")
		c := b.get(ids[0])
		c.Level = "B"
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		require.Equal(t, 1, b.recycle().Released)
		require.EqualValues(t, "li", b.owner(ids[1]))
	})
	t.Run("a run acts on the rules it is given; which wins is decided among all", func(t *testing.T) {
		b := setup(t, open)
		slow := b.rule(pool.Rule{Name: "slow", Condition: "owned_days > 10", Action: pool.Release, Priority: 1})
		fast := b.rule(pool.Rule{Name: "fast", Condition: `owned_days > 1 and level == "C"`, Action: pool.Release, Priority: 2})
		ids := b.create(2, "li")
		c := b.get(ids[0])
		c.Level = "C"
		require.NoError(t, b.Customers.Update(t.Context(), li, c))
		b.wait(11 * day)
		report, err := b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100, Rules: []pool.RuleID{slow.ID}})
		require.NoError(t, err)
		require.Equal(t, 1, report.Released)
		require.Equal(t, []kernel.UserID{"li", ""}, []kernel.UserID{b.owner(ids[0]), b.owner(ids[1])})
		report, err = b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100, Rules: []pool.RuleID{fast.ID}})
		require.NoError(t, err)
		require.Equal(t, 1, report.Released)
	})
	t.Run("only the home pool's rules act, and only on its active members: a pool without members recycles nobody", func(t *testing.T) {
		b := setup(t, open)
		id := b.pool("own", 9, pool.Member{User: "li"}, pool.Member{User: "wang"})
		b.rule(pool.Rule{PoolID: id, Condition: "owned_days > 1", Action: pool.Release})
		lis, wangs, admins := b.create(1, "li")[0], b.create(1, "wang")[0], b.create(1, "admin")[0]
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "head", PoolID: id}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, c))
		b.wait(2 * day)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, id, nil))
		require.Zero(t, b.recycle().Released)
		require.NoError(t, b.Pool.Pools.SetMembers(t.Context(), boss, id, []pool.Member{{User: "li"}, {User: "wang"}}))
		require.Equal(t, 1, b.recycle().Released)
		require.Equal(t, []kernel.UserID{"", "wang", "admin", "head"}, []kernel.UserID{b.owner(lis), b.owner(wangs), b.owner(admins), b.owner(c.ID)})
		b.agree()
	})
	t.Run("a run that would release more than its share is refused before it begins", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: `level == "D"`, Action: pool.Release})
		ids := b.create(10, "li")
		grade := func(n int) {
			for _, id := range ids[:n] {
				c := b.get(id)
				c.Level = "D"
				require.NoError(t, b.Customers.Update(t.Context(), li, c))
			}
		}
		grade(3)
		report, err := b.Pool.Recycle(t.Context(), boss, nil)
		requireError(t, err, crm.ErrRefused, pool.TooManyDue, "max_share")
		require.Equal(t, []int{3, 0}, []int{report.Due, report.Released})
		require.Zero(t, b.operations(customer.Recycled))
		_, err = b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 30})
		require.NoError(t, err)
		ids = ids[3:]
		grade(1)
		_, err = b.Pool.Recycle(t.Context(), boss, nil)
		require.NoError(t, err, "one of seven")
		for _, bad := range []pool.RecycleOptions{{MaxShare: -1}, {MaxShare: 101}, {Batch: -1}, {Batch: 10_001}, {Pools: []pool.ID{1 << 40}}} {
			_, err = b.Pool.Recycle(t.Context(), boss, &bad)
			require.ErrorIs(t, err, crm.ErrInvalid)
		}
		_, err = b.Pool.Recycle(t.Context(), li, nil)
		require.ErrorIs(t, err, crm.ErrDenied)
	})
	t.Run("batches commit one by one; cancelled in the middle, the next run goes on", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days > 1", Action: pool.Release})
		b.create(50, "li")
		b.create(50, "wang")
		b.wait(2 * day)
		ctx, cancel := context.WithCancel(t.Context())
		var kept []pool.Report
		report, err := b.Pool.Recycle(ctx, boss, &pool.RecycleOptions{MaxShare: 100, Batch: 10, Progress: func(r pool.Report) {
			if kept = append(kept, r); r.Released == 30 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []int{100, 30, 3}, []int{report.Due, report.Released, len(kept)})
		for i, r := range kept {
			released := 0
			for _, rule := range r.ByRule {
				released += rule.Released
			}
			require.Equal(t, 10*(i+1), released, "what was told stays as it was")
		}
		b.agree()
		require.Equal(t, 70, b.recycle().Released)
		require.Equal(t, 100, b.operations(customer.Recycled))
		b.agree()
	})
	t.Run("one bad row is reported and does not stop the rest", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "owned_days > 1", Action: pool.Release})
		ids := b.create(20, "li")
		b.wait(2 * day)
		b.poison(ids[7])
		report := b.recycle()
		require.Equal(t, 19, report.Released)
		require.Len(t, report.Failed, 1)
		require.Equal(t, kernel.Ref{Kind: "customer", ID: int64(ids[7])}, report.Failed[0].Ref)
		require.NotEmpty(t, report.Failed[0].Err)
		require.EqualValues(t, "li", b.owner(ids[7]))
		b.agree()
	})
	t.Run("followed up while the run goes: judged as it is then", func(t *testing.T) {
		b := setup(t, open)
		b.rule(pool.Rule{Condition: "followup_days > 1", Action: pool.Release})
		ids := b.create(20, "li")
		b.wait(2 * day)
		saved := false
		report, err := b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100, Batch: 5, Progress: func(pool.Report) {
			if !saved {
				saved = true
				b.followup(li, ids[19])
			}
		}})
		require.NoError(t, err)
		require.Equal(t, []int{19, 1}, []int{report.Released, report.Left})
		require.EqualValues(t, "li", b.owner(ids[19]))
		b.agree()
	})
	t.Run("two runs at once, beside claims and follow-ups: nobody is released twice", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota = 1000 })
		b.rule(pool.Rule{Condition: "followup_days > 1", Action: pool.Release})
		ids := append(b.create(100, "li"), b.create(100, "wang")...)
		b.wait(2 * day)
		var released [4]int
		together(4, func(i int) {
			if i < 2 {
				report, err := b.Pool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100, Batch: 7})
				if err != nil && !errors.Is(err, crm.ErrRetry) {
					t.Error(err)
				}
				released[i] = report.Released
				return
			}
			for n := range 20 {
				id := ids[(n*9+i)%200]
				if err := insist(func() error { return b.Pool.Claim(t.Context(), head, id) }); err != nil && !errors.Is(err, crm.ErrRefused) {
					t.Error(err)
				}
			}
		})
		require.Equal(t, b.operations(customer.Recycled), released[0]+released[1])
		b.agree()
	})
}

// poison makes every change of a customer's row fail in the database.
func (b *bundle) poison(id customer.ID) {
	b.t.Helper()
	number := decimal.NewFromInt(int64(id)).String()
	if _, err := b.db.ExecContext(b.t.Context(), `CREATE TRIGGER poison BEFORE UPDATE ON crm_customers WHEN NEW.id = `+number+` BEGIN SELECT RAISE(ABORT, 'poison'); END`); err == nil {
		return
	}
	for _, text := range []string{
		`CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$`,
		`CREATE TRIGGER poison BEFORE UPDATE ON crm_customers FOR EACH ROW WHEN (NEW.id = ` + number + `) EXECUTE FUNCTION poison()`,
	} {
		_, err := b.db.ExecContext(b.t.Context(), text)
		require.NoError(b.t, err)
	}
}
