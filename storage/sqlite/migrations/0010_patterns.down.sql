DROP INDEX crm_ix_operations_pooled;
