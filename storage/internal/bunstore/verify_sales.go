package bunstore

import "strings"

// salesSections are what hangs together in the catalogue, and the documents of customers. Totals are held against the sums of
// what lines come to, and not what a line comes to against its quantity and price: package calc decides that, and SQL would
// have to round as it does.
var salesSections = []section{
	{name: "categories", kind: "product_category", table: "crm_product_categories", number: "id", checks: []invariant{
		orphan("crm_product_categories", "parent_id", "crm_product_categories", "parent"),
	}},
	{name: "products", kind: "product", table: "crm_products", number: "id", checks: []invariant{
		orphan("crm_products", "category_id", "crm_product_categories", "category"),
		twice("unique_code", "crm_products", "o.code = t.code", "t.code"),
	}},
	{name: "opportunities", kind: "opportunity", table: "crm_opportunities", number: "id", checks: []invariant{
		orphan("crm_opportunities", "customer_id", "crm_customers", "customer"),
		orphan("crm_opportunities", "stage_id", "crm_stages", "stage"),
		{name: "stage_log", query: `SELECT t.id, '' AS key, CAST(o.to_stage AS text) AS expected, CAST(t.stage_id AS text) AS found
			FROM crm_opportunities AS t LEFT JOIN crm_opportunity_stages AS o ON o.tenant_id = t.tenant_id AND o.id =
				(SELECT max(o.id) FROM crm_opportunity_stages AS o WHERE o.tenant_id = t.tenant_id AND o.opportunity_id = t.id)
			WHERE {page} AND o.to_stage IS DISTINCT FROM t.stage_id`},
	}},
	{name: "quotes", kind: "quote", table: "crm_quotes", number: "id", checks: []invariant{
		orphan("crm_quotes", "customer_id", "crm_customers", "customer"),
		orphan("crm_quotes", "opportunity_id", "crm_opportunities", "opportunity"),
		oneNumber("crm_quotes"), totals("crm_quotes", "crm_quote_lines", "quote_id"),
	}},
	{name: "contracts", kind: "contract", table: "crm_contracts", number: "id", checks: []invariant{
		orphan("crm_contracts", "customer_id", "crm_customers", "customer"),
		orphan("crm_contracts", "opportunity_id", "crm_opportunities", "opportunity"),
		orphan("crm_contracts", "quote_id", "crm_quotes", "quote"),
		oneNumber("crm_contracts"), totals("crm_contracts", "crm_contract_lines", "contract_id"),
		ofContract("plan_sum", "crm_plans", "1 = 1", "t.grand_total", "t.status IN (3, 4, 5) AND"),
		ofContract("received", "crm_payments", "1 = 1", "t.received", ""),
		ofContract("credit", "crm_payment_allocations", "1 = 1", "t.received - t.credit", ""),
		ofContract("invoiced", "crm_invoices", "o.status NOT IN (0, 4)", "t.invoiced", ""),
		{name: "over_invoiced", query: `SELECT t.id, '' AS key, CAST(t.grand_total AS text) AS expected, CAST(t.invoiced AS text) AS found
			FROM crm_contracts AS t WHERE {page} AND t.invoiced > t.grand_total`},
	}},
	{name: "plans", kind: "plan", table: "crm_plans", number: "id", checks: []invariant{
		orphan("crm_plans", "contract_id", "crm_contracts", "contract"),
		{name: "paid", query: `SELECT t.id, '' AS key, CAST(coalesce(x.n, 0) AS text) AS expected, CAST(t.paid AS text) AS found FROM crm_plans AS t
			LEFT JOIN (SELECT o.plan_id, sum(o.amount) AS n FROM crm_payment_allocations AS o
				WHERE o.tenant_id = ?tenant AND o.plan_id > ?from AND o.plan_id <= ?to GROUP BY o.plan_id) AS x ON x.plan_id = t.id
			WHERE {page} AND (coalesce(x.n, 0) <> t.paid
				OR t.status <> CASE WHEN t.paid = 0 THEN 1 WHEN t.paid < t.amount THEN 2 ELSE 3 END)`},
	}},
	{name: "payments", kind: "payment", table: "crm_payments", number: "id", checks: []invariant{
		orphan("crm_payments", "contract_id", "crm_contracts", "contract"),
		orphan("crm_payments", "customer_id", "crm_customers", "customer"),
		orphan("crm_payments", "plan_id", "crm_plans", "instalment"),
		oneNumber("crm_payments"),
	}},
	{name: "invoices", kind: "invoice", table: "crm_invoices", number: "id", checks: []invariant{
		orphan("crm_invoices", "contract_id", "crm_contracts", "contract"),
		orphan("crm_invoices", "customer_id", "crm_customers", "customer"),
		orphan("crm_invoices", "payment_id", "crm_payments", "payment"),
		orphan("crm_invoices", "red_of_id", "crm_invoices", "invoice"),
		oneNumber("crm_invoices"),
		{name: "rates", query: `SELECT t.id, '' AS key, CAST(coalesce(x.n, 0) AS text) AS expected, CAST(t.amount AS text) AS found FROM crm_invoices AS t
			LEFT JOIN (SELECT o.invoice_id, sum(o.amount) AS n, sum(o.net) AS net, sum(o.tax) AS tax FROM crm_invoice_rates AS o
				WHERE o.tenant_id = ?tenant AND o.invoice_id > ?from AND o.invoice_id <= ?to GROUP BY o.invoice_id) AS x ON x.invoice_id = t.id
			WHERE {page} AND (coalesce(x.n, 0) <> t.amount OR x.net <> t.net OR x.tax <> t.tax OR t.net + t.tax <> t.amount)`},
		{name: "reds", query: `SELECT t.id, '' AS key, CAST(coalesce(x.n, 0) AS text) AS expected, CAST(t.status AS text) AS found FROM crm_invoices AS t
			LEFT JOIN (SELECT o.red_of_id, sum(o.amount) AS n FROM crm_invoices AS o
				WHERE o.tenant_id = ?tenant AND o.red_of_id > ?from AND o.red_of_id <= ?to GROUP BY o.red_of_id) AS x ON x.red_of_id = t.id
			WHERE {page} AND t.red_of_id IS NULL AND (t.amount + coalesce(x.n, 0) < 0 OR (t.status = 5) <> (t.amount + coalesce(x.n, 0) = 0)
				OR (t.status = 6) <> (coalesce(x.n, 0) < 0 AND t.amount + coalesce(x.n, 0) > 0))`},
	}},
}

// ofContract holds what a contract keeps against the sum of the amounts in rows of another table; which says of what contracts.
func ofContract(name, table, rows, kept, which string) invariant {
	return invariant{name: name, query: `SELECT t.id, '' AS key, CAST(coalesce(x.n, 0) AS text) AS expected, CAST(` + kept + ` AS text) AS found
		FROM crm_contracts AS t LEFT JOIN (SELECT o.contract_id, sum(o.amount) AS n FROM ` + table + ` AS o
			WHERE o.tenant_id = ?tenant AND o.contract_id > ?from AND o.contract_id <= ?to AND ` + rows + ` GROUP BY o.contract_id) AS x ON x.contract_id = t.id
		WHERE {page} AND ` + which + ` coalesce(x.n, 0) <> ` + kept}
}

// totals holds a document's totals against its lines: all of them, or those before fees where it has some.
func totals(table, lines, of string) invariant {
	text := func(sums ...string) string {
		return "CAST(" + strings.Join(sums, " AS text) || ' ' || CAST(") + " AS text)"
	}
	return invariant{name: "totals", query: `SELECT t.id, '' AS key,
			` + text("coalesce(x.amount, 0)", "coalesce(x.header, 0)", "coalesce(x.net, 0)", "coalesce(x.tax, 0)") + ` AS expected,
			` + text("t.subtotal", "t.discount_total", "t.net_total", "t.tax_total") + ` AS found
		FROM ` + table + ` AS t LEFT JOIN (SELECT o.` + of + `, sum(o.amount) AS amount, sum(o.header_discount) AS header, sum(o.net) AS net, sum(o.tax) AS tax
			FROM ` + lines + ` AS o WHERE o.tenant_id = ?tenant AND o.` + of + ` > ?from AND o.` + of + ` <= ?to GROUP BY o.` + of + `) AS x ON x.` + of + ` = t.id
		WHERE {page} AND (coalesce(x.amount, 0) <> t.subtotal OR coalesce(x.header, 0) <> t.discount_total OR t.net_total + t.tax_total <> t.grand_total
			OR t.fee_total = 0 AND (coalesce(x.net, 0) <> t.net_total OR coalesce(x.tax, 0) <> t.tax_total))`}
}

// oneNumber finds documents that share their number with another, deleted or not.
func oneNumber(table string) invariant {
	return invariant{name: "unique_number", query: `SELECT DISTINCT t.id, '' AS key, 'one of this number' AS expected, t.number AS found FROM ` + table + ` AS t
		JOIN ` + table + ` AS o ON o.tenant_id = t.tenant_id AND o.number = t.number AND o.id <> t.id WHERE {page}`}
}
