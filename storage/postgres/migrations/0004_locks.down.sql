ALTER TABLE crm_customers DROP COLUMN lock_reason;
ALTER TABLE crm_customers DROP COLUMN lock_until;
ALTER TABLE crm_policies DROP COLUMN lock_days;
ALTER TABLE crm_policies DROP COLUMN lock_limit;
ALTER TABLE crm_operations DROP COLUMN unlocked;
DROP TABLE crm_reasons;
ALTER TABLE crm_operations DROP COLUMN over_cap;
