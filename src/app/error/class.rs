//! The code and the hint of each error of the stores, the use cases and the engine: one row each.

use crate::app::Code;
use crate::db::DbError;
use crate::ops::OpsError;
use crate::store::StoreError;

/// An error of a lower layer that has its row in the table.
pub(super) trait Classified {
    /// Returns the code and, where it helps, a hint.
    fn class(&self) -> (Code, Option<&'static str>);
}

impl Classified for OpsError {
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::TerminalPhase(_) => (Code::TerminalPhase, None),
            Self::PhaseNotInChain { .. } | Self::StoredMetadata(_) | Self::IdempotencyAnswer(_) => {
                (Code::RunData, None)
            }
            Self::NotBehind { .. } => {
                (Code::NotBehind, Some("`ic run status` shows the run's phase and chain"))
            }
            Self::NotRollable(_) | Self::OnlyMetadata(_) => (Code::RunTerminal, None),
            Self::SkipNotInChain(_) | Self::SkipNotAhead { .. } | Self::SkipTerminal(_) => {
                (Code::SkipRefused, None)
            }
            Self::NotSkipped(_) => (Code::NotSkipped, None),
            Self::NotARollback(..) => {
                (Code::NotARollback, Some("`ic phase history` lists the events of a run"))
            }
            Self::UndoBlocked { .. } => (Code::UndoBlocked, None),
            Self::AgentOfOtherRun { .. } => (Code::AgentNotFound, None),
            Self::CursorExpired { .. } => (
                Code::CursorExpired,
                Some(
                    "`ic events cursor register` goes on where it stopped, `ic events cursor reset` starts again",
                ),
            ),
            Self::CursorAhead { .. } => (
                Code::CursorAhead,
                Some(
                    "`ic events cursor set --force` goes on from another position, `ic events cursor reset` starts again",
                ),
            ),
            Self::CursorRewind { .. } => {
                (Code::CursorRewind, Some("--force goes back: what lies between is told again"))
            }
            Self::SpawnRejected => (Code::SpawnRejected, None),
            Self::Deadlock(_) => {
                (Code::Deadlock, Some("give back what the others wait for, then reserve again"))
            }
            Self::MirrorConflict(_) => (Code::MirrorConflict, None),
            Self::LockOwner { .. } => (Code::LockOwner, None),
            Self::LockGone { .. } => (Code::LockGone, Some("reserve again")),
            Self::LockLimit { .. } => {
                (Code::LockLimit, Some("release some, or hold a wider pattern instead of many"))
            }
            Self::NotRetryable { .. } => (
                Code::NotRetryable,
                Some("only a failed or timed out dispatch takes another attempt, and one"),
            ),
            Self::Chain(_) => (Code::InvalidInput, Some("choose another --chain-key")),
            Self::LogDiverged(_) => (Code::LogDiverged, Some("import into a new database")),
            Self::Record(_) => (Code::Usage, None),
            Self::SealedMetadata(_) => (
                Code::Usage,
                Some("leave that member as it is; another run can be created with other requirements"),
            ),
            Self::EvidenceUnread(_) => {
                (Code::EvidenceRequired, Some("`ic run advance` compares and moves the run"))
            }
            Self::IdempotencyConflict(_) => {
                (Code::IdempotencyConflict, Some("choose a new key for new arguments"))
            }
            Self::ImportMismatch { .. } => (
                Code::ImportMismatch,
                Some("nothing was changed; please report it, and keep the old database"),
            ),
            Self::Interspect(err) => err.class(),
            Self::Store(err) => err.class(),
        }
    }
}

impl Classified for StoreError {
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::RunNotFound(_) => (Code::RunNotFound, None),
            Self::AgentNotFound(_) => (Code::AgentNotFound, None),
            Self::ArtifactNotFound(_) => {
                (Code::ArtifactNotFound, Some("`ic artifact list` shows the artifacts of a run"))
            }
            Self::DispatchNotFound(_) => (Code::DispatchNotFound, None),
            Self::LockNotFound(_) => (Code::LockNotFound, None),
            Self::CursorNotFound(_) => (Code::CursorNotFound, Some("`ic events cursor list` shows them")),
            Self::ChainBroken(_) => {
                (Code::EventChainBroken, Some("keep the file as it is and compare it with a backup"))
            }
            Self::EventNotFound(_) => (Code::EventNotFound, None),
            Self::ActionNotFound => (Code::ActionNotFound, None),
            Self::DuplicateAction => (Code::DuplicateAction, None),
            Self::StalePhase { .. } => (Code::StalePhase, Some("re-read the run and decide again")),
            Self::Terminal { .. } => (Code::RunTerminal, None),
            Self::Id(_) => (Code::Internal, None),
            Self::Db(err) => err.class(),
        }
    }
}

impl Classified for DbError {
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::Busy => (Code::DbBusy, Some("raise --timeout")),
            Self::Missing(_) | Self::NotInitialised(_) => (Code::DbNotInitialised, Some("run `ic init`")),
            Self::SchemaTooOld { .. } => {
                (Code::SchemaTooOld, Some("run `ic init` to migrate it; a backup is made first"))
            }
            Self::SchemaTooNew { .. } | Self::GoTooNew { .. } => (Code::SchemaTooNew, Some("upgrade ic")),
            Self::Foreign { .. } => (Code::DbForeign, Some("choose another file with --db or INTERCORE_DB")),
            Self::GoProgram { .. } => (
                Code::DbForeign,
                Some(
                    "`ic import` moves what it holds into a new database; or choose another file with --db or INTERCORE_DB",
                ),
            ),
            Self::NoSource(_) | Self::NotGo(_) => {
                (Code::ImportSource, Some("name a database of the Go program with --from=FILE"))
            }
            Self::Occupied(_) => (
                Code::ImportOccupied,
                Some("nothing was changed; import into another place with --db or INTERCORE_DB"),
            ),
            Self::NotADatabase(_) => (
                Code::DbForeign,
                Some("move it aside and run `ic init`, or put a backup in its place with `ic restore`"),
            ),
            Self::Corrupt(_) | Self::Decode { .. } => {
                (Code::DbCorrupt, Some("go back to a backup with `ic restore`, which keeps the damaged file"))
            }
            Self::Altered(_) => (Code::DbSchema, Some("compare it with a backup")),
            Self::Unusable { .. } => (Code::BackupUnusable, Some("nothing was changed; try another backup")),
            Self::Exists(_) => (Code::FileExists, Some("choose another name, or move the file away")),
            Self::Moved(_) => (Code::DbMoved, Some("call again: it is the new file that counts")),
            Self::InUse(_) => (
                Code::DbInUse,
                Some("end the processes that use it, then restore again; nothing was changed"),
            ),
            Self::Symlink(_) => (Code::DbSymlink, Some("put the database itself in that place")),
            Self::OrphanLog(_) => {
                (Code::DbCorrupt, Some("move the log aside, or put its database back beside it"))
            }
            Self::Full => (Code::DbFull, Some("free some space; nothing was changed")),
            Self::NoSpace { .. } => {
                (Code::DbFull, Some("free some space or raise the limit (`ulimit -f`), then call again"))
            }
            Self::Disk(_) => (
                Code::DbError,
                Some("nothing was changed; check the disk, its free space and `ulimit -f`, then call again"),
            ),
            Self::InDoubt(_) => (
                Code::DbInDoubt,
                Some("check the disk, then look whether the change is there before you call again"),
            ),
            Self::TooManyFiles => (Code::IoError, Some("raise the limit (`ulimit -n`), then call again")),
            Self::ReadOnly(_) => (
                Code::DbReadOnly,
                Some(
                    "the database's directory must be writable, also for reading: SQLite keeps its log there",
                ),
            ),
            Self::Denied { .. } => (Code::DbReadOnly, None),
            Self::Constraint(_) => (Code::DbConstraint, None),
            Self::File { .. } => (Code::IoError, None),
            Self::Engine(_) => (Code::DbError, None),
        }
    }
}
