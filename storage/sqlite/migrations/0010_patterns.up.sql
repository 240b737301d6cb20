-- compatible-from: 9
-- Claims and releases by time: what the questions of pool.Patterns begin with.
CREATE INDEX crm_ix_operations_pooled ON crm_operations (tenant_id, kind, action, at) WHERE action IN ('claim', 'release');
