//! The first step of a plan: whether a change may be made, and which one it is.

use super::canary;
use super::{Approval, Change, Facts, Refusal, counting};
use crate::db::WriteTx;
use crate::domain::interspect::canary::CanaryStatus;
use crate::domain::interspect::evidence::{self, Case};
use crate::domain::interspect::file::Entry;
use crate::domain::interspect::{Action, OverrideAction};
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::store::interspect as store;

/// The decision on a change.
pub(super) enum Decision {
    /// There is nothing to change, for this reason.
    Nothing(String),
    /// The change will be made.
    Make(Decided),
}

/// A change that will be made.
pub(super) struct Decided {
    /// The action in the end: an application to an exclusion that exists is an amendment.
    pub action: OverrideAction,
    /// The case against the agent, from the evidence that counts.
    pub case: Case,
    pub warnings: Vec<String>,
}

impl Decided {
    /// Checks whether an exclusion, and with it a canary, begins.
    pub(super) fn begins(&self) -> bool {
        matches!(self.action, OverrideAction::Approve | OverrideAction::Apply)
    }
}

/// Decides on a change of an agent whose entry in the file is `entry`.
///
/// # Errors
/// [`Refusal`].
pub(super) fn decide(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    entry: Option<&Entry>,
    stamp: &Stamp,
) -> Result<Decision, OpsError> {
    let action = match resolve(tx, change, facts, entry)? {
        Ok(action) => action,
        Err(why) => return Ok(Decision::Nothing(why)),
    };
    let rows = counting(tx, facts.quarantine, stamp.secs())?;
    let case = evidence::case(&rows, &change.agent);
    if matches!(action, OverrideAction::Propose | OverrideAction::Apply) {
        check_evidence(tx, change, facts, &case, stamp)?;
    }
    let mut decided = Decided { action, case, warnings: Vec::new() };
    let agent = &change.agent;
    if action != OverrideAction::Revert && agent.is_cross_cutting() {
        let warning = format!("{agent} looks at all work: leaving it out deserves a second thought");
        decided.warnings.push(warning);
    }
    if decided.begins() {
        decided.warnings.extend(check_canaries(tx, change, facts, stamp)?);
    }
    let proposed_by = entry.and_then(|entry| entry.created_by.as_ref());
    if action == OverrideAction::Approve && proposed_by == Some(&change.by) {
        decided.warnings.push(format!("proposed and approved by the same: {}", change.by));
    }
    Ok(Decision::Make(decided))
}

/// Resolves the work to do, or the reason why there is none. This runs under the lock, on the current state.
fn resolve(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    entry: Option<&Entry>,
) -> Result<Result<OverrideAction, String>, OpsError> {
    let Change { action, agent, .. } = change;
    let recorded = store::of_file(tx, &facts.scope, &facts.path, Some(agent))?;
    let last = recorded.iter().rev().find(|one| one.is_applied());
    if *action == OverrideAction::Revert {
        let nothing = entry.is_none() && last.is_none() && !change.blacklist;
        return Ok(if nothing { Err(format!("no override for {agent}")) } else { Ok(*action) });
    }
    let excluded = entry.filter(|entry| entry.action == Action::Exclude);
    let amends = *action == OverrideAction::Apply && change.update;
    if let Some(entry) = excluded.filter(|_| !amends) {
        let by = last.map(|one| one.detail.by.clone()).or_else(|| entry.created_by.clone());
        let by = by.unwrap_or_else(|| "an unknown author".to_owned());
        let commit = last.map(|one| one.commit.clone());
        return Err(Refusal::AlreadyApplied { agent: agent.clone(), by, commit }.into());
    }
    match (action, entry) {
        (OverrideAction::Propose, Some(_)) => {
            return Ok(Err(format!("excluding {agent} is already proposed")));
        }
        (OverrideAction::Approve, None) => return Err(Refusal::NoProposal(agent.clone()).into()),
        _ => {}
    }
    if let Some(known) = store::find_blacklisted(tx, agent.as_str())? {
        return Err(Refusal::Blacklisted { agent: agent.clone(), reason: known.reason }.into());
    }
    if *action == OverrideAction::Apply && facts.propose_first && entry.is_none() {
        return Err(Refusal::ProposeFirst(facts.path.clone()).into());
    }
    Ok(Ok(if excluded.is_some() { OverrideAction::Amend } else { *action }))
}

/// Checks that the evidence suffices, and that an agent may act by itself.
fn check_evidence(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    case: &Case,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let thresholds = &facts.thresholds;
    let agent = change.agent.clone();
    let by_agent = change.approval == Approval::Agent;
    if by_agent {
        if !thresholds.autonomy {
            return Err(Refusal::AutonomyOff.into());
        }
        canary::check_limits(tx, &facts.scope, &facts.path, &agent, thresholds, stamp)?;
    }
    // Without any evidence a person decides alone. An agent needs evidence in any case.
    let is_waived = !by_agent && (case.events == 0 || change.approval == Approval::Forced);
    match case.lacks(thresholds).filter(|_| !is_waived) {
        Some(lacks) => Err(Refusal::BelowThreshold { agent, lacks }.into()),
        None => Ok(()),
    }
}

/// Refuses a second canary of one agent, and returns warnings about the canaries of others.
fn check_canaries(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    stamp: &Stamp,
) -> Result<Vec<String>, OpsError> {
    let mut warnings = Vec::new();
    for one in store::of_file(tx, &facts.scope, &facts.path, None)? {
        if one.canary != CanaryStatus::Active || one.detail.window_expires_at <= stamp.secs() {
            continue;
        }
        if one.agent == change.agent {
            let (agent, modification) = (one.agent, one.id.to_string());
            return Err(Refusal::CanaryActive { agent, modification }.into());
        }
        warnings.push(format!("{} is being watched, too: what changes may have two causes", one.agent));
    }
    Ok(warnings)
}
