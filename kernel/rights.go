package kernel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Permission names what a role may do. Package team lists the constants for hosts.
type Permission string

// The permissions, by module.
const (
	CustomerRead      Permission = "customer.read"      // customers and all that hangs on them
	CustomerCreate    Permission = "customer.create"    // also a first sync
	CustomerUpdate    Permission = "customer.update"    // fields, contacts, addresses, tags, stage
	CustomerDelete    Permission = "customer.delete"    // and restore
	CustomerBlacklist Permission = "customer.blacklist" // and lift it
	CustomerSync      Permission = "customer.sync"      // mirror a host's customers and orders
	TagManage         Permission = "tag.manage"         // make, rename and delete tags
	InteractionWrite  Permission = "interaction.write"  // interactions and follow-ups
	PoolClaim         Permission = "pool.claim"         // take customers out of the pool
	PoolRelease       Permission = "pool.release"       // put back one's own and subordinates' customers
	PoolAssign        Permission = "pool.assign"        // transfer and assign
	PoolOverrideCap   Permission = "pool.override_cap"  // above a member's cap, on the log
	PoolManage        Permission = "pool.manage"        // pools, members, rules, settings
	PoolRecycle       Permission = "pool.recycle"       // run the rules
	SalesRead         Permission = "sales.read"         // products and prices, and what is sold to the customers within the scope
	ProductManage     Permission = "product.manage"     // products, their categories and price lists
	PipelineManage    Permission = "pipeline.manage"    // pipelines and their stages
	OpportunityWrite  Permission = "opportunity.write"  // opportunities
	QuoteWrite        Permission = "quote.write"        // quotes
	QuoteApprove      Permission = "quote.approve"      // say yes to a quote that needs a second person
	ContractWrite     Permission = "contract.write"     // contracts, their plans and signatures
	ContractApprove   Permission = "contract.approve"   // approve contracts, and take approval back
	TeamRead          Permission = "team.read"          // the directory of members and departments
	TeamManage        Permission = "team.manage"        // members, departments, roles
	AuditRead         Permission = "audit.read"         // audit trail, events, operation log of everybody
	PIIReveal         Permission = "pii.reveal"         // phones and e-mails in clear
	Export            Permission = "export"             // lists out of the system
)

// Scope is which records an actor may see or change: the union of what it names. The zero value is nothing. What lies
// outside is not found, rather than denied, so that an error betrays nothing.
type Scope struct {
	All     bool
	Owners  []UserID // records that one of them owns
	Regions []string // records whose region code starts with one of them
	Pools   []int64  // records that lie in one of these pools: of customers, unless OfLeads says otherwise
	// LeadPools is Pools for leads.
	LeadPools []int64
}

// Sees decides about one record; adapters compile the same value to SQL for many. Owner is empty for a record that lies
// in its pool.
func (s Scope) Sees(owner UserID, region string, pool int64) bool {
	if s.All || owner != "" && slices.Contains(s.Owners, owner) || owner == "" && slices.Contains(s.Pools, pool) {
		return true
	}
	return region != "" && slices.ContainsFunc(s.Regions, func(prefix string) bool { return strings.HasPrefix(region, prefix) })
}

// Rights are what one actor may do in its tenant, resolved once per unit of work.
type Rights struct {
	Zone         *time.Location       // the tenant's time zone
	System       bool                 // the system actor: everything within the tenant
	Grants       map[Permission]Scope // a permission that is not in it is not granted
	Subordinates []UserID             // members whose head or superior the actor is, directly or through others
}

// OfLeads is the rights over leads: what names pools names those of leads.
func (r Rights) OfLeads() Rights {
	grants := make(map[Permission]Scope, len(r.Grants))
	for p, s := range r.Grants {
		s.Pools = s.LeadPools
		grants[p] = s
	}
	r.Grants = grants
	return r
}

// Scope is where the actor may use the permission; without it the error is denied, with the permission as its field. Pools
// with their rules, the directory, the trail, products and pipelines have no owner to whose records one could be limited, so
// their permissions count only from a scope of all: who might manage "its own" members or pools could make itself an
// administrator.
func (r Rights) Scope(p Permission) (Scope, error) {
	if r.System {
		return Scope{All: true}, nil
	}
	scope, ok := r.Grants[p]
	switch {
	case !ok:
		return Scope{}, &Error{Code: ErrDenied, Field: string(p)}
	case !scope.All && slices.Contains([]Permission{PoolManage, PoolRecycle, TeamManage, AuditRead, ProductManage, PipelineManage}, p):
		return Scope{}, &Error{Code: ErrDenied, Field: string(p), Err: errors.New("only a role that reaches all grants it")}
	}
	return scope, nil
}

// Authority says what an actor may do.
type Authority interface {
	// Rights must fail with not_found for a tenant that does not exist, and with denied (reason NotAMember) for a user who
	// is no active member of it; never with everything.
	Rights(ctx context.Context, a Actor) (Rights, error)
}
