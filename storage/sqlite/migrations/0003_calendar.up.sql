-- Business calendars; pools count days by them. An older library would count elapsed days everywhere, so it must not run.
CREATE TABLE crm_calendars (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  spec TEXT NOT NULL, -- JSON: zone, week, holidays, extra days
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_calendars_name ON crm_calendars (tenant_id, name);

ALTER TABLE crm_pools ADD COLUMN counting TEXT NOT NULL DEFAULT 'elapsed' CHECK (counting IN ('elapsed', 'calendar', 'working'));
ALTER TABLE crm_pools ADD COLUMN calendar_id INTEGER; -- a column that is added cannot be part of a foreign key of two
