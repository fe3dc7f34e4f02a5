-- Who waits for a lock, in the order of arrival.

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
  grace INTEGER NOT NULL,
  left_at INTEGER
) STRICT;
