//! The end of a change: recording what was committed, or giving it up.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::Refusal;
use crate::db::WriteTx;
use crate::domain::ids::ModificationId;
use crate::domain::interspect::modification::NewModification;
use crate::domain::interspect::{AgentName, OverrideAction, Scope};
use crate::domain::time::Stamp;
use crate::ops::{OpsError, coordination};
use crate::store::intent::{self, Intent};
use crate::store::interspect::{self as store, EventDetails};

/// The detail of an intent: all that any process needs to settle it. Its JSON is stored, so the names of its
/// members stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IntentDetail {
    #[serde(rename = "verb")]
    pub action: OverrideAction,
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to the scope.
    pub path: String,
    /// The parent of the commit.
    pub base: Option<String>,
    /// The hash of the file's content before the change. Null if the file did not exist.
    pub before: Option<String>,
    pub by: String,
    pub reason: String,
    /// The numbers of the events that support the change.
    pub evidence: Vec<i64>,
    /// The work that the override applies to.
    pub covers: Scope,
    /// The row to record.
    pub new: Option<NewModification>,
    /// Whether the agent is put on the blacklist.
    pub blacklist: bool,
}

impl IntentDetail {
    /// Reads the detail of an intent.
    ///
    /// # Errors
    /// [`Refusal::Intent`] if it cannot be read.
    pub fn of(intent: &Intent) -> Result<Self, OpsError> {
        Ok(serde_json::from_str(&intent.detail).map_err(|_| Refusal::Intent(intent.id.to_string()))?)
    }

    /// Returns the event of the change, with more members than the detail holds.
    fn event(&self, more: Map<String, Json>) -> EventDetails<'_> {
        let (kind, to) = match self.action {
            OverrideAction::Propose => ("override.proposed", "propose"),
            OverrideAction::Approve => ("override.approved", "exclude"),
            OverrideAction::Apply => ("override.applied", "exclude"),
            OverrideAction::Amend => ("override.amended", "exclude"),
            OverrideAction::Revert => ("override.reverted", "none"),
        };
        let mut data = Map::from_iter([
            ("agent".to_owned(), self.agent.as_str().into()),
            ("scope".to_owned(), self.scope.as_str().into()),
            ("path".to_owned(), self.path.as_str().into()),
            ("by".to_owned(), self.by.as_str().into()),
        ]);
        if !self.evidence.is_empty() {
            data.insert("evidence".to_owned(), self.evidence.clone().into());
        }
        if !self.covers.is_empty() {
            data.insert("covers".to_owned(), json!(self.covers));
        }
        data.extend(more);
        EventDetails { kind, about: self.agent.as_str(), to, reason: Some(&self.reason), data }
    }
}

/// Records what was committed: the row, the events, the blacklist. Ends the intent and releases the lock.
/// Does nothing else if another process has settled the intent already. Returns the id of the row, if one was
/// written.
pub fn settle(
    tx: &WriteTx<'_>,
    intent: &Intent,
    detail: &IntentDetail,
    commit: &str,
    lock: Option<&str>,
    stamp: &Stamp,
) -> Result<Option<ModificationId>, OpsError> {
    let mut id = None;
    if intent::settle(tx, &intent.id)? {
        let event = detail.event(members(intent, "commit", commit));
        match (&detail.new, detail.action) {
            (Some(new), _) => id = Some(store::insert(tx, new, commit, event, stamp)?),
            (None, OverrideAction::Revert) => end(tx, detail, &event, stamp)?,
            (None, _) => drop(store::append_event(tx, event, stamp)?),
        }
    }
    release(tx, lock, stamp)?;
    Ok(id)
}

/// Ends an intent whose commit was not made, and releases the lock.
pub fn abandon(
    tx: &WriteTx<'_>,
    intent: &Intent,
    detail: &IntentDetail,
    why: &str,
    lock: Option<&str>,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    if intent::settle(tx, &intent.id)? {
        let event = detail.event(members(intent, "abandoned", detail.action.as_str()));
        let event = EventDetails { kind: "override.abandoned", to: "", reason: Some(why), ..event };
        store::append_event(tx, event, stamp)?;
    }
    release(tx, lock, stamp)
}

/// Releases the lock, if it was taken and still exists.
pub fn release(tx: &WriteTx<'_>, lock: Option<&str>, stamp: &Stamp) -> Result<(), OpsError> {
    if let Some(lock) = lock {
        coordination::release(tx, lock, None, stamp)?;
    }
    Ok(())
}

/// Ends the records of an agent whose entry is gone without a commit of this program.
pub(super) fn end_records(tx: &WriteTx<'_>, detail: &IntentDetail, stamp: &Stamp) -> Result<(), OpsError> {
    end(tx, detail, &detail.event(Map::new()), stamp)
}

/// Ends the records of an agent that is no longer excluded.
fn end(
    tx: &WriteTx<'_>,
    detail: &IntentDetail,
    event: &EventDetails<'_>,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let mut ended = 0;
    for one in store::of_file(tx, &detail.scope, &detail.path, Some(&detail.agent))? {
        if one.is_applied() {
            store::revert(tx, &one, event.clone(), stamp)?;
            ended += 1;
        }
    }
    // A proposal has no row, and neither has an entry that was added by hand. Their end has an event all the
    // same.
    if ended == 0 {
        store::append_event(tx, event.clone(), stamp)?;
    }
    if detail.blacklist {
        store::put_blacklisted(tx, detail.agent.as_str(), &detail.reason, stamp)?;
    }
    Ok(())
}

/// Returns the members of an event that name the intent and its outcome.
fn members(intent: &Intent, key: &str, value: &str) -> Map<String, Json> {
    let pairs = [("intent", intent.id.as_str()), (key, value)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}
