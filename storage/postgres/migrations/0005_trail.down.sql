DROP TRIGGER crm_tr_operations_truncate ON crm_operations;
DROP TRIGGER crm_tr_audit_truncate ON crm_audit;
-- The indexes are dropped by their table: it names the schema that they live in.
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'crm_audit'::regclass AND c.relname IN ('crm_ix_audit_type', 'crm_ix_audit_at') LOOP
    EXECUTE 'DROP INDEX ' || name;
  END LOOP;
END
$$;
