//! Rolling a run back, undoing that, and listing the files that a rollback concerns.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::effects::{self, PhaseChange};
use crate::app::reply::Style;
use crate::app::{CommandContext, Error, Reply};
use crate::db::ReadTx;
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::ids::{AgentId, ArtifactId, DispatchId, RunId};
use crate::domain::order;
use crate::domain::phase::Phase;
use crate::domain::run::RunStatus;
use crate::ops::OpsError;
use crate::ops::rollback::{self, Plan};
use crate::ops::undo::{self, Undone};
use crate::store;
use crate::store::StoreError;

pub(crate) use crate::ops::rollback::Request as RollbackRequest;
pub(crate) use crate::ops::undo::Request as UndoRequest;

/// The answer of a rollback, in one of its three forms.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RollbackAnswer {
    Changes(RollbackChanges),
    Undone(UndoAnswer),
    Files(Vec<RunFile>),
}

/// Everything that a rollback changes. A dry run and the real one differ in three members, which are left out
/// where they do not apply.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RollbackChanges {
    pub agents: Vec<AgentId>,
    pub artifacts: Vec<ArtifactId>,
    pub cancelled_dispatches: usize,
    pub dispatches: Vec<DispatchId>,
    /// True for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<i64>,
    pub failed_agents: usize,
    pub from_phase: Phase,
    pub marked_artifacts: usize,
    /// Empty if the caller gave none.
    pub reason: String,
    pub released_locks: Vec<String>,
    /// First to last.
    pub rolled_back_phases: Vec<Phase>,
    /// The number of processes that were asked to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signalled: Option<usize>,
    pub to_phase: Phase,
    pub unskipped_phases: Vec<Phase>,
}

impl RollbackChanges {
    fn new(plan: Plan, reason: Option<String>) -> Self {
        Self {
            cancelled_dispatches: plan.dispatches.len(),
            failed_agents: plan.agents.len(),
            marked_artifacts: plan.artifacts.len(),
            agents: plan.agents.into_iter().map(|agent| agent.id).collect(),
            artifacts: plan.artifacts.into_iter().map(|artifact| artifact.id).collect(),
            dispatches: plan.dispatches.into_iter().map(|dispatch| dispatch.id).collect(),
            dry_run: None,
            event_id: None,
            from_phase: plan.run.phase,
            reason: reason.unwrap_or_default(),
            released_locks: plan.locks.into_iter().map(|lock| lock.id).collect(),
            rolled_back_phases: plan.rolled_back,
            signalled: None,
            to_phase: plan.to,
            unskipped_phases: plan.skips.into_iter().map(|(phase, _)| phase).collect(),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UndoAnswer {
    pub event_id: i64,
    pub from_phase: Phase,
    /// Empty if the caller gave none.
    pub reason: String,
    pub restored_agents: Vec<AgentId>,
    pub restored_artifacts: Vec<ArtifactId>,
    pub restored_skips: Vec<Phase>,
    pub run_id: RunId,
    pub status: RunStatus,
    /// A process that was ended does not come back.
    pub still_cancelled_dispatches: Vec<DispatchId>,
    /// The agents of those dispatches.
    pub still_failed_agents: Vec<AgentId>,
    pub to_phase: Phase,
    /// The number of the rollback's event.
    pub undone_event: i64,
}

/// A file that a run produced.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunFile {
    /// `sha256:` and hexadecimal digits; null if the file could not be read when it was filed.
    pub content_hash: Option<String>,
    pub dispatch_id: Option<DispatchId>,
    /// Null if no dispatch made the file, or if its record has no name or was pruned.
    pub dispatch_name: Option<String>,
    pub path: String,
    pub phase: Phase,
    pub status: ArtifactStatus,
    #[serde(rename = "type")]
    pub kind: String,
}

impl RunFile {
    fn read(tx: &ReadTx<'_>, artifact: Artifact) -> Result<Self, StoreError> {
        let dispatch = match &artifact.dispatch_id {
            None => None,
            Some(id) => match store::dispatch::get(tx, id) {
                Ok(dispatch) => Some(dispatch),
                Err(StoreError::DispatchNotFound(_)) => None,
                Err(err) => return Err(err),
            },
        };
        Ok(Self {
            content_hash: artifact.content_hash,
            dispatch_id: artifact.dispatch_id,
            dispatch_name: dispatch.and_then(|dispatch| dispatch.name),
            path: artifact.path,
            phase: artifact.phase,
            status: artifact.status,
            kind: artifact.kind,
        })
    }
}

/// Returns what a rollback would change, and changes nothing.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, cannot be rolled back, or is not after the target phase.
pub(crate) fn plan(
    cx: &mut CommandContext,
    request: RollbackRequest,
) -> Result<Reply<RollbackAnswer>, Error> {
    let plan = cx.read(|tx| rollback::plan(tx, &request))?;
    let changes = RollbackChanges::new(plan, request.reason);
    Ok(pretty(RollbackAnswer::Changes(RollbackChanges { dry_run: Some(true), ..changes })))
}

/// Rolls a run back to an earlier phase. If the request says so, the processes of cancelled dispatches are
/// asked to end.
///
/// # Errors
/// As [`plan`].
pub(crate) fn rollback(
    cx: &mut CommandContext,
    request: RollbackRequest,
) -> Result<Reply<RollbackAnswer>, Error> {
    let stamp = cx.stamp.clone();
    let (plan, event_id) = cx.write(|tx| rollback::rollback(tx, &request, &stamp))?;
    let change = PhaseChange {
        event_id,
        kind: "rollback",
        from: &plan.run.phase,
        to: &plan.to,
        reason: request.reason.as_deref(),
    };
    effects::phase_hook(cx, &plan.run, &change);
    let signal = request.signal && !plan.dispatches.is_empty();
    let signalled = Some(if signal { effects::stop_processes(cx)? } else { 0 });
    let changes = RollbackChanges::new(plan, request.reason);
    let changes = RollbackChanges { event_id: Some(event_id), signalled, ..changes };
    Ok(pretty(RollbackAnswer::Changes(changes)))
}

/// Takes a rollback back, as long as nothing has happened to the run since.
///
/// # Errors
/// [`Error::Ops`] if the event is not a rollback of the run, or if something has happened since.
pub(crate) fn undo(cx: &mut CommandContext, request: &UndoRequest) -> Result<Reply<RollbackAnswer>, Error> {
    let stamp = cx.stamp.clone();
    let done = cx.write(|tx| undo::undo(tx, request, &stamp))?;
    let change = PhaseChange {
        event_id: done.event_id,
        kind: "undo",
        from: &done.run.phase,
        to: &done.to,
        reason: done.reason.as_deref(),
    };
    effects::phase_hook(cx, &done.run, &change);
    let Undone { run, to, status, artifacts, agents, skips, still_cancelled, still_failed, event_id, reason } =
        done;
    Ok(pretty(RollbackAnswer::Undone(UndoAnswer {
        event_id,
        from_phase: run.phase,
        reason: reason.unwrap_or_default(),
        restored_agents: agents,
        restored_artifacts: artifacts,
        restored_skips: skips,
        run_id: run.id,
        status,
        still_cancelled_dispatches: still_cancelled,
        still_failed_agents: still_failed,
        to_phase: to,
        undone_event: request.event,
    })))
}

/// Returns the files that a run has produced, by phase.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist, or if a row cannot be read.
pub(crate) fn files(
    cx: &mut CommandContext,
    run: &RunId,
    phase: Option<&Phase>,
) -> Result<Reply<RollbackAnswer>, Error> {
    let files = cx.read(|tx| {
        let run = store::run::get(tx, run)?;
        let mut artifacts = store::artifact::list(tx, &run.id, phase)?;
        order::by(&mut artifacts, |a, b| a.phase.cmp(&b.phase));
        let files = artifacts.into_iter().map(|artifact| RunFile::read(tx, artifact));
        Ok::<_, OpsError>(files.collect::<Result<Vec<_>, _>>()?)
    })?;
    Ok(pretty(RollbackAnswer::Files(files)))
}

/// Returns a reply that is indented JSON unless the caller asks for another form.
fn pretty(answer: RollbackAnswer) -> Reply<RollbackAnswer> {
    Reply::yes(answer).styled(Style::PrettyJson)
}
