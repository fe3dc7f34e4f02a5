//! The plan of a change, made under the lock: decide, compose, record an intent.

use super::compose::{Composed, compose};
use super::decide::{Decision, decide};
use super::settle::end_records;
use super::{Change, Facts, INTENT, IntentDetail, Refusal, resource};
use crate::db::WriteTx;
use crate::domain::interspect::OverrideAction;
use crate::domain::interspect::file::Overrides;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::ops::OpsError;
use crate::store::intent::{self, Intent};

/// The plan of a change.
#[derive(Clone, Debug)]
pub enum Plan {
    /// There is nothing to change, for this reason.
    Nothing(String),
    /// A commit must be made.
    Commit {
        intent: Box<Intent>,
        /// The content of the intent, which is recorded once the commit is made.
        detail: Box<IntentDetail>,
        /// The new content of the file.
        text: String,
        /// The commit message.
        message: String,
        warnings: Vec<String>,
    },
}

/// Plans a change, and leaves an intent if a commit must be made.
///
/// # Errors
/// [`Refusal`]; no intent is left then.
pub fn plan(
    tx: &WriteTx<'_>,
    change: &Change,
    facts: &Facts,
    process: &ProcessKey,
    stamp: &Stamp,
) -> Result<Plan, OpsError> {
    let text = facts.file.as_ref().map_or("", |(text, _)| text);
    let malformed = |why| Refusal::Malformed { path: facts.path.clone(), why };
    let before = Overrides::parse(text).map_err(malformed)?;
    let entry = before.of(&change.agent);
    let decided = match decide(tx, change, facts, entry.as_ref(), stamp)? {
        Decision::Nothing(why) => return Ok(Plan::Nothing(why)),
        Decision::Make(decided) => decided,
    };
    let composed = compose(tx, change, facts, (&before, entry.as_ref()), &decided, stamp)?;
    if composed.after == before
        && let Some(why) = without_commit(tx, &composed.detail, stamp)?
    {
        return Ok(Plan::Nothing(why));
    }
    record(tx, composed, decided.warnings, process, stamp)
}

/// Carries out a change that leaves the file as it is, and returns why there is nothing to commit.
fn without_commit(
    tx: &WriteTx<'_>,
    detail: &IntentDetail,
    stamp: &Stamp,
) -> Result<Option<String>, OpsError> {
    let agent = &detail.agent;
    Ok(match detail.action {
        OverrideAction::Amend => Some(format!("the override for {agent} says so already")),
        OverrideAction::Revert => {
            // The entry was removed by hand: the records follow.
            end_records(tx, detail, stamp)?;
            Some(format!("no override for {agent}; what is on record follows"))
        }
        OverrideAction::Propose | OverrideAction::Approve | OverrideAction::Apply => None,
    })
}

/// Records the intent of a change.
fn record(
    tx: &WriteTx<'_>,
    composed: Composed,
    warnings: Vec<String>,
    process: &ProcessKey,
    stamp: &Stamp,
) -> Result<Plan, OpsError> {
    let Composed { after, detail, message } = composed;
    let resource = resource(&detail.scope, &detail.path);
    let stored = serde_json::to_string(&detail).map_err(|err| Refusal::Intent(err.to_string()))?;
    let intent = Box::new(intent::begin(tx, INTENT, &resource, &stored, process, stamp)?);
    Ok(Plan::Commit { intent, detail: Box::new(detail), text: after.text(), message, warnings })
}
