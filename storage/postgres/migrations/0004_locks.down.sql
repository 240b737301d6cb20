ALTER TABLE crm_operations DROP COLUMN over_cap;
