DROP VIEW crm_v_members, crm_v_orders, crm_v_operations, crm_v_interactions, crm_v_customers;
DROP TABLE crm_requests, crm_subjects, crm_outbox, crm_audit, crm_operations, crm_orders, crm_interactions, crm_customer_tags,
  crm_tags, crm_addresses, crm_contacts, crm_customer_facts, crm_customers, crm_counters, crm_policies, crm_pool_rules,
  crm_pool_members, crm_pools, crm_roles, crm_members, crm_department_tree, crm_departments, crm_tenants;
DROP FUNCTION crm_refuse_change();
DROP SEQUENCE crm_ids;
