DROP TABLE crm_opportunity_stages, crm_opportunities, crm_stages, crm_pipelines;
