package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

func (b *bundle) planned1(who crm.Actor, id sales.LeadID) sales.ConversionPlan {
	b.t.Helper()
	p, err := b.Sales.Leads.PlanConversion(b.t.Context(), who, id)
	require.NoError(b.t, err)
	return p
}

func testLeadConversion(t *testing.T, open Open) {
	t.Run("a plan makes a customer, contact and opportunity; source, follow-ups and tags move along", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		x := b.lead("li", func(x *sales.Lead) {
			x.Phone, x.Email, x.Title, x.Source, x.Region, x.Level = "13800138000", "w@example.com", "buyer", "fair", "330106", customer.LevelB
			x.Remarks, x.ExternalSystem, x.ExternalID, x.AnnualPotential = "a note", "erp", "1", null("5000")
		})
		tag := b.tag("VIP")
		require.NoError(t, b.Sales.Leads.SetTags(t.Context(), li, x.ID, tag.ID))
		first := b.followLead(li, x.ID, time.Time{})
		b.wait(day)
		last := b.followLead(li, x.ID, time.Time{})
		p := b.planned1(li, x.ID)
		require.Equal(t, sales.NewCustomer, p.Do)
		require.Empty(t, p.Candidates)
		p.Opportunity = &sales.Opportunity{Amount: dec("1000")}
		b.wait(time.Hour)
		got, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.NoError(t, err)
		of := b.get(got.Customer)
		require.Equal(t, []any{"蓝鲸机械有限公司", "fair", "330106", customer.LevelB, "a note", "erp", "1", int64(x.ID), kernel.UserID("li")},
			[]any{of.Name, of.Source, of.Region, of.Level, of.Remarks, of.ExternalSystem, of.ExternalID, of.SourceLead, of.OwnerID})
		contacts, err := b.Customers.Contacts.List(t.Context(), li, of.ID, crm.Page{})
		require.NoError(t, err)
		k := contacts.Items[0]
		require.Equal(t, []any{got.Contact, "王小明", "buyer", "13800138000", "w@example.com", true}, []any{k.ID, k.FullName, k.Title, k.Phone, k.Email, k.IsPrimary})
		deal, err := b.Sales.Opportunities.Get(t.Context(), li, got.Opportunity)
		require.NoError(t, err)
		require.Equal(t, []any{of.ID, k.ID, "蓝鲸机械有限公司", "fair", kernel.UserID("li")}, []any{deal.CustomerID, deal.ContactID, deal.Name, deal.Source, deal.OwnerID})
		happened, err := b.Customers.Interactions.List(t.Context(), li, of.ID, crm.Page{})
		require.NoError(t, err)
		require.Len(t, happened.Items, 2)
		require.Equal(t, []customer.InteractionID{last.ID, first.ID}, []customer.InteractionID{happened.Items[0].ID, happened.Items[1].ID})
		require.Equal(t, k.ID, happened.Items[0].ContactID)
		b.requireFacts(of.ID, 2, last.At)
		require.Equal(t, []string{"VIP"}, b.carried(of.ID))
		require.Zero(t, b.count("SELECT count(*) FROM crm_lead_interactions")+b.count("SELECT count(*) FROM crm_lead_tags"), "moved, not copied")
		require.Zero(t, b.leadPlaces())
		require.Equal(t, 1, b.places("li"))
		is := b.getLead(x.ID)
		require.Equal(t, []any{sales.LeadConverted, of.ID, k.ID, deal.ID}, []any{is.Status, is.CustomerID, is.ContactID, is.OpportunityID})
		require.True(t, is.ClosedAt.Equal(b.now()) && got.At.Equal(b.now()))
		b.agree()
	})
	t.Run("asked again it gives the first result, whatever the plan says and whoever asks", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", nil)
		p := b.planned1(li, x.ID)
		got, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.NoError(t, err)
		b.wait(day)
		p.Version = 99
		for _, who := range []crm.Actor{li, head, boss} {
			again, err := b.Sales.Leads.Convert(t.Context(), who, p)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_customers"))
		done := b.planned1(li, x.ID)
		require.Equal(t, []any{sales.Existing, got.Customer, got.Contact}, []any{done.Do, done.Customer, done.Contact})
		b.agree()
	})
	t.Run("a converted lead never changes: no use case and no pool reaches it, and its number is free", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", func(x *sales.Lead) { x.Phone = "13800138000" })
		_, err := b.Sales.Leads.Convert(t.Context(), li, b.planned1(li, x.ID))
		require.NoError(t, err)
		is := b.getLead(x.ID)
		for name, err := range map[string]error{
			"update":  b.Sales.Leads.Update(t.Context(), li, b.getLead(x.ID)),
			"invalid": b.Sales.Leads.MarkInvalid(t.Context(), li, x.ID, "no"),
			"tags":    b.Sales.Leads.SetTags(t.Context(), li, x.ID),
			"follow": b.Sales.Leads.FollowUp(t.Context(), li, &sales.FollowUp{
				LeadID: x.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: "x"},
			}),
		} {
			require.ErrorIs(t, err, sales.LeadClosed, name)
		}
		_, err = b.Sales.Leads.Reopen(t.Context(), li, x.ID)
		require.ErrorIs(t, err, sales.LeadClosed)
		requireRefusal(t, b.LeadPool.Release(t.Context(), li, x.ID, nil), pool.NotFound)
		requireRefusal(t, b.LeadPool.Assign(t.Context(), admin, x.ID, "wang", nil), pool.NotFound)
		require.Equal(t, is, b.getLead(x.ID))
		require.Empty(t, b.leadIDs(boss, sales.LeadFilter{}))
		b.lead("wang", func(x *sales.Lead) { x.Phone = "13800138000" })
		b.agree()
	})
	t.Run("an existing customer is found by phone, e-mail, host key and name, the strongest first", func(t *testing.T) {
		b := setup(t, open)
		named := &customer.Customer{Name: "蓝鲸机械有限公司", Ownership: customer.Ownership{OwnerID: "li"}}
		keyed := &customer.Customer{Name: "y", ExternalSystem: "erp", ExternalID: "1", Ownership: customer.Ownership{OwnerID: "wang"}}
		require.NoError(t, b.Customers.Create(t.Context(), boss, named))
		require.NoError(t, b.Customers.Create(t.Context(), boss, keyed))
		phoned := b.create(1, "li")[0]
		c := b.get(phoned)
		c.Name = "z"
		require.NoError(t, b.Customers.Update(t.Context(), boss, c))
		k := &customer.Contact{CustomerID: phoned, FullName: "王", Phone: "13800138000", Email: "w@example.com"}
		require.NoError(t, b.Customers.Contacts.Add(t.Context(), boss, k))
		x := b.lead("li", func(x *sales.Lead) {
			x.Phone, x.Email, x.ExternalSystem, x.ExternalID = "+86 138 0013 8000", "W@example.com", "erp", "1"
		})
		p := b.planned1(li, x.ID)
		require.Equal(t, []sales.Candidate{
			{Reasons: []sales.MatchReason{sales.SameKey}},
			{Customer: phoned, Contact: k.ID, Reasons: []sales.MatchReason{sales.SamePhone, sales.SameEmail}},
			{Customer: named.ID, Reasons: []sales.MatchReason{sales.SameName}},
		}, p.Candidates, "wang's is not shown to li")
		require.Equal(t, []any{sales.Existing, phoned, k.ID}, []any{p.Do, p.Customer, p.Contact})
		require.Equal(t, keyed.ID, b.planned1(boss, x.ID).Customer)
		b.wait(day)
		at := b.followLead(li, x.ID, time.Time{}).At
		p = b.planned1(li, x.ID)
		got, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.NoError(t, err)
		require.Equal(t, []any{phoned, k.ID}, []any{got.Customer, got.Contact})
		b.requireClocks(phoned, day, day)
		b.requireFacts(phoned, 1, at)
		require.Equal(t, 3, b.count("SELECT count(*) FROM crm_customers"))
		b.agree()
	})
	t.Run("only customers out of reach: the plan refuses, and so does Convert, unless a new one is asked for", func(t *testing.T) {
		b := setup(t, open)
		b.create(1, "wang")
		x := b.lead("li", nil)
		p := b.planned1(li, x.ID)
		require.Equal(t, []any{sales.Refuse, sales.NotReachable}, []any{p.Do, p.Why})
		_, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.ErrorIs(t, err, sales.NotReachable)
		p.Do = sales.NewCustomer
		_, err = b.Sales.Leads.Convert(t.Context(), li, p)
		require.NoError(t, err)
		lying := b.lead("", func(x *sales.Lead) { x.Company = "other" })
		require.Equal(t, sales.NotOwned, b.planned1(boss, lying.ID).Why)
		_, err = b.Sales.Leads.Convert(t.Context(), boss, sales.ConversionPlan{Lead: lying.ID, Version: lying.Version, Do: sales.NewCustomer})
		require.ErrorIs(t, err, sales.NotOwned)
		b.agree()
	})
	t.Run("a plan of a lead that has changed since is a conflict", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", nil)
		p := b.planned1(li, x.ID)
		b.followLead(li, x.ID, time.Time{})
		_, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.ErrorIs(t, err, kernel.Stale)
		require.ErrorIs(t, err, crm.ErrConflict)
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers"))
	})
	t.Run("failing at the contact, the opportunity or the cap it leaves nothing behind", func(t *testing.T) {
		b := setup(t, open)
		x := b.lead("li", func(x *sales.Lead) { x.Phone = "13800138000" })
		b.followLead(li, x.ID, time.Time{})
		before := b.count("SELECT count(*) FROM crm_audit")
		p := b.planned1(li, x.ID)
		for name, change := range map[string]func(p *sales.ConversionPlan){
			"no pipeline":           func(p *sales.ConversionPlan) { p.Opportunity = &sales.Opportunity{} },
			"a malformed one":       func(p *sales.ConversionPlan) { p.Opportunity = &sales.Opportunity{Source: "a\nb"} },
			"nobody's":              func(p *sales.ConversionPlan) { p.Opportunity = &sales.Opportunity{OwnerID: "nobody"} },
			"no such customer":      func(p *sales.ConversionPlan) { p.Do, p.Customer = sales.Existing, 1<<40 },
			"an opportunity of new": func(p *sales.ConversionPlan) { p.OpportunityID = 1 },
			"no way":                func(p *sales.ConversionPlan) { p.Do = "" },
		} {
			q := p
			change(&q)
			_, err := b.Sales.Leads.Convert(t.Context(), li, q)
			require.Error(t, err, name)
		}
		zero := 0
		require.NoError(t, b.Pool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &zero}))
		before++
		_, err := b.Sales.Leads.Convert(t.Context(), li, p)
		requireError(t, err, crm.ErrRefused, customer.NoPlace, "owner_id")
		require.Zero(t, b.count("SELECT count(*) FROM crm_customers")+b.count("SELECT count(*) FROM crm_contacts"))
		require.Equal(t, before, b.count("SELECT count(*) FROM crm_audit"))
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_lead_interactions"))
		require.Equal(t, 1, b.leadPlaces())
		b.agree()
	})
	t.Run("into an opportunity that is there, of that customer only", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		of := b.create(2, "li")
		deal, foreign := b.opportunity(li, of[0], "1"), b.opportunity(li, of[1], "1")
		x := b.lead("li", nil)
		p := b.planned1(li, x.ID)
		require.Equal(t, of[0], p.Customer, "the older of two of one name")
		p.OpportunityID = foreign.ID
		_, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.ErrorIs(t, err, crm.ErrNotFound)
		p.OpportunityID = deal.ID
		got, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.NoError(t, err)
		require.Equal(t, deal.ID, got.Opportunity)
		b.agree()
	})
	t.Run("a blacklisted customer is shown, and never chosen", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		require.NoError(t, b.Customers.Blacklist(t.Context(), boss, of, "does not pay"))
		x := b.lead("li", nil)
		p := b.planned1(li, x.ID)
		require.Equal(t, []any{sales.Refuse, of}, []any{p.Do, p.Candidates[0].Customer})
		p.Do, p.Customer = sales.Existing, of
		_, err := b.Sales.Leads.Convert(t.Context(), li, p)
		require.ErrorIs(t, err, sales.Blacklisted)
	})
}
