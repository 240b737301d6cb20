-- Payments with what they paid of which instalment, invoices with a row for each tax rate, and what a contract has come to by
-- them. An older library would take instalments away that payments name, so it must not run.
ALTER TABLE crm_contracts ADD COLUMN received INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN credit INTEGER NOT NULL DEFAULT 0 CHECK (credit >= 0);
ALTER TABLE crm_contracts ADD COLUMN invoiced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN ended_on TEXT NOT NULL DEFAULT '';
UPDATE crm_contracts SET ended_on = date(updated_at / 1000000, 'unixepoch') WHERE status IN (4, 5, 6); -- the day in UTC of its last change: nothing nearer is known
CREATE INDEX crm_ix_contracts_credit ON crm_contracts (tenant_id, customer_id) WHERE credit <> 0;

ALTER TABLE crm_contract_lines ADD COLUMN change_no INTEGER NOT NULL DEFAULT 0;

ALTER TABLE crm_plans ADD COLUMN paid INTEGER NOT NULL DEFAULT 0 CHECK (paid >= 0 AND paid <= amount);
ALTER TABLE crm_plans ADD COLUMN status INTEGER NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 3);
CREATE INDEX crm_ix_plans_open ON crm_plans (tenant_id, date, id) WHERE status <> 3;

CREATE TABLE crm_payments (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  number TEXT NOT NULL,
  contract_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  place INTEGER NOT NULL, -- among the payments of the contract, in the order in which they were recorded
  date TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount <> 0),
  currency TEXT NOT NULL,
  plan_id INTEGER,
  method TEXT NOT NULL,
  file_url TEXT NOT NULL,
  remark TEXT NOT NULL,
  external_system TEXT NOT NULL,
  external_id TEXT,
  reverses_id INTEGER,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES crm_plans (tenant_id, id),
  FOREIGN KEY (tenant_id, reverses_id) REFERENCES crm_payments (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX crm_uq_payments_number ON crm_payments (tenant_id, number);
CREATE UNIQUE INDEX crm_uq_payments_external ON crm_payments (tenant_id, external_system, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX crm_uq_payments_place ON crm_payments (tenant_id, contract_id, place);
CREATE UNIQUE INDEX crm_uq_payments_reverses ON crm_payments (tenant_id, reverses_id) WHERE reverses_id IS NOT NULL;
CREATE INDEX crm_ix_payments_contract ON crm_payments (tenant_id, contract_id, date, id);
CREATE INDEX crm_ix_payments_customer ON crm_payments (tenant_id, customer_id, date, id);
CREATE INDEX crm_ix_payments_date ON crm_payments (tenant_id, date, id);
CREATE INDEX crm_ix_payments_plan ON crm_payments (tenant_id, plan_id) WHERE plan_id IS NOT NULL;

-- What payments paid: the output of a replay of all of a contract, by its days and places.
CREATE TABLE crm_payment_allocations (
  tenant_id INTEGER NOT NULL,
  payment_id INTEGER NOT NULL,
  plan_id INTEGER NOT NULL,
  contract_id INTEGER NOT NULL,
  date TEXT NOT NULL, -- of the payment
  amount INTEGER NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (tenant_id, payment_id, plan_id),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES crm_payments (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES crm_plans (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_ix_payment_allocations_plan ON crm_payment_allocations (tenant_id, plan_id);
CREATE INDEX crm_ix_payment_allocations_contract ON crm_payment_allocations (tenant_id, contract_id);
CREATE INDEX crm_ix_payment_allocations_date ON crm_payment_allocations (tenant_id, date);

CREATE TABLE crm_invoices (
  id INTEGER PRIMARY KEY,
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  number TEXT NOT NULL,
  invoice_no TEXT NOT NULL,
  contract_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL,
  payment_id INTEGER,
  type TEXT NOT NULL CHECK (type IN ('special', 'ordinary')),
  medium TEXT NOT NULL CHECK (medium IN ('paper', 'digital')),
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 6),
  red_of_id INTEGER,
  red_notice_no TEXT NOT NULL,
  issue_date TEXT NOT NULL,
  currency TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0 AND red_of_id IS NULL OR amount < 0 AND red_of_id IS NOT NULL),
  net INTEGER NOT NULL,
  tax INTEGER NOT NULL,
  buyer TEXT NOT NULL, -- JSON
  file_url TEXT NOT NULL,
  remark TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES crm_payments (tenant_id, id),
  FOREIGN KEY (tenant_id, red_of_id) REFERENCES crm_invoices (tenant_id, id),
  CHECK (status IN (0, 4) OR invoice_no <> '' AND issue_date <> '')
) STRICT;
CREATE UNIQUE INDEX crm_uq_invoices_number ON crm_invoices (tenant_id, number);
CREATE UNIQUE INDEX crm_uq_invoices_invoice_no ON crm_invoices (tenant_id, invoice_no) WHERE invoice_no <> '';
CREATE INDEX crm_ix_invoices_contract ON crm_invoices (tenant_id, contract_id, id);
CREATE INDEX crm_ix_invoices_customer ON crm_invoices (tenant_id, customer_id, id);
CREATE INDEX crm_ix_invoices_status ON crm_invoices (tenant_id, status, id);
CREATE INDEX crm_ix_invoices_payment ON crm_invoices (tenant_id, payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX crm_ix_invoices_red ON crm_invoices (tenant_id, red_of_id) WHERE red_of_id IS NOT NULL;

CREATE TABLE crm_invoice_rates (
  tenant_id INTEGER NOT NULL,
  invoice_id INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  rate INTEGER NOT NULL,
  kind TEXT NOT NULL,
  amount INTEGER NOT NULL,
  net INTEGER NOT NULL,
  tax INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, invoice_id, sort),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES crm_invoices (tenant_id, id)
) STRICT, WITHOUT ROWID;
