package storagetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

// lead captures a lead in the default pool, or of an owner.
func (b *bundle) lead(owner kernel.UserID, change func(x *sales.Lead)) *sales.Lead {
	b.t.Helper()
	x := &sales.Lead{Name: "王小明", Company: "蓝鲸机械有限公司", Ownership: customer.Ownership{OwnerID: owner}}
	if change != nil {
		change(x)
	}
	require.NoError(b.t, b.Sales.Leads.Create(b.t.Context(), boss, x))
	return x
}

func (b *bundle) getLead(id sales.LeadID) *sales.Lead {
	b.t.Helper()
	x, err := b.Sales.Leads.Get(b.t.Context(), boss, id)
	require.NoError(b.t, err)
	return x
}

// fillLeads writes something into every table of leads.
func (b *bundle) fillLeads(by crm.Actor) {
	b.t.Helper()
	ctx := b.t.Context()
	x := &sales.Lead{Name: "王小明", Phone: "13800138000"}
	require.NoError(b.t, b.Sales.Leads.Create(ctx, by, x))
	require.NoError(b.t, b.Sales.Leads.FollowUp(ctx, by, &sales.FollowUp{LeadID: x.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: "x"}}))
	tags, err := b.Customers.Tags.List(ctx, by, crm.Page{Limit: 1})
	require.NoError(b.t, err)
	require.NoError(b.t, b.Sales.Leads.SetTags(ctx, by, x.ID, tags.Items[0].ID))
}

// leadPlaces is how many leads li's counter has.
func (b *bundle) leadPlaces() int {
	b.t.Helper()
	return b.count("SELECT coalesce(sum(places), 0) FROM crm_counters WHERE kind = 'lead' AND user_id = 'li'")
}

func (b *bundle) followLead(who crm.Actor, id sales.LeadID, at time.Time) *sales.FollowUp {
	b.t.Helper()
	x := &sales.FollowUp{LeadID: id, Interaction: customer.Interaction{Type: customer.Call, Subject: "first call", Content: "wants a pump", At: at, Followup: true}}
	require.NoError(b.t, b.Sales.Leads.FollowUp(b.t.Context(), who, x))
	return x
}

func (b *bundle) leadIDs(who crm.Actor, f sales.LeadFilter) (ids []sales.LeadID) {
	b.t.Helper()
	for x, err := range crm.All(func(p crm.Page) (crm.List[*sales.Lead], error) {
		p.Limit = 2
		return b.Sales.Leads.List(b.t.Context(), who, f, p)
	}) {
		require.NoError(b.t, err)
		ids = append(ids, x.ID)
	}
	return ids
}

func testLeads(t *testing.T, open Open) {
	t.Run("what is captured comes back as it was given, to the letter", func(t *testing.T) {
		b := setup(t, open)
		x := &sales.Lead{
			Name: "王小明", Type: customer.Individual, Company: "蓝鲸", Title: "采购经理", Phone: "+86 138-0013-8000", Email: "Wang@Example.com", Wechat: "wx",
			Source: "exhibition", ProductInterest: "pump", Intent: 3, Level: customer.LevelA, Industry: "C35", Region: "330106", Province: "浙江",
			City: "杭州", District: "西湖", AnnualPotential: null("1234.5678"), Brand: "b", Remarks: "two\nlines", ExternalSystem: "erp", ExternalID: "7",
			Ownership: customer.Ownership{OwnerID: "li"},
		}
		require.NoError(t, b.Sales.Leads.Create(t.Context(), li, x))
		require.Equal(t, sales.LeadNew, x.Status)
		require.True(t, x.OwnedSince.Equal(b.now()))
		got, err := b.Sales.Leads.Get(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.True(t, got.AnnualPotential.Decimal.Equal(x.AnnualPotential.Decimal))
		got.AnnualPotential = x.AnnualPotential
		require.Equal(t, x, got)
		require.Equal(t, 1, b.leadPlaces())
		require.Zero(t, b.count("SELECT count(*) FROM crm_counters WHERE kind = 'customer' AND places > 0"), "a lead takes no customer's place")
		require.Equal(t, []string{"lead.created"}, b.types(x.Ref()))
		b.agree()
	})
	t.Run("a duplicate by phone, e-mail or host key is refused, and names the lead that is there", func(t *testing.T) {
		b := setup(t, open)
		is := b.lead("li", func(x *sales.Lead) {
			x.Phone, x.Email, x.ExternalSystem, x.ExternalID = "138 0013 8000", "a@example.com", "erp", "1"
		})
		for field, change := range map[string]sales.Lead{
			"phone":       {Name: "x", Phone: "0086 13800138000"},
			"email":       {Name: "x", Email: "A@EXAMPLE.com"},
			"external_id": {Name: "x", ExternalSystem: "erp", ExternalID: "1"},
		} {
			err := b.Sales.Leads.Create(t.Context(), boss, &change)
			requireError(t, err, crm.ErrConflict, kernel.Duplicate, field)
			got, err := b.Sales.Leads.CreateMany(t.Context(), li, []*sales.Lead{&change, {Name: "y"}}, crm.WhatCanBeHad)
			require.NoError(t, err)
			require.Equal(t, is.ID, got[0].ID)
			require.Equal(t, customer.WasRefused, got[0].Did)
			require.Equal(t, customer.WasCreated, got[1].Did)
			got, err = b.Sales.Leads.CreateMany(t.Context(), wang, []*sales.Lead{&change}, crm.WhatCanBeHad)
			require.NoError(t, err)
			require.Zero(t, got[0].ID, "wang may not see whose it is")
		}
		require.NoError(t, b.Sales.Leads.Create(t.Context(), otherBoss, &sales.Lead{Name: "x", Phone: "13800138000"}), "another tenant's")
		require.NoError(t, b.Sales.Leads.Create(t.Context(), boss, &sales.Lead{Name: "x", ExternalSystem: "shop", ExternalID: "1"}), "another system's")
		b.agree()
	})
	t.Run("of several the earlier item wins, and under all-or-nothing nothing is written", func(t *testing.T) {
		b := setup(t, open)
		batch := func() []*sales.Lead {
			return []*sales.Lead{{Name: "a", Phone: "13800138000"}, {Name: "b", Phone: "+8613800138000"}, {Name: "c"}}
		}
		_, err := b.Sales.Leads.CreateMany(t.Context(), boss, batch(), crm.AllOrNothing)
		e := requireError(t, err, crm.ErrConflict, kernel.Duplicate, "phone")
		index, _ := e.Item()
		require.Equal(t, 1, index)
		require.Zero(t, b.count("SELECT count(*) FROM crm_leads"))
		got, err := b.Sales.Leads.CreateMany(t.Context(), boss, batch(), crm.WhatCanBeHad)
		require.NoError(t, err)
		require.Equal(t, got[0].ID, got[1].ID)
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_leads"))
		b.agree()
	})
	t.Run("the cap of leads holds at capture, item by item", func(t *testing.T) {
		b := setup(t, open)
		two := 2
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &two}))
		xs := []*sales.Lead{{Name: "1"}, {Name: "2"}, {Name: "3"}}
		for _, x := range xs {
			x.OwnerID = "li"
		}
		got, err := b.Sales.Leads.CreateMany(t.Context(), li, xs, crm.WhatCanBeHad)
		require.NoError(t, err)
		require.Nil(t, got[1].Err)
		requireError(t, got[2].Err, crm.ErrRefused, customer.NoPlace, "owner_id")
		require.Equal(t, 2, b.leadPlaces())
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_leads"))
		b.agree()
	})
	t.Run("malformed input is refused whole, with the item's index and the field", func(t *testing.T) {
		b := setup(t, open)
		for field, x := range map[string]*sales.Lead{
			"name": {}, "phone": {Name: "x", Phone: "abc"}, "email": {Name: "x", Email: "no"}, "intent": {Name: "x", Intent: 4},
			"external_id": {Name: "x", ExternalSystem: "erp"}, "status": {Name: "x", Status: sales.LeadConverted}, "region": {Name: "x", Region: "ab"},
			"owner_id": {Name: "x", Ownership: customer.Ownership{OwnerID: "nobody"}}, "pool_id": {Name: "x", Ownership: customer.Ownership{PoolID: 1 << 40}},
		} {
			_, err := b.Sales.Leads.CreateMany(t.Context(), boss, []*sales.Lead{{Name: "ok"}, x}, crm.WhatCanBeHad)
			require.ErrorIs(t, err, crm.ErrInvalid, field)
			var e *crm.Error
			require.ErrorAs(t, err, &e)
			index, _ := e.Item()
			require.Equal(t, []any{field, 1}, []any{e.Field, index})
		}
		customers, err := b.Pool.Pools.Get(t.Context(), boss, 0)
		require.NoError(t, err)
		err = b.Sales.Leads.Create(t.Context(), boss, &sales.Lead{Name: "x", Ownership: customer.Ownership{PoolID: customers.ID}})
		requireError(t, err, crm.ErrInvalid, kernel.Unknown, "pool_id")
		require.Zero(t, b.count("SELECT count(*) FROM crm_leads"))
	})
	t.Run("lists are filtered and paged, within the scope of who asks", func(t *testing.T) {
		b := setup(t, open)
		mine := b.lead("li", func(x *sales.Lead) { x.Source, x.Intent, x.Region = "web", 3, "330106" })
		theirs := b.lead("wang", func(x *sales.Lead) { x.Source = "fair" })
		lying := b.lead("", func(x *sales.Lead) { x.Intent = 1 })
		bad := b.lead("li", nil)
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), li, bad.ID, "a wrong number"))
		require.Equal(t, []sales.LeadID{mine.ID, lying.ID}, b.leadIDs(li, sales.LeadFilter{}))
		require.Equal(t, []sales.LeadID{mine.ID, theirs.ID, lying.ID}, b.leadIDs(head, sales.LeadFilter{}))
		for want, f := range map[sales.LeadID]sales.LeadFilter{
			mine.ID:   {Regions: []string{"33"}},
			theirs.ID: {Owners: []kernel.UserID{"wang"}},
			lying.ID:  {InPool: true},
			bad.ID:    {Statuses: []sales.LeadStatus{sales.LeadInvalid}},
		} {
			require.Equal(t, []sales.LeadID{want}, b.leadIDs(boss, f))
		}
		require.Equal(t, []sales.LeadID{mine.ID}, b.leadIDs(boss, sales.LeadFilter{Intents: []int{2, 3}, Sources: []string{"web"}}))
		require.Empty(t, b.leadIDs(otherLi, sales.LeadFilter{}))
	})
	t.Run("an update is refused when stale, for what has a use case of its own, and for a duplicate", func(t *testing.T) {
		b := setup(t, open)
		b.lead("wang", func(x *sales.Lead) { x.Phone = "13800138000" })
		x := b.lead("li", nil)
		change := func(edit func(x *sales.Lead)) error {
			y := *b.getLead(x.ID)
			edit(&y)
			return b.Sales.Leads.Update(t.Context(), li, &y)
		}
		require.NoError(t, change(func(x *sales.Lead) { x.Intent, x.Phone = 2, "13900139000" }))
		require.Equal(t, 2, b.getLead(x.ID).Intent)
		requireError(t, change(func(x *sales.Lead) { x.Phone = "138-0013-8000" }), crm.ErrConflict, kernel.Duplicate, "phone")
		requireError(t, change(func(x *sales.Lead) { x.OwnerID = "wang" }), crm.ErrInvalid, kernel.ReadOnly, "owner_id")
		requireError(t, change(func(x *sales.Lead) { x.Status = sales.LeadInvalid }), crm.ErrInvalid, kernel.ReadOnly, "status")
		require.ErrorIs(t, change(func(x *sales.Lead) { x.Version-- }), kernel.Stale)
		require.Equal(t, 2, b.count("SELECT count(*) FROM crm_audit WHERE subject_kind = 'lead' AND subject_id = "+strconv.FormatInt(int64(x.ID), 10)))
		b.agree()
	})
	t.Run("an invalid lead frees its place and blocks no number; reopened it is back, or a conflict, or in the pool", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", func(x *sales.Lead) { x.Phone = "13800138000" })
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), li, x.ID, "a wrong number"))
		require.Zero(t, b.leadPlaces())
		b.agree()
		y := b.lead("wang", func(x *sales.Lead) { x.Phone = "13800138000" })
		_, err := b.Sales.Leads.Reopen(t.Context(), li, x.ID)
		requireError(t, err, crm.ErrConflict, kernel.Duplicate, "phone")
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), wang, y.ID, "twice"))
		got, err := b.Sales.Leads.Reopen(t.Context(), li, x.ID)
		require.NoError(t, err)
		require.EqualValues(t, "li", got.OwnerID)
		require.Equal(t, 1, b.leadPlaces())
		zero := 0
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "wang", pool.Limits{Cap: &zero}))
		require.NoError(t, b.Sales.Leads.MarkInvalid(t.Context(), li, x.ID, "again"))
		got, err = b.Sales.Leads.Reopen(t.Context(), boss, y.ID)
		require.NoError(t, err)
		require.Empty(t, got.OwnerID, "no place")
		require.True(t, got.PoolEnteredAt.Equal(b.now()))
		b.agree()
	})
	t.Run("a follow-up moves the clocks and makes it followed; one of before, or in the pool, moves none", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", nil)
		b.wait(day)
		b.followLead(li, x.ID, x.OwnedSince.Add(-time.Hour))
		require.Equal(t, sales.LeadNew, b.getLead(x.ID).Status)
		last := b.followLead(li, x.ID, time.Time{})
		first := b.followLead(li, x.ID, b.now().Add(-time.Hour))
		got := b.getLead(x.ID)
		require.Equal(t, sales.LeadFollowing, got.Status)
		require.True(t, got.FirstFollowupAt.Equal(first.At) && got.LastFollowupAt.Equal(last.At))
		require.EqualValues(t, 3, got.Interactions)
		l, err := b.Sales.Leads.FollowUps(t.Context(), li, x.ID, crm.Page{Limit: 2})
		require.NoError(t, err)
		require.Equal(t, []customer.InteractionID{last.ID, first.ID}, []customer.InteractionID{l.Items[0].ID, l.Items[1].ID})
		l, err = b.Sales.Leads.FollowUps(t.Context(), li, x.ID, crm.Page{After: l.Next})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		lying := b.lead("", nil)
		b.followLead(wang, lying.ID, time.Time{})
		require.Equal(t, sales.LeadNew, b.getLead(lying.ID).Status)
		err = b.Sales.Leads.FollowUp(t.Context(), wang, &sales.FollowUp{LeadID: x.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: "x"}})
		require.ErrorIs(t, err, crm.ErrNotFound, "it is li's")
		err = b.Sales.Leads.FollowUp(t.Context(), li, &sales.FollowUp{LeadID: x.ID, Interaction: customer.Interaction{
			Type: customer.Call, Subject: "x", At: b.now().Add(time.Second),
		}})
		requireError(t, err, crm.ErrInvalid, kernel.InFuture, "at")
		b.agree()
	})
	t.Run("the same request twice is one lead", func(t *testing.T) {
		b := setup(t, open)
		once := li
		once.Request = "r1"
		x, y := &sales.Lead{Name: "x"}, &sales.Lead{Name: "x"}
		require.NoError(t, b.Sales.Leads.Create(t.Context(), once, x))
		require.NoError(t, b.Sales.Leads.Create(t.Context(), once, y))
		require.Equal(t, x.ID, y.ID)
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_leads"))
	})
}
