//! Refusals and failures of use cases.

use super::coordination::Wait;
use crate::db::DbError;
use crate::domain::ids::{AgentId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::store::StoreError;

/// A refusal or failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The run is at the end of its chain.
    #[error("run is already in terminal phase `{0}`")]
    TerminalPhase(Phase),
    /// The run's phase is not in its chain: damaged data.
    #[error("phase \"{phase}\" of run `{run}` not found in chain")]
    PhaseNotInChain { run: RunId, phase: Phase },
    /// A rollback target that is not before the run's phase, or not in its chain.
    #[error("target phase `{target}` is not behind current phase `{current}`")]
    NotBehind {
        /// The requested phase.
        target: Phase,
        /// The current phase.
        current: Phase,
    },
    /// Of ended runs, only a completed one can be rolled back.
    #[error("rollback: run is in a terminal status: {0}")]
    NotRollable(crate::domain::run::RunStatus),
    /// A phase to skip that the chain does not have.
    #[error("skip: phase \"{0}\" not in chain")]
    SkipNotInChain(Phase),
    /// A phase to skip that the run has reached or passed.
    #[error("skip: phase \"{phase}\" is not ahead of current phase \"{current}\"")]
    SkipNotAhead {
        /// The phase to skip.
        phase: Phase,
        /// The current phase.
        current: Phase,
    },
    /// The last phase cannot be skipped.
    #[error("skip: cannot skip terminal phase \"{0}\"")]
    SkipTerminal(Phase),
    /// No such skip is in force.
    #[error("unskip: phase \"{0}\" is not skipped")]
    NotSkipped(Phase),
    /// The event is not a rollback, or belongs to another run.
    #[error("event {0} is not a rollback{1}")]
    NotARollback(i64, String),
    /// Something happened after the rollback.
    #[error("rollback event {event} cannot be undone: since then {}", .since.join("; "))]
    UndoBlocked {
        /// The rollback's event.
        event: i64,
        /// The later events, oldest first.
        since: Vec<String>,
    },
    /// A setting that a finished run does not take any more.
    #[error("run `{0}` is over: only its metadata can be changed")]
    OnlyMetadata(RunId),
    /// A change of metadata that is sealed because the run asks for evidence.
    #[error("run set: sealed close-gate metadata cannot be changed: {0}")]
    SealedMetadata(String),
    /// The files of the evidence for the last step were not compared with their hashes before the
    /// transaction.
    #[error("the evidence that the last step of run `{0}` needs has not been compared with its file")]
    EvidenceUnread(RunId),
    /// An agent of another run.
    #[error("agent `{agent}` does not belong to run `{run}`")]
    AgentOfOtherRun {
        agent: AgentId,
        /// The run that was named.
        run: RunId,
    },
    /// A consumer whose cursor has expired.
    #[error("the cursor of consumer `{consumer}` has expired; it had read up to event {position}")]
    CursorExpired {
        consumer: String,
        /// Its position.
        position: i64,
    },
    /// A position that the log does not have.
    #[error("position {position} is ahead of the log, which agrees with it up to event {known}")]
    CursorAhead {
        position: i64,
        /// The last event up to which the log is the same.
        known: i64,
    },
    /// A position before the current one.
    #[error("position {to} lies before the present one, {from}")]
    CursorRewind {
        /// The current position.
        from: i64,
        /// The requested position.
        to: i64,
    },
    /// An imported log that does not continue the existing one.
    #[error("the log that is here is another one: they part before event {0}")]
    LogDiverged(i64),
    /// The content of an event that a caller records.
    #[error("{0}")]
    Record(#[from] crate::domain::record::RecordError),
    /// A limit forbids another child.
    #[error("spawn rejected")]
    SpawnRejected,
    /// A lock of another owner.
    #[error("lock {lock} belongs to {owner}")]
    LockOwner { lock: String, owner: String },
    /// A lock that has ended.
    #[error("lock {lock} is {state}")]
    LockGone { lock: String, state: &'static str },
    /// The caller would wait for itself.
    #[error("a deadlock: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Deadlock(Vec<Wait>),
    /// A reservation of another store that has the identifier of another lock here.
    #[error("lock {0} is another one in the other store: its owner, scope, pattern or kind differs")]
    MirrorConflict(String),
    /// Too many locks.
    #[error("{owner} has {held} live locks in {scope}, which is the most")]
    LockLimit { owner: String, scope: String, held: i64 },
    /// A retry of a dispatch that cannot be retried.
    #[error("retry: dispatch {dispatch} is not retryable ({why})")]
    NotRetryable { dispatch: DispatchId, why: String },
    /// The state of an escalation chain that cannot be read.
    #[error("the state of escalation chain {0} cannot be read")]
    Chain(String),
    /// The idempotency key was used with other arguments.
    #[error("idempotency key `{0}` was used before with other arguments")]
    IdempotencyConflict(String),
    /// A stored answer that cannot be read.
    #[error("the answer kept under idempotency key `{0}` cannot be read")]
    IdempotencyAnswer(String),
    /// Stored metadata that is not a JSON object.
    #[error("stored metadata of run `{0}` is not a JSON object")]
    StoredMetadata(RunId),
    /// An import wrote another number of rows than it read.
    #[error("import: {what}: {read} read, {written} written")]
    ImportMismatch { what: String, read: i64, written: i64 },
    /// A change of an override was refused.
    #[error(transparent)]
    Interspect(Box<super::interspect::Refusal>),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<super::interspect::Refusal> for OpsError {
    fn from(err: super::interspect::Refusal) -> Self {
        Self::Interspect(Box::new(err))
    }
}

impl From<DbError> for OpsError {
    fn from(err: DbError) -> Self {
        Self::Store(err.into())
    }
}
