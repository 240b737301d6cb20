DROP TABLE crm_quote_lines;
DROP TABLE crm_quotes;
DROP TABLE crm_numbers;
