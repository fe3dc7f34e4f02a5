-- Who holds which files. Other programs insert rows with the first ten columns only.

CREATE TABLE coordination_locks (
  id TEXT PRIMARY KEY NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('file_reservation', 'named_lock', 'write_set')),
  owner TEXT NOT NULL,
  scope TEXT NOT NULL,
  pattern TEXT NOT NULL,
  exclusive INTEGER NOT NULL DEFAULT 1,
  reason TEXT,
  ttl_seconds INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  released_at INTEGER,
  dispatch_id TEXT,
  run_id TEXT,
  fence INTEGER NOT NULL DEFAULT 0,
  pid INTEGER,
  pid_start INTEGER,
  boot_id TEXT,
  host TEXT,
  prefix_key TEXT,
  suffix_key TEXT,
  CHECK (type <> 'named_lock' OR expires_at IS NOT NULL)
) STRICT;
