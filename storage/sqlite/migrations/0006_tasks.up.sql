-- Tasks, and members who left. An older library would leave the tasks of released customers open, so it must not run.

CREATE TABLE crm_tasks (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  subject TEXT NOT NULL,
  note TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  customer_id INTEGER,
  due_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
  reason TEXT NOT NULL, -- why it was cancelled
  closed_at INTEGER,
  closed_by TEXT,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  CHECK ((state = 'open') = (closed_at IS NULL))
) STRICT;
-- due per member
CREATE INDEX crm_ix_tasks_owner ON crm_tasks (tenant_id, owner_id, state, due_at, id);
CREATE INDEX crm_ix_tasks_customer ON crm_tasks (tenant_id, customer_id, due_at, id) WHERE customer_id IS NOT NULL;
-- what a release cancels
CREATE INDEX crm_ix_tasks_open ON crm_tasks (tenant_id, customer_id) WHERE state = 'open' AND customer_id IS NOT NULL;
CREATE INDEX crm_ix_tasks_due ON crm_tasks (tenant_id, due_at, id);

-- The row that every gift to a member locks says whether it may get anything at all.
ALTER TABLE crm_counters ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
INSERT INTO crm_counters (tenant_id, kind, user_id, places, closed)
  SELECT tenant_id, 'customer', user_id, 0, 1 FROM crm_members WHERE inactive_since IS NOT NULL
  ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET closed = 1;
