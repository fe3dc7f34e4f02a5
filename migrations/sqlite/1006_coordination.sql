-- Which locks can overlap a pattern, which have expired, whose they are, and which nobody has met yet.

CREATE INDEX coordination_prefix ON coordination_locks(scope, prefix_key, suffix_key) WHERE released_at IS NULL;
CREATE INDEX coordination_suffix ON coordination_locks(scope, suffix_key, prefix_key) WHERE released_at IS NULL;
CREATE INDEX coordination_expiry ON coordination_locks(expires_at) WHERE released_at IS NULL;
CREATE INDEX coordination_owner ON coordination_locks(owner, scope) WHERE released_at IS NULL;
CREATE INDEX coordination_stranger ON coordination_locks(id) WHERE released_at IS NULL AND prefix_key IS NULL;
