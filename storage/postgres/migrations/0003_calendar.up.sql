-- Business calendars; pools count days by them. An older library would count elapsed days everywhere, so it must not run.
CREATE TABLE crm_calendars (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  spec text COLLATE "C" NOT NULL, -- JSON: zone, week, holidays, extra days
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_calendars_name ON crm_calendars (tenant_id, name);

ALTER TABLE crm_pools
  ADD COLUMN counting text COLLATE "C" NOT NULL DEFAULT 'elapsed' CHECK (counting IN ('elapsed', 'calendar', 'working')),
  ADD COLUMN calendar_id bigint,
  ADD FOREIGN KEY (tenant_id, calendar_id) REFERENCES crm_calendars (tenant_id, id),
  ADD CHECK (counting <> 'working' OR calendar_id IS NOT NULL);
