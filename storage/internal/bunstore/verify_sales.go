package bunstore

// salesSections are what hangs together in the catalogue, and the documents of customers. That a document's totals are those
// of its lines is not looked at: package calc decides about them, and SQL would have to round as it does.
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
		oneNumber("crm_quotes"),
	}},
	{name: "contracts", kind: "contract", table: "crm_contracts", number: "id", checks: []invariant{
		orphan("crm_contracts", "customer_id", "crm_customers", "customer"),
		orphan("crm_contracts", "opportunity_id", "crm_opportunities", "opportunity"),
		orphan("crm_contracts", "quote_id", "crm_quotes", "quote"),
		oneNumber("crm_contracts"),
	}},
	{name: "plans", kind: "plan", table: "crm_plans", number: "id", checks: []invariant{
		orphan("crm_plans", "contract_id", "crm_contracts", "contract"),
	}},
}

// oneNumber finds documents that share their number with another, deleted or not.
func oneNumber(table string) invariant {
	return invariant{name: "unique_number", query: `SELECT DISTINCT t.id, '' AS key, 'one of this number' AS expected, t.number AS found FROM ` + table + ` AS t
		JOIN ` + table + ` AS o ON o.tenant_id = t.tenant_id AND o.number = t.number AND o.id <> t.id WHERE {page}`}
}
