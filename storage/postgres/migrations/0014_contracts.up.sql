-- Contracts with their lines and instalments.
CREATE TABLE crm_contracts (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  number text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  customer_id bigint NOT NULL,
  opportunity_id bigint,
  quote_id bigint,
  contact_id bigint,
  status integer NOT NULL CHECK (status BETWEEN 1 AND 6),
  approved_by text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  price_mode text COLLATE "C" NOT NULL,
  rules text COLLATE "C" NOT NULL, -- JSON: how amounts are rounded
  header_discount_rate numeric(18, 4),
  header_discount_amount numeric(18, 4) NOT NULL,
  fees text COLLATE "C" NOT NULL, -- JSON, with what they come to
  subtotal numeric(18, 4) NOT NULL,
  discount_total numeric(18, 4) NOT NULL,
  fee_total numeric(18, 4) NOT NULL,
  net_total numeric(18, 4) NOT NULL,
  tax_total numeric(18, 4) NOT NULL,
  grand_total numeric(18, 4) NOT NULL,
  fx_rate text COLLATE "C" NOT NULL,
  base_amount numeric(18, 4) NOT NULL,
  sign_date text COLLATE "C" NOT NULL,
  start_date text COLLATE "C" NOT NULL,
  end_date text COLLATE "C" NOT NULL,
  file_url text COLLATE "C" NOT NULL,
  terms text COLLATE "C" NOT NULL,
  remark text COLLATE "C" NOT NULL,
  end_reason text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, quote_id) REFERENCES crm_quotes (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id),
  CHECK (status NOT IN (3, 4, 5) OR sign_date <> '')
);
CREATE UNIQUE INDEX crm_uq_contracts_number ON crm_contracts (tenant_id, number);
CREATE INDEX crm_ix_contracts_customer ON crm_contracts (tenant_id, customer_id, id);
CREATE INDEX crm_ix_contracts_owner ON crm_contracts (tenant_id, owner_id, id);
CREATE INDEX crm_ix_contracts_opportunity ON crm_contracts (tenant_id, opportunity_id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX crm_ix_contracts_quote ON crm_contracts (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX crm_ix_contracts_signed ON crm_contracts (tenant_id, sign_date);

CREATE TABLE crm_contract_lines (
  tenant_id bigint NOT NULL,
  contract_id bigint NOT NULL,
  sort integer NOT NULL,
  product_id bigint,
  name text COLLATE "C" NOT NULL,
  specification text COLLATE "C" NOT NULL,
  unit text COLLATE "C" NOT NULL,
  quantity numeric(18, 4) NOT NULL,
  unit_price numeric(18, 4) NOT NULL,
  discount numeric(18, 4) NOT NULL,
  tax_rate numeric(18, 4) NOT NULL,
  tax_kind text COLLATE "C" NOT NULL,
  list_amount numeric(18, 4) NOT NULL,
  discount_amount numeric(18, 4) NOT NULL,
  amount numeric(18, 4) NOT NULL,
  header_discount numeric(18, 4) NOT NULL,
  net numeric(18, 4) NOT NULL,
  tax numeric(18, 4) NOT NULL,
  PRIMARY KEY (tenant_id, contract_id, sort),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
);
CREATE INDEX crm_ix_contract_lines_product ON crm_contract_lines (tenant_id, product_id) WHERE product_id IS NOT NULL;

CREATE TABLE crm_plans (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  contract_id bigint NOT NULL,
  date text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL CHECK (amount > 0),
  note text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id)
);
CREATE INDEX crm_ix_plans_contract ON crm_plans (tenant_id, contract_id, date, id);
