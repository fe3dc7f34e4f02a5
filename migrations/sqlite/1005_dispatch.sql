-- How a dispatch was started, where it reports, and who watches over it.

ALTER TABLE dispatches ADD COLUMN prompt_hash TEXT;
ALTER TABLE dispatches ADD COLUMN verdict_file TEXT;
ALTER TABLE dispatches ADD COLUMN sandbox TEXT;
ALTER TABLE dispatches ADD COLUMN sandbox_spec TEXT;
ALTER TABLE dispatches ADD COLUMN sandbox_effective TEXT;
ALTER TABLE dispatches ADD COLUMN timeout_sec INTEGER;
ALTER TABLE dispatches ADD COLUMN base_repo_commit TEXT;
ALTER TABLE dispatches ADD COLUMN retry_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dispatches ADD COLUMN supervisor_pid INTEGER;
ALTER TABLE dispatches ADD COLUMN supervisor_start INTEGER;
ALTER TABLE dispatches ADD COLUMN heartbeat_at INTEGER;
ALTER TABLE dispatches ADD COLUMN command TEXT;
