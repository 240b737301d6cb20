-- Tasks, and members who left. An older library would leave the tasks of released customers open, so it must not run.

CREATE TABLE crm_tasks (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  subject text COLLATE "C" NOT NULL,
  note text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  customer_id bigint,
  due_at timestamptz NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
  reason text COLLATE "C" NOT NULL, -- why it was cancelled
  closed_at timestamptz,
  closed_by text COLLATE "C",
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  CHECK ((state = 'open') = (closed_at IS NULL))
);
-- due per member
CREATE INDEX crm_ix_tasks_owner ON crm_tasks (tenant_id, owner_id, state, due_at, id);
CREATE INDEX crm_ix_tasks_customer ON crm_tasks (tenant_id, customer_id, due_at, id) WHERE customer_id IS NOT NULL;
-- what a release cancels
CREATE INDEX crm_ix_tasks_open ON crm_tasks (tenant_id, customer_id) WHERE state = 'open' AND customer_id IS NOT NULL;
CREATE INDEX crm_ix_tasks_due ON crm_tasks (tenant_id, due_at, id);

-- The row that every gift to a member locks says whether it may get anything at all.
ALTER TABLE crm_counters ADD COLUMN closed boolean NOT NULL DEFAULT false;
INSERT INTO crm_counters (tenant_id, kind, user_id, places, closed)
  SELECT tenant_id, 'customer', user_id, 0, true FROM crm_members WHERE inactive_since IS NOT NULL
  ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET closed = true;
