package sales

import (
	"context"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// LeadTaken is a lead that was not written because a living one has its unique value.
type LeadTaken struct {
	Index int    // of the lead in the call
	Field string // "phone", "email" or "external_id"
	By    *Lead  // the one that has it
}

// LeadRepository keeps leads with their follow-ups and tags. Every call is a fixed number of statements, whatever the number
// of leads, and locks rows in the order of their ids. Leads of another tenant or outside the scope do not exist for it.
type LeadRepository interface {
	// Insert must give ids to all and write all, except those whose unique values living leads have: these it returns.
	Insert(ctx context.Context, t kernel.TenantID, xs ...*Lead) ([]LeadTaken, error)
	// Discard must remove rows that the same transaction inserted.
	Discard(ctx context.Context, t kernel.TenantID, ids ...LeadID) error
	// Get must return the leads that exist, living or not, in the order of the ids.
	Get(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...LeadID) ([]*Lead, error)
	// Lock is Get with the rows locked until the end of the transaction.
	Lock(ctx context.Context, t kernel.TenantID, s kernel.Scope, ids ...LeadID) ([]*Lead, error)
	// Holders must return the living leads that have the phone, e-mail or host key of the lead, but for itself.
	Holders(ctx context.Context, t kernel.TenantID, x *Lead) ([]*Lead, error)
	// Update must write all columns of a locked lead.
	Update(ctx context.Context, t kernel.TenantID, x *Lead) error
	// List must return w.Limit+1 leads at most, by id.
	List(ctx context.Context, t kernel.TenantID, s kernel.Scope, f LeadFilter, w kernel.Window) ([]*Lead, error)
	// Homes is that of customers, for leads; see [customer.Repository].
	Homes(ctx context.Context, t kernel.TenantID, owners ...kernel.UserID) (map[kernel.UserID]customer.PoolID, error)
	// PoolsExist must return which of the pools the tenant has for leads.
	PoolsExist(ctx context.Context, t kernel.TenantID, pools ...customer.PoolID) ([]customer.PoolID, error)
	// AddFollowUp must give it an id and write it; the lead is locked.
	AddFollowUp(ctx context.Context, t kernel.TenantID, x *FollowUp) error
	// FollowUps must return w.Limit+1 follow-ups of the lead at most, newest first: by At and id, the keys of w.After.
	FollowUps(ctx context.Context, t kernel.TenantID, id LeadID, w kernel.Window) ([]*FollowUp, error)
	// Tag must make a locked lead carry those of the tags that exist, and no other tag.
	Tag(ctx context.Context, t kernel.TenantID, id LeadID, tags ...customer.TagID) error
	// Tags must return the tags of the leads, by name.
	Tags(ctx context.Context, t kernel.TenantID, ids ...LeadID) (map[LeadID][]customer.Tag, error)
	// Matches must return at most a number of living customers that have the lead's phone or e-mail (as a contact's), its host
	// key, or its name (that of the company, if there is one): the oldest first of each.
	Matches(ctx context.Context, t kernel.TenantID, x *Lead, atMost int) ([]Match, error)
	// Move must make all follow-ups of a locked lead interactions of a locked customer, with their ids and this contact (0:
	// none), and its tags the customer's, and return how many follow-ups these were.
	Move(ctx context.Context, t kernel.TenantID, id LeadID, to customer.ID, contact customer.ContactID) (int, error)
}

// Match is a customer that looks like a lead.
type Match struct {
	Customer  customer.ID
	Reason    MatchReason
	Contact   customer.ContactID // who has the phone or e-mail; 0 for the other reasons
	Owner     kernel.UserID
	Region    string
	Pool      customer.PoolID
	Blacklist bool
}
