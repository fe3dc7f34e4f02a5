//! `ic hook …`: what agents and git call before and after they change files (CO-02).
//!
//! A failure of ours is no reason to keep anybody from working: unless `--strict` says otherwise, it allows.

pub(super) mod commit;
pub(super) mod edit;
pub(super) mod install;
pub(super) mod stop;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Cx, artifact};
use crate::app::caller;
use crate::app::locate::{self, Located};
use crate::app::{Code, Error};
use crate::db::ReadTx;
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::glob::Pattern;
use crate::domain::json::ObjectEnd;
use crate::domain::text::one_line;
use crate::domain::time;
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::ops::coordination::{self, Held, Request};
use crate::os::{paths, stream};
use crate::store::StoreError;

/// How long a hook waits for the database: its caller waits for it, and gives up after five seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a hook waits for its call on stdin, which the caller has at hand when it starts the hook.
const READING: Duration = Duration::from_millis(1500);
/// More of a call is not read.
const MOST_BYTES: usize = 64 << 20;

/// What an agent says of what it is about to do, or has done. The rest of it is nothing to us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    tool_name: Option<String>,
    tool_input: Input,
    /// These three are read as they come: a surprise in them is no reason not to look at the file.
    hook_event_name: Value,
    reason: Value,
    background_tasks: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    file_path: Option<String>,
    notebook_path: Option<String>,
}

impl Call {
    /// Reads a call from stdin, and does not wait for the caller to close it. A name that is not UTF-8 is
    /// read as far as it is.
    fn read() -> Result<Self, Error> {
        let mut end = ObjectEnd::default();
        let read = stream::read_until(std::io::stdin(), MOST_BYTES, READING, |bytes| end.find(bytes));
        let bytes = read.map_err(|err| Error::Input(format!("the call on stdin is not complete: {err}")))?;
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
            .map_err(|err| Error::Input(format!("the call on stdin is not understood: {err}")))
    }

    /// Returns who calls: the agent that the environment names, or the session.
    fn owner(&self) -> Option<String> {
        caller::owner(&crate::app::Environment::Process, self.session_id.as_deref())
    }

    /// Returns whether the call tells of the end of a session, and not of the end of a turn, or of a session
    /// that goes on under another name: the files that it was at work on are still half done then.
    fn ends_session(&self) -> bool {
        self.hook_event_name == "SessionEnd" && self.reason != "clear" && self.reason != "resume"
    }

    /// Returns whether something of the session may still be at work in the background. A task is over only
    /// if it says so.
    fn is_busy(&self) -> bool {
        let over =
            ["completed", "failed", "killed", "stopped", "cancelled", "canceled", "error", "timed_out"];
        match &self.background_tasks {
            Value::Null => false,
            Value::Array(tasks) => {
                tasks.iter().any(|task| task["status"].as_str().is_none_or(|status| !over.contains(&status)))
            }
            _ => true,
        }
    }

    /// The directory that it is in.
    fn cwd(&self) -> Result<PathBuf, Error> {
        let cwd = crate::app::locate::cwd()?;
        Ok(self.cwd.as_ref().map_or_else(|| cwd.clone(), |given| paths::clean(given, &cwd)))
    }

    /// The file that it changes, if it changes one.
    fn file(&self) -> Result<Option<PathBuf>, Error> {
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

/// Returns the scope that a place belongs to: its repository, or else the project that has a database, or the
/// directory that the call is in, if the place lies there. Both paths are without symlinks.
fn scope_of(place: &Path, cwd: &Path) -> Option<PathBuf> {
    let from = if place.is_dir() { Some(place) } else { place.parent() };
    let project = || place.ancestors().find(|dir| dir.join(locate::RELATIVE).exists()).map(Path::to_owned);
    from.and_then(paths::git_top_level)
        .or_else(project)
        .or_else(|| place.starts_with(cwd).then(|| cwd.to_owned()))
}

/// The reservation of one file in its scope.
fn request(owner: &str, scope: &Path, file: &Path, ttl: i64, reason: &str) -> Result<Option<Request>, Error> {
    let (Some(scope_text), Ok(within)) = (scope.to_str(), file.strip_prefix(scope)) else { return Ok(None) };
    let within = within.to_string_lossy();
    if within.is_empty() {
        return Ok(None);
    }
    let pattern = Pattern::of_path(scope_text, &within)
        .map_err(|err| Error::Input(format!("hook: {}: {err}", one_line(&within))))?;
    let held = Held::Paths(if file.is_dir() { pattern } else { pattern.of_file() });
    Ok(Some(Request {
        kind: LockKind::FileReservation,
        owner: owner.to_owned(),
        scope: scope_text.to_owned(),
        held,
        exclusive: true,
        ttl_seconds: Some(ttl),
        at_least: true,
        automatic: true,
        reason: Some(reason.to_owned()),
        dispatch_id: None,
        run_id: None,
        process: None,
    }))
}

/// The lock and the token that the environment says the session works under.
fn fence() -> Result<Option<(String, i64)>, Error> {
    match std::env::var("INTERCORE_FENCE") {
        Ok(text) if !text.is_empty() => {
            artifact::fence(&text).map(Some).map_err(|err| Error::Input(format!("INTERCORE_FENCE: {err}")))
        }
        _ => Ok(None),
    }
}

/// Holds that the lock that the session works under, if it names one, is still its own (CO-17).
fn require_fence(tx: &ReadTx<'_>, fence: Option<&(String, i64)>, stamp: &Stamp) -> Result<(), OpsError> {
    match fence {
        Some((lock, token)) => coordination::verify(tx, lock, *token, stamp).map(drop),
        None => Ok(()),
    }
}

/// Whether an error says that the lock that the session works under is lost.
fn is_fenced(err: &OpsError) -> bool {
    matches!(err, OpsError::LockGone { .. } | OpsError::Store(StoreError::LockNotFound(_)))
}

/// Checks the lock that the session works under in the session's own database, where that is not the one of
/// the file at hand, which `cx` uses. Returns what is left to be checked in the latter: the same, or nothing.
fn require_fence_at_home(
    cx: &mut Cx,
    place: &Located,
    fence: Option<(String, i64)>,
) -> Result<Option<(String, i64)>, Error> {
    let Some((lock, token)) = fence else { return Ok(None) };
    let home = locate::locate(cx)?;
    if home == *place || !home.path.exists() {
        return Ok(Some((lock, token)));
    }
    let stamp = cx.stamp.clone();
    cx.turn_to(home);
    let checked = cx.read(|tx| coordination::verify(tx, &lock, token, &stamp));
    cx.turn_to(place.clone());
    match checked {
        Ok(_) => Ok(None),
        Err(Error::Ops(OpsError::Store(StoreError::LockNotFound(_)))) => Ok(Some((lock, token))),
        Err(err) => Err(err),
    }
}

/// What the agent's user is shown, beside the agent.
#[derive(Serialize)]
struct Notice {
    #[serde(rename = "systemMessage")]
    text: String,
}

/// Returns what the agent's user has to know, because only the user can help: the database and the program do
/// not fit.
fn notice(err: &Error) -> Option<String> {
    [Code::SchemaTooNew, Code::SchemaTooOld].contains(&err.code()).then(|| {
        let hint = err.hint().unwrap_or_default();
        format!("ic: {}: {hint}. Until then, no file is reserved for this agent.", one_line(&err.to_string()))
    })
}

/// Lets an agent go on, and says what went wrong: on stderr, and to its user where that is for the user to
/// mend.
fn fail_open(cx: &Cx, err: &Error) -> Result<Answer, Error> {
    if let Some(text) = notice(err) {
        cx.out.document(&Notice { text })?;
    }
    Ok(shrug(cx, err))
}

/// Says what went wrong, and lets the caller go on.
fn shrug(cx: &Cx, err: &Error) -> Answer {
    cx.out.warn(format_args!("hook: {}", one_line(&err.to_string())));
    Answer::Yes
}

/// Who has a file, for a person or an agent to read.
fn holder(path: &str, lock: &Lock) -> String {
    let reason = lock.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map_or_else(String::new, |reason| format!(", \"{}\"", one_line(reason)));
    let until = lock.expires_at.map_or_else(
        || "until it is released".to_owned(),
        |at| format!("until {}", time::rfc3339(at.saturating_mul(1000))),
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
    cx.options.timeout = cx.options.timeout.min(PATIENCE);
}
