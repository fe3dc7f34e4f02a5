//! An override that was applied, together with the canary that watches it.

use serde::{Deserialize, Serialize};

use super::AgentName;
use super::canary::{CanaryStatus, Rates};
use crate::domain::ids::ModificationId;

words!(
    /// Whether an override is in force.
    ModificationStatus, "modification status" {
        /// It is in force.
        Applied = "applied",
        /// It was reverted.
        Reverted = "reverted",
    }
);

/// A row of `modifications`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modification {
    pub id: ModificationId,
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to the scope.
    pub path: String,
    pub status: ModificationStatus,
    pub commit: String,
    /// Unix seconds.
    pub created_at: i64,
    pub canary: CanaryStatus,
    pub detail: ModificationDetail,
}

/// The part of a modification that no query filters by. It is one cell of JSON, because every call of the
/// program parses every column of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModificationDetail {
    /// In hundredths.
    pub confidence: i64,
    /// The numbers of the events that support the override.
    pub evidence: Vec<i64>,
    pub reason: String,
    pub by: String,
    /// The number of sessions after which the canary is judged.
    pub window_uses: i64,
    /// The latest time at which the canary is judged, in Unix seconds.
    pub window_expires_at: i64,
    /// Null if there were too few sessions before the override.
    pub baseline: Option<Rates>,
    /// The reason of the canary's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_at: Option<i64>,
}

impl Modification {
    /// Checks whether the override is in force.
    pub fn is_applied(&self) -> bool {
        self.status == ModificationStatus::Applied
    }
}

/// An override to record as applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewModification {
    pub agent: AgentName,
    /// The top of the working tree.
    pub scope: String,
    /// The file, relative to the scope.
    pub path: String,
    pub detail: ModificationDetail,
}

/// An entry of the blacklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BlacklistEntry {
    /// An agent, or any other name of a pattern.
    pub pattern_key: String,
    pub reason: String,
    /// Unix seconds.
    pub blacklisted_at: i64,
}
