//! Failures of a command: one stable code, one exit code and, where it helps, a hint, all decided in one place.

mod class;
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
use class::Classified;

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
    /// An escalation chain without a stronger model left to try.
    #[error("escalation chain exhausted: {chain}")]
    ChainExhausted {
        chain: String,
        /// The file that lists the failed attempts.
        lesson_file: PathBuf,
    },
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
            Self::ChainExhausted { .. } => (Code::ChainExhausted, None),
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

    /// Returns what the reader can do next, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Task(failure) => Some(failure.hint.clone()),
            Self::ChainExhausted { lesson_file, .. } => {
                Some(format!("{} lists the failed attempts", lesson_file.display()))
            }
            _ => self.class().1.map(ToOwned::to_owned),
        }
    }

    /// Returns the failure as one JSON object. A secret in what was typed is not repeated.
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
        // The message may repeat what the caller typed, which must not steer the terminal or show a secret.
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

impl OpsError {
    /// Checks whether there is no database file, as opposed to a bad one.
    pub(crate) fn is_missing_database(&self) -> bool {
        matches!(self, Self::Store(StoreError::Db(DbError::Missing(_))))
    }
}
