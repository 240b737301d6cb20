package check

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openseas/crm"
	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
	"github.com/openseas/crm/pool"
	"github.com/openseas/crm/sales"
	"github.com/openseas/crm/team"
)

// tablesOfIDs are where the records of an id's type are.
var tablesOfIDs = map[reflect.Type]string{
	reflect.TypeFor[customer.ID]():            "crm_customers",
	reflect.TypeFor[customer.ContactID]():     "crm_contacts",
	reflect.TypeFor[customer.AddressID]():     "crm_addresses",
	reflect.TypeFor[customer.InteractionID](): "crm_interactions",
	reflect.TypeFor[customer.TagID]():         "crm_tags",
	reflect.TypeFor[customer.TaskID]():        "crm_tasks",
	reflect.TypeFor[pool.TerritoryID]():       "crm_territories",
	reflect.TypeFor[customer.PoolID]():        "crm_pools",
	reflect.TypeFor[team.DepartmentID]():      "crm_departments",
	reflect.TypeFor[team.CalendarID]():        "crm_calendars",
	reflect.TypeFor[sales.CategoryID]():       "crm_product_categories",
	reflect.TypeFor[sales.ProductID]():        "crm_products",
	reflect.TypeFor[sales.PriceListID]():      "crm_price_lists",
	reflect.TypeFor[sales.PipelineID]():       "crm_pipelines",
	reflect.TypeFor[sales.StageID]():          "crm_stages",
	reflect.TypeFor[sales.OpportunityID]():    "crm_opportunities",
	reflect.TypeFor[sales.QuoteID]():          "crm_quotes",
	reflect.TypeFor[sales.ContractID]():       "crm_contracts",
	reflect.TypeFor[sales.PlanID]():           "crm_plans",
	reflect.TypeFor[sales.PaymentID]():        "crm_payments",
	reflect.TypeFor[sales.InvoiceID]():        "crm_invoices",
	reflect.TypeFor[sales.LeadID]():           "crm_leads",
	reflect.TypeFor[sales.OrderID]():          "crm_orders",
}

// notWalked ends what the walk walks on.
var notWalked = map[string]bool{"Team.DropTenant": true}

// wanderer calls whatever there is, with whatever there is.
type wanderer struct {
	*house
	own lived
	r   *rand.Rand
	all []useCase
}

// Use cases in any order, by anybody, with any records that there are: every error is one that a program can read, and
// after every few steps everything that is kept twice says the same. What is new is walked without being asked for.
func TestAnyUseCasesInAnyOrderKeepTheInvariants(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(t *testing.T) place) {
		h := build(t, fresh(t))
		require.NoError(t, h.Team.Members.Add(t.Context(), boss, team.Member{User: "admin", Role: team.Admin}))
		w := &wanderer{house: h, own: h.live(), r: chance(t), all: useCases(t)}
		done := map[string]int{}
		for n := range choose(900, 10_000) {
			u := pick(w.r, w.all...)
			if notWalked[u.name] {
				continue
			}
			if err := w.step(t, u); err == nil {
				done[u.name]++
			}
			if n%10 == 9 {
				w.sound(u.name)
			}
		}
		w.sound()
		t.Logf("%d of %d use cases succeeded at least once", len(done), len(w.all))
		require.Greater(t, len(done), len(w.all)/2)
	})
}

// step is one call, at a later time.
func (w *wanderer) step(t *testing.T, u useCase) error {
	t.Helper()
	w.wait(pick(w.r, time.Second, time.Minute, time.Hour, 7*time.Hour))
	w.look(t)
	by := pick(w.r, boss, boss, crm.Actor{Tenant: "acme", User: "admin"}, li, wang, head)
	args := w.own.arguments(t, u)
	for _, s := range w.own.slots(t, u, args) {
		if table, ok := tablesOfIDs[s.of]; ok && w.r.IntN(2) == 0 {
			s.set(w.any(t, table), "")
		}
	}
	_, err := u.call(context.Background(), w.CRM, by, args)
	if err != nil {
		code, ok := errors.AsType[kernel.Code](err)
		require.True(t, ok, "%s by %s: an untyped error: %v", u.name, by.User, err)
		require.NotEqual(t, kernel.ErrUnknownOutcome, code, "%s: %v", u.name, err)
	}
	return err
}

// look turns to another customer, so that updates name its last version.
func (w *wanderer) look(t *testing.T) {
	t.Helper()
	w.own.now, w.own.busy = w.house.now(), customer.ID(w.any(t, "crm_customers"))
	w.lookLead(sales.LeadID(w.any(t, "crm_leads")))
	x, err := w.Customers.Get(context.Background(), boss, w.own.busy)
	if errors.Is(err, crm.ErrNotFound) { // a deleted one: as it was
		return
	}
	require.NoError(t, err)
	w.own.is, w.own.version = *x, x.Version
}

// any is one of the last records of a table.
func (w *wanderer) any(t *testing.T, table string) int64 {
	t.Helper()
	var id int64
	err := w.db.QueryRowContext(context.Background(), fmt.Sprintf("SELECT id FROM (SELECT id FROM %s ORDER BY id DESC LIMIT 12) x ORDER BY id LIMIT 1 OFFSET %d",
		table, w.r.IntN(12))).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 1
	}
	require.NoError(t, err)
	return id
}
