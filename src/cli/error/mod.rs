//! Failures of a command: one stable code, one exit code and, where it helps, a hint, all decided in one place.

mod codes;
mod routing;

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::db::DbError;
use crate::domain::secret::redact_message;
use crate::domain::text::one_line;
use crate::ops::OpsError;
use crate::os::git::GitError;
use crate::store::StoreError;

pub use codes::ERRORS;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The command line is wrong; nothing was touched.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// The argument parser refuses the command line.
    #[error("{}", clap_message(.0))]
    Parser(Box<clap::Error>),
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
pub(super) struct TaskFailure {
    /// Whether the files are at fault, or their writing.
    pub failed: bool,
    /// Which task, and what did not happen.
    pub message: String,
    /// Everything that is wrong.
    pub problems: Vec<String>,
    /// Where to look.
    pub hint: String,
}

impl From<StoreError> for CliError {
    fn from(err: StoreError) -> Self {
        Self::Ops(err.into())
    }
}

impl From<DbError> for CliError {
    fn from(err: DbError) -> Self {
        Self::Ops(err.into())
    }
}

impl From<clap::Error> for CliError {
    fn from(err: clap::Error) -> Self {
        Self::Parser(Box::new(err))
    }
}

impl CliError {
    /// A usage error without a hint.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// The process exit code.
    pub(super) fn exit(&self) -> u8 {
        let code = self.code();
        ERRORS.iter().find(|(known, ..)| *known == code).map_or(2, |(_, exit, _)| *exit)
    }

    /// Stable identifier and hint: one row per case.
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Usage { .. } | Self::Parser(_) => ("usage", None),
            Self::DbPath(_) => ("db_path", Some("set INTERCORE_DB to use a database elsewhere")),
            Self::DbUrl { .. } => ("db_path", Some("name a file, or unset it to use the project's database")),
            Self::NoCurrentRun(_) => ("no_current_run", Some("`ic run create --goal=…` starts one")),
            Self::NoTasks(_) => ("task_dir_not_found", Some("--dir names it")),
            Self::NoTask(_) => ("task_not_found", Some("`ic task list` shows them")),
            Self::Task(failure) => (if failure.failed { "task_failed" } else { "task_refused" }, None),
            Self::NotStarted(_) => ("spawn_failed", None),
            Self::Rejected(..) => ("spawn_rejected", Some("wait for others to end, or raise the limit")),
            Self::NoProcess(_) => ("process_not_found", None),
            Self::ChainBroken(_) => {
                ("event_chain_broken", Some("keep the file as it is and compare it with a backup"))
            }
            Self::DiskNearlyFull(..) => ("db_full", Some("free some space beside the database")),
            Self::Input(_) => ("invalid_input", None),
            Self::File { .. } => ("io_error", None),
            Self::Output(_) => ("output_failed", None),
            Self::Unexpected(_) => ("internal", None),
            Self::Git(err) => err.class(),
            Self::Ops(err) => err.class(),
        }
    }

    /// The stable identifier.
    pub(super) fn code(&self) -> &'static str {
        self.class().0
    }

    /// What helps, if that is known.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Task(failure) => Some(failure.hint.clone()),
            Self::Parser(err) => clap_hint(err),
            _ => self.class().1.map(ToOwned::to_owned),
        }
    }

    /// The failure as one JSON object. A secret in what was typed is not repeated (K-16).
    pub(super) fn to_json(&self) -> serde_json::Value {
        let causes: Vec<_> = self.causes().iter().map(|cause| redact_message(cause).into_owned()).collect();
        let message = self.to_string();
        let mut error = json!({ "code": self.code(), "message": redact_message(&message), "causes": causes });
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
    pub(super) fn human(&self, w: &mut dyn Write) -> io::Result<()> {
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
    fn class(&self) -> (&'static str, Option<&'static str>);
}

impl Classified for OpsError {
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::TerminalPhase(_) => ("terminal_phase", None),
            Self::PhaseNotInChain { .. } | Self::StoredMetadata(_) | Self::IdempotencyAnswer(_) => {
                ("run_data", None)
            }
            Self::NotBehind { .. } => ("not_behind", Some("`ic run status` shows the run's phase and chain")),
            Self::NotRollable(_) | Self::OnlyMetadata(_) => ("run_terminal", None),
            Self::SkipNotInChain(_) | Self::SkipNotAhead { .. } | Self::SkipTerminal(_) => {
                ("skip_refused", None)
            }
            Self::NotSkipped(_) => ("not_skipped", None),
            Self::NotARollback(..) => {
                ("not_a_rollback", Some("`ic phase history` lists the events of a run"))
            }
            Self::UndoBlocked { .. } => ("undo_blocked", None),
            Self::AgentOfOtherRun { .. } => ("agent_not_found", None),
            Self::CursorExpired { .. } => (
                "cursor_expired",
                Some(
                    "`ic events cursor register` goes on where it stopped, `ic events cursor reset` starts again",
                ),
            ),
            Self::CursorAhead { .. } => (
                "cursor_ahead",
                Some(
                    "`ic events cursor set --force` goes on from another position, `ic events cursor reset` starts again",
                ),
            ),
            Self::CursorRewind { .. } => {
                ("cursor_rewind", Some("--force goes back: what lies between is told again"))
            }
            Self::SpawnRejected => ("spawn_rejected", None),
            Self::Deadlock(_) => ("deadlock", Some("give back what the others wait for, then reserve again")),
            Self::MirrorConflict(_) => ("mirror_conflict", None),
            Self::LockOwner { .. } => ("lock_owner", None),
            Self::LockGone { .. } => ("lock_gone", Some("reserve again")),
            Self::LockLimit { .. } => {
                ("lock_limit", Some("release some, or hold a wider pattern instead of many"))
            }
            Self::NotRetryable { .. } => {
                ("not_retryable", Some("only a failed or timed out dispatch takes another attempt, and one"))
            }
            Self::Chain(_) => ("invalid_input", Some("choose another --chain-key")),
            Self::LogDiverged(_) => ("log_diverged", Some("import into a new database")),
            Self::Record(_) => ("usage", None),
            Self::SealedMetadata(_) => (
                "usage",
                Some("leave that member as it is; another run can be created with other requirements"),
            ),
            Self::EvidenceUnread(_) => {
                ("evidence_required", Some("`ic run advance` compares and moves the run"))
            }
            Self::IdempotencyConflict(_) => {
                ("idempotency_conflict", Some("choose a new key for new arguments"))
            }
            Self::ImportMismatch { .. } => {
                ("import_mismatch", Some("nothing was changed; please report it, and keep the old database"))
            }
            Self::Routing(err) => err.class(),
            Self::Store(err) => err.class(),
        }
    }
}

impl Classified for StoreError {
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::RunNotFound(_) => ("run_not_found", None),
            Self::AgentNotFound(_) => ("agent_not_found", None),
            Self::ArtifactNotFound(_) => {
                ("artifact_not_found", Some("`ic artifact list` shows the artifacts of a run"))
            }
            Self::DispatchNotFound(_) => ("dispatch_not_found", None),
            Self::LockNotFound(_) => ("lock_not_found", None),
            Self::CursorNotFound(_) => ("cursor_not_found", Some("`ic events cursor list` shows them")),
            Self::ChainBroken(_) => {
                ("event_chain_broken", Some("keep the file as it is and compare it with a backup"))
            }
            Self::EventNotFound(_) => ("event_not_found", None),
            Self::ActionNotFound => ("action_not_found", None),
            Self::DuplicateAction => ("duplicate_action", None),
            Self::StalePhase { .. } => ("stale_phase", Some("re-read the run and decide again")),
            Self::Terminal { .. } => ("run_terminal", None),
            Self::Id(_) => ("internal", None),
            Self::Db(err) => err.class(),
        }
    }
}

impl Classified for DbError {
    fn class(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Busy => ("db_busy", Some("raise --timeout")),
            Self::Missing(_) | Self::NotInitialised(_) => ("db_not_initialised", Some("run `ic init`")),
            Self::SchemaTooOld { .. } => {
                ("schema_too_old", Some("run `ic init` to migrate it; a backup is made first"))
            }
            Self::SchemaTooNew { .. } | Self::GoTooNew { .. } => ("schema_too_new", Some("upgrade ic")),
            Self::Foreign { .. } => ("db_foreign", Some("choose another file with --db or INTERCORE_DB")),
            Self::GoProgram { .. } => (
                "db_foreign",
                Some(
                    "`ic import` moves what it holds into a new database; or choose another file with --db or INTERCORE_DB",
                ),
            ),
            Self::NoSource(_) | Self::NotGo(_) => {
                ("import_source", Some("name a database of the Go program with --from=FILE"))
            }
            Self::Occupied(_) => (
                "import_occupied",
                Some("nothing was changed; import into another place with --db or INTERCORE_DB"),
            ),
            Self::NotADatabase(_) => (
                "db_foreign",
                Some("move it aside and run `ic init`, or put a backup in its place with `ic restore`"),
            ),
            Self::Corrupt(_) | Self::Decode { .. } => {
                ("db_corrupt", Some("go back to a backup with `ic restore`, which keeps the damaged file"))
            }
            Self::Altered(_) => ("db_schema", Some("compare it with a backup")),
            Self::Unusable { .. } => ("backup_unusable", Some("nothing was changed; try another backup")),
            Self::Exists(_) => ("file_exists", Some("choose another name, or move the file away")),
            Self::Moved(_) => ("db_moved", Some("call again: it is the new file that counts")),
            Self::InUse(_) => {
                ("db_in_use", Some("end the processes that use it, then restore again; nothing was changed"))
            }
            Self::Symlink(_) => ("db_symlink", Some("put the database itself in that place")),
            Self::OrphanLog(_) => {
                ("db_corrupt", Some("move the log aside, or put its database back beside it"))
            }
            Self::Full => ("db_full", Some("free some space; nothing was changed")),
            Self::NoSpace { .. } => {
                ("db_full", Some("free some space or raise the limit (`ulimit -f`), then call again"))
            }
            Self::Disk(_) => (
                "db_error",
                Some("nothing was changed; check the disk, its free space and `ulimit -f`, then call again"),
            ),
            Self::InDoubt(_) => (
                "db_in_doubt",
                Some("check the disk, then look whether the change is there before you call again"),
            ),
            Self::TooManyFiles => ("io_error", Some("raise the limit (`ulimit -n`), then call again")),
            Self::ReadOnly(_) => (
                "db_read_only",
                Some(
                    "the database's directory must be writable, also for reading: SQLite keeps its log there",
                ),
            ),
            Self::Denied { .. } => ("db_read_only", None),
            Self::Constraint(_) => ("db_constraint", None),
            Self::File { .. } => ("io_error", None),
            Self::Engine(_) => ("db_error", None),
        }
    }
}

impl OpsError {
    /// Whether there is no database file, as opposed to a bad one.
    pub(super) fn is_missing_database(&self) -> bool {
        matches!(self, Self::Store(StoreError::Db(DbError::Missing(_))))
    }
}

/// The first paragraph of what the parser says, without its own prefix.
fn clap_message(err: &clap::Error) -> String {
    let text = err.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let first = text.split("\n\n").next().unwrap_or(text);
    first.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The rest of what the parser says: suggestions and the usage line.
fn clap_hint(err: &clap::Error) -> Option<String> {
    let text = err.render().to_string();
    let rest = text.split("\n\n").skip(1);
    let parts: Vec<String> = rest.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let parts: Vec<String> =
        parts.into_iter().filter(|part| !part.is_empty() && !part.starts_with("For more")).collect();
    (!parts.is_empty()).then(|| parts.join("; ").trim_start_matches("tip: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-06
    #[test]
    fn codes_are_listed_in_order_and_once() {
        assert!(ERRORS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ERRORS.iter().all(|(_, exit, meaning)| (1..=3).contains(exit) && !meaning.is_empty()));
    }

    /// K-06: the exhaustive matches above decide; this holds that what they decide is listed.
    #[test]
    fn every_code_in_this_file_is_listed() {
        let source = [include_str!("mod.rs"), include_str!("routing.rs")].map(|source| {
            let (_, matches) = source.split_once("fn class(&self)").unwrap();
            matches.split("#[cfg(test)]").next().unwrap()
        });
        let matches = source.concat();
        for code in matches.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let plain = !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(!plain || ERRORS.iter().any(|(known, ..)| *known == code), "{code}");
        }
    }
}
