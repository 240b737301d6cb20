-- Orders of the host, as its reports tell of them: the number of the last report, lines, refunds, and the history of reports.
-- What Customers.RecordDeal wrote has no report, so that the first one is later than it.
ALTER TABLE crm_orders ADD COLUMN sequence bigint NOT NULL DEFAULT -1;
ALTER TABLE crm_orders ADD COLUMN updated_at timestamptz;
ALTER TABLE crm_orders ADD COLUMN updated_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX crm_ix_orders_at ON crm_orders (tenant_id, ordered_at, id);
CREATE INDEX crm_ix_orders_status ON crm_orders (tenant_id, status, ordered_at, id);

CREATE TABLE crm_order_lines (
  tenant_id bigint NOT NULL,
  order_id bigint NOT NULL,
  sort integer NOT NULL,
  code text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  quantity numeric(18, 4) NOT NULL,
  unit_price numeric(18, 4) NOT NULL,
  amount numeric(18, 4) NOT NULL,
  PRIMARY KEY (tenant_id, order_id, sort),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
);

CREATE TABLE crm_order_refunds (
  tenant_id bigint NOT NULL,
  order_id bigint NOT NULL,
  sort integer NOT NULL,
  customer_id bigint NOT NULL, -- the order's
  at timestamptz NOT NULL,
  amount numeric(18, 4) NOT NULL CHECK (amount > 0),
  PRIMARY KEY (tenant_id, order_id, sort),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
);
CREATE INDEX crm_ix_order_refunds_customer ON crm_order_refunds (tenant_id, customer_id, at);

CREATE TABLE crm_order_reports (
  tenant_id bigint NOT NULL,
  order_id bigint NOT NULL,
  sequence bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL,
  ordered_at timestamptz NOT NULL,
  hash text COLLATE "C" NOT NULL, -- of all that was reported
  stale boolean NOT NULL, -- a later report was there before it
  reported_at timestamptz NOT NULL,
  reported_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, order_id, sequence),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
);
