-- The ends of leases in milliseconds, the PID namespace of each recorded process, and which locks a hook took.

ALTER TABLE coordination_locks ADD COLUMN expires_at_ms INTEGER;
ALTER TABLE coordination_locks ADD COLUMN automatic INTEGER;
ALTER TABLE coordination_locks ADD COLUMN pid_namespace TEXT;
ALTER TABLE lock_waiters ADD COLUMN pid_namespace TEXT;
ALTER TABLE intents ADD COLUMN pid_namespace TEXT;
ALTER TABLE dispatches ADD COLUMN pid_namespace TEXT;
ALTER TABLE sentinels ADD COLUMN last_fired_ms INTEGER;
ALTER TABLE state ADD COLUMN expires_at_ms INTEGER;
