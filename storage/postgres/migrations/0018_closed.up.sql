-- compatible-from: 17
-- The counters of members who came inactive, by a sync, were not closed: nothing could be handed over of them. All counters of
-- who is inactive are closed, of every kind of record.
INSERT INTO crm_counters (tenant_id, kind, user_id, places, closed)
  SELECT m.tenant_id, y.kind, m.user_id, 0, true FROM crm_members m CROSS JOIN crm_policies y
  WHERE m.inactive_since IS NOT NULL AND y.tenant_id = m.tenant_id
  ON CONFLICT (tenant_id, kind, user_id) DO UPDATE SET closed = excluded.closed;
