-- Locks of owned customers; transfers above the cap; the reasons that a tenant lets its members choose from.

ALTER TABLE crm_operations ADD COLUMN over_cap boolean NOT NULL DEFAULT false;
ALTER TABLE crm_operations ADD COLUMN unlocked boolean NOT NULL DEFAULT false;

CREATE TABLE crm_reasons (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  kind text COLLATE "C" NOT NULL,
  sort integer NOT NULL,
  reason text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, kind, sort)
);
CREATE UNIQUE INDEX crm_uq_reasons_reason ON crm_reasons (tenant_id, kind, reason);

ALTER TABLE crm_policies ADD COLUMN lock_limit integer NOT NULL DEFAULT 20 CHECK (lock_limit >= 0);
ALTER TABLE crm_policies ADD COLUMN lock_days integer NOT NULL DEFAULT 180 CHECK (lock_days >= 0);

ALTER TABLE crm_customers ADD COLUMN lock_until timestamptz CHECK (lock_until IS NULL OR owner_id IS NOT NULL);
ALTER TABLE crm_customers ADD COLUMN lock_reason text COLLATE "C" NOT NULL DEFAULT '';
-- what a member has locked
CREATE INDEX crm_ix_customers_locked ON crm_customers (tenant_id, owner_id, lock_until) WHERE deleted_at IS NULL AND lock_until IS NOT NULL;
