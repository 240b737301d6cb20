-- Pipelines with their stages, opportunities and their history.
CREATE TABLE crm_pipelines (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  is_default boolean NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_pipelines_name ON crm_pipelines (tenant_id, name);
CREATE UNIQUE INDEX crm_uq_pipelines_default ON crm_pipelines (tenant_id) WHERE is_default;

CREATE TABLE crm_stages (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  pipeline_id bigint NOT NULL,
  sort integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('open', 'won', 'lost')),
  probability numeric(18, 4) NOT NULL CHECK (probability BETWEEN 0 AND 100),
  forecast text COLLATE "C" NOT NULL,
  requires text COLLATE "C" NOT NULL, -- JSON, fields of the opportunity
  moves text COLLATE "C" NOT NULL, -- JSON, names of stages
  stale_days integer NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, pipeline_id) REFERENCES crm_pipelines (tenant_id, id)
);
CREATE INDEX crm_ix_stages_pipeline ON crm_stages (tenant_id, pipeline_id, sort);

CREATE TABLE crm_opportunities (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  customer_id bigint NOT NULL,
  contact_id bigint,
  name text COLLATE "C" NOT NULL,
  pipeline_id bigint NOT NULL,
  stage_id bigint NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  stage_since timestamptz NOT NULL,
  amount numeric(18, 4) NOT NULL CHECK (amount >= 0),
  currency text COLLATE "C" NOT NULL,
  probability numeric(18, 4) CHECK (probability BETWEEN 0 AND 100),
  expected_close text COLLATE "C" NOT NULL,
  products text COLLATE "C" NOT NULL, -- JSON, ids
  source text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  lost_reason text COLLATE "C" NOT NULL,
  closed_at timestamptz,
  remarks text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id),
  FOREIGN KEY (tenant_id, pipeline_id) REFERENCES crm_pipelines (tenant_id, id),
  FOREIGN KEY (tenant_id, stage_id) REFERENCES crm_stages (tenant_id, id),
  CHECK ((status = 'open') = (closed_at IS NULL))
);
CREATE INDEX crm_ix_opportunities_customer ON crm_opportunities (tenant_id, customer_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_opportunities_owner ON crm_opportunities (tenant_id, owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_opportunities_stage ON crm_opportunities (tenant_id, stage_id, stage_since);
CREATE INDEX crm_ix_opportunities_close ON crm_opportunities (tenant_id, expected_close) WHERE deleted_at IS NULL;

CREATE TABLE crm_opportunity_stages (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  opportunity_id bigint NOT NULL,
  from_stage bigint,
  to_stage bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL,
  currency text COLLATE "C" NOT NULL,
  probability numeric(18, 4) NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  lost_reason text COLLATE "C" NOT NULL,
  actor text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, from_stage) REFERENCES crm_stages (tenant_id, id),
  FOREIGN KEY (tenant_id, to_stage) REFERENCES crm_stages (tenant_id, id)
);
CREATE INDEX crm_ix_opportunity_stages_of ON crm_opportunity_stages (tenant_id, opportunity_id, id);
CREATE INDEX crm_ix_opportunity_stages_to ON crm_opportunity_stages (tenant_id, to_stage, at);
CREATE INDEX crm_ix_opportunity_stages_from ON crm_opportunity_stages (tenant_id, from_stage);
