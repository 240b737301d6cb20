DROP TABLE crm_order_reports, crm_order_refunds, crm_order_lines;
DROP INDEX crm_ix_orders_status, crm_ix_orders_at;
ALTER TABLE crm_orders DROP COLUMN updated_by, DROP COLUMN updated_at, DROP COLUMN sequence;
