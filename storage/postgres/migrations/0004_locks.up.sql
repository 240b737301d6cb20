-- Transfers above the cap; the reasons that a tenant lets its members choose from.

ALTER TABLE crm_operations ADD COLUMN over_cap boolean NOT NULL DEFAULT false;

CREATE TABLE crm_reasons (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  kind text COLLATE "C" NOT NULL,
  sort integer NOT NULL,
  reason text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, kind, sort)
);
CREATE UNIQUE INDEX crm_uq_reasons_reason ON crm_reasons (tenant_id, kind, reason);
