//! `ic hook pre-commit`

use std::path::PathBuf;

use super::{fence, holder, hurry, is_fenced, request, require_fence, require_fence_at_home, shrug};
use crate::app::Error;
use crate::app::caller;
use crate::app::coordination::Surroundings;
use crate::app::git_exclude::{Effort, databases, warn_if_tracked, way_out};
use crate::app::locate;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::text::{one_line, shell_word};
use crate::ops::OpsError;
use crate::ops::coordination::{self, InTheWay, Request};
use crate::os::{commit, paths};

/// How long the files of a commit would be held, in seconds: none of them is.
const HELD: i64 = 60;

/// Refuse a commit of files that others have reserved
///
/// For git's `pre-commit` hook. Only checks, and holds nothing: the exit code is 1 if another owner has
/// reserved one of the staged files, and stderr names that owner. The caller is `INTERMUTE_AGENT_ID`, else
/// the session of the agent that commits (`CLAUDE_CODE_SESSION_ID`, or the older `CLAUDE_SESSION_ID`), else
/// the committer. A session that works under a lock names it in `INTERCORE_FENCE`, as LOCK:TOKEN, and commits
/// nothing once that lock is lost. A commit that would contain the database is refused too.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic hook pre-commit   # in .git/hooks/pre-commit, or by ic hook install --git"
)]
pub(in crate::cli) struct PreCommit {
    /// Refuse also when it cannot be told whose the files are
    #[arg(long)]
    strict: bool,
}

impl Verb for PreCommit {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let fence = match fence() {
            Ok(fence) => fence,
            // It cannot be told whether the lock that is meant still holds.
            Err(err) => {
                cx.out.remark(format_args!("commit refused: {err}; set it to LOCK:TOKEN, or unset it"));
                return Ok(Answer::No);
            }
        };
        let fenced = fence.is_some();
        match gate(cx, fence) {
            Ok(Gate::Database(path)) => {
                let shown = one_line(&path.display().to_string()).into_owned();
                cx.out.remark(format_args!(
                    "commit refused: {shown} is part of the database of ic, and git would replace it while it is in \
                     use; {}",
                    way_out(&path)
                ));
                Ok(Answer::No)
            }
            Ok(Gate::Reserved(_, blockers)) if blockers.is_empty() => Ok(Answer::Yes),
            Ok(Gate::Reserved(owner, blockers)) => {
                for InTheWay { request, lock } in &blockers {
                    cx.out.remark(format_args!("commit refused: {}", holder(request.held.text(), lock)));
                }
                if let Some(first) = blockers.first() {
                    cx.out.remark(advice(&owner, first));
                }
                Ok(Answer::No)
            }
            Err(Error::Ops(err)) if err.is_missing_database() && !fenced => Ok(Answer::Yes),
            Err(Error::Ops(err)) if is_fenced(&err) => Err(err.into()),
            Err(err) if self.strict => Err(err),
            Err(err) => Ok(shrug(cx, &err)),
        }
    }
}

/// What was found about a commit.
enum Gate {
    /// The caller, and what is in the way of the staged files; nothing if the commit may be made.
    Reserved(String, Vec<InTheWay>),
    /// A database that the commit would contain.
    Database(PathBuf),
}

/// Says how a refused commit can go on.
fn advice(owner: &str, InTheWay { request, lock }: &InTheWay) -> String {
    let waits = format!(
        "ic coordination reserve --owner={} --scope=. --pattern={} --wait=5m --ttl=1m",
        shell_word(owner),
        shell_word(request.held.text())
    );
    format!("ask {} to release it, or wait until it is free and commit again: {waits}", one_line(&lock.owner))
}

/// Checks a commit of what is staged.
fn gate(cx: &mut Cx, fence: Option<(String, i64)>) -> Result<Gate, Error> {
    hurry(cx);
    let failed = |source| Error::File { what: "asking git in", path: PathBuf::from("."), source };
    let top = paths::canonical_key(&commit::top(&cx.cwd()?).map_err(failed)?);
    let place = locate::locate_for(cx, &top, &top)?;
    cx.turn_to(place.clone());
    // A repository without a database has no locks, and gets no database by a commit.
    if !place.path.exists() {
        cx.existing()?;
    }
    cx.writable()?;
    let owner = match caller::owner(&cx.env, None) {
        Some(owner) => owner,
        None => format!("git:{}", commit::committer(&top).map_err(failed)?),
    };
    let staged = commit::staged(&top).map_err(failed)?;
    let located = locate::locate(cx)?.path;
    // What is staged may be its removal, which is the way out.
    let databases = databases(&staged, &top, &located);
    if let Some(path) = commit::in_index(&top, &databases).map_err(failed)?.into_iter().next() {
        return Ok(Gate::Database(path));
    }
    let each = staged.iter().map(|path| request(&owner, &top, &top.join(path), HELD, "commit"));
    let requests: Vec<Request> = each.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let fence = require_fence_at_home(cx, &place, fence)?;
    let database = cx.existing()?.path().to_owned();
    warn_if_tracked(cx, &database, Effort::All);
    let (around, stamp) = (Surroundings::with_foreign_locks(cx)?, cx.stamp.clone());
    let blockers = around.with(|outside| {
        cx.read(|tx| -> Result<_, OpsError> {
            require_fence(tx, fence.as_ref(), &stamp)?;
            coordination::gate(tx, &requests, outside, &stamp)
        })
    })?;
    if !blockers.is_empty() {
        cx.write(|tx| coordination::record_refusals(tx, &blockers, &stamp))?;
    }
    Ok(Gate::Reserved(owner, blockers))
}
