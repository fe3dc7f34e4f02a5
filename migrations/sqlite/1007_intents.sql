-- Work outside the database that is under way: files, commits. Written before it begins, removed when it is settled.

CREATE TABLE intents (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  resource TEXT NOT NULL,
  detail TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_start INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  host TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
