-- The kernel: runs and what belongs to them, dispatches, and the one log of everything that happened.
-- No comments inside the statements: SQLite keeps their text and parses it at every call.

CREATE TABLE runs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  project_dir TEXT NOT NULL,
  project_key TEXT NOT NULL,
  goal TEXT NOT NULL,
  status TEXT NOT NULL,
  phase TEXT NOT NULL,
  complexity INTEGER NOT NULL,
  force_full INTEGER NOT NULL,
  auto_advance INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  completed_at INTEGER,
  scope_id TEXT,
  metadata TEXT,
  phases TEXT,
  token_budget INTEGER,
  budget_warn_pct INTEGER NOT NULL,
  parent_run_id TEXT REFERENCES runs(id),
  goal_id TEXT,
  max_dispatches INTEGER NOT NULL,
  budget_enforce INTEGER NOT NULL,
  max_agents INTEGER NOT NULL,
  gate_rules TEXT
) STRICT;
CREATE INDEX runs_project ON runs(project_key, status);
CREATE INDEX runs_parent ON runs(parent_run_id) WHERE parent_run_id IS NOT NULL;

CREATE TABLE phase_skips (
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT,
  PRIMARY KEY (run_id, phase)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_agents (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run_id TEXT NOT NULL REFERENCES runs(id),
  agent_type TEXT NOT NULL,
  name TEXT,
  status TEXT NOT NULL,
  phase TEXT NOT NULL,
  dispatch_id TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX run_agents_run ON run_agents(run_id);

CREATE TABLE run_artifacts (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase TEXT NOT NULL,
  path TEXT NOT NULL,
  type TEXT NOT NULL,
  content_hash TEXT,
  status TEXT NOT NULL,
  dispatch_id TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX run_artifacts_run ON run_artifacts(run_id, phase);

CREATE TABLE phase_actions (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  phase TEXT NOT NULL,
  action_type TEXT NOT NULL,
  command TEXT NOT NULL,
  args TEXT,
  mode TEXT NOT NULL,
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (run_id, phase, command)
) STRICT;

CREATE TABLE dispatches (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_type TEXT NOT NULL,
  status TEXT NOT NULL,
  project_dir TEXT NOT NULL,
  prompt_file TEXT,
  output_file TEXT,
  name TEXT,
  model TEXT,
  scope_id TEXT,
  run_phase TEXT,
  parent_id TEXT,
  parent_dispatch_id TEXT,
  spawn_depth INTEGER NOT NULL,
  pid INTEGER,
  pid_start INTEGER,
  boot_id TEXT,
  host TEXT,
  turns INTEGER NOT NULL,
  commands INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_hits INTEGER,
  verdict_status TEXT,
  verdict_summary TEXT,
  exit_code INTEGER,
  error_message TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  stop_requested_at INTEGER,
  stop_signalled_at INTEGER
) STRICT;
CREATE INDEX dispatches_scope ON dispatches(scope_id);
CREATE INDEX dispatches_live ON dispatches(status) WHERE status IN ('spawned', 'running');
CREATE INDEX dispatches_stop ON dispatches(stop_requested_at) WHERE stop_requested_at IS NOT NULL;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  origin TEXT NOT NULL,
  run_id TEXT,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  reason TEXT,
  data TEXT,
  envelope TEXT,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX events_run ON events(run_id, id);
CREATE INDEX events_source ON events(source, id);

-- Append-only, by the schema itself. The insert trigger also stops INSERT OR REPLACE, which deletes without firing the
-- delete trigger, and keeps the sequence gapless.
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_in_sequence BEFORE INSERT ON events
WHEN NEW.id <> (SELECT coalesce(max(id), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'events are numbered without gaps'); END;

CREATE TABLE idempotency (
  seq INTEGER PRIMARY KEY,
  command TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (command, key)
) STRICT;
