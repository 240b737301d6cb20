-- Which member opened which record of a pool on which day of the tenant, and how many it has opened that day.

CREATE TABLE crm_opens (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  kind text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  day text COLLATE "C" NOT NULL,
  record_id bigint NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, kind, user_id, day, record_id)
);
-- what is old enough to go; who opened much on a day
CREATE INDEX crm_ix_opens_day ON crm_opens (tenant_id, kind, day, user_id);

ALTER TABLE crm_counters ADD COLUMN opens_day text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE crm_counters ADD COLUMN opens_used integer NOT NULL DEFAULT 0;
ALTER TABLE crm_counters ADD COLUMN own_open_limit integer;
