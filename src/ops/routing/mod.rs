//! Routing overrides: what may change, what a change is, and how it is written down.
//!
//! A change is a commit in the user's repository and rows of ours, and the two must not part (IS-01 to IS-03). Whoever makes
//! one holds the file's lock ([`lock`]), decides under it ([`plan`]) and leaves an intent; then the commit is made, which
//! carries the intent's id; then [`settle`] writes rows and events, ends the intent and gives the lock back, in one
//! transaction. If its process dies in between, the next one finds the intent: with the commit in the history it settles what
//! the dead one would have, without it [`abandon`] ends the intent, and nothing has happened.

pub mod canary;
pub mod lock;
mod plan;
mod refusal;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::ids::ModificationId;
use crate::domain::routing::evidence::Row;
use crate::domain::routing::modification::NewModification;
use crate::domain::routing::{AgentName, Scope};
use crate::domain::time::Stamp;
use crate::store::intent::{self, Intent};
use crate::store::routing::{self as store, Told};

pub use plan::{Change, Decided, Facts, Plan, Verb, plan, resource};
pub use refusal::Refusal;

/// The kind of our intents.
pub const INTENT: &str = "routing";

/// What an intent needs to be settled by anybody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// What is done.
    pub verb: Verb,
    /// To which agent.
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to it.
    pub path: String,
    /// The commit that it is done on top of.
    pub base: Option<String>,
    /// The file's content before, as a hash; `None` if there was none.
    pub before: Option<String>,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The numbers of the events that speak for it.
    pub evidence: Vec<i64>,
    /// For which work.
    pub covers: Scope,
    /// The row to be written.
    pub new: Option<NewModification>,
    /// Whether the agent goes on the blacklist.
    pub blacklist: bool,
}

impl Detail {
    /// Reads what an intent says.
    ///
    /// # Errors
    /// [`Refusal::Intent`] if it cannot be read.
    pub fn of(intent: &Intent) -> Result<Self, OpsError> {
        Ok(serde_json::from_str(&intent.detail).map_err(|_| Refusal::Intent(intent.id.to_string()))?)
    }

    /// The event of it, with what is known beside what an intent says.
    fn told(&self, more: Map<String, Json>) -> Told<'_> {
        let (kind, to) = match self.verb {
            Verb::Propose => ("override.proposed", "propose"),
            Verb::Approve => ("override.approved", "exclude"),
            Verb::Apply => ("override.applied", "exclude"),
            Verb::Amend => ("override.amended", "exclude"),
            Verb::Revert => ("override.reverted", "none"),
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
        Told { kind, about: self.agent.as_str(), to, reason: Some(&self.reason), data }
    }
}

/// What an event of a change says of its intent and of how it went on.
fn more(intent: &Intent, key: &str, value: &str) -> Map<String, Json> {
    let pairs = [("intent", intent.id.as_str()), (key, value)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// Ends what is on record of an agent that is not left out any more.
fn end_all(tx: &WriteTx<'_>, detail: &Detail, told: &Told<'_>, stamp: &Stamp) -> Result<(), OpsError> {
    let mut ended = 0;
    for one in store::of_file(tx, &detail.scope, &detail.path, Some(&detail.agent))? {
        if one.is_applied() {
            store::revert(tx, &one, told.clone(), stamp)?;
            ended += 1;
        }
    }
    // A proposal, or an entry that nobody recorded: it is told of all the same.
    if ended == 0 {
        store::tell(tx, told.clone(), stamp)?;
    }
    if detail.blacklist {
        store::put_blacklisted(tx, detail.agent.as_str(), &detail.reason, stamp)?;
    }
    Ok(())
}

/// The evidence that counts at `now`.
///
/// # Errors
/// What the engine says.
pub fn counting(tx: &ReadTx<'_>, quarantine: i64, now: i64) -> Result<Vec<Row>, OpsError> {
    let mut rows = store::evidence(tx, quarantine)?;
    rows.retain(|row| row.counts_from <= now);
    Ok(rows)
}

/// Writes down what was committed: the row, the events, the blacklist; ends the intent, and gives the lock back. Nothing if
/// somebody else has done so already. Answers the row's id, where there is one.
///
/// # Errors
/// What the engine says.
pub fn settle(
    tx: &WriteTx<'_>,
    intent: &Intent,
    detail: &Detail,
    commit: &str,
    lock: Option<&str>,
    stamp: &Stamp,
) -> Result<Option<ModificationId>, OpsError> {
    let mut id = None;
    if intent::settle(tx, &intent.id)? {
        let told = detail.told(more(intent, "commit", commit));
        match (&detail.new, detail.verb) {
            (Some(new), _) => id = Some(store::insert(tx, new, commit, told, stamp)?),
            (None, Verb::Revert) => end_all(tx, detail, &told, stamp)?,
            (None, _) => drop(store::tell(tx, told, stamp)?),
        }
    }
    release(tx, lock, stamp)?;
    Ok(id)
}

/// Ends an intent whose commit was not made, and gives the lock back.
///
/// # Errors
/// What the engine says.
pub fn abandon(
    tx: &WriteTx<'_>,
    intent: &Intent,
    detail: &Detail,
    why: &str,
    lock: Option<&str>,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    if intent::settle(tx, &intent.id)? {
        let told = detail.told(more(intent, "abandoned", detail.verb.as_str()));
        let told = Told { kind: "override.abandoned", to: "", reason: Some(why), ..told };
        store::tell(tx, told, stamp)?;
    }
    release(tx, lock, stamp)
}

/// Gives the lock back, if it is still there to be given.
///
/// # Errors
/// What the engine says.
pub fn release(tx: &WriteTx<'_>, lock: Option<&str>, stamp: &Stamp) -> Result<(), OpsError> {
    if let Some(lock) = lock {
        super::coordination::release(tx, lock, None, stamp)?;
    }
    Ok(())
}
