DROP TABLE crm_prices, crm_price_lists, crm_products, crm_product_categories;
