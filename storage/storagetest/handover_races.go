package storagetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/pool"
)

func testHandOverRaces(t *testing.T, open Open) {
	t.Run("two at once, and superiors beside them: nobody is moved twice", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(40, "li")
		for range 10 {
			b.task(li, "", 0)
		}
		var moved atomic.Int32
		together(4, func(i int) {
			if i == 3 {
				for _, id := range ids[30:] {
					if err := insist(func() error { return b.Pool.Release(t.Context(), head, id, nil) }); err != nil && !errors.Is(err, crm.ErrRefused) {
						t.Error(err)
					}
				}
				return
			}
			report, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Successors: []crm.UserID{"wang", "head"}, Batch: 3 + i})
			if err != nil {
				t.Error(err)
				return
			}
			moved.Add(int32(report.Items[0].Found))
		})
		require.Zero(t, b.places("li"))
		require.Equal(t, int(moved.Load()), b.operations(customer.HandedOver))
		require.Equal(t, 40, b.count("SELECT count(*) FROM crm_operations WHERE from_owner = 'li'"), "each left it once")
		require.Zero(t, b.count("SELECT count(*) FROM crm_operations WHERE action = 'hand_over' AND from_owner <> 'li'"))
		require.Equal(t, 10, b.count("SELECT count(*) FROM crm_tasks WHERE owner_id = 'head' AND version = 2"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_audit WHERE type = 'member.deactivated'"))
		b.tasksAgree()
	})
	t.Run("whatever the leaver does at the same time, it has nothing when the hand-over has ended", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		b.policy(func(p *pool.Policy) { p.DailyQuota = 10_000 })
		b.create(10, "li")
		free := b.create(40, "")
		var over atomic.Bool
		work := []func(n int) error{
			func(n int) error { return b.Pool.Claim(t.Context(), li, free[n]) },
			func(n int) error {
				_, err := b.Pool.ClaimMany(t.Context(), li, free[n:], pool.WhatCanBeHad)
				return err
			},
			func(n int) error { return b.Pool.Assign(t.Context(), boss, free[n], "li", nil) },
			func(int) error {
				return b.Customers.Create(t.Context(), li, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
			},
			func(int) error {
				return b.Customers.Tasks.Create(t.Context(), boss, &customer.Task{Subject: "x", OwnerID: "li", DueAt: b.now()})
			},
		}
		var wg sync.WaitGroup
		for i := range work {
			wg.Go(func() {
				for n := 0; !over.Load() || n == 0; n++ {
					err := insist(func() error { return work[i](n % len(free)) })
					switch {
					case err == nil, errors.Is(err, crm.ErrRefused), errors.Is(err, crm.ErrDenied), errors.Is(err, crm.ErrInvalid), errors.Is(err, crm.ErrNotFound),
						errors.Is(err, crm.ErrRetry):
					default:
						t.Error(err)
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		_, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Batch: 5})
		over.Store(true)
		wg.Wait()
		require.NoError(t, err)
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers WHERE owner_id = 'li'"))
		require.Zero(t, b.count("SELECT count(*) FROM crm_tasks WHERE owner_id = 'li' AND state = 'open'"))
		b.tasksAgree()
	})
	testStragglers(t, open)
}

// waiting returns when so many statements wait for a row.
func (b *bundle) waiting(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return b.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") >= n
	}, 10*time.Second, time.Millisecond)
}

// gifts are the ways in which li gets something, with the id of a customer in the pool.
func gifts() map[string]func(b *bundle, id customer.ID) error {
	return map[string]func(b *bundle, id customer.ID) error{
		"a claim": func(b *bundle, id customer.ID) error { return b.Pool.Claim(b.t.Context(), li, id) },
		"a claim with many": func(b *bundle, id customer.ID) error {
			_, err := b.Pool.ClaimMany(b.t.Context(), li, []customer.ID{id}, pool.AllOrNothing)
			return err
		},
		"an assignment": func(b *bundle, id customer.ID) error { return b.Pool.Assign(b.t.Context(), boss, id, "li", nil) },
		"an assignment by territory": func(b *bundle, id customer.ID) error {
			got, err := b.Pool.AutoAssign(b.t.Context(), boss, []customer.ID{id})
			if err == nil && len(got.Left) == 1 {
				err = got.Left[0].Why
			}
			return err
		},
		"a task": func(b *bundle, id customer.ID) error {
			return b.Customers.Tasks.Create(b.t.Context(), boss, &customer.Task{Subject: "x", OwnerID: "li", CustomerID: id, DueAt: b.now()})
		},
	}
}

// laterGifts are those and the ways that make the customer.
func laterGifts() map[string]func(b *bundle, id customer.ID) error {
	all := gifts()
	all["a creation"] = func(b *bundle, _ customer.ID) error {
		return b.Customers.Create(b.t.Context(), li, &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "li"}})
	}
	all["a creation by territory"] = func(b *bundle, _ customer.ID) error {
		c := &customer.Customer{Name: "x"}
		if err := b.Customers.Create(b.t.Context(), boss, c); err != nil || c.OwnerID != "" {
			return err
		}
		return errors.New("it stays in the pool")
	}
	all["a sync of a won customer"] = func(b *bundle, _ customer.ID) error {
		won := &customer.Customer{Name: "x", ExternalSystem: "erp", ExternalID: "1", Stage: customer.Won, Ownership: customer.Ownership{OwnerID: "li"}}
		outcomes, err := b.Customers.Sync(b.t.Context(), boss, []*customer.Customer{won}, nil)
		if err == nil && outcomes[0].Err != nil {
			err = outcomes[0].Err
		}
		return err
	}
	return all
}

// A statement on PostgreSQL goes on with what it saw when it began, however long it waits for a row meanwhile.
func testStragglers(t *testing.T, open Open) {
	for name, give := range gifts() {
		t.Run(name+" that began before and waits for the customer comes too late", func(t *testing.T) {
			b := setup(t, open)
			if !b.postgres() {
				t.Skip("one writer at a time")
			}
			id, got := b.create(1, "")[0], make(chan error, 1)
			b.territory(pool.Territory{Members: only("li")})
			tx := b.begin()
			_, err := tx.ExecContext(t.Context(), "SELECT 1 FROM crm_customers WHERE id = $1 FOR UPDATE", int64(id))
			require.NoError(t, err)
			go func() { got <- give(b, id) }()
			b.waiting(1)
			b.handOver(nil)
			require.NoError(t, tx.Rollback())
			b.requireNothing(<-got)
		})
	}
	for name, give := range laterGifts() {
		t.Run(name+" that waits for the counter behind the hand-over comes too late", func(t *testing.T) {
			b := setup(t, open)
			if !b.postgres() {
				t.Skip("one writer at a time")
			}
			id, got, over := b.create(1, "")[0], make(chan error, 1), make(chan error, 1)
			require.NoError(t, b.Customers.SetStage(t.Context(), boss, id, customer.Won, ""), "it takes no place, which there is none of")
			b.create(1, "li")
			b.territory(pool.Territory{Members: only("li")})
			assignNew(t.Context(), t, b.CRM, true)
			tx := b.begin()
			_, err := tx.ExecContext(t.Context(), "SELECT 1 FROM crm_counters WHERE user_id = 'li' FOR UPDATE")
			require.NoError(t, err)
			go func() {
				_, err := b.HandOver.Run(t.Context(), admin, "li", nil)
				over <- err
			}()
			b.waiting(1)
			go func() { got <- give(b, id) }()
			b.waiting(2)
			require.NoError(t, tx.Rollback())
			require.NoError(t, <-over)
			b.requireNothing(<-got)
		})
	}
	t.Run("a release waits for a task that is being made for its customer, and cancels it", func(t *testing.T) {
		b := setup(t, open)
		if !b.postgres() {
			t.Skip("one writer at a time")
		}
		id, got := b.create(1, "li")[0], make(chan error, 1)
		tx := b.begin()
		x := &customer.Task{Subject: "x", CustomerID: id, DueAt: b.now()}
		require.NoError(t, b.In(tx).Customers.Tasks.Create(t.Context(), li, x))
		go func() { got <- b.Pool.Release(t.Context(), head, id, nil) }()
		b.waiting(1)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-got)
		require.Equal(t, customer.TaskCancelled, b.taskNow(x.ID).State)
		b.tasksAgree()
	})
}

// requireNothing demands that a gift to li failed, and that li has nothing.
func (b *bundle) requireNothing(err error) {
	b.t.Helper()
	require.Error(b.t, err)
	require.NotErrorIs(b.t, err, crm.ErrRetry)
	require.Zero(b.t, b.count("SELECT count(*) FROM crm_customers WHERE owner_id = 'li'"))
	require.Zero(b.t, b.count("SELECT count(*) FROM crm_tasks WHERE owner_id = 'li'"))
	b.tasksAgree()
}
