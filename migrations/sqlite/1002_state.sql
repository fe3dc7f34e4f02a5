-- What scripts keep between calls: values by key and scope, and sentinels that throttle.

CREATE TABLE state (
  key TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  payload TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (key, scope_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sentinels (
  name TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  last_fired INTEGER NOT NULL,
  interval_secs INTEGER NOT NULL,
  PRIMARY KEY (name, scope_id)
) STRICT, WITHOUT ROWID;
