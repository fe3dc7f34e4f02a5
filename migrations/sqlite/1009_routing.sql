-- Routing overrides that were applied, each with its canary, and what may not be proposed any more.

CREATE TABLE modifications (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  agent TEXT NOT NULL,
  scope TEXT NOT NULL,
  path TEXT NOT NULL,
  status TEXT NOT NULL,
  commit_sha TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  canary TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE blacklist (
  pattern_key TEXT NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  blacklisted_at INTEGER NOT NULL
) STRICT;
