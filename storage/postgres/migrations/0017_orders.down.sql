DROP TABLE crm_order_reports, crm_order_refunds, crm_order_lines;
-- An index is dropped by its schema, which only its table tells.
DO $$
DECLARE name regclass;
BEGIN
  FOR name IN SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'crm_orders'::regclass AND c.relname IN ('crm_ix_orders_status', 'crm_ix_orders_at')
  LOOP
    EXECUTE 'DROP INDEX ' || name;
  END LOOP;
END
$$;
ALTER TABLE crm_orders DROP COLUMN updated_by, DROP COLUMN updated_at, DROP COLUMN sequence;
