package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// TaskID is a task's number.
type TaskID int64

// TaskKind is how references name tasks.
const TaskKind = "task"

// TaskClosed is why a task cannot be changed: it is done or cancelled.
const TaskClosed kernel.Reason = "closed"

// TaskState is whether a task waits to be done.
type TaskState string

// The states of a task.
const (
	TaskOpen      TaskState = "open"
	TaskDone      TaskState = "done"
	TaskCancelled TaskState = "cancelled"
)

// Task is something that a member has to do until an instant, for a customer or not (mission.md, C8). Lengths are in
// characters.
//
// What is open follows the customer's owner (rules.md, Release): with a release of any form the open tasks of the old owner
// on that customer are cancelled in the same transaction, with the word of the operation log as Reason ("release", "remove",
// "recycle", "resign"); with a transfer they go to the new owner. Tasks that others have on it stay. A task of a customer
// that is deleted is hidden with it, and comes back with it.
//
// A task is a subject of its own in audit and events, whose seq is its Version.
type Task struct {
	ID         TaskID        `json:"id"`
	Subject    string        `json:"subject"`               // at most 200, needed
	Note       string        `json:"note,omitempty"`        // at most 10,000, of several lines
	OwnerID    kernel.UserID `json:"owner_id"`              // an active member: who is to do it; the actor when empty
	CustomerID ID            `json:"customer_id,omitempty"` // 0 is none; it stays as it was made
	DueAt      time.Time     `json:"due_at"`                // needed; may lie in the past
	State      TaskState     `json:"state"`                 // changes through Done, Cancel and releases
	Reason     string        `json:"reason,omitempty"`      // why it was cancelled
	ClosedAt   time.Time     `json:"closed_at,omitzero"`    //
	ClosedBy   kernel.UserID `json:"closed_by,omitempty"`   //
	Version    int64         `json:"version"`               // rises with every change; Update names it
	CreatedAt  time.Time     `json:"created_at"`            //
	CreatedBy  kernel.UserID `json:"created_by"`            //
	UpdatedAt  time.Time     `json:"updated_at"`            //
	UpdatedBy  kernel.UserID `json:"updated_by"`            //
	Masked     bool          `json:"masked,omitempty"`      // its customer lies in a pool, see Mask
}

// Ref names the task in audit and events.
func (t *Task) Ref() kernel.Ref { return kernel.Ref{Kind: TaskKind, ID: int64(t.ID)} }

// draft is what of t a Create or an Update takes over, checked.
func (t *Task) draft() (*Task, error) {
	if t == nil {
		return nil, kernel.Invalid("task", kernel.Empty)
	}
	if err := whole(t.Masked); err != nil {
		return nil, err
	}
	d := Task{
		ID: t.ID, Subject: t.Subject, Note: t.Note, OwnerID: t.OwnerID, CustomerID: t.CustomerID, DueAt: kernel.Instant(t.DueAt), Version: t.Version,
	}
	if err := kernel.FirstError(
		kernel.CheckName("subject", d.Subject, 200), kernel.CheckText("note", d.Note, 10_000),
		checkCode("owner_id", string(d.OwnerID), 200), kernel.CheckInstant("due_at", d.DueAt),
	); err != nil {
		return nil, err
	}
	switch {
	case d.DueAt.IsZero():
		return nil, kernel.Invalid("due_at", kernel.Empty)
	case d.CustomerID < 0:
		return nil, kernel.Invalid("customer_id", kernel.Unknown)
	}
	return &d, nil
}

// TaskFilter says which tasks a list has: all conditions hold together; an empty one is no condition.
type TaskFilter struct {
	Owners   []kernel.UserID // one of these is to do it
	Customer ID              // for this customer
	States   []TaskState
	DueFrom  time.Time // at or after
	DueTo    time.Time // before
}

func (f TaskFilter) check() error {
	return kernel.FirstError(
		lines("owners", f.Owners), oneOfEach("states", f.States, TaskOpen, TaskDone, TaskCancelled),
		kernel.CheckInstant("due_from", f.DueFrom), kernel.CheckInstant("due_to", f.DueTo),
	)
}

// TaskRepository keeps tasks. A task is within a scope when one of the scope's owners is to do it, or when its customer is
// within the scope. Tasks of deleted customers do not exist for it.
type TaskRepository interface {
	// Insert must give ids to all and write all.
	Insert(ctx context.Context, t kernel.TenantID, ts ...*Task) error
	// Get must leave out what does not exist. The order is that of the ids. Masked must tell whether the customer lies in a
	// pool, here, in Lock and in List.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...TaskID) ([]*Task, error)
	// Lock is Get with the rows locked until the end of the transaction.
	Lock(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...TaskID) ([]*Task, error)
	// Update must write all columns of tasks that Lock or LockOpen returned.
	Update(ctx context.Context, t kernel.TenantID, ts ...*Task) error
	// List must return w.Limit+1 tasks at most, by due instant and id.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f TaskFilter, w kernel.Window) ([]*Task, error)
	// LockOpen must return and lock open tasks of a member beyond an id, at most a number, in the order of their ids.
	LockOpen(ctx context.Context, t kernel.TenantID, owner kernel.UserID, after TaskID, atMost int) ([]*Task, error)
	// CountOpen must count the open tasks of a member, and how many of them are for customers that it owns.
	CountOpen(ctx context.Context, t kernel.TenantID, owner kernel.UserID) (all, withOwner int, err error)
	// CancelOfOwners must cancel, for that reason, the open tasks that the owners of these customers, deleted or not, have on
	// them, with audit and events. The customers are locked.
	CancelOfOwners(ctx context.Context, a kernel.Actor, at time.Time, reason string, ids ...ID) error
}
