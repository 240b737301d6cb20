-- What is sold: products in a tree of categories, and prices for some time.
CREATE TABLE crm_product_categories (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  parent_id bigint,
  sort integer NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES crm_product_categories (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_product_categories_name ON crm_product_categories (tenant_id, coalesce(parent_id, 0), name);
CREATE INDEX crm_ix_product_categories_parent ON crm_product_categories (tenant_id, parent_id);

CREATE TABLE crm_products (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  code text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  category_id bigint,
  specification text COLLATE "C" NOT NULL,
  unit text COLLATE "C" NOT NULL,
  price numeric(18, 4) NOT NULL CHECK (price >= 0),
  cost numeric(18, 4) CHECK (cost >= 0),
  tax_rate numeric(18, 4) CHECK (tax_rate >= 0),
  inactive boolean NOT NULL,
  description text COLLATE "C" NOT NULL,
  external_system text COLLATE "C",
  external_id text COLLATE "C",
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, category_id) REFERENCES crm_product_categories (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_products_code ON crm_products (tenant_id, code) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX crm_uq_products_external ON crm_products (tenant_id, external_system, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX crm_ix_products_category ON crm_products (tenant_id, category_id, id);
CREATE INDEX crm_ix_products_name ON crm_products (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE crm_price_lists (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  valid_from text COLLATE "C" NOT NULL,
  valid_to text COLLATE "C" NOT NULL,
  inactive boolean NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX crm_uq_price_lists_name ON crm_price_lists (tenant_id, name);

CREATE TABLE crm_prices (
  tenant_id bigint NOT NULL,
  list_id bigint NOT NULL,
  product_id bigint NOT NULL,
  from_quantity numeric(18, 4) NOT NULL CHECK (from_quantity >= 0),
  price numeric(18, 4) NOT NULL CHECK (price >= 0),
  PRIMARY KEY (tenant_id, list_id, product_id, from_quantity),
  FOREIGN KEY (tenant_id, list_id) REFERENCES crm_price_lists (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
);
CREATE INDEX crm_ix_prices_product ON crm_prices (tenant_id, product_id);
