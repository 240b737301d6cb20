package storagetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// task makes a task that is due tomorrow.
func (b *bundle) task(by crm.Actor, owner crm.UserID, of customer.ID) *customer.Task {
	b.t.Helper()
	x := &customer.Task{Subject: "send the offer", OwnerID: owner, CustomerID: of, DueAt: b.now().Add(day)}
	require.NoError(b.t, b.Customers.Tasks.Create(b.t.Context(), by, x))
	return x
}

func (b *bundle) taskNow(id customer.TaskID) *customer.Task {
	b.t.Helper()
	x, err := b.Customers.Tasks.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return x
}

// tasksAgree demands that a task's events are its versions, and that nobody who is inactive has an open counter.
func (b *bundle) tasksAgree() {
	b.t.Helper()
	for query, why := range map[string]string{
		`SELECT count(*) FROM crm_tasks j WHERE j.version <> (SELECT count(*) FROM crm_outbox e WHERE e.tenant_id = j.tenant_id
			AND e.subject_kind = 'task' AND e.subject_id = j.id AND e.seq <= j.version)`: "events of a task are missing or too many",
		`SELECT count(*) FROM crm_members m WHERE m.inactive_since IS NOT NULL AND NOT EXISTS (SELECT 1 FROM crm_counters k
			WHERE k.tenant_id = m.tenant_id AND k.user_id = m.user_id AND k.kind = 'customer' AND k.closed)`: "the counter of an inactive member is open",
		`SELECT count(*) FROM crm_members m JOIN crm_counters k ON k.tenant_id = m.tenant_id AND k.user_id = m.user_id
			WHERE m.inactive_since IS NULL AND k.closed`: "the counter of an active member is closed",
	} {
		require.Zero(b.t, b.count(query), why)
	}
	b.agree()
}

func (b *bundle) subjects(by crm.Actor, f customer.TaskFilter, limit int) (names []string) {
	b.t.Helper()
	for p := (crm.Page{Limit: limit}); ; {
		l, err := b.Customers.Tasks.List(b.t.Context(), by, f, p)
		require.NoError(b.t, err)
		for _, x := range l.Items {
			names = append(names, x.Subject)
		}
		if p.After = l.Next; l.Next == "" {
			return names
		}
	}
}

func testTasks(t *testing.T, open Open) {
	t.Run("a task is made, edited, and done: versions, audit and events tell each step", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		by := li
		by.Request = "t1"
		x := &customer.Task{Subject: "call", Note: "ask for\nMr. Wu", CustomerID: id, DueAt: start.Add(time.Hour + time.Nanosecond)}
		again := *x
		require.NoError(t, b.Customers.Tasks.Create(t.Context(), by, x))
		require.NoError(t, b.Customers.Tasks.Create(t.Context(), by, &again), "the same request again changes nothing")
		require.Equal(t, x, &again)
		require.Equal(t, &customer.Task{
			ID: x.ID, Subject: "call", Note: "ask for\nMr. Wu", OwnerID: "li", CustomerID: id, DueAt: start.Add(time.Hour), State: customer.TaskOpen,
			Version: 1, CreatedAt: start, CreatedBy: "li", UpdatedAt: start, UpdatedBy: "li",
		}, b.taskNow(x.ID))
		b.wait(time.Minute)
		stale := *x
		x.Subject, x.OwnerID, x.DueAt = "visit", "li", start.Add(2*time.Hour)
		require.NoError(t, b.Customers.Tasks.Update(t.Context(), head, x))
		require.Equal(t, []any{int64(2), kernel.UserID("head"), "visit"}, []any{x.Version, x.UpdatedBy, b.taskNow(x.ID).Subject})
		requireError(t, b.Customers.Tasks.Update(t.Context(), li, &stale), crm.ErrConflict, kernel.Stale, "version")
		require.NoError(t, b.Customers.Tasks.Done(t.Context(), li, x.ID))
		require.NoError(t, b.Customers.Tasks.Done(t.Context(), li, x.ID), "done already")
		done := b.taskNow(x.ID)
		require.Equal(t, []any{customer.TaskDone, b.now().UTC(), kernel.UserID("li"), int64(3)}, []any{done.State, done.ClosedAt, done.ClosedBy, done.Version})
		requireError(t, b.Customers.Tasks.Cancel(t.Context(), li, x.ID, "x"), crm.ErrRefused, customer.TaskClosed, "state")
		requireError(t, b.Customers.Tasks.Update(t.Context(), li, done), crm.ErrRefused, customer.TaskClosed, "state")
		require.Equal(t, []string{"task.created", "task.updated", "task.done"}, b.types(x.Ref()))
		y := b.task(li, "", 0)
		require.NoError(t, b.Customers.Tasks.Cancel(t.Context(), li, y.ID, "not needed"))
		require.Equal(t, "not needed", b.taskNow(y.ID).Reason)
		requireError(t, b.Customers.Tasks.Done(t.Context(), li, y.ID), crm.ErrRefused, customer.TaskClosed, "state")
		b.tasksAgree()
	})
	t.Run("input that can never be written is refused with its field", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "gone", Role: team.Seller, Department: b.sales}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "gone"))
		for field, change := range map[string]func(*customer.Task){
			"subject":     func(x *customer.Task) { x.Subject = "" },
			"note":        func(x *customer.Task) { x.Note = strings.Repeat("长", 10_001) },
			"owner_id":    func(x *customer.Task) { x.OwnerID = " li" },
			"due_at":      func(x *customer.Task) { x.DueAt = time.Time{} },
			"customer_id": func(x *customer.Task) { x.CustomerID = -1 },
		} {
			x := &customer.Task{Subject: "x", CustomerID: id, DueAt: start}
			change(x)
			err := b.Customers.Tasks.Create(t.Context(), li, x)
			var e *crm.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, []any{crm.ErrInvalid, field}, []any{e.Code, e.Field})
		}
		for _, owner := range []crm.UserID{"nobody", "gone", "wang"} { // wang is outside li's scope
			requireError(t, b.Customers.Tasks.Create(t.Context(), li, &customer.Task{Subject: "x", OwnerID: owner, DueAt: start}), crm.ErrInvalid, kernel.Unknown, "owner_id")
		}
		for _, owner := range []crm.UserID{"nobody", "gone"} {
			requireError(t, b.Customers.Tasks.Create(t.Context(), boss, &customer.Task{Subject: "x", OwnerID: owner, DueAt: start}), crm.ErrInvalid, kernel.Unknown, "owner_id")
		}
		requireError(t, b.Customers.Tasks.Create(t.Context(), boss, &customer.Task{Subject: "x", DueAt: start}), crm.ErrInvalid, kernel.Unknown, "owner_id")
		requireError(t, b.Customers.Tasks.Create(t.Context(), li, nil), crm.ErrInvalid, kernel.Empty, "task")
		x := b.task(li, "", id)
		x.CustomerID = 0
		requireError(t, b.Customers.Tasks.Update(t.Context(), li, x), crm.ErrInvalid, kernel.ReadOnly, "customer_id")
		x.CustomerID, x.OwnerID = id, "gone"
		requireError(t, b.Customers.Tasks.Update(t.Context(), head, x), crm.ErrInvalid, kernel.Unknown, "owner_id")
		_, err := b.Customers.Tasks.List(t.Context(), li, customer.TaskFilter{States: []customer.TaskState{"x"}}, crm.Page{})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "states")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_tasks"))
	})
	t.Run("one's own, those of subordinates, and those on customers that one may see; nothing else is found", func(t *testing.T) {
		b := setup(t, open)
		mine, theirs := b.create(1, "li")[0], b.create(1, "wang")[0]
		own, onMine, foreign := b.task(boss, "li", theirs), b.task(boss, "wang", mine), b.task(boss, "wang", theirs)
		free := b.task(boss, "wang", 0)
		for _, c := range []struct {
			by    crm.Actor
			sees  []*customer.Task
			hides []*customer.Task
		}{
			{li, []*customer.Task{own, onMine}, []*customer.Task{foreign, free}},
			{wang, []*customer.Task{own, onMine, foreign, free}, nil}, // own: it is on wang's customer
			{head, []*customer.Task{own, onMine, foreign, free}, nil},
			{otherBoss, nil, []*customer.Task{own, onMine, foreign, free}},
		} {
			var ids []customer.TaskID
			l, err := b.Customers.Tasks.List(t.Context(), c.by, customer.TaskFilter{}, crm.Page{})
			require.NoError(t, err)
			for _, x := range l.Items {
				ids = append(ids, x.ID)
			}
			require.Len(t, ids, len(c.sees), c.by.User)
			for _, x := range c.sees {
				require.Contains(t, ids, x.ID)
				_, err := b.Customers.Tasks.Get(t.Context(), c.by, x.ID)
				require.NoError(t, err)
			}
			for _, x := range c.hides {
				_, err := b.Customers.Tasks.Get(t.Context(), c.by, x.ID)
				require.ErrorIs(t, err, crm.ErrNotFound)
				require.ErrorIs(t, b.Customers.Tasks.Done(t.Context(), c.by, x.ID), crm.ErrNotFound)
				require.ErrorIs(t, b.Customers.Tasks.Update(t.Context(), c.by, x), crm.ErrNotFound)
			}
		}
		require.ErrorIs(t, b.Customers.Tasks.Create(t.Context(), li, &customer.Task{Subject: "x", CustomerID: theirs, DueAt: start}), crm.ErrNotFound)
		require.Empty(t, b.subjects(li, customer.TaskFilter{Owners: []crm.UserID{"wang"}, Customer: theirs}, 10))
		require.ErrorIs(t, b.Customers.Tasks.Create(t.Context(), crm.Actor{Tenant: "acme", User: "x"}, &customer.Task{Subject: "x", DueAt: start}), crm.ErrDenied)
	})
	t.Run("lists go by due instant and page by page, whatever many share one; filters are both ends", func(t *testing.T) {
		b := setup(t, open)
		id := b.create(1, "li")[0]
		for i, hours := range []int{3, 1, 2, 2, 2, -5} {
			x := &customer.Task{Subject: string(rune('a' + i)), OwnerID: "li", DueAt: start.Add(time.Duration(hours) * time.Hour)}
			if i == 0 {
				x.CustomerID = id
			}
			require.NoError(t, b.Customers.Tasks.Create(t.Context(), li, x))
		}
		b.task(boss, "wang", 0)
		mine := customer.TaskFilter{Owners: []crm.UserID{"li"}, States: []customer.TaskState{customer.TaskOpen}}
		for limit := range 6 {
			require.Equal(t, []string{"f", "b", "c", "d", "e", "a"}, b.subjects(li, mine, limit+1))
		}
		due := mine
		due.DueFrom, due.DueTo = start.Add(time.Hour), start.Add(2*time.Hour)
		require.Equal(t, []string{"b"}, b.subjects(li, due, 10))
		due.DueTo = due.DueTo.Add(time.Microsecond)
		require.Equal(t, []string{"b", "c", "d", "e"}, b.subjects(li, due, 10))
		require.Equal(t, []string{"a"}, b.subjects(head, customer.TaskFilter{Customer: id}, 10))
		require.Empty(t, b.subjects(head, customer.TaskFilter{States: []customer.TaskState{customer.TaskDone}}, 10))
		_, err := b.Customers.Tasks.List(t.Context(), li, mine, crm.Page{After: "x"})
		requireError(t, err, crm.ErrInvalid, kernel.Malformed, "after")
	})
	t.Run("a deleted customer hides its tasks; restored to its owner it brings them back, to the pool it cancels the owner's", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		stays, goes, others := b.task(li, "", ids[0]), b.task(li, "", ids[1]), b.task(boss, "wang", ids[1])
		for _, id := range ids {
			require.NoError(t, b.Customers.Delete(t.Context(), boss, id, b.get(id).Version))
		}
		_, err := b.Customers.Tasks.Get(t.Context(), li, stays.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.Empty(t, b.subjects(boss, customer.TaskFilter{}, 10))
		require.Empty(t, b.subjects(li, customer.TaskFilter{Owners: []crm.UserID{"li"}}, 10))
		_, err = b.Customers.Restore(t.Context(), boss, ids[0])
		require.NoError(t, err)
		require.Equal(t, customer.TaskOpen, b.taskNow(stays.ID).State)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		_, err = b.Customers.Restore(t.Context(), boss, ids[1])
		require.NoError(t, err)
		require.Empty(t, b.owner(ids[1]))
		require.Equal(t, []any{customer.TaskCancelled, "restore"}, []any{b.taskNow(goes.ID).State, b.taskNow(goes.ID).Reason})
		require.Equal(t, customer.TaskOpen, b.taskNow(others.ID).State)
		b.tasksAgree()
	})
	testTasksFollow(t, open)
}

// releases is every way in which customers of li's are put back.
func releases() map[customer.Action]func(b *bundle, ids ...customer.ID) error {
	return map[customer.Action]func(b *bundle, ids ...customer.ID) error{
		customer.Released: func(b *bundle, ids ...customer.ID) error {
			return errors.Join(b.Pool.Release(b.t.Context(), li, ids[0], nil), b.Pool.Release(b.t.Context(), li, ids[1], nil))
		},
		customer.TakenOff: func(b *bundle, ids ...customer.ID) error {
			_, err := b.Pool.ReleaseMany(b.t.Context(), head, ids, pool.AllOrNothing, nil)
			return err
		},
		customer.Recycled: func(b *bundle, _ ...customer.ID) error {
			b.rule(pool.Rule{Condition: "owned_days > 1", Action: pool.Release})
			b.wait(2 * day)
			b.recycle()
			return nil
		},
		customer.Resigned: func(b *bundle, _ ...customer.ID) error {
			_, err := b.HandOver.Run(b.t.Context(), boss, "li", nil)
			return err
		},
	}
}

func testTasksFollow(t *testing.T, open Open) {
	for action, put := range releases() {
		t.Run("what the old owner has open on a customer is cancelled with: "+string(action), func(t *testing.T) {
			b := setup(t, open)
			ids := append(b.create(2, "li"), b.create(1, "wang")...)
			var goes, stays []*customer.Task
			goes = append(goes, b.task(li, "", ids[0]), b.task(li, "", ids[0]), b.task(li, "", ids[1]))
			done := b.task(li, "", ids[0])
			require.NoError(t, b.Customers.Tasks.Done(t.Context(), li, done.ID))
			stays = append(stays, b.task(boss, "wang", ids[0]), b.task(boss, "li", ids[2]), b.task(li, "", 0))
			require.NoError(t, put(b, ids[:2]...))
			require.Equal(t, 2, b.count("SELECT count(*) FROM crm_operations WHERE from_owner = 'li' AND action = '"+string(action)+"'"))
			for _, x := range goes {
				is := b.taskNow(x.ID)
				require.Equal(t, []any{customer.TaskCancelled, string(action), b.now().UTC(), b.last(ids[0]).Actor, int64(2)},
					[]any{is.State, is.Reason, is.ClosedAt, is.ClosedBy, is.Version})
				require.Equal(t, []string{"task.created", "task.cancelled"}, b.types(x.Ref()))
				last := b.audit(team.TrailFilter{Subject: x.Ref()})[0]
				require.JSONEq(t, `{"state":"open"}`, string(last.Before))
				require.Contains(t, string(last.After), `"state":"cancelled"`)
			}
			require.Equal(t, customer.TaskDone, b.taskNow(done.ID).State)
			for _, x := range stays {
				require.Equal(t, customer.TaskOpen, b.taskNow(x.ID).State)
			}
			b.tasksAgree()
		})
	}
	t.Run("with a transfer they go to the new owner; an assignment out of the pool moves none", func(t *testing.T) {
		b := setup(t, open)
		ids := append(b.create(1, "li"), b.create(1, "")...)
		goes, stays, lying := b.task(li, "", ids[0]), b.task(boss, "head", ids[0]), b.task(boss, "li", ids[1])
		_, err := b.Pool.AssignMany(t.Context(), boss, ids, "wang", pool.AllOrNothing, nil)
		require.NoError(t, err)
		is := b.taskNow(goes.ID)
		require.Equal(t, []any{kernel.UserID("wang"), customer.TaskOpen, int64(2)}, []any{is.OwnerID, is.State, is.Version})
		last := b.audit(team.TrailFilter{Subject: goes.Ref()})[0]
		require.JSONEq(t, `{"owner_id":"li"}`, string(last.Before))
		require.JSONEq(t, `{"owner_id":"wang"}`, string(last.After))
		require.Equal(t, []kernel.UserID{"head", "li"}, []kernel.UserID{b.taskNow(stays.ID).OwnerID, b.taskNow(lying.ID).OwnerID})
		b.tasksAgree()
	})
	t.Run("a refused release leaves them, and a host's rollback takes it back with the release", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		x := b.task(li, "", ids[0])
		_, err := b.Pool.ReleaseMany(t.Context(), li, []customer.ID{ids[0], ids[1] + 1_000}, pool.AllOrNothing, nil)
		require.ErrorIs(t, err, crm.ErrNotFound)
		tx := b.begin()
		require.NoError(t, b.In(tx).Pool.Release(t.Context(), li, ids[0], nil))
		require.NoError(t, tx.Rollback())
		require.Equal(t, customer.TaskOpen, b.taskNow(x.ID).State)
		b.tasksAgree()
	})
	t.Run("tasks made, done and released at once: none of the old owner's is left open on what it has lost", func(t *testing.T) {
		b := setup(t, open)
		b.settings(func(p *pool.Pool) { p.Protection, p.CoolDown = 0, 0 })
		ids := b.create(4, "li")
		together(8, func(i int) {
			id := ids[i%4]
			for n := range 6 {
				err := insist(func() error {
					switch {
					case i >= 4 && n%2 == 0:
						return b.Pool.Release(t.Context(), head, id, nil)
					case i >= 4:
						return b.Pool.Assign(t.Context(), head, id, []kernel.UserID{"li", "wang"}[n/2%2], nil)
					}
					x := &customer.Task{Subject: "x", CustomerID: id, OwnerID: "li", DueAt: b.now()}
					if err := b.Customers.Tasks.Create(t.Context(), li, x); err != nil || n%3 > 0 {
						return err
					}
					return b.Customers.Tasks.Done(t.Context(), li, x.ID)
				})
				// li loses sight of customers, and tasks are cancelled under its hand.
				if err != nil && !errors.Is(err, crm.ErrRefused) && !errors.Is(err, crm.ErrNotFound) {
					t.Error(err)
				}
			}
		})
		for _, id := range ids {
			if b.owner(id) != "" {
				require.NoError(t, b.Pool.Release(t.Context(), boss, id, nil))
			}
		}
		// A task is made and a customer released under the customer's lock, so the trail has their order.
		require.Zero(t, b.count(`SELECT count(*) FROM crm_tasks j JOIN crm_audit c ON c.tenant_id = j.tenant_id AND c.kind = 'task'
				AND c.record_id = j.id AND c.type = 'task.created'
			WHERE j.state = 'open' AND j.owner_id = 'li' AND EXISTS (SELECT 1 FROM crm_audit r WHERE r.tenant_id = j.tenant_id AND r.kind = 'customer'
				AND r.record_id = j.customer_id AND r.type = 'customer.removed' AND r.before LIKE '%"li"%' AND r.id > c.id)`))
		b.tasksAgree()
	})
}
