package main

import (
	"context"
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
		doc, err := r.numbered(x, func() (int64, error) { return r.one(ctx, "SELECT nextval('crm_ids')") })
		if err != nil {
			return err
		}
		_, err = r.one(ctx, rawFollowPostgres, tenant, of, user, now, x.ID, x.Type, x.Direction, x.Subject, x.Minutes, x.Outcome, doc)
		return err
	}
	at := now.UnixMicro()
	return r.write(ctx, func(t writeTx) error {
		var seq int64
		if err := t.row(`UPDATE crm_customers SET seq = seq + 1, first_followup_at = min(coalesce(first_followup_at, $4), $4),
				last_followup_at = max(coalesce(last_followup_at, $4), $4)
			WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND owner_id = $3 AND owned_since <= $4 RETURNING seq`,
			[]any{tenant, of, user, at}, &seq); err != nil {
			return err
		}
		doc, err := r.numbered(x, func() (first int64, err error) {
			err = t.row("UPDATE crm_ids SET next = next + $1 RETURNING next - $1", []any{blockSize}, &first)
			return first, err
		})
		if err != nil {
			return err
		}
		return errors.Join(
			t.exec(rawInteraction+`VALUES ($1, $5, $2, 0, $6, $7, $8, '', $4, $9, $10, '', $3, '', 1, 0, 1, $4, $3, $4)`,
				tenant, of, user, at, x.ID, x.Type, x.Direction, x.Subject, x.Minutes, x.Outcome),
			t.exec(`UPDATE crm_customer_facts SET interactions = interactions + 1, last_interaction_at = max(coalesce(last_interaction_at, $3), $3)
				WHERE tenant_id = $1 AND customer_id = $2`, tenant, of, at),
			t.exec(rawAudit+`VALUES ($1, 'customer', $2, 'interaction', $5, 'interaction.created', $3, $4, NULL, $6)`, tenant, of, user, at, x.ID, doc),
			t.exec(rawEvent+`VALUES ($1, 'customer', $2, $5, 'interaction', $6, 'interaction.created', $3, $4, $7)`, tenant, of, user, at, seq, x.ID, doc),
		)
	})
}

// blockSize is how many ids are taken at once, as the schema has it.
const blockSize = 64

// numbered gives the interaction its id, from a new block where the last one is used up, and returns it as a document. On
// SQLite the caller is in a write transaction, which holds the ids.
func (r *rawSQL) numbered(x *customer.Interaction, block func() (first int64, err error)) (doc string, err error) {
	if r.e.pg {
		r.writing.Lock()
		defer r.writing.Unlock()
	}
	if r.ids[0] == r.ids[1] {
		first, err := block()
		if err != nil {
			return "", err
		}
		r.ids = [2]int64{first, first + blockSize}
	}
	x.ID = customer.InteractionID(r.ids[0])
	r.ids[0]++
	text, err := json.Marshal(x)
	return string(text), err
}
