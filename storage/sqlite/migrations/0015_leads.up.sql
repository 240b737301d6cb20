-- Leads, with their follow-ups and tags; and what every tenant has for a kind of record from its first day.
CREATE TABLE crm_leads (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  company TEXT NOT NULL,
  title TEXT NOT NULL,
  phone TEXT NOT NULL,
  phone_key TEXT, -- what is unique and looked up, as is email_key
  email TEXT NOT NULL,
  email_key TEXT,
  wechat TEXT NOT NULL,
  source TEXT,
  product_interest TEXT NOT NULL,
  intent INTEGER NOT NULL CHECK (intent BETWEEN 0 AND 3),
  stage TEXT NOT NULL CHECK (stage IN ('new', 'following', 'converted', 'invalid')), -- the lead's status, as rules call it
  standing TEXT NOT NULL CHECK (standing = 'active'), -- what the pool's statements ask of records of every kind
  invalid_reason TEXT NOT NULL,
  level TEXT,
  industry TEXT,
  region TEXT,
  province TEXT NOT NULL,
  city TEXT NOT NULL,
  district TEXT NOT NULL,
  annual_potential INTEGER,
  brand TEXT NOT NULL,
  remarks TEXT NOT NULL,
  external_system TEXT,
  external_id TEXT,
  owner_id TEXT,
  owned_since INTEGER,
  pool_id INTEGER NOT NULL,
  pool_entered_at INTEGER,
  last_owner TEXT,
  first_followup_at INTEGER,
  last_followup_at INTEGER,
  lock_until INTEGER CHECK (lock_until IS NULL OR owner_id IS NOT NULL),
  lock_reason TEXT NOT NULL,
  interactions INTEGER NOT NULL CHECK (interactions >= 0),
  last_interaction_at INTEGER,
  customer_id INTEGER,
  contact_id INTEGER,
  opportunity_id INTEGER,
  version INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted_at INTEGER, -- when it was converted or found invalid: out of pools, rules and counts
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES crm_pools (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  CHECK ((owner_id IS NULL) = (owned_since IS NULL)),
  CHECK ((external_system IS NULL) = (external_id IS NULL)),
  CHECK ((deleted_at IS NULL) = (stage IN ('new', 'following'))),
  CHECK ((stage = 'converted') = (customer_id IS NOT NULL))
) STRICT;
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
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  lead_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  direction TEXT NOT NULL,
  subject TEXT NOT NULL,
  content TEXT NOT NULL,
  at INTEGER NOT NULL,
  minutes INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  next_action TEXT NOT NULL,
  next_action_at INTEGER,
  next_done_at INTEGER,
  staff TEXT NOT NULL,
  attachments TEXT,
  session_tag TEXT NOT NULL,
  followup INTEGER NOT NULL,
  automatic INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, lead_id) REFERENCES crm_leads (tenant_id, id),
  CHECK (NOT (followup AND automatic))
) STRICT;
CREATE INDEX crm_ix_lead_interactions_lead ON crm_lead_interactions (tenant_id, lead_id, at, id);
CREATE INDEX crm_ix_lead_interactions_pending ON crm_lead_interactions (tenant_id, staff, next_action_at, id) WHERE next_action_at IS NOT NULL AND next_done_at IS NULL;

CREATE TABLE crm_lead_tags (
  tenant_id INTEGER NOT NULL,
  lead_id INTEGER NOT NULL,
  tag_id INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, lead_id, tag_id),
  FOREIGN KEY (tenant_id, lead_id) REFERENCES crm_leads (tenant_id, id),
  FOREIGN KEY (tenant_id, tag_id) REFERENCES crm_tags (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_lead_tags_tag ON crm_lead_tags (tenant_id, tag_id, lead_id);

INSERT INTO crm_policies (tenant_id, kind, cap, daily_quota, open_limit, lock_limit, lock_days)
  SELECT id, 'lead', 200, 20, 100, 20, 180 FROM crm_tenants WHERE dropped_at IS NULL;
-- who is inactive gets none of them either
INSERT INTO crm_counters (tenant_id, kind, user_id, places, closed)
  SELECT m.tenant_id, 'lead', m.user_id, 0, 1 FROM crm_members m JOIN crm_tenants n ON n.id = m.tenant_id
  WHERE m.inactive_since IS NOT NULL AND n.dropped_at IS NULL;
-- the id of the pool, and behind it those of its rules
CREATE TABLE crm_lead_begin AS SELECT id AS tenant_id,
    (SELECT next FROM crm_ids) + 64 * (row_number() OVER (ORDER BY id) - 1) AS base, created_at
  FROM crm_tenants WHERE dropped_at IS NULL;
UPDATE crm_ids SET next = next + 64 * (SELECT count(*) FROM crm_lead_begin);
INSERT INTO crm_pools (tenant_id, id, kind, name, description, public, is_default, priority, protection, cool_down, claim_condition, version, created_at, updated_at)
  SELECT tenant_id, base, 'lead', 'default', '', 1, 1, 0, 7 * 86400000000, 30 * 86400000000, '', 1, created_at, created_at FROM crm_lead_begin;
INSERT INTO crm_pool_rules (tenant_id, id, pool_id, name, condition, action, priority, enabled, built_in, version, created_at, updated_at)
  SELECT tenant_id, base + 1, base, 'no follow-up for 3 days', 'followup_days > 3', 'release', 20, 0, 1, 1, created_at, created_at FROM crm_lead_begin
  UNION ALL
  SELECT tenant_id, base + 2, base, 'no deal for 90 days', 'deal_days > 90', 'release', 10, 0, 1, 1, created_at, created_at FROM crm_lead_begin;
DROP TABLE crm_lead_begin;

CREATE VIEW crm_v_leads AS
  SELECT n.key AS tenant, l.id, l.name, l.type, l.company, l.title, l.source, l.product_interest, l.intent, l.stage AS status, l.level, l.industry, l.region,
    l.owner_id, l.owned_since, l.pool_id, p.name AS pool, l.pool_entered_at, l.last_owner, l.first_followup_at, l.last_followup_at, l.interactions,
    l.last_interaction_at, l.customer_id, l.contact_id, l.opportunity_id, l.deleted_at AS closed_at, l.created_at, l.updated_at
  FROM crm_leads l JOIN crm_tenants n ON n.id = l.tenant_id
    JOIN crm_pools p ON p.tenant_id = l.tenant_id AND p.id = l.pool_id
  WHERE n.dropped_at IS NULL;
