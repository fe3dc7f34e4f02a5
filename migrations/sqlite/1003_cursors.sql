-- How far each consumer has read the event log. run_id is empty for a consumer of all runs.

CREATE TABLE event_cursors (
  consumer TEXT NOT NULL,
  run_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  durable INTEGER NOT NULL,
  expires_at INTEGER,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (consumer, run_id)
) STRICT, WITHOUT ROWID;
