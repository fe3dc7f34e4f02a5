//! Artifacts: the files that a run produced.

use super::ids::{ArtifactId, DispatchId, RunId};
use super::phase::Phase;

words!(
    /// The status of an artifact: whether it still counts.
    ArtifactStatus, "artifact status" {
        /// Counted by gates and templates.
        Active = "active",
        /// Stored and listed, but not counted.
        RolledBack = "rolled_back",
    }
);

/// A row of `run_artifacts`.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub id: ArtifactId,
    /// The run that produced it.
    pub run_id: RunId,
    /// The phase it is filed under.
    pub phase: Phase,
    /// The path as the caller gave it.
    pub path: String,
    /// Free text.
    pub kind: String,
    /// `sha256:<hex>` of the file, if it could be read.
    pub content_hash: Option<String>,
    pub status: ArtifactStatus,
    /// The dispatch that produced it.
    pub dispatch_id: Option<DispatchId>,
    /// Unix seconds.
    pub created_at: i64,
}
