-- What the warning run has noted of owned records: when rules take them, and what their owners were told. An older library
-- would leave rows of a tenant behind that is dropped, so it must not run.
CREATE TABLE crm_due (
  tenant_id INTEGER NOT NULL REFERENCES crm_tenants (id),
  kind TEXT NOT NULL,
  record_id INTEGER NOT NULL,
  -- the record as it was judged: a row counts only as long as the record still says the same
  owner_id TEXT NOT NULL,
  owned_since INTEGER NOT NULL,
  pool_id INTEGER NOT NULL,
  followup_from INTEGER NOT NULL,
  lock_until INTEGER,
  due_at INTEGER, -- NULL: not within the horizon
  rule_id INTEGER NOT NULL,
  told_due INTEGER, -- the due instant that the owner was last warned of …
  told_step INTEGER NOT NULL, -- … and how long before, in microseconds
  warned TEXT NOT NULL, -- JSON: the warn rules that were told in this ownership
  -- the note is right as long as these hold: nothing happened to the record, the pool judges by the same, no instant came
  seq INTEGER NOT NULL,
  stamp TEXT NOT NULL,
  next_at INTEGER,
  PRIMARY KEY (tenant_id, kind, record_id)
) STRICT, WITHOUT ROWID;
-- what is due next: of an owner, and of all
CREATE INDEX crm_ix_due_owner ON crm_due (tenant_id, kind, owner_id, due_at, record_id) WHERE due_at IS NOT NULL;
CREATE INDEX crm_ix_due_at ON crm_due (tenant_id, kind, due_at, record_id) WHERE due_at IS NOT NULL;
-- what the run puts beside what the rules of a pool name: it has all that the run reads of a note
CREATE INDEX crm_ix_due_pool ON crm_due (tenant_id, kind, pool_id, record_id, seq, stamp, next_at, due_at);
-- what is kept only for what was told: it goes with the ownership
CREATE INDEX crm_ix_due_told ON crm_due (tenant_id, kind, record_id) WHERE due_at IS NULL;
