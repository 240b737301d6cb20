package team

import (
	"time"

	"github.com/openseas/crm/kernel"
)

// The kinds of records of this package, as references and events name them.
const (
	TenantKind     = "tenant"
	MemberKind     = "member"
	DepartmentKind = "department"
	RoleKind       = "role"
)

type (
	// MemberID is a member's number.
	MemberID int64
	// DepartmentID is a department's number.
	DepartmentID int64
	// RoleID is the number of a role that a tenant defined.
	RoleID int64
)

// Tenant is a house of its own: no call crosses from one to another. Its key is the Tenant of the actor that makes it.
type Tenant struct {
	Name      string    `json:"name"`               // at most 200, for people
	Zone      string    `json:"zone"`               // IANA name; Asia/Shanghai when empty. It cannot change: quotas and dates were counted in it
	Currency  string    `json:"currency,omitempty"` // ISO 4217; CNY when empty
	CreatedAt time.Time `json:"created_at"`
}

// Member is a user of the host who works in the tenant (mission.md, T1).
type Member struct {
	ID            MemberID      `json:"id"`
	User          kernel.UserID `json:"user"`                    // the host's id, at most 200, unique in the tenant
	Name          string        `json:"name,omitempty"`          // at most 100
	Role          RoleName      `json:"role"`                    // needed
	MoreRoles     []RoleName    `json:"more_roles,omitempty"`    // what they grant adds up
	Department    DepartmentID  `json:"department,omitempty"`    // 0 is none
	Superior      kernel.UserID `json:"superior,omitempty"`      // a member whose scope includes this one's customers
	PhoneExt      string        `json:"phone_ext,omitempty"`     // at most 20
	Regions       []string      `json:"regions,omitempty"`       // division codes of its sales regions
	JoinedOn      kernel.Date   `json:"joined_on,omitempty"`     //
	InactiveSince time.Time     `json:"inactive_since,omitzero"` // zero: active
	LastSeenAt    time.Time     `json:"last_seen_at,omitzero"`   // the host reports it, see Members.Seen
	Version       int64         `json:"version"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
}

// Active tells whether the member may act.
func (m *Member) Active() bool { return m.InactiveSince.IsZero() }

// Ref names the member in audit and events.
func (m *Member) Ref() kernel.Ref { return kernel.Ref{Kind: MemberKind, ID: int64(m.ID)} }

// Department is a node of the department tree. Its head's scope includes its members and those of all departments below.
type Department struct {
	ID        DepartmentID  `json:"id"`
	Key       string        `json:"key,omitempty"`    // at most 100, the host's key, unique in the tenant
	Name      string        `json:"name"`             // at most 100
	Parent    DepartmentID  `json:"parent,omitempty"` // 0 is a root
	Head      kernel.UserID `json:"head,omitempty"`   // at most 200
	Sort      int           `json:"sort,omitempty"`   // among its siblings
	Version   int64         `json:"version"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// Ref names the department in audit and events.
func (d *Department) Ref() kernel.Ref { return kernel.Ref{Kind: DepartmentKind, ID: int64(d.ID)} }

// MaxDepth bounds the department tree: so many departments a department can have above it.
const MaxDepth = 32

// MemberFilter says which members a list has; empty conditions are none.
type MemberFilter struct {
	Departments []DepartmentID // with their sub-departments
	Role        RoleName       // as its role, or as one of MoreRoles
	Inactive    bool           // the inactive ones instead of the active ones
}
