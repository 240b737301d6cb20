-- Pipelines with their stages, opportunities and their history.
CREATE TABLE crm_pipelines (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  is_default INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_pipelines_name ON crm_pipelines (tenant_id, name);
CREATE UNIQUE INDEX crm_uq_pipelines_default ON crm_pipelines (tenant_id) WHERE is_default;

CREATE TABLE crm_stages (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  pipeline_id INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('open', 'won', 'lost')),
  probability INTEGER NOT NULL CHECK (probability BETWEEN 0 AND 1000000),
  forecast TEXT NOT NULL,
  requires TEXT NOT NULL, -- JSON, fields of the opportunity
  moves TEXT NOT NULL, -- JSON, names of stages
  stale_days INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, pipeline_id) REFERENCES crm_pipelines (tenant_id, id)
) STRICT;
CREATE INDEX crm_ix_stages_pipeline ON crm_stages (tenant_id, pipeline_id, sort);

CREATE TABLE crm_opportunities (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  customer_id INTEGER NOT NULL,
  contact_id INTEGER,
  name TEXT NOT NULL,
  pipeline_id INTEGER NOT NULL,
  stage_id INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  stage_since INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  currency TEXT NOT NULL,
  probability INTEGER CHECK (probability BETWEEN 0 AND 1000000),
  expected_close TEXT NOT NULL,
  products TEXT NOT NULL, -- JSON, ids
  source TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  lost_reason TEXT NOT NULL,
  closed_at INTEGER,
  remarks TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id),
  FOREIGN KEY (tenant_id, pipeline_id) REFERENCES crm_pipelines (tenant_id, id),
  FOREIGN KEY (tenant_id, stage_id) REFERENCES crm_stages (tenant_id, id),
  CHECK ((status = 'open') = (closed_at IS NULL))
) STRICT;
CREATE INDEX crm_ix_opportunities_customer ON crm_opportunities (tenant_id, customer_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_opportunities_owner ON crm_opportunities (tenant_id, owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_opportunities_stage ON crm_opportunities (tenant_id, stage_id, stage_since);
CREATE INDEX crm_ix_opportunities_close ON crm_opportunities (tenant_id, expected_close) WHERE deleted_at IS NULL;

CREATE TABLE crm_opportunity_stages (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  opportunity_id INTEGER NOT NULL,
  from_stage INTEGER,
  to_stage INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  probability INTEGER NOT NULL,
  owner_id TEXT NOT NULL,
  lost_reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, from_stage) REFERENCES crm_stages (tenant_id, id),
  FOREIGN KEY (tenant_id, to_stage) REFERENCES crm_stages (tenant_id, id)
) STRICT;
CREATE INDEX crm_ix_opportunity_stages_of ON crm_opportunity_stages (tenant_id, opportunity_id, id);
CREATE INDEX crm_ix_opportunity_stages_to ON crm_opportunity_stages (tenant_id, to_stage, at);
CREATE INDEX crm_ix_opportunity_stages_from ON crm_opportunity_stages (tenant_id, from_stage);
