-- Quotes with their lines, and the counts of documents' numbers.
CREATE TABLE crm_numbers (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  period TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, kind, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE crm_quotes (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  number TEXT NOT NULL,
  root_id INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  opportunity_id INTEGER,
  contact_id INTEGER,
  title TEXT NOT NULL,
  status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 7),
  approval INTEGER NOT NULL CHECK (approval BETWEEN 0 AND 3),
  approved_by TEXT NOT NULL,
  date TEXT NOT NULL,
  valid_until TEXT NOT NULL,
  currency TEXT NOT NULL,
  price_mode TEXT NOT NULL,
  rules TEXT NOT NULL, -- JSON: how amounts are rounded
  header_discount_rate INTEGER,
  header_discount_amount INTEGER NOT NULL,
  fees TEXT NOT NULL, -- JSON, with what they come to
  subtotal INTEGER NOT NULL,
  discount_total INTEGER NOT NULL,
  fee_total INTEGER NOT NULL,
  net_total INTEGER NOT NULL,
  tax_total INTEGER NOT NULL,
  grand_total INTEGER NOT NULL,
  fx_rate TEXT NOT NULL,
  base_amount INTEGER NOT NULL,
  terms TEXT NOT NULL,
  remark TEXT NOT NULL,
  reject_reason TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  sent_at INTEGER,
  accepted_at INTEGER,
  accepted_by TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_quotes_number ON crm_quotes (tenant_id, number);
CREATE UNIQUE INDEX crm_uq_quotes_revision ON crm_quotes (tenant_id, root_id, revision);
CREATE INDEX crm_ix_quotes_customer ON crm_quotes (tenant_id, customer_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_quotes_opportunity ON crm_quotes (tenant_id, opportunity_id, id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX crm_ix_quotes_owner ON crm_quotes (tenant_id, owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_quotes_over ON crm_quotes (tenant_id, valid_until) WHERE status = 2 AND valid_until <> '';

CREATE TABLE crm_quote_lines (
  tenant_id INTEGER NOT NULL,
  quote_id INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  product_id INTEGER,
  name TEXT NOT NULL,
  specification TEXT NOT NULL,
  unit TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  unit_price INTEGER NOT NULL,
  discount INTEGER NOT NULL,
  tax_rate INTEGER NOT NULL,
  tax_kind TEXT NOT NULL,
  list_amount INTEGER NOT NULL,
  discount_amount INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  header_discount INTEGER NOT NULL,
  net INTEGER NOT NULL,
  tax INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, quote_id, sort),
  FOREIGN KEY (tenant_id, quote_id) REFERENCES crm_quotes (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_quote_lines_product ON crm_quote_lines (tenant_id, product_id) WHERE product_id IS NOT NULL;
