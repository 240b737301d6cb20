-- Payments with what they paid of which instalment, invoices with a row for each tax rate, and what a contract has come to by
-- them. An older library would take instalments away that payments name, so it must not run.
ALTER TABLE crm_contracts ADD COLUMN received numeric(18, 4) NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN credit numeric(18, 4) NOT NULL DEFAULT 0 CHECK (credit >= 0);
ALTER TABLE crm_contracts ADD COLUMN invoiced numeric(18, 4) NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN changes integer NOT NULL DEFAULT 0;
ALTER TABLE crm_contracts ADD COLUMN ended_on text COLLATE "C" NOT NULL DEFAULT '';
UPDATE crm_contracts SET ended_on = to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') WHERE status IN (4, 5, 6); -- the day in UTC of its last change: nothing nearer is known
CREATE INDEX crm_ix_contracts_credit ON crm_contracts (tenant_id, customer_id) WHERE credit <> 0;

ALTER TABLE crm_contract_lines ADD COLUMN change_no integer NOT NULL DEFAULT 0;

ALTER TABLE crm_plans ADD COLUMN paid numeric(18, 4) NOT NULL DEFAULT 0 CHECK (paid >= 0 AND paid <= amount);
ALTER TABLE crm_plans ADD COLUMN status integer NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 3);
CREATE INDEX crm_ix_plans_open ON crm_plans (tenant_id, date, id) WHERE status <> 3;

CREATE TABLE crm_payments (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  number text COLLATE "C" NOT NULL,
  contract_id bigint NOT NULL,
  customer_id bigint NOT NULL,
  place integer NOT NULL, -- among the payments of the contract, in the order in which they were recorded
  date text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL CHECK (amount <> 0),
  currency text COLLATE "C" NOT NULL,
  plan_id bigint,
  method text COLLATE "C" NOT NULL,
  file_url text COLLATE "C" NOT NULL,
  remark text COLLATE "C" NOT NULL,
  external_system text COLLATE "C" NOT NULL,
  external_id text COLLATE "C",
  reverses_id bigint,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES crm_plans (tenant_id, id),
  FOREIGN KEY (tenant_id, reverses_id) REFERENCES crm_payments (tenant_id, id)
);
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
  tenant_id bigint NOT NULL,
  payment_id bigint NOT NULL,
  plan_id bigint NOT NULL,
  contract_id bigint NOT NULL,
  date text COLLATE "C" NOT NULL, -- of the payment
  amount numeric(18, 4) NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (tenant_id, payment_id, plan_id),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES crm_payments (tenant_id, id),
  FOREIGN KEY (tenant_id, plan_id) REFERENCES crm_plans (tenant_id, id)
);
CREATE INDEX crm_ix_payment_allocations_plan ON crm_payment_allocations (tenant_id, plan_id);
CREATE INDEX crm_ix_payment_allocations_contract ON crm_payment_allocations (tenant_id, contract_id);
CREATE INDEX crm_ix_payment_allocations_date ON crm_payment_allocations (tenant_id, date);

CREATE TABLE crm_invoices (
  tenant_id bigint NOT NULL REFERENCES crm_tenants (id),
  id bigint NOT NULL,
  number text COLLATE "C" NOT NULL,
  invoice_no text COLLATE "C" NOT NULL,
  contract_id bigint NOT NULL,
  customer_id bigint NOT NULL,
  payment_id bigint,
  type text COLLATE "C" NOT NULL CHECK (type IN ('special', 'ordinary')),
  medium text COLLATE "C" NOT NULL CHECK (medium IN ('paper', 'digital')),
  status integer NOT NULL CHECK (status BETWEEN 0 AND 6),
  red_of_id bigint,
  red_notice_no text COLLATE "C" NOT NULL,
  issue_date text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL CHECK (amount > 0 AND red_of_id IS NULL OR amount < 0 AND red_of_id IS NOT NULL),
  net numeric(18, 4) NOT NULL,
  tax numeric(18, 4) NOT NULL,
  buyer text COLLATE "C" NOT NULL, -- JSON
  file_url text COLLATE "C" NOT NULL,
  remark text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, contract_id) REFERENCES crm_contracts (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES crm_customers (tenant_id, id),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES crm_payments (tenant_id, id),
  FOREIGN KEY (tenant_id, red_of_id) REFERENCES crm_invoices (tenant_id, id),
  CHECK (status IN (0, 4) OR invoice_no <> '' AND issue_date <> '')
);
CREATE UNIQUE INDEX crm_uq_invoices_number ON crm_invoices (tenant_id, number);
CREATE UNIQUE INDEX crm_uq_invoices_invoice_no ON crm_invoices (tenant_id, invoice_no) WHERE invoice_no <> '';
CREATE INDEX crm_ix_invoices_contract ON crm_invoices (tenant_id, contract_id, id);
CREATE INDEX crm_ix_invoices_customer ON crm_invoices (tenant_id, customer_id, id);
CREATE INDEX crm_ix_invoices_status ON crm_invoices (tenant_id, status, id);
CREATE INDEX crm_ix_invoices_payment ON crm_invoices (tenant_id, payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX crm_ix_invoices_red ON crm_invoices (tenant_id, red_of_id) WHERE red_of_id IS NOT NULL;

CREATE TABLE crm_invoice_rates (
  tenant_id bigint NOT NULL,
  invoice_id bigint NOT NULL,
  sort integer NOT NULL,
  rate numeric(18, 4) NOT NULL,
  kind text COLLATE "C" NOT NULL,
  amount numeric(18, 4) NOT NULL,
  net numeric(18, 4) NOT NULL,
  tax numeric(18, 4) NOT NULL,
  PRIMARY KEY (tenant_id, invoice_id, sort),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES crm_invoices (tenant_id, id)
);
