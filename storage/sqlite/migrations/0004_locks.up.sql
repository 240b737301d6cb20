-- Transfers above the cap.

ALTER TABLE crm_operations ADD COLUMN over_cap INTEGER NOT NULL DEFAULT 0;
