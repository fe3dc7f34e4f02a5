//! `ic hook pre-edit`, `ic hook post-edit`

use std::path::Path;

use serde::Serialize;

use super::{
    Call, fail_open, fence, holder, hurry, is_fenced, notice, request, require_fence, require_fence_at_home,
    scope_of,
};
use crate::app::Error;
use crate::app::coordination::Surroundings;
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::app::locate;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::coordination::Lock;
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Asked, Request, Reserved, Turn};
use crate::os::paths;

/// How long a file is held after an edit of it, in seconds.
const HELD: i64 = 900;

/// What is to be told to the agent.
enum Told {
    /// Nothing: it may go on.
    Nothing,
    /// Somebody else has the file.
    Held(Box<Lock>),
    /// The lock that the session works under is not its own any more.
    Fenced(String),
}

/// Reserves the file that the call is about, for its caller.
fn hold(cx: &mut Cx) -> Result<(String, Told), Error> {
    hurry(cx);
    let call = Call::read()?;
    let Some(file) = call.file()? else { return Ok((String::new(), Told::Nothing)) };
    let shown = file.to_string_lossy().into_owned();
    let fence = match fence() {
        Ok(fence) => fence,
        // It cannot be told whether the lock that is meant still holds.
        Err(err) => return Ok((shown, Told::Fenced(err.to_string()))),
    };
    let cwd = paths::canonical_key(&call.cwd()?);
    let place = locate::locate_for(cx, &file, &cwd)?;
    let Some(owner) = call.owner() else {
        // Without a database, nothing is reserved for any caller.
        let unknown = || Err(Error::Input("the call has no usable session_id".to_owned()));
        return if place.path.exists() { unknown() } else { Ok((shown, Told::Nothing)) };
    };
    let Some(scope) = scope_of(&file, &cwd) else { return Ok((shown, Told::Nothing)) };
    let Some(request) = request(&owner, &scope, &file, HELD, "auto-reserve: editing")? else {
        return Ok((shown, Told::Nothing));
    };
    let shown = request.held.text().to_owned();
    let (around, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.stamp.clone());
    let outer = outer(&owner, &scope, &file)?;
    cx.turn_to(place.clone());
    let fence = match require_fence_at_home(cx, &place, fence) {
        Err(Error::Ops(err)) if is_fenced(&err) => return Ok((shown, Told::Fenced(err.to_string()))),
        checked => checked?,
    };
    let done = around.with(|outside| {
        cx.write(|tx| {
            require_fence(tx, fence.as_ref(), &stamp)?;
            for request in &outer {
                let found = coordination::check(tx, &Asked::of(request, None), outside, &stamp)?;
                if let Some(blocker) = found.into_iter().next() {
                    return Ok(Reserved::Conflict { blocker, ticket: None });
                }
            }
            coordination::reserve(tx, &request, &Turn::default(), outside, &stamp)
        })
    });
    if let Ok(path) = cx.existing().map(|db| db.path().to_owned()) {
        warn_if_tracked(cx, &path, Effort::Little);
    }
    Ok(match done {
        Ok(Reserved::Conflict { blocker, .. }) => (shown, Told::Held(Box::new(blocker))),
        Ok(_) => (shown, Told::Nothing),
        Err(Error::Ops(err)) if is_fenced(&err) => (shown, Told::Fenced(err.to_string())),
        // With a fence set, a missing database is a failure: the session's lock cannot be checked.
        Err(Error::Ops(err)) if err.is_missing_database() && fence.is_none() => (shown, Told::Nothing),
        Err(err) => return Err(err),
    })
}

/// The same file in the repositories around its own: a tree of theirs may be held as a whole.
fn outer(owner: &str, scope: &Path, file: &Path) -> Result<Vec<Request>, Error> {
    let mut found = Vec::new();
    let mut above = scope.parent().map(Path::to_owned);
    while let Some(top) = above.take().and_then(|dir| paths::git_top_level(&dir)) {
        found.extend(request(owner, &top, file, HELD, "")?);
        above = top.parent().map(Path::to_owned);
    }
    Ok(found)
}

/// What an agent is told before it edits: both forms that agents know.
#[derive(Serialize)]
struct Denied<'a> {
    decision: &'static str,
    reason: &'a str,
    #[serde(rename = "hookSpecificOutput")]
    specific: Specific<'a>,
    #[serde(rename = "systemMessage", skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Specific<'a> {
    hook_event_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_decision_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<&'a str>,
}

fn deny(cx: &Cx, reason: &str, notice: Option<String>) -> Result<Answer, Error> {
    let specific = Specific {
        hook_event_name: "PreToolUse",
        permission_decision: Some("deny"),
        permission_decision_reason: Some(reason),
        additional_context: None,
    };
    answer(cx, reason, specific, notice)
}

fn report(cx: &Cx, reason: &str) -> Result<Answer, Error> {
    let specific = Specific {
        hook_event_name: "PostToolUse",
        permission_decision: None,
        permission_decision_reason: None,
        additional_context: Some(reason),
    };
    answer(cx, reason, specific, None)
}

fn answer(cx: &Cx, reason: &str, specific: Specific<'_>, notice: Option<String>) -> Result<Answer, Error> {
    cx.out.document(&Denied { decision: "block", reason, specific, notice })?;
    Ok(Answer::Yes)
}

/// Reserve the file that an agent is about to edit
///
/// For an agent's `PreToolUse` hook: the call comes as a JSON object on stdin. Prints nothing and holds the
/// file for 15 minutes, or prints one JSON object that denies the edit and names the owner of the file. The
/// exit code is 0 either way. The reservation is kept in the database nearest above the file. The owner is
/// `INTERMUTE_AGENT_ID`, or else the session. A session that works under a lock names it in
/// `INTERCORE_FENCE`, as LOCK:TOKEN, and edits nothing once that lock is lost.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook pre-edit <call.json")]
pub(in crate::cli) struct PreEdit {
    /// Deny when it cannot be told whether the file is free
    #[arg(long)]
    strict: bool,
}

impl Verb for PreEdit {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        match hold(cx) {
            Ok((_, Told::Nothing)) => Ok(Answer::Yes),
            Ok((path, Told::Held(lock))) => {
                let who = holder(&path, &lock);
                let what = "Work on something else, wait, or ask them to release it.";
                deny(cx, &format!("{who}. {what}"), None)
            }
            Ok((path, Told::Fenced(why))) => {
                deny(cx, &format!("{}: not edited, because {}.", one_line(&path), one_line(&why)), None)
            }
            Err(err) if self.strict => deny(
                cx,
                &format!("It cannot be told whether the file is free: {}.", one_line(&err.to_string())),
                notice(&err),
            ),
            Err(err) => fail_open(cx, &err),
        }
    }
}

/// Hold on to the file that an agent has edited
///
/// For an agent's `PostToolUse` hook: the call comes as a JSON object on stdin. Prints nothing and holds the
/// file for 15 minutes more, or tells the agent that another owner got the file while it was edited.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook post-edit <call.json")]
pub(in crate::cli) struct PostEdit {}

impl Verb for PostEdit {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        match hold(cx) {
            Ok((_, Told::Nothing)) => Ok(Answer::Yes),
            Ok((path, Told::Held(lock))) => {
                let who = holder(&path, &lock);
                report(
                    cx,
                    &format!("The reservation was lost while you edited: {who}. Look at what they change."),
                )
            }
            Ok((path, Told::Fenced(why))) => {
                report(cx, &format!("{} was edited although {}.", one_line(&path), one_line(&why)))
            }
            Err(err) => fail_open(cx, &err),
        }
    }
}
