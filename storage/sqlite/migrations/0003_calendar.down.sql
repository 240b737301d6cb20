ALTER TABLE crm_pools DROP COLUMN calendar_id;
ALTER TABLE crm_pools DROP COLUMN counting;
DROP TABLE crm_calendars;
