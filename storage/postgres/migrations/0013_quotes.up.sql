-- Quotes with their lines, and the counts of documents' numbers.
CREATE TABLE crm_numbers (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  kind text COLLATE "C" NOT NULL,
  period text COLLATE "C" NOT NULL,
  n bigint NOT NULL,
  PRIMARY KEY (tenant_id, kind, period)
);

CREATE TABLE crm_quotes (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  number text COLLATE "C" NOT NULL,
  root_id bigint NOT NULL,
  revision integer NOT NULL,
  customer_id bigint NOT NULL,
  opportunity_id bigint,
  contact_id bigint,
  title text COLLATE "C" NOT NULL,
  status integer NOT NULL CHECK (status BETWEEN 1 AND 7),
  approval integer NOT NULL CHECK (approval BETWEEN 0 AND 3),
  approved_by text COLLATE "C" NOT NULL,
  date text COLLATE "C" NOT NULL,
  valid_until text COLLATE "C" NOT NULL,
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
  terms text COLLATE "C" NOT NULL,
  remark text COLLATE "C" NOT NULL,
  reject_reason text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  sent_at timestamptz,
  accepted_at timestamptz,
  accepted_by text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, opportunity_id) REFERENCES crm_opportunities (tenant_id, id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_quotes_number ON crm_quotes (tenant_id, number);
CREATE UNIQUE INDEX crm_uq_quotes_revision ON crm_quotes (tenant_id, root_id, revision);
CREATE INDEX crm_ix_quotes_customer ON crm_quotes (tenant_id, customer_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_quotes_opportunity ON crm_quotes (tenant_id, opportunity_id, id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX crm_ix_quotes_owner ON crm_quotes (tenant_id, owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_ix_quotes_over ON crm_quotes (tenant_id, valid_until) WHERE status = 2 AND valid_until <> '';

CREATE TABLE crm_quote_lines (
  tenant_id bigint NOT NULL,
  quote_id bigint NOT NULL,
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
  PRIMARY KEY (tenant_id, quote_id, sort),
  FOREIGN KEY (tenant_id, quote_id) REFERENCES crm_quotes (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
);
CREATE INDEX crm_ix_quote_lines_product ON crm_quote_lines (tenant_id, product_id) WHERE product_id IS NOT NULL;
