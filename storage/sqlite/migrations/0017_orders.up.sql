-- Orders of the host, as its reports tell of them: the number of the last report, lines, refunds, and the history of reports.
-- What Customers.RecordDeal wrote has no report, so that the first one is later than it.
ALTER TABLE crm_orders ADD COLUMN sequence INTEGER NOT NULL DEFAULT -1;
ALTER TABLE crm_orders ADD COLUMN updated_at INTEGER;
ALTER TABLE crm_orders ADD COLUMN updated_by TEXT NOT NULL DEFAULT '';
CREATE INDEX crm_ix_orders_at ON crm_orders (tenant_id, ordered_at, id);
CREATE INDEX crm_ix_orders_status ON crm_orders (tenant_id, status, ordered_at, id);

CREATE TABLE crm_order_lines (
  tenant_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  unit_price INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, order_id, sort),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE crm_order_refunds (
  tenant_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  customer_id INTEGER NOT NULL, -- the order's
  at INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  PRIMARY KEY (tenant_id, order_id, sort),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_order_refunds_customer ON crm_order_refunds (tenant_id, customer_id, at);

CREATE TABLE crm_order_reports (
  tenant_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  ordered_at INTEGER NOT NULL,
  hash TEXT NOT NULL, -- of all that was reported
  stale INTEGER NOT NULL, -- 1: a later report was there before it
  reported_at INTEGER NOT NULL,
  reported_by TEXT NOT NULL,
  PRIMARY KEY (tenant_id, order_id, sequence),
  FOREIGN KEY (tenant_id, order_id) REFERENCES crm_orders (tenant_id, id)
) STRICT, WITHOUT ROWID;
