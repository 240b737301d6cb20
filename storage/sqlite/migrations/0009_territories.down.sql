-- Who waited longest is forgotten: after another up all have waited equally long.
ALTER TABLE crm_counters DROP COLUMN assigned_at;
ALTER TABLE crm_pools DROP COLUMN assign_new;
DROP TABLE crm_territories;
