package check

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
)

// prospects are leads and what belongs to them.
type prospects struct {
	lead, lying sales.LeadID
	is          sales.Lead // lead, as it is
	pool        pool.ID
	private     pool.ID
	rule        pool.RuleID
	territory   pool.TerritoryID
}

// prospect makes leads of an owner and in a pool, all of one name.
func (h *house) prospect(by kernel.Actor, owner kernel.UserID, tag customer.TagID, name string) (p prospects) {
	h.t.Helper()
	ctx, ok := context.Background(), func(err error) { h.t.Helper(); require.NoError(h.t, err) }
	public := &pool.Pool{Name: name, Public: true, Settings: pool.DefaultSettings()}
	ok(h.LeadPool.Pools.Create(ctx, by, public))
	private := &pool.Pool{Name: name + " private", Settings: pool.DefaultSettings()}
	ok(h.LeadPool.Pools.Create(ctx, by, private))
	ok(h.LeadPool.Pools.SetMembers(ctx, by, private.ID, []pool.Member{{User: "wang"}}))
	rule := &pool.Rule{PoolID: public.ID, Name: name, Condition: "owned_days > 100", Action: pool.Release}
	ok(h.LeadPool.Pools.PutRule(ctx, by, rule))
	area := &pool.Territory{Name: name, Members: []kernel.UserID{owner}, Enabled: true}
	ok(h.LeadPool.Territories.Put(ctx, by, area))
	x := &sales.Lead{
		Name: name, Email: name + "@example.com", ExternalSystem: "erp", ExternalID: name, Remarks: name, Ownership: customer.Ownership{OwnerID: owner},
	}
	ok(h.Sales.Leads.Create(ctx, by, x))
	ok(h.Sales.Leads.SetTags(ctx, by, x.ID, tag))
	ok(h.Sales.Leads.FollowUp(ctx, by, &sales.FollowUp{LeadID: x.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: name, Staff: owner, Followup: true}}))
	lying := &sales.Lead{Name: name, Phone: "13800138009"}
	ok(h.Sales.Leads.Create(ctx, by, lying))
	is, err := h.Sales.Leads.Get(ctx, by, x.ID)
	ok(err)
	return prospects{x.ID, lying.ID, *is, public.ID, private.ID, rule.ID, area.ID}
}

// hideLead makes a lead of a seller in a pool that others do not belong to.
func (x *trespass) hideLead(t *testing.T, by, seller kernel.Actor, released bool) prospects {
	t.Helper()
	ctx := t.Context()
	lead := &sales.Lead{Name: secret, Remarks: secret, Ownership: customer.Ownership{OwnerID: seller.User}}
	require.NoError(t, x.Sales.Leads.Create(ctx, by, lead))
	require.NoError(t, x.Sales.Leads.FollowUp(ctx, by, &sales.FollowUp{LeadID: lead.ID, Interaction: customer.Interaction{Type: customer.Call, Subject: secret, Staff: seller.User}}))
	_, err := x.LeadPool.MoveToPool(ctx, by, []sales.LeadID{lead.ID}, x.own.leads.private, pool.AllOrNothing, nil)
	require.NoError(t, err)
	if released {
		require.NoError(t, x.LeadPool.Release(ctx, by, lead.ID, nil))
	}
	return prospects{lead: lead.ID}
}

func (x lived) leadMakers() []func() any {
	return []func() any{
		func() any { return x.leads.is },
		func() any { return sales.LeadFilter{} },
		func() any {
			return sales.FollowUp{LeadID: x.leads.lead, Interaction: customer.Interaction{Type: customer.Call, Subject: "x", Staff: "li", Followup: true}}
		},
		func() any {
			return sales.ConversionPlan{
				Lead: x.leads.lead, Version: x.leads.is.Version, Do: sales.Existing, Customer: x.busy, Contact: x.contact, OpportunityID: x.offer.opportunity,
				Candidates: []sales.Candidate{{Customer: x.busy, Contact: x.contact, Reasons: []sales.MatchReason{sales.SameName}}},
			}
		},
	}
}

func (x lived) leadSpecial() map[string]func() any {
	return map[string]func() any{
		"Sales.Leads.Create#0":     func() any { return &sales.Lead{Name: "another"} },
		"Sales.Leads.CreateMany#0": func() any { return []*sales.Lead{{Name: "another"}} },
		"LeadPool.AutoAssign#0":    func() any { return []sales.LeadID{x.leads.lying} },
		"LeadPool.Open#0":          func() any { return x.leads.lying },
	}
}

// argumentsOf are the makers and special arguments of a use case: those of the pool of leads are those of the pool of
// customers, with pools, rules and territories of leads.
func (x lived) argumentsOf(u useCase) (makers map[reflect.Type]func() any, special map[string]func() any) {
	special = x.special()
	if !strings.HasPrefix(u.name, "LeadPool.") {
		return x.makers(), special
	}
	x.pool, x.private, x.rule, x.territory = x.leads.pool, x.leads.private, x.leads.rule, x.leads.territory
	for name, maker := range x.special() {
		if lead := strings.TrimPrefix(name, "Pool."); lead != name && special["LeadPool."+lead] == nil {
			special["LeadPool."+lead] = maker
		}
	}
	return x.makers(), special
}

// leadCorruptions are things that must never be in leads, under the checks that find them.
func leadCorruptions(x lived, list map[string][]corruption) {
	of := func(check, does string, want map[string]int) {
		text := strings.NewReplacer("{lead}", number(x.leads.lead), "{lying}", number(x.leads.lying)).Replace(does)
		list[check] = append(list[check], corruption{text, want})
	}
	of("places", "UPDATE crm_counters SET places = places + 1 WHERE user_id = 'li' AND kind = 'lead'", map[string]int{"places": 1})
	of("closed", "UPDATE crm_counters SET closed = TRUE WHERE user_id = 'li' AND kind = 'lead'", map[string]int{"closed": 1})
	of("owned_since", "UPDATE crm_leads SET owned_since = NULL WHERE id = {lead}", map[string]int{"owned_since": 1})
	of("home_pool", "UPDATE crm_leads SET pool_id = (SELECT min(id) FROM crm_pools WHERE kind = 'customer') WHERE id = {lying}", map[string]int{"home_pool": 1})
	of("owner_log", "DELETE FROM crm_operations WHERE record_id = {lead}", map[string]int{"owner_log": 1})
	of("version", "UPDATE crm_leads SET version = 0 WHERE id = {lead}", map[string]int{"version": 1})
	of("events", "DELETE FROM crm_outbox WHERE subject_kind = 'lead' AND subject_id = {lead} AND seq = 2", map[string]int{"events": 1})
	of("audit", "DELETE FROM crm_audit WHERE subject_kind = 'lead' AND subject_id = {lying}", map[string]int{"audit": 1})
	of("interactions", "UPDATE crm_leads SET interactions = 2 WHERE id = {lead}", map[string]int{"interactions": 1})
	of("last_interaction", "UPDATE crm_leads SET last_interaction_at = NULL WHERE id = {lead}", map[string]int{"last_interaction": 1})
	of("unique_phone", "DROP INDEX crm_uq_leads_phone; UPDATE crm_leads SET phone_key = '1'", map[string]int{"unique_phone": 2})
	of("unique_email", "DROP INDEX crm_uq_leads_email; UPDATE crm_leads SET email_key = 'x@example.com'", map[string]int{"unique_email": 2})
	of("unique_external", "DROP INDEX crm_uq_leads_external; UPDATE crm_leads SET external_system = 'x', external_id = 'x'", map[string]int{"unique_external": 2})
	for _, column := range []string{"customer_id", "contact_id", "opportunity_id"} {
		of("orphan", "UPDATE crm_leads SET "+column+" = 999999 WHERE id = {lead}", map[string]int{"orphan": 1})
	}
	of("orphan", "UPDATE crm_lead_interactions SET lead_id = 999999", map[string]int{"orphan": 1, "interactions": 1, "last_interaction": 1})
	of("orphan", "UPDATE crm_lead_tags SET lead_id = 999999", map[string]int{"orphan": 1})
	of("orphan", "UPDATE crm_lead_tags SET tag_id = 999999", map[string]int{"orphan": 1})
}

// lookLead turns to a lead as it is now, so that updates and conversions name its last version.
func (w *wanderer) lookLead(id sales.LeadID) {
	if x, err := w.Sales.Leads.Get(context.Background(), boss, id); err == nil {
		w.own.leads.lead, w.own.leads.is = id, *x
	}
}
