package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// land is a company with a customer for each of its sellers, named after its owner, and two that nobody has:
//
//	Sales (head)     li 31, wang 44
//	  East           e1 31
//	    Shanghai     s1 44
//	West             w1 31
//	default pool     open 44
//	a pool of nobody closed 31
type land struct {
	*bundle
	east, shanghai, west team.DepartmentID
	closed               customer.PoolID
	named                map[string]customer.ID
}

func setupLand(t *testing.T, open Open) *land {
	t.Helper()
	b := setup(t, open)
	l := &land{bundle: b, named: map[string]customer.ID{}}
	l.east = b.department(team.Department{Name: "East", Parent: b.sales})
	l.shanghai = b.department(team.Department{Name: "Shanghai", Parent: l.east})
	l.west = b.department(team.Department{Name: "West"})
	l.closed = b.pool("closed", 0)
	_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{
		{User: "e1", Role: team.Seller, Department: l.east},
		{User: "s1", Role: team.Seller, Department: l.shanghai},
		{User: "w1", Role: team.Seller, Department: l.west},
	})
	require.NoError(t, err)
	for _, c := range []struct {
		owner, region string
	}{{"li", "310000"}, {"wang", "440300"}, {"e1", "310115"}, {"s1", "440100"}, {"w1", "31"}} {
		l.customer(c.owner, customer.Customer{Region: c.region, Ownership: customer.Ownership{OwnerID: crm.UserID(c.owner)}})
	}
	l.customer("open", customer.Customer{Region: "44"})
	l.customer("closed", customer.Customer{Region: "3101", Ownership: customer.Ownership{PoolID: l.closed}})
	return l
}

func (l *land) customer(name string, c customer.Customer) {
	l.t.Helper()
	c.Name = name
	require.NoError(l.t, l.Customers.Create(l.t.Context(), boss, &c))
	l.named[name] = c.ID
}

// actor adds a member with a role of its own that grants everything as far as a reach.
func (l *land) actor(m team.Member, reach team.Reach) crm.Actor {
	l.t.Helper()
	m.Role = team.RoleName("as far as " + string(reach))
	_, err := l.Team.Roles.Put(l.t.Context(), boss, team.Role{Name: m.Role, Reach: reach, Permissions: team.Permissions()})
	require.NoError(l.t, err)
	require.NoError(l.t, l.Team.Members.Add(l.t.Context(), boss, m))
	return crm.Actor{Tenant: "acme", User: m.User}
}

// sees checks that an actor reads the named customers and nothing else, however it asks.
func (l *land) sees(who crm.Actor, names ...string) {
	l.t.Helper()
	ctx := l.t.Context()
	var want, all []customer.ID
	for name, id := range l.named {
		all = append(all, id)
		found, err := l.Customers.Get(ctx, who, id)
		_, factsErr := l.Customers.Facts(ctx, who, id)
		if !slices.Contains(names, name) {
			requireError(l.t, err, crm.ErrNotFound, "", "")
			require.ErrorIs(l.t, factsErr, crm.ErrNotFound, name)
			continue
		}
		require.NoError(l.t, err, name)
		require.NoError(l.t, factsErr, name)
		require.Equal(l.t, name, found.Name)
		want = append(want, id)
	}
	slices.Sort(want)
	slices.Sort(all)
	require.Len(l.t, want, len(names), "all names stand for a customer")
	for _, f := range []customer.Filter{{}, {Newest: true}, {Regions: []string{"31", "44", "65"}}} {
		got := l.listed(who, f)
		slices.Sort(got)
		require.Equal(l.t, want, got, "%s", who.User)
		n, more, err := l.Customers.Count(ctx, who, f)
		require.NoError(l.t, err)
		require.False(l.t, more)
		require.Equal(l.t, len(want), n)
	}
	found, err := l.Customers.GetMany(ctx, who, all)
	require.NoError(l.t, err)
	got := []customer.ID(nil)
	for _, c := range found {
		got = append(got, c.ID)
	}
	require.Equal(l.t, want, got)
}

// listed is all of a list, two at a time.
func (l *land) listed(who crm.Actor, f customer.Filter) (ids []customer.ID) {
	l.t.Helper()
	for p := (crm.Page{Limit: 2}); ; {
		page, err := l.Customers.List(l.t.Context(), who, f, p)
		require.NoError(l.t, err)
		for _, c := range page.Items {
			ids = append(ids, c.ID)
		}
		if p.After = page.Next; page.Next == "" {
			return ids
		}
	}
}

// changes checks that an actor can change the named customers, and that the others are not there for it.
func (l *land) changes(who crm.Actor, names ...string) {
	l.t.Helper()
	ctx := l.t.Context()
	for name, id := range l.named {
		before := l.get(id)
		edited := *before
		edited.Remarks += "."
		if slices.Contains(names, name) {
			require.NoError(l.t, l.Customers.Update(ctx, who, &edited), name)
			require.NoError(l.t, l.Customers.SetStage(ctx, who, id, customer.Lost, "x"), name)
			require.NoError(l.t, l.Customers.Blacklist(ctx, who, id, "x"), name)
			require.NoError(l.t, l.Customers.Unblacklist(ctx, who, id), name)
			require.NoError(l.t, l.Customers.Delete(ctx, who, id, l.get(id).Version), name)
			_, err := l.Customers.Restore(ctx, who, id)
			require.NoError(l.t, err, name)
			continue
		}
		for call, err := range map[string]error{
			"update": l.Customers.Update(ctx, who, &edited), "stage": l.Customers.SetStage(ctx, who, id, customer.Won, ""),
			"blacklist": l.Customers.Blacklist(ctx, who, id, "x"), "lift": l.Customers.Unblacklist(ctx, who, id),
			"delete": l.Customers.Delete(ctx, who, id, before.Version), "delete, stale": l.Customers.Delete(ctx, who, id, 99),
		} {
			require.ErrorIs(l.t, err, crm.ErrNotFound, "%s %s", call, name)
		}
		require.Equal(l.t, before, l.get(id))
	}
	l.agree()
}

func testScope(t *testing.T, open Open) {
	t.Run("Reach", func(t *testing.T) { testReach(t, open) })
	t.Run("Superiors", func(t *testing.T) { testSuperiors(t, open) })
	t.Run("Pools", func(t *testing.T) { testPoolScope(t, open) })
	t.Run("members, roles and reaches at random agree with a model", func(t *testing.T) { testScopeModel(t, setup(t, open)) })
}

func testReach(t *testing.T, open Open) {
	for reach, c := range map[team.Reach]struct{ sees, changes []string }{
		team.ReachOwn:        {[]string{"x", "open"}, []string{"x"}},
		team.ReachDepartment: {[]string{"x", "e1", "open"}, []string{"x", "e1"}},
		team.ReachTree:       {[]string{"x", "e1", "s1", "open"}, []string{"x", "e1", "s1"}},
		team.ReachRegions:    {[]string{"x", "li", "e1", "w1", "closed", "open"}, []string{"x", "li", "e1", "w1", "closed"}},
		team.ReachAll: {[]string{"x", "li", "wang", "e1", "s1", "w1", "open", "closed"}, []string{
			"x", "li", "wang", "e1", "s1", "w1", "open", "closed",
		}},
	} {
		t.Run(string(reach)+" sees and changes that far, and what is beyond does not exist", func(t *testing.T) {
			l := setupLand(t, open)
			x := l.actor(team.Member{User: "x", Department: l.east, Regions: []string{"31"}}, reach)
			l.customer("x", customer.Customer{Region: "65", Ownership: customer.Ownership{OwnerID: "x"}})
			l.sees(x, c.sees...)
			l.changes(x, c.changes...)
			l.sees(x, c.sees...)
		})
	}
	t.Run("without a department or region the reaches over them are that of one's own", func(t *testing.T) {
		l := setupLand(t, open)
		for _, reach := range []team.Reach{team.ReachDepartment, team.ReachTree, team.ReachRegions} {
			l.sees(l.actor(team.Member{User: crm.UserID(reach)}, reach), "open")
		}
	})
	t.Run("a region reaches over codes that begin with it, not over those that it begins with", func(t *testing.T) {
		l := setupLand(t, open)
		l.sees(l.actor(team.Member{User: "a", Regions: []string{"3101"}}, team.ReachRegions), "e1", "closed", "open")
		l.sees(l.actor(team.Member{User: "b", Regions: []string{"310115", "65"}}, team.ReachRegions), "e1", "open")
	})
	t.Run("built-in roles reach as far as they say, and do no more than they grant", func(t *testing.T) {
		l := setupLand(t, open)
		everything := []string{"li", "wang", "e1", "s1", "w1", "open", "closed"}
		for role, sees := range map[team.RoleName][]string{
			team.Seller: {"open"}, team.Head: {"e1", "s1", "open"}, team.PoolAdmin: everything, team.Agent: everything, team.Marketer: everything,
			team.Auditor: everything, team.Admin: everything,
		} {
			require.NoError(t, l.Team.Members.Add(t.Context(), boss, team.Member{User: crm.UserID("as " + role), Role: role, Department: l.east}))
			who := crm.Actor{Tenant: "acme", User: crm.UserID("as " + role)}
			l.sees(who, sees...)
			err := l.Customers.Delete(t.Context(), who, l.named["w1"], 99)
			switch role {
			case team.PoolAdmin, team.Admin:
				require.ErrorIs(t, err, kernel.Stale)
			case team.Head:
				require.ErrorIs(t, err, crm.ErrNotFound)
			default:
				requireError(t, err, crm.ErrDenied, "", string(team.CustomerDelete))
			}
		}
	})
	t.Run("several roles add up, permission by permission", func(t *testing.T) {
		l := setupLand(t, open)
		_, err := l.Team.Roles.Put(t.Context(), boss, team.Role{Name: "west", Reach: team.ReachRegions, Permissions: []kernel.Permission{team.CustomerRead}})
		require.NoError(t, err)
		require.NoError(t, l.Team.Members.Add(t.Context(), boss, team.Member{
			User: "x", Role: team.Head, MoreRoles: []team.RoleName{"west"}, Department: l.east, Regions: []string{"44"},
		}))
		x := crm.Actor{Tenant: "acme", User: "x"}
		l.sees(x, "e1", "s1", "wang", "open")
		l.changes(x, "e1", "s1")
	})
	t.Run("who is inactive, no member, or of another tenant has no scope at all", func(t *testing.T) {
		l := setupLand(t, open)
		x := l.actor(team.Member{User: "x", Department: l.east}, team.ReachAll)
		require.NoError(t, l.Team.Members.Deactivate(t.Context(), boss, "x"))
		for _, who := range []crm.Actor{x, {Tenant: "acme", User: "nobody"}, {Tenant: "acme", User: "X"}, {Tenant: "other", User: "e1"}} {
			for name, err := range l.someCalls(who) {
				requireError(t, err, crm.ErrDenied, kernel.NotAMember, "actor.user")
				require.NotEmpty(t, name)
			}
			_, err := l.Customers.Get(t.Context(), who, l.named["li"])
			require.ErrorIs(t, err, kernel.NotAMember)
		}
		l.sees(otherLi)
		l.sees(otherBoss)
	})
	t.Run("a department that moves takes its members' customers along", func(t *testing.T) {
		l := setupLand(t, open)
		e := l.actor(team.Member{User: "e", Department: l.east}, team.ReachTree)
		w := l.actor(team.Member{User: "w", Department: l.west}, team.ReachTree)
		l.sees(e, "e1", "s1", "open")
		l.sees(w, "w1", "open")
		require.NoError(t, l.move(l.shanghai, l.west))
		l.sees(e, "e1", "open")
		l.sees(w, "w1", "s1", "open")
		l.changes(w, "w1", "s1")
		s1, err := l.Team.Members.Get(t.Context(), boss, "s1") // and so does a member
		require.NoError(t, err)
		s1.Department = l.sales
		_, err = l.Team.Members.Update(t.Context(), boss, *s1)
		require.NoError(t, err)
		l.sees(w, "w1", "open")
	})
}

func testSuperiors(t *testing.T, open Open) {
	t.Run("a head has its department and all below as its own, wherever it is itself", func(t *testing.T) {
		l := setupLand(t, open)
		x := l.actor(team.Member{User: "x", Department: l.west}, team.ReachOwn)
		l.sees(x, "open")
		l.heads(l.east, "x")
		l.sees(x, "e1", "s1", "open")
		l.changes(x, "e1", "s1")
		l.heads(l.west, "x")
		l.sees(x, "e1", "s1", "w1", "open")
		l.heads(l.east, "")
		l.sees(x, "w1", "open")
	})
	t.Run("a named superior has what its subordinates own, theirs included", func(t *testing.T) {
		l := setupLand(t, open)
		x := l.actor(team.Member{User: "x"}, team.ReachOwn)
		l.below("li", "x")
		l.below("w1", "li")
		l.below("s1", "w1")
		l.sees(x, "li", "w1", "s1", "open")
		l.changes(x, "li", "w1", "s1")
		l.sees(li, "li", "w1", "s1", "open")
		l.sees(crm.Actor{Tenant: "acme", User: "s1"}, "s1", "open")
	})
	t.Run("both ways lead on from each other", func(t *testing.T) {
		l := setupLand(t, open)
		x := l.actor(team.Member{User: "x"}, team.ReachOwn)
		l.below("li", "x")      // x is li's superior,
		l.heads(l.west, "li")   // li heads West,
		l.below("s1", "w1")     // and w1 of West is s1's superior
		l.heads(l.shanghai, "") // who heads nothing
		l.sees(x, "li", "w1", "s1", "open")
		r, err := l.Team.Rights(t.Context(), x)
		require.NoError(t, err)
		require.Equal(t, []crm.UserID{"li", "s1", "w1"}, r.Subordinates)
	})
	t.Run("circles end, and nobody is its own subordinate", func(t *testing.T) {
		l := setupLand(t, open)
		l.below("li", "w1")
		l.below("w1", "s1")
		l.below("s1", "li")
		l.heads(l.west, "w1")
		for _, who := range []string{"li", "w1", "s1"} {
			a := crm.Actor{Tenant: "acme", User: crm.UserID(who)}
			l.sees(a, "li", "w1", "s1", "open")
			r, err := l.Team.Rights(t.Context(), a)
			require.NoError(t, err)
			require.Len(t, r.Subordinates, 2)
			require.NotContains(t, r.Subordinates, a.User)
		}
	})
	t.Run("a superior releases what subordinates own, also of one who has left; others do not", func(t *testing.T) {
		l := setupLand(t, open)
		l.heads(l.east, "e1")
		l.below("w1", "li")
		require.NoError(t, l.Team.Members.Deactivate(t.Context(), boss, "s1"))
		require.NoError(t, l.Team.Members.Deactivate(t.Context(), boss, "w1"))
		e1 := crm.Actor{Tenant: "acme", User: "e1"}
		l.sees(e1, "e1", "s1", "open")
		requireRefusal(t, l.Pool.Release(t.Context(), e1, l.named["w1"], nil), pool.NotFound)
		requireRefusal(t, l.Pool.Release(t.Context(), wang, l.named["s1"], nil), pool.NotFound)
		require.NoError(t, l.Pool.Release(t.Context(), e1, l.named["s1"], nil))
		require.NoError(t, l.Pool.Release(t.Context(), li, l.named["w1"], nil))
		require.Equal(t, 2, l.operations(customer.TakenOff))
		l.agree()
	})
	t.Run("superiors of another tenant mean nothing here", func(t *testing.T) {
		l := setupLand(t, open)
		_, err := l.Team.Sync(t.Context(), otherBoss, team.Directory{
			Departments: []team.DirectoryDepartment{{Key: "a", Name: "A", Head: "li"}},
			Members:     []team.DirectoryMember{{User: "w1", Department: "a"}, {User: "wang", Superior: "li"}, {User: "li"}},
		})
		require.NoError(t, err)
		l.sees(li, "li", "open")
		l.sees(otherLi)
	})
}

// heads makes a user the head of a department.
func (l *land) heads(id team.DepartmentID, user crm.UserID) {
	l.t.Helper()
	d, err := l.oneDepartment(id)
	require.NoError(l.t, err)
	d.Head = user
	_, err = l.Team.Departments.Update(l.t.Context(), boss, *d)
	require.NoError(l.t, err)
}

// below names a member's superior.
func (l *land) below(user, superior crm.UserID) {
	l.t.Helper()
	m, err := l.Team.Members.Get(l.t.Context(), boss, user)
	require.NoError(l.t, err)
	m.Superior = superior
	_, err = l.Team.Members.Update(l.t.Context(), boss, *m)
	require.NoError(l.t, err)
}

func testPoolScope(t *testing.T, open Open) {
	t.Run("what lies in a pool is read by its members, by name, department or one above, and changed by none of them", func(t *testing.T) {
		l := setupLand(t, open)
		s1 := crm.Actor{Tenant: "acme", User: "s1"}
		for name, line := range map[string]pool.Member{
			"by name": {User: "s1"}, "by department": {Department: l.shanghai}, "by one above": {Department: l.sales},
		} {
			require.NoError(t, l.Pool.Pools.SetMembers(t.Context(), boss, l.closed, []pool.Member{line}), name)
			l.sees(s1, "s1", "open", "closed")
		}
		edited := l.get(l.named["closed"])
		require.ErrorIs(t, l.Customers.Update(t.Context(), s1, edited), crm.ErrNotFound)
		for name, line := range map[string]pool.Member{
			"another": {User: "li"}, "a department beside": {Department: l.west}, "one in another tenant's": {User: "S1"},
		} {
			require.NoError(t, l.Pool.Pools.SetMembers(t.Context(), boss, l.closed, []pool.Member{line}), name)
			l.sees(s1, "s1", "open")
		}
	})
	t.Run("what is claimed out of a pool is no longer read by its members", func(t *testing.T) {
		l := setupLand(t, open)
		require.NoError(t, l.Pool.Claim(t.Context(), li, l.named["open"]))
		l.sees(wang, "wang")
		l.sees(li, "li", "open")
		require.NoError(t, l.Pool.Release(t.Context(), li, l.named["li"], nil))
		l.sees(wang, "wang", "li")
	})
	t.Run("a pool that is public no more is read by those on its list", func(t *testing.T) {
		l := setupLand(t, open)
		l.settings(func(p *pool.Pool) { p.Public = false })
		l.sees(li, "li")
		require.NoError(t, l.Pool.Pools.SetMembers(t.Context(), boss, l.get(l.named["open"]).PoolID, []pool.Member{{Department: l.sales}}))
		l.sees(li, "li", "open")
		l.sees(crm.Actor{Tenant: "acme", User: "w1"}, "w1")
	})
}

// model is members and departments as plain maps, and their scope by its definition.
type model struct {
	parent  map[team.DepartmentID]team.DepartmentID
	head    map[team.DepartmentID]crm.UserID
	members map[crm.UserID]team.Member
	reach   map[team.RoleName]team.Reach
	region  map[crm.UserID]string // of its one customer
}

func (m *model) within(d, top team.DepartmentID) bool {
	for ; d != 0; d = m.parent[d] {
		if d == top {
			return true
		}
	}
	return false
}

// under are the members below a user, by as many steps as it takes.
func (m *model) under(boss crm.UserID) map[crm.UserID]bool {
	all := map[crm.UserID]bool{boss: true}
	for before := 0; before != len(all); {
		before = len(all)
		for user, x := range m.members {
			for b := range all {
				headed := false
				for d, head := range m.head {
					headed = headed || head == b && x.Department != 0 && m.within(x.Department, d)
				}
				if x.Superior == b || headed {
					all[user] = true
				}
			}
		}
	}
	delete(all, boss)
	return all
}

func (m *model) sees(who, owner crm.UserID) bool {
	x, y := m.members[who], m.members[owner]
	if who == owner || m.under(who)[owner] {
		return true
	}
	for _, role := range append([]team.RoleName{x.Role}, x.MoreRoles...) {
		switch m.reach[role] {
		case team.ReachAll:
			return true
		case team.ReachDepartment:
			if x.Department != 0 && y.Department == x.Department {
				return true
			}
		case team.ReachTree:
			if x.Department != 0 && m.within(y.Department, x.Department) {
				return true
			}
		case team.ReachRegions:
			if slices.ContainsFunc(x.Regions, func(r string) bool { return strings.HasPrefix(m.region[owner], r) }) {
				return true
			}
		}
	}
	return false
}

func testScopeModel(t *testing.T, b *bundle) {
	random := rand.New(rand.NewPCG(2026, 2))
	ctx := t.Context()
	m := &model{
		parent: map[team.DepartmentID]team.DepartmentID{}, head: map[team.DepartmentID]crm.UserID{}, members: map[crm.UserID]team.Member{},
		reach: map[team.RoleName]team.Reach{}, region: map[crm.UserID]string{},
	}
	user := func(i int) crm.UserID { return crm.UserID(fmt.Sprintf("r%02d", i)) }
	departments := []team.DepartmentID{0}
	for range 10 {
		d := team.Department{Name: "x", Parent: departments[random.IntN(len(departments))]}
		if random.IntN(4) == 0 {
			d.Head = user(random.IntN(24))
		}
		id := b.department(d)
		m.parent[id], m.head[id] = d.Parent, d.Head
		departments = append(departments, id)
	}
	for id, head := range m.head {
		if head == "" {
			delete(m.head, id)
		}
	}
	reaches := []team.Reach{team.ReachOwn, team.ReachOwn, team.ReachDepartment, team.ReachTree, team.ReachRegions, team.ReachAll}
	for _, reach := range reaches {
		name := team.RoleName("r-" + reach)
		m.reach[name] = reach
		_, err := b.Team.Roles.Put(ctx, boss, team.Role{Name: name, Reach: reach, Permissions: []kernel.Permission{team.CustomerRead}})
		require.NoError(t, err)
	}
	regions := []string{"31", "3101", "310115", "44", "4403", "65"}
	var ms []team.Member
	var cs []*customer.Customer
	for i := range 24 {
		x := team.Member{User: user(i), Role: team.RoleName("r-" + reaches[random.IntN(len(reaches)-1)]), Department: departments[random.IntN(len(departments))]}
		if random.IntN(3) == 0 {
			x.MoreRoles = []team.RoleName{team.RoleName("r-" + reaches[random.IntN(len(reaches))])}
		}
		if other := random.IntN(24); random.IntN(3) == 0 && other != i {
			x.Superior = user(other)
		}
		x.Regions = []string{regions[random.IntN(len(regions))]}
		m.members[x.User], m.region[x.User] = x, regions[random.IntN(len(regions))]
		ms = append(ms, x)
		cs = append(cs, &customer.Customer{Name: "x", Region: m.region[x.User], Ownership: customer.Ownership{OwnerID: x.User}})
	}
	_, err := b.Team.Members.AddMany(ctx, boss, ms)
	require.NoError(t, err)
	_, err = b.Customers.CreateMany(ctx, boss, cs, kernel.AllOrNothing)
	require.NoError(t, err)
	for _, x := range ms {
		who := crm.Actor{Tenant: "acme", User: x.User}
		var want, got []crm.UserID
		for _, y := range ms {
			if m.sees(x.User, y.User) {
				want = append(want, y.User)
			}
		}
		page, err := b.Customers.List(ctx, who, customer.Filter{}, crm.Page{Limit: 500})
		require.NoError(t, err)
		for _, c := range page.Items {
			got = append(got, c.OwnerID)
		}
		require.Equal(t, want, got, "%+v", x)
		rights, err := b.Team.Rights(ctx, who)
		require.NoError(t, err)
		require.Len(t, rights.Subordinates, len(m.under(x.User)), "%+v", x)
	}
}
