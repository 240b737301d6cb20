// Package team says who works in a tenant and what each may do: members, the department tree, superiors, roles and their
// data scope. Users and their logins stay with the host; a member is a user of the host by its own id.
//
//	boss := crm.System("acme", "set-up")
//	err := c.Team.CreateTenant(ctx, boss, team.Tenant{Name: "Acme"})
//	err = c.Team.Members.Add(ctx, boss, team.Member{User: "li", Role: team.Seller})
//
// A host with a directory of its own mirrors it with Service.Sync. What a member may do is resolved once per unit of
// work and kept for a few seconds per process; nobody who is missing from the directory may do anything.
package team
