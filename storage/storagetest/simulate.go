package storagetest

import (
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
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team/calendar"
)

func (b *bundle) simulate(rules []pool.Rule, o pool.SimulateOptions) pool.Simulation[customer.ID] {
	b.t.Helper()
	s, err := b.Pool.Simulate(b.t.Context(), boss, rules, &o)
	require.NoError(b.t, err)
	return s
}

func (b *bundle) deal(id customer.ID, yuan int64) {
	b.t.Helper()
	_, err := b.Customers.RecordDeal(b.t.Context(), boss, customer.Deal{
		CustomerID: id, Number: fmt.Sprint(id, "-", b.micros.Load(), "-", yuan), At: b.now(), Amount: decimal.NewFromInt(yuan),
	})
	require.NoError(b.t, err)
}

// live does one random thing to one of the customers: whatever moves a fact, a clock or an owner.
func (b *bundle) live(r *rand.Rand, ids []customer.ID) {
	b.t.Helper()
	ctx := b.t.Context()
	id := ids[r.IntN(len(ids))]
	c, err := b.Customers.Get(ctx, boss, id)
	if errors.Is(err, crm.ErrNotFound) { // it is deleted
		_, err = b.Customers.Restore(ctx, boss, id)
		require.NoError(b.t, err)
		return
	}
	require.NoError(b.t, err)
	by := []crm.Actor{li, wang}[r.IntN(2)]
	own := crm.Actor{Tenant: "acme", User: c.OwnerID}
	switch n := r.IntN(22); {
	case n < 6 && c.OwnerID == "":
		_ = b.Pool.Claim(ctx, by, id) // it may be protected
	case n < 5:
		ago := []time.Duration{0, 0, time.Hour, day}[r.IntN(4)]
		err = b.Customers.Interactions.Add(ctx, boss, &customer.Interaction{
			CustomerID: id, Type: customer.Call, Subject: "x", Staff: "li", Followup: r.IntN(4) > 0, At: b.now().Add(-ago),
		})
	case n < 7:
		b.deal(id, 1+r.Int64N(400))
	case n < 9:
		c.Level = []customer.Level{"", "A", "B", "C"}[r.IntN(4)]
		c.AnnualPotential = decimal.NewNullDecimal(decimal.NewFromInt(r.Int64N(3)))
		err = b.Customers.Update(ctx, boss, c)
	case n < 10:
		err = b.Customers.Delete(ctx, boss, id, c.Version)
	case n < 11:
		err = b.Customers.SetStage(ctx, boss, id, customer.Lost, "price")
	case n < 12:
		err = b.Customers.SetStage(ctx, boss, id, customer.Potential, "")
	case n < 14 && c.OwnerID != "":
		_ = b.Pool.Lock(ctx, own, id, b.now().Add(time.Duration(1+r.Int64N(int64(4*day)))), "x")
	case n < 15 && c.OwnerID != "":
		_ = b.Pool.Unlock(ctx, own, id)
	case n < 16 && c.OwnerID != "":
		err = b.Pool.Release(ctx, boss, id, nil)
	case n < 17 && c.OwnerID != "":
		_ = b.Pool.Assign(ctx, boss, id, by.User, nil)
	case n < 18:
		pools, lerr := b.Pool.Pools.List(ctx, boss, crm.Page{})
		require.NoError(b.t, lerr)
		_, err = b.Pool.MoveToPool(ctx, boss, []customer.ID{id}, pools.Items[r.IntN(len(pools.Items))].ID, pool.WhatCanBeHad, nil)
	case n < 20:
		cs := []*customer.Customer{{
			Name: "x", ExternalSystem: "erp", ExternalID: strconv.FormatUint(r.Uint64(), 36),
			Ownership: customer.Ownership{OwnerID: by.User, OwnedSince: b.now().Add(-2 * day), FirstFollowupAt: b.now().Add(-2 * day), LastFollowupAt: b.now().Add(-day)},
		}}
		_, err = b.Customers.Sync(ctx, boss, cs, nil)
	}
	require.NoError(b.t, err)
}

// everyone is the ids of all customers, also of those that are deleted.
func (b *bundle) everyone() (ids []customer.ID) {
	b.t.Helper()
	rows, err := b.db.QueryContext(b.t.Context(), "SELECT id FROM crm_customers ORDER BY id")
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		var id customer.ID
		require.NoError(b.t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(b.t, rows.Err())
	return ids
}

// recycledOf is what runs recorded, as the simulator tells it.
func (b *bundle) recycledOf() (all []string) {
	b.t.Helper()
	for o, err := range crm.All(func(p crm.Page) (crm.List[customer.Operation], error) {
		return b.Pool.Log(b.t.Context(), boss, customer.OperationFilter{Actions: []customer.Action{customer.Recycled}}, p)
	}) {
		require.NoError(b.t, err)
		all = append(all, fmt.Sprint(o.RecordID, " ", o.From, " ", o.PoolID, " ", o.RuleID, " ", o.At.UTC()))
	}
	return all
}

// zone is that of the tenants, which has no summer time.
var zone = time.FixedZone("CST", 8*60*60)

func simulatedOf(s pool.Simulation[customer.ID]) (all []string) {
	for _, x := range s.Examples {
		all = append(all, fmt.Sprint(x.ID, " ", x.Owner, " ", x.Pool, " ", x.Rule, " ", x.At.UTC()))
	}
	return all
}

// twoPools is a random policy over two pools.
func (b *bundle) twoPools(r *rand.Rand) {
	b.t.Helper()
	second := &pool.Pool{Name: "second", Public: true, Priority: -1, Settings: pool.DefaultSettings()}
	require.NoError(b.t, b.Pool.Pools.Create(b.t.Context(), boss, second))
	b.policyOf(r)
	b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = time.Hour, time.Hour })
	b.rule(pool.Rule{Name: "spenders", Condition: "spend > 300 or potential == 2", Action: pool.Keep, Priority: 9})
	for i, text := range []string{"owned_days > 4 and spend < 100", `followup_days >= 2.5 and stage != "won"`, `stage == "lost" and level == "A"`} {
		b.rule(pool.Rule{PoolID: second.ID, Name: strconv.Itoa(i), Condition: text, Action: pool.Release})
	}
}

// relives lets customers live under rules that run at every due instant, or nightly, and demands of the simulator that it
// tells the same again.
func (b *bundle) relives(r *rand.Rand, nightly *calendar.Time) {
	b.t.Helper()
	b.policy(func(p *pool.Policy) { p.Cap, p.DailyQuota = 1_000, 1_000 })
	b.twoPools(r)
	b.create(6, "li")
	b.create(4, "")
	for i := range 150 {
		b.live(r, b.everyone())
		if i == 110 {
			require.NoError(b.t, b.Team.Members.Deactivate(b.t.Context(), boss, "wang"))
		}
		b.sleep(time.Microsecond+time.Duration(r.Int64N(int64(6*time.Hour))), nightly)
	}
	b.wait(time.Microsecond)
	want := b.recycledOf()
	s := b.simulate(nil, pool.SimulateOptions{RunsAt: nightly, Examples: 1_000, Batch: 1 + r.IntN(20)})
	require.ElementsMatch(b.t, want, simulatedOf(s))
	b.t.Logf("%d of %d ownerships were recycled", len(want), s.Ownerships)
	require.NotEmpty(b.t, want)
	require.Equal(b.t, s.Changed, s.Present)
	require.Equal(b.t, s.Both, s.Changed.Released)
	require.Zero(b.t, s.Changed.Spared)
	require.Zero(b.t, s.Changed.Later.FollowedUp+s.Changed.Later.Ordered+s.Changed.Later.Won, "nothing comes after what really happened")
	require.Equal(b.t, len(want), s.Recorded.Recycled)
	released := map[pool.ID]int{}
	for _, x := range s.Changed.ByPool {
		released[x.Pool] = x.Released
	}
	for _, x := range s.Recorded.ByPool {
		require.Equal(b.t, x.Released, released[x.Pool])
	}
	b.agree()
}

// sleep lets time pass, in which runs happen.
func (b *bundle) sleep(d time.Duration, nightly *calendar.Time) {
	b.t.Helper()
	until := b.now().Add(d)
	for {
		next := until
		if nightly != nil {
			local := b.now().In(zone)
			next = time.Date(local.Year(), local.Month(), local.Day(), int(*nightly)/60, 0, 0, 0, zone)
			for !next.After(b.now()) {
				next = next.AddDate(0, 0, 1)
			}
		} else {
			for _, due := range b.due(b.everyone()...) {
				if due.At.Before(next) {
					next = due.At
				}
			}
		}
		if !next.Before(until) {
			b.micros.Store(until.UnixMicro())
			return
		}
		b.micros.Store(max(b.micros.Load(), next.UnixMicro()))
		b.recycle()
	}
}

func testSimulate(t *testing.T, open Open) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("the rules that ran, simulated, take exactly what was taken, and when ", seed), func(t *testing.T) {
			b := setup(t, open)
			b.relives(rand.New(rand.NewPCG(seed, 11)), nil)
		})
		t.Run(fmt.Sprint("and so do nightly runs ", seed), func(t *testing.T) {
			b := setup(t, open)
			b.relives(rand.New(rand.NewPCG(seed, 12)), new(calendar.At(3, 0)))
		})
	}
	t.Run("says how many would have been released, and what became of them", testSimulateLater(open))
	t.Run("judges by the facts of the instant", testSimulateFacts(open))
	t.Run("in parts it is the same", testSimulateParts(open))
	t.Run("refuses what no rule and no window is, and says when a rule set is none", testSimulateInput(open))
	t.Run("a record with very much on record, and a batch of them", testSimulateMuch(open))
}
