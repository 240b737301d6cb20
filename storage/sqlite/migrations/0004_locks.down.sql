DROP TABLE crm_reasons;
ALTER TABLE crm_operations DROP COLUMN over_cap;
