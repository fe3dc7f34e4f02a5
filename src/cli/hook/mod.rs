//! `ic hook …`: what agents and git call before and after they change files (CO-02).
//!
//! A failure of ours is no reason to keep anybody from working: unless `--strict` says otherwise, it allows.

pub(super) mod commit;
pub(super) mod edit;
pub(super) mod install;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::coordination::word;
use super::error::CliError;
use super::{Answer, Cx, artifact, locate, output};
use crate::db::WriteTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::glob::Pattern;
use crate::domain::text::one_line;
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::ops::coordination::{self, Held, Request};
use crate::os::paths;
use crate::store::StoreError;

/// How long a hook waits for the database: its caller waits for it, and gives up after five seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// More of a call is not read.
const MOST_BYTES: u64 = 64 << 20;

/// What an agent says of what it is about to do, or has done. The rest of it is nothing to us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    tool_name: Option<String>,
    tool_input: Input,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    file_path: Option<String>,
    notebook_path: Option<String>,
}

impl Call {
    /// Reads a call from stdin. A name that is no UTF-8 is read as far as it is.
    fn read() -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes);
        read.map_err(|source| CliError::File { what: "reading", path: PathBuf::from("stdin"), source })?;
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
            .map_err(|err| CliError::Input(format!("the call on stdin is not understood: {err}")))
    }

    /// Who calls: the agent that the environment names, or the session.
    fn owner(&self) -> Option<String> {
        agent().or_else(|| self.session_id.as_ref().and_then(|name| word(name).ok()))
    }

    /// The directory that it is in.
    fn cwd(&self) -> Result<PathBuf, CliError> {
        let cwd = locate::cwd()?;
        Ok(self.cwd.as_ref().map_or_else(|| cwd.clone(), |given| paths::clean(given, &cwd)))
    }

    /// The file that it changes, if it changes one.
    fn file(&self) -> Result<Option<PathBuf>, CliError> {
        let edits = ["Edit", "Write", "MultiEdit", "NotebookEdit"];
        if self.tool_name.as_deref().is_some_and(|tool| !edits.contains(&tool)) {
            return Ok(None);
        }
        let Input { file_path, notebook_path } = &self.tool_input;
        let given = file_path.as_ref().or(notebook_path.as_ref()).filter(|path| !path.is_empty());
        let cwd = self.cwd()?;
        Ok(given.map(|path| {
            // As the system would go, also where `..` follows a symlink; what is not there yet as it is written.
            let asked = cwd.join(path);
            let there = asked.parent().zip(asked.file_name());
            let there = there.and_then(|(dir, name)| Some(dir.canonicalize().ok()?.join(name)));
            paths::canonical_key(&there.unwrap_or_else(|| paths::clean(Path::new(path), &cwd)))
        }))
    }
}

/// The agent that the environment names.
fn agent() -> Option<String> {
    std::env::var("INTERMUTE_AGENT_ID").ok().and_then(|name| word(&name).ok())
}

/// The scope that a place belongs to: its repository, or else the project that has a database, or the directory that the call
/// is in, if the place lies there.
fn scope_of(place: &Path, cwd: &Path) -> Option<PathBuf> {
    let from = if place.is_dir() { Some(place) } else { place.parent() };
    let cwd = paths::canonical_key(cwd);
    let project = || place.ancestors().find(|dir| dir.join(locate::RELATIVE).exists()).map(Path::to_owned);
    from.and_then(paths::git_top_level).or_else(project).or_else(|| place.starts_with(&cwd).then_some(cwd))
}

/// The reservation of one file in its scope.
fn request(
    owner: &str,
    scope: &Path,
    file: &Path,
    ttl: i64,
    reason: &str,
) -> Result<Option<Request>, CliError> {
    let (Some(scope_text), Ok(within)) = (scope.to_str(), file.strip_prefix(scope)) else { return Ok(None) };
    let within = within.to_string_lossy();
    if within.is_empty() {
        return Ok(None);
    }
    let pattern = Pattern::of_path(scope_text, &within)
        .map_err(|err| CliError::Input(format!("hook: {}: {err}", one_line(&within))))?;
    let held = Held::Paths(if file.is_dir() { pattern } else { pattern.of_file() });
    Ok(Some(Request {
        kind: LockKind::FileReservation,
        owner: owner.to_owned(),
        scope: scope_text.to_owned(),
        held,
        exclusive: true,
        ttl_seconds: Some(ttl),
        at_least: true,
        reason: Some(reason.to_owned()),
        dispatch_id: None,
        run_id: None,
        process: None,
    }))
}

/// The lock and the token that the environment says the session works under.
fn fence() -> Result<Option<(String, i64)>, CliError> {
    match std::env::var("INTERCORE_FENCE") {
        Ok(text) if !text.is_empty() => {
            artifact::fence(&text).map(Some).map_err(|err| CliError::Input(format!("INTERCORE_FENCE: {err}")))
        }
        _ => Ok(None),
    }
}

/// Holds that the lock that the session works under, if it names one, is still its own (CO-17).
fn require_fence(tx: &WriteTx<'_>, fence: Option<&(String, i64)>, stamp: &Stamp) -> Result<(), OpsError> {
    match fence {
        Some((lock, token)) => coordination::verify(tx, lock, *token, stamp).map(drop),
        None => Ok(()),
    }
}

/// Whether an error says that the lock that the session works under is lost.
fn is_fenced(err: &OpsError) -> bool {
    matches!(err, OpsError::LockGone { .. } | OpsError::Store(StoreError::LockNotFound(_)))
}

/// Says what went wrong, and lets the caller go on.
fn shrug(cx: &Cx, err: &CliError) -> Answer {
    cx.out.warn(format_args!("hook: {}", one_line(&err.to_string())));
    Answer::Yes
}

/// Who has a file, for a person or an agent to read.
fn holder(path: &str, lock: &Lock) -> String {
    let reason = lock.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map_or_else(String::new, |reason| format!(", \"{}\"", one_line(reason)));
    let until = lock.expires_at.map_or_else(
        || "until it is released".to_owned(),
        |at| format!("until {}", output::rfc3339(at.saturating_mul(1000))),
    );
    format!(
        "{} is reserved by {} ({}{reason}, {until})",
        one_line(path),
        one_line(&lock.owner),
        one_line(&lock.pattern)
    )
}

/// Gives the call no more time than its caller has.
fn hurry(cx: &mut Cx) {
    cx.globals.timeout = cx.globals.timeout.min(PATIENCE);
}
