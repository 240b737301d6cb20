package team

import (
	"slices"
	"time"

	"github.com/openseas/crm/kernel"
)

// RoleName names a role within a tenant: one of the built-in ones, or one that the tenant defined.
type RoleName string

// The built-in roles. A tenant may define a role of the same name, which then takes its place.
const (
	Seller    RoleName = "seller"     // own customers; claims and releases
	Head      RoleName = "head"       // the department with its sub-departments
	PoolAdmin RoleName = "pool_admin" // pools, rules and assignment, everywhere
	Agent     RoleName = "agent"      // service: reads everywhere and writes interactions
	Marketer  RoleName = "marketer"   // reads everywhere and manages tags
	Auditor   RoleName = "auditor"    // reads everywhere, with the trail
	Admin     RoleName = "admin"      // everything
)

// Permission names what a role may do.
type Permission = kernel.Permission

// The permissions, for hosts that define roles. Package kernel says what each allows. PoolManage, PoolRecycle, TeamManage,
// AuditRead, ProductManage and PipelineManage concern the whole tenant: only a role that reaches all grants them.
const (
	CustomerRead      = kernel.CustomerRead
	CustomerCreate    = kernel.CustomerCreate
	CustomerUpdate    = kernel.CustomerUpdate
	CustomerDelete    = kernel.CustomerDelete
	CustomerBlacklist = kernel.CustomerBlacklist
	CustomerSync      = kernel.CustomerSync
	TagManage         = kernel.TagManage
	InteractionWrite  = kernel.InteractionWrite
	PoolClaim         = kernel.PoolClaim
	PoolRelease       = kernel.PoolRelease
	PoolAssign        = kernel.PoolAssign
	PoolOverrideCap   = kernel.PoolOverrideCap
	PoolManage        = kernel.PoolManage
	PoolRecycle       = kernel.PoolRecycle
	SalesRead         = kernel.SalesRead
	ProductManage     = kernel.ProductManage
	PipelineManage    = kernel.PipelineManage
	OpportunityWrite  = kernel.OpportunityWrite
	QuoteWrite        = kernel.QuoteWrite
	QuoteApprove      = kernel.QuoteApprove
	ContractWrite     = kernel.ContractWrite
	ContractApprove   = kernel.ContractApprove
	TeamRead          = kernel.TeamRead
	TeamManage        = kernel.TeamManage
	AuditRead         = kernel.AuditRead
	PIIReveal         = kernel.PIIReveal
	Export            = kernel.Export
)

// Permissions is every permission that a role can grant.
func Permissions() []Permission {
	return []Permission{
		CustomerRead, CustomerCreate, CustomerUpdate, CustomerDelete, CustomerBlacklist, CustomerSync, TagManage, InteractionWrite,
		PoolClaim, PoolRelease, PoolAssign, PoolOverrideCap, PoolManage, PoolRecycle,
		SalesRead, ProductManage, PipelineManage, OpportunityWrite, QuoteWrite, QuoteApprove,
		ContractWrite, ContractApprove, TeamRead, TeamManage, AuditRead, PIIReveal, Export,
	}
}

// Reach is how far a role's permissions go: the data scope.
type Reach string

// The reaches. Each includes what the member owns and what its subordinates own.
const (
	ReachOwn        Reach = "own"
	ReachDepartment Reach = "department"      // members of its department
	ReachTree       Reach = "sub_departments" // members of its department and of all below it
	ReachRegions    Reach = "regions"         // customers in its sales regions, whoever owns them
	ReachAll        Reach = "all"             // the tenant
)

// Role is a set of permissions with a reach (mission.md, T2). A member with several roles may do what any of them grants.
type Role struct {
	ID          RoleID       `json:"id"`
	Name        RoleName     `json:"name"`            // at most 50
	Title       string       `json:"title,omitempty"` // at most 100, for people
	Reach       Reach        `json:"reach"`
	Permissions []Permission `json:"permissions"`
	Version     int64        `json:"version"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
}

// Ref names the role in audit and events.
func (r *Role) Ref() kernel.Ref { return kernel.Ref{Kind: RoleKind, ID: int64(r.ID)} }

// builtin is a function and not a variable, so that nobody can change it; later versions may add permissions to it.
func builtin() []Role {
	sells := []kernel.Permission{
		CustomerRead, CustomerCreate, CustomerUpdate, InteractionWrite, PoolClaim, PoolRelease,
		SalesRead, OpportunityWrite, QuoteWrite, ContractWrite, TeamRead,
	}
	leads := append(slices.Clone(sells), CustomerDelete, CustomerBlacklist, PoolAssign, QuoteApprove, ContractApprove, TagManage)
	return []Role{
		{Name: Seller, Reach: ReachOwn, Permissions: sells},
		{Name: Head, Reach: ReachTree, Permissions: leads},
		{Name: PoolAdmin, Reach: ReachAll, Permissions: append(slices.Clone(leads), PoolOverrideCap, PoolManage, PoolRecycle)},
		{Name: Agent, Reach: ReachAll, Permissions: []kernel.Permission{CustomerRead, InteractionWrite, SalesRead, TeamRead}},
		{Name: Marketer, Reach: ReachAll, Permissions: []kernel.Permission{CustomerRead, TagManage, SalesRead, TeamRead}},
		{Name: Auditor, Reach: ReachAll, Permissions: []kernel.Permission{CustomerRead, SalesRead, TeamRead, AuditRead, Export}},
		{Name: Admin, Reach: ReachAll, Permissions: Permissions()},
	}
}

// Grantee is what is known of a user when its rights are resolved.
type Grantee struct {
	Zone              string // of the tenant
	Member            *Member
	Roles             []Role          // that the tenant defined, by the names that the member has
	DepartmentMembers []kernel.UserID // of its department, itself included
	TreeMembers       []kernel.UserID // of its department and all below
	Subordinates      []kernel.UserID // by headship and by named superiors, through others too, active or not; itself left out
	Pools             []int64         // of customers, that it belongs to
	LeadPools         []int64         // of leads, that it belongs to
}

// Reaches are those of the member's roles: a repository need not fill the member lists that none of them reads.
func (g *Grantee) Reaches() []Reach {
	var reaches []Reach
	for _, role := range g.roles() {
		reaches = append(reaches, role.Reach)
	}
	return reaches
}

// roles are the roles of the member: a tenant's own definition before the built-in one of the same name. A name that
// neither has grants nothing.
func (g *Grantee) roles() []Role {
	if g.Member == nil {
		return nil
	}
	var roles []Role
	known := append(slices.Clone(g.Roles), builtin()...)
	for _, name := range append([]RoleName{g.Member.Role}, g.Member.MoreRoles...) {
		if i := slices.IndexFunc(known, func(r Role) bool { return r.Name == name }); i >= 0 {
			roles = append(roles, known[i])
		}
	}
	return roles
}

// Rights is what the grantee may do. It is pure: what a role grants is decided here and nowhere else.
func (g *Grantee) Rights(zone *time.Location) kernel.Rights {
	r := kernel.Rights{Zone: zone, Grants: map[kernel.Permission]kernel.Scope{}, Subordinates: g.Subordinates}
	for _, role := range g.roles() {
		scope := g.scope(role.Reach)
		for _, p := range role.Permissions {
			granted := scope
			if p == CustomerRead && !scope.All { // members read what lies in their pools, whatever their reach; they change it after a claim
				granted.Pools, granted.LeadPools = g.Pools, g.LeadPools
			}
			if before, ok := r.Grants[p]; ok {
				granted = union(before, granted)
			}
			r.Grants[p] = granted
		}
	}
	return r
}

func (g *Grantee) scope(reach Reach) kernel.Scope {
	if reach == ReachAll {
		return kernel.Scope{All: true}
	}
	s := kernel.Scope{Owners: append([]kernel.UserID{g.Member.User}, g.Subordinates...)}
	switch reach {
	case ReachDepartment:
		s.Owners = append(s.Owners, g.DepartmentMembers...)
	case ReachTree:
		s.Owners = append(s.Owners, g.TreeMembers...)
	case ReachRegions:
		s.Regions = g.Member.Regions
	}
	slices.Sort(s.Owners)
	s.Owners = slices.Compact(s.Owners)
	return s
}

func union(a, b kernel.Scope) kernel.Scope {
	if a.All || b.All {
		return kernel.Scope{All: true}
	}
	return kernel.Scope{
		Owners: merge(a.Owners, b.Owners), Regions: merge(a.Regions, b.Regions), Pools: merge(a.Pools, b.Pools),
		LeadPools: merge(a.LeadPools, b.LeadPools),
	}
}

func merge[T ~string | ~int64](a, b []T) []T {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
