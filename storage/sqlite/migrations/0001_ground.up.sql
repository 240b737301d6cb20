-- Tenants, team, customers, the public pool, audit and outbox.
-- Times are microseconds since 1970 in UTC, amounts ten-thousandths, truth 0 and 1. Ids come from crm_ids in blocks.

CREATE TABLE crm_ids (next INTEGER NOT NULL) STRICT;
INSERT INTO crm_ids VALUES (1);

CREATE TABLE crm_tenants (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  zone TEXT NOT NULL,
  currency TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  dropped_at INTEGER
) STRICT;
CREATE UNIQUE INDEX crm_uq_tenants_key ON crm_tenants (key);

CREATE TABLE crm_departments (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  key TEXT,
  name TEXT NOT NULL,
  parent_id INTEGER,
  head TEXT,
  sort INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES crm_departments (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_departments_key ON crm_departments (tenant_id, key) WHERE key IS NOT NULL;
CREATE INDEX crm_ix_departments_parent ON crm_departments (tenant_id, parent_id);
CREATE INDEX crm_ix_departments_head ON crm_departments (tenant_id, head) WHERE head IS NOT NULL;

-- Who is below whom, derived from the parents: every department is below itself, at depth 0.
CREATE TABLE crm_department_tree (
  tenant_id INTEGER NOT NULL,
  department_id INTEGER NOT NULL,
  ancestor_id INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, department_id, ancestor_id),
  FOREIGN KEY (tenant_id, department_id) REFERENCES crm_departments (tenant_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_department_tree_below ON crm_department_tree (tenant_id, ancestor_id, department_id);

CREATE TABLE crm_members (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  more_roles TEXT NOT NULL,
  department_id INTEGER,
  superior TEXT,
  phone_ext TEXT NOT NULL,
  regions TEXT NOT NULL,
  joined_on TEXT NOT NULL,
  inactive_since INTEGER,
  last_seen_at INTEGER,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, department_id) REFERENCES crm_departments (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_members_user ON crm_members (tenant_id, user_id);
CREATE INDEX crm_ix_members_department ON crm_members (tenant_id, department_id);
CREATE INDEX crm_ix_members_superior ON crm_members (tenant_id, superior) WHERE superior IS NOT NULL;

CREATE TABLE crm_roles (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  reach TEXT NOT NULL,
  permissions TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_roles_name ON crm_roles (tenant_id, name);

CREATE TABLE crm_pools (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  public INTEGER NOT NULL,
  is_default INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  protection INTEGER NOT NULL CHECK (protection >= 0), -- microseconds
  cool_down INTEGER NOT NULL CHECK (cool_down >= 0),   -- microseconds
  claim_condition TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_pools_name ON crm_pools (tenant_id, kind, name);
CREATE UNIQUE INDEX crm_uq_pools_default ON crm_pools (tenant_id, kind) WHERE is_default;

CREATE TABLE crm_pool_members (
  tenant_id INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  user_id TEXT NOT NULL,  -- empty in a line for a department
  department_id INTEGER NOT NULL,      -- 0 in a line for a user
  admin INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, pool_id, user_id, department_id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES crm_pools (tenant_id, id) ON DELETE CASCADE,
  CHECK ((user_id = '') <> (department_id = 0))
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_pool_members_user ON crm_pool_members (tenant_id, user_id) WHERE user_id <> '';
CREATE INDEX crm_ix_pool_members_department ON crm_pool_members (tenant_id, department_id) WHERE department_id <> 0;

CREATE TABLE crm_pool_rules (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  condition TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('release', 'warn', 'keep')),
  priority INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  built_in INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES crm_pools (tenant_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX crm_uq_pool_rules_name ON crm_pool_rules (tenant_id, pool_id, name);

CREATE TABLE crm_policies (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  cap INTEGER NOT NULL CHECK (cap >= 0),
  daily_quota INTEGER NOT NULL CHECK (daily_quota >= 0),
  open_limit INTEGER NOT NULL CHECK (open_limit >= 0),
  PRIMARY KEY (tenant_id, kind)
) STRICT, WITHOUT ROWID;

-- One row per member and kind, made on first use: what a claim locks. A cap can be lowered below the places in use, so
-- no CHECK holds the two together; the claim's own condition does.
CREATE TABLE crm_counters (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  user_id TEXT NOT NULL,
  places INTEGER NOT NULL CHECK (places >= 0),
  claims_day TEXT NOT NULL DEFAULT '',
  claims_used INTEGER NOT NULL DEFAULT 0,
  own_cap INTEGER,
  own_daily_quota INTEGER,
  PRIMARY KEY (tenant_id, kind, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE crm_customers (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  level TEXT,
  standing TEXT NOT NULL,
  blacklist_reason TEXT NOT NULL,
  stage TEXT NOT NULL,
  lost_reason TEXT NOT NULL,
  industry TEXT,
  size TEXT NOT NULL,
  annual_revenue INTEGER,
  annual_potential INTEGER,
  credit_rating TEXT NOT NULL,
  source TEXT,
  referred_by INTEGER NOT NULL,
  region TEXT,
  province TEXT NOT NULL,
  city TEXT NOT NULL,
  district TEXT NOT NULL,
  acquired_on TEXT NOT NULL,
  service_agent TEXT,
  source_lead INTEGER NOT NULL,
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
  version INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, pool_id) REFERENCES crm_pools (tenant_id, id),
  CHECK ((owner_id IS NULL) = (owned_since IS NULL)),
  CHECK ((external_system IS NULL) = (external_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX crm_uq_customers_code ON crm_customers (tenant_id, code) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX crm_uq_customers_external ON crm_customers (tenant_id, external_system, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX crm_ix_customers_external_deleted ON crm_customers (tenant_id, external_system, external_id) WHERE deleted_at IS NOT NULL AND external_id IS NOT NULL;
-- own list; all customers of a member
CREATE INDEX crm_ix_customers_owner ON crm_customers (tenant_id, owner_id, id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
-- pool list
CREATE INDEX crm_ix_customers_pool ON crm_customers (tenant_id, pool_id, id) WHERE deleted_at IS NULL AND owner_id IS NULL;
-- "no follow-up" and "no deal": a day comparison is one cut-off instant on these
CREATE INDEX crm_ix_customers_idle ON crm_customers (tenant_id, (coalesce(last_followup_at, owned_since))) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX crm_ix_customers_undealt ON crm_customers (tenant_id, first_followup_at) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
-- the seeds' lists: name, source, level, acquisition date, region, stage and level
CREATE INDEX crm_ix_customers_name ON crm_customers (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_customers_source ON crm_customers (tenant_id, source, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_customers_stage_level ON crm_customers (tenant_id, stage, level, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_customers_acquired ON crm_customers (tenant_id, acquired_on) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_customers_region ON crm_customers (tenant_id, region, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_customers_lead ON crm_customers (tenant_id, source_lead) WHERE source_lead <> 0;

CREATE TABLE crm_customer_facts (
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  interactions INTEGER NOT NULL DEFAULT 0 CHECK (interactions >= 0),
  last_interaction_at INTEGER,
  orders INTEGER NOT NULL DEFAULT 0 CHECK (orders >= 0),
  first_order_at INTEGER,
  last_order_at INTEGER,
  open_opportunities INTEGER NOT NULL DEFAULT 0 CHECK (open_opportunities >= 0),
  active_contracts INTEGER NOT NULL DEFAULT 0 CHECK (active_contracts >= 0),
  open_cases INTEGER NOT NULL DEFAULT 0 CHECK (open_cases >= 0),
  complaints INTEGER NOT NULL DEFAULT 0 CHECK (complaints >= 0),
  PRIMARY KEY (tenant_id, customer_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE crm_contacts (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  full_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  first_name TEXT NOT NULL,
  title TEXT NOT NULL,
  phone TEXT NOT NULL,
  phone_key TEXT, -- what is unique and looked up; later a keyed hash of it
  email TEXT NOT NULL,
  email_key TEXT,
  wechat TEXT NOT NULL,
  is_primary INTEGER NOT NULL,
  decision_maker INTEGER NOT NULL,
  inactive INTEGER NOT NULL,
  birthday TEXT NOT NULL,
  preferred TEXT NOT NULL,
  preferences TEXT,
  remarks TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_contacts_phone ON crm_contacts (tenant_id, customer_id, phone_key) WHERE deleted_at IS NULL AND phone_key IS NOT NULL;
CREATE UNIQUE INDEX crm_uq_contacts_primary ON crm_contacts (tenant_id, customer_id) WHERE deleted_at IS NULL AND is_primary;
CREATE INDEX crm_ix_contacts_customer ON crm_contacts (tenant_id, customer_id, id);
CREATE INDEX crm_ix_contacts_phone ON crm_contacts (tenant_id, phone_key, id) WHERE deleted_at IS NULL AND phone_key IS NOT NULL;
CREATE INDEX crm_ix_contacts_email ON crm_contacts (tenant_id, email_key, id) WHERE deleted_at IS NULL AND email_key IS NOT NULL;

CREATE TABLE crm_addresses (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  region TEXT NOT NULL,
  province TEXT NOT NULL,
  city TEXT NOT NULL,
  district TEXT NOT NULL,
  street TEXT NOT NULL,
  postal_code TEXT NOT NULL,
  is_default INTEGER NOT NULL,
  contact_name TEXT NOT NULL,
  contact_phone TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_addresses_default ON crm_addresses (tenant_id, customer_id, type) WHERE deleted_at IS NULL AND is_default;
CREATE INDEX crm_ix_addresses_customer ON crm_addresses (tenant_id, customer_id, type, id);

CREATE TABLE crm_tags (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  colour TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_tags_name ON crm_tags (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE crm_customer_tags (
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  tag_id INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, tag_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, tag_id) REFERENCES crm_tags (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_customer_tags_tag ON crm_customer_tags (tenant_id, tag_id, customer_id);

CREATE TABLE crm_interactions (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  contact_id INTEGER NOT NULL,
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
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  CHECK (NOT (followup AND automatic))
) STRICT;
CREATE INDEX crm_ix_interactions_customer ON crm_interactions (tenant_id, customer_id, at, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_interactions_followup ON crm_interactions (tenant_id, customer_id, at) WHERE deleted_at IS NULL AND followup;
CREATE INDEX crm_ix_interactions_pending ON crm_interactions (tenant_id, staff, next_action_at, id) WHERE deleted_at IS NULL AND next_action_at IS NOT NULL AND next_done_at IS NULL;
CREATE INDEX crm_ix_interactions_at ON crm_interactions (tenant_id, at);
CREATE INDEX crm_ix_interactions_type ON crm_interactions (tenant_id, type, at);
CREATE INDEX crm_ix_interactions_staff ON crm_interactions (tenant_id, staff, at);
CREATE INDEX crm_ix_interactions_contact ON crm_interactions (tenant_id, contact_id, at) WHERE contact_id <> 0;

CREATE TABLE crm_orders (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  system TEXT NOT NULL,
  number TEXT NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  ordered_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_orders_number ON crm_orders (tenant_id, system, number);
CREATE INDEX crm_ix_orders_customer ON crm_orders (tenant_id, customer_id, ordered_at, id);

CREATE TABLE crm_operations (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  from_owner TEXT,
  to_owner TEXT,
  pool_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  note TEXT NOT NULL,
  rule_id INTEGER NOT NULL,
  rule TEXT NOT NULL,
  request TEXT,
  at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE INDEX crm_ix_operations_record ON crm_operations (tenant_id, kind, record_id, id);
CREATE INDEX crm_ix_operations_actor ON crm_operations (tenant_id, kind, actor, id);

CREATE TABLE crm_audit (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  subject_kind TEXT NOT NULL,
  subject_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  request TEXT,
  at INTEGER NOT NULL,
  before TEXT,
  after TEXT,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE INDEX crm_ix_audit_subject ON crm_audit (tenant_id, subject_kind, subject_id, id);
CREATE INDEX crm_ix_audit_actor ON crm_audit (tenant_id, actor, id);

CREATE TABLE crm_outbox (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  subject_kind TEXT NOT NULL,
  subject_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  request TEXT,
  at INTEGER NOT NULL,
  data TEXT,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_outbox_seq ON crm_outbox (tenant_id, subject_kind, subject_id, seq);

-- The order of events of subjects that have no row with a seq of their own.
CREATE TABLE crm_subjects (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, kind, record_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE crm_requests (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  request TEXT NOT NULL,
  op TEXT NOT NULL,
  hash BLOB NOT NULL,
  outcome BLOB,
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, request, op)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_requests_at ON crm_requests (tenant_id, at);

-- The audit trail and the operation log are never changed; they go only with their tenant.
CREATE TRIGGER crm_tr_audit_update BEFORE UPDATE ON crm_audit BEGIN
  SELECT RAISE(ABORT, 'rows of the audit trail are never changed');
END;
CREATE TRIGGER crm_tr_audit_delete BEFORE DELETE ON crm_audit
WHEN NOT EXISTS (SELECT 1 FROM crm_tenants WHERE id = OLD.tenant_id AND dropped_at IS NOT NULL) BEGIN
  SELECT RAISE(ABORT, 'rows of the audit trail are never changed');
END;
CREATE TRIGGER crm_tr_operations_update BEFORE UPDATE ON crm_operations BEGIN
  SELECT RAISE(ABORT, 'rows of the operation log are never changed');
END;
CREATE TRIGGER crm_tr_operations_delete BEFORE DELETE ON crm_operations
WHEN NOT EXISTS (SELECT 1 FROM crm_tenants WHERE id = OLD.tenant_id AND dropped_at IS NOT NULL) BEGIN
  SELECT RAISE(ABORT, 'rows of the operation log are never changed');
END;

-- Read-only views for hosts' reports: tenants by their key, deleted rows left out, stable from version to version.
CREATE VIEW crm_v_customers AS
  SELECT n.key AS tenant, c.id, c.code, c.name, c.type, c.level, c.standing, c.stage, c.industry, c.size, c.annual_revenue, c.annual_potential,
    c.credit_rating, c.source, c.region, c.province, c.city, c.district, c.acquired_on, c.service_agent, c.brand, c.external_system, c.external_id,
    c.owner_id, c.owned_since, c.pool_id, p.name AS pool, c.pool_entered_at, c.last_owner, c.first_followup_at, c.last_followup_at,
    f.interactions, f.last_interaction_at, f.orders, f.first_order_at, f.last_order_at, c.created_at, c.updated_at
  FROM crm_customers c JOIN crm_tenants n ON n.id = c.tenant_id
    JOIN crm_pools p ON p.tenant_id = c.tenant_id AND p.id = c.pool_id
    JOIN crm_customer_facts f ON f.tenant_id = c.tenant_id AND f.customer_id = c.id
  WHERE c.deleted_at IS NULL AND n.dropped_at IS NULL;
CREATE VIEW crm_v_interactions AS
  SELECT n.key AS tenant, i.id, i.customer_id, i.contact_id, i.type, i.direction, i.subject, i.at, i.minutes, i.outcome, i.next_action,
    i.next_action_at, i.next_done_at, i.staff, i.followup
  FROM crm_interactions i JOIN crm_tenants n ON n.id = i.tenant_id
  WHERE i.deleted_at IS NULL AND n.dropped_at IS NULL;
CREATE VIEW crm_v_operations AS
  SELECT n.key AS tenant, o.id, o.kind, o.record_id, o.action, o.actor, o.from_owner, o.to_owner, o.pool_id, o.reason, o.rule, o.at
  FROM crm_operations o JOIN crm_tenants n ON n.id = o.tenant_id WHERE n.dropped_at IS NULL;
CREATE VIEW crm_v_orders AS
  SELECT n.key AS tenant, o.id, o.customer_id, o.system, o.number, o.status, o.amount, o.ordered_at
  FROM crm_orders o JOIN crm_tenants n ON n.id = o.tenant_id WHERE n.dropped_at IS NULL;
CREATE VIEW crm_v_members AS
  SELECT n.key AS tenant, m.id, m.user_id, m.name, m.role, m.department_id, d.name AS department, m.superior, m.joined_on, m.inactive_since, m.last_seen_at
  FROM crm_members m JOIN crm_tenants n ON n.id = m.tenant_id
    LEFT JOIN crm_departments d ON d.tenant_id = m.tenant_id AND d.id = m.department_id
  WHERE n.dropped_at IS NULL;
