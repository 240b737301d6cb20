package team

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/kernel"
)

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// requireInvalid checks field and reason; none of them means that the input is accepted.
func requireInvalid(t *testing.T, err error, field string, why kernel.Reason) *kernel.Error {
	t.Helper()
	if field == "" {
		require.NoError(t, err)
		return nil
	}
	require.ErrorIs(t, err, kernel.ErrInvalid)
	var e *kernel.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field, err)
	require.Equal(t, why, e.Reason, err)
	return e
}

func TestMemberCheck(t *testing.T) {
	with := func(change func(*Member)) Member {
		m := Member{User: "li", Role: Seller}
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		member Member
		field  string
		why    kernel.Reason
	}{
		"the least passes":       {with(func(*Member) {}), "", ""},
		"no user":                {with(func(m *Member) { m.User = "" }), "user", kernel.Empty},
		"201 characters":         {with(func(m *Member) { m.User = kernel.UserID(repeat("李", 201)) }), "user", kernel.TooLong},
		"200 characters pass":    {with(func(m *Member) { m.User = kernel.UserID(repeat("李", 200)) }), "", ""},
		"the system actor":       {with(func(m *Member) { m.User = kernel.SystemUser }), "user", kernel.Malformed},
		"a NUL byte":             {with(func(m *Member) { m.User = "a\x00" }), "user", kernel.BadText},
		"a hidden mark":          {with(func(m *Member) { m.Name = "a\u202eb" }), "name", kernel.BadText},
		"101 characters of name": {with(func(m *Member) { m.Name = repeat("李", 101) }), "name", kernel.TooLong},
		"no role":                {with(func(m *Member) { m.Role = "" }), "role", kernel.Empty},
		"an empty role more":     {with(func(m *Member) { m.MoreRoles = []RoleName{""} }), "more_roles", kernel.Empty},
		"20 roles more pass":     {with(func(m *Member) { m.MoreRoles = make20(RoleName("x")) }), "", ""},
		"21 roles more":          {with(func(m *Member) { m.MoreRoles = append(make20(RoleName("x")), "x") }), "more_roles", kernel.TooMany},
		"its own superior":       {with(func(m *Member) { m.Superior = "li" }), "superior", kernel.Cycle},
		"a long extension":       {with(func(m *Member) { m.PhoneExt = repeat("1", 21) }), "phone_ext", kernel.TooLong},
		"a region of one digit":  {with(func(m *Member) { m.Regions = []string{"4"} }), "regions", kernel.Malformed},
		"an empty region":        {with(func(m *Member) { m.Regions = []string{""} }), "regions", kernel.Empty},
		"no day":                 {with(func(m *Member) { m.JoinedOn = "2026-02-30" }), "joined_on", kernel.Malformed},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, c.member.check(), c.field, c.why) })
	}
}

func make20[T any](v T) []T {
	all := make([]T, 20)
	for i := range all {
		all[i] = v
	}
	return all
}

func TestDepartmentCheck(t *testing.T) {
	for name, c := range map[string]struct {
		department Department
		field      string
		why        kernel.Reason
	}{
		"the least passes": {Department{Name: "x"}, "", ""},
		"no name":          {Department{}, "name", kernel.Empty},
		"101 characters":   {Department{Name: repeat("部", 101)}, "name", kernel.TooLong},
		"a blank key":      {Department{Name: "x", Key: " "}, "key", kernel.Empty},
		"a long key":       {Department{Name: "x", Key: repeat("k", 101)}, "key", kernel.TooLong},
		"a long head":      {Department{Name: "x", Head: kernel.UserID(repeat("k", 201))}, "head", kernel.TooLong},
		"far away":         {Department{Name: "x", Sort: 1_000_001}, "sort", kernel.OutOfRange},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, c.department.check(), c.field, c.why) })
	}
}

func TestTenantCheck(t *testing.T) {
	for name, c := range map[string]struct {
		tenant Tenant
		field  string
		why    kernel.Reason
	}{
		"no name":               {Tenant{}, "name", kernel.Empty},
		"a zone of nowhere":     {Tenant{Name: "x", Zone: "Asia/Atlantis"}, "zone", kernel.Unknown},
		"the machine's zone":    {Tenant{Name: "x", Zone: "Local"}, "zone", kernel.Unknown},
		"a small currency":      {Tenant{Name: "x", Currency: "cny"}, "currency", kernel.Malformed},
		"a long currency":       {Tenant{Name: "x", Currency: "CNYX"}, "currency", kernel.Malformed},
		"another zone passes":   {Tenant{Name: "x", Zone: "Europe/Berlin"}, "", ""},
		"Chinese letters alone": {Tenant{Name: "x", Currency: "元"}, "currency", kernel.Malformed},
	} {
		t.Run(name, func(t *testing.T) { requireInvalid(t, c.tenant.check(), c.field, c.why) })
	}
	least := Tenant{Name: "x"}
	require.NoError(t, least.check())
	require.Equal(t, Tenant{Name: "x", Zone: "Asia/Shanghai", Currency: "CNY"}, least)
}

func TestDirectoryCheck(t *testing.T) {
	for name, c := range map[string]struct {
		directory Directory
		field     string
		why       kernel.Reason
		index     int
	}{
		"nothing passes":            {Directory{}, "", "", 0},
		"a complete one of nobody":  {Directory{Complete: true}, "members", kernel.Empty, -1},
		"a key twice":               {Directory{Departments: []DirectoryDepartment{{Key: "a", Name: "A"}, {Key: "b", Name: "B"}, {Key: "a", Name: "A"}}}, "departments.key", kernel.Duplicate, 2},
		"no key":                    {Directory{Departments: []DirectoryDepartment{{Name: "A"}}}, "departments.key", kernel.Empty, 0},
		"no name":                   {Directory{Departments: []DirectoryDepartment{{Key: "a", Name: "A"}, {Key: "b"}}}, "departments.name", kernel.Empty, 1},
		"a long parent":             {Directory{Departments: []DirectoryDepartment{{Key: "a", Name: "A", Parent: repeat("p", 101)}}}, "departments.parent", kernel.TooLong, 0},
		"a user twice":              {Directory{Members: []DirectoryMember{{User: "li"}, {User: "li"}}}, "members.user", kernel.Duplicate, 1},
		"no user":                   {Directory{Members: []DirectoryMember{{User: "li"}, {}}}, "members.user", kernel.Empty, 1},
		"the system actor":          {Directory{Members: []DirectoryMember{{User: "$system"}}}, "members.user", kernel.Malformed, 0},
		"its own superior":          {Directory{Members: []DirectoryMember{{User: "li", Superior: "li"}}}, "members.superior", kernel.Cycle, 0},
		"a long department":         {Directory{Members: []DirectoryMember{{User: "li", Department: repeat("d", 101)}}}, "members.department", kernel.TooLong, 0},
		"a bad region":              {Directory{Members: []DirectoryMember{{User: "li", Regions: []string{"广东"}}}}, "members.regions", kernel.Malformed, 0},
		"10,001 members":            {Directory{Members: make([]DirectoryMember, 10_001)}, "members", kernel.TooMany, -1},
		"10,001 departments":        {Directory{Departments: make([]DirectoryDepartment, 10_001)}, "departments", kernel.TooMany, -1},
		"departments before people": {Directory{Departments: []DirectoryDepartment{{}}, Members: []DirectoryMember{{}}}, "departments.key", kernel.Empty, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := requireInvalid(t, c.directory.check(), c.field, c.why)
			if e == nil {
				return
			}
			index, one := e.Item()
			require.Equal(t, c.index >= 0, one)
			if one {
				require.Equal(t, c.index, index)
			}
		})
	}
}

func TestPlaceDepartmentsFindsParentsHereAndThere(t *testing.T) {
	old := &Department{ID: 1, Key: "old"}
	a, b := &Department{ID: 2, Key: "a"}, &Department{ID: 3, Key: "b", Parent: 9}
	byKey := map[string]*Department{"old": old, "a": a, "b": b}
	items := []DirectoryDepartment{{Key: "a", Parent: "old"}, {Key: "b"}}
	require.NoError(t, placeDepartments(items, byKey, []*Department{a, b}))
	require.EqualValues(t, 1, a.Parent)
	require.Zero(t, b.Parent, "a root from now on")
	items[1].Parent = "gone"
	e := requireInvalid(t, placeDepartments(items, byKey, nil), "departments.parent", kernel.Unknown)
	require.Equal(t, 1, e.Index)
}

func TestEventsTellWhoCameAndWent(t *testing.T) {
	in, out := &Member{}, &Member{InactiveSince: noon}
	for want, c := range map[string][2]*Member{
		"member.updated": {in, in}, "member.deactivated": {in, out}, "member.activated": {out, in},
	} {
		require.Equal(t, want, eventOf(c[0], c[1]))
	}
	require.Equal(t, "member.updated", eventOf(out, out))
}
