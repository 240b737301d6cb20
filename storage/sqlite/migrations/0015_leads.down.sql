DROP VIEW crm_v_leads;
DROP TABLE crm_lead_tags;
DROP TABLE crm_lead_interactions;
DROP TABLE crm_leads;
DELETE FROM crm_opens WHERE kind = 'lead';
DELETE FROM crm_due WHERE kind = 'lead';
DELETE FROM crm_territories WHERE kind = 'lead';
DELETE FROM crm_reasons WHERE kind = 'lead';
DELETE FROM crm_counters WHERE kind = 'lead';
DELETE FROM crm_policies WHERE kind = 'lead';
DELETE FROM crm_pools WHERE kind = 'lead'; -- their rules and members go with them
