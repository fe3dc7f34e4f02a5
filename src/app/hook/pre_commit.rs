//! Git's hook before a commit.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::fence;
use super::{cap_timeout, holder, reservation, warn};
use crate::app::coordination::{LockAnswer, Surroundings};
use crate::app::git_exclude::{Effort, databases, warn_if_tracked, way_out};
use crate::app::{Code, CommandContext, Error, Reply, caller, locate};
use crate::domain::coordination::Fence;
use crate::domain::text::{one_line, shell_word};
use crate::ops::OpsError;
use crate::ops::coordination::{self, InTheWay, Request};
use crate::os::{git::query, paths};

/// The length of the reservations that are checked, in seconds. None of them is made.
const TTL_SECONDS: i64 = 60;

/// Whether a commit may be made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CommitAnswer {
    pub allowed: bool,
    /// The locks of other owners on staged files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<LockAnswer>,
    /// Why the commit is refused, and how it can go on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

impl CommitAnswer {
    fn allowed() -> Reply<Self> {
        Reply::yes(Self { allowed: true, blockers: Vec::new(), messages: Vec::new() })
    }

    fn refused(blockers: Vec<LockAnswer>, messages: Vec<String>, code: Code) -> Reply<Self> {
        Reply::no(Self { allowed: false, blockers, messages }, code)
    }
}

/// Refuses a commit of files that other owners hold, or of the database itself.
///
/// # Errors
/// [`Error::Ops`] if the session has lost the lock that it works under; with `strict`, any failure.
pub(crate) fn pre_commit(cx: &mut CommandContext, strict: bool) -> Result<Reply<CommitAnswer>, Error> {
    let fence = match fence::of_session(&cx.env) {
        Ok(fence) => fence,
        Err(err) => {
            let message = format!("commit refused: {err}; set it to LOCK:TOKEN, or unset it");
            return Ok(CommitAnswer::refused(Vec::new(), vec![message], Code::FenceUnreadable));
        }
    };
    let is_fenced = fence.is_some();
    match check(cx, fence) {
        Ok(reply) => Ok(reply),
        Err(Error::Ops(err)) if err.is_missing_database() && !is_fenced => Ok(CommitAnswer::allowed()),
        Err(Error::Ops(err)) if fence::is_lost(&err) => Err(err.into()),
        Err(err) if strict => Err(err),
        Err(err) => {
            warn(cx, &err);
            Ok(CommitAnswer::allowed())
        }
    }
}

/// Checks a commit of what is staged.
fn check(cx: &mut CommandContext, fence: Option<Fence>) -> Result<Reply<CommitAnswer>, Error> {
    cap_timeout(cx);
    let failed = |source| Error::File { what: "asking git in", path: PathBuf::from("."), source };
    let top = paths::canonical_key(&query::top(&cx.cwd()?).map_err(failed)?);
    let place = locate::locate_for(cx, &top, &top)?;
    cx.turn_to(place.clone());
    // A repository without a database has no locks, and a commit creates no database.
    if !place.path.exists() {
        cx.existing()?;
    }
    cx.writable()?;
    let owner = match caller::owner(&cx.env, None) {
        Some(owner) => owner,
        None => format!("git:{}", query::committer(&top).map_err(failed)?),
    };
    let staged = query::staged(&top).map_err(failed)?;
    let located = locate::locate(cx)?.path;
    // The removal of a database from the repository may be staged, and must be possible.
    let databases = databases(&staged, &top, &located);
    if let Some(path) = query::in_index(&top, &databases).map_err(failed)?.into_iter().next() {
        let message = format!(
            "commit refused: {} is part of the database of ic, and git would replace it while it is in use; {}",
            one_line(&path.display().to_string()),
            way_out(&path)
        );
        return Ok(CommitAnswer::refused(Vec::new(), vec![message], Code::DatabaseStaged));
    }
    let each = staged.iter().map(|path| reservation(&owner, &top, &top.join(path), TTL_SECONDS, "commit"));
    let requests: Vec<Request> = each.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let fence = fence::require_at_home(cx, &place, fence)?;
    let database = cx.existing()?.path().to_owned();
    warn_if_tracked(cx, &database, Effort::All);
    let (surroundings, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.stamp.clone());
    let blockers = surroundings.with(|outside| {
        cx.read(|tx| -> Result<_, OpsError> {
            fence::require(tx, fence.as_ref(), &stamp)?;
            coordination::gate(tx, &requests, outside, &stamp)
        })
    })?;
    let Some(first) = blockers.first() else { return Ok(CommitAnswer::allowed()) };
    cx.write(|tx| coordination::record_refusals(tx, &blockers, &stamp))?;
    let refusal = |InTheWay { request, lock }: &InTheWay| {
        format!("commit refused: {}", holder(request.held.text(), lock))
    };
    let messages = blockers.iter().map(refusal).chain([advice(&owner, first)]).collect();
    let blockers = blockers.into_iter().map(|blocker| LockAnswer::of_lock(blocker.lock, &stamp)).collect();
    Ok(CommitAnswer::refused(blockers, messages, Code::LockConflict))
}

/// Returns a sentence that says how a refused commit can go on.
fn advice(owner: &str, InTheWay { request, lock }: &InTheWay) -> String {
    let waits = format!(
        "ic coordination reserve --owner={} --scope=. --pattern={} --wait=5m --ttl=1m",
        shell_word(owner),
        shell_word(request.held.text())
    );
    format!("ask {} to release it, or wait until it is free and commit again: {waits}", one_line(&lock.owner))
}
