-- compatible-from: 4
-- The trail by type and by time. Of a replaced row SQLite tells no DELETE trigger: REPLACE is refused before it begins.

CREATE INDEX crm_ix_audit_type ON crm_audit (tenant_id, type, id);
CREATE INDEX crm_ix_audit_at ON crm_audit (tenant_id, at, id);

-- An id that the database is yet to choose is -1 here, and costs no look-up.
CREATE TRIGGER crm_tr_audit_insert BEFORE INSERT ON crm_audit
WHEN NEW.id > 0 AND EXISTS (SELECT 1 FROM crm_audit WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'rows of the audit trail are never changed');
END;
CREATE TRIGGER crm_tr_operations_insert BEFORE INSERT ON crm_operations
WHEN NEW.id > 0 AND EXISTS (SELECT 1 FROM crm_operations WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'rows of the operation log are never changed');
END;
