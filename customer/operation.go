package customer

import (
	"context"
	"time"

	"github.com/openseas/crm/kernel"
)

// Action is what happened to the ownership of a record.
type Action string

// The actions of the operation log. Replayed in the order of their ids they give the owner of every record.
const (
	Created     Action = "create"    // made with an owner
	Claimed     Action = "claim"     // taken out of the pool by its new owner
	Released    Action = "release"   // put back by its owner
	TakenOff    Action = "remove"    // put back by a superior or an administrator
	Recycled    Action = "recycle"   // put back by a rule
	Resigned    Action = "resign"    // put back because its owner left
	HandedOver  Action = "hand_over" // given to a successor because its owner left
	Assigned    Action = "assign"    // given out of the pool to a member by somebody else
	Transferred Action = "transfer"  // taken from its owner and given to another
	Moved       Action = "move"      // another pool is its home now; its owner, if any, stays
	Locked      Action = "lock"      // kept from the rules by its owner, who stays
	Unlocked    Action = "unlock"    // no more; its owner stays
	Restored    Action = "restore"   // came back from deletion: to its owner, or to the pool where the owner has no place
)

// Operation is a row of the operation log: every claim, release and recycle (mission.md, P8). It is never changed.
type Operation struct {
	ID       int64         `json:"id"`
	Kind     string        `json:"kind"`
	RecordID int64         `json:"record_id"`
	Action   Action        `json:"action"`
	Actor    kernel.UserID `json:"actor"`
	From     kernel.UserID `json:"from_owner,omitempty"`
	To       kernel.UserID `json:"to_owner,omitempty"`
	PoolID   PoolID        `json:"pool_id"`            // the home pool afterwards
	Reason   string        `json:"reason,omitempty"`   // of the dictionary, or the system actor's
	Note     string        `json:"note,omitempty"`     // free text
	RuleID   int64         `json:"rule_id,omitempty"`  // the rule that acted, and
	Rule     string        `json:"rule,omitempty"`     // its name and condition at that time
	OverCap  bool          `json:"over_cap,omitempty"` // the new owner had no place free, and the cap was overridden
	Unlocked bool          `json:"unlocked,omitempty"` // a lock that had not run out ended with it
	Request  string        `json:"request,omitempty"`
	At       time.Time     `json:"at"`
	Masked   bool          `json:"masked,omitempty"` // the record lies in a pool now, see Mask
}

// OperationFilter says which rows of the operation log are wanted; empty conditions are none.
type OperationFilter struct {
	Record  int64         // of this record
	Actor   kernel.UserID // done by
	Owner   kernel.UserID // to or from
	Actions []Action
	From    time.Time // at or after
	To      time.Time // before
}

// OperationRepository keeps the operation log of one kind of record.
type OperationRepository interface {
	// Append must write all in their order.
	Append(ctx context.Context, t kernel.TenantID, ops ...Operation) error
	// List must return w.Limit+1 rows at most, newest first; only of records whose owner, or a former one, is in scope.
	// Masked must tell whether the record lies in a pool.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f OperationFilter, w kernel.Window) ([]Operation, error)
}
