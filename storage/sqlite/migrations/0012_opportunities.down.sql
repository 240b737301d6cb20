DROP TABLE crm_opportunity_stages;
DROP TABLE crm_opportunities;
DROP TABLE crm_stages;
DROP TABLE crm_pipelines;
