//! One attempt at a change: plan it on the present file, commit it, replace the file, record it.

use std::thread;
use std::time::{Duration, Instant};

use super::change::{ChangeOptions, Outcome};
use super::quarantine;
use super::repo::OverrideRepo;
use crate::app::{CommandContext, Error};
use crate::db::crash_point;
use crate::domain::interspect::file::Overrides;
use crate::domain::process::ProcessKey;
use crate::domain::secret::redact_message;
use crate::domain::time::rfc3339_seconds;
use crate::ops::interspect::{self, Change, Facts, IntentDetail, Plan};
use crate::os::atomic::Replacement;
use crate::os::git::{self, Content, GitError, Hooks, Step};
use crate::store::intent::Intent;

/// The trailer of the commits of this program, by which they are found again.
pub(super) const TRAILER: &str = "Intercore-Intent";
/// The time that a hook of the user's repository may take.
const HOOK_TIMEOUT: Duration = Duration::from_mins(2);
/// The time in which another process may commit what it has written: editors write first and commit then.
const SETTLE_TIMEOUT: Duration = Duration::from_millis(300);
const SETTLE_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The number of attempts to merge the change into a file that is being edited.
const MAX_MERGES: usize = 10;

/// A change under way.
pub(super) struct Job<'a> {
    pub repo: &'a OverrideRepo,
    pub options: &'a ChangeOptions,
    pub change: &'a Change,
    pub process: &'a ProcessKey,
    /// The id of the lock that is held.
    pub lock: &'a str,
}

/// The result of an attempt.
pub(super) enum Attempt {
    /// The change is made, or there is nothing to do.
    Done(Outcome),
    /// The file is no longer the one that the change was planned on. Nothing has changed.
    Outdated(GitError),
}

/// Plans a change on the present file, commits it and records it. Only the first attempt warns.
pub(super) fn attempt(
    cx: &mut CommandContext,
    job: &Job<'_>,
    propose_first: bool,
    is_first: bool,
) -> Result<Attempt, Error> {
    let repo = job.repo;
    let stamp = cx.now();
    let window = repo.thresholds.canary_window_days.saturating_mul(24 * 3600);
    let facts = Facts {
        scope: repo.top.clone(),
        path: repo.path.clone(),
        file: repo.read()?,
        base: repo.repo.head()?,
        thresholds: repo.thresholds.clone(),
        propose_first,
        quarantine: quarantine(&cx.env),
        now: rfc3339_seconds(stamp.secs()),
        window_ends: rfc3339_seconds(stamp.secs().saturating_add(window)),
    };
    let plan = cx.write(|tx| interspect::plan(tx, job.change, &facts, job.process, &stamp))?;
    let (intent, detail, text, message, warnings) = match plan {
        Plan::Nothing(why) => return Ok(Attempt::Done(Outcome::Nothing(why))),
        Plan::Commit { intent, detail, text, message, warnings } => (intent, detail, text, message, warnings),
    };
    for warning in warnings.into_iter().filter(|_| is_first) {
        cx.warn(warning);
    }
    crash_point("interspect_planned");
    let read = facts.file.as_ref().map(|(text, _)| text.as_str());
    let committed = prepare(repo, &text).and_then(|new| {
        let base = repo.base_of(read)?;
        let content =
            Content::Edit { base: base.as_deref(), file: read.map(str::as_bytes), new: text.as_bytes() };
        Ok((new, commit(job, &intent, content, &message)?))
    });
    let (new, commit) = match committed {
        Ok((new, Ok(commit))) => (new, commit),
        Ok((new, Err(err))) => {
            drop(new);
            let stamp = cx.now();
            cx.write(|tx| interspect::abandon(tx, &intent, &detail, &err.to_string(), None, &stamp))?;
            return match wait_until_committed(repo)? {
                None => Ok(Attempt::Outdated(err)),
                Some(difference) => Err(difference.into()),
            };
        }
        Err(err) => {
            let stamp = cx.now();
            let why = redact_message(&err.to_string()).into_owned();
            cx.write(|tx| interspect::abandon(tx, &intent, &detail, &why, Some(job.lock), &stamp))?;
            return Err(err);
        }
    };
    crash_point("interspect_committed");
    if let Some(why) = &commit.behind {
        cx.warn(format_args!(
            "the change is committed, but git's index could not be updated ({why}): \
             `git reset -q -- {}` does it",
            repo.path
        ));
    }
    replace(cx, repo, &detail, &text, new)?;
    crash_point("interspect_written");
    let (stamp, commit) = (cx.now(), commit.commit);
    let modification =
        cx.write(|tx| interspect::settle(tx, &intent, &detail, &commit, Some(job.lock), &stamp))?;
    Ok(Attempt::Done(Outcome::Changed { action: detail.action, commit, modification }))
}

/// Waits until the branch, the index and the working tree have the same version of the file. Returns the
/// difference that remains after [`SETTLE_TIMEOUT`].
fn wait_until_committed(repo: &OverrideRepo) -> Result<Option<GitError>, Error> {
    let start = Instant::now();
    loop {
        let read = repo.read()?.map(|(text, _)| text);
        let base = repo.base_of(read.as_deref())?;
        let file = read.as_ref().map(String::as_bytes);
        let changes = [git::Change {
            path: repo.path.as_ref(),
            content: Content::Edit { base: base.as_deref(), file, new: b"" },
        }];
        let difference = repo.repo.differs(&changes)?;
        if difference.is_none() || start.elapsed() >= SETTLE_TIMEOUT {
            return Ok(difference);
        }
        thread::sleep(SETTLE_POLL_INTERVAL);
    }
}

/// Writes the new content durably beside the file, so that after the commit nothing is left that could lack
/// space.
pub(super) fn prepare(repo: &OverrideRepo, text: &str) -> Result<Replacement, Error> {
    let failed = |source| Error::File { what: "writing", path: repo.file.clone(), source };
    Replacement::prepare(&repo.file, text.as_bytes()).map_err(failed)
}

/// Makes the commit. The inner error means that the file is no longer the one that the change was planned on.
fn commit(
    job: &Job<'_>,
    intent: &Intent,
    content: Content<'_>,
    message: &str,
) -> Result<Result<git::Committed, GitError>, Error> {
    let repo = job.repo;
    let changes = [git::Change { path: repo.path.as_ref(), content }];
    let step = |step| {
        crash_point(match step {
            Step::Made => "git_made",
            Step::Locked => "git_locked",
            Step::Moved => "git_moved",
            Step::Indexed => "git_indexed",
        });
    };
    let made = repo.repo.commit(&git::Commit {
        changes: &changes,
        message,
        trailer: Some((TRAILER, intent.id.as_str())),
        hooks: if job.options.hooks { Hooks::Run(HOOK_TIMEOUT) } else { Hooks::Skip },
        detached: false,
        step: &step,
    });
    match made {
        Ok(made) => Ok(Ok(made)),
        // The branch has the content already: the file was changed by hand, and the change takes that back.
        Err(GitError::Nothing) => {
            let commit = repo.repo.head()?.unwrap_or_default();
            Ok(Ok(git::Committed { commit, parent: None, behind: None }))
        }
        Err(err @ GitError::Changed { .. }) => Ok(Err(err)),
        Err(err) => Err(err.into()),
    }
}

/// Replaces the file with the committed content. Where the file was edited since it was read, the edit stays,
/// uncommitted, and only the entry of the agent becomes the committed one.
pub(super) fn replace(
    cx: &CommandContext,
    repo: &OverrideRepo,
    detail: &IntentDetail,
    committed: &str,
    mut new: Replacement,
) -> Result<(), Error> {
    let mut expected = detail.before.clone();
    for _ in 0..MAX_MERGES {
        let Ok(now) = repo.read() else { break };
        if now.as_ref().map(|(_, hash)| hash) == expected.as_ref() {
            let failed = |source| Error::File { what: "replacing", path: repo.file.clone(), source };
            return new.publish().map_err(failed);
        }
        let Some((edited, hash)) = now else { break };
        let (Ok(mut merged), Ok(ours)) = (Overrides::parse(&edited), Overrides::parse(committed)) else {
            break;
        };
        merged.adopt(&detail.agent, &ours);
        drop(new);
        if expected == detail.before {
            cx.warn(format_args!(
                "{} was edited meanwhile: the edit stays in it, not committed, beside the change",
                repo.path
            ));
        }
        new = prepare(repo, &merged.text())?;
        expected = Some(hash);
    }
    cx.warn(format_args!(
        "{} was edited meanwhile and is left as it is; the commit has the change",
        repo.path
    ));
    Ok(())
}
