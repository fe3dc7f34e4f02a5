//! What a store can answer instead of a result: facts, not sentences for every taste.

use crate::db::DbError;
use crate::domain::chain::Break;
use crate::domain::ids::{AgentId, ArtifactId, DispatchId, IdError, RunId};
use crate::domain::phase::Phase;
use crate::domain::run::RunStatus;

/// A failure of a store function; each variant is a case that some caller tells apart.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such run.
    #[error("run `{0}` not found")]
    RunNotFound(RunId),
    /// No such agent, or not of this run.
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
    /// The hash chain does not hold.
    #[error("the event log does not verify: {0}")]
    ChainBroken(Break),
    /// No such action.
    #[error("action not found")]
    ActionNotFound,
    /// The same action is there already.
    #[error("duplicate action for run/phase/command")]
    DuplicateAction,
    /// The run is not where the caller thought.
    #[error(
        "phase changed since read (optimistic concurrency conflict): run `{run}` is at `{actual}`, not `{expected}`"
    )]
    StalePhase {
        run: RunId,
        /// Where the caller thought it was.
        expected: Phase,
        /// Where it is.
        actual: Phase,
    },
    /// The run is over.
    #[error("run is in a terminal status: run `{run}` is {status}")]
    Terminal {
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// No identifier could be made.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The engine failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
