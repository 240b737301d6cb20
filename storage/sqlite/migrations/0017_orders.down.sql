DROP TABLE crm_order_reports;
DROP TABLE crm_order_refunds;
DROP TABLE crm_order_lines;
DROP INDEX crm_ix_orders_status;
DROP INDEX crm_ix_orders_at;
ALTER TABLE crm_orders DROP COLUMN updated_by;
ALTER TABLE crm_orders DROP COLUMN updated_at;
ALTER TABLE crm_orders DROP COLUMN sequence;
