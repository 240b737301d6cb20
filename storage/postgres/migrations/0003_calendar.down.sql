ALTER TABLE crm_pools DROP COLUMN calendar_id, DROP COLUMN counting;
DROP TABLE crm_calendars;
