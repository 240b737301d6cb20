package customer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/openseas/crm/kernel"
)

// InteractionID is an interaction's number.
type InteractionID int64

// InteractionKind is how references name interactions.
const InteractionKind = "interaction"

// InteractionType is the way people met.
type InteractionType string

// The types of interactions. All but Other can be a follow-up.
const (
	Call    InteractionType = "call"
	Email   InteractionType = "email"
	Meeting InteractionType = "meeting"
	Visit   InteractionType = "visit"
	WeChat  InteractionType = "wechat"
	Demo    InteractionType = "demo"
	Other   InteractionType = "other"
)

// Direction is who began.
type Direction string

// The directions. The default is Outbound.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// InteractionOutcome is what came of it.
type InteractionOutcome string

// The outcomes.
const (
	Successful     InteractionOutcome = "successful"
	Failed         InteractionOutcome = "failed"
	FollowUpNeeded InteractionOutcome = "follow_up_needed"
)

// Interaction is something that happened between the company and a customer (mission.md, C6). Lengths are in characters.
type Interaction struct {
	ID           InteractionID      `json:"id"`
	CustomerID   ID                 `json:"customer_id"`
	ContactID    ContactID          `json:"contact_id,omitempty"` // of the same customer
	Type         InteractionType    `json:"type"`
	Direction    Direction          `json:"direction"`
	Subject      string             `json:"subject"`                 // at most 200, needed
	Content      string             `json:"content,omitempty"`       // at most 20,000
	At           time.Time          `json:"at"`                      // when it happened, never in the future; now when empty
	Minutes      int                `json:"minutes,omitempty"`       // how long, 0 to 10,080
	Outcome      InteractionOutcome `json:"outcome,omitempty"`       //
	NextAction   string             `json:"next_action,omitempty"`   // at most 200
	NextActionAt time.Time          `json:"next_action_at,omitzero"` // when it is due; pending until it is done
	NextDoneAt   time.Time          `json:"next_done_at,omitzero"`   // set by Complete
	Staff        kernel.UserID      `json:"staff"`                   // at most 200: who; the actor when empty
	Attachments  json.RawMessage    `json:"attachments,omitempty"`   // a JSON array of the host's references, at most 10,000 bytes and 32 deep
	SessionTag   string             `json:"session_tag,omitempty"`   // at most 50: what it was about
	Followup     bool               `json:"followup"`                // a person's: it moves the pool's clocks (rules.md, Follow-up)
	Automatic    bool               `json:"automatic,omitempty"`     // written by a machine; never a follow-up
	Version      int64              `json:"version"`                 //
	CreatedAt    time.Time          `json:"created_at"`              //
	CreatedBy    kernel.UserID      `json:"created_by"`              //
	UpdatedAt    time.Time          `json:"updated_at"`              //
	DeletedAt    time.Time          `json:"deleted_at,omitzero"`     //
	Masked       bool               `json:"masked,omitempty"`        // as of its customer, see Mask
}

// Ref names the interaction in audit and events.
func (i *Interaction) Ref() kernel.Ref { return kernel.Ref{Kind: InteractionKind, ID: int64(i.ID)} }

// maxMinutes is a week: what is longer is a mistake.
const maxMinutes = 7 * 24 * 60

// check refuses what can never be written, and fills in the defaults that need no clock.
func (i *Interaction) check() (err error) {
	if err := whole(i.Masked); err != nil {
		return err
	}
	if i.Direction == "" {
		i.Direction = Outbound
	}
	i.At, i.NextActionAt = kernel.Instant(i.At), kernel.Instant(i.NextActionAt)
	if i.Attachments, err = checkJSON("attachments", i.Attachments, '['); err != nil {
		return err
	}
	if err := kernel.FirstError(
		kernel.OneOf("type", i.Type, Call, Email, Meeting, Visit, WeChat, Demo, Other),
		kernel.OneOf("direction", i.Direction, Inbound, Outbound),
		kernel.CheckName("subject", i.Subject, 200), kernel.CheckText("content", i.Content, 20_000),
		kernel.CheckInstant("at", i.At),
		kernel.OneOf("outcome", i.Outcome, Successful, Failed, FollowUpNeeded),
		kernel.CheckLine("next_action", i.NextAction, 200), kernel.CheckInstant("next_action_at", i.NextActionAt),
		checkCode("staff", string(i.Staff), 200), kernel.CheckLine("session_tag", i.SessionTag, 50),
	); err != nil {
		return err
	}
	switch {
	case i.Type == "":
		return kernel.Invalid("type", kernel.Empty)
	case i.Minutes < 0 || i.Minutes > maxMinutes:
		return kernel.Invalidf("minutes", kernel.OutOfRange, "0 to %d", maxMinutes)
	case i.ContactID < 0:
		return kernel.Invalid("contact_id", kernel.Unknown)
	case i.Followup && i.Type == Other:
		return kernel.Invalidf("followup", kernel.Malformed, "a follow-up is a call, an e-mail, a meeting, a visit, a chat or a demonstration")
	case i.Followup && i.Automatic:
		return kernel.Invalidf("followup", kernel.Malformed, "what a machine wrote is no follow-up")
	}
	return nil
}

// draft is what of i an Add takes over, checked.
func (i *Interaction) draft() (*Interaction, error) {
	if i == nil {
		return nil, kernel.Invalid("interaction", kernel.Empty)
	}
	d := *i
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.CustomerID <= 0 {
		return nil, kernel.Invalid("customer_id", kernel.Empty)
	}
	d.ID, d.Version, d.NextDoneAt, d.CreatedAt, d.UpdatedAt, d.DeletedAt = 0, 0, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	d.CreatedBy = ""
	return &d, nil
}

// settle fills in what only the call knows, and refuses what only the call can.
func (i *Interaction) settle(c *kernel.Call[Tx]) error {
	i.Version, i.CreatedAt, i.UpdatedAt, i.CreatedBy = 1, c.Now, c.Now, c.Actor.User
	if i.At.IsZero() {
		i.At = c.Now
	}
	if i.Staff == "" {
		i.Staff = c.Actor.User
	}
	return i.checkPerson(c)
}

// checkPerson refuses what has not happened yet, and machines that pass for people.
func (i *Interaction) checkPerson(c *kernel.Call[Tx]) error {
	switch {
	case i.At.After(c.Now):
		return kernel.Invalid("at", kernel.InFuture)
	case i.Staff == kernel.SystemUser && !c.Rights.System:
		return kernel.Invalidf("staff", kernel.Unknown, "no member is called so")
	case i.Staff == kernel.SystemUser && i.Followup:
		return kernel.Invalidf("staff", kernel.Empty, "a follow-up is a person's: say whose")
	}
	return nil
}

// edited is the interaction with the host's changes, or why they are not accepted. Another next action, or another time
// for it, is a new one that is not done yet.
func (i *Interaction) edited(given Interaction) (*Interaction, error) {
	if given.Version != i.Version {
		return nil, kernel.StaleVersion(given.Version, i.Version)
	}
	if err := kernel.FirstError(
		unchanged("customer_id", given.CustomerID, i.CustomerID), unchanged("followup", given.Followup, i.Followup),
		unchanged("automatic", given.Automatic, i.Automatic),
		unchanged("next_done_at", kernel.Instant(given.NextDoneAt), i.NextDoneAt),
		sentBack(&given, i, interactionSecrets),
	); err != nil {
		return nil, err
	}
	switch {
	case given.At.IsZero():
		return nil, kernel.Invalid("at", kernel.Empty)
	case i.Followup && !given.At.Equal(i.At):
		return nil, kernel.Invalidf("at", kernel.ReadOnly, "the date of a follow-up stays: delete it and add another one")
	case given.Staff == "":
		return nil, kernel.Invalid("staff", kernel.Empty)
	}
	next := given
	next.ID, next.CreatedAt, next.CreatedBy, next.UpdatedAt, next.DeletedAt = i.ID, i.CreatedAt, i.CreatedBy, i.UpdatedAt, i.DeletedAt
	next.NextDoneAt = i.NextDoneAt
	if next.NextAction != i.NextAction || !next.NextActionAt.Equal(i.NextActionAt) {
		next.NextDoneAt = time.Time{}
	}
	return &next, nil
}

// changed makes i the next version of cur, with its change; false when they do not differ.
func (i *Interaction) changed(cur *Interaction, event string, now time.Time) (kernel.Change, bool) {
	was, is := kernel.Diff(cur, i)
	if is == nil {
		return kernel.Change{}, false
	}
	i.Version, i.UpdatedAt = cur.Version+1, now
	return kernel.Change{Ref: i.Ref(), Type: event, Before: was, After: is}, true
}

// FollowedUp is the ownership after a follow-up at an instant (rules.md, Follow-up); Repository.Meet writes the same in SQL.
// One that is older than the present ownership, or that meets a record in the pool, moves no clock. The first follow-up is
// the earliest one of the ownership, in whatever order they were written down: what is left after a deletion is then the
// same rule.
func (o Ownership) FollowedUp(at time.Time) Ownership {
	if o.OwnerID == "" || at.Before(o.OwnedSince) {
		return o
	}
	if o.FirstFollowupAt.IsZero() || at.Before(o.FirstFollowupAt) {
		o.FirstFollowupAt = at
	}
	if at.After(o.LastFollowupAt) {
		o.LastFollowupAt = at
	}
	return o
}

// unfollowed is the ownership after the follow-up at an instant was deleted; first and last are those of what is left of
// this ownership, zero when nothing is. A clock that the deleted one did not set stays: a first sync may have stated it,
// and no interaction would tell it again. Where one clock has nothing left to tell, the other one is what is known.
func (o Ownership) unfollowed(at, first, last time.Time) Ownership {
	if o.OwnerID == "" || at.Before(o.OwnedSince) {
		return o
	}
	if o.FirstFollowupAt.Equal(at) {
		o.FirstFollowupAt = first
	}
	if o.LastFollowupAt.Equal(at) {
		o.LastFollowupAt = last
	}
	if o.FirstFollowupAt.IsZero() {
		o.FirstFollowupAt = o.LastFollowupAt
	}
	if o.LastFollowupAt.Before(o.FirstFollowupAt) {
		o.LastFollowupAt = o.FirstFollowupAt
	}
	return o
}

// InteractionRepository keeps interactions. The customer's row is locked before it is asked to write.
type InteractionRepository interface {
	// Insert must give ids to all and write all.
	Insert(ctx context.Context, t kernel.TenantID, is ...*Interaction) error
	// Get must return the interactions that exist, with a living customer within the scope, in the order of the ids. Masked
	// must tell whether the customer lies in a pool.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...InteractionID) ([]*Interaction, error)
	// Update must write all columns as given.
	Update(ctx context.Context, t kernel.TenantID, is ...*Interaction) error
	// List must return w.Limit+1 interactions of the customer at most, newest first: by At and id, the keys of w.After.
	List(ctx context.Context, t kernel.TenantID, id ID, w kernel.Window) ([]*Interaction, error)
	// Pending must return w.Limit+1 interactions at most, by NextActionAt and id, the keys of w.After, that have a next
	// action due before the instant (zero: whenever) and not done, of the staff, with a living customer within the scope.
	// Masked is as for Get.
	Pending(ctx context.Context, t kernel.TenantID, s kernel.Scope, staff kernel.UserID, before time.Time, w kernel.Window) ([]*Interaction, error)
	// Followups must return the first and the last follow-up of the customer at or after an instant; zero when there is none.
	Followups(ctx context.Context, t kernel.TenantID, id ID, since time.Time) (first, last time.Time, err error)
	// Latest must return the time of the customer's last interaction; zero when there is none.
	Latest(ctx context.Context, t kernel.TenantID, id ID) (time.Time, error)
}
