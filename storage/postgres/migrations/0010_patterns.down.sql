-- An index is dropped by its schema, which only its table tells.
DO $$
DECLARE pooled regclass;
BEGIN
  SELECT i.indexrelid::regclass INTO pooled FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'crm_operations'::regclass AND c.relname = 'crm_ix_operations_pooled';
  EXECUTE 'DROP INDEX ' || pooled;
END
$$;
