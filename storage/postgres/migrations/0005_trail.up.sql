-- compatible-from: 4
-- The trail by type and by time. TRUNCATE fires no trigger of rows: it is refused by one of its own.

CREATE INDEX crm_ix_audit_type ON crm_audit (tenant_id, type, id);
CREATE INDEX crm_ix_audit_at ON crm_audit (tenant_id, at, id);

CREATE TRIGGER crm_tr_audit_truncate BEFORE TRUNCATE ON crm_audit FOR EACH STATEMENT EXECUTE FUNCTION crm_refuse_change('crm_tenants');
CREATE TRIGGER crm_tr_operations_truncate BEFORE TRUNCATE ON crm_operations FOR EACH STATEMENT EXECUTE FUNCTION crm_refuse_change('crm_tenants');
