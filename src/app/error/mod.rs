//! Failures of a command: one stable code, one exit code and, where it helps, a hint, all decided in one place.

mod interspect;

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::Code;
use crate::db::DbError;
use crate::domain::secret::redact_message;
use crate::domain::text::one_line;
use crate::ops::OpsError;
use crate::os::git::GitError;
use crate::store::StoreError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is wrong; nothing was touched.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// A `--db` path that leads out of the working directory, or is none.
    #[error("{0}")]
    DbPath(String),
    /// A URL in place of the database's path.
    #[error("{name} names a {scheme}:// server, and databases are files")]
    DbUrl {
        /// Which flag or variable has it.
        name: &'static str,
        /// The scheme alone: the rest may hold a password.
        scheme: String,
    },
    /// The project has no active run.
    #[error("no active run for project {0}")]
    NoCurrentRun(String),
    /// There is no such process.
    #[error("no process {0} to record")]
    NoProcess(i64),
    /// No task files where they were looked for.
    #[error("no TODO.md and no state.json: {0} is not a directory of tasks")]
    NoTasks(String),
    /// Neither file has this task.
    #[error("no task {0}")]
    NoTask(u64),
    /// A task that is not as it should be, or was not changed.
    #[error("{}", .0.message)]
    Task(Box<TaskFailure>),
    /// A child that could not be started.
    #[error("spawn: start process: {0}")]
    NotStarted(String),
    /// A child that a limit forbids.
    #[error("spawn rejected: {0} (current={1}, limit={2})")]
    Rejected(&'static str, i64, i64),
    /// The hash chain or the log's head is not what was written.
    #[error("the event log does not verify: {0}")]
    ChainBroken(String),
    /// The directory of the database is nearly full.
    #[error("disk full: {0} bytes available (need {1})")]
    DiskNearlyFull(u64, u64),
    /// The content of a file or of stdin is wrong.
    #[error("{0}")]
    Input(String),
    /// A file operation failed.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// stdout could not be written.
    #[error("writing the result: {0}")]
    Output(io::Error),
    /// Git said no.
    #[error("{0}")]
    Git(#[from] GitError),
    /// A use case, a store or the engine said no.
    #[error(transparent)]
    Ops(#[from] OpsError),
    /// Something that should not happen.
    #[error("{0:#}")]
    Unexpected(#[from] anyhow::Error),
}

/// What is wrong with a task.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    /// Whether the files are at fault, or their writing.
    pub failed: bool,
    /// Which task, and what did not happen.
    pub message: String,
    /// Everything that is wrong.
    pub problems: Vec<String>,
    /// Where to look.
    pub hint: String,
}

impl From<StoreError> for Error {
    fn from(err: StoreError) -> Self {
        Self::Ops(err.into())
    }
}

impl From<DbError> for Error {
    fn from(err: DbError) -> Self {
        Self::Ops(err.into())
    }
}

impl Error {
    /// A usage error without a hint.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// The process exit code.
    pub(crate) fn exit(&self) -> u8 {
        self.code().exit()
    }

    /// Stable identifier and hint: one row per case.
    fn class(&self) -> (Code, Option<&'static str>) {
        match self {
            Self::Usage { .. } => (Code::Usage, None),
            Self::DbPath(_) => (Code::DbPath, Some("set INTERCORE_DB to use a database elsewhere")),
            Self::DbUrl { .. } => {
                (Code::DbPath, Some("name a file, or unset it to use the project's database"))
            }
            Self::NoCurrentRun(_) => (Code::NoCurrentRun, Some("`ic run create --goal=…` starts one")),
            Self::NoTasks(_) => (Code::TaskDirNotFound, Some("--dir names it")),
            Self::NoTask(_) => (Code::TaskNotFound, Some("`ic task list` shows them")),
            Self::Task(failure) => (if failure.failed { Code::TaskFailed } else { Code::TaskRefused }, None),
            Self::NotStarted(_) => (Code::SpawnFailed, None),
            Self::Rejected(..) => (Code::SpawnRejected, Some("wait for others to end, or raise the limit")),
            Self::NoProcess(_) => (Code::ProcessNotFound, None),
            Self::ChainBroken(_) => {
                (Code::EventChainBroken, Some("keep the file as it is and compare it with a backup"))
            }
            Self::DiskNearlyFull(..) => (Code::DbFull, Some("free some space beside the database")),
            Self::Input(_) => (Code::InvalidInput, None),
            Self::File { .. } => (Code::IoError, None),
            Self::Output(_) => (Code::OutputFailed, None),
            Self::Unexpected(_) => (Code::Internal, None),
            Self::Git(err) => err.class(),
            Self::Ops(err) => err.class(),
        }
    }

    /// The stable identifier.
    pub(crate) fn code(&self) -> Code {
        self.class().0
    }

    /// What helps, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Task(failure) => Some(failure.hint.clone()),
            _ => self.class().1.map(ToOwned::to_owned),
        }
    }

    /// The failure as one JSON object. A secret in what was typed is not repeated (K-16).
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let causes: Vec<_> = self.causes().iter().map(|cause| redact_message(cause).into_owned()).collect();
        let message = self.to_string();
        let mut error =
            json!({ "code": self.code().as_str(), "message": redact_message(&message), "causes": causes });
        if let Some(hint) = self.hint() {
            error["hint"] = redact_message(&hint).into();
        }
        json!({ "error": error })
    }

    fn causes(&self) -> Vec<String> {
        if let Self::Task(failure) = self {
            return failure.problems.clone();
        }
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(self);
        let shown = self.to_string();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        // Transparent wrappers repeat their content.
        causes.retain(|cause| !shown.contains(cause.as_str()));
        causes
    }

    /// The failure for people.
    pub(crate) fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        // What a caller typed may come back in the message: it must not steer the terminal (K-08), nor show a secret (K-16).
        writeln!(w, "ic: {}", one_line(&redact_message(&self.to_string())))?;
        for cause in self.causes() {
            writeln!(w, "  because: {}", one_line(&redact_message(&cause)))?;
        }
        match self.hint() {
            Some(hint) => writeln!(w, "hint: {}", one_line(&redact_message(&hint))),
            None => Ok(()),
        }
    }
}

/// An error of a lower layer that has its row in the table.
trait Classified {
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
            Self::Routing(err) => err.class(),
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

impl OpsError {
    /// Whether there is no database file, as opposed to a bad one.
    pub(crate) fn is_missing_database(&self) -> bool {
        matches!(self, Self::Store(StoreError::Db(DbError::Missing(_))))
    }
}
