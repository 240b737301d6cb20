DROP TABLE crm_plans;
DROP TABLE crm_contract_lines;
DROP TABLE crm_contracts;
