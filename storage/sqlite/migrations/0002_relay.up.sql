-- compatible-from: 1
-- The relay: what became of each event. An event of before is undelivered, as is every new one.

ALTER TABLE crm_outbox ADD COLUMN delivered_at INTEGER;
ALTER TABLE crm_outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_outbox ADD COLUMN due_at INTEGER; -- NULL: at once; of a dead one: when it died
ALTER TABLE crm_outbox ADD COLUMN lease_until INTEGER;
ALTER TABLE crm_outbox ADD COLUMN lease_token TEXT;
ALTER TABLE crm_outbox ADD COLUMN last_error TEXT;
ALTER TABLE crm_outbox ADD COLUMN dead INTEGER NOT NULL DEFAULT 0; -- with delivered_at: skipped

-- What waits, subject by subject in the order of delivery.
CREATE INDEX crm_ix_outbox_waiting ON crm_outbox (tenant_id, subject_kind, subject_id, seq) WHERE delivered_at IS NULL;
CREATE INDEX crm_ix_outbox_dead ON crm_outbox (tenant_id, id) WHERE dead AND delivered_at IS NULL;
CREATE INDEX crm_ix_outbox_delivered ON crm_outbox (tenant_id, delivered_at) WHERE delivered_at IS NOT NULL;
