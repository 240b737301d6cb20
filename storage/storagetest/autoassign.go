package storagetest

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/storage"
	"github.com/openseas/crm/team"
)

// lying makes a customer in the default pool, or in the one it names.
func (b *bundle) lying(c customer.Customer) customer.ID {
	b.t.Helper()
	if c.Name = "x"; c.Region != "" {
		c.Name = c.Region
	}
	require.NoError(b.t, b.Customers.Create(b.t.Context(), boss, &c))
	return c.ID
}

// autoAssign gives customers by the territories.
func (b *bundle) autoAssign(ids ...customer.ID) pool.AutoAssigned[customer.ID] {
	b.t.Helper()
	got, err := b.Pool.AutoAssign(b.t.Context(), boss, ids)
	require.NoError(b.t, err)
	require.Len(b.t, ids, len(got.Assigned)+len(got.Left))
	return got
}

// stays requires that the territories leave a customer where it is, for a reason that the explanation tells too.
func (b *bundle) stays(id customer.ID, reason kernel.Reason) {
	b.t.Helper()
	before := b.get(id)
	x, err := b.Pool.ExplainTerritory(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	if reason != pool.Taken {
		require.Equal(b.t, []any{reason, kernel.UserID("")}, []any{x.Why, x.To})
	}
	got := b.autoAssign(id)
	require.Empty(b.t, got.Assigned)
	require.Equal(b.t, reason, got.Left[0].Why.Reason)
	require.Equal(b.t, before, b.get(id))
}

// goes requires that a customer goes to a member, and that the explanation says so before.
func (b *bundle) goes(id customer.ID, to kernel.UserID, by pool.TerritoryID) {
	b.t.Helper()
	x, err := b.Pool.ExplainTerritory(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	require.Equal(b.t, []any{to, by, kernel.Reason("")}, []any{x.To, x.Territory, x.Why})
	got := b.autoAssign(id)
	require.Equal(b.t, []pool.ByTerritory[customer.ID]{{ID: id, To: to, Territory: by}}, got.Assigned)
	require.Equal(b.t, to, b.owner(id))
}

// counter counts the statements of a transaction.
type counter struct {
	storage.Conn
	n *int
}

func (c counter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	*c.n++
	return c.Conn.ExecContext(ctx, query, args...)
}

func (c counter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*c.n++
	return c.Conn.QueryContext(ctx, query, args...)
}

func only(user kernel.UserID) []kernel.UserID { return []kernel.UserID{user} }

func testAutoAssign(t *testing.T, open Open) {
	t.Run("the most specific territory wins, then the priority, then the older", func(t *testing.T) { testSpecificity(t, setup(t, open)) })
	t.Run("a new ownership with one line that names the territory, audit and event", func(t *testing.T) {
		b := setup(t, open)
		id := b.lying(customer.Customer{Region: "330106", Industry: "C1391"})
		require.NoError(t, b.Pool.Claim(t.Context(), li, id))
		b.followup(li, id)
		require.NoError(t, b.Pool.Release(t.Context(), li, id, nil))
		east := b.territory(pool.Territory{Name: "华东", Regions: []string{"33"}, Industries: []string{"C13"}, Members: only("li")})
		before := b.get(id)
		b.wait(day)
		by := admin
		by.Request = "r1"
		got, err := b.Pool.AutoAssign(t.Context(), by, []customer.ID{id})
		require.NoError(t, err)
		again, err := b.Pool.AutoAssign(t.Context(), by, []customer.ID{id})
		require.NoError(t, err)
		require.Equal(t, got, again, "the same request again changes nothing")
		_, err = b.Pool.AutoAssign(t.Context(), by, []customer.ID{id, id})
		require.ErrorIs(t, err, kernel.Reused)
		c := b.get(id)
		require.Equal(t, []any{kernel.UserID("li"), b.now().UTC(), before.Version + 1}, []any{c.OwnerID, c.OwnedSince, c.Version})
		require.True(t, c.PoolEnteredAt.IsZero() && c.FirstFollowupAt.IsZero() && c.LastFollowupAt.IsZero(), "li was its last owner, and it is protected")
		o := b.last(id)
		o.ID = 0
		require.Equal(t, customer.Operation{
			Kind: customer.Kind, RecordID: int64(id), Action: customer.Assigned, Actor: "admin", To: "li", PoolID: c.PoolID,
			RuleID: int64(east), Rule: "territory 华东 · region 33 · industry C13", Request: "r1", At: b.now().UTC(),
		}, o)
		require.Equal(t, 1, b.places("li"))
		require.Equal(t, 1, b.count("SELECT claims_used FROM crm_counters WHERE user_id = 'li'"), "the quota is for claims")
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_outbox WHERE type = 'customer.assigned'"))
		b.agree()
	})
	t.Run("the smallest share of the cap, then who waited longest, then the lowest id", func(t *testing.T) {
		b := setup(t, open)
		own := func(user kernel.UserID, n int) {
			require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, user, pool.Limits{Cap: &n}))
		}
		own("li", 10)
		own("wang", 30)
		b.create(1, "li")
		b.create(3, "wang")
		id := b.territory(pool.Territory{Members: []kernel.UserID{"wang", "li"}})
		var got []kernel.UserID
		for _, c := range b.create(8, "") {
			got = append(got, b.autoAssign(c).Assigned[0].To)
			b.wait(time.Microsecond)
		}
		// 1/10 and 3/30: both waited for ever, so the lower id. 2/10 and 4/30, 5/30, 6/30: equal, and li waited longer.
		require.Equal(t, []kernel.UserID{"li", "wang", "wang", "wang", "li", "wang", "wang", "wang"}, got)
		b.create(4, "wang") // 3/10 and 13/30
		b.goes(b.create(1, "")[0], "li", id)
		b.goes(b.create(1, "")[0], "li", id)
		b.agree()
	})
	t.Run("many in one call share as evenly as one after the other", func(t *testing.T) {
		b := setup(t, open)
		east := b.territory(pool.Territory{Members: []kernel.UserID{"li", "wang", "head"}})
		north := b.territory(pool.Territory{Regions: []string{"11"}, Members: []kernel.UserID{"li"}})
		ids := b.create(20, "")
		for range 4 {
			ids = append(ids, b.lying(customer.Customer{Region: "110101"}))
		}
		slices.Reverse(ids)
		got := b.autoAssign(ids...)
		require.Len(t, got.Assigned, 24)
		require.Equal(t, []int{8, 8, 8}, []int{b.places("li"), b.places("wang"), b.places("head")}, "the four of the north count for li")
		require.Equal(t, north, got.Assigned[0].Territory)
		require.Equal(t, east, got.Assigned[23].Territory)
		b.agree()
	})
	t.Run("nobody above the cap, and a cap of 0 is full: the customer stays in its pool", func(t *testing.T) {
		b := setup(t, open)
		b.policy(func(p *pool.Policy) { p.Cap = 2 })
		none := 0
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "wang", pool.Limits{Cap: &none}))
		id := b.territory(pool.Territory{Members: []kernel.UserID{"li", "wang"}})
		b.territory(pool.Territory{Industries: []string{"C"}, Members: []kernel.UserID{"head"}})
		ids := b.create(3, "")
		b.goes(ids[0], "li", id)
		b.goes(ids[1], "li", id)
		b.stays(ids[2], pool.NobodyFree)
		won := b.create(1, "")[0]
		require.NoError(t, b.Customers.SetStage(t.Context(), boss, won, customer.Won, ""))
		b.stays(won, pool.NobodyFree)
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[0], nil))
		b.goes(won, "li", id)
		require.Equal(t, 1, b.places("li"), "a won one takes no place")
		b.goes(ids[2], "li", id)
		b.policy(func(p *pool.Policy) { p.Cap = 1 })
		b.stays(ids[0], pool.NobodyFree)
		b.agree()
	})
	t.Run("only active members of the home pool, with those of sub-departments", func(t *testing.T) {
		b := setup(t, open)
		root := b.department(team.Department{Name: "Company"})
		mid := b.department(team.Department{Name: "East", Parent: root})
		leaf := b.department(team.Department{Name: "Hangzhou", Parent: mid})
		_, err := b.Team.Members.AddMany(t.Context(), boss, []team.Member{
			{User: "a", Role: team.Seller, Department: leaf}, {User: "b", Role: team.Seller, Department: mid}, {User: "c", Role: team.Seller, Department: root},
		})
		require.NoError(t, err)
		id := b.territory(pool.Territory{Department: mid})
		closed := b.pool("closed", 0, pool.Member{Department: leaf}, pool.Member{User: "c"})
		ids := b.create(4, "")
		b.goes(ids[0], "a", id)
		b.goes(ids[1], "b", id)
		b.goes(b.at(closed, 1, "")[0], "a", id)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "a"))
		b.stays(b.at(closed, 1, "")[0], pool.NobodyFree)
		b.goes(ids[2], "b", id)
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "b"))
		b.stays(ids[3], pool.NobodyFree)
		named := b.territory(pool.Territory{Regions: []string{"33"}, Members: []kernel.UserID{"admin", "wang"}})
		require.NoError(t, b.Team.Members.Deactivate(t.Context(), boss, "admin"))
		b.goes(b.lying(customer.Customer{Region: "33"}), "wang", named)
		require.Zero(t, b.count("SELECT count(*) FROM crm_counters WHERE user_id = 'c'"), "no counter for who can get nothing")
		b.agree()
	})
	t.Run("VIPs to a named team, as long as somebody there is free", func(t *testing.T) {
		b := setup(t, open)
		vips := b.territory(pool.Territory{VIP: true, Members: only("head"), Priority: -100})
		all := b.territory(pool.Territory{Regions: []string{"33"}, Industries: []string{"C"}, Members: only("li"), Priority: 100})
		two := 2
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "head", pool.Limits{Cap: &two}))
		one := customer.Customer{Region: "330106", Industry: "C1391"}
		a, b4, tagged, level, plain := one, one, one, one, one
		a.Level, b4.Level, level.Level = customer.LevelA, customer.LevelB, customer.LevelA
		ids := []customer.ID{b.lying(a), b.lying(b4), b.lying(tagged), b.lying(level), b.lying(plain)}
		b.tag("VIP")
		b.put([]string{"VIP"}, ids[2])
		b.goes(ids[0], "head", vips)
		b.goes(ids[1], "li", all)
		b.goes(ids[2], "head", vips)
		b.goes(ids[3], "li", all)
		b.goes(ids[4], "li", all)
		require.NoError(t, b.Pool.Territories.Delete(t.Context(), boss, all))
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[3], nil))
		b.stays(ids[3], pool.NobodyFree)
		require.NoError(t, b.Pool.Release(t.Context(), li, ids[4], nil))
		b.stays(ids[4], pool.NoTerritory)
		b.agree()
	})
	t.Run("what is left says why, in the order asked", func(t *testing.T) { testLeft(t, setup(t, open)) })
	t.Run("by who may assign out of the pool: its members and who reaches all", func(t *testing.T) {
		b := setup(t, open)
		b.territory(pool.Territory{Members: only("li")})
		id, foreign := b.create(1, "")[0], b.at(b.pool("other", 0, pool.Member{User: "li"}), 1, "")[0]
		_, err := b.Pool.AutoAssign(t.Context(), li, []customer.ID{id})
		requireError(t, err, crm.ErrDenied, "", "pool.assign")
		_, err = b.Pool.ExplainTerritory(t.Context(), li, id)
		requireError(t, err, crm.ErrDenied, "", "pool.assign")
		_, err = b.Pool.ExplainTerritory(t.Context(), head, foreign)
		require.ErrorIs(t, err, crm.ErrNotFound)
		got, err := b.Pool.AutoAssign(t.Context(), head, []customer.ID{foreign, id})
		require.NoError(t, err)
		require.Equal(t, pool.NotFound, got.Left[0].Why.Reason)
		require.Equal(t, id, got.Assigned[0].ID)
		got, err = b.Pool.AutoAssign(t.Context(), otherBoss, []customer.ID{foreign})
		require.NoError(t, err)
		require.Equal(t, pool.NotFound, got.Left[0].Why.Reason)
		got, err = b.Pool.AutoAssign(t.Context(), admin, []customer.ID{foreign})
		require.NoError(t, err)
		require.Len(t, got.Assigned, 1)
		got, err = b.Pool.AutoAssign(t.Context(), admin, nil)
		require.NoError(t, err)
		require.Empty(t, got)
		_, err = b.Pool.AutoAssign(t.Context(), admin, make([]customer.ID, kernel.MaxItems+1))
		requireError(t, err, crm.ErrInvalid, kernel.TooMany, "ids")
		b.agree()
	})
	t.Run("inside a host's transaction, and undone with it", func(t *testing.T) {
		b := setup(t, open)
		b.territory(pool.Territory{Members: only("li")})
		id := b.create(1, "")[0]
		tx := b.begin()
		got, err := b.In(tx).Pool.AutoAssign(t.Context(), head, []customer.ID{id})
		require.NoError(t, err)
		require.Len(t, got.Assigned, 1)
		require.NoError(t, tx.Rollback())
		require.Empty(t, b.owner(id))
		tx = b.begin()
		_, err = b.In(tx).Pool.AutoAssign(t.Context(), head, []customer.ID{id})
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		require.EqualValues(t, "li", b.owner(id))
		b.agree()
	})
	t.Run("as many statements for 90 customers as for two", func(t *testing.T) {
		b := setup(t, open)
		b.territory(pool.Territory{Members: []kernel.UserID{"li", "wang", "head"}})
		b.territory(pool.Territory{Industries: []string{"C"}, Department: b.sales})
		closed := b.pool("closed", 0, pool.Member{User: "li"}, pool.Member{User: "wang"}, pool.Member{User: "head"})
		counted := func(n int) (statements int) {
			ids := append(b.at(closed, n, ""), b.create(n, "")...)
			ids = append(ids, b.lying(customer.Customer{Industry: "C13"}))
			tx := b.begin()
			got, err := b.In(counter{tx, &statements}).Pool.AutoAssign(t.Context(), boss, ids)
			require.NoError(t, err)
			require.Len(t, got.Assigned, len(ids))
			require.NoError(t, tx.Commit())
			return statements
		}
		counted(1) // makes the counter rows
		few := counted(2)
		require.Equal(t, few, counted(45))
		require.Less(t, few, 25)
	})
	t.Run("the explanation has every territory with its verdict, and every candidate with share, cap and last turn", func(t *testing.T) {
		testExplainTerritory(t, setup(t, open))
	})
	t.Run("a whole pool in batches that commit, as a run that can be stopped and run again", func(t *testing.T) { testAutoAssignPool(t, setup(t, open)) })
}

// testSpecificity takes away, one after the other, the territory that wins.
func testSpecificity(t *testing.T, b *bundle) {
	id := b.lying(customer.Customer{Region: "330106", Industry: "C1391", Level: customer.LevelA})
	people := only("li")
	order := []pool.TerritoryID{
		b.territory(pool.Territory{VIP: true, Members: people, Priority: -9}),
		b.territory(pool.Territory{Regions: []string{"330106"}, Industries: []string{"C"}, Members: people, Priority: -9}),
		b.territory(pool.Territory{Regions: []string{"33", "3301"}, Industries: []string{"C1391"}, Members: people, Priority: -9}),
		b.territory(pool.Territory{Regions: []string{"33"}, Industries: []string{"C"}, Members: people, Priority: 1}),
		b.territory(pool.Territory{Regions: []string{"33"}, Industries: []string{"C1391"}, Members: people}),
		b.territory(pool.Territory{Regions: []string{"330106"}, Members: people, Priority: -9}),
		b.territory(pool.Territory{Regions: []string{"33"}, Members: people, Priority: 9}),
		b.territory(pool.Territory{Industries: []string{"C"}, Members: people, Priority: 1}),
		b.territory(pool.Territory{Industries: []string{"C"}, Members: people}),
	}
	b.wait(time.Microsecond)
	order = append(order, b.territory(pool.Territory{Industries: []string{"C"}, Members: people}),
		b.territory(pool.Territory{Members: people, Priority: 100}))
	for _, by := range order {
		b.goes(id, "li", by)
		require.NoError(b.t, b.Pool.Release(t.Context(), li, id, nil))
		x, err := b.Pool.Territories.Get(t.Context(), boss, by)
		require.NoError(t, err)
		x.Enabled = false
		require.NoError(t, b.Pool.Territories.Put(t.Context(), boss, x))
	}
	b.stays(id, pool.NoTerritory)
	b.agree()
}

func testLeft(t *testing.T, b *bundle) {
	b.territory(pool.Territory{Regions: []string{"33"}, Members: only("li")})
	lying := func() customer.ID { return b.lying(customer.Customer{Region: "33"}) }
	black, free, foreign, owned, gone := lying(), lying(), b.create(1, "")[0], b.create(1, "wang")[0], lying()
	require.NoError(t, b.Customers.Blacklist(t.Context(), boss, black, "x"))
	require.NoError(t, b.Customers.Delete(t.Context(), boss, gone, b.get(gone).Version))
	got := b.autoAssign(black, free, foreign, owned, gone, free)
	require.Equal(t, []pool.ByTerritory[customer.ID]{{ID: free, To: "li", Territory: got.Assigned[0].Territory}}, got.Assigned)
	for i, want := range []struct {
		id     customer.ID
		reason kernel.Reason
		by     kernel.UserID
	}{{black, pool.Blacklisted, ""}, {foreign, pool.NoTerritory, ""}, {owned, pool.Taken, "wang"}, {gone, pool.NotFound, ""}, {free, pool.Taken, "li"}} {
		require.Equal(t, []any{want.id, want.reason, want.by}, []any{got.Left[i].ID, got.Left[i].Why.Reason, got.Left[i].Why.By})
	}
	b.settings(func(p *pool.Pool) { p.ClaimCondition = `level == "A"` })
	b.stays(lying(), pool.Condition)
	b.stays(black, pool.Blacklisted)
	b.stays(owned, pool.Taken)
	b.settings(func(p *pool.Pool) { p.ClaimCondition = `region == "33"` })
	require.Len(t, b.autoAssign(lying()).Assigned, 1)
	b.agree()
}

func testExplainTerritory(t *testing.T, b *bundle) {
	id := b.lying(customer.Customer{Region: "330106", Industry: "C1391"})
	three := 3
	require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &three}))
	b.create(3, "li")
	b.create(1, "wang")
	off := b.territory(pool.Territory{Name: "off", Members: only("li")})
	x, err := b.Pool.Territories.Get(t.Context(), boss, off)
	require.NoError(t, err)
	x.Enabled = false
	require.NoError(t, b.Pool.Territories.Put(t.Context(), boss, x))
	b.territory(pool.Territory{Name: "vip", VIP: true, Members: only("li")})
	b.territory(pool.Territory{Name: "north", Regions: []string{"11"}, Members: only("li")})
	b.territory(pool.Territory{Name: "cars", Industries: []string{"C36"}, Members: only("li")})
	b.territory(pool.Territory{Name: "food", Industries: []string{"D", "C13"}, Members: only("li")})
	east := b.territory(pool.Territory{Name: "east", Regions: []string{"33", "3301"}, Members: []kernel.UserID{"li", "wang", "head", "admin"}})
	b.goes(b.lying(customer.Customer{Region: "330106"}), "admin", east)
	at := b.now().UTC()
	counters := b.count("SELECT count(*) FROM crm_counters")
	b.wait(day)
	got, err := b.Pool.ExplainTerritory(t.Context(), head, id)
	require.NoError(t, err)
	require.Equal(t, []any{kernel.UserID("head"), east, false, kernel.UserID("")}, []any{got.To, got.Territory, got.VIP, got.Owner})
	require.Equal(t, counters, b.count("SELECT count(*) FROM crm_counters"), "it writes nothing")
	var names []string
	verdicts := map[string]pool.Verdict{}
	for _, v := range got.Territories {
		names = append(names, v.Territory.Name)
		verdicts[v.Territory.Name] = v.Verdict
		require.Equal(t, v.Territory.Name == "east", v.Asked)
		require.Equal(t, v.Asked, len(v.Candidates) > 0)
	}
	require.Equal(t, []string{"east", "food", "off", "vip", "north", "cars"}, names)
	require.Equal(t, map[string]pool.Verdict{
		"east": {Matches: true, Region: "3301"}, "food": {Matches: true, Industry: "C13"}, "off": {Why: pool.TerritoryOff},
		"vip": {Why: pool.NotVIP}, "north": {Why: pool.RegionDiffers}, "cars": {Why: pool.IndustryDiffers},
	}, verdicts)
	var lines []any
	for _, m := range got.Territories[0].Candidates {
		lines = append(lines, m.User, m.Used, m.Cap, m.Last)
	}
	require.Equal(t, []any{
		kernel.UserID("head"), 0, 200,
		time.Time{},
		kernel.UserID("wang"), 1, 200,
		time.Time{},
		kernel.UserID("admin"), 1, 200, at,
		kernel.UserID("li"), 3, 3,
		time.Time{},
	}, lines)
	require.NoError(t, b.Pool.Assign(t.Context(), boss, id, "wang", nil))
	got, err = b.Pool.ExplainTerritory(t.Context(), head, id)
	require.NoError(t, err)
	require.Equal(t, []any{kernel.UserID("wang"), kernel.UserID("head")}, []any{got.Owner, got.To}, "as if it lay in its pool")
	_, err = b.Pool.ExplainTerritory(t.Context(), otherBoss, id)
	require.ErrorIs(t, err, crm.ErrNotFound)
}

func testAutoAssignPool(t *testing.T, b *bundle) {
	b.policy(func(p *pool.Policy) { p.Cap = 12 })
	east := b.territory(pool.Territory{Regions: []string{"33"}, Members: []kernel.UserID{"li", "wang"}})
	var ids []customer.ID
	for range 20 {
		ids = append(ids, b.lying(customer.Customer{Region: "33"}))
	}
	other := b.create(2, "")
	b.create(3, "li")
	b.at(b.pool("elsewhere", 0, pool.Member{User: "li"}), 5, "")
	ctx, stop := context.WithCancel(t.Context())
	var told []int
	report, err := b.Pool.AutoAssignPool(ctx, boss, 0, &pool.AutoAssignOptions{Batch: 4, Progress: func(r pool.AutoAssignReport) {
		if told = append(told, r.Assigned); len(told) == 2 {
			stop()
		}
	}})
	require.Error(t, err)
	require.Equal(t, []int{4, 8}, told)
	require.Equal(t, 8, report.Assigned)
	require.Equal(t, 8, b.operations(customer.Assigned))
	b.agree()
	b.poison(ids[10])
	var kept []pool.AutoAssignReport
	report, err = b.Pool.AutoAssignPool(t.Context(), boss, 0, &pool.AutoAssignOptions{Batch: 4, Progress: func(r pool.AutoAssignReport) { kept = append(kept, r) }})
	require.NoError(t, err)
	require.Equal(t, report, kept[len(kept)-1])
	require.Empty(t, kept[0].Left, "what was told stays as it was")
	for _, r := range kept {
		require.Equal(t, r.Assigned, r.ByTerritory[0].Assigned)
	}
	require.Equal(t, 11, report.Assigned)
	require.Equal(t, []pool.TerritoryCount{{Territory: east, Assigned: 11}}, report.ByTerritory)
	require.Equal(t, map[kernel.Reason]int{pool.NoTerritory: 2}, report.Left)
	require.Len(t, report.Failed, 1)
	require.Equal(t, int64(ids[10]), report.Failed[0].Ref.ID)
	require.Equal(t, 22, b.places("li")+b.places("wang"))
	require.Empty(t, b.owner(other[0]))
	b.agree()
	tx := b.begin()
	_, err = b.In(tx).Pool.AutoAssignPool(t.Context(), boss, 0, nil)
	requireError(t, err, crm.ErrInvalid, kernel.OwnCommits, "")
	require.NoError(t, tx.Rollback())
	_, err = b.Pool.AutoAssignPool(t.Context(), boss, 1<<40, nil)
	require.ErrorIs(t, err, crm.ErrNotFound)
	for _, n := range []int{-1, kernel.MaxItems + 1} {
		_, err = b.Pool.AutoAssignPool(t.Context(), boss, 0, &pool.AutoAssignOptions{Batch: n})
		requireError(t, err, crm.ErrInvalid, kernel.OutOfRange, "batch")
	}
	_, err = b.Pool.AutoAssignPool(t.Context(), li, 0, nil)
	requireError(t, err, crm.ErrDenied, "", "pool.assign")
}
