-- Transfers above the cap; the reasons that a tenant lets its members choose from.

ALTER TABLE crm_operations ADD COLUMN over_cap INTEGER NOT NULL DEFAULT 0;

CREATE TABLE crm_reasons (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  sort INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (tenant_id, kind, sort)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX crm_uq_reasons_reason ON crm_reasons (tenant_id, kind, reason);
