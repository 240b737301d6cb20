package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/openseas/crm/customer"
)

const rawInteraction = `INSERT INTO crm_interactions (tenant_id, id, customer_id, contact_id, type, direction, subject, content, at, minutes, outcome,
	next_action, staff, session_tag, followup, automatic, version, created_at, created_by, updated_at) `

// rawFollowPostgres is all of a follow-up: $1 tenant, $2 customer, $3 staff, $4 at, $5 id, $6 to $10 the interaction, $11 the
// document of audit and event.
const rawFollowPostgres = `WITH c AS (UPDATE crm_customers SET seq = seq + 1, first_followup_at = least(first_followup_at, $4), last_followup_at = greatest(last_followup_at, $4)
		WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND owner_id = $3 AND owned_since <= $4 RETURNING id, seq),
	i AS (` + rawInteraction + `SELECT $1, $5, id, 0, $6, $7, $8, '', $4, $9, $10, '', $3, '', true, false, 1, $4, $3, $4 FROM c),
	f AS (UPDATE crm_customer_facts AS f SET interactions = f.interactions + 1, last_interaction_at = greatest(f.last_interaction_at, $4)
		FROM c WHERE f.tenant_id = $1 AND f.customer_id = c.id),
	a AS (` + rawAudit + `SELECT $1, 'customer', id, 'interaction', $5, 'interaction.created', $3, $4, NULL, $11 FROM c),
	e AS (` + rawEvent + `SELECT $1, 'customer', id, seq, 'interaction', $5, 'interaction.created', $3, $4, $11 FROM c)
	SELECT id FROM c`

// followUp writes a follow-up of the customer's owner.
func (r *rawSQL) followUp(ctx context.Context, w who, x *customer.Interaction) error {
	x.At, x.CreatedAt, x.UpdatedAt, x.CreatedBy, x.Staff, x.Version, x.Direction = now, now, now, w.user, w.user, 1, customer.Outbound
	tenant, of, user := r.d.houses[w.tenant].number, int64(x.CustomerID), string(w.user)
	if r.e.pg {
		st, err := r.stmt(ctx, rawFollowPostgres)
		if err != nil {
			return err
		}
		x.ID, err = r.interactionID(func() (first int64, err error) {
			return first, r.db.QueryRowContext(ctx, "SELECT nextval('crm_ids')").Scan(&first)
		})
		if err != nil {
			return err
		}
		doc, err := json.Marshal(x)
		if err != nil {
			return err
		}
		return st.QueryRowContext(ctx, tenant, of, user, now, x.ID, x.Type, x.Direction, x.Subject, x.Minutes, x.Outcome, string(doc)).Scan(&of)
	}
	at := now.UnixMicro()
	return r.write(ctx, func(exec func(string, ...any) error, row func(string, ...any) *sql.Row) error {
		var seq int64
		if err := row(`UPDATE crm_customers SET seq = seq + 1, first_followup_at = min(coalesce(first_followup_at, $4), $4),
				last_followup_at = max(coalesce(last_followup_at, $4), $4)
			WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND owner_id = $3 AND owned_since <= $4 RETURNING seq`, tenant, of, user, at).Scan(&seq); err != nil {
			return err
		}
		var err error
		x.ID, err = r.interactionIDLocked(func() (end int64, err error) {
			err = row("UPDATE crm_ids SET next = next + $1 RETURNING next - $1", blockSize).Scan(&end)
			return end, err
		})
		if err != nil {
			return err
		}
		doc, err := json.Marshal(x)
		if err != nil {
			return err
		}
		return errors.Join(
			exec(rawInteraction+`VALUES ($1, $5, $2, 0, $6, $7, $8, '', $4, $9, $10, '', $3, '', 1, 0, 1, $4, $3, $4)`,
				tenant, of, user, at, x.ID, x.Type, x.Direction, x.Subject, x.Minutes, x.Outcome),
			exec(`UPDATE crm_customer_facts SET interactions = interactions + 1, last_interaction_at = max(coalesce(last_interaction_at, $3), $3)
				WHERE tenant_id = $1 AND customer_id = $2`, tenant, of, at),
			exec(rawAudit+`VALUES ($1, 'customer', $2, 'interaction', $5, 'interaction.created', $3, $4, NULL, $6)`, tenant, of, user, at, x.ID, string(doc)),
			exec(rawEvent+`VALUES ($1, 'customer', $2, $5, 'interaction', $6, 'interaction.created', $3, $4, $7)`, tenant, of, user, at, seq, x.ID, string(doc)),
		)
	})
}

// blockSize is how many ids are taken at once, as the schema has it.
const blockSize = 64

func (r *rawSQL) interactionID(block func() (first int64, err error)) (customer.InteractionID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.interactionIDLocked(block)
}

func (r *rawSQL) interactionIDLocked(block func() (first int64, err error)) (customer.InteractionID, error) {
	if r.ids[0] == r.ids[1] {
		first, err := block()
		if err != nil {
			return 0, err
		}
		r.ids = [2]int64{first, first + blockSize}
	}
	r.ids[0]++
	return customer.InteractionID(r.ids[0] - 1), nil
}
