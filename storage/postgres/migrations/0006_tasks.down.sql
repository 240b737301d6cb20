ALTER TABLE crm_counters DROP COLUMN closed;
DROP TABLE crm_tasks;
