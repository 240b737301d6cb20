-- Locks of owned customers; transfers above the cap; the reasons that a tenant lets its members choose from.

ALTER TABLE crm_operations ADD COLUMN over_cap INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_operations ADD COLUMN unlocked INTEGER NOT NULL DEFAULT 0;

CREATE TABLE crm_reasons (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  sort INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (tenant_id, kind, sort)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX crm_uq_reasons_reason ON crm_reasons (tenant_id, kind, reason);

ALTER TABLE crm_policies ADD COLUMN lock_limit INTEGER NOT NULL DEFAULT 20 CHECK (lock_limit >= 0);
ALTER TABLE crm_policies ADD COLUMN lock_days INTEGER NOT NULL DEFAULT 180 CHECK (lock_days >= 0);

ALTER TABLE crm_customers ADD COLUMN lock_until INTEGER CHECK (lock_until IS NULL OR owner_id IS NOT NULL);
ALTER TABLE crm_customers ADD COLUMN lock_reason TEXT NOT NULL DEFAULT '';
-- what a member has locked
CREATE INDEX crm_ix_customers_locked ON crm_customers (tenant_id, owner_id, lock_until) WHERE deleted_at IS NULL AND lock_until IS NOT NULL;
