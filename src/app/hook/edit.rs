//! The hooks before and after an edit: both reserve the file.

use std::os::fd::BorrowedFd;
use std::path::Path;

use super::call::{HookCall, resolve};
use super::fence;
use super::{HookAnswer, cap_timeout, holder, reservation, scope_of, system_message};
use crate::app::coordination::Surroundings;
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::app::{CommandContext, Error, Reply, locate};
use crate::domain::coordination::Lock;
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Asked, Request, Reserved, Turn};
use crate::os::paths;

/// How long a file is reserved after an edit, in seconds.
const TTL_SECONDS: i64 = 900;

/// The outcome of the reservation of the edited file.
enum Outcome {
    /// The file is reserved, or nothing has to be.
    Clear,
    /// Another owner holds the file.
    Held { path: String, lock: Box<Lock> },
    /// The session has lost the lock that it works under, or names one that cannot be checked.
    FenceLost { path: String, reason: String },
}

/// Answers the call before an edit: denies it if another owner holds the file, and with `strict` also if
/// that cannot be checked.
pub(crate) fn pre_edit(cx: &mut CommandContext, stdin: BorrowedFd<'_>, strict: bool) -> Reply<HookAnswer> {
    let answer = match reserve(cx, stdin) {
        Ok(Outcome::Clear) => HookAnswer::default(),
        Ok(Outcome::Held { path, lock }) => {
            let advice = "Work on something else, wait, or ask them to release it.";
            HookAnswer::deny(format!("{}. {advice}", holder(&path, &lock)), None)
        }
        Ok(Outcome::FenceLost { path, reason }) => {
            let reason = format!("{}: not edited, because {}.", one_line(&path), one_line(&reason));
            HookAnswer::deny(reason, None)
        }
        Err(err) if strict => {
            let reason =
                format!("It cannot be told whether the file is free: {}.", one_line(&err.to_string()));
            HookAnswer::deny(reason, system_message(&err))
        }
        Err(err) => HookAnswer::fail_open(cx, &err),
    };
    answer.reply()
}

/// Answers the call after an edit: informs the agent if another owner got the file in the meantime.
pub(crate) fn post_edit(cx: &mut CommandContext, stdin: BorrowedFd<'_>) -> Reply<HookAnswer> {
    let answer = match reserve(cx, stdin) {
        Ok(Outcome::Clear) => HookAnswer::default(),
        Ok(Outcome::Held { path, lock }) => {
            let holder = holder(&path, &lock);
            HookAnswer::inform(format!(
                "The reservation was lost while you edited: {holder}. Look at what they change."
            ))
        }
        Ok(Outcome::FenceLost { path, reason }) => {
            HookAnswer::inform(format!("{} was edited although {}.", one_line(&path), one_line(&reason)))
        }
        Err(err) => HookAnswer::fail_open(cx, &err),
    };
    answer.reply()
}

/// Reserves the file of the call for its caller.
fn reserve(cx: &mut CommandContext, stdin: BorrowedFd<'_>) -> Result<Outcome, Error> {
    cap_timeout(cx);
    let call = HookCall::read(stdin)?;
    let Some(edited) = call.edited_file() else { return Ok(Outcome::Clear) };
    let cwd = call.cwd(cx)?;
    let file = resolve(edited, &cwd);
    let lost = |path: String, reason: String| Ok(Outcome::FenceLost { path, reason });
    let fence = match fence::of_session(&cx.env) {
        Ok(fence) => fence,
        Err(err) => return lost(file.to_string_lossy().into_owned(), err.to_string()),
    };
    let cwd = paths::canonical_key(&cwd);
    let place = locate::locate_for(cx, &file, &cwd)?;
    let Some(owner) = call.owner(cx) else {
        // Without a database, nothing is reserved for any caller.
        let unknown = || Err(Error::Input("the call has no usable session_id".to_owned()));
        return if place.path.exists() { unknown() } else { Ok(Outcome::Clear) };
    };
    let Some(scope) = scope_of(&file, &cwd) else { return Ok(Outcome::Clear) };
    let Some(request) = reservation(&owner, &scope, &file, TTL_SECONDS, "auto-reserve: editing")? else {
        return Ok(Outcome::Clear);
    };
    let (surroundings, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.stamp.clone());
    let outer = outer_reservations(&owner, &scope, &file)?;
    cx.turn_to(place.clone());
    let path = || request.held.text().to_owned();
    let fence = match fence::require_at_home(cx, &place, fence) {
        Err(Error::Ops(err)) if fence::is_lost(&err) => return lost(path(), err.to_string()),
        checked => checked?,
    };
    let done = surroundings.with(|outside| {
        cx.write(|tx| {
            fence::require(tx, fence.as_ref(), &stamp)?;
            for request in &outer {
                let found = coordination::check(tx, &Asked::of(request, None), outside, &stamp)?;
                if let Some(blocker) = found.into_iter().next() {
                    return Ok(Reserved::Conflict { blocker, ticket: None });
                }
            }
            coordination::reserve(tx, &request, &Turn::default(), outside, &stamp)
        })
    });
    if let Ok(database) = cx.existing().map(|db| db.path().to_owned()) {
        warn_if_tracked(cx, &database, Effort::Little);
    }
    match done {
        Ok(Reserved::Conflict { blocker, .. }) => Ok(Outcome::Held { path: path(), lock: Box::new(blocker) }),
        Ok(_) => Ok(Outcome::Clear),
        Err(Error::Ops(err)) if fence::is_lost(&err) => lost(path(), err.to_string()),
        // With a fence set, a missing database is a failure: the session's lock cannot be checked.
        Err(Error::Ops(err)) if err.is_missing_database() && fence.is_none() => Ok(Outcome::Clear),
        Err(err) => Err(err),
    }
}

/// Returns the reservations of the same file in the repositories around its own: another owner may hold the
/// whole tree there.
fn outer_reservations(owner: &str, scope: &Path, file: &Path) -> Result<Vec<Request>, Error> {
    let mut found = Vec::new();
    let mut above = scope.parent().map(Path::to_owned);
    while let Some(top) = above.take().and_then(|dir| paths::git_top_level(&dir)) {
        found.extend(reservation(owner, &top, file, TTL_SECONDS, "")?);
        above = top.parent().map(Path::to_owned);
    }
    Ok(found)
}
