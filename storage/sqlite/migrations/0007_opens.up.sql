-- Which member opened which record of a pool on which day of the tenant, and how many it has opened that day.

CREATE TABLE crm_opens (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  user_id TEXT NOT NULL,
  day TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, kind, user_id, day, record_id)
) STRICT, WITHOUT ROWID;
-- what is old enough to go; who opened much on a day
CREATE INDEX crm_ix_opens_day ON crm_opens (tenant_id, kind, day, user_id);

ALTER TABLE crm_counters ADD COLUMN opens_day TEXT NOT NULL DEFAULT '';
ALTER TABLE crm_counters ADD COLUMN opens_used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_counters ADD COLUMN own_open_limit INTEGER;
