package team_test

import (
	"context"
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/storage/sqlite"
	"github.com/openseas/crm/team"
)

// inMemory is a CRM with the tenant acme, on a database that goes with the program.
func inMemory(ctx context.Context) (*crm.CRM, error) {
	db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	store := sqlite.New(db, nil)
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	c, err := crm.New(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	return c, c.Team.CreateTenant(ctx, crm.System("acme", "example"), team.Tenant{Name: "Acme"})
}

// A host with a directory of its own mirrors it, as often as it likes.
func ExampleService_Sync() {
	ctx := context.Background()
	c, err := inMemory(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	boss := crm.System("acme", "nightly sync")
	directory := team.Directory{
		Departments: []team.DirectoryDepartment{
			{Key: "sales", Name: "Sales", Head: "zhao"}, {Key: "east", Parent: "sales", Name: "East"},
		},
		Members: []team.DirectoryMember{
			{User: "zhao", Name: "赵", Department: "sales", Role: team.Head}, {User: "li", Name: "李", Department: "east"},
		},
		Complete: true, // who is not named has left
	}
	for range 2 {
		report, err := c.Team.Sync(ctx, boss, directory)
		fmt.Println(report.DepartmentsAdded, "departments and", report.MembersAdded, "members added,", report.Unchanged, "unchanged", err)
	}

	blue := &customer.Customer{Name: "蓝鲸机械有限公司", Ownership: customer.Ownership{OwnerID: "li"}}
	if err := c.Customers.Create(ctx, crm.Actor{Tenant: "acme", User: "li"}, blue); err != nil {
		fmt.Println(err)
	}
	seen, err := c.Customers.Get(ctx, crm.Actor{Tenant: "acme", User: "zhao"}, blue.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("their head sees", seen.Name, "of", seen.OwnerID)
	// Output:
	// 2 departments and 2 members added, 0 unchanged <nil>
	// 0 departments and 0 members added, 4 unchanged <nil>
	// their head sees 蓝鲸机械有限公司 of li
}

// A tenant defines roles of its own beside the built-in ones: what they may do, and how far they reach.
func ExampleRoles_Put() {
	ctx := context.Background()
	c, err := inMemory(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	boss := crm.System("acme", "set-up")
	_, err = c.Team.Roles.Put(ctx, boss, team.Role{
		Name: "field", Title: "大区经理", Reach: team.ReachRegions, Permissions: []team.Permission{team.CustomerRead, team.InteractionWrite},
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := c.Team.Members.Add(ctx, boss, team.Member{User: "sun", Role: "field", Regions: []string{"31", "32"}}); err != nil {
		fmt.Println(err)
	}
	rights, err := c.Team.Rights(ctx, crm.Actor{Tenant: "acme", User: "sun"})
	if err != nil {
		fmt.Println(err)
	}
	scope, err := rights.Scope(team.CustomerRead)
	fmt.Println(scope.Regions, scope.Sees("li", "310115", 0), scope.Sees("li", "440300", 0), err)
	_, err = rights.Scope(team.CustomerDelete)
	fmt.Println(err)
	// Output:
	// [31 32] true false <nil>
	// denied (customer.delete)
}
