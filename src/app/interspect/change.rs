//! Changes of overrides: propose, approve, apply, revert.

use std::thread;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::commit::{Attempt, Job, attempt};
use super::recover::recover;
use super::refused;
use super::repo::{OverrideRepo, RepoOptions};
use crate::app::coordination::Surroundings;
use crate::app::{CommandContext, Error, Reply, caller};
use crate::db::crash_point;
use crate::domain::ids::ModificationId;
use crate::domain::interspect::{AgentName, OverrideAction, Scope};
use crate::domain::process::ProcessKey;
use crate::ops::interspect::lock::{self, LockOutcome};
use crate::ops::interspect::{self, Approval, Change, Refusal};
use crate::os::process::myself;

/// The reason of a revert without one. Readers of the commit history know this sentence.
const DEFAULT_REVERT_REASON: &str = "User requested revert via /interspect:interspect-revert";
/// The number of attempts at a change while other processes change or commit the file.
const MAX_ATTEMPTS: usize = 20;
/// The pauses between attempts to take the lock double from the first to the second.
const LOCK_PAUSES: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(60));

/// How a change is made.
#[derive(Debug)]
pub(crate) struct ChangeOptions {
    pub repo: RepoOptions,
    /// The author of the change. Without one it is the agent that calls, else `human`.
    pub by: Option<String>,
    /// The time to wait for other processes that change overrides.
    pub wait: Duration,
    /// Whether the repository's hooks run.
    pub hooks: bool,
    /// Whether the agent may be one that the roster does not have.
    pub allow_unknown: bool,
}

/// The grounds for an exclusion.
#[derive(Debug)]
pub(crate) struct Grounds {
    pub reason: String,
    /// The numbers of the events that support the exclusion.
    pub evidence: Vec<i64>,
    pub scope: Scope,
    /// Whether the exclusion is made even if the evidence does not suffice.
    pub force: bool,
}

/// The outcome of a change.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChangeAnswer {
    pub agent: AgentName,
    pub action: OverrideAction,
    pub changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The id of the override's record, where the change made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification: Option<String>,
    /// Why nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}

/// Proposes to exclude an agent.
///
/// # Errors
/// [`Refusal`], or [`Error::Git`] if the commit cannot be made. Nothing has changed then.
pub(crate) fn propose(
    cx: &mut CommandContext,
    agent: AgentName,
    grounds: Grounds,
    options: &ChangeOptions,
) -> Result<Reply<ChangeAnswer>, Error> {
    let change = with_grounds(cx, OverrideAction::Propose, agent, grounds, options);
    make(cx, change, options)
}

/// Approves a proposal.
///
/// # Errors
/// As [`propose`].
pub(crate) fn approve(
    cx: &mut CommandContext,
    agent: AgentName,
    options: &ChangeOptions,
) -> Result<Reply<ChangeAnswer>, Error> {
    let change = change(cx, OverrideAction::Approve, agent, "approved".to_owned(), options);
    make(cx, change, options)
}

/// Excludes an agent. With `update` an exclusion that exists is amended; with `auto` an agent has decided by
/// itself.
///
/// # Errors
/// As [`propose`].
pub(crate) fn apply(
    cx: &mut CommandContext,
    agent: AgentName,
    grounds: Grounds,
    (update, auto): (bool, bool),
    options: &ChangeOptions,
) -> Result<Reply<ChangeAnswer>, Error> {
    let mut change = with_grounds(cx, OverrideAction::Apply, agent, grounds, options);
    change.update = update;
    if auto {
        change.approval = Approval::Agent;
    }
    make(cx, change, options)
}

/// Reverts an exclusion or a proposal.
///
/// # Errors
/// As [`propose`].
pub(crate) fn revert(
    cx: &mut CommandContext,
    agent: AgentName,
    reason: Option<String>,
    blacklist: bool,
    options: &ChangeOptions,
) -> Result<Reply<ChangeAnswer>, Error> {
    let reason = reason.unwrap_or_else(|| DEFAULT_REVERT_REASON.to_owned());
    let change = Change { blacklist, ..change(cx, OverrideAction::Revert, agent, reason, options) };
    make(cx, change, options)
}

fn change(
    cx: &CommandContext,
    action: OverrideAction,
    agent: AgentName,
    reason: String,
    options: &ChangeOptions,
) -> Change {
    let by = options.by.clone().or_else(|| caller::owner(&cx.env, None));
    Change {
        action,
        agent,
        reason,
        evidence: Vec::new(),
        scope: Scope::default(),
        by: by.unwrap_or_else(|| "human".to_owned()),
        update: false,
        approval: Approval::Person,
        blacklist: false,
    }
}

fn with_grounds(
    cx: &CommandContext,
    action: OverrideAction,
    agent: AgentName,
    grounds: Grounds,
    options: &ChangeOptions,
) -> Change {
    let Grounds { reason, evidence, scope, force } = grounds;
    let approval = if force { Approval::Forced } else { Approval::Person };
    Change { evidence, scope, approval, ..change(cx, action, agent, reason, options) }
}

/// The result of a change that was not refused.
pub(super) enum Outcome {
    /// Nothing had to be changed, for this reason.
    Nothing(String),
    /// The change is committed and recorded.
    Changed {
        /// The action in the end.
        action: OverrideAction,
        commit: String,
        modification: Option<ModificationId>,
    },
}

/// Makes a change, and returns its outcome as the answer.
fn make(
    cx: &mut CommandContext,
    change: Change,
    options: &ChangeOptions,
) -> Result<Reply<ChangeAnswer>, Error> {
    let repo = OverrideRepo::find(cx, &options.repo)?;
    let outcome = make_locked(cx, &repo, options, &change)?;
    let (agent, action) = (change.agent, change.action);
    Ok(Reply::yes(match outcome {
        Outcome::Nothing(info) => {
            let (commit, modification, info) = (None, None, Some(info));
            ChangeAnswer { agent, action, changed: false, commit, modification, info }
        }
        Outcome::Changed { action, commit, modification } => {
            let (commit, modification) = (Some(commit), modification.map(|id| id.to_string()));
            ChangeAnswer { agent, action, changed: true, commit, modification, info: None }
        }
    }))
}

/// Makes a change under the lock of the file.
fn make_locked(
    cx: &mut CommandContext,
    repo: &OverrideRepo,
    options: &ChangeOptions,
    change: &Change,
) -> Result<Outcome, Error> {
    let process: ProcessKey = myself().map(Into::into).map_err(|err| Error::Unexpected(err.into()))?;
    let lock = acquire(cx, repo, options.wait, &process)?;
    crash_point("interspect_locked");
    let outcome = make_repeatedly(cx, &Job { repo, options, change, process: &process, lock: &lock });
    if !matches!(outcome, Ok(Outcome::Changed { .. })) {
        let stamp = cx.now();
        cx.write(|tx| interspect::release(tx, Some(&lock), &stamp))?;
    }
    outcome
}

/// Takes the lock of the file and returns its id.
///
/// # Errors
/// [`Refusal::Held`], with the owner of the lock, if that takes longer than `wait`.
fn acquire(
    cx: &mut CommandContext,
    repo: &OverrideRepo,
    wait: Duration,
    process: &ProcessKey,
) -> Result<String, Error> {
    let surroundings = Surroundings::here(cx)?;
    let start = Instant::now();
    let (mut pause, longest_pause) = LOCK_PAUSES;
    loop {
        let stamp = cx.now();
        let place = (repo.top.as_str(), repo.path.as_str());
        let outcome =
            surroundings.with(|outside| cx.write(|tx| lock::take(tx, place, process, outside, &stamp)));
        match outcome? {
            LockOutcome::Acquired(lock) => return Ok(lock.id),
            LockOutcome::Blocked(lock) if start.elapsed() >= wait => {
                let waited = wait.as_secs();
                return Err(refused(Refusal::Held { holder: lock.owner, waited }));
            }
            LockOutcome::Blocked(_) => thread::sleep(pause.min(wait.saturating_sub(start.elapsed()))),
        }
        pause = (pause * 2).min(longest_pause);
    }
}

/// Makes a change, again each time that another process has changed the file meanwhile.
fn make_repeatedly(cx: &mut CommandContext, job: &Job<'_>) -> Result<Outcome, Error> {
    let Job { repo, options, change, .. } = job;
    recover(cx, repo)?;
    let propose_first = repo.check_allowed()?;
    // An agent whose override is reverted may have left the roster.
    if change.action != OverrideAction::Revert && !repo.roster.has(change.agent.as_str()) {
        if !options.allow_unknown {
            return Err(refused(Refusal::UnknownAgent(change.agent.clone())));
        }
        cx.warn(format_args!("{} is not in the roster", change.agent));
    }
    let mut number = 0;
    loop {
        number += 1;
        match attempt(cx, job, propose_first, number == 1)? {
            Attempt::Done(outcome) => return Ok(outcome),
            Attempt::Outdated(err) if number == MAX_ATTEMPTS => return Err(err.into()),
            Attempt::Outdated(_) => {}
        }
    }
}
