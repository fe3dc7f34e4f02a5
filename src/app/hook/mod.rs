//! Hooks: what agents and git call before and after they change files, and the project's hook of a phase
//! change.
//!
//! Hooks fail open: if `ic` itself fails, the caller goes on, unless it asked for `--strict`.

mod call;
pub(crate) mod edit;
mod fence;
pub(crate) mod install;
pub(crate) mod pre_commit;
pub(crate) mod stop;
pub(crate) mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::locate;
use super::reply::Style;
use super::{Code, CommandContext, Error, Reply};
use crate::domain::coordination::{Lock, LockKind};
use crate::domain::glob::Pattern;
use crate::domain::text::one_line;
use crate::domain::time;
use crate::ops::coordination::{Held, Request};
use crate::os::paths;

/// How long a hook waits for the database. Its caller gives up after five seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The answer to an agent's call, in the form that the agent reads. Without members, the agent goes on.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct HookAnswer {
    /// `block`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(rename = "hookSpecificOutput", skip_serializing_if = "Option::is_none")]
    output: Option<EventOutput>,
    /// Shown to the agent's user, not to the agent.
    #[serde(rename = "systemMessage", skip_serializing_if = "Option::is_none")]
    system_message: Option<String>,
}

/// The part of the answer that depends on the event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EventOutput {
    hook_event_name: &'static str,
    /// `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_decision_reason: Option<String>,
    /// Shown to the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<String>,
}

impl HookAnswer {
    /// Returns an answer that denies an edit.
    fn deny(reason: String, system_message: Option<String>) -> Self {
        let output = EventOutput {
            hook_event_name: "PreToolUse",
            permission_decision: Some("deny"),
            permission_decision_reason: Some(reason.clone()),
            additional_context: None,
        };
        Self { decision: Some("block"), reason: Some(reason), output: Some(output), system_message }
    }

    /// Returns an answer that informs the agent after an edit.
    fn inform(reason: String) -> Self {
        let output = EventOutput {
            hook_event_name: "PostToolUse",
            permission_decision: None,
            permission_decision_reason: None,
            additional_context: Some(reason.clone()),
        };
        Self { decision: Some("block"), reason: Some(reason), output: Some(output), system_message: None }
    }

    /// Returns the answer for a call in which `ic` failed: the agent goes on, and the failure is a warning.
    fn fail_open(cx: &CommandContext, err: &Error) -> Self {
        warn(cx, err);
        Self { system_message: system_message(err), ..Self::default() }
    }

    /// Returns the reply. Agents read JSON whatever was asked for, and take no output for consent.
    fn reply(self) -> Reply<Self> {
        let is_empty = self.decision.is_none() && self.system_message.is_none();
        Reply::yes(self).styled(if is_empty { Style::Silent } else { Style::Json })
    }
}

/// Returns a message for the agent's user, if only the user can help: the database and the program do not
/// fit.
fn system_message(err: &Error) -> Option<String> {
    [Code::SchemaTooNew, Code::SchemaTooOld].contains(&err.code()).then(|| {
        let hint = err.hint().unwrap_or_default();
        format!("ic: {}: {hint}. Until then, no file is reserved for this agent.", one_line(&err.to_string()))
    })
}

/// Warns of a failure that does not stop the caller.
fn warn(cx: &CommandContext, err: &Error) {
    cx.warn(format_args!("hook: {}", one_line(&err.to_string())));
}

/// Gives the call no more time than its caller has.
fn cap_timeout(cx: &mut CommandContext) {
    cx.options.timeout = cx.options.timeout.min(TIMEOUT);
}

/// Returns the scope that a path belongs to: its repository, or else the project that has a database, or
/// the directory of the call, if the path lies there. Both paths are without symlinks.
fn scope_of(path: &Path, cwd: &Path) -> Option<PathBuf> {
    let from = if path.is_dir() { Some(path) } else { path.parent() };
    let project = || path.ancestors().find(|dir| dir.join(locate::RELATIVE).exists()).map(Path::to_owned);
    from.and_then(paths::git_top_level)
        .or_else(project)
        .or_else(|| path.starts_with(cwd).then(|| cwd.to_owned()))
}

/// Returns the reservation of one file in its scope; `None` for the scope itself, and for what does not lie
/// there.
fn reservation(
    owner: &str,
    scope: &Path,
    file: &Path,
    ttl_seconds: i64,
    reason: &str,
) -> Result<Option<Request>, Error> {
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
        ttl_seconds: Some(ttl_seconds),
        at_least: true,
        automatic: true,
        reason: Some(reason.to_owned()),
        dispatch_id: None,
        run_id: None,
        process: None,
    }))
}

/// Returns a sentence that says who holds a file.
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
