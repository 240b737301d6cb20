package bunstore

import (
	"context"
	"strings"
	"time"

	"github.com/openseas/crm/customer"
	"github.com/openseas/crm/kernel"
)

// The scope of one customer is decided in Go, by the value that lists compile to SQL: a customer that the actor may not see
// is not found, and the unit of work takes back what was written.

func (s *Store) touchCustomer() string {
	return "UPDATE crm_customers AS t SET seq = t.seq + :by WHERE t.tenant_id = :tenant AND t.id = :id AND t.deleted_at IS NULL RETURNING " +
		s.columnsOf((*customerRow)(nil), "")
}

// Touch see [customer.Repository].
func (c *customers) Touch(ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, id customer.ID, by int64) (*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := t.open(ctx, "customer.touch", named{"tenant": n, "id": int64(id), "by": by})
	found, err := t.customersOf(sc, rows, err)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

const (
	// counts is whether a follow-up moves the clocks; customer.Ownership decides the same for one that is read.
	counts  = "CAST(:followup AS boolean) AND t.owner_id IS NOT NULL AND t.owned_since <= :at"
	meetSQL = `UPDATE crm_customers AS t SET seq = t.seq + 1,
			first_followup_at = CASE WHEN ` + counts + ` AND (t.first_followup_at IS NULL OR t.first_followup_at > :at) THEN :at ELSE t.first_followup_at END,
			last_followup_at = CASE WHEN ` + counts + ` AND (t.last_followup_at IS NULL OR t.last_followup_at < :at) THEN :at ELSE t.last_followup_at END
		WHERE t.tenant_id = :tenant AND t.id = :id AND t.deleted_at IS NULL RETURNING `
	meetFactsSQL = `UPDATE crm_customer_facts AS f SET interactions = f.interactions + 1,
			last_interaction_at = CASE WHEN f.last_interaction_at >= :at THEN f.last_interaction_at ELSE :at END
		{from} WHERE f.tenant_id = :tenant AND f.customer_id = {id}`
)

// compileMeet makes what an interaction leaves on its customer: one statement on Postgres, two on SQLite, the customer first.
func (s *Store) compileMeet(hot map[string]hotQuery) {
	columns := s.columnsOf((*customerRow)(nil), "")
	if s.pg {
		facts := strings.NewReplacer("{from}", "FROM c", "{id}", "c.id").Replace(meetFactsSQL)
		hot["customer.meet"] = s.number("WITH c AS (" + meetSQL + columns + "), f AS (" + facts + ") SELECT " + columns + " FROM c")
		return
	}
	hot["customer.meet"] = s.number(meetSQL + columns)
	hot["customer.meet.facts"] = s.number(strings.NewReplacer("{from}", "", "{id}", ":id").Replace(meetFactsSQL))
}

// Meet see [customer.Repository].
func (c *customers) Meet(
	ctx context.Context, tenant kernel.TenantID, sc kernel.Scope, id customer.ID, at time.Time, followup bool,
) (*customer.Customer, error) {
	t := (*tx)(c)
	n, err := t.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	args := named{"tenant": n, "id": int64(id), "at": t.at(at), "followup": followup}
	rows, err := t.open(ctx, "customer.meet", args)
	found, err := t.customersOf(sc, rows, err)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if !t.pg {
		if _, err := t.do(ctx, "customer.meet.facts", args); err != nil {
			return nil, err
		}
	}
	return found[0], nil
}
