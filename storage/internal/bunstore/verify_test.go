package bunstore

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// notVerified are tables of which nothing is kept twice, or which are walked with another.
var notVerified = map[string]string{
	"crm_operations":   "what records are held against",
	"crm_audit":        "likewise",
	"crm_outbox":       "likewise",
	"crm_roles":        "nothing depends on a row",
	"crm_calendars":    "pools are held against them",
	"crm_pool_members": "users and departments may come later",
	"crm_reasons":      "nothing depends on a row",
	"crm_territories":  "nothing is kept twice",
	"crm_opens":        "counters are held against them",
	"crm_due":          "a note counts only while it agrees with its record",
	"crm_price_lists":  "nothing is kept twice",
	"crm_prices":       "likewise",
	"crm_pipelines":    "likewise",
	"crm_stages":       "opportunities are held against them",

	"crm_opportunity_stages": "likewise",
	"crm_quote_lines":        "quotes are held against them",
	"crm_contract_lines":     "contracts are held against them",

	"crm_payment_allocations": "contracts and instalments are held against them",
	"crm_invoice_rates":       "invoices are held against them",
}

// Every table is walked by Verify, or stands above with the reason: a new one must choose.
func TestVerifyKnowsEveryTable(t *testing.T) {
	walked := map[string]bool{}
	for _, s := range sections() {
		walked[s.table] = true
		require.NotEmpty(t, s.checks, s.name)
		for _, c := range s.checks {
			require.Contains(t, c.query, "{page}", c.name)
			require.NotContains(t, c.query, "{table}", c.name)
			require.NotContains(t, c.query, "{kind}", c.name)
			require.Equal(t, strings.Count(c.query, "("), strings.Count(c.query, ")"), c.name)
		}
	}
	db := bun.NewDB(nil, sqlitedialect.New())
	for _, model := range models {
		table := db.Table(reflect.TypeOf(model).Elem()).Name
		require.True(t, walked[table] || notVerified[table] != "", "%s is not verified: add a section, or say why not", table)
	}
}

// A kind of records that has a pool has its counters and records walked.
func TestVerifyKnowsEveryKind(t *testing.T) {
	names := map[string]bool{}
	for _, s := range sections() {
		require.False(t, names[s.name], "twice: %s", s.name)
		names[s.name] = true
	}
	for kind := range recordTables {
		require.True(t, names[string(kind)+".counters"] && names[string(kind)+".records"], kind)
	}
}
