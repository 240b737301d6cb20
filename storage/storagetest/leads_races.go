package storagetest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

func testLeadRaces(t *testing.T, open Open) {
	t.Run("of many that claim one lead at once exactly one wins", func(t *testing.T) {
		b := setup(t, open)
		actors, x := b.members(12), b.lead("", nil)
		var won atomic.Int32
		together(len(actors), func(i int) {
			switch err := insist(func() error { return b.LeadPool.Claim(t.Context(), actors[i], x.ID) }); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pool.Taken):
				t.Errorf("%v", err)
			}
		})
		require.EqualValues(t, 1, won.Load())
		b.agree()
	})
	t.Run("one member that claims many at once never exceeds the cap of leads", func(t *testing.T) {
		b := setup(t, open)
		five := 5
		require.NoError(t, b.LeadPool.Pools.SetLimits(t.Context(), boss, "li", pool.Limits{Cap: &five}))
		var ids []sales.LeadID
		for range 12 {
			ids = append(ids, b.lead("", nil).ID)
		}
		together(len(ids), func(i int) { _ = insist(func() error { return b.LeadPool.Claim(t.Context(), li, ids[i]) }) })
		require.Equal(t, 5, b.count("SELECT count(*) FROM crm_leads WHERE owner_id = 'li'"))
		b.agree()
	})
	t.Run("the same phone captured at once is one lead", func(t *testing.T) {
		b := setup(t, open)
		var made atomic.Int32
		together(10, func(i int) {
			err := insist(func() error {
				return b.Sales.Leads.Create(t.Context(), li, &sales.Lead{Name: strconv.Itoa(i), Phone: "13800138000"})
			})
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, kernel.Duplicate):
				t.Errorf("%v", err)
			}
		})
		require.EqualValues(t, 1, made.Load())
		require.Equal(t, 1, b.count("SELECT count(*) FROM crm_leads"))
		b.agree()
	})
	t.Run("concurrent conversions make one customer, and all get it", func(t *testing.T) {
		b := setup(t, open)
		b.pipeline()
		x := b.lead("li", func(x *sales.Lead) { x.Phone = "13800138000" })
		p := b.planned1(li, x.ID)
		p.Opportunity = &sales.Opportunity{}
		got := make([]sales.Converted, 8)
		together(len(got), func(i int) {
			who := []crm.Actor{li, head, admin, boss}[i%4]
			if err := insist(func() (err error) { got[i], err = b.Sales.Leads.Convert(t.Context(), who, p); return err }); err != nil {
				t.Errorf("%v", err)
			}
		})
		for _, x := range got {
			require.Equal(t, got[0], x)
		}
		for _, table := range []string{"crm_customers", "crm_contacts", "crm_opportunities"} {
			require.Equal(t, 1, b.count("SELECT count(*) FROM "+table), table)
		}
		b.agree()
	})
	t.Run("conversions of many leads into one customer, releases and follow-ups at once lose nothing", func(t *testing.T) {
		b := setup(t, open)
		of := b.create(1, "li")[0]
		var leads []*sales.Lead
		for range 6 {
			x := b.lead("li", nil)
			b.followLead(li, x.ID, b.now())
			leads = append(leads, b.getLead(x.ID))
		}
		together(3*len(leads), func(i int) {
			x := leads[i%len(leads)]
			switch i / len(leads) {
			case 0:
				_ = insist(func() error {
					_, err := b.Sales.Leads.Convert(t.Context(), li, sales.ConversionPlan{Lead: x.ID, Version: x.Version, Do: sales.Existing, Customer: of})
					return err
				})
			case 1:
				_ = insist(func() error { return b.LeadPool.Release(t.Context(), li, x.ID, nil) })
			default:
				_ = insist(func() error {
					return b.Sales.Leads.FollowUp(t.Context(), li, &sales.FollowUp{LeadID: x.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: "x"}})
				})
			}
		})
		require.Equal(t, b.count("SELECT count(*) FROM crm_audit WHERE type = 'lead.followed_up'"),
			b.count("SELECT count(*) FROM crm_lead_interactions")+b.count("SELECT count(*) FROM crm_interactions"))
		b.agree()
	})
}
