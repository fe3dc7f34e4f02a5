//! An override that was applied, and the canary that watches it.

use serde::{Deserialize, Serialize};

use super::AgentName;
use super::canary::{CanaryStatus, Rates};
use crate::domain::ids::ModificationId;

words!(
    /// Whether an override is in force.
    ModificationStatus, "modification status" {
        /// It is.
        Applied = "applied",
        /// It was taken back.
        Reverted = "reverted",
    }
);

/// A row of `modifications`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modification {
    /// Identifier.
    pub id: ModificationId,
    /// The agent that is left out.
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to it.
    pub path: String,
    /// Whether it is in force.
    pub status: ModificationStatus,
    /// The commit that brought it.
    pub commit: String,
    /// Unix seconds.
    pub created_at: i64,
    /// What has become of its canary.
    pub canary: CanaryStatus,
    /// Everything else.
    pub detail: Detail,
}

/// What nobody looks for in the table: one cell of JSON, because every column is parsed at every call of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// How sure, in hundredths.
    pub confidence: i64,
    /// The numbers of the events that speak for it.
    pub evidence: Vec<i64>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// After how many sessions it is judged.
    pub window_uses: i64,
    /// When it is judged at the latest, Unix seconds.
    pub window_expires_at: i64,
    /// What the sessions after it are compared with.
    pub baseline: Option<Rates>,
    /// Why its canary was judged so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// When it was taken back, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_at: Option<i64>,
}

impl Modification {
    /// Whether it is in force.
    pub fn is_applied(&self) -> bool {
        self.status == ModificationStatus::Applied
    }
}

/// An override that is to be recorded as applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewModification {
    /// The agent that is left out.
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to it.
    pub path: String,
    /// Everything else.
    pub detail: Detail,
}
