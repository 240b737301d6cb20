package bunstore

// The invariants, table by table. Each is one statement over a page: one snapshot on both engines. What is counted again
// is joined by the page's own range of keys (?from, ?to), so that it is one walk along an index, not a search per row.

// teamSections are a tenant's small tables.
var teamSections = []section{
	{name: "tenant", kind: "tenant", table: "crm_tenants", number: "id", checks: []invariant{
		{name: "default_pool", query: `SELECT 0 AS id, y.kind AS key, '1' AS expected, CAST(count(p.id) AS text) AS found
			FROM crm_tenants AS t JOIN crm_policies AS y ON y.tenant_id = t.id
				LEFT JOIN crm_pools AS p ON p.tenant_id = t.id AND p.kind = y.kind AND p.is_default
			WHERE {page} GROUP BY y.kind HAVING count(p.id) <> 1`},
	}},
	{name: "pools", kind: "pool", table: "crm_pools", number: "id", checks: []invariant{
		{name: "pool_calendar", query: `SELECT t.id, '' AS key, 'a calendar' AS expected, CAST(t.calendar_id AS text) AS found FROM crm_pools AS t
			WHERE {page} AND t.calendar_id IS NOT NULL
				AND NOT EXISTS (SELECT 1 FROM crm_calendars AS y WHERE y.tenant_id = t.tenant_id AND y.id = t.calendar_id)`},
		{name: "unique_pool", query: `SELECT DISTINCT t.id, '' AS key, 'one pool of this name' AS expected, t.name AS found FROM crm_pools AS t
			JOIN crm_pools AS o ON o.tenant_id = t.tenant_id AND o.kind = t.kind AND o.name = t.name AND o.id <> t.id WHERE {page}`},
	}},
	{name: "rules", kind: "pool_rule", table: "crm_pool_rules", number: "id", checks: []invariant{orphan("crm_pool_rules", "pool_id", "crm_pools", "pool")}},
	{name: "departments", kind: "department", table: "crm_departments", number: "id", checks: []invariant{
		// Who is below whom is derived from the parents: one line more than the parent has, and each of the parent's, a step deeper.
		{name: "department_tree", query: `SELECT t.id, '' AS key, CAST(x.above AS text) AS expected, CAST(x.known AS text) AS found FROM crm_departments AS t
			JOIN (SELECT d.id, 1 + (SELECT count(*) FROM crm_department_tree AS u WHERE u.tenant_id = d.tenant_id AND u.department_id = d.parent_id) AS above,
					(SELECT count(*) FROM crm_department_tree AS u WHERE u.tenant_id = d.tenant_id AND u.department_id = d.id) AS known,
					(SELECT count(*) FROM crm_department_tree AS u LEFT JOIN crm_department_tree AS v
						ON v.tenant_id = u.tenant_id AND v.department_id = d.parent_id AND v.ancestor_id = u.ancestor_id AND v.depth = u.depth - 1
						WHERE u.tenant_id = d.tenant_id AND u.department_id = d.id
							AND (v.depth IS NOT NULL OR u.depth = 0 AND u.ancestor_id = d.id)) AS fits
				FROM crm_departments AS d WHERE d.tenant_id = ?tenant AND d.id > ?from AND d.id <= ?to) AS x ON x.id = t.id
			WHERE {page} AND (x.above <> x.known OR x.above <> x.fits)`},
		orphan("crm_departments", "parent_id", "crm_departments", "parent"),
	}},
	{name: "members", kind: "member", table: "crm_members", number: "id", checks: []invariant{
		{name: "unique_member", query: `SELECT DISTINCT t.id, '' AS key, 'one member of this user' AS expected, t.user_id AS found FROM crm_members AS t
			JOIN crm_members AS o ON o.tenant_id = t.tenant_id AND o.user_id = t.user_id AND o.id <> t.id WHERE {page}`},
		orphan("crm_members", "department_id", "crm_departments", "department"),
	}},
	{name: "subjects", kind: "subject", table: "crm_subjects", text: "kind", number: "record_id", checks: []invariant{
		{name: "events", query: `SELECT t.record_id AS id, t.kind AS key, CAST(t.seq AS text) AS expected, CAST(max(e.seq) AS text) AS found
			FROM crm_subjects AS t JOIN crm_outbox AS e ON e.tenant_id = t.tenant_id AND e.subject_kind = t.kind AND e.subject_id = t.record_id
				AND e.delivered_at IS NULL
			WHERE {page} GROUP BY t.kind, t.record_id, t.seq HAVING max(e.seq) <> t.seq OR count(*) <> t.seq - min(e.seq) + 1`},
		{name: "audit", query: `SELECT t.record_id AS id, t.kind AS key, CAST(t.seq AS text) AS expected, CAST(count(w.id) AS text) AS found
			FROM crm_subjects AS t LEFT JOIN crm_audit AS w ON w.tenant_id = t.tenant_id AND w.subject_kind = t.kind AND w.subject_id = t.record_id
			WHERE {page} GROUP BY t.kind, t.record_id, t.seq HAVING count(w.id) <> t.seq`},
	}},
}

// counterChecks are of the counter rows of a kind of records, a row per member.
var counterChecks = []invariant{
	{name: "places", query: `SELECT coalesce(m.id, 0) AS id, t.user_id AS key, CAST(x.places AS text) AS expected, CAST(t.places AS text) AS found
		FROM crm_counters AS t JOIN (SELECT t.user_id, (SELECT count(*) FROM {table} AS c WHERE c.tenant_id = t.tenant_id AND c.owner_id = t.user_id
				AND c.deleted_at IS NULL AND c.stage <> 'won') AS places FROM crm_counters AS t WHERE {page}) AS x ON x.user_id = t.user_id
			LEFT JOIN crm_members AS m ON m.tenant_id = t.tenant_id AND m.user_id = t.user_id
		WHERE {page} AND x.places <> t.places`},
	// Only members claim, and for themselves: the line names them as its actor. Other days than today are over.
	{name: "claims", query: `SELECT coalesce(m.id, 0) AS id, t.user_id AS key, CAST(x.claims AS text) AS expected, CAST(t.claims_used AS text) AS found
		FROM crm_counters AS t JOIN (SELECT t.user_id, (SELECT count(*) FROM crm_operations AS o WHERE o.tenant_id = t.tenant_id AND o.kind = t.kind
				AND o.actor = t.user_id AND o.action = 'claim' AND o.at >= ?start AND o.at < ?next) AS claims
			FROM crm_counters AS t WHERE {page} AND t.claims_day = ?today) AS x ON x.user_id = t.user_id
			LEFT JOIN crm_members AS m ON m.tenant_id = t.tenant_id AND m.user_id = t.user_id
		WHERE {page} AND x.claims <> t.claims_used`},
	{name: "opens", query: `SELECT coalesce(m.id, 0) AS id, t.user_id AS key, CAST(x.opens AS text) AS expected, CAST(t.opens_used AS text) AS found
		FROM crm_counters AS t JOIN (SELECT t.user_id, (SELECT count(*) FROM crm_opens AS o WHERE o.tenant_id = t.tenant_id AND o.kind = t.kind
				AND o.user_id = t.user_id AND o.day = t.opens_day) AS opens
			FROM crm_counters AS t WHERE {page} AND t.opens_day = ?today) AS x ON x.user_id = t.user_id
			LEFT JOIN crm_members AS m ON m.tenant_id = t.tenant_id AND m.user_id = t.user_id
		WHERE {page} AND x.opens <> t.opens_used`},
	{name: "closed", query: `SELECT m.id, t.user_id AS key, CASE WHEN m.inactive_since IS NULL THEN 'open' ELSE 'closed' END AS expected,
			CASE WHEN t.closed THEN 'closed' ELSE 'open' END AS found
		FROM crm_counters AS t JOIN crm_members AS m ON m.tenant_id = t.tenant_id AND m.user_id = t.user_id
		WHERE {page} AND t.closed <> (m.inactive_since IS NOT NULL)`},
}

// lastLine joins the last line of the operation log of each record of the page.
const lastLine = `(SELECT max(o.id) FROM crm_operations AS o WHERE o.tenant_id = t.tenant_id AND o.kind = {kind} AND o.record_id = t.id)`

// recordChecks are of records that have an owner or lie in a pool, whatever their kind.
var recordChecks = []invariant{
	{name: "owned_since", query: `SELECT t.id, '' AS key, CASE WHEN t.owner_id IS NULL THEN '' ELSE 'an instant' END AS expected,
			CASE WHEN t.owner_id IS NULL THEN 'an instant' ELSE '' END AS found
		FROM {table} AS t WHERE {page} AND (t.owner_id IS NULL) <> (t.owned_since IS NULL)`},
	{name: "in_pool", query: `SELECT t.id, t.owner_id AS key, '' AS expected, 'pool_entered_at of a record with an owner' AS found
		FROM {table} AS t WHERE {page} AND t.owner_id IS NOT NULL AND t.pool_entered_at IS NOT NULL`},
	{name: "home_pool", query: `SELECT t.id, '' AS key, 'a pool of the kind' AS expected, CAST(t.pool_id AS text) AS found FROM {table} AS t
		WHERE {page} AND NOT EXISTS (SELECT 1 FROM crm_pools AS p WHERE p.tenant_id = t.tenant_id AND p.id = t.pool_id AND p.kind = {kind})`},
	{name: "owner_member", query: `SELECT t.id, '' AS key, 'a member' AS expected, t.owner_id AS found FROM {table} AS t
		WHERE {page} AND t.owner_id IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM crm_members AS m WHERE m.tenant_id = t.tenant_id AND m.user_id = t.owner_id)`},
	{name: "owner_counter", query: `SELECT t.id, '' AS key, 'a counter' AS expected, t.owner_id AS found FROM {table} AS t
		WHERE {page} AND t.owner_id IS NOT NULL AND t.deleted_at IS NULL AND t.stage <> 'won'
			AND NOT EXISTS (SELECT 1 FROM crm_counters AS m WHERE m.tenant_id = t.tenant_id AND m.kind = {kind} AND m.user_id = t.owner_id)`},
	{name: "owner_log", query: `SELECT t.id, '' AS key, coalesce(o.to_owner, '') AS expected, coalesce(t.owner_id, '') AS found
		FROM {table} AS t LEFT JOIN crm_operations AS o ON o.tenant_id = t.tenant_id AND o.id = ` + lastLine + `
		WHERE {page} AND coalesce(o.to_owner, '') <> coalesce(t.owner_id, '')`},
	{name: "pool_log", query: `SELECT t.id, '' AS key, CAST(o.pool_id AS text) AS expected, CAST(t.pool_id AS text) AS found
		FROM {table} AS t JOIN crm_operations AS o ON o.tenant_id = t.tenant_id AND o.id = ` + lastLine + `
		WHERE {page} AND t.deleted_at IS NULL AND o.pool_id <> t.pool_id`},
	{name: "lock", query: `SELECT t.id, '' AS key, '' AS expected, 'a lock of a record without an owner' AS found FROM {table} AS t
		WHERE {page} AND t.lock_until IS NOT NULL AND (t.owner_id IS NULL OR t.deleted_at IS NOT NULL)`},
	{name: "lock_log", query: `SELECT t.id, '' AS key, coalesce(o.action, '') AS expected, CASE WHEN t.lock_until IS NULL THEN '' ELSE 'lock' END AS found
		FROM {table} AS t LEFT JOIN crm_operations AS o ON o.tenant_id = t.tenant_id AND o.id = (SELECT max(o.id) FROM crm_operations AS o
			WHERE o.tenant_id = t.tenant_id AND o.kind = {kind} AND o.record_id = t.id AND o.action <> 'move')
		WHERE {page} AND t.deleted_at IS NULL AND (t.lock_until IS NOT NULL) <> (coalesce(o.action, '') = 'lock')`},
	{name: "version", query: `SELECT t.id, '' AS key, CAST(t.seq AS text) AS expected, CAST(t.version AS text) AS found FROM {table} AS t
		WHERE {page} AND (t.version < 1 OR t.version > t.seq)`},
	// What is delivered may be purged; what waits is the end of the order of events, without a gap.
	{name: "events", query: `SELECT t.id, '' AS key, CAST(t.seq AS text) AS expected, CAST(max(e.seq) AS text) AS found
		FROM {table} AS t JOIN crm_outbox AS e ON e.tenant_id = t.tenant_id AND e.subject_kind = {kind} AND e.subject_id = t.id AND e.delivered_at IS NULL
			AND e.subject_id > ?from AND e.subject_id <= ?to
		WHERE {page} GROUP BY t.id, t.seq HAVING max(e.seq) <> t.seq OR count(*) <> t.seq - min(e.seq) + 1`},
	{name: "audit", query: `SELECT t.id, '' AS key, CAST(t.seq AS text) AS expected, CAST(coalesce(w.n, 0) AS text) AS found
		FROM {table} AS t LEFT JOIN (SELECT w.subject_id, count(*) AS n FROM crm_audit AS w WHERE w.tenant_id = ?tenant AND w.subject_kind = {kind}
			AND w.subject_id > ?from AND w.subject_id <= ?to GROUP BY w.subject_id) AS w ON w.subject_id = t.id
		WHERE {page} AND coalesce(w.n, 0) <> t.seq`},
}

// orphan finds rows whose column names a row that is not there.
func orphan(table, column, of, name string) invariant {
	return invariant{name: "orphan", query: `SELECT t.` + idOf(table) + ` AS id, '' AS key, 'a ` + name + `' AS expected, CAST(t.` + column + ` AS text) AS found
		FROM ` + table + ` AS t WHERE {page} AND t.` + column + ` IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM ` + of + ` AS o WHERE o.tenant_id = t.tenant_id AND o.id = t.` + column + `)`}
}

func idOf(table string) string {
	if table == "crm_customer_tags" || table == "crm_customer_facts" {
		return "customer_id"
	}
	if table == "crm_lead_tags" {
		return "lead_id"
	}
	return "id"
}
