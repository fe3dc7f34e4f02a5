//! A change of an override, from the lock to the last row: what the world outside the database needs, step by step.

use std::thread;
use std::time::{Duration, Instant};

use super::site::{Site, hash, refused};
use super::{quarantine, written};
use crate::cli::Cx;
use crate::cli::coordination::Around;
use crate::cli::error::CliError;
use crate::db::crash_point;
use crate::domain::ids::ModificationId;
use crate::domain::process::ProcessKey;
use crate::domain::routing::file::Overrides;
use crate::domain::secret::redact_message;
use crate::ops::routing::lock::{self, Taken};
use crate::ops::routing::{self, Change, Detail, Facts, INTENT, Plan, Refusal, Verb};
use crate::os::git::{self, Content, GitError, Hooks, Step};
use crate::os::process::{Identity, Liveness, myself};
use crate::os::swap::Replacement;
use crate::store::intent::{self, Intent};

/// The trailer of our commits: by it they are found again.
const TRAILER: &str = "Intercore-Intent";
/// How long a hook of the user's repository may take.
const HOOK_LIMIT: Duration = Duration::from_mins(2);
/// How often a change is planned again because another process changed the file or committed it meanwhile.
const ROUNDS: usize = 20;
/// How long a version that is not committed may take to be committed: an editor writes first and commits
/// then.
const SETTLING: Duration = Duration::from_millis(300);
/// How often the change is added to the file again because the file was edited at that moment.
const MERGES: usize = 10;

/// How a change is to be made.
pub(super) struct How {
    /// How long to wait for whoever else changes overrides.
    pub wait: Duration,
    /// Whether the repository's hooks are asked.
    pub hooks: bool,
    /// Whether the agent may be one that the roster does not have.
    pub allow_unknown: bool,
}

/// What came of it.
pub(super) enum Done {
    /// Nothing had to be changed.
    Nothing(String),
    /// It is committed and recorded.
    Changed {
        /// What was done in the end.
        verb: Verb,
        /// The commit.
        commit: String,
        /// The row.
        modification: Option<ModificationId>,
    },
}

/// Makes a change, alone.
///
/// # Errors
/// Whatever refuses it; then nothing has changed, but for what the next call finishes.
pub(super) fn perform(cx: &mut Cx, site: &Site, how: &How, change: &Change) -> Result<Done, CliError> {
    let me: ProcessKey = myself().map(Into::into).map_err(|err| CliError::Unexpected(err.into()))?;
    let lock = acquire(cx, site, how.wait, &me)?;
    crash_point("routing_locked");
    let done = under_lock(cx, site, how, change, &me, &lock);
    if !matches!(done, Ok(Done::Changed { .. })) {
        let stamp = cx.now();
        cx.write(|tx| routing::release(tx, Some(&lock), &stamp))?;
    }
    done
}

/// Takes the lock of the file, and says who holds it if that takes too long (IS-13).
fn acquire(cx: &mut Cx, site: &Site, wait: Duration, me: &ProcessKey) -> Result<String, CliError> {
    let around = Around::here()?;
    let start = Instant::now();
    let mut pause = Duration::from_millis(4);
    loop {
        let stamp = cx.now();
        let place = (site.top.as_str(), site.path.as_str());
        let taken = around.with(|outside| cx.write(|tx| lock::take(tx, place, me, outside, &stamp)));
        match taken? {
            Taken::Mine(lock) => return Ok(lock.id),
            Taken::Theirs(lock) if start.elapsed() >= wait => {
                let waited = wait.as_secs();
                return Err(refused(Refusal::Held { holder: lock.owner, waited }));
            }
            Taken::Theirs(_) => thread::sleep(pause.min(wait.saturating_sub(start.elapsed()))),
        }
        pause = (pause * 2).min(Duration::from_millis(60));
    }
}

/// Returns whether an intent's process will not go on with it. What cannot be judged from here is left when
/// its lock's time is over.
fn is_left(intent: &Intent, now: i64) -> bool {
    match Identity::recorded(&intent.process).map(|process| process.liveness()) {
        None | Some(Liveness::Gone) => true,
        Some(Liveness::Alive) => false,
        Some(Liveness::Foreign) => intent.created_at.saturating_add(lock::TTL) <= now,
    }
}

fn under_lock(
    cx: &mut Cx,
    site: &Site,
    how: &How,
    change: &Change,
    me: &ProcessKey,
    lock: &str,
) -> Result<Done, CliError> {
    reconcile(cx, site)?;
    let propose_first = site.allowed()?;
    // What is taken back may have left the roster long ago.
    if change.verb != Verb::Revert && !site.roster.has(change.agent.as_str()) {
        if !how.allow_unknown {
            return Err(refused(Refusal::UnknownAgent(change.agent.clone())));
        }
        cx.out.warn(format_args!("{} is not in the roster", change.agent));
    }
    let mut round = 0;
    loop {
        round += 1;
        match attempt(cx, site, how, (change, propose_first, round == 1), me, lock)? {
            Attempt::Done(done) => return Ok(done),
            Attempt::Changed(err) if round == ROUNDS => return Err(err.into()),
            // Another process was faster: the change is planned again on what there is now.
            Attempt::Changed(_) => {}
        }
    }
}

/// What came of an attempt to make a change.
enum Attempt {
    /// It is made, or there is nothing to be done.
    Done(Done),
    /// The file is not what the change was planned on any more; nothing has changed.
    Changed(GitError),
}

/// Plans a change on what the file is now, commits it and records it.
fn attempt(
    cx: &mut Cx,
    site: &Site,
    how: &How,
    (change, propose_first, is_first): (&Change, bool, bool),
    me: &ProcessKey,
    lock: &str,
) -> Result<Attempt, CliError> {
    let stamp = cx.now();
    let days = site.thresholds.canary_window_days;
    let ends = stamp.secs().saturating_add(days.saturating_mul(24 * 3600));
    let facts = Facts {
        scope: site.top.clone(),
        path: site.path.clone(),
        file: site.read()?,
        base: site.repo.head()?,
        thresholds: site.thresholds.clone(),
        propose_first,
        quarantine: quarantine(),
        times: (written(stamp.secs()), written(ends)),
    };
    let plan = cx.write(|tx| routing::plan(tx, change, &facts, me, &stamp))?;
    let (intent, detail, text, message, warnings) = match plan {
        Plan::Nothing(why) => return Ok(Attempt::Done(Done::Nothing(why))),
        Plan::Commit { intent, detail, text, message, warnings } => (intent, detail, text, message, warnings),
    };
    for warning in warnings.into_iter().filter(|_| is_first) {
        cx.out.warn(warning);
    }
    crash_point("routing_planned");
    let read = facts.file.as_ref().map(|(text, _)| text.as_str());
    let committed = prepare(site, &text).and_then(|new| {
        let base = site.base_of(read)?;
        let content =
            Content::Edit { base: base.as_deref(), file: read.map(str::as_bytes), new: text.as_bytes() };
        Ok((new, commit(site, how, &intent, content, &message)?))
    });
    let (new, commit) = match committed {
        Ok((new, Ok(commit))) => (new, commit),
        Ok((new, Err(err))) => {
            drop(new);
            let stamp = cx.now();
            cx.write(|tx| routing::abandon(tx, &intent, &detail, &err.to_string(), None, &stamp))?;
            return match settled(site)? {
                None => Ok(Attempt::Changed(err)),
                Some(now) => Err(now.into()),
            };
        }
        Err(err) => {
            let stamp = cx.now();
            let why = redact_message(&err.to_string()).into_owned();
            cx.write(|tx| routing::abandon(tx, &intent, &detail, &why, Some(lock), &stamp))?;
            return Err(err);
        }
    };
    crash_point("routing_committed");
    if let Some(why) = &commit.behind {
        cx.out.warn(format_args!(
            "the change is committed, but git's index could not be updated ({why}): `git reset -q -- {}` does it",
            site.path
        ));
    }
    replace(cx, site, &detail, &text, new)?;
    crash_point("routing_written");
    let (stamp, commit) = (cx.now(), commit.commit);
    let modification = cx.write(|tx| routing::settle(tx, &intent, &detail, &commit, Some(lock), &stamp))?;
    Ok(Attempt::Done(Done::Changed { verb: detail.verb, commit, modification }))
}

/// Waits until the branch, the index and the working tree have one version of the file; returns what still
/// differs if that takes too long.
fn settled(site: &Site) -> Result<Option<GitError>, CliError> {
    let start = Instant::now();
    loop {
        let read = site.read()?.map(|(text, _)| text);
        let base = site.base_of(read.as_deref())?;
        let file = read.as_ref().map(String::as_bytes);
        let changes = [git::Change {
            path: site.path.as_ref(),
            content: Content::Edit { base: base.as_deref(), file, new: b"" },
        }];
        let differs = site.repo.differs(&changes)?;
        if differs.is_none() || start.elapsed() >= SETTLING {
            return Ok(differs);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The new content, durable beside the file: after the commit nothing is left that could want for space.
fn prepare(site: &Site, text: &str) -> Result<Replacement, CliError> {
    let failed = |source| CliError::File { what: "writing", path: site.file.clone(), source };
    Replacement::prepare(&site.file, text.as_bytes()).map_err(failed)
}

/// Makes the commit. The inner error says that what the change was planned on is not there any more.
fn commit(
    site: &Site,
    how: &How,
    intent: &Intent,
    content: Content<'_>,
    message: &str,
) -> Result<Result<git::Committed, GitError>, CliError> {
    let changes = [git::Change { path: site.path.as_ref(), content }];
    let step = |step| {
        crash_point(match step {
            Step::Made => "git_made",
            Step::Locked => "git_locked",
            Step::Moved => "git_moved",
            Step::Indexed => "git_indexed",
        });
    };
    let made = site.repo.commit(&git::Commit {
        changes: &changes,
        message,
        trailer: Some((TRAILER, intent.id.as_str())),
        hooks: if how.hooks { Hooks::Run(HOOK_LIMIT) } else { Hooks::Skip },
        detached: false,
        step: &step,
    });
    match made {
        Ok(made) => Ok(Ok(made)),
        // The branch has it already: the file was changed by hand, and now it is as it was.
        Err(GitError::Nothing) => {
            let commit = site.repo.head()?.unwrap_or_default();
            Ok(Ok(git::Committed { commit, parent: None, behind: None }))
        }
        Err(err @ GitError::Changed { .. }) => Ok(Err(err)),
        Err(err) => Err(err.into()),
    }
}

/// Puts the committed content in the place of the file. Where the file was edited since it was read, the edit
/// stays, uncommitted, and the entry of the agent alone becomes what was committed.
fn replace(
    cx: &Cx,
    site: &Site,
    detail: &Detail,
    committed: &str,
    mut new: Replacement,
) -> Result<(), CliError> {
    let mut expected = detail.before.clone();
    for _ in 0..MERGES {
        let Ok(now) = site.read() else { break };
        if now.as_ref().map(|(_, hash)| hash) == expected.as_ref() {
            let failed = |source| CliError::File { what: "replacing", path: site.file.clone(), source };
            return new.publish().map_err(failed);
        }
        let Some((theirs, hash)) = now else { break };
        let (Ok(mut merged), Ok(ours)) = (Overrides::parse(&theirs), Overrides::parse(committed)) else {
            break;
        };
        merged.adopt(&detail.agent, &ours);
        drop(new);
        if expected == detail.before {
            cx.out.warn(format_args!(
                "{} was edited meanwhile: the edit stays in it, not committed, beside the change",
                site.path
            ));
        }
        new = prepare(site, &merged.text())?;
        expected = Some(hash);
    }
    cx.out.warn(format_args!(
        "{} was edited meanwhile and is left as it is; the commit has the change",
        site.path
    ));
    Ok(())
}

/// Settles what a process that is gone left half done: forward if its commit is in the history, else back (IS-03).
fn reconcile(cx: &mut Cx, site: &Site) -> Result<(), CliError> {
    let resource = routing::resource(&site.top, &site.path);
    for left in cx.read(|tx| intent::on(tx, INTENT, &resource))? {
        if !is_left(&left, cx.stamp.secs()) {
            let holder = format!("{}:{}", left.process.pid, left.process.host);
            return Err(refused(Refusal::Held { holder, waited: 0 }));
        }
        let detail = Detail::of(&left)?;
        site.repo.recover()?;
        let found = site.repo.find((TRAILER, left.id.as_str()), detail.base.as_deref())?;
        let stamp = cx.now();
        let failed = |source| CliError::File { what: "removing", path: site.file.clone(), source };
        Replacement::discard_left(&site.file).map_err(failed)?;
        let Some(commit) = found else {
            let why = "its process ended before the commit";
            cx.write(|tx| routing::abandon(tx, &left, &detail, why, None, &stamp))?;
            continue;
        };
        roll_forward(cx, site, &detail, &commit)?;
        cx.write(|tx| routing::settle(tx, &left, &detail, &commit, None, &stamp))?;
        cx.out.remark(format_args!(
            "finished what an earlier call had committed: {} {}",
            detail.verb, detail.agent
        ));
    }
    Ok(())
}

/// Gives the working tree's file what the commit has, if it still is what it was before.
fn roll_forward(cx: &Cx, site: &Site, detail: &Detail, commit: &str) -> Result<(), CliError> {
    let path = std::path::Path::new(&detail.path);
    let Some(content) = site.repo.content(commit, path)? else { return Ok(()) };
    let now = site.read()?.map(|(_, hash)| hash);
    if now.as_ref() == Some(&hash(&content)) {
        return Ok(());
    }
    let content = String::from_utf8_lossy(&content);
    let new = prepare(site, &content)?;
    replace(cx, site, detail, &content, new)
}
