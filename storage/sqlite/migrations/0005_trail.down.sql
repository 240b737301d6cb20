DROP TRIGGER crm_tr_operations_insert;
DROP TRIGGER crm_tr_audit_insert;
DROP INDEX crm_ix_audit_at;
DROP INDEX crm_ix_audit_type;
