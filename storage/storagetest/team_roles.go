package storagetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/team"
)

func testRoles(t *testing.T, open Open) {
	reads := []kernel.Permission{team.CustomerRead, team.TeamRead}
	t.Run("a role comes back as defined, in the place of a built-in one of its name", func(t *testing.T) {
		b := setup(t, open)
		made, err := b.Team.Roles.Put(t.Context(), admin, team.Role{Name: "审计 '?", Title: "外部审计", Reach: team.ReachRegions, Permissions: reads})
		require.NoError(t, err)
		l, err := b.Team.Roles.List(t.Context(), li)
		require.NoError(t, err)
		require.Len(t, l, 8)
		require.Contains(t, l, made)
		b.wait(time.Second)
		again, err := b.Team.Roles.Put(t.Context(), admin, team.Role{Name: made.Name, Reach: team.ReachOwn})
		require.NoError(t, err)
		require.Equal(t, made.ID, again.ID)
		require.EqualValues(t, 2, again.Version)
		require.Equal(t, start, again.CreatedAt)
		_, err = b.Team.Roles.Put(t.Context(), admin, team.Role{Name: team.Seller, Reach: team.ReachAll, Permissions: reads})
		require.NoError(t, err)
		l, err = b.Team.Roles.List(t.Context(), li)
		require.NoError(t, err)
		require.Len(t, l, 8)
		id := b.create(1, "wang")[0]
		_, err = b.Customers.Get(t.Context(), li, id)
		require.NoError(t, err, "sellers see all now")
		requireError(t, b.Pool.Claim(t.Context(), li, id), crm.ErrDenied, "", string(team.PoolClaim))
		require.NoError(t, b.Team.Roles.Delete(t.Context(), admin, team.Seller), "a built-in one takes its place, though members have it")
		_, err = b.Customers.Get(t.Context(), li, id)
		require.ErrorIs(t, err, crm.ErrNotFound)
		require.ErrorIs(t, b.Team.Roles.Delete(t.Context(), admin, team.Seller), crm.ErrNotFound)
	})
	t.Run("what another tenant defines means nothing here", func(t *testing.T) {
		b := setup(t, open)
		for _, name := range []team.RoleName{team.Seller, "own"} {
			_, err := b.Team.Roles.Put(t.Context(), otherBoss, team.Role{Name: name, Reach: team.ReachAll, Permissions: team.Permissions()})
			require.NoError(t, err)
		}
		r, err := b.Team.Rights(t.Context(), li)
		require.NoError(t, err)
		require.NotContains(t, r.Grants, team.TeamManage)
		err = b.Team.Members.Add(t.Context(), boss, team.Member{User: "x", Role: "own"})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "role")
		r, err = b.Team.Rights(t.Context(), otherLi)
		require.NoError(t, err)
		require.True(t, r.Grants[team.TeamManage].All)
	})
	t.Run("one that a member has, first or not, active or not, is in use", func(t *testing.T) {
		b := setup(t, open)
		for _, name := range []team.RoleName{`a"b`, "b", "c"} {
			_, err := b.Team.Roles.Put(t.Context(), boss, team.Role{Name: name, Reach: team.ReachOwn})
			require.NoError(t, err)
		}
		_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{
			{User: "x", Role: "c"}, {User: "y", Role: team.Seller, MoreRoles: []team.RoleName{team.Agent, `a"b`}},
		})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "x"))
		requireError(t, b.Team.Roles.Delete(t.Context(), boss, "c"), crm.ErrRefused, kernel.InUse, "role")
		requireError(t, b.Team.Roles.Delete(t.Context(), boss, `a"b`), crm.ErrRefused, kernel.InUse, "role")
		require.NoError(t, b.Team.Roles.Delete(t.Context(), boss, "b"))
		require.Equal(t, []crm.UserID{"y"}, b.users(team.MemberFilter{Role: `a"b`}, 500))
	})
	t.Run("what this process changes counts at once; what another changes, after 5 seconds", func(t *testing.T) {
		b := setup(t, open)
		keeps := func(o *crm.Options) { o.KeepRights = 5 * time.Second }
		b.CRM = b.open(keeps)
		here, there := b.CRM.Team, b.open(keeps).Team
		may := func(s *team.Service) bool {
			r, err := s.Rights(t.Context(), li)
			require.NoError(t, err)
			_, err = r.Scope(team.TeamManage)
			return err == nil
		}
		require.False(t, may(here) || may(there))
		m, err := here.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		m.Role = team.Admin
		_, err = here.Members.Update(t.Context(), boss, *m)
		require.NoError(t, err)
		require.True(t, may(here))
		b.wait(5*time.Second - time.Microsecond)
		require.False(t, may(there))
		b.wait(time.Microsecond)
		require.True(t, may(there))
	})
	t.Run("in a host's transaction its own changes count, and nowhere else before it commits", func(t *testing.T) {
		b := setup(t, open)
		b.CRM = b.open(func(o *crm.Options) { o.KeepRights = time.Minute })
		_, err := b.Team.Rights(t.Context(), li) // kept from here on
		require.NoError(t, err)
		tx := b.begin()
		in := b.In(tx)
		require.NoError(t, in.Team.Members.Deactivate(t.Context(), boss, "li"))
		_, err = in.Team.Rights(t.Context(), li)
		require.ErrorIs(t, err, kernel.NotAMember)
		require.NoError(t, in.Team.Members.Add(t.Context(), boss, team.Member{User: "new", Role: team.Admin}))
		newcomer := crm.Actor{Tenant: "acme", User: "new"}
		_, err = in.Team.Rights(t.Context(), newcomer)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())
		_, err = b.Team.Rights(t.Context(), newcomer)
		require.ErrorIs(t, err, kernel.NotAMember)
		_, err = b.Team.Rights(t.Context(), li)
		require.NoError(t, err)
	})
	t.Run("a permission over the directory counts only from a role that reaches all", func(t *testing.T) {
		b := setup(t, open)
		_, err := b.Team.Roles.Put(t.Context(), boss, team.Role{Name: "personnel", Reach: team.ReachTree, Permissions: team.Permissions()})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "x", Role: "personnel", Department: b.sales}))
		x := crm.Actor{Tenant: "acme", User: "x"}
		m, err := b.Team.Members.Get(t.Context(), x, "x")
		require.NoError(t, err)
		m.Role = team.Admin
		_, err = b.Team.Members.Update(t.Context(), x, *m)
		requireError(t, err, crm.ErrDenied, "", string(team.TeamManage))
		_, err = b.Team.Sync(t.Context(), x, team.Directory{})
		requireError(t, err, crm.ErrDenied, "", string(team.TeamManage))
		_, err = b.Team.Trail.Audit(t.Context(), x, team.TrailFilter{}, crm.Page{})
		requireError(t, err, crm.ErrDenied, "", string(team.AuditRead))
	})
}

// house is a directory with its departments in no order.
func directory() team.Directory {
	return team.Directory{
		Departments: []team.DirectoryDepartment{
			{Key: "pudong", Parent: "shanghai", Name: "Pudong"}, {Key: "east", Name: "East", Head: "e1", Sort: 2}, {Key: "shanghai", Parent: "east", Name: "Shanghai"},
		},
		Members: []team.DirectoryMember{
			{User: "e1", Name: "E", Role: team.Head, Department: "east", PhoneExt: "1", Regions: []string{"31"}, JoinedOn: "2020-01-01"},
			{User: "p1", Name: "P", Department: "pudong", Superior: "e1"},
			{User: "gone", Inactive: true},
		},
	}
}

func (b *bundle) sync(d team.Directory) team.SyncReport {
	b.t.Helper()
	report, err := b.Team.Sync(b.t.Context(), boss, d)
	require.NoError(b.t, err)
	return report
}

func testDirectory(t *testing.T, open Open) {
	t.Run("a directory is mirrored, and the same again changes nothing", func(t *testing.T) {
		b := setup(t, open)
		require.Equal(t, team.SyncReport{DepartmentsAdded: 3, MembersAdded: 3}, b.sync(directory()))
		b.treeAgrees()
		m, err := b.Team.Members.Get(t.Context(), boss, "e1")
		require.NoError(t, err)
		require.Equal(t, team.Head, m.Role)
		require.EqualValues(t, "2020-01-01", m.JoinedOn)
		require.Equal(t, []string{"31"}, m.Regions)
		p, err := b.Team.Members.Get(t.Context(), boss, "p1")
		require.NoError(t, err)
		require.Equal(t, team.Seller, p.Role)
		require.EqualValues(t, "e1", p.Superior)
		d, err := b.oneDepartment(p.Department)
		require.NoError(t, err)
		require.Equal(t, "pudong", d.Key)
		require.EqualValues(t, 1, d.Version, "made with its parent, though that came later in the list")
		require.Equal(t, []string{"department.created"}, b.types(d.Ref()))
		require.Equal(t, []crm.UserID{"e1", "p1"}, b.users(team.MemberFilter{Departments: []team.DepartmentID{m.Department}}, 500))
		require.Equal(t, []crm.UserID{"gone"}, b.users(team.MemberFilter{Inactive: true}, 500))
		before := b.count("SELECT count(*) FROM crm_audit")
		b.wait(day)
		require.Equal(t, team.SyncReport{Unchanged: 6}, b.sync(directory()))
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		b.agree()
	})
	t.Run("what differs is changed: renamed, moved, gone and back; what it does not know stays", func(t *testing.T) {
		b := setup(t, open)
		b.sync(directory())
		p, err := b.Team.Members.Get(t.Context(), boss, "p1")
		require.NoError(t, err)
		p.Role, p.MoreRoles = team.Agent, []team.RoleName{team.Marketer}
		_, err = b.Team.Members.Update(t.Context(), boss, *p)
		require.NoError(t, err)
		d := directory()
		d.Departments = append(d.Departments, team.DirectoryDepartment{Key: "west", Name: "West", Parent: "pudong"})
		d.Departments[1].Parent = "" // east stays a root
		d.Departments[2].Parent, d.Departments[2].Name = "", "上海"
		d.Members[1] = team.DirectoryMember{User: "p1", Department: "west", Inactive: true}
		d.Members[2].Inactive = false
		require.Equal(t, team.SyncReport{DepartmentsAdded: 1, DepartmentsChanged: 1, MembersChanged: 2, Unchanged: 3}, b.sync(d))
		b.treeAgrees()
		p, err = b.Team.Members.Get(t.Context(), boss, "p1")
		require.NoError(t, err)
		require.Empty(t, string(p.Superior)+p.Name)
		require.Equal(t, team.Agent, p.Role, "the directory names none")
		require.Equal(t, []team.RoleName{team.Marketer}, p.MoreRoles)
		require.Equal(t, []string{"member.added", "member.updated", "member.deactivated"}, b.types(p.Ref()))
		gone, err := b.Team.Members.Get(t.Context(), boss, "gone")
		require.NoError(t, err)
		require.True(t, gone.Active())
		require.Equal(t, team.SyncReport{Unchanged: 7}, b.sync(d))
	})
	t.Run("two departments that change places are one sync; a circle is refused whole", func(t *testing.T) {
		b := setup(t, open)
		b.sync(directory())
		d := directory()
		d.Departments[0].Parent, d.Departments[1].Parent, d.Departments[2].Parent = "", "shanghai", "pudong"
		require.Equal(t, 3, b.sync(d).DepartmentsChanged)
		b.treeAgrees()
		d.Departments[0].Parent, d.Departments[1].Parent, d.Departments[2].Parent, d.Departments[2].Name = "shanghai", "shanghai", "", "上海"
		require.Equal(t, 2, b.sync(d).DepartmentsChanged)
		b.treeAgrees()
		d.Departments[0].Parent, d.Departments[2].Sort = "east", 7 // one moves, and a later one does not
		require.Equal(t, 2, b.sync(d).DepartmentsChanged)
		b.treeAgrees()
		before := b.count("SELECT count(*) FROM crm_audit")
		d.Departments[1].Parent, d.Members[0].Name = "pudong", "another"
		_, err := b.Team.Sync(t.Context(), boss, d)
		requireError(t, err, crm.ErrInvalid, kernel.Cycle, "parent")
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		b.treeAgrees()
	})
	t.Run("a name that stands for nothing refuses the whole sync, with the item", func(t *testing.T) {
		b := setup(t, open)
		before := b.count("SELECT count(*) FROM crm_audit")
		for field, change := range map[string]func(*team.Directory){
			"departments.parent": func(d *team.Directory) { d.Departments[1].Parent = "nowhere" },
			"members.department": func(d *team.Directory) { d.Members[1].Department = "nowhere" },
			"members.role":       func(d *team.Directory) { d.Members[1].Role = "president" },
		} {
			d := directory()
			change(&d)
			_, err := b.Team.Sync(t.Context(), boss, d)
			index, one := requireError(t, err, crm.ErrInvalid, kernel.Unknown, field).Item()
			require.True(t, one)
			require.Equal(t, 1, index)
		}
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_departments"))
	})
	t.Run("a complete directory ends all whom it does not name, of its own tenant", func(t *testing.T) {
		b := setup(t, open)
		ms := make([]team.Member, 1_100) // more than one batch
		for i := range ms {
			ms[i] = team.Member{User: crm.UserID(fmt.Sprintf("n%04d", i)), Role: team.Seller}
		}
		_, err := b.Team.Members.AddMany(t.Context(), boss, ms)
		require.NoError(t, err)
		id := b.create(1, "li")[0]
		b.wait(time.Second)
		report := b.sync(team.Directory{Complete: true, Members: []team.DirectoryMember{
			{User: "wang", Department: ""}, {User: "n0007"}, {User: `new "\'?李`},
		}})
		require.Equal(t, team.SyncReport{MembersAdded: 1, MembersChanged: 1, MembersEnded: 1_102, Unchanged: 1}, report)
		require.Equal(t, []crm.UserID{"wang", "n0007", `new "\'?李`}, b.users(team.MemberFilter{}, 500))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, b.now().UTC(), m.InactiveSince)
		require.Equal(t, []string{"member.added", "member.deactivated"}, b.types(m.Ref()))
		require.EqualValues(t, "li", b.owner(id), "its customers stay where they are")
		_, err = b.Team.Tenant(t.Context(), otherLi)
		require.NoError(t, err)
		_, err = b.Team.Sync(t.Context(), boss, team.Directory{Complete: true})
		requireError(t, err, crm.ErrInvalid, kernel.Empty, "members")
		b.agree()
	})
	t.Run("four syncs at once: the result is that of one", func(t *testing.T) {
		b := setup(t, open)
		var added atomic.Int32
		together(4, func(int) {
			err := insist(func() error {
				report, err := b.Team.Sync(t.Context(), boss, directory())
				if err == nil {
					added.Add(int32(report.MembersAdded))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		require.EqualValues(t, 3, added.Load())
		require.Equal(t, 4, b.count("SELECT count(*) FROM crm_departments"))
		b.treeAgrees()
		b.agree()
	})
	t.Run("syncs beside members and departments that others change: no error but retry, and nothing lost", func(t *testing.T) {
		b := setup(t, open)
		b.sync(directory())
		d := directory()
		for i := range 40 {
			d.Members = append(d.Members, team.DirectoryMember{User: crm.UserID(fmt.Sprintf("n%02d", i)), Department: "pudong"})
		}
		together(6, func(i int) {
			err := insist(func() error {
				switch i {
				case 0, 1:
					mine := d
					mine.Departments = directory().Departments
					mine.Departments[1].Head = crm.UserID(fmt.Sprintf("n%02d", i))
					_, err := b.Team.Sync(t.Context(), boss, mine)
					return err
				case 2, 3:
					m := team.Member{User: crm.UserID(fmt.Sprintf("n%02d", 10*i)), Role: team.Seller, Department: b.sales}
					if err := b.Team.Members.Add(t.Context(), boss, m); err != nil && !errors.Is(err, crm.ErrConflict) {
						return err
					}
					return nil
				case 4:
					return b.Team.Members.Deactivate(t.Context(), boss, "li")
				}
				_, err := b.Team.Departments.Create(t.Context(), boss, team.Department{Name: "x", Parent: b.sales})
				return err
			})
			if err != nil {
				t.Error(i, err)
			}
		})
		require.Equal(t, 5+3+40, b.count("SELECT count(*) FROM crm_members"))
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.False(t, m.Active())
		b.treeAgrees()
		b.agree()
	})
	t.Run("the same request again returns the first report", func(t *testing.T) {
		b := setup(t, open)
		by := boss
		by.Request = "r1"
		for range 2 {
			report, err := b.Team.Sync(t.Context(), by, directory())
			require.NoError(t, err)
			require.Equal(t, team.SyncReport{DepartmentsAdded: 3, MembersAdded: 3}, report)
		}
		d := directory()
		d.Complete = true
		_, err := b.Team.Sync(t.Context(), by, d)
		requireError(t, err, crm.ErrConflict, kernel.Reused, "actor.request")
	})
	t.Run("a member that came by a sync sells", func(t *testing.T) {
		b := setup(t, open)
		b.sync(directory())
		p1 := crm.Actor{Tenant: "acme", User: "p1"}
		c := &customer.Customer{Name: "x", Ownership: customer.Ownership{OwnerID: "p1"}}
		require.NoError(t, b.Customers.Create(t.Context(), p1, c))
		_, err := b.Customers.Get(t.Context(), crm.Actor{Tenant: "acme", User: "e1"}, c.ID)
		require.NoError(t, err, "its head sees it")
	})
}
