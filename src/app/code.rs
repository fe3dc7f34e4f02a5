//! Every error code, with the exit code that goes with it.

macro_rules! codes {
    ($($variant:ident = $word:literal, $exit:literal, $meaning:literal;)+) => {
        /// An error code: part of the interface, never renamed (`ic help errors`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of their words.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word that stands for the code.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Returns the process exit code, 1 to 3.
            pub const fn exit(self) -> u8 {
                match self { $(Self::$variant => $exit,)+ }
            }

            /// Returns a phrase that says when the code is used.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

codes! {
    ActionNotFound = "action_not_found", 1, "the run has no such action";
    AdvancePaused = "advance_paused", 1, "the run does not advance by itself, and no reason was given";
    AgentNotFound = "agent_not_found", 1, "no agent with this id, or not of the run that was named";
    AlreadyApplied = "already_applied", 1, "the agent is excluded already";
    ArtifactNotFound = "artifact_not_found", 1, "no artifact with this id";
    AutonomyOff = "autonomy_off", 1, "the project does not let agents apply overrides by themselves";
    BackupUnusable = "backup_unusable", 2, "the file to restore from is no sound database of this program, or its log does not verify";
    BelowThreshold = "below_threshold", 1, "the evidence against the agent does not suffice";
    Blacklisted = "blacklisted", 1, "the agent may not be proposed any more";
    BudgetExceeded = "budget_exceeded", 1, "the run has used up its token budget";
    CanaryActive = "canary_active", 1, "an earlier override of the agent is still being watched";
    ChainExhausted = "chain_exhausted", 1, "the escalation chain has no stronger model left to try";
    CircuitOpen = "circuit_open", 1, "overrides were reverted too often lately";
    CursorAhead = "cursor_ahead", 1, "the consumer has read further than the log goes: the log was restored from a backup";
    CursorExpired = "cursor_expired", 1, "the consumer was away for longer than its cursor is kept";
    CursorNotFound = "cursor_not_found", 1, "the consumer has no cursor";
    CursorRewind = "cursor_rewind", 1, "the new position lies before the present one";
    DatabaseStaged = "database_staged", 1, "the commit would contain the database";
    DbBusy = "db_busy", 2, "another writer held the lock for longer than --timeout";
    DbConstraint = "db_constraint", 2, "the schema refused a change: the database was changed by something else";
    DbCorrupt = "db_corrupt", 2, "the database file is damaged";
    DbError = "db_error", 2, "the database engine failed";
    DbForeign = "db_foreign", 2, "the file belongs to another program";
    DbFull = "db_full", 2, "the disk is full";
    DbInDoubt = "db_in_doubt", 2, "the disk failed during a commit: it is not known whether the change was made";
    DbInUse = "db_in_use", 2, "other processes have the damaged database open";
    DbMoved = "db_moved", 2, "the database file was moved away or replaced while it was in use";
    DbNotInitialised = "db_not_initialised", 2, "there is no database here yet";
    DbPath = "db_path", 2, "--db leads out of the working directory, or does not end in .db; or the database is a URL";
    DbReadOnly = "db_read_only", 2, "the database or its directory cannot be written";
    DbSchema = "db_schema", 2, "tables or indexes were changed by something else";
    DbSymlink = "db_symlink", 2, "the database, its log or its directory is a symlink";
    Deadlock = "deadlock", 1, "to wait for the lock would be to wait for oneself";
    DispatchFailed = "dispatch_failed", 1, "the dispatch that was waited for failed or timed out";
    DispatchNotFound = "dispatch_not_found", 1, "no dispatch with this id";
    DuplicateAction = "duplicate_action", 1, "the run has the same command for the phase already";
    EventChainBroken = "event_chain_broken", 2, "an event was altered, removed or inserted, or the head is not the one expected";
    EventNotFound = "event_not_found", 1, "no event with this number";
    EvidenceRequired = "evidence_required", 1, "the last step of the run needs runtime evidence, whatever else is waived";
    FenceUnreadable = "fence_unreadable", 1, "the lock that the environment names is not LOCK:TOKEN";
    FileExists = "file_exists", 2, "a file that is to be made is there already";
    GateBlocked = "gate_blocked", 1, "a hard condition of the gate failed, and the run stays in its phase";
    GateFailed = "gate_failed", 1, "a condition of the gate is not met";
    GitDetached = "git_detached", 2, "no branch is checked out";
    GitFailed = "git_failed", 2, "git could not do what was asked; nothing was changed";
    GitHook = "git_hook", 2, "a hook of the repository refused the commit";
    GitIdentity = "git_identity", 2, "git does not know who commits";
    GitIgnored = "git_ignored", 2, "the path is ignored by git";
    GitInProgress = "git_in_progress", 2, "a merge, rebase, cherry-pick or revert is under way";
    GitLocked = "git_locked", 2, "the index is locked by another git process";
    GitMissing = "git_missing", 2, "git is not installed";
    GitUncommitted = "git_uncommitted", 2, "the file has a version that is staged, or edited and not committed";
    IdempotencyConflict = "idempotency_conflict", 1, "the idempotency key was used before with other arguments";
    ImportMismatch = "import_mismatch", 2, "an import read other counts than it wrote; nothing was kept of it";
    ImportOccupied = "import_occupied", 1, "an import would go over a database of this program that has content";
    ImportSource = "import_source", 2, "what is to be imported is not a database of the Go program";
    Internal = "internal", 2, "a bug: please report it";
    InvalidInput = "invalid_input", 2, "the content of a file or of stdin is wrong";
    IoError = "io_error", 2, "a file could not be read or written";
    LockConflict = "lock_conflict", 1, "another owner holds what overlaps, or waits for it";
    LockGone = "lock_gone", 1, "the lock was released or has expired, or its token is an old one";
    LockHeld = "lock_held", 1, "another owner held the lock until the time to wait was over";
    LockLimit = "lock_limit", 1, "the owner has as many locks in the scope as there may be";
    LockNotFound = "lock_not_found", 1, "there is no such lock";
    LockOwner = "lock_owner", 1, "the lock belongs to another owner";
    LogDiverged = "log_diverged", 1, "the log to import is not the continuation of the one that is there";
    MirrorConflict = "mirror_conflict", 2, "a lock of the other store has the identifier of another one here; nothing was mirrored";
    NoCurrentRun = "no_current_run", 1, "the project has no active run";
    NoOverlap = "no_overlap", 1, "no path is covered by both patterns";
    NoProposal = "no_proposal", 1, "no proposal to exclude the agent is open";
    NotARepository = "not_a_repository", 2, "the directory is in no git working tree";
    NotARollback = "not_a_rollback", 1, "the event to undo is not a rollback of this run";
    NotBehind = "not_behind", 1, "the rollback target is not behind the current phase";
    NotBlacklisted = "not_blacklisted", 1, "the pattern is not on the blacklist";
    NotRetryable = "not_retryable", 1, "the dispatch does not take another attempt";
    NotSet = "not_set", 1, "the setting is not set";
    NotSkipped = "not_skipped", 1, "the phase is not skipped";
    OutputFailed = "output_failed", 2, "stdout could not be written; a change that was made stands";
    OverridesLocked = "overrides_locked", 2, "another process changes the overrides";
    OverridesUnreadable = "overrides_unreadable", 2, "the file of overrides is damaged, or of another version; it is never overwritten";
    PathOutside = "path_outside", 2, "the path leads out of the repository";
    PathProtected = "path_protected", 2, "the project does not allow changes of the path";
    ProcessNotFound = "process_not_found", 1, "there is no process with this id";
    ProposeFirst = "propose_first", 1, "changes of the path have to be proposed first";
    RateLimited = "rate_limited", 1, "too many overrides were applied lately";
    RunData = "run_data", 2, "a stored value of the run cannot be used";
    RunNotFound = "run_not_found", 1, "no run with this id";
    RunTerminal = "run_terminal", 1, "the run is completed, cancelled or failed";
    SchemaTooNew = "schema_too_new", 2, "the database was written by a newer version";
    SchemaTooOld = "schema_too_old", 2, "the database needs to be migrated";
    SkipRefused = "skip_refused", 1, "the phase cannot be skipped";
    SpawnFailed = "spawn_failed", 2, "the child, or its supervisor, could not be started; the record says failed";
    SpawnRejected = "spawn_rejected", 1, "a limit forbids another child";
    StalePhase = "stale_phase", 1, "the run is not in the phase that the caller expected";
    StateNotFound = "state_not_found", 1, "the key has no value there, or its value has expired";
    TaskDirNotFound = "task_dir_not_found", 1, "there are no task files where they were looked for";
    TaskFailed = "task_failed", 2, "the task's files could not be used, were not written, or do not hold what they should";
    TaskNotFound = "task_not_found", 1, "no task with this number";
    TaskRefused = "task_refused", 1, "the task may not be changed so; nothing was written";
    TerminalPhase = "terminal_phase", 1, "the run is in the last phase of its chain";
    Throttled = "throttled", 1, "the sentinel has fired within its interval";
    UndoBlocked = "undo_blocked", 1, "something happened to the run since the rollback";
    UnknownAgent = "unknown_agent", 1, "the roster does not have the agent";
    Usage = "usage", 3, "the command line is wrong; nothing was touched";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-06
    #[test]
    fn codes_are_listed_in_order_and_once() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
        assert!(Code::ALL.iter().all(|code| (1..=3).contains(&code.exit()) && !code.meaning().is_empty()));
    }
}
