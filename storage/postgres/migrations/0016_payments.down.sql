-- Indexes on columns that go are gone with them.
DROP TABLE crm_invoice_rates;
DROP TABLE crm_invoices;
DROP TABLE crm_payment_allocations;
DROP TABLE crm_payments;
ALTER TABLE crm_plans DROP COLUMN status;
ALTER TABLE crm_plans DROP COLUMN paid;
ALTER TABLE crm_contract_lines DROP COLUMN change_no;
ALTER TABLE crm_contracts DROP COLUMN ended_on;
ALTER TABLE crm_contracts DROP COLUMN changes;
ALTER TABLE crm_contracts DROP COLUMN invoiced;
ALTER TABLE crm_contracts DROP COLUMN credit;
ALTER TABLE crm_contracts DROP COLUMN received;
