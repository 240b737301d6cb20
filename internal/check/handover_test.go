package check

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

// hire adds a seller with customers, a task on one of them, and some that are for none.
func (h *house) hire(customers, tasks int) crm.UserID {
	h.t.Helper()
	ctx, user := context.Background(), crm.UserID(fmt.Sprint("seller ", h.count("SELECT count(*) FROM crm_members")))
	require.NoError(h.t, h.Team.Members.Add(ctx, boss, team.Member{User: user, Role: team.Seller}))
	ids := append(h.create(customers, user), make([]customer.ID, tasks)...)
	for _, id := range append(ids[:1:1], ids[customers:]...) {
		require.NoError(h.t, h.Customers.Tasks.Create(ctx, boss, &customer.Task{Subject: "x", OwnerID: user, CustomerID: id, DueAt: h.now()}))
	}
	return user
}

var handOverOfOne = undertaking{name: "HandOver", alone: true, apart: true, asks: true, prepare: func(h *house) func(context.Context, *crm.CRM, string) error {
	user := h.hire(3, 1)
	return func(ctx context.Context, c *crm.CRM, request string) error {
		_, err := c.HandOver.Run(ctx, as(boss, request), user, &crm.HandOverOptions{Successors: []crm.UserID{"wang"}, Superior: "head"})
		return err
	}
}}

// leaveChild hands over what the member called Tag has, and tells after every batch.
func leaveChild(o order, out *told) error {
	db, err := o.Place.open()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := crm.New(context.Background(), o.Place.store(db), &crm.Options{Clock: o.clock})
	if err != nil {
		return err
	}
	return insist(func() error {
		_, err := c.HandOver.Run(context.Background(), boss, kernel.UserID(o.Tag), &crm.HandOverOptions{
			Successors: []crm.UserID{"li", "wang"}, Superior: "head", Batch: 7, Progress: func(crm.HandOverReport) { out.say("batch") },
		})
		return err
	})
}

// requireLeft hands over what is left, and demands that everything of the member's was moved, and once.
func requireLeft(t *testing.T, h *house, user crm.UserID, customers, tasks int) {
	t.Helper()
	of := " FROM crm_operations WHERE action = 'hand_over' AND from_owner = '" + string(user) + "'"
	if h.count("SELECT count(*)"+of) > 0 {
		require.Zero(t, h.count("SELECT count(*) FROM crm_members WHERE user_id = '"+string(user)+"' AND inactive_since IS NULL"), "the first transaction")
	}
	require.NoError(t, insist(func() error {
		_, err := h.HandOver.Run(t.Context(), boss, user, &crm.HandOverOptions{Successors: []crm.UserID{"li", "wang"}, Superior: "head"})
		return err
	}))
	require.Equal(t, []int{customers, customers}, []int{h.count("SELECT count(*)" + of), h.count("SELECT count(DISTINCT record_id)" + of)})
	require.Zero(t, h.count("SELECT count(*) FROM crm_customers WHERE owner_id = '"+string(user)+"'"))
	require.Zero(t, h.count("SELECT count(*) FROM crm_tasks WHERE owner_id = '"+string(user)+"'"))
	require.Equal(t, tasks, h.count("SELECT count(*) FROM crm_audit WHERE kind = 'task' AND type = 'task.updated' AND after LIKE '%head%' AND before LIKE '%"+string(user)+"\"%'"))
	h.agree()
}

func TestHandOversAreKilledAndGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		p := fresh(t)
		h := build(t, p)
		h.free()
		round := 0
		interruptions(t, 6, 20*time.Millisecond, func(wait time.Duration) (interrupted bool) {
			user := h.hire(60, 20)
			run := order{Role: "leave", Place: p, Tag: string(user), Offset: time.Until(noon)}
			first := spawn(t, run)
			var second *process
			if round++; round%2 == 0 { // two at once
				second = spawn(t, run)
				second.begin()
			}
			first.begin()
			if told := ""; round%3 > 0 { // else it may be killed before the member is inactive
				first.next(&told) // one batch is done
			}
			time.Sleep(wait)
			first.kill()
			interrupted = first.end() != nil
			if second != nil {
				all[string](second)
			}
			requireLeft(t, h, user, 60, 20)
			return interrupted
		})
	})
}
