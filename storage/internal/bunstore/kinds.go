package bunstore

import (
	"maps"
	"slices"
	"strings"

	"github.com/openseas/crm/customer/condition"
	"github.com/openseas/crm/pool"
)

// recordTables maps a kind to the table that has the ownership columns.
var recordTables = map[pool.Kind]string{pool.Customers: "crm_customers", pool.Leads: "crm_leads"}

// recordKinds are the kinds in the order in which rows of several are locked.
func recordKinds() []pool.Kind { return slices.Sorted(maps.Keys(recordTables)) }

// kindSQL is what differs between kinds in the statements that read facts.
type kindSQL struct {
	facts            string // joins f, what rules read besides the row t
	lastInteraction  string
	tags             string // the table of who carries which tag, without its prefix …
	tagged           string // … and its column of the record
	interactions     string // the table of what happened with it …
	interactionOf    string // … and its column of the record
	interactionLives string // what is not deleted of it
	spends           bool   // records of the kind have orders
	conditionColumns map[condition.Fact]string
}

// kinds are these words. Leads have no orders, contracts or cases: these facts are 0, or absent (rules.md, The condition
// language).
var kinds = map[pool.Kind]kindSQL{
	pool.Customers: {
		facts:           "JOIN crm_customer_facts AS f ON f.tenant_id = t.tenant_id AND f.customer_id = t.id",
		lastInteraction: "f.last_interaction_at", tags: "customer_tags", tagged: "customer_id",
		interactions: "crm_interactions", interactionOf: "customer_id", interactionLives: "deleted_at IS NULL", spends: true, conditionColumns: conditionColumns,
	},
	pool.Leads: {
		facts: `CROSS JOIN (SELECT 0 AS interactions, 0 AS orders, NULL AS last_order_at, 0 AS open_opportunities,
			0 AS active_contracts, 0 AS open_cases) AS f`,
		lastInteraction: "t.last_interaction_at", tags: "lead_tags", tagged: "lead_id",
		interactions: "crm_lead_interactions", interactionOf: "lead_id", interactionLives: "1 = 1", conditionColumns: leadColumns(),
	},
}

func leadColumns() map[condition.Fact]string {
	of := maps.Clone(conditionColumns)
	of[condition.DealDays] = "t.first_followup_at" // one that became a deal is no living lead
	of[condition.LastInteractionDays] = "t.last_interaction_at"
	of[condition.LastOrderDays] = "NULL"
	for _, f := range []condition.Fact{condition.OpenOpportunities, condition.ActiveContracts, condition.OpenCases, condition.Orders} {
		of[f] = "0"
	}
	return of
}

// write puts the words into a text.
func (k kindSQL) write(text string) string {
	return strings.NewReplacer("{facts}", k.facts, "{last_interaction}", k.lastInteraction, "{tags}", "crm_"+k.tags, "{tagged}", k.tagged,
		"{interactions}", k.interactions, "{interaction_lives}", k.interactionLives, "{interaction_of}", k.interactionOf).Replace(text)
}
