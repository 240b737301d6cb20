-- What was delivered is forgotten: after another up, a relay delivers again what is still in the outbox.
DROP INDEX crm_ix_outbox_delivered;
DROP INDEX crm_ix_outbox_dead;
DROP INDEX crm_ix_outbox_waiting;
ALTER TABLE crm_outbox DROP COLUMN dead;
ALTER TABLE crm_outbox DROP COLUMN last_error;
ALTER TABLE crm_outbox DROP COLUMN lease_token;
ALTER TABLE crm_outbox DROP COLUMN lease_until;
ALTER TABLE crm_outbox DROP COLUMN due_at;
ALTER TABLE crm_outbox DROP COLUMN attempts;
ALTER TABLE crm_outbox DROP COLUMN delivered_at;
