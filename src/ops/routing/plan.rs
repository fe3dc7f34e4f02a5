//! Deciding on a change, under the lock: whether it may be made, what the file is to be, and what is written down when it is
//! committed.

use serde_json::Map;

use super::super::OpsError;
use super::{Detail, INTENT, Refusal, canary, counting};
use crate::db::WriteTx;
use crate::domain::process::ProcessKey;
use crate::domain::routing::canary::{self as window, CanaryStatus};
use crate::domain::routing::evidence;
use crate::domain::routing::file::{Entry, Overrides, Written};
use crate::domain::routing::modification::{self, NewModification};
use crate::domain::routing::policy::Thresholds;
use crate::domain::routing::{Action, AgentName, Scope};
use crate::domain::time::{Stamp, secs_up};
use crate::domain::words;
use crate::store::intent::{self, Intent};
use crate::store::routing as store;

words!(
    /// What is done to an override.
    Verb, "change of an override" {
        /// It is proposed.
        Propose = "propose",
        /// A proposal is approved.
        Approve = "approve",
        /// It is applied, proposed or not.
        Apply = "apply",
        /// What an override says of itself is changed.
        Amend = "amend",
        /// It is taken back.
        Revert = "revert",
    }
);

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct Change {
    /// What to do.
    pub verb: Verb,
    /// To which agent.
    pub agent: AgentName,
    /// Why.
    pub reason: String,
    /// The numbers of the events that speak for it.
    pub evidence: Vec<i64>,
    /// For which work.
    pub scope: Scope,
    /// By whom.
    pub by: String,
    /// Whether an override that is there is changed (IS-05).
    pub update: bool,
    /// Who has decided it.
    pub decided: Decided,
    /// Whether the agent goes on the blacklist.
    pub blacklist: bool,
}

/// Who has decided a change, and so what it has to answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// A person: the evidence that there is has to suffice.
    ByPerson,
    /// A person, whatever the evidence.
    Anyway,
    /// Nobody but an agent: there has to be evidence, and the limits count.
    ByAgent,
}

/// What the world outside the database is like.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to it.
    pub path: String,
    /// Its content, and a hash of it; `None` if there is none.
    pub file: Option<(String, String)>,
    /// The commit that the working tree is at.
    pub base: Option<String>,
    /// What the project asks for.
    pub thresholds: Thresholds,
    /// Whether changes of the file have to be proposed first.
    pub propose_first: bool,
    /// How many seconds evidence is kept back.
    pub quarantine: i64,
    /// Now, and the end of the canary's window, as they are written.
    pub times: (String, String),
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing: this is why.
    Nothing(String),
    /// A commit.
    Commit {
        /// What it is for.
        intent: Box<Intent>,
        /// What is written down when it is made.
        detail: Box<Detail>,
        /// The file's new content.
        text: String,
        /// The commit's message.
        message: String,
        /// What the caller should know.
        warnings: Vec<String>,
    },
}

/// Decides, and leaves an intent if there is anything to be done.
///
/// # Errors
/// [`Refusal`]: then nothing is left.
pub fn plan(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    process: &ProcessKey,
    stamp: &Stamp,
) -> Result<Plan, OpsError> {
    let agent = &change.agent;
    let text = facts.file.as_ref().map_or("", |(text, _)| text);
    let malformed = |why| Refusal::Malformed { path: facts.path.clone(), why };
    let before = Overrides::parse(text).map_err(malformed)?;
    let entry = before.of(agent);
    let verb = match check(tx, change, facts, entry.as_ref())? {
        Ok(verb) => verb,
        Err(why) => return Ok(Plan::Nothing(why)),
    };
    let rows = counting(tx, facts.quarantine, stamp.secs())?;
    let case = evidence::case(&rows, agent);
    if matches!(verb, Verb::Propose | Verb::Apply) {
        judge(tx, change, facts, &case, stamp)?;
    }
    let mut warnings = Vec::new();
    if verb != Verb::Revert && agent.is_cross_cutting() {
        warnings.push(format!("{agent} looks at all work: leaving it out deserves a second thought"));
    }
    let begins = matches!(verb, Verb::Approve | Verb::Apply);
    if begins {
        warnings.extend(watched(tx, change, facts, stamp)?);
    }
    let proposed_by = entry.as_ref().and_then(|entry| entry.created_by.as_ref());
    if verb == Verb::Approve && proposed_by == Some(&change.by) {
        warnings.push(format!("proposed and approved by the same: {}", change.by));
    }
    // What is approved is what was proposed.
    let proposal = entry.as_ref().filter(|_| verb == Verb::Approve);
    let reason = proposal.and_then(|entry| entry.reason.clone()).unwrap_or_else(|| change.reason.clone());
    let evidence = proposal.map_or_else(|| change.evidence.clone(), Entry::evidence);
    let days = facts.thresholds.canary_window_days;
    let about = modification::Detail {
        confidence: case.confidence(),
        evidence: evidence.clone(),
        reason: reason.clone(),
        by: change.by.clone(),
        window_uses: facts.thresholds.canary_window_uses,
        window_expires_at: secs_up(stamp.after(days.saturating_mul(24 * 3600))),
        // Of the canary every row counts, quarantined or not: before and after have to be counted alike.
        baseline: window::baseline(&store::evidence(tx, 0)?, agent, stamp.secs(), &facts.thresholds),
        verdict: None,
        reverted_at: None,
    };
    let mut after = before.clone();
    let written = Written {
        action: if verb == Verb::Propose { Action::Propose } else { Action::Exclude },
        reason: &change.reason,
        evidence: &change.evidence,
        now: &facts.times.0,
        by: &change.by,
        scope: &change.scope,
        confidence: about.confidence,
        window_uses: about.window_uses,
        window_ends: &facts.times.1,
    };
    match verb {
        Verb::Propose | Verb::Apply => after.put(agent, &written),
        Verb::Approve => after.approve(agent, &written),
        Verb::Amend => after.amend(agent, &written),
        Verb::Revert => after.remove(agent),
    }
    let detail = Detail {
        verb,
        agent: agent.clone(),
        scope: facts.scope.clone(),
        path: facts.path.clone(),
        base: facts.base.clone(),
        before: facts.file.as_ref().map(|(_, hash)| hash.clone()),
        by: change.by.clone(),
        reason,
        evidence,
        covers: change.scope.clone(),
        new: begins.then(|| NewModification {
            agent: agent.clone(),
            scope: facts.scope.clone(),
            path: facts.path.clone(),
            detail: about,
        }),
        blacklist: change.blacklist,
    };
    if after == before && verb == Verb::Amend {
        return Ok(Plan::Nothing(format!("the override for {agent} says so already")));
    }
    if after == before && verb == Verb::Revert {
        // Somebody has taken the entry away by hand: what is on record follows, and there is nothing to commit.
        super::end_all(tx, &detail, &detail.told(Map::new()), stamp)?;
        return Ok(Plan::Nothing(format!("no override for {agent}; what is on record follows")));
    }
    let resource = resource(&facts.scope, &facts.path);
    let stored = serde_json::to_string(&detail).map_err(|err| Refusal::Intent(err.to_string()))?;
    let intent = Box::new(intent::begin(tx, INTENT, &resource, &stored, process, stamp)?);
    let message = message(verb, change);
    Ok(Plan::Commit { intent, detail: Box::new(detail), text: after.text(), message, warnings })
}

/// Whether a change makes sense: what is to be done, or why there is nothing to do (IS-04, re-checked under the lock).
fn check(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    entry: Option<&Entry>,
) -> Result<Result<Verb, String>, OpsError> {
    let Change { verb, agent, .. } = change;
    let recorded = store::of_file(tx, &facts.scope, &facts.path, Some(agent))?;
    let last = recorded.iter().rev().find(|one| one.is_applied());
    if *verb == Verb::Revert {
        let nothing = entry.is_none() && last.is_none() && !change.blacklist;
        return Ok(if nothing { Err(format!("no override for {agent}")) } else { Ok(*verb) });
    }
    let excluded = entry.filter(|entry| entry.action == Action::Exclude);
    let amends = *verb == Verb::Apply && change.update;
    if let Some(entry) = excluded.filter(|_| !amends) {
        let by = last.map(|one| one.detail.by.clone()).or_else(|| entry.created_by.clone());
        let by = by.unwrap_or_else(|| "somebody".to_owned());
        let commit = last.map(|one| one.commit.clone());
        return Err(Refusal::AlreadyApplied { agent: agent.clone(), by, commit }.into());
    }
    match (verb, entry) {
        (Verb::Propose, Some(_)) => return Ok(Err(format!("excluding {agent} is already proposed"))),
        (Verb::Approve, None) => return Err(Refusal::NoProposal(agent.clone()).into()),
        _ => {}
    }
    if let Some(known) = store::find_blacklisted(tx, agent.as_str())? {
        return Err(Refusal::Blacklisted { agent: agent.clone(), reason: known.reason }.into());
    }
    if *verb == Verb::Apply && facts.propose_first && entry.is_none() {
        return Err(Refusal::ProposeFirst(facts.path.clone()).into());
    }
    Ok(Ok(if excluded.is_some() { Verb::Amend } else { *verb }))
}

/// What an intent of ours is about.
pub fn resource(scope: &str, path: &str) -> String {
    format!("{scope}:{path}")
}

/// Whether the evidence suffices, if there is any; and what an agent may do by itself.
fn judge(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    case: &evidence::Case,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let thresholds = &facts.thresholds;
    let agent = change.agent.clone();
    let by_agent = change.decided == Decided::ByAgent;
    if by_agent {
        if !thresholds.autonomy {
            return Err(Refusal::AutonomyOff.into());
        }
        canary::check_limits(tx, &facts.scope, &facts.path, &agent, thresholds, stamp)?;
    }
    // Where nobody has noticed anything, a person has decided; an agent has to have noticed something.
    let decided = !by_agent && (case.events == 0 || change.decided == Decided::Anyway);
    match case.lacks(thresholds).filter(|_| !decided) {
        Some(lacks) => Err(Refusal::BelowThreshold { agent, lacks }.into()),
        None => Ok(()),
    }
}

/// Refuses a second canary of one agent; names those of others. Before anything is committed.
fn watched(tx: &WriteTx<'_>, change: &Change, facts: &Facts, stamp: &Stamp) -> Result<Vec<String>, OpsError> {
    let mut warnings = Vec::new();
    for one in store::of_file(tx, &facts.scope, &facts.path, None)? {
        let watched = one.canary == CanaryStatus::Active && one.detail.window_expires_at > stamp.secs();
        if watched && one.agent == change.agent {
            let (agent, modification) = (one.agent, one.id.to_string());
            return Err(Refusal::CanaryActive { agent, modification }.into());
        }
        if watched {
            warnings.push(format!("{} is being watched, too: what changes may have two causes", one.agent));
        }
    }
    Ok(warnings)
}

fn message(verb: Verb, change: &Change) -> String {
    let Change { agent, reason, by, evidence, .. } = change;
    let ids: Vec<String> = evidence.iter().map(ToString::to_string).collect();
    let ids = serde_json::Value::from(ids);
    let told = format!("Reason: {reason}\nEvidence: {ids}\nCreated-by: {by}");
    match verb {
        Verb::Propose => format!("[interspect] Propose excluding {agent} from flux-drive triage\n\n{told}"),
        Verb::Apply => format!("[interspect] Exclude {agent} from flux-drive triage\n\n{told}"),
        Verb::Amend => format!("[interspect] Update: exclude {agent} from flux-drive triage\n\n{told}"),
        Verb::Approve => format!(
            "[interspect] Approve: exclude {agent} from flux-drive triage\n\n\
             Promoted from proposal to active exclusion.\nAgent: {agent}\nApproved-by: {by}"
        ),
        Verb::Revert => format!("[interspect] Revert routing override for {agent}\n\nReason: {reason}"),
    }
}
