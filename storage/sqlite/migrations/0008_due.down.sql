-- What was told is forgotten: after another up, owners are warned again.
DROP TABLE crm_due;
