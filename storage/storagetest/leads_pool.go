package storagetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// leadRule puts a rule into the default pool of leads.
func (b *bundle) leadRule(r pool.Rule) *pool.Rule {
	b.t.Helper()
	p, err := b.LeadPool.Pools.Get(b.t.Context(), boss, 0)
	require.NoError(b.t, err)
	r.PoolID, r.Enabled = p.ID, true
	require.NoError(b.t, b.LeadPool.Pools.PutRule(b.t.Context(), boss, &r))
	return &r
}

func testLeadPool(t *testing.T, open Open) {
	t.Run("claim, release, cool-down and cap are those of leads, apart from customers", func(t *testing.T) {
		b := setup(t, open)
		one := 1
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &one}))
		first, second := b.lead("", nil), b.lead("", nil)
		b.create(3, "li")
		require.NoError(t, b.LeadPool.Claim(t.Context(), li, first.ID))
		requireRefusal(t, b.LeadPool.Claim(t.Context(), wang, first.ID), pool.Taken)
		requireRefusal(t, b.LeadPool.Claim(t.Context(), li, second.ID), pool.CapReached)
		requireRefusal(t, b.Pool.Claim(t.Context(), wang, customer.ID(second.ID)), pool.NotFound)
		require.NoError(t, b.LeadPool.Release(t.Context(), li, first.ID, nil))
		requireRefusal(t, b.LeadPool.Claim(t.Context(), wang, first.ID), pool.Protected)
		b.wait(7 * day)
		requireRefusal(t, b.LeadPool.Claim(t.Context(), li, first.ID), pool.CoolDown)
		require.NoError(t, b.LeadPool.Claim(t.Context(), wang, first.ID))
		require.Equal(t, []string{"lead.created", "lead.claimed", "lead.released", "lead.claimed"}, b.types(first.Ref()))
		require.Equal(t, 3, b.places("li"), "customers")
		b.agree()
	})
	t.Run("claim many, assign, move and lock work as on customers", func(t *testing.T) {
		b := setup(t, open)
		x, y := b.lead("", nil), b.lead("wang", nil)
		got, err := b.LeadPool.ClaimMany(t.Context(), li, []sales.LeadID{x.ID, y.ID}, crm.WhatCanBeHad)
		require.NoError(t, err)
		require.Equal(t, []sales.LeadID{x.ID}, got.Claimed)
		require.NoError(t, b.LeadPool.Assign(t.Context(), head, x.ID, "wang", nil))
		require.EqualValues(t, "wang", b.getLead(x.ID).OwnerID)
		require.NoError(t, b.LeadPool.Lock(t.Context(), wang, x.ID, b.now().Add(day), "fair"))
		require.True(t, b.getLead(x.ID).IsLocked(b.now()))
		p := &pool.Pool{Name: "fair", Public: true, Settings: pool.DefaultSettings()}
		require.NoError(t, b.LeadPool.Pools.Create(t.Context(), boss, p))
		require.Equal(t, pool.Leads, p.Kind)
		moved, err := b.LeadPool.MoveToPool(t.Context(), boss, []sales.LeadID{x.ID}, p.ID, crm.AllOrNothing, nil)
		require.NoError(t, err)
		require.Len(t, moved.Moved, 1)
		require.Equal(t, p.ID, b.getLead(x.ID).PoolID)
		b.agree()
	})
	t.Run("the rules of leads recycle leads, and only them", func(t *testing.T) {
		b := setup(t, open)
		of := func(x *sales.Lead) { x.Source, x.Level, x.Region = "fair", customer.LevelC, "330106" }
		old, followed, vip := b.lead("li", of), b.lead("li", of), b.lead("li", of)
		other := b.lead("li", func(x *sales.Lead) { x.Source = "web" })
		bad := b.lead("li", of)
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), li, bad.ID, "no"))
		tag := b.tag("VIP")
		require.NoError(t, b.Sales.Leads.SetTags(t.Context(), li, vip.ID, tag.ID))
		b.create(2, "li")
		b.leadRule(pool.Rule{Name: "r", Action: pool.Release, Condition: `followup_days > 3 and source == "fair" and level in ["C", "D"] ` +
			`and region == "33" and not ("VIP" in tags)`})
		b.wait(3 * day)
		b.followLead(li, followed.ID, time.Time{})
		b.wait(time.Microsecond)
		e, err := b.LeadPool.Explain(t.Context(), li, old.ID)
		require.NoError(t, err)
		require.NotEmpty(t, e.Rules)
		report, err := b.LeadPool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100})
		require.NoError(t, err)
		require.Equal(t, 1, report.Released)
		require.Empty(t, b.getLead(old.ID).OwnerID)
		for _, x := range []*sales.Lead{followed, vip, other, bad} {
			require.EqualValues(t, "li", b.getLead(x.ID).OwnerID)
		}
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers WHERE owner_id IS NULL"))
		b.agree()
	})
	t.Run("a rule that names what no lead has is refused when it is saved", func(t *testing.T) {
		b := setup(t, open)
		p, err := b.LeadPool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		for _, condition := range []string{"orders > 1", "spend > 1", "active_contracts > 0", "open_cases > 0", "last_order_days > 1", `standing == "active"`, `stage == "won"`, "open_opportunities > 0"} {
			err := b.LeadPool.Pools.PutRule(t.Context(), boss, &pool.Rule{PoolID: p.ID, Name: "r", Action: pool.Release, Condition: "owned_days > 1 or not (" + condition + ")"})
			requireError(t, err, crm.ErrInvalid, kernel.Unknown, "condition")
		}
		p.ClaimCondition = "orders > 1"
		requireError(t, b.LeadPool.Pools.Update(t.Context(), boss, p), crm.ErrInvalid, kernel.Unknown, "claim_condition")
	})
	t.Run("default rules of leads are there from the first day, switched off", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", nil)
		b.wait(100 * day)
		report, err := b.LeadPool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100})
		require.NoError(t, err)
		require.Zero(t, report.Released)
		p, err := b.LeadPool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		require.NoError(t, b.LeadPool.UseDefaults(t.Context(), boss, p.ID))
		report, err = b.LeadPool.Recycle(t.Context(), boss, &pool.RecycleOptions{MaxShare: 100})
		require.NoError(t, err)
		require.Equal(t, 1, report.Released)
		require.Empty(t, b.getLead(x.ID).OwnerID)
		b.agree()
	})
	t.Run("in the pool it is masked for persons, on the trail too, and opened whole, once a day", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("", func(x *sales.Lead) {
			x.Phone, x.Email, x.Wechat, x.Remarks = "13800138000", "li@example.com", "wx", "a note"
		})
		b.followLead(wang, x.ID, time.Time{})
		got, err := b.Sales.Leads.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.True(t, got.Masked)
		require.Equal(t, []string{"138****8000", "l***@example.com", "w***", "***"}, []string{got.Phone, got.Email, got.Wechat, got.Remarks})
		require.ErrorIs(t, b.Sales.Leads.Update(t.Context(), admin, got), customer.Masked)
		l, err := b.Sales.Leads.FollowUps(t.Context(), li, x.ID, crm.Page{})
		require.NoError(t, err)
		require.Equal(t, customer.Mark, l.Items[0].Content)
		trail, err := b.Team.Trail.Audit(t.Context(), admin, team.TrailFilter{Subject: x.Ref()}, crm.Page{})
		require.NoError(t, err)
		for _, e := range trail.Items {
			require.False(t, strings.Contains(string(e.After), "13800138000") || strings.Contains(string(e.After), "wants a pump"), "%s", e.After)
		}
		o, err := b.LeadPool.Open(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.True(t, o.First)
		whole, ok := o.Lead.(*sales.Lead)
		require.True(t, ok)
		require.Equal(t, "13800138000", whole.Phone)
		require.Equal(t, "wants a pump", o.Interactions[0].Content)
		o, err = b.LeadPool.Open(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.False(t, o.First)
		require.NoError(t, b.LeadPool.Claim(t.Context(), li, x.ID))
		got, err = b.Sales.Leads.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.Equal(t, "13800138000", got.Phone)
		b.agree()
	})
	t.Run("what lies in a private pool of leads, only its members see", func(t *testing.T) {
		b := setup(t, open)
		p := &pool.Pool{Name: "fair", Settings: pool.DefaultSettings()}
		require.NoError(t, b.LeadPool.Pools.Create(t.Context(), boss, p))
		require.NoError(t, b.LeadPool.Pools.SetMembers(t.Context(), boss, p.ID, []pool.Member{{User: "wang"}}))
		x := b.lead("", func(x *sales.Lead) { x.PoolID = p.ID })
		_, err := b.Sales.Leads.Get(t.Context(), li, x.ID)
		require.ErrorIs(t, err, crm.ErrNotFound)
		requireRefusal(t, b.LeadPool.Claim(t.Context(), li, x.ID), pool.NotFound)
		_, err = b.Sales.Leads.Get(t.Context(), wang, x.ID)
		require.NoError(t, err)
		require.NoError(t, b.LeadPool.Claim(t.Context(), wang, x.ID))
		b.agree()
	})
	t.Run("territories give leads that lie in the pool, apart from customers", func(t *testing.T) {
		b := setup(t, open)
		require.NoError(t, b.LeadPool.Territories.Put(t.Context(), boss, &pool.Territory{
			Name: "zhejiang", Regions: []string{"33"}, Members: []kernel.UserID{"wang"}, Enabled: true,
		}))
		x := b.lead("", func(x *sales.Lead) { x.Region = "330106" })
		y := b.lead("", func(x *sales.Lead) { x.Region = "310000" })
		got, err := b.LeadPool.AutoAssign(t.Context(), boss, []sales.LeadID{x.ID, y.ID})
		require.NoError(t, err)
		require.Len(t, got.Assigned, 1)
		require.EqualValues(t, "wang", b.getLead(x.ID).OwnerID)
		require.Empty(t, b.getLead(y.ID).OwnerID)
		b.agree()
	})
	t.Run("a pool that assigns new leads gives them in the transaction that captures them", func(t *testing.T) {
		b := setup(t, open)
		p, err := b.LeadPool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		p.AssignNew = true
		require.NoError(t, b.LeadPool.Pools.Update(t.Context(), boss, p))
		require.NoError(t, b.LeadPool.Territories.Put(t.Context(), boss, &pool.Territory{
			Name: "zhejiang", Regions: []string{"33"}, Members: []kernel.UserID{"wang", "li"}, Enabled: true,
		}))
		one := 1
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "wang", pool.Limits{Cap: &one}))
		xs := []*sales.Lead{{Name: "1", Region: "3301"}, {Name: "2", Region: "3301"}, {Name: "3", Region: "3301"}, {Name: "4", Region: "31"}}
		xs = append(xs, &sales.Lead{Name: "5", Ownership: customer.Ownership{OwnerID: "head"}})
		_, err = b.Sales.Leads.CreateMany(t.Context(), boss, xs, crm.AllOrNothing)
		require.NoError(t, err)
		owners := map[kernel.UserID]int{}
		for _, x := range xs {
			is := b.getLead(x.ID)
			require.Equal(t, []any{is.OwnerID, is.Version, is.Seq}, []any{x.OwnerID, x.Version, x.Seq}, "the caller's is as written")
			owners[x.OwnerID]++
		}
		require.Equal(t, map[kernel.UserID]int{"wang": 1, "li": 2, "head": 1, "": 1}, owners)
		b.agree()
	})
	t.Run("a member that leaves hands its living leads over; invalid ones stay", func(t *testing.T) {
		b := setup(t, open)
		x, y := b.lead("li", nil), b.lead("li", nil)
		bad := b.lead("li", nil)
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), li, bad.ID, "no"))
		one := 1
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "wang", pool.Limits{Cap: &one}))
		report, err := b.HandOver.Run(t.Context(), admin, "li", &crm.HandOverOptions{Successors: []crm.UserID{"wang"}})
		require.NoError(t, err)
		require.Equal(t, sales.LeadKind, report.Items[2].Kind)
		require.Equal(t, 2, report.Items[2].Found)
		require.EqualValues(t, "wang", b.getLead(x.ID).OwnerID)
		require.Empty(t, b.getLead(y.ID).OwnerID)
		require.EqualValues(t, "li", b.getLead(bad.ID).OwnerID)
		requireRefusal(t, b.LeadPool.Assign(t.Context(), admin, y.ID, "li", nil), pool.NotPoolMember)
		b.agree()
	})
}
