package pool

import (
	"fmt"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/kernel"
)

// The reasons of refusals: errors.Is(err, pool.Protected). Of several that hold for a claim, the first in this order.
const (
	NotFound    kernel.Reason = "not_found"    // no such record, or outside what the actor may see
	ForeignPool kernel.Reason = "foreign_pool" // visible, but in a pool that the actor does not belong to
	Taken       kernel.Reason = "taken"        // somebody owns it
	Blacklisted kernel.Reason = "blacklisted"  //
	Protected   kernel.Reason = "protected"    // released too short a time ago
	CoolDown    kernel.Reason = "cool_down"    // the actor was its last owner, too short a time ago
	Condition   kernel.Reason = "condition"    // the pool's own claim condition does not hold
	CapReached  kernel.Reason = "cap"          // no place is free
	QuotaUsed   kernel.Reason = "quota"        // all claims of the day are used
)

// The reasons of refusals that only releases have.
const (
	NotOwned kernel.Reason = "not_owned" // it lies in its pool already
	NotOwner kernel.Reason = "not_owner" // somebody else's, and the actor is neither its superior nor an administrator
)

// The reasons of refusals that only assigning and transferring have.
const (
	SameOwner     kernel.Reason = "same_owner"      // the member has it already
	NotPoolMember kernel.Reason = "not_pool_member" // who shall get it is no active member of its home pool
)

// The reasons of refusals that only moving between pools has.
const (
	SamePool kernel.Reason = "same_pool" // it is at home there already
	NotAdmin kernel.Reason = "not_admin" // the actor does not administer its home pool
)

// TooManyDue is why a run refuses to begin: it would release a larger share of the owned records than it was told to.
const TooManyDue kernel.Reason = "too_many_due"

// Refusal is a rule that said no. errors.Is(err, kernel.ErrRefused) holds, or ErrNotFound for the reason NotFound, and so
// does errors.Is with the reason.
type Refusal struct {
	Ref    kernel.Ref    `json:"ref"`
	Reason kernel.Reason `json:"reason"`
	Until  time.Time     `json:"until,omitzero"`  // when time lifts it
	Limit  int           `json:"limit,omitempty"` // the cap, quota or open limit
	By     kernel.UserID `json:"by,omitempty"`    // the owner of what is taken, if the actor may see that
}

// Error is one line with everything that is known.
func (r *Refusal) Error() string {
	s := fmt.Sprintf("refused: %s %d: %s", r.Ref.Kind, r.Ref.ID, r.Reason)
	if r.By != "" {
		s += " by " + string(r.By)
	}
	if !r.Until.IsZero() {
		s += " until " + r.Until.Format(time.RFC3339Nano)
	}
	if r.Reason == CapReached || r.Reason == QuotaUsed || r.Reason == OpenLimit {
		s += fmt.Sprintf(" (limit %d)", r.Limit)
	}
	return s
}

// Unwrap gives errors.Is the code and the reason.
func (r *Refusal) Unwrap() []error {
	if r.Reason == NotFound {
		return []error{kernel.ErrNotFound, r.Reason}
	}
	return []error{kernel.ErrRefused, r.Reason}
}

// Record is what a decision needs to know of one record.
type Record struct {
	ID      int64
	Seq     int64
	Version int64
	customer.Ownership
	Region      string
	Blacklisted bool
	TakesPlace  bool // when somebody owns it: not won
}

// Attempt is a claim as the rule sees it.
type Attempt struct {
	By       kernel.UserID
	Now      time.Time
	Zone     *time.Location
	Record   Record
	Settings Settings
	Counter  customer.Counter
	Facts    *condition.Facts   // needed where the pool has a claim condition
	Days     condition.Counting // of the pool; nil is condition.Elapsed
}

// Refuse returns nil when the claim may succeed, or the first reason why not (rules.md, Public pool: Claim). It decides
// about one record that the claimer can see and whose pool it belongs to; adapters test the same in SQL.
func (t Attempt) Refuse(kind Kind) *Refusal {
	for _, reason := range claimOrder {
		if c := t.check(reason); !c.Holds {
			return &Refusal{Ref: kernel.Ref{Kind: string(kind), ID: t.Record.ID}, Reason: reason, Until: c.Until, Limit: c.Limit, By: c.By}
		}
	}
	return nil
}

// Checks are all conditions of the claim, in the order of Refuse.
func (t Attempt) Checks() []Check {
	all := make([]Check, len(claimOrder))
	for i, reason := range claimOrder {
		all[i] = t.check(reason)
	}
	return all
}

var claimOrder = [...]kernel.Reason{Taken, Blacklisted, Protected, CoolDown, Condition, CapReached, QuotaUsed}

// check decides about one condition.
func (t Attempt) check(reason kernel.Reason) Check {
	c := Check{Reason: reason}
	entered := t.Record.PoolEnteredAt
	elapses := func(span time.Duration) {
		if until := entered.Add(span); !entered.IsZero() && t.Now.Before(until) {
			c.Holds, c.Until = false, until
		}
	}
	switch reason {
	case Taken:
		c.Holds, c.By = t.Record.OwnerID == "", t.Record.OwnerID
	case Blacklisted:
		c.Holds = !t.Record.Blacklisted
	case Protected:
		c.Holds = true
		elapses(t.Settings.Protection)
	case CoolDown:
		c.Holds = true
		if t.Record.LastOwner == t.By {
			elapses(t.Settings.CoolDown)
		}
	case Condition:
		c.Holds = t.conditionHolds()
	case CapReached:
		c.Holds, c.Limit, c.Used = !t.Record.TakesPlace || t.Counter.Free() > 0, t.Counter.Cap, t.Counter.Places
	case QuotaUsed:
		c.Limit, c.Used = t.Counter.DailyQuota, t.claimsUsed()
		if c.Holds = c.Used < c.Limit; !c.Holds {
			c.Until = kernel.DateOf(t.Now, t.Zone).Next().Start(t.Zone)
		}
	}
	return c
}

// behind is the answer to who counts on a day before that of the counter, which never goes back: it read the clock before
// midnight, and its turn came after somebody's who read it later.
func behind(day kernel.Date) error {
	return &kernel.Error{Code: kernel.ErrRetry, Err: fmt.Errorf("it was counted on %s meanwhile", day)}
}

func (t Attempt) claimsUsed() int {
	if t.Counter.ClaimsDay != kernel.DateOf(t.Now, t.Zone) {
		return 0
	}
	return t.Counter.ClaimsUsed
}

func (t Attempt) conditionHolds() bool {
	if t.Settings.ClaimCondition == "" {
		return true
	}
	c, err := condition.Parse(t.Settings.ClaimCondition)
	return err == nil && t.Facts != nil && c.Eval(*t.Facts, t.Now, t.Days) == condition.True
}

// claimed is the counter after this claim.
func (t Attempt) claimed() customer.Counter {
	m := t.Counter
	m.ClaimsUsed, m.ClaimsDay = t.claimsUsed()+1, kernel.DateOf(t.Now, t.Zone)
	if t.Record.TakesPlace {
		m.Places++
	}
	return m
}

// Gift is an assignment or a transfer as the rule sees it: the Attempt is that of the member who gets the record.
type Gift struct {
	Attempt
	Member   bool // it is an active member of the record's home pool
	Override bool // the cap does not hold
}

// Refuse returns nil when the member may get the record, or the first reason why not (rules.md, Public pool: Assign /
// transfer). Whether the actor may give it is not asked here. Protection, cool-down and quota are not asked at all; the
// blacklist and the pool's claim condition only of what comes out of the pool.
func (t Gift) Refuse(kind Kind) *Refusal {
	no := &Refusal{Ref: kernel.Ref{Kind: string(kind), ID: t.Record.ID}}
	inPool := t.Record.OwnerID == ""
	switch {
	case t.Record.OwnerID == t.By:
		no.Reason = SameOwner
	case !t.Member:
		no.Reason = NotPoolMember
	case inPool && t.Record.Blacklisted:
		no.Reason = Blacklisted
	case inPool && !t.conditionHolds():
		no.Reason = Condition
	case t.Record.TakesPlace && !t.Override && t.Counter.Free() == 0:
		no.Reason, no.Limit = CapReached, t.Counter.Cap
	default:
		return nil
	}
	return no
}
