-- compatible-from: 1
-- The relay: what became of each event. An event of before is undelivered, as is every new one.

ALTER TABLE crm_outbox
  ADD COLUMN delivered_at timestamptz,
  ADD COLUMN attempts integer NOT NULL DEFAULT 0,
  ADD COLUMN due_at timestamptz, -- NULL: at once; of a dead one: when it died
  ADD COLUMN lease_until timestamptz,
  ADD COLUMN lease_token text COLLATE "C",
  ADD COLUMN last_error text COLLATE "C",
  ADD COLUMN dead boolean NOT NULL DEFAULT false; -- with delivered_at: skipped

-- What waits, subject by subject in the order of delivery.
CREATE INDEX crm_ix_outbox_waiting ON crm_outbox (tenant_id, subject_kind, subject_id, seq) WHERE delivered_at IS NULL;
CREATE INDEX crm_ix_outbox_dead ON crm_outbox (tenant_id, id) WHERE dead AND delivered_at IS NULL;
CREATE INDEX crm_ix_outbox_delivered ON crm_outbox (tenant_id, delivered_at) WHERE delivered_at IS NOT NULL;

-- Rows are leased and marked in place: room for it on the page, and vacuum before the index of what waits is full of what went.
ALTER TABLE crm_outbox SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
