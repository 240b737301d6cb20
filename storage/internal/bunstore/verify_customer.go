package bunstore

// customerSections are the customers' own facts, and the tables that hang on customers.
var customerSections = []section{
	{name: "customers", kind: "customer", table: "crm_customers", number: "id", checks: factChecks},
	{name: "facts", kind: "customer", table: "crm_customer_facts", number: "customer_id", checks: []invariant{
		orphan("crm_customer_facts", "customer_id", "crm_customers", "customer"),
	}},
	{name: "contacts", kind: "contact", table: "crm_contacts", number: "id", checks: []invariant{
		orphan("crm_contacts", "customer_id", "crm_customers", "customer"),
		twice("unique_phone", "crm_contacts", "t.phone_key IS NOT NULL AND o.phone_key = t.phone_key AND o.customer_id = t.customer_id", "'phone'"),
		twice("one_primary", "crm_contacts", "t.is_primary AND o.is_primary AND o.customer_id = t.customer_id", "'primary'"),
	}},
	{name: "addresses", kind: "address", table: "crm_addresses", number: "id", checks: []invariant{
		orphan("crm_addresses", "customer_id", "crm_customers", "customer"),
		twice("one_default", "crm_addresses", "t.is_default AND o.is_default AND o.customer_id = t.customer_id AND o.type = t.type", "t.type"),
	}},
	{name: "tags", kind: "tag", table: "crm_tags", number: "id", checks: []invariant{
		twice("unique_tag", "crm_tags", "o.name = t.name", "t.name"),
	}},
	{name: "customer_tags", kind: "customer", table: "crm_customer_tags", number: "customer_id", checks: []invariant{
		orphan("crm_customer_tags", "customer_id", "crm_customers", "customer"),
		orphan("crm_customer_tags", "tag_id", "crm_tags", "tag"),
	}},
	{name: "interactions", kind: "interaction", table: "crm_interactions", number: "id", checks: []invariant{
		orphan("crm_interactions", "customer_id", "crm_customers", "customer"),
		{name: "orphan", query: `SELECT t.id, '' AS key, 'a contact' AS expected, CAST(t.contact_id AS text) AS found FROM crm_interactions AS t
			WHERE {page} AND t.contact_id <> 0
				AND NOT EXISTS (SELECT 1 FROM crm_contacts AS k WHERE k.tenant_id = t.tenant_id AND k.id = t.contact_id)`},
	}},
	{name: "tasks", kind: "task", table: "crm_tasks", number: "id", checks: []invariant{
		orphan("crm_tasks", "customer_id", "crm_customers", "customer"),
		{name: "task_owner", query: `SELECT t.id, '' AS key, 'a member' AS expected, t.owner_id AS found FROM crm_tasks AS t
			WHERE {page} AND NOT EXISTS (SELECT 1 FROM crm_members AS m WHERE m.tenant_id = t.tenant_id AND m.user_id = t.owner_id)`},
		// Its version counts its events.
		{name: "events", query: `SELECT t.id, '' AS key, CAST(t.version AS text) AS expected, CAST(max(e.seq) AS text) AS found
			FROM crm_tasks AS t JOIN crm_outbox AS e ON e.tenant_id = t.tenant_id AND e.subject_kind = 'task' AND e.subject_id = t.id
				AND e.delivered_at IS NULL
			WHERE {page} GROUP BY t.id, t.version HAVING max(e.seq) <> t.version OR count(*) <> t.version - min(e.seq) + 1`},
		{name: "audit", query: `SELECT t.id, '' AS key, CAST(t.version AS text) AS expected, CAST(count(w.id) AS text) AS found
			FROM crm_tasks AS t LEFT JOIN crm_audit AS w ON w.tenant_id = t.tenant_id AND w.subject_kind = 'task' AND w.subject_id = t.id
			WHERE {page} GROUP BY t.id, t.version HAVING count(w.id) <> t.version`},
	}},
	{name: "orders", kind: "order", table: "crm_orders", number: "id", checks: []invariant{
		orphan("crm_orders", "customer_id", "crm_customers", "customer"),
		{name: "unique_order", query: `SELECT DISTINCT t.id, '' AS key, 'one order of this number' AS expected, t.number AS found FROM crm_orders AS t
			JOIN crm_orders AS o ON o.tenant_id = t.tenant_id AND o.system = t.system AND o.number = t.number AND o.id <> t.id WHERE {page}`},
	}},
}

// twice finds rows that are not deleted and share with another what only one of them may have. A value that is masked elsewhere
// is not told.
func twice(name, table, same, value string) invariant {
	return invariant{name: name, query: `SELECT DISTINCT t.id, '' AS key, 'one' AS expected, ` + value + ` AS found FROM ` + table + ` AS t
		JOIN ` + table + ` AS o ON o.tenant_id = t.tenant_id AND o.deleted_at IS NULL AND o.id <> t.id AND ` + same + `
		WHERE {page} AND t.deleted_at IS NULL`}
}

// counted joins customers with what is counted again of them, and compares one of the numbers or instants.
func counted(name, recount, expected, found string, instants bool) invariant {
	from, to := "CAST("+expected+" AS text)", "CAST("+found+" AS text)"
	if instants {
		from, to = expected, found
	}
	return invariant{name: name, instants: instants, query: `SELECT t.id, '' AS key, ` + from + ` AS expected, ` + to + ` AS found
		FROM crm_customers AS t JOIN crm_customer_facts AS f ON f.tenant_id = t.tenant_id AND f.customer_id = t.id
			LEFT JOIN (` + recount + `) AS x ON x.customer_id = t.id
		WHERE {page} AND ` + expected + ` IS DISTINCT FROM ` + found}
}

const (
	recountInteractions = `SELECT i.customer_id, count(*) AS n, max(i.at) AS last FROM crm_interactions AS i
		WHERE i.tenant_id = ?tenant AND i.customer_id > ?from AND i.customer_id <= ?to AND i.deleted_at IS NULL GROUP BY i.customer_id`
	recountOrders = `SELECT o.customer_id, count(*) AS n, min(o.ordered_at) AS first, max(o.ordered_at) AS last FROM crm_orders AS o
		WHERE o.tenant_id = ?tenant AND o.customer_id > ?from AND o.customer_id <= ?to AND o.status <> 'cancelled' GROUP BY o.customer_id`
	recountOpportunities = `SELECT o.customer_id, count(*) AS n FROM crm_opportunities AS o
		WHERE o.tenant_id = ?tenant AND o.customer_id > ?from AND o.customer_id <= ?to AND o.status = 'open' AND o.deleted_at IS NULL GROUP BY o.customer_id`
	recountContracts = `SELECT o.customer_id, count(*) AS n FROM crm_contracts AS o
		WHERE o.tenant_id = ?tenant AND o.customer_id > ?from AND o.customer_id <= ?to AND o.status = 3 GROUP BY o.customer_id` // signed
	// What the first sync stated may be earlier or later than any interaction, so a clock is only held against those that it
	// must have heard of: of this ownership, even if the clocks of two of the host's machines differ by some seconds.
	recountFollowups = `FROM crm_customers AS t JOIN crm_interactions AS i ON i.tenant_id = t.tenant_id AND i.customer_id = t.id
			AND i.customer_id > ?from AND i.customer_id <= ?to AND i.deleted_at IS NULL AND i.followup AND i.at > t.owned_since {+seconds}
		WHERE {page} AND t.owner_id IS NOT NULL GROUP BY t.id, t.first_followup_at, t.last_followup_at `
)

var factChecks = []invariant{
	twice("unique_code", "crm_customers", "o.code = t.code", "t.code"),
	twice("unique_external", "crm_customers",
		"t.external_id IS NOT NULL AND o.external_system = t.external_system AND o.external_id = t.external_id", "t.external_id"),
	{name: "facts", query: `SELECT t.id, '' AS key, 'facts' AS expected, '' AS found FROM crm_customers AS t WHERE {page}
		AND NOT EXISTS (SELECT 1 FROM crm_customer_facts AS f WHERE f.tenant_id = t.tenant_id AND f.customer_id = t.id)`},
	counted("interactions", recountInteractions, "coalesce(x.n, 0)", "f.interactions", false),
	counted("last_interaction", recountInteractions, "x.last", "f.last_interaction_at", true),
	counted("orders", recountOrders, "coalesce(x.n, 0)", "f.orders", false),
	counted("opportunities", recountOpportunities, "coalesce(x.n, 0)", "f.open_opportunities", false),
	counted("contracts", recountContracts, "coalesce(x.n, 0)", "f.active_contracts", false),
	counted("first_order", recountOrders, "x.first", "f.first_order_at", true),
	counted("last_order", recountOrders, "x.last", "f.last_order_at", true),
	{name: "first_followup", instants: true, query: `SELECT t.id, '' AS key, min(i.at) AS expected, t.first_followup_at AS found ` + recountFollowups +
		`HAVING t.first_followup_at IS NULL OR t.first_followup_at > min(i.at)`},
	{name: "last_followup", instants: true, query: `SELECT t.id, '' AS key, max(i.at) AS expected, t.last_followup_at AS found ` + recountFollowups +
		`HAVING t.last_followup_at IS NULL OR t.last_followup_at < max(i.at)`},
}
