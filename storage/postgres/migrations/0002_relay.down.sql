-- What was delivered is forgotten: after another up, a relay delivers again what is still in the outbox.
ALTER TABLE crm_outbox RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE crm_outbox -- the indexes go with their columns
  DROP COLUMN delivered_at, DROP COLUMN attempts, DROP COLUMN due_at, DROP COLUMN lease_until, DROP COLUMN lease_token,
  DROP COLUMN last_error, DROP COLUMN dead;
