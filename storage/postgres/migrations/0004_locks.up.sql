-- Transfers above the cap.

ALTER TABLE crm_operations ADD COLUMN over_cap boolean NOT NULL DEFAULT false;
