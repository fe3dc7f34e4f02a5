//! `ic hook pre-commit`

use std::path::PathBuf;

use super::{agent, fence, holder, hurry, is_fenced, request, require_fence, shrug};
use crate::cli::coordination::{Around, word};
use crate::cli::error::CliError;
use crate::cli::keep_out::{Effort, databases, warn_if_tracked, way_out};
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, locate};
use crate::domain::coordination::Lock;
use crate::domain::text::one_line;
use crate::ops::coordination::{self, Request};
use crate::os::{commit, paths};

/// How long the files of a commit are held: until it is made, in seconds.
const HELD: i64 = 60;

/// Refuse a commit of files that others have reserved
///
/// For git's `pre-commit` hook. Reserves all staged files for a minute, or none: exit code 1 if one of them is somebody
/// else's, and who that is. The owner is `INTERMUTE_AGENT_ID`, else `CLAUDE_SESSION_ID`, else whoever commits. A session that
/// works under a lock names it in `INTERCORE_FENCE`, as LOCK:TOKEN, and commits nothing once that lock is lost. A commit that
/// would have the database in it is refused too.
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
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        match gate(cx) {
            Ok(Gate::Database(path)) => {
                let shown = one_line(&path.display().to_string()).into_owned();
                cx.out.remark(format_args!(
                    "commit refused: {shown} is part of the database of ic, and git would replace it while it is in \
                     use; {}",
                    way_out(&path)
                ));
                Ok(Answer::No)
            }
            Ok(Gate::Reserved(blockers)) if blockers.is_empty() => Ok(Answer::Yes),
            Ok(Gate::Reserved(blockers)) => {
                for (path, lock) in &blockers {
                    cx.out.remark(format_args!("commit refused: {}", holder(path, lock)));
                }
                cx.out.remark("wait, or ask them to release it; git commit --no-verify goes past this");
                Ok(Answer::No)
            }
            Err(CliError::Ops(err)) if err.is_missing_database() => Ok(Answer::Yes),
            Err(CliError::Ops(err)) if is_fenced(&err) => Err(err.into()),
            Err(err) if self.strict => Err(err),
            Err(err) => Ok(shrug(cx, &err)),
        }
    }
}

/// What stands in the way of a commit.
enum Gate {
    /// The locks of others on staged files, none if the commit may be made.
    Reserved(Vec<(String, Lock)>),
    /// A database that the commit would have.
    Database(PathBuf),
}

/// Reserves what is staged, unless something stands in its way.
fn gate(cx: &mut Cx) -> Result<Gate, CliError> {
    hurry(cx);
    let failed = |source| CliError::File { what: "asking git in", path: PathBuf::from("."), source };
    let top = paths::canonical_key(&commit::top(&locate::cwd()?).map_err(failed)?);
    let session = std::env::var("CLAUDE_SESSION_ID").ok();
    let owner = match agent().or_else(|| session.and_then(|name| word(&name).ok())) {
        Some(owner) => owner,
        None => format!("git:{}", commit::committer(&top).map_err(failed)?),
    };
    let staged = commit::staged(&top).map_err(failed)?;
    let located = locate::locate(&cx.globals)?.path;
    // What is staged may be its removal, which is the way out.
    let databases = databases(&staged, &top, &located);
    if let Some(path) = commit::in_index(&top, &databases).map_err(failed)?.into_iter().next() {
        return Ok(Gate::Database(path));
    }
    let each = staged.iter().map(|path| request(&owner, &top, &top.join(path), HELD, "commit"));
    let requests: Vec<Request> = each.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let fence = fence()?;
    // Looked for before anything is written: a repository that nobody coordinates is none of our business.
    warn_if_tracked(cx.out, cx.existing()?.path(), Effort::All);
    let (around, stamp) = (Around::look(cx)?, cx.stamp.clone());
    let blockers = around.with(|outside| {
        cx.write(|tx| {
            require_fence(tx, fence.as_ref(), &stamp)?;
            coordination::gate(tx, &requests, outside, &stamp)
        })
    })?;
    let of = |lock: &Lock| {
        let held = coordination::Held::of(lock);
        let path = requests.iter().map(|request| &request.held).find(|staged| staged.meets(&held));
        path.map_or_else(String::new, |held| held.text().to_owned())
    };
    Ok(Gate::Reserved(blockers.into_iter().map(|lock| (of(&lock), lock)).collect()))
}
