//! Failures of store functions.

use crate::db::DbError;
use crate::domain::chain::Break;
use crate::domain::ids::{AgentId, ArtifactId, DispatchId, IdError, RunId};
use crate::domain::phase::Phase;
use crate::domain::run::RunStatus;

/// A failure of a store function. Callers distinguish all variants.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such run.
    #[error("run `{0}` not found")]
    RunNotFound(RunId),
    /// There is no such agent in this run.
    #[error("agent `{0}` not found")]
    AgentNotFound(AgentId),
    /// There is no artifact with this id.
    #[error("artifact `{0}` not found")]
    ArtifactNotFound(ArtifactId),
    /// No such dispatch.
    #[error("dispatch `{0}` not found")]
    DispatchNotFound(DispatchId),
    /// No such event.
    #[error("event {0} not found")]
    EventNotFound(i64),
    /// No such lock.
    #[error("lock `{0}` not found")]
    LockNotFound(String),
    /// No cursor of this name.
    #[error("consumer `{0}` has no cursor")]
    CursorNotFound(String),
    /// The hash chain is broken.
    #[error("the event log does not verify: {0}")]
    ChainBroken(Break),
    /// No such action.
    #[error("action not found")]
    ActionNotFound,
    /// The action exists already.
    #[error("duplicate action for run/phase/command")]
    DuplicateAction,
    /// The run is in another phase than the caller expects.
    #[error(
        "phase changed since read (optimistic concurrency conflict): run `{run}` is at `{actual}`, not `{expected}`"
    )]
    StalePhase {
        run: RunId,
        /// The phase that the caller expects.
        expected: Phase,
        /// The current phase.
        actual: Phase,
    },
    /// The run has ended.
    #[error("run is in a terminal status: run `{run}` is {status}")]
    Terminal {
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// No identifier could be created.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The engine failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
