-- Leads, with their follow-ups and tags; and what every tenant has for a kind of record from its first day.
CREATE TABLE crm_leads (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  company text COLLATE "C" NOT NULL,
  title text COLLATE "C" NOT NULL,
  phone text COLLATE "C" NOT NULL,
  phone_key text COLLATE "C", -- what is unique and looked up, as is email_key
  email text COLLATE "C" NOT NULL,
  email_key text COLLATE "C",
  wechat text COLLATE "C" NOT NULL,
  source text COLLATE "C",
  product_interest text COLLATE "C" NOT NULL,
  intent integer NOT NULL CHECK (intent BETWEEN 0 AND 3),
  stage text COLLATE "C" NOT NULL CHECK (stage IN ('new', 'following', 'converted', 'invalid')), -- the lead's status, as rules call it
  standing text COLLATE "C" NOT NULL CHECK (standing = 'active'), -- what the pool's statements ask of records of every kind
  invalid_reason text COLLATE "C" NOT NULL,
  level text COLLATE "C",
  industry text COLLATE "C",
  region text COLLATE "C",
  province text COLLATE "C" NOT NULL,
  city text COLLATE "C" NOT NULL,
  district text COLLATE "C" NOT NULL,
  annual_potential numeric(18, 4),
  brand text COLLATE "C" NOT NULL,
  remarks text COLLATE "C" NOT NULL,
  external_system text COLLATE "C",
  external_id text COLLATE "C",
  owner_id text COLLATE "C",
  owned_since timestamptz,
  pool_id bigint NOT NULL,
  pool_entered_at timestamptz,
  last_owner text COLLATE "C",
  first_followup_at timestamptz,
  last_followup_at timestamptz,
  lock_until timestamptz CHECK (lock_until IS NULL OR owner_id IS NOT NULL),
  lock_reason text COLLATE "C" NOT NULL,
  interactions bigint NOT NULL CHECK (interactions >= 0),
  last_interaction_at timestamptz,
  customer_id bigint,
  contact_id bigint,
  opportunity_id bigint,
  version bigint NOT NULL,
  seq bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted_at timestamptz, -- when it was converted or found invalid: out of pools, rules and counts
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES crm_pools (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  CHECK ((owner_id IS NULL) = (owned_since IS NULL)),
  CHECK ((external_system IS NULL) = (external_id IS NULL)),
  CHECK ((deleted_at IS NULL) = (stage IN ('new', 'following'))),
  CHECK ((stage = 'converted') = (customer_id IS NOT NULL))
);
-- one living lead per phone number, e-mail address and host key of a tenant
CREATE UNIQUE INDEX crm_uq_leads_phone ON crm_leads (tenant_id, phone_key) WHERE deleted_at IS NULL AND phone_key IS NOT NULL;
CREATE UNIQUE INDEX crm_uq_leads_email ON crm_leads (tenant_id, email_key) WHERE deleted_at IS NULL AND email_key IS NOT NULL;
CREATE UNIQUE INDEX crm_uq_leads_external ON crm_leads (tenant_id, external_system, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
-- as of customers: own list, pool list, "no follow-up" and "no deal"
CREATE INDEX crm_ix_leads_owner ON crm_leads (tenant_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX crm_ix_leads_pool ON crm_leads (tenant_id, pool_id, id) WHERE deleted_at IS NULL AND owner_id IS NULL;
CREATE INDEX crm_ix_leads_home ON crm_leads (tenant_id, pool_id, id);
CREATE INDEX crm_ix_leads_idle ON crm_leads (tenant_id, (coalesce(last_followup_at, owned_since))) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX crm_ix_leads_undealt ON crm_leads (tenant_id, first_followup_at) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX crm_ix_leads_locked ON crm_leads (tenant_id, owner_id, lock_until) WHERE deleted_at IS NULL AND lock_until IS NOT NULL;
-- lists
CREATE INDEX crm_ix_leads_stage ON crm_leads (tenant_id, stage, id);
CREATE INDEX crm_ix_leads_source ON crm_leads (tenant_id, source, id);
CREATE INDEX crm_ix_leads_region ON crm_leads (tenant_id, region, id);
CREATE INDEX crm_ix_leads_customer ON crm_leads (tenant_id, customer_id) WHERE customer_id IS NOT NULL;

-- Interactions of leads, with the columns of crm_interactions: a conversion moves them there, with their ids.
CREATE TABLE crm_lead_interactions (
  tenant_id bigint NOT NULL,
  id bigint NOT NULL,
  lead_id bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  direction text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  content text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  minutes integer NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  next_action text COLLATE "C" NOT NULL,
  next_action_at timestamptz,
  next_done_at timestamptz,
  staff text COLLATE "C" NOT NULL,
  attachments text COLLATE "C",
  session_tag text COLLATE "C" NOT NULL,
  followup boolean NOT NULL,
  automatic boolean NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, lead_id) REFERENCES crm_leads (tenant_id, id),
  CHECK (NOT (followup AND automatic))
);
CREATE INDEX crm_ix_lead_interactions_lead ON crm_lead_interactions (tenant_id, lead_id, at, id);
CREATE INDEX crm_ix_lead_interactions_pending ON crm_lead_interactions (tenant_id, staff, next_action_at, id) WHERE next_action_at IS NOT NULL AND next_done_at IS NULL;

CREATE TABLE crm_lead_tags (
  tenant_id bigint NOT NULL,
  lead_id bigint NOT NULL,
  tag_id bigint NOT NULL,
  PRIMARY KEY (tenant_id, lead_id, tag_id),
  FOREIGN KEY (tenant_id, lead_id) REFERENCES crm_leads (tenant_id, id),
  FOREIGN KEY (tenant_id, tag_id) REFERENCES crm_tags (tenant_id, id)
);
CREATE INDEX crm_ix_lead_tags_tag ON crm_lead_tags (tenant_id, tag_id, lead_id);

INSERT INTO crm_policies (tenant_id, kind, cap, daily_quota, open_limit, lock_limit, lock_days)
  SELECT id, 'lead', 200, 20, 100, 20, 180 FROM crm_tenants WHERE dropped_at IS NULL;
-- who is inactive gets none of them either
INSERT INTO crm_counters (tenant_id, kind, user_id, places, closed)
  SELECT m.tenant_id, 'lead', m.user_id, 0, true FROM crm_members m JOIN crm_tenants n ON n.id = m.tenant_id
  WHERE m.inactive_since IS NOT NULL AND n.dropped_at IS NULL;
-- the id of the pool, and behind it those of its rules
CREATE TABLE crm_lead_begin AS
  SELECT id AS tenant_id, nextval('crm_ids') AS base, created_at FROM crm_tenants WHERE dropped_at IS NULL;
INSERT INTO crm_pools (tenant_id, id, kind, name, description, public, is_default, priority, protection, cool_down, claim_condition, version, created_at, updated_at)
  SELECT tenant_id, base, 'lead', 'default', '', true, true, 0, 7::bigint * 86400000000, 30::bigint * 86400000000, '', 1, created_at, created_at FROM crm_lead_begin;
INSERT INTO crm_pool_rules (tenant_id, id, pool_id, name, condition, action, priority, enabled, built_in, version, created_at, updated_at)
  SELECT tenant_id, base + 1, base, 'no follow-up for 3 days', 'followup_days > 3', 'release', 20, false, true, 1, created_at, created_at FROM crm_lead_begin
  UNION ALL
  SELECT tenant_id, base + 2, base, 'no deal for 90 days', 'deal_days > 90', 'release', 10, false, true, 1, created_at, created_at FROM crm_lead_begin;
DROP TABLE crm_lead_begin;

CREATE VIEW crm_v_leads AS
  SELECT n.key AS tenant, l.id, l.name, l.type, l.company, l.title, l.source, l.product_interest, l.intent, l.stage AS status, l.level, l.industry, l.region,
    l.owner_id, l.owned_since, l.pool_id, p.name AS pool, l.pool_entered_at, l.last_owner, l.first_followup_at, l.last_followup_at, l.interactions,
    l.last_interaction_at, l.customer_id, l.contact_id, l.opportunity_id, l.deleted_at AS closed_at, l.created_at, l.updated_at
  FROM crm_leads l JOIN crm_tenants n ON n.id = l.tenant_id
    JOIN crm_pools p ON p.tenant_id = l.tenant_id AND p.id = l.pool_id
  WHERE n.dropped_at IS NULL;
