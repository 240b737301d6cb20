-- What is sold: products in a tree of categories, and prices for some time.
CREATE TABLE crm_product_categories (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  parent_id INTEGER,
  sort INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES crm_product_categories (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_product_categories_name ON crm_product_categories (tenant_id, coalesce(parent_id, 0), name);
CREATE INDEX crm_ix_product_categories_parent ON crm_product_categories (tenant_id, parent_id);

CREATE TABLE crm_products (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  category_id INTEGER,
  specification TEXT NOT NULL,
  unit TEXT NOT NULL,
  price INTEGER NOT NULL CHECK (price >= 0),
  cost INTEGER CHECK (cost >= 0),
  tax_rate INTEGER CHECK (tax_rate >= 0),
  inactive INTEGER NOT NULL,
  description TEXT NOT NULL,
  external_system TEXT,
  external_id TEXT,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, category_id) REFERENCES crm_product_categories (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_products_code ON crm_products (tenant_id, code) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX crm_uq_products_external ON crm_products (tenant_id, external_system, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX crm_ix_products_category ON crm_products (tenant_id, category_id, id);
CREATE INDEX crm_ix_products_name ON crm_products (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE crm_price_lists (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  name TEXT NOT NULL,
  currency TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  inactive INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_price_lists_name ON crm_price_lists (tenant_id, name);

CREATE TABLE crm_prices (
  tenant_id INTEGER NOT NULL,
  list_id INTEGER NOT NULL,
  product_id INTEGER NOT NULL,
  from_quantity INTEGER NOT NULL CHECK (from_quantity >= 0),
  price INTEGER NOT NULL CHECK (price >= 0),
  PRIMARY KEY (tenant_id, list_id, product_id, from_quantity),
  FOREIGN KEY (tenant_id, list_id) REFERENCES crm_price_lists (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES crm_products (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_prices_product ON crm_prices (tenant_id, product_id);
