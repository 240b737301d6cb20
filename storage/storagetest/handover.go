package storagetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/team"
)

// member adds a seller of the department Sales.
func (b *bundle) member(user crm.UserID, regions ...string) {
	b.t.Helper()
	require.NoError(b.t, b.Team.Members.Add(b.t.Context(), boss, team.Member{User: user, Role: team.Seller, Department: b.sales, Regions: regions}))
}

// regional makes customers of li's in these regions.
func (b *bundle) regional(regions ...string) (ids []customer.ID) {
	b.t.Helper()
	for _, region := range regions {
		c := &customer.Customer{Name: "x", Region: region, Ownership: customer.Ownership{OwnerID: "li"}}
		require.NoError(b.t, b.Customers.Create(b.t.Context(), boss, c))
		ids = append(ids, c.ID)
	}
	return ids
}

func (b *bundle) owners(ids ...customer.ID) (owners []kernel.UserID) {
	b.t.Helper()
	for _, id := range ids {
		owners = append(owners, b.owner(id))
	}
	return owners
}

// handOver hands over what li has.
func (b *bundle) handOver(opts *crm.HandOverOptions) crm.HandOverReport {
	b.t.Helper()
	report, err := b.HandOver.Run(b.t.Context(), admin, "li", opts)
	require.NoError(b.t, err)
	return report
}

// planned is the plan, which must be what the hand-over then does, and must write nothing.
func (b *bundle) planned(opts *crm.HandOverOptions) crm.HandOverPlan {
	b.t.Helper()
	const everything = `SELECT (SELECT count(*) FROM crm_audit) + (SELECT count(*) FROM crm_operations) + (SELECT count(*) FROM crm_counters)
		+ (SELECT sum(version) FROM crm_members) + (SELECT coalesce(sum(version), 0) FROM crm_customers) + (SELECT coalesce(sum(version), 0) FROM crm_tasks)
		+ (SELECT coalesce(sum(version), 0) FROM crm_opportunities) + (SELECT coalesce(sum(version), 0) FROM crm_quotes)
		+ (SELECT coalesce(sum(version), 0) FROM crm_contracts)`
	before := b.count(everything)
	plan, err := b.HandOver.Plan(b.t.Context(), admin, "li", opts)
	require.NoError(b.t, err)
	require.Equal(b.t, before, b.count(everything))
	return plan
}

// requirePlanned demands that the report is the plan, but for the tasks that went with their customers.
func requirePlanned(t *testing.T, plan crm.HandOverPlan, report crm.HandOverReport) {
	t.Helper()
	for _, items := range [][]kernel.Handed{plan.Items, report.Items} {
		require.Len(t, items, 6)
		for i := range items {
			items[i].WithOwner = 0
		}
	}
	require.Equal(t, plan, crm.HandOverPlan(report))
}

func testHandOver(t *testing.T, open Open) {
	t.Run("without successors all go to their pools, with one line each; open tasks elsewhere go to the superior", func(t *testing.T) {
		b := setup(t, open)
		ids, other := b.create(3, "li"), b.create(1, "wang")[0]
		home := b.pool("other", 0, pool.Member{User: "li"})
		ids = append(ids, b.at(home, 1, "li")...)
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, ids[1], customer.Won, ""))
		b.lock(li, ids[0])
		on, elsewhere, none := b.task(li, "", ids[0]), b.task(boss, "li", other), b.task(li, "", 0)
		b.wait(time.Hour)
		by := admin
		by.Request = "r1"
		opts := &crm.HandOverOptions{Reason: "resigned", Note: "by\nMarch"}
		plan := b.planned(opts)
		require.Equal(t, crm.HandOverPlan{User: "li", Superior: "head", Items: []kernel.Handed{
			{Kind: "customer", Found: 4, ToPool: 4},
			{Kind: "task", Found: 2, To: map[crm.UserID]int{"head": 2}, WithOwner: 1},
			{Kind: "lead"},
			{Kind: "opportunity"},
			{Kind: "quote"},
			{Kind: "contract"},
		}}, plan)
		report, err := b.HandOver.Run(t.Context(), by, "li", opts)
		require.NoError(t, err)
		requirePlanned(t, plan, report)
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.Equal(t, b.now().UTC(), m.InactiveSince)
		for i, id := range ids {
			c, o := b.get(id), b.last(id)
			require.Equal(t, []any{kernel.UserID(""), b.now().UTC(), kernel.UserID("li")}, []any{c.OwnerID, c.PoolEnteredAt, c.LastOwner})
			o.ID = 0
			require.Equal(t, customer.Operation{
				Kind: customer.Kind, RecordID: int64(id), Action: customer.Resigned, Actor: "admin", From: "li", PoolID: c.PoolID, Reason: "resigned", Note: "by\nMarch",
				Unlocked: i == 0, Request: "r1", At: b.now().UTC(),
			}, o)
			require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.resigned' AND record_id = $1", int64(id)))
		}
		require.Equal(t, home, b.get(ids[3]).PoolID)
		require.Zero(t, b.places("li"))
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, ids[0]), pool.Protected)
		require.Equal(t, "resign", b.taskNow(on.ID).Reason)
		require.Equal(t, []kernel.UserID{"head", "head"}, []kernel.UserID{b.taskNow(elsewhere.ID).OwnerID, b.taskNow(none.ID).OwnerID})
		require.ErrorIs(t, b.Pool.Claim(t.Context(), li, other), crm.ErrDenied)
		b.tasksAgree()
	})
	t.Run("a second run of a member that has nothing left does nothing, and neither does a plan find anything", func(t *testing.T) {
		b := setup(t, open)
		b.create(2, "li")
		b.task(li, "", 0)
		b.handOver(nil)
		before := b.count("SELECT count(*) FROM crm_audit")
		empty := crm.HandOverReport{User: "li", Superior: "head", Items: []kernel.Handed{
			{Kind: "customer"}, {Kind: "task"}, {Kind: "lead"}, {Kind: "opportunity"}, {Kind: "quote"}, {Kind: "contract"},
		}}
		require.Equal(t, empty, b.handOver(nil))
		require.Equal(t, crm.HandOverPlan(empty), b.planned(nil))
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		b.tasksAgree()
	})
	t.Run("a member that was deactivated long ago is handed over, and active again it may claim", func(t *testing.T) {
		b := setup(t, open)
		id, free := b.create(1, "li")[0], b.create(1, "")[0]
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "li"))
		b.tasksAgree()
		b.handOver(&crm.HandOverOptions{Successors: []crm.UserID{"wang"}})
		require.Equal(t, kernel.UserID("wang"), b.owner(id))
		require.NoError(t, b.Team.Members.Activate(t.Context(), boss, "li"))
		require.NoError(t, b.Pool.Claim(t.Context(), li, free))
		b.tasksAgree()
	})
	t.Run("who came inactive is handed over too, which does nothing, and once active it may claim", func(t *testing.T) {
		b := setup(t, open)
		free := b.create(2, "")
		_, err := b.Team.Sync(t.Context(), boss, team.Directory{Members: []team.DirectoryMember{{User: "gone", Inactive: true}, {User: "here"}}})
		require.NoError(t, err)
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_counters WHERE user_id = 'gone' AND closed"), "of every kind")
		require.Zero(t, b.count("SELECT count(*) FROM crm_counters WHERE user_id = 'here' AND closed"))
		report, err := b.HandOver.Run(t.Context(), admin, "gone", nil)
		require.NoError(t, err)
		require.Equal(t, crm.HandOverReport{User: "gone", Superior: "admin", Items: []kernel.Handed{
			{Kind: "customer"}, {Kind: "task"}, {Kind: "lead"}, {Kind: "opportunity"}, {Kind: "quote"}, {Kind: "contract"},
		}}, report)
		b.verify()
		require.NoError(t, b.Team.Members.Activate(t.Context(), boss, "gone"))
		for i, user := range []crm.UserID{"gone", "here"} {
			require.NoError(t, b.Pool.Claim(t.Context(), crm.Actor{Tenant: "acme", User: user}, free[i]))
		}
		b.tasksAgree()
	})
	testSuccessors(t, open)
	testTasksGoUp(t, open)
	testHandOverInput(t, open)
	testHandOverStops(t, open)
	testHandOverRaces(t, open)
}

func testSuccessors(t *testing.T, open Open) {
	t.Run("in turns as far as the caps allow; a won one needs no place; the rest to the pool", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 10 })
		ids := b.create(8, "li")
		b.create(8, "wang") // two places left
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "head", pool.Limits{Cap: new(1)}))
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, ids[2], customer.Won, ""))
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, ids[7], customer.Won, ""))
		x := b.task(li, "", ids[0])
		opts := &crm.HandOverOptions{Successors: []crm.UserID{"wang", "head"}, Batch: 3}
		plan := b.planned(opts)
		report := b.handOver(opts)
		requirePlanned(t, plan, report)
		require.Equal(t, []kernel.UserID{"wang", "head", "wang", "wang", "", "", "", "head"}, b.owners(ids...))
		require.Equal(t, kernel.Handed{
			Kind: "customer", Found: 8, ToPool: 3, To: map[crm.UserID]int{"wang": 3, "head": 2}, NoPlace: map[crm.UserID]int{"wang": 3, "head": 4},
		}, report.Items[0])
		require.Equal(t, []int{10, 1, 0}, []int{b.places("wang"), b.places("head"), b.places("li")})
		require.Equal(t, []int{5, 3}, []int{b.operations(customer.HandedOver), b.operations(customer.Resigned)})
		c, o := b.get(ids[0]), b.last(ids[0])
		require.Equal(t, []any{b.now().UTC(), kernel.UserID("li"), kernel.UserID("wang"), false}, []any{c.OwnedSince, o.From, o.To, o.OverCap})
		require.True(t, c.PoolEnteredAt.IsZero() && c.FirstFollowupAt.IsZero())
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.handed_over' AND record_id = $1", int64(ids[0])))
		require.Equal(t, []any{kernel.UserID("wang"), customer.TaskOpen}, []any{b.taskNow(x.ID).OwnerID, b.taskNow(x.ID).State})
		b.tasksAgree()
	})
	for free, want := range map[int][]kernel.UserID{0: {"", ""}, 1: {"wang", ""}, 2: {"wang", "wang"}} {
		t.Run(fmt.Sprintf("two for a successor with %d places free", free), func(t *testing.T) {
			b := setup(t, open)
			b.policy(func(p *pool.Policy) { p.Cap = 2 })
			ids := b.create(2, "li")
			b.create(2-free, "wang")
			b.handOver(&crm.HandOverOptions{Successors: []crm.UserID{"wang"}})
			require.Equal(t, want, b.owners(ids...))
			b.tasksAgree()
		})
	}
	t.Run("by region, the longest first, then in turns; who lost the region to its cap is passed over", func(t *testing.T) {
		b := setup(t, open)
		b.member("east", "31", "33")
		b.member("hangzhou", "3301")
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "hangzhou", pool.Limits{Cap: new(1)}))
		ids := b.regional("330106", "3302", "330102", "", "44", "31", "33")
		opts := &crm.HandOverOptions{Successors: []crm.UserID{"wang", "east", "hangzhou"}, Batch: 2}
		plan := b.planned(opts)
		report := b.handOver(opts)
		require.Equal(t, []kernel.UserID{"hangzhou", "east", "east", "wang", "east", "east", "east"}, b.owners(ids...))
		require.Equal(t, map[crm.UserID]int{"hangzhou": 1}, report.Items[0].NoPlace)
		requirePlanned(t, plan, report)
		b.tasksAgree()
	})
	t.Run("only members of the home pool get a customer", func(t *testing.T) {
		b := setup(t, open)
		home := b.pool("closed", 0, pool.Member{User: "li"}, pool.Member{User: "wang"})
		ids := append(b.at(home, 2, "li"), b.create(2, "li")...)
		opts := &crm.HandOverOptions{Successors: []crm.UserID{"head", "wang"}}
		plan := b.planned(opts)
		report := b.handOver(opts)
		require.Equal(t, []kernel.UserID{"wang", "wang", "head", "wang"}, b.owners(ids...))
		require.Equal(t, map[crm.UserID]int{"head": 2}, report.Items[0].NoMember)
		requirePlanned(t, plan, report)
		b.tasksAgree()
	})
	t.Run("blacklisted customers are handed over, deleted ones stay and come back into the pool", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "li")
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, ids[0], "x"))
		require.NoError(t, b.Customers.Delete(t.Context(), boss, ids[1], b.get(ids[1]).Version))
		require.Equal(t, 1, b.handOver(&crm.HandOverOptions{Successors: []crm.UserID{"wang"}}).Items[0].Found)
		c, err := b.Customers.Restore(t.Context(), boss, ids[1])
		require.NoError(t, err)
		require.Equal(t, []kernel.UserID{"wang", ""}, []kernel.UserID{b.owner(ids[0]), c.OwnerID})
		b.tasksAgree()
	})
}

func testTasksGoUp(t *testing.T, open Open) {
	// gone leaves: what it is told about and who acts decide who gets its task.
	for name, c := range map[string]struct {
		superior, head, above crm.UserID // of the member, of its department, of the one above
		option                crm.UserID
		by                    crm.Actor
		want                  crm.UserID
	}{
		"the one that is asked for":             {superior: "wang", head: "head", option: "li", by: boss, want: "li"},
		"the one that it names":                 {superior: "wang", head: "head", by: boss, want: "wang"},
		"who has left is nobody":                {superior: "left", head: "head", by: boss, want: "head"},
		"the head of its department":            {head: "head", above: "wang", by: boss, want: "head"},
		"the head above, when it is the head":   {head: "gone", above: "wang", by: boss, want: "wang"},
		"the head above, when there is none":    {head: "stranger", above: "wang", by: boss, want: "wang"},
		"whoever hands over":                    {head: "left", by: admin, want: "admin"},
		"nobody, when the system actor does it": {by: boss, want: "gone"},
	} {
		t.Run("open tasks go to "+name, func(t *testing.T) {
			b := setup(t, open)
			ctx := t.Context()
			b.member("left")
			require.NoError(t, b.Team.Members.Deactivate(ctx, boss, "left"))
			above := b.department(team.Department{Name: "above", Head: c.above})
			own := b.department(team.Department{Name: "own", Head: c.head, Parent: above})
			require.NoError(t, b.Team.Members.Add(ctx, boss, team.Member{User: "gone", Role: team.Seller, Department: own, Superior: c.superior}))
			x := b.task(boss, "gone", 0)
			plan, err := b.HandOver.Plan(ctx, c.by, "gone", &crm.HandOverOptions{Superior: c.option})
			require.NoError(t, err)
			report, err := b.HandOver.Run(ctx, c.by, "gone", &crm.HandOverOptions{Superior: c.option})
			require.NoError(t, err)
			requirePlanned(t, plan, report)
			require.Equal(t, c.want, b.taskNow(x.ID).OwnerID)
			require.Equal(t, customer.TaskOpen, b.taskNow(x.ID).State)
			if c.want == "gone" {
				require.Equal(t, kernel.Handed{Kind: "task", Found: 1, Kept: 1}, report.Items[1])
			}
			b.tasksAgree()
		})
	}
}

func testHandOverInput(t *testing.T, open Open) {
	t.Run("what is asked wrongly is refused with its field, and nobody is made inactive", func(t *testing.T) {
		b := setup(t, open)
		b.create(1, "li")
		b.member("left")
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "left"))
		many := make([]crm.UserID, 51)
		for name, c := range map[string]struct {
			user   crm.UserID
			opts   crm.HandOverOptions
			code   kernel.Code
			reason kernel.Reason
			field  string
		}{
			"an unknown user":         {"nobody", crm.HandOverOptions{}, crm.ErrNotFound, "", "user"},
			"no user":                 {"", crm.HandOverOptions{}, crm.ErrInvalid, kernel.Empty, "user"},
			"the actor itself":        {"admin", crm.HandOverOptions{}, crm.ErrInvalid, kernel.Malformed, "user"},
			"its own successor":       {"li", crm.HandOverOptions{Successors: []crm.UserID{"wang", "li"}}, crm.ErrInvalid, kernel.Malformed, "successors"},
			"an unknown successor":    {"li", crm.HandOverOptions{Successors: []crm.UserID{"wang", "nobody"}}, crm.ErrInvalid, kernel.Unknown, "successors"},
			"an inactive successor":   {"li", crm.HandOverOptions{Successors: []crm.UserID{"wang", "left"}}, crm.ErrInvalid, kernel.Unknown, "successors"},
			"a successor named twice": {"li", crm.HandOverOptions{Successors: []crm.UserID{"wang", "wang"}}, crm.ErrInvalid, kernel.Duplicate, "successors"},
			"an empty successor":      {"li", crm.HandOverOptions{Successors: []crm.UserID{"wang", ""}}, crm.ErrInvalid, kernel.Empty, "successors"},
			"too many successors":     {"li", crm.HandOverOptions{Successors: many}, crm.ErrInvalid, kernel.TooMany, "successors"},
			"its own superior":        {"li", crm.HandOverOptions{Superior: "li"}, crm.ErrInvalid, kernel.Malformed, "superior"},
			"an inactive superior":    {"li", crm.HandOverOptions{Superior: "left"}, crm.ErrInvalid, kernel.Unknown, "superior"},
			"a negative batch":        {"li", crm.HandOverOptions{Batch: -1}, crm.ErrInvalid, kernel.OutOfRange, "batch"},
			"a large batch":           {"li", crm.HandOverOptions{Batch: 10_001}, crm.ErrInvalid, kernel.OutOfRange, "batch"},
			"a long reason":           {"li", crm.HandOverOptions{Reason: string(make([]byte, 101))}, crm.ErrInvalid, kernel.TooLong, "reason"},
			"a bad note":              {"li", crm.HandOverOptions{Note: "\x00"}, crm.ErrInvalid, kernel.BadText, "note"},
		} {
			_, err := b.HandOver.Run(t.Context(), admin, c.user, &c.opts)
			e := requireError(t, err, c.code, c.reason, c.field)
			require.Equal(t, "crm.HandOver.Run", e.Op, name)
			if c.field == "successors" && c.reason != kernel.TooMany {
				require.Equal(t, 1, e.Index, name)
			}
			_, err = b.HandOver.Plan(t.Context(), admin, c.user, &c.opts)
			require.Equal(t, "crm.HandOver.Plan", requireError(t, err, c.code, c.reason, c.field).Op, name)
		}
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_members WHERE inactive_since IS NOT NULL"))
		require.Equal(t, 1, b.places("li"))
	})
	t.Run("it needs team.manage over all; other tenants' members are not found", func(t *testing.T) {
		b := setup(t, open)
		_, err := b.Team.Roles.Put(t.Context(), boss, team.Role{Name: "office", Reach: team.ReachTree, Permissions: []team.Permission{team.TeamManage, team.PoolAssign}})
		require.NoError(t, err)
		require.NoError(t, b.Team.Members.Add(t.Context(), boss, team.Member{User: "office", Role: "office", Department: b.sales}))
		require.NoError(t, b.Team.Members.Add(t.Context(), otherBoss, team.Member{User: "theirs", Role: team.Seller}))
		for _, by := range []crm.Actor{wang, head, {Tenant: "acme", User: "office"}} {
			_, err := b.HandOver.Run(t.Context(), by, "li", nil)
			requireError(t, err, crm.ErrDenied, "", "team.manage")
			_, err = b.HandOver.Plan(t.Context(), by, "li", nil)
			requireError(t, err, crm.ErrDenied, "", "team.manage")
		}
		_, err = b.HandOver.Run(t.Context(), admin, "theirs", nil)
		requireError(t, err, crm.ErrNotFound, "", "user")
		_, err = b.HandOver.Run(t.Context(), crm.Actor{}, "li", nil)
		require.ErrorIs(t, err, crm.ErrInvalid)
		m, err := b.Team.Members.Get(t.Context(), boss, "li")
		require.NoError(t, err)
		require.True(t, m.Active())
	})
	t.Run("a module hands over its part for nobody who may not, planned or not", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(2, "wang")
		require.NoError(t, b.Customers.Tasks.Create(t.Context(), wang, &customer.Task{Subject: "x", DueAt: b.now()}))
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		for _, by := range []crm.Actor{li, head, {Tenant: "acme", User: "stranger"}, {Tenant: "nowhere", User: "li"}, otherLi} {
			for _, dry := range []bool{false, true} {
				for _, part := range []func(context.Context, kernel.Leaving) (kernel.Handed, error){
					b.Pool.HandOver, b.Customers.Tasks.HandOver, b.Sales.Opportunities.HandOver, b.Sales.Quotes.HandOver, b.Sales.Contracts.HandOver,
				} {
					got, err := part(t.Context(), kernel.Leaving{By: by, User: "wang", Superior: "li", AtMost: 10, Dry: dry})
					require.Zero(t, got)
					if by.Tenant == "nowhere" {
						require.ErrorIs(t, err, crm.ErrNotFound)
					} else {
						require.ErrorIs(t, err, crm.ErrDenied, "%v", by)
					}
				}
			}
		}
		require.Equal(t, []kernel.UserID{"wang", "wang"}, b.owners(ids...))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_tasks WHERE owner_id = 'wang'"))
	})
	t.Run("who loses the right during the run goes no further", func(t *testing.T) {
		b := setup(t, open)
		b.create(5, "li")
		report, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Batch: 2, Progress: func(crm.HandOverReport) {
			require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, admin.User))
		}})
		require.ErrorIs(t, err, crm.ErrDenied)
		require.Equal(t, 2, report.Items[0].Found)
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers WHERE owner_id = 'li'"))
	})
	t.Run("inside a host's transaction it is refused, and planned", func(t *testing.T) {
		b := setup(t, open)
		b.create(1, "li")
		tx := b.begin()
		_, err := b.In(tx).HandOver.Run(t.Context(), admin, "li", nil)
		require.ErrorIs(t, err, kernel.OwnCommits)
		plan, err := b.In(tx).HandOver.Plan(t.Context(), admin, "li", nil)
		require.NoError(t, err)
		require.Equal(t, 1, plan.Items[0].ToPool)
		require.NoError(t, tx.Commit())
		require.Equal(t, 1, b.places("li"))
	})
}

func testHandOverStops(t *testing.T, open Open) {
	t.Run("cancelled after a batch it says how far it got, and goes on when it is called again", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(5, "li")
		for range 3 {
			b.task(li, "", 0)
		}
		stopping := func(after int) (crm.HandOverReport, error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opts := &crm.HandOverOptions{Successors: []crm.UserID{"wang", "head"}, Batch: 2, Progress: func(crm.HandOverReport) {
				if after--; after == 0 {
					cancel()
				}
			}}
			return b.HandOver.Run(ctx, admin, "li", opts)
		}
		report, err := stopping(1)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 2, report.Items[0].Found)
		require.Len(t, report.Items, 1)
		require.Equal(t, 3, b.places("li"))
		report, err = stopping(3) // two batches of customers, and one of tasks
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []int{3, 2}, []int{report.Items[0].Found, report.Items[1].Found})
		report, err = stopping(0)
		require.NoError(t, err)
		require.Equal(t, []int{0, 1}, []int{report.Items[0].Found, report.Items[1].Found})
		require.Equal(t, len(ids), b.operations(customer.HandedOver))
		require.Zero(t, b.count("SELECT count(*) FROM crm_tasks WHERE owner_id = 'li'"))
		b.tasksAgree()
	})
	t.Run("who is made active during the run keeps what is left, and the run says why", func(t *testing.T) {
		b := setup(t, open)
		b.create(4, "li")
		_, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Batch: 2, Progress: func(crm.HandOverReport) {
			require.NoError(t, b.Team.Members.Activate(t.Context(), boss, "li"))
		}})
		requireError(t, err, crm.ErrConflict, kernel.StillActive, "user")
		require.Equal(t, 2, b.places("li"))
		b.tasksAgree()
	})
	t.Run("a successor that leaves during the run gets no more", func(t *testing.T) {
		b := setup(t, open)
		ids := b.create(4, "li")
		report := b.handOver(&crm.HandOverOptions{Successors: []crm.UserID{"wang"}, Batch: 2, Progress: func(crm.HandOverReport) {
			require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "wang"))
		}})
		require.Equal(t, []kernel.UserID{"wang", "wang", "", ""}, b.owners(ids...))
		require.Equal(t, map[crm.UserID]int{"wang": 2}, report.Items[0].NoMember)
		b.tasksAgree()
	})
}
