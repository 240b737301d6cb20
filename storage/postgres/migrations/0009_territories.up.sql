-- Territories: which members get records that nobody owns. An older library would not assign new ones, so it must not run.
CREATE TABLE crm_territories (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  regions text COLLATE "C" NOT NULL, -- JSON, as are industries and members
  industries text COLLATE "C" NOT NULL,
  vip boolean NOT NULL,
  department_id bigint,
  members text COLLATE "C" NOT NULL,
  priority integer NOT NULL,
  enabled boolean NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, department_id) REFERENCES crm_departments (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_territories_name ON crm_territories (tenant_id, kind, name);
CREATE INDEX crm_ix_territories_department ON crm_territories (tenant_id, department_id) WHERE department_id IS NOT NULL;

ALTER TABLE crm_pools ADD COLUMN assign_new boolean NOT NULL DEFAULT false;
-- when the member last got a record by a territory; NULL: it never did
ALTER TABLE crm_counters ADD COLUMN assigned_at timestamptz;
