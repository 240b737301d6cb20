ALTER TABLE crm_counters DROP COLUMN own_open_limit;
ALTER TABLE crm_counters DROP COLUMN opens_used;
ALTER TABLE crm_counters DROP COLUMN opens_day;
DROP TABLE crm_opens;
