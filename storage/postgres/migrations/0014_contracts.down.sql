DROP TABLE crm_plans, crm_contract_lines, crm_contracts;
