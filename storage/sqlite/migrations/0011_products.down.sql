DROP TABLE crm_prices;
DROP TABLE crm_price_lists;
DROP TABLE crm_products;
DROP TABLE crm_product_categories;
