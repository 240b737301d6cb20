package crm

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// HandOver hands over what a member has who leaves (rules.md, Resignation): customers and leads go to their pools or to
// named successors, opportunities, quotes and contracts that have not ended to whoever then has their customers, open work
// to the superior. Use it as CRM.HandOver.
type HandOver struct {
	core    kernel.Service[storage.Tx]
	team    *team.Members
	modules []handsOver // in their order: what is for customers after them
}

// handsOver is a module that has records of members. What it does, it commits in a transaction of its own, at most
// Leaving.AtMost records, and nothing when Leaving.Dry is set. It goes on from Leaving.After, and tells where it got to.
type handsOver interface {
	HandOver(ctx context.Context, l kernel.Leaving) (kernel.Handed, error)
}

// HandOverOptions may be nil, and so may each field.
type HandOverOptions struct {
	// Successors get the customers, at most 50 active members. A customer is offered first to those in whose sales regions
	// (team.Member.Regions) it lies, the longest region first, then to all in turns; it goes to the first who belongs to its
	// home pool and has a place free under the cap, which a won customer does not need. Nobody: to its home pool. Defaults to
	// none: all go to their pools.
	Successors []UserID
	// Superior gets the open tasks that are left, and the documents of customers that nobody has, an active member. Defaults to
	// the one that the member names, else to the head of its department or of the nearest one above, else to the actor. An
	// inactive one counts as none. If the actor is the system actor and there is nobody, they stay as they are.
	Superior UserID
	// Reason, at most 100, and Note, at most 500 characters, stand in the operation log.
	Reason string
	Note   string
	// Batch is how many records go in one transaction, 1 to 10,000. Defaults to 1,000.
	Batch int
	// Progress, if not nil, is told after every batch.
	Progress func(HandOverReport)
}

// HandOverPlan is what a hand-over would do now.
type HandOverPlan struct {
	User     UserID          `json:"user"`
	Superior UserID          `json:"superior,omitempty"` // who gets the open work; empty: it stays
	Items    []kernel.Handed `json:"items"`              // by kind of record: customers, tasks, leads, opportunities, quotes, then contracts
}

// HandOverReport is what a hand-over has done.
type HandOverReport HandOverPlan

const handOverBatch = 1_000

func (o *HandOverOptions) check(a Actor, user UserID) error {
	if o.Batch == 0 {
		o.Batch = handOverBatch
	}
	if err := kernel.FirstError(
		kernel.CheckName("user", string(user), 200), kernel.CheckLine("superior", string(o.Superior), 200),
		kernel.CheckLine("reason", o.Reason, 100), kernel.CheckText("note", o.Note, 500),
	); err != nil {
		return err
	}
	_, system := a.System()
	switch {
	case o.Batch < 0 || o.Batch > kernel.MaxItems:
		return kernel.Invalidf("batch", kernel.OutOfRange, "1 to %d", kernel.MaxItems)
	case user == a.User && !system:
		return kernel.Invalidf("user", kernel.Malformed, "somebody else hands over: who is inactive could not go on")
	case o.Superior == user:
		return kernel.Invalidf("superior", kernel.Malformed, "it is the one who leaves")
	case len(o.Successors) > 50:
		return kernel.Invalidf("successors", kernel.TooMany, "at most 50")
	}
	for i, x := range o.Successors {
		err := kernel.CheckName("successors", string(x), 200)
		switch {
		case err != nil:
		case x == user:
			err = kernel.Invalidf("successors", kernel.Malformed, "it is the one who leaves")
		case slices.Contains(o.Successors[:i], x):
			err = kernel.Invalidf("successors", kernel.Duplicate, "named twice")
		}
		if err != nil {
			return kernel.At(i, err)
		}
	}
	return nil
}

// Plan tells what Run with the same options would do now, and writes nothing: how many customers would go to which
// successor and how many to their pools, which successors would have no place or do not belong to the home pool, and where
// the open tasks and the documents would go. The member may be active or not. Rights and errors are those of Run; it may be called inside a
// host's transaction.
func (h *HandOver) Plan(ctx context.Context, a Actor, user UserID, opts *HandOverOptions) (HandOverPlan, error) {
	const op = "crm.HandOver.Plan"
	r, err := h.prepare(ctx, a, user, opts, kernel.Read)
	if err != nil {
		return HandOverPlan{}, kernel.Wrap(op, err)
	}
	r.leaving.Dry, r.leaving.Heirs, r.o.Progress = true, map[int64]UserID{}, nil
	if err := r.walk(ctx); err != nil {
		return HandOverPlan{}, kernel.Wrap(op, err)
	}
	return HandOverPlan(r.report), nil
}

// Run makes the member inactive and hands over what it has. The first transaction makes it inactive: from then on no claim,
// assignment or new task of its succeeds in any process. Then follow batches that each commit. Owned customers go to the
// named successors as far as their caps allow (operation log: "hand_over"), the rest to their home pools ("resign"), where
// protection and cool-down begin as after a release; locks end, and the log says so. Its open tasks on them are cancelled
// with the release, or go to the successor; those that it has elsewhere go to the superior. Its open opportunities, its
// drafts and sent quotes, and its contracts that are drafts, approved or signed go to whoever has the customer by then, or else
// to the superior; what has ended keeps its owner. What is deleted stays with it, and deleted customers come back into the
// pool. Departments that it heads, and members that name it as superior, stay as they are: see docs/handover.md.
//
// Killed or cancelled at any point it goes on when it is called again, and the report of an error says what was done. Two
// runs at once move nobody twice; a run on a member that is inactive and has nothing left does nothing. A member that is
// made active during the run ends it (conflict "user", reason kernel.StillActive).
//
// It needs the permission team.manage, from a role that reaches all. Refused inside a host's transaction. Errors: not found
// ("user") for a user who is no member; invalid for successors (with the index) and a superior that are no active members, for
// the leaver among them, and for the actor itself as the leaver.
func (h *HandOver) Run(ctx context.Context, a Actor, user UserID, opts *HandOverOptions) (HandOverReport, error) {
	const op = "crm.HandOver.Run"
	r, err := h.prepare(ctx, a, user, opts, kernel.OwnCommit)
	if err != nil {
		return HandOverReport{}, kernel.Wrap(op, err)
	}
	once := a
	once.Request = "" // a run that is repeated after the member was made active in between must make it inactive again
	if err := patiently(ctx, func() error { return h.team.Deactivate(ctx, once, user) }); err != nil {
		return r.report, kernel.Wrap(op, err)
	}
	return r.report, kernel.Wrap(op, r.walk(ctx))
}

// patiently repeats what met a deadlock or a busy writer: these pass.
func patiently(ctx context.Context, call func() error) (err error) {
	for range 5 {
		if err = call(); ctx.Err() != nil || !errors.Is(err, kernel.ErrRetry) {
			break
		}
	}
	return err
}

// handingOver is one hand-over under way, or its plan.
type handingOver struct {
	h       *HandOver
	o       HandOverOptions
	leaving kernel.Leaving
	report  HandOverReport
}

// prepare checks rights and input, and finds out who gets what.
func (h *HandOver) prepare(ctx context.Context, a Actor, user UserID, opts *HandOverOptions, mode kernel.Mode) (*handingOver, error) {
	r := &handingOver{h: h}
	if opts != nil {
		r.o = *opts
	}
	_, _, err := h.core.Enter(ctx, a, kernel.TeamManage)
	if err := kernel.FirstError(err, r.o.check(a, user)); err != nil {
		return nil, err
	}
	r.leaving = kernel.Leaving{By: a, User: user, Reason: r.o.Reason, Note: r.o.Note, AtMost: r.o.Batch}
	err = h.core.Unit(ctx, mode, func(ctx context.Context, tx storage.Tx) error {
		if err := r.successors(ctx, tx); err != nil {
			return err
		}
		return r.superior(ctx, tx)
	})
	r.report = HandOverReport{User: user, Superior: r.leaving.Superior}
	return r, err
}

// successors looks up the leaver and those who are named.
func (r *handingOver) successors(ctx context.Context, tx storage.Tx) error {
	users := append([]UserID{r.leaving.User, r.o.Superior}, r.o.Successors...)
	found, err := tx.Members().Get(ctx, r.leaving.By.Tenant, users...)
	if err != nil {
		return err
	}
	members := map[UserID]*team.Member{}
	for _, m := range found {
		members[m.User] = m
	}
	if members[r.leaving.User] == nil {
		return &kernel.Error{Code: kernel.ErrNotFound, Field: "user"}
	}
	active := func(user UserID) bool { return members[user] != nil && members[user].Active() }
	if r.o.Superior != "" && !active(r.o.Superior) {
		return kernel.Invalidf("superior", kernel.Unknown, "no active member")
	}
	r.leaving.Successors = nil
	for i, user := range r.o.Successors {
		if !active(user) {
			return kernel.At(i, kernel.Invalidf("successors", kernel.Unknown, "no active member"))
		}
		r.leaving.Successors = append(r.leaving.Successors, kernel.Successor{User: user, Regions: members[user].Regions})
	}
	return nil
}

// superior finds who gets open work: of the named one, the heads of the department and of those above, and the actor, the
// first who is active.
func (r *handingOver) superior(ctx context.Context, tx storage.Tx) error {
	l, tenant := &r.leaving, r.leaving.By.Tenant
	if l.Superior = r.o.Superior; l.Superior != "" {
		return nil
	}
	found, err := tx.Members().Get(ctx, tenant, l.User)
	if err != nil || len(found) == 0 {
		return err
	}
	candidates := []UserID{found[0].Superior}
	for id, depth := found[0].Department, 0; id != 0 && depth < team.MaxDepth; depth++ {
		departments, err := tx.Departments().Get(ctx, tenant, id)
		if err != nil || len(departments) == 0 {
			return err
		}
		candidates = append(candidates, departments[0].Head)
		id = departments[0].Parent
	}
	if _, system := l.By.System(); !system {
		candidates = append(candidates, l.By.User)
	}
	members, err := tx.Members().Get(ctx, tenant, candidates...)
	for _, user := range candidates {
		if user != l.User && slices.ContainsFunc(members, func(m *team.Member) bool { return m.User == user && m.Active() }) {
			l.Superior = user
			break
		}
	}
	return err
}

// walk asks every module until it has nothing left.
func (r *handingOver) walk(ctx context.Context) error {
	for _, m := range r.h.modules {
		l := r.leaving
		if l.Dry {
			l.Given = map[UserID]int{}
		}
		r.report.Items = append(r.report.Items, kernel.Handed{})
		sum := &r.report.Items[len(r.report.Items)-1]
		for more := true; more; {
			var batch kernel.Handed
			var given map[UserID]int
			err := patiently(ctx, func() (err error) {
				l := l
				l.Given = maps.Clone(l.Given) // what failed has given nothing
				if batch, err = m.HandOver(ctx, l); err == nil {
					given = l.Given
				}
				return err
			})
			if err != nil {
				return err
			}
			*sum = sum.Plus(batch)
			if r.o.Progress != nil && batch.Found > 0 {
				r.o.Progress(r.report.copied())
			}
			l.After, l.Turn, l.Given, more = batch.Next, batch.Turn, given, batch.Next != 0
		}
	}
	return nil
}

// copied is the report as it is now: the receiver may keep it.
func (r HandOverReport) copied() HandOverReport {
	r.Items = slices.Clone(r.Items)
	return r
}
