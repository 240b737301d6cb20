package customer

import (
	"context"
	"slices"

	"github.com/openseas/crm/kernel"
)

// Tasks is the use cases of tasks. Reads have the scope of customer.read, writes that of interaction.write: one's own
// tasks, those of members within the scope, and those on customers within it, whoever is to do them. Anything else is not
// found.
type Tasks struct{ core kernel.Service[Tx] }

// reach is the scope of the call with the actor itself.
func reach(c *kernel.Call[Tx]) kernel.Scope {
	sc := c.Scope
	if !sc.All && !slices.Contains(sc.Owners, c.Actor.User) {
		sc.Owners = append(slices.Clone(sc.Owners), c.Actor.User)
	}
	return sc
}

// Create writes a task; id, version and times are filled in, and the actor as its owner when there is none. Its customer
// must be within the scope of interaction.write, or lie in a pool that the actor may read; its owner an active member within
// that scope, or the actor itself.
//
// Errors: invalid with the field; not found for the customer.
func (s *Tasks) Create(ctx context.Context, a kernel.Actor, t *Task) error {
	const op = "customer.Tasks.Create"
	draft, err := t.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	if draft.OwnerID == "" {
		draft.OwnerID = a.User
	}
	written, err := kernel.Do(ctx, &s.core, a, op, kernel.InteractionWrite, draft, func(ctx context.Context, c *kernel.Call[Tx]) (*Task, error) {
		if draft.CustomerID != 0 { // locked, so that a release either finds the task or takes the customer out of the scope first
			if _, err := one(c.Tx.Customers().Lock(ctx, a.Tenant, withPools(c), false, draft.CustomerID)); err != nil {
				return nil, err
			}
		}
		if err := mayHave(ctx, c, draft.OwnerID); err != nil {
			return nil, err
		}
		draft.State, draft.Version = TaskOpen, 1
		draft.CreatedAt, draft.CreatedBy, draft.UpdatedAt, draft.UpdatedBy = c.Now, a.User, c.Now, a.User
		if err := c.Tx.Tasks().Insert(ctx, a.Tenant, draft); err != nil {
			return nil, err
		}
		return draft, c.Record(ctx, kernel.Change{Subject: draft.Ref(), Seq: 1, Ref: draft.Ref(), Type: "task.created", After: draft})
	})
	if err == nil {
		*t = *written
	}
	return err
}

// mayHave refuses who is no active member that the actor may give tasks to. The member's counter is locked: whoever ends its
// membership waits for this transaction, or has closed the counter.
func mayHave(ctx context.Context, c *kernel.Call[Tx], owner kernel.UserID) error {
	unknown := kernel.Invalidf("owner_id", kernel.Unknown, "no active member that the actor may give tasks to")
	if !reach(c).Sees(owner, "", 0) {
		return unknown
	}
	homes, err := c.Tx.Customers().Homes(ctx, c.Actor.Tenant, owner)
	if _, active := homes[owner]; err != nil || !active {
		return kernel.FirstError(err, unknown)
	}
	counters, err := c.Tx.Counters(Kind).Lock(ctx, c.Actor.Tenant, owner)
	if err == nil && counters[0].Closed {
		err = unknown
	}
	return err
}

// Get returns one task.
func (s *Tasks) Get(ctx context.Context, a kernel.Actor, id TaskID) (*Task, error) {
	return kernel.Ask(ctx, &s.core, a, "customer.Tasks.Get", kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (*Task, error) {
		found, err := c.Tx.Tasks().Get(ctx, a.Tenant, reach(c), id)
		return only(veiled(c, found, taskInPool), err)
	})
}

// List returns a page of the tasks that the filter leaves, the most urgent first. What a member has to do until tonight is
// TaskFilter{Owners: []crm.UserID{li.User}, States: []customer.TaskState{customer.TaskOpen}, DueTo: tonight}.
func (s *Tasks) List(ctx context.Context, a kernel.Actor, f TaskFilter, p kernel.Page) (kernel.List[*Task], error) {
	const op = "customer.Tasks.List"
	w, err := openByTime(p, "tasks", 2)
	if err := kernel.FirstError(err, f.check()); err != nil {
		return kernel.List[*Task]{}, kernel.Wrap(op, err)
	}
	return kernel.Ask(ctx, &s.core, a, op, kernel.CustomerRead, func(ctx context.Context, c *kernel.Call[Tx]) (kernel.List[*Task], error) {
		found, err := c.Tx.Tasks().List(ctx, a.Tenant, reach(c), f, w)
		return kernel.Cut("tasks", w, veiled(c, found, taskInPool), func(t *Task) []int64 { return []int64{t.DueAt.UnixMicro(), int64(t.ID)} }), err
	})
}

// Update writes subject, note, owner and due instant of an open task that was read: its Version must be the last, else the
// error is a conflict with reason Stale and a *kernel.StaleError. A new owner must be an active member within the scope; the
// customer stays (invalid, reason ReadOnly). A task that is done or cancelled is refused (TaskClosed). On success t is as
// written.
func (s *Tasks) Update(ctx context.Context, a kernel.Actor, t *Task) error {
	const op = "customer.Tasks.Update"
	given, err := t.draft()
	if err != nil {
		return kernel.Wrap(op, err)
	}
	written, err := s.change(ctx, a, op, "task.updated", given.ID, given, func(ctx context.Context, c *kernel.Call[Tx], cur, next *Task) error {
		if given.Version != cur.Version {
			return kernel.StaleVersion(given.Version, cur.Version)
		}
		if cur.State != TaskOpen {
			return &kernel.Error{Code: kernel.ErrRefused, Field: "state", Reason: TaskClosed}
		}
		if err := kernel.FirstError(unchanged("customer_id", given.CustomerID, cur.CustomerID), sentBack(given, cur, taskSecrets)); err != nil {
			return err
		}
		next.Subject, next.Note, next.DueAt = given.Subject, given.Note, given.DueAt
		if given.OwnerID == "" || given.OwnerID == cur.OwnerID {
			return nil
		}
		next.OwnerID = given.OwnerID
		return mayHave(ctx, c, next.OwnerID)
	})
	if err == nil {
		*t = *written
	}
	return err
}

// Done marks a task as done now. One that is done already stays as it is; a cancelled one is refused (TaskClosed).
func (s *Tasks) Done(ctx context.Context, a kernel.Actor, id TaskID) error {
	return s.close(ctx, a, "customer.Tasks.Done", "task.done", id, TaskDone, "")
}

// Cancel closes a task that nobody has to do any more, for a reason of at most 200 characters, which may be empty. One that
// is cancelled already stays as it is; one that is done is refused (TaskClosed).
func (s *Tasks) Cancel(ctx context.Context, a kernel.Actor, id TaskID, reason string) error {
	const op = "customer.Tasks.Cancel"
	if err := kernel.CheckLine("reason", reason, 200); err != nil {
		return kernel.Wrap(op, err)
	}
	return s.close(ctx, a, op, "task.cancelled", id, TaskCancelled, reason)
}

func (s *Tasks) close(ctx context.Context, a kernel.Actor, op, event string, id TaskID, state TaskState, reason string) error {
	_, err := s.change(ctx, a, op, event, id, []string{string(state), reason}, func(_ context.Context, c *kernel.Call[Tx], cur, next *Task) error {
		switch cur.State {
		case state:
			return nil
		case TaskOpen:
			next.State, next.Reason, next.ClosedAt, next.ClosedBy = state, reason, c.Now, a.User
			return nil
		}
		return &kernel.Error{Code: kernel.ErrRefused, Field: "state", Reason: TaskClosed}
	})
	return err
}

// change edits one task under its lock; no difference is no change.
//
// A task that gets another owner locks that member's counter before its own row: the order everywhere is customers, counters,
// tasks. So the task is read first, and the edit is done again on what stands under the lock.
func (s *Tasks) change(ctx context.Context, a kernel.Actor, op, event string, id TaskID, input any,
	edit func(ctx context.Context, c *kernel.Call[Tx], cur, next *Task) error,
) (*Task, error) {
	return kernel.Do(ctx, &s.core, a, op, kernel.InteractionWrite, []any{id, input}, func(ctx context.Context, c *kernel.Call[Tx]) (*Task, error) {
		cur, err := only(c.Tx.Tasks().Get(ctx, a.Tenant, reach(c), id))
		if err != nil {
			return nil, err
		}
		next := *cur
		if err := edit(ctx, c, cur, &next); err != nil {
			return nil, err
		}
		if cur, err = only(c.Tx.Tasks().Lock(ctx, a.Tenant, reach(c), id)); err != nil {
			return nil, err
		}
		next = *cur
		if err := edit(ctx, c, cur, &next); err != nil {
			return nil, err
		}
		if err := saveTasks(ctx, c, event, []*Task{cur}, []*Task{&next}); err != nil {
			return nil, err
		}
		return veiled(c, []*Task{&next}, taskInPool)[0], nil
	})
}

// saveTasks writes those that differ, with their changes.
func saveTasks(ctx context.Context, c *kernel.Call[Tx], event string, cur, next []*Task) error {
	var changed []*Task
	var changes []kernel.Change
	for i, t := range next {
		was, is := kernel.Diff(cur[i], t)
		if is == nil {
			continue
		}
		t.Version, t.UpdatedAt, t.UpdatedBy = cur[i].Version+1, c.Now, c.Actor.User
		changed = append(changed, t)
		changes = append(changes, kernel.Change{Subject: t.Ref(), Seq: t.Version, Ref: t.Ref(), Type: event, Before: was, After: is})
	}
	if err := c.Tx.Tasks().Update(ctx, c.Actor.Tenant, changed...); err != nil {
		return err
	}
	return c.Record(ctx, changes...)
}

// HandOver gives a batch of the open tasks of a member who leaves to its superior; without one they stay. It is for
// crm.HandOver, which checks l, after the customers: what is left then is for others' customers, or for none. Like those it
// asks for the permission team.manage.
func (s *Tasks) HandOver(ctx context.Context, l kernel.Leaving) (h kernel.Handed, err error) {
	if _, _, err := s.core.Enter(ctx, l.By, kernel.TeamManage); err != nil {
		return h, err
	}
	if l.Dry {
		return s.planned(ctx, l)
	}
	err = s.core.Unit(ctx, kernel.OwnCommit, func(ctx context.Context, tx Tx) error {
		c := &kernel.Call[Tx]{Tx: tx, Actor: l.By, Now: s.core.Clock.Now()}
		h, err = handTasks(ctx, c, l)
		return err
	})
	return h, err
}

func handTasks(ctx context.Context, c *kernel.Call[Tx], l kernel.Leaving) (kernel.Handed, error) {
	h := kernel.Handed{Kind: TaskKind}
	users := []kernel.UserID{l.User}
	if l.Superior != "" {
		users = append(users, l.Superior)
	}
	counters, err := c.Tx.Counters(Kind).Lock(ctx, c.Actor.Tenant, users...)
	if err != nil {
		return h, err
	}
	to := l.Superior
	for _, m := range counters {
		switch {
		case m.User == l.User && !m.Closed:
			return h, &kernel.Error{Code: kernel.ErrConflict, Field: "user", Reason: kernel.StillActive}
		case m.User == l.Superior && m.Closed: // it has left meanwhile, too
			to = ""
		}
	}
	cur, err := c.Tx.Tasks().LockOpen(ctx, c.Actor.Tenant, l.User, TaskID(l.After), l.AtMost)
	if err != nil || len(cur) == 0 {
		return h, err
	}
	h.Found, h.Next = len(cur), int64(cur[len(cur)-1].ID)
	if to == "" {
		h.Kept = len(cur)
		return h, nil
	}
	next := make([]*Task, len(cur))
	for i, t := range cur {
		given := *t
		given.OwnerID = to
		next[i] = &given
		h.Give(to)
	}
	return h, saveTasks(ctx, c, "task.updated", cur, next)
}

// planned counts, since all go one way.
func (s *Tasks) planned(ctx context.Context, l kernel.Leaving) (h kernel.Handed, err error) {
	h.Kind = TaskKind
	err = s.core.Unit(ctx, kernel.Read, func(ctx context.Context, tx Tx) (err error) {
		h.Found, h.WithOwner, err = tx.Tasks().CountOpen(ctx, l.By.Tenant, l.User)
		return err
	})
	h.Found -= h.WithOwner
	switch {
	case h.Found == 0:
	case l.Superior == "":
		h.Kept = h.Found
	default:
		h.To = map[kernel.UserID]int{l.Superior: h.Found}
	}
	return h, err
}
