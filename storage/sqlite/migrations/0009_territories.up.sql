-- Territories: which members get records that nobody owns. An older library would not assign new ones, so it must not run.
CREATE TABLE crm_territories (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  regions TEXT NOT NULL, -- JSON, as are industries and members
  industries TEXT NOT NULL,
  vip INTEGER NOT NULL,
  department_id INTEGER,
  members TEXT NOT NULL,
  priority INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, department_id) REFERENCES crm_departments (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_territories_name ON crm_territories (tenant_id, kind, name);
CREATE INDEX crm_ix_territories_department ON crm_territories (tenant_id, department_id) WHERE department_id IS NOT NULL;

ALTER TABLE crm_pools ADD COLUMN assign_new INTEGER NOT NULL DEFAULT 0;
-- when the member last got a record by a territory; NULL: it never did
ALTER TABLE crm_counters ADD COLUMN assigned_at INTEGER;
