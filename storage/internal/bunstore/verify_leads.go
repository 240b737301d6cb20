package bunstore

// leadSections are what hangs together in leads, besides what is looked at of records of every kind.
var leadSections = []section{
	{name: "leads", kind: "lead", table: "crm_leads", number: "id", checks: []invariant{
		twice("unique_phone", "crm_leads", "t.phone_key IS NOT NULL AND o.phone_key = t.phone_key", "'phone'"),
		twice("unique_email", "crm_leads", "t.email_key IS NOT NULL AND o.email_key = t.email_key", "'email'"),
		twice("unique_external", "crm_leads",
			"t.external_id IS NOT NULL AND o.external_system = t.external_system AND o.external_id = t.external_id", "t.external_id"),
		orphan("crm_leads", "customer_id", "crm_customers", "customer"),
		orphan("crm_leads", "contact_id", "crm_contacts", "contact"),
		orphan("crm_leads", "opportunity_id", "crm_opportunities", "opportunity"),
		countedLead("interactions", "coalesce(x.n, 0)", "t.interactions", false),
		countedLead("last_interaction", "x.last", "t.last_interaction_at", true),
	}},
	{name: "lead_interactions", kind: "interaction", table: "crm_lead_interactions", number: "id", checks: []invariant{
		orphan("crm_lead_interactions", "lead_id", "crm_leads", "lead"),
	}},
	{name: "lead_tags", kind: "lead", table: "crm_lead_tags", number: "lead_id", checks: []invariant{
		orphan("crm_lead_tags", "lead_id", "crm_leads", "lead"),
		orphan("crm_lead_tags", "tag_id", "crm_tags", "tag"),
	}},
}

// countedLead compares a number or an instant of a lead with what its interactions are counted to.
func countedLead(name, expected, found string, instants bool) invariant {
	from, to := "CAST("+expected+" AS text)", "CAST("+found+" AS text)"
	if instants {
		from, to = expected, found
	}
	return invariant{name: name, instants: instants, query: `SELECT t.id, '' AS key, ` + from + ` AS expected, ` + to + ` AS found
		FROM crm_leads AS t LEFT JOIN (SELECT i.lead_id, count(*) AS n, max(i.at) AS last FROM crm_lead_interactions AS i
			WHERE i.tenant_id = ?tenant AND i.lead_id > ?from AND i.lead_id <= ?to GROUP BY i.lead_id) AS x ON x.lead_id = t.id
		WHERE {page} AND ` + expected + ` IS DISTINCT FROM ` + found}
}
