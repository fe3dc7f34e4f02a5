//! The second step of a plan: the new content of the file, the commit message, and the detail of the intent.

use super::decide::Decided;
use super::{Change, Facts, IntentDetail};
use crate::db::ReadTx;
use crate::domain::interspect::canary;
use crate::domain::interspect::file::{Entry, EntryFields, Overrides};
use crate::domain::interspect::modification::{ModificationDetail, NewModification};
use crate::domain::interspect::{Action, OverrideAction};
use crate::domain::time::{Stamp, secs_up};
use crate::ops::OpsError;
use crate::store::interspect as store;

/// A change in its final form.
pub(super) struct Composed {
    /// The overrides after the change.
    pub after: Overrides,
    pub detail: IntentDetail,
    /// The commit message.
    pub message: String,
}

/// Composes a change of the overrides `before`, in which the agent has `entry`.
pub(super) fn compose(
    tx: &ReadTx<'_>,
    change: &Change,
    facts: &Facts,
    (before, entry): (&Overrides, Option<&Entry>),
    decided: &Decided,
    stamp: &Stamp,
) -> Result<Composed, OpsError> {
    let modification = modification(tx, change, facts, entry, decided, stamp)?;
    let mut after = before.clone();
    apply(&mut after, change, facts, &modification, decided.action);
    let detail = IntentDetail {
        action: decided.action,
        agent: change.agent.clone(),
        scope: facts.scope.clone(),
        path: facts.path.clone(),
        base: facts.base.clone(),
        before: facts.file.as_ref().map(|(_, hash)| hash.clone()),
        by: change.by.clone(),
        reason: modification.reason.clone(),
        evidence: modification.evidence.clone(),
        covers: change.scope.clone(),
        new: decided.begins().then(|| NewModification {
            agent: change.agent.clone(),
            scope: facts.scope.clone(),
            path: facts.path.clone(),
            detail: modification,
        }),
        blacklist: change.blacklist,
    };
    Ok(Composed { after, detail, message: message(decided.action, change) })
}

/// Returns the row that an exclusion is recorded with.
fn modification(
    tx: &ReadTx<'_>,
    change: &Change,
    facts: &Facts,
    entry: Option<&Entry>,
    decided: &Decided,
    stamp: &Stamp,
) -> Result<ModificationDetail, OpsError> {
    let thresholds = &facts.thresholds;
    // An approval keeps the reason and the evidence of the proposal.
    let proposal = entry.filter(|_| decided.action == OverrideAction::Approve);
    let window = thresholds.canary_window_days.saturating_mul(24 * 3600);
    Ok(ModificationDetail {
        confidence: decided.case.confidence(),
        evidence: proposal.map_or_else(|| change.evidence.clone(), Entry::evidence),
        reason: proposal.and_then(|entry| entry.reason.clone()).unwrap_or_else(|| change.reason.clone()),
        by: change.by.clone(),
        window_uses: thresholds.canary_window_uses,
        window_expires_at: secs_up(stamp.after(window)),
        // A canary counts all rows, also those in quarantine, so that the sessions before and after the
        // change are counted alike.
        baseline: canary::baseline(&store::evidence(tx, 0)?, &change.agent, stamp.secs(), thresholds),
        verdict: None,
        reverted_at: None,
    })
}

/// Changes the entry of the agent.
fn apply(
    overrides: &mut Overrides,
    change: &Change,
    facts: &Facts,
    modification: &ModificationDetail,
    action: OverrideAction,
) {
    let fields = EntryFields {
        action: if action == OverrideAction::Propose { Action::Propose } else { Action::Exclude },
        reason: &change.reason,
        evidence: &change.evidence,
        now: &facts.now,
        by: &change.by,
        scope: &change.scope,
        confidence: modification.confidence,
        window_uses: modification.window_uses,
        window_ends: &facts.window_ends,
    };
    match action {
        OverrideAction::Propose | OverrideAction::Apply => overrides.put(&change.agent, &fields),
        OverrideAction::Approve => overrides.approve(&change.agent, &fields),
        OverrideAction::Amend => overrides.amend(&change.agent, &fields),
        OverrideAction::Revert => overrides.remove(&change.agent),
    }
}

fn message(action: OverrideAction, change: &Change) -> String {
    let Change { agent, reason, by, evidence, .. } = change;
    let ids: Vec<String> = evidence.iter().map(ToString::to_string).collect();
    let ids = serde_json::Value::from(ids);
    let body = format!("Reason: {reason}\nEvidence: {ids}\nCreated-by: {by}");
    match action {
        OverrideAction::Propose => {
            format!("[interspect] Propose excluding {agent} from flux-drive triage\n\n{body}")
        }
        OverrideAction::Apply => format!("[interspect] Exclude {agent} from flux-drive triage\n\n{body}"),
        OverrideAction::Amend => {
            format!("[interspect] Update: exclude {agent} from flux-drive triage\n\n{body}")
        }
        OverrideAction::Approve => format!(
            "[interspect] Approve: exclude {agent} from flux-drive triage\n\n\
             Promoted from proposal to active exclusion.\nAgent: {agent}\nApproved-by: {by}"
        ),
        OverrideAction::Revert => {
            format!("[interspect] Revert routing override for {agent}\n\nReason: {reason}")
        }
    }
}
