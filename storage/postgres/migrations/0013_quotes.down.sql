DROP TABLE crm_quote_lines, crm_quotes, crm_numbers;
