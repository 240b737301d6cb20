package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

func testTeam(t *testing.T, open Open) {
	t.Run("Tenants", func(t *testing.T) { testTenant(t, open) })
	t.Run("Members", func(t *testing.T) { testMembers(t, open) })
	t.Run("Departments", func(t *testing.T) { testDepartments(t, open) })
	t.Run("Roles", func(t *testing.T) { testRoles(t, open) })
	t.Run("Directory", func(t *testing.T) { testDirectory(t, open) })
}

func testTenant(t *testing.T, open Open) {
	t.Run("it comes back as made, with its defaults", func(t *testing.T) {
		b := setup(t, open)
		got, err := b.Team.Tenant(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, &team.Tenant{Name: "Acme", Zone: "Asia/Shanghai", Currency: "CNY", CreatedAt: start}, got)
	})
	t.Run("one that is there already is a conflict, and stays as it is", func(t *testing.T) {
		b := setup(t, open)
		before := b.count("SELECT count(*) FROM crm_audit")
		requireError(t, b.Team.CreateTenant(t.Context(), boss, team.Tenant{Name: "Another"}), crm.ErrConflict, kernel.Duplicate, "tenant")
		got, err := b.Team.Tenant(t.Context(), boss)
		require.NoError(t, err)
		require.Equal(t, "Acme", got.Name)
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_pools p JOIN crm_tenants n ON n.id = p.tenant_id WHERE n.key = 'acme'"), "of customers, and of leads")
	})
	t.Run("made by four at once: one makes it, the others meet a conflict", func(t *testing.T) {
		b := setup(t, open)
		var made atomic.Int32
		together(4, func(int) {
			err := insist(func() error {
				return b.Team.CreateTenant(t.Context(), crm.System("new", "x"), team.Tenant{Name: "New"})
			})
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, crm.ErrConflict):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, made.Load())
		require.Equal(t, 2*3, b.count("SELECT count(*) FROM crm_pools"))
		require.Equal(t, 2*3, b.count("SELECT count(*) FROM crm_policies"))
	})
	t.Run("the same request makes it once; with other content it is refused", func(t *testing.T) {
		b := setup(t, open)
		by := crm.System("new", "x")
		by.Request = "r1"
		for range 2 {
			require.NoError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "New"}))
			b.wait(time.Second)
		}
		requireError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "Newer"}), crm.ErrConflict, kernel.Reused, "actor.request")
		by.Request = "r2"
		requireError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "New"}), crm.ErrConflict, kernel.Duplicate, "tenant")
		by.Request = "r1"
		require.NoError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "New"}), "a refusal in between takes nothing back")
	})
	t.Run("names are compared byte by byte", func(t *testing.T) {
		b := setup(t, open)
		for _, key := range []crm.TenantID{"ACME", "公海", "O'Neil ? \\ %", "acme."} {
			by := crm.System(key, "x")
			require.NoError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: string(key)}))
			got, err := b.Team.Tenant(t.Context(), by)
			require.NoError(t, err)
			require.Equal(t, string(key), got.Name)
		}
	})
	t.Run("one that nobody made is not found, whoever asks; a missing one is invalid", func(t *testing.T) {
		b := setup(t, open)
		for _, who := range []crm.Actor{{Tenant: "nobody", User: "li"}, crm.System("nobody", "x")} {
			for name, err := range b.someCalls(who) {
				requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
				require.NotEmpty(t, name)
			}
		}
		for _, who := range []crm.Actor{{User: "li"}, {Tenant: "acme"}, {}, {Tenant: "acme", User: "$system"}} {
			for name, err := range b.someCalls(who) {
				require.ErrorIs(t, err, crm.ErrInvalid, name)
			}
		}
	})
	t.Run("what a host makes in its transaction and rolls back was never there", func(t *testing.T) {
		b := setup(t, open)
		by := crm.System("new", "x")
		tx := b.begin()
		require.NoError(t, b.In(tx).Team.CreateTenant(t.Context(), by, team.Tenant{Name: "New"}))
		require.NoError(t, b.In(tx).Team.Members.Add(t.Context(), by, team.Member{User: "li", Role: team.Seller}))
		c := &customer.Customer{Name: "x"}
		require.NoError(t, b.In(tx).Customers.Create(t.Context(), crm.Actor{Tenant: "new", User: "li"}, c))
		require.NoError(t, tx.Rollback())
		_, err := b.Team.Tenant(t.Context(), by)
		requireError(t, err, crm.ErrNotFound, "", "actor.tenant")
		require.NoError(t, b.Team.CreateTenant(t.Context(), by, team.Tenant{Name: "New"}))
		l, err := b.Team.Members.List(t.Context(), by, team.MemberFilter{}, crm.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Items)
	})
	t.Run("every use case of the team runs inside the host's transaction on one connection", func(t *testing.T) {
		b := setup(t, open)
		b.db.SetMaxOpenConns(1)
		tx := b.begin()
		in := b.In(tx)
		everyTeamUseCase(t, b, in)
		_, err := in.Team.ForgetRequests(t.Context(), boss)
		requireError(t, err, crm.ErrInvalid, kernel.OwnCommits, "")
		requireError(t, in.Team.DropTenant(t.Context(), boss, nil), crm.ErrInvalid, kernel.OwnCommits, "")
		require.NoError(t, tx.Commit())
		b.agree()
	})
}

// someCalls is one call of each module.
func (b *bundle) someCalls(who crm.Actor) map[string]error {
	ctx, calls := b.t.Context(), map[string]error{}
	_, calls["tenant"] = b.Team.Tenant(ctx, who)
	_, calls["rights"] = b.Team.Rights(ctx, who)
	_, calls["members"] = b.Team.Members.List(ctx, who, team.MemberFilter{}, crm.Page{})
	calls["seen"] = b.Team.Members.Seen(ctx, who)
	calls["add"] = b.Team.Members.Add(ctx, who, team.Member{User: "x", Role: team.Seller})
	_, calls["department"] = b.Team.Departments.Create(ctx, who, team.Department{Name: "x"})
	_, calls["role"] = b.Team.Roles.Put(ctx, who, team.Role{Name: "x", Reach: team.ReachOwn})
	_, calls["sync"] = b.Team.Sync(ctx, who, team.Directory{})
	_, calls["audit"] = b.Team.Trail.Audit(ctx, who, team.TrailFilter{}, crm.Page{})
	_, calls["customers"] = b.Customers.List(ctx, who, customer.Filter{}, crm.Page{})
	calls["create"] = b.Customers.Create(ctx, who, &customer.Customer{Name: "x"})
	calls["claim"] = b.Pool.Claim(ctx, who, 1)
	_, calls["pools"] = b.Pool.Pools.List(ctx, who, crm.Page{})
	return calls
}

func everyTeamUseCase(t *testing.T, b *bundle, in *crm.CRM) {
	t.Helper()
	ctx := t.Context()
	d, err := in.Team.Departments.Create(ctx, boss, team.Department{Name: "New"})
	require.NoError(t, err)
	d.Parent = b.sales
	d, err = in.Team.Departments.Update(ctx, boss, *d)
	require.NoError(t, err)
	require.NoError(t, in.Team.Departments.Delete(ctx, boss, d.ID))
	m, err := in.Team.Members.Get(ctx, boss, "li")
	require.NoError(t, err)
	m.Name = "李"
	_, errUpdate := in.Team.Members.Update(ctx, boss, *m)
	_, errRole := in.Team.Roles.Put(ctx, boss, team.Role{Name: "x", Reach: team.ReachOwn})
	_, errRoles := in.Team.Roles.List(ctx, li)
	_, errSync := in.Team.Sync(ctx, boss, team.Directory{Departments: []team.DirectoryDepartment{{Key: "a", Name: "A"}}})
	_, errMembers := in.Team.Members.List(ctx, li, team.MemberFilter{Role: team.Seller}, crm.Page{})
	_, errDepartments := in.Team.Departments.List(ctx, li, crm.Page{})
	_, errTenant := in.Team.Tenant(ctx, li)
	for name, err := range map[string]error{
		"update": errUpdate, "role": errRole, "roles": errRoles, "sync": errSync, "members": errMembers, "departments": errDepartments, "tenant": errTenant,
		"role gone": in.Team.Roles.Delete(ctx, boss, "x"), "deactivate": in.Team.Members.Deactivate(ctx, boss, "wang"),
		"seen": in.Team.Members.Seen(ctx, li),
	} {
		require.NoError(t, err, name)
	}
	require.NoError(t, in.Team.Members.Activate(ctx, boss, "wang"))
}

func testMembers(t *testing.T, open Open) {
	t.Run("a member comes back as written, to the microsecond and in UTC", func(t *testing.T) {
		b := setup(t, open)
		b.wait(time.Microsecond)
		m := team.Member{
			User: "o'neil \\ ? \" 李", Name: "O'Neil \\ ? 李", Role: team.Seller, MoreRoles: []team.RoleName{team.Agent, team.Marketer}, Department: b.sales,
			Superior: "wang", PhoneExt: "8001", Regions: []string{"31", "4403"}, JoinedOn: "2024-02-29",
		}
		made, err := b.Team.Members.AddMany(t.Context(), admin, []team.Member{m})
		require.NoError(t, err)
		got, err := b.Team.Members.Get(t.Context(), li, m.User)
		require.NoError(t, err)
		require.Equal(t, made[0], got)
		m.ID, m.Version, m.CreatedAt, m.UpdatedAt = got.ID, 1, b.now().UTC(), b.now().UTC()
		require.Equal(t, &m, got)
	})
	t.Run("a user twice is a conflict that names the item, and nobody is added", func(t *testing.T) {
		b := setup(t, open)
		for name, ms := range map[string][]team.Member{
			"a member already":    {{User: "zz", Role: team.Seller}, {User: "li", Role: team.Seller}},
			"twice in the call":   {{User: "zz", Role: team.Seller}, {User: "zz", Role: team.Seller}},
			"and the first of it": {{User: "zz", Role: team.Seller}, {User: "zz", Role: team.Head}, {User: "li", Role: team.Seller}},
		} {
			_, err := b.Team.Members.AddMany(t.Context(), boss, ms)
			e := requireError(t, err, crm.ErrConflict, kernel.Duplicate, "user")
			index, one := e.Item()
			require.True(t, one, name)
			require.Equal(t, 1, index, name)
			_, err = b.Team.Members.Get(t.Context(), boss, "zz")
			require.ErrorIs(t, err, crm.ErrNotFound, name)
		}
		err := b.Team.Members.Add(t.Context(), boss, team.Member{User: "li", Role: team.Seller})
		_, one := requireError(t, err, crm.ErrConflict, kernel.Duplicate, "user").Item()
		require.False(t, one)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "LI", Role: team.Seller}), "users are compared byte by byte")
	})
	t.Run("a role or department that the tenant does not have is invalid, with the item", func(t *testing.T) {
		b := setup(t, open)
		for field, m := range map[string]team.Member{
			"role": {User: "x", Role: "president"}, "department": {User: "x", Role: team.Seller, Department: 1 << 40},
		} {
			_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{{User: "y", Role: team.Seller}, m})
			index, _ := requireError(t, err, crm.ErrInvalid, kernel.Unknown, field).Item()
			require.Equal(t, 1, index)
		}
		_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{{User: "x", Role: team.Seller, MoreRoles: []team.RoleName{"president"}}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "role")
	})
	t.Run("an update of an older version is stale; one that changes nothing writes nothing", func(t *testing.T) {
		b := setup(t, open)
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		before := b.count("SELECT count(*) FROM crm_audit")
		same, err := b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		require.Equal(t, m, same)
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		b.wait(time.Second)
		old := *m
		m.Name, m.Department, m.MoreRoles = "李", 0, []team.RoleName{team.Auditor}
		next, err := b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		require.EqualValues(t, 2, next.Version)
		require.Equal(t, b.now().UTC(), next.UpdatedAt)
		got, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, next, got)
		_, err = b.Team.Members.Update(t.Context(), boss, old)
		requireError(t, err, crm.ErrConflict, kernel.Stale, "version")
		_, err = b.Team.Members.Update(t.Context(), boss, team.Member{User: "nobody", Role: team.Seller})
		require.ErrorIs(t, err, crm.ErrNotFound)
	})
	t.Run("of 8 updates of one version at once, one wins and the others are stale", func(t *testing.T) {
		b := setup(t, open)
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		var won atomic.Int32
		together(8, func(i int) {
			mine := *m
			mine.Name = string(rune('a' + i))
			err := insist(func() error { _, err := b.Team.Members.Update(t.Context(), boss, mine); return err })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, kernel.Stale):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		b.agree()
	})
	t.Run("the list has active ones or inactive ones, of departments with those below, of a role, page by page", func(t *testing.T) {
		b := setup(t, open)
		east := b.department(team.Department{Name: "East", Parent: b.sales})
		shanghai := b.department(team.Department{Name: "Shanghai", Parent: east})
		west := b.department(team.Department{Name: "West"})
		_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{
			{User: "e", Role: team.Seller, Department: east},
			{User: "s", Role: team.Agent, Department: shanghai, MoreRoles: []team.RoleName{team.Seller}},
			{User: "w", Role: team.Agent, Department: west},
			{User: "gone", Role: team.Seller, Department: shanghai},
		})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "gone"))
		for name, c := range map[string]struct {
			filter team.MemberFilter
			want   []crm.UserID
		}{
			"all":                     {team.MemberFilter{}, []crm.UserID{"li", "wang", "head", "admin", "e", "s", "w"}},
			"inactive":                {team.MemberFilter{Inactive: true}, []crm.UserID{"gone"}},
			"a department and below":  {team.MemberFilter{Departments: []team.DepartmentID{east}}, []crm.UserID{"e", "s"}},
			"two departments":         {team.MemberFilter{Departments: []team.DepartmentID{shanghai, west}}, []crm.UserID{"s", "w"}},
			"a role, first or not":    {team.MemberFilter{Role: team.Seller}, []crm.UserID{"li", "wang", "e", "s"}},
			"a role in a department":  {team.MemberFilter{Role: team.Agent, Departments: []team.DepartmentID{b.sales}}, []crm.UserID{"s"}},
			"a role that nobody has":  {team.MemberFilter{Role: `se"ller`}, nil},
			"a department of nowhere": {team.MemberFilter{Departments: []team.DepartmentID{1 << 40}}, nil},
		} {
			require.Equal(t, c.want, b.users(c.filter, 500), name)
			require.Equal(t, c.want, b.users(c.filter, 2), name+", page by page")
		}
	})
	t.Run("seen rises and never falls; it is no change of version and not on the trail", func(t *testing.T) {
		b := setup(t, open)
		before := b.count("SELECT count(*) FROM crm_audit")
		b.wait(time.Hour)
		at := b.now().UTC()
		require.NoError(t, b.Team.Members.Seen(t.Context(), li))
		b.wait(-time.Minute)
		require.NoError(t, b.Team.Members.Seen(t.Context(), li))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, at, m.LastSeenAt)
		require.EqualValues(t, 1, m.Version)
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		m.Name = "李" // and an update does not take it back
		_, err = b.Team.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		m, err = b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, at, m.LastSeenAt)
		require.ErrorIs(t, b.Team.Members.Seen(t.Context(), crm.Actor{Tenant: "acme", User: "nobody"}), kernel.NotAMember)
	})
	t.Run("deactivated twice is once, and activated the member may act again", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), admin, "li"))
		at := b.now().UTC()
		b.wait(time.Hour)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), admin, "li"))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, at, m.InactiveSince)
		require.EqualValues(t, 2, m.Version)
		for name, err := range b.someCalls(li) {
			requireError(t, err, crm.ErrDenied, kernel.NotAMember, "actor.user")
			require.NotEmpty(t, name)
		}
		require.NoError(t, b.Team.Members.Activate(t.Context(), admin, "li"))
		_, err = b.Team.Tenant(t.Context(), li)
		require.NoError(t, err)
		require.Equal(t, []string{"member.added", "member.deactivated", "member.activated"}, b.types(m.Ref()))
	})
	t.Run("the same users added by 4 at once, in different orders: one adds them, the others meet a conflict", func(t *testing.T) {
		b := setup(t, open)
		var ms []team.Member
		for i := range 600 { // several statements on SQLite, one that takes its time on Postgres
			ms = append(ms, team.Member{User: crm.UserID(fmt.Sprintf("n%03d", i)), Role: team.Seller})
		}
		var added atomic.Int32
		together(4, func(i int) {
			mine := slices.Clone(ms)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			_, err := b.Team.Members.AddMany(t.Context(), boss, mine)
			switch {
			case err == nil:
				added.Add(1)
			case !errors.Is(err, crm.ErrConflict):
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, added.Load())
		require.Equal(t, 600+5, b.count("SELECT count(*) FROM crm_members"))
		b.agree()
	})
}

// users are the members of a list, page by page.
func (b *bundle) users(f team.MemberFilter, limit int) (users []crm.UserID) {
	b.t.Helper()
	for p := (crm.Page{Limit: limit}); ; {
		l, err := b.Team.Members.List(b.t.Context(), boss, f, p)
		require.NoError(b.t, err)
		for _, m := range l.Items {
			users = append(users, m.User)
		}
		if p.After = l.Next; l.Next == "" {
			return users
		}
	}
}

// types are the types of the events of a subject, in their order.
func (b *bundle) types(of kernel.Ref) (types []string) {
	b.t.Helper()
	l, err := b.Team.Trail.Events(b.t.Context(), boss, team.TrailFilter{Subject: of}, crm.Page{Limit: 500})
	require.NoError(b.t, err)
	for i, e := range l.Items {
		require.EqualValues(b.t, i+1, e.Seq)
		types = append(types, e.Type)
	}
	return types
}
