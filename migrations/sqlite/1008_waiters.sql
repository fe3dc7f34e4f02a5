-- Who waits for a lock, in the order of arrival; and which locks are another program's, of which this is a copy.

CREATE TABLE lock_waiters (
  ticket INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  owner TEXT NOT NULL,
  scope TEXT NOT NULL,
  pattern TEXT NOT NULL,
  exclusive INTEGER NOT NULL,
  file INTEGER NOT NULL,
  pid INTEGER,
  pid_start INTEGER,
  boot_id TEXT,
  host TEXT,
  created_at INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  grace INTEGER NOT NULL,
  left_at INTEGER
) STRICT;

ALTER TABLE coordination_locks ADD COLUMN mirrored INTEGER;
