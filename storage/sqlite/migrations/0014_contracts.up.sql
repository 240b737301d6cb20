-- Contracts with their lines and instalments.
CREATE TABLE crm_contracts (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  number TEXT NOT NULL,
  name TEXT NOT NULL,
  customer_id INTEGER NOT NULL,
  opportunity_id INTEGER,
  quote_id INTEGER,
  contact_id INTEGER,
  status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 6),
  approved_by TEXT NOT NULL,
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
  sign_date TEXT NOT NULL,
  start_date TEXT NOT NULL,
  end_date TEXT NOT NULL,
  file_url TEXT NOT NULL,
  terms TEXT NOT NULL,
  remark TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, quote_id) REFERENCES crm_quotes (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id),
  CHECK (status NOT IN (3, 4, 5) OR sign_date <> '')
) STRICT;
CREATE UNIQUE INDEX crm_uq_contracts_number ON crm_contracts (tenant_id, number);
CREATE INDEX crm_ix_contracts_customer ON crm_contracts (tenant_id, customer_id, id);
CREATE INDEX crm_ix_contracts_owner ON crm_contracts (tenant_id, owner_id, id);
CREATE INDEX crm_ix_contracts_opportunity ON crm_contracts (tenant_id, opportunity_id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX crm_ix_contracts_quote ON crm_contracts (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX crm_ix_contracts_signed ON crm_contracts (tenant_id, sign_date);

CREATE TABLE crm_contract_lines (
  tenant_id INTEGER NOT NULL,
  contract_id INTEGER NOT NULL,
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
  PRIMARY KEY (tenant_id, contract_id, sort),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_contract_lines_product ON crm_contract_lines (tenant_id, product_id) WHERE product_id IS NOT NULL;

CREATE TABLE crm_plans (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  contract_id INTEGER NOT NULL,
  date TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  note TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id)
) STRICT;
CREATE INDEX crm_ix_plans_contract ON crm_plans (tenant_id, contract_id, date, id);
