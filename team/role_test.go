package team

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

// li has colleagues in its department, more in the departments below, and is the superior of one who is elsewhere.
func someone(role RoleName, more ...RoleName) *Grantee {
	return &Grantee{
		Member:            &Member{User: "li", Role: role, MoreRoles: more, Department: 1, Regions: []string{"44", "3101"}},
		DepartmentMembers: []kernel.UserID{"li", "wang"},
		TreeMembers:       []kernel.UserID{"li", "wang", "zhao"},
		Subordinates:      []kernel.UserID{"sun"},
		Pools:             []int64{7, 9},
	}
}

func TestEveryReachOfEveryPermission(t *testing.T) {
	for reach, want := range map[Reach]kernel.Scope{
		ReachOwn:        {Owners: []kernel.UserID{"li", "sun"}},
		ReachDepartment: {Owners: []kernel.UserID{"li", "sun", "wang"}},
		ReachTree:       {Owners: []kernel.UserID{"li", "sun", "wang", "zhao"}},
		ReachRegions:    {Owners: []kernel.UserID{"li", "sun"}, Regions: []string{"44", "3101"}},
		ReachAll:        {All: true},
	} {
		for _, p := range Permissions() {
			g := someone("own")
			g.Roles = []Role{{Name: "own", Reach: reach, Permissions: []kernel.Permission{p}}}
			rights := g.Rights(time.UTC)
			want := want
			if p == CustomerRead && !want.All { // what lies in its pools, it reads whatever its reach
				want.Pools = []int64{7, 9}
			}
			for _, other := range Permissions() {
				scope, err := rights.Scope(other)
				if other != p {
					require.ErrorIs(t, err, kernel.ErrDenied, "%s with only %s", other, p)
					require.Equal(t, kernel.Scope{}, scope)
					continue
				}
				if whole := slices.Contains([]Permission{PoolManage, PoolRecycle, TeamManage, AuditRead, ProductManage, PipelineManage}, p); whole && reach != ReachAll {
					require.ErrorIs(t, err, kernel.ErrDenied, "%s, %s", reach, p)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, want, scope, "%s, %s", reach, p)
			}
		}
	}
}

func TestWhatBuiltInRolesGrant(t *testing.T) {
	type line map[kernel.Permission]bool
	sells := line{
		CustomerRead: true, SalesRead: true, CustomerCreate: true, CustomerUpdate: true, InteractionWrite: true, OpportunityWrite: true, QuoteWrite: true, ContractWrite: true, PoolClaim: true, PoolRelease: true, TeamRead: true,
	}
	leads := line{CustomerDelete: true, CustomerBlacklist: true, PoolAssign: true, QuoteApprove: true, ContractApprove: true, TagManage: true}
	administers := line{PoolOverrideCap: true, PoolManage: true, PoolRecycle: true}
	all := line{}
	for _, p := range Permissions() {
		all[p] = true
	}
	for role, want := range map[RoleName]struct {
		reach Reach
		may   []line
	}{
		Seller:    {ReachOwn, []line{sells}},
		Head:      {ReachTree, []line{sells, leads}},
		PoolAdmin: {ReachAll, []line{sells, leads, administers}},
		Agent:     {ReachAll, []line{{CustomerRead: true, SalesRead: true, InteractionWrite: true, TeamRead: true}}},
		Marketer:  {ReachAll, []line{{CustomerRead: true, SalesRead: true, TagManage: true, TeamRead: true}}},
		Auditor:   {ReachAll, []line{{CustomerRead: true, SalesRead: true, TeamRead: true, AuditRead: true, Export: true}}},
		Admin:     {ReachAll, []line{all}},
	} {
		rights := someone(role).Rights(time.UTC)
		require.Equal(t, []Reach{want.reach}, someone(role).Reaches(), role)
		for _, p := range Permissions() {
			may := false
			for _, l := range want.may {
				may = may || l[p]
			}
			scope, err := rights.Scope(p)
			require.Equal(t, may, err == nil, "%s, %s", role, p)
			if may {
				require.Equal(t, want.reach == ReachAll, scope.All, "%s, %s", role, p)
			}
		}
	}
}

func TestSeveralRolesAddUp(t *testing.T) {
	g := someone(Seller, Auditor, "field")
	g.Roles = []Role{{Name: "field", Reach: ReachRegions, Permissions: []kernel.Permission{CustomerUpdate, CustomerDelete}}}
	rights := g.Rights(time.UTC)
	require.Equal(t, kernel.Scope{All: true}, rights.Grants[CustomerRead], "the auditor's reach")
	require.Equal(t, kernel.Scope{Owners: []kernel.UserID{"li", "sun"}, Regions: []string{"3101", "44"}}, rights.Grants[CustomerUpdate], "the seller's and the field's")
	require.Equal(t, kernel.Scope{Owners: []kernel.UserID{"li", "sun"}, Regions: []string{"44", "3101"}}, rights.Grants[CustomerDelete], "the field's")
	require.Equal(t, kernel.Scope{Owners: []kernel.UserID{"li", "sun"}}, rights.Grants[PoolClaim], "the seller's")
	require.NotContains(t, rights.Grants, TeamManage)
	require.Equal(t, []kernel.UserID{"sun"}, rights.Subordinates)
}

func TestRolesThatNobodyDefinedGrantNothing(t *testing.T) {
	require.Empty(t, someone("president").Rights(time.UTC).Grants)
	require.Empty(t, someone("president").Reaches())
	require.Equal(t, someone(Seller).Rights(time.UTC), someone(Seller, "president").Rights(time.UTC))
	require.Empty(t, (&Grantee{}).Rights(time.UTC).Grants, "nobody may do nothing")
}

func TestATenantsRoleTakesThePlaceOfTheBuiltInOne(t *testing.T) {
	g := someone(Admin)
	g.Roles = []Role{{Name: Admin, Reach: ReachOwn, Permissions: []kernel.Permission{TeamRead}}}
	require.Equal(t, map[kernel.Permission]kernel.Scope{TeamRead: {Owners: []kernel.UserID{"li", "sun"}}}, g.Rights(time.UTC).Grants)
}

func TestRightsDoNotChangeTheGrantee(t *testing.T) {
	g := someone(Head, Seller)
	g.Rights(time.UTC)
	require.Equal(t, someone(Head, Seller), g)
}

func TestRoleCheck(t *testing.T) {
	for name, c := range map[string]struct {
		role  Role
		field string
		why   kernel.Reason
	}{
		"no name":               {Role{Reach: ReachOwn}, "name", kernel.Empty},
		"51 characters":         {Role{Name: RoleName(repeat("角", 51)), Reach: ReachOwn}, "name", kernel.TooLong},
		"no reach":              {Role{Name: "x"}, "reach", kernel.Empty},
		"another reach":         {Role{Name: "x", Reach: "world"}, "reach", kernel.Unknown},
		"an empty permission":   {Role{Name: "x", Reach: ReachOwn, Permissions: []kernel.Permission{""}}, "permissions", kernel.Unknown},
		"another permission":    {Role{Name: "x", Reach: ReachOwn, Permissions: []kernel.Permission{"customer.eat"}}, "permissions", kernel.Unknown},
		"50 characters pass":    {Role{Name: RoleName(repeat("角", 50)), Reach: ReachOwn}, "", ""},
		"twice the same passes": {Role{Name: "x", Reach: ReachAll, Permissions: []kernel.Permission{Export, Export}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, c.role.check(), c.field, c.why) })
	}
}
