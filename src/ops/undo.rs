//! Undoing a rollback, unless something has happened to the run since.

use serde::Deserialize;
use serde_json::{Map, json};

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::agent::AgentStatus;
use crate::domain::artifact::ArtifactStatus;
use crate::domain::event::{Event, Source};
use crate::domain::ids::{AgentId, ArtifactId, DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::agent::Because;
use crate::store::event::Filter;
use crate::store::phase::{PhaseEvent, Place, Skip};

/// The number of events that a refusal names.
const NAMED: usize = 5;

/// The request of a caller.
#[derive(Clone, Debug)]
pub struct Request {
    /// The rollback's event.
    pub event: i64,
    /// The run that the caller expects, as a check.
    pub run: Option<RunId>,
    /// The phase in which the caller expects the run.
    pub expect: Option<Phase>,
    pub reason: Option<String>,
}

/// The outcome of an undo.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The run as it was before the undo.
    pub run: Run,
    /// The restored phase.
    pub to: Phase,
    /// The restored status.
    pub status: RunStatus,
    /// Artifacts that count again.
    pub artifacts: Vec<ArtifactId>,
    /// Agents that are active again.
    pub agents: Vec<AgentId>,
    /// Skips in force again.
    pub skips: Vec<Phase>,
    /// Dispatches that stay cancelled, because a process cannot be restored.
    pub still_cancelled: Vec<DispatchId>,
    /// Agents that stay failed with them.
    pub still_failed: Vec<AgentId>,
    /// The number of the undo's event.
    pub event_id: i64,
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    prev_status: RunStatus,
    prev_completed_at: Option<i64>,
    dispatches: Vec<DispatchId>,
    agents: Vec<AgentId>,
    artifacts: Vec<ArtifactId>,
    skips: Vec<ToldSkip>,
}

#[derive(Deserialize)]
struct ToldSkip {
    phase: Phase,
    skip: Skip,
}

/// Restores the state of a run before a rollback.
///
/// # Errors
/// * [`StoreError::EventNotFound`](store::StoreError::EventNotFound) and [`OpsError::NotARollback`] for
///   another event.
/// * [`OpsError::UndoBlocked`] if something happened since, with the events.
pub fn undo(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<Undone, OpsError> {
    let event = store::event::get(tx, request.event)?;
    let (run_id, told) = read(&event)?;
    if let Some(meant) = request.run.as_ref().filter(|meant| **meant != run_id) {
        return Err(OpsError::NotARollback(event.id, format!(" of run `{meant}`")));
    }
    let run = store::run::get(tx, &run_id)?;
    super::require_phase(&run, request.expect.as_ref())?;
    let since = happened_since(tx, &event, &run_id, &told)?;
    if !since.is_empty() {
        return Err(OpsError::UndoBlocked { event: event.id, since });
    }
    let to: Phase = event.from.parse().map_err(|_| OpsError::NotARollback(event.id, String::new()))?;
    let undo = PhaseEvent {
        kind: "undo",
        from: &run.phase,
        to: &to,
        reason: request.reason.clone(),
        gate: None,
        data: Map::from_iter([("undoes".to_owned(), json!(event.id))]),
        envelope: Map::new(),
    };
    let place = Place { phase: to.clone(), status: told.prev_status, completed_at: told.prev_completed_at };
    let event_id = store::phase::transit(tx, &run, &place, undo, stamp)?;
    let why = format!("undo of rollback event {}", event.id);
    let mut undone = Undone {
        to: to.clone(),
        status: told.prev_status,
        artifacts: Vec::new(),
        agents: Vec::new(),
        skips: Vec::new(),
        still_cancelled: told.dispatches.clone(),
        still_failed: Vec::new(),
        event_id,
        reason: request.reason.clone(),
        run: run.clone(),
    };
    for artifact in
        store::artifact::list(tx, &run_id, None)?.iter().filter(|a| told.artifacts.contains(&a.id))
    {
        store::artifact::set_status(
            tx,
            artifact,
            ArtifactStatus::Active,
            Some(why.clone()),
            event_id,
            stamp,
        )?;
        undone.artifacts.push(artifact.id.clone());
    }
    let because = Because { reason: Some(why), cause: Some(event_id) };
    for agent in store::agent::list(tx, &run_id)?.iter().filter(|a| told.agents.contains(&a.id)) {
        if agent.dispatch_id.as_ref().is_some_and(|id| told.dispatches.contains(id)) {
            undone.still_failed.push(agent.id.clone());
        } else {
            store::agent::set_status(tx, agent, AgentStatus::Active, &because, stamp)?;
            undone.agents.push(agent.id.clone());
        }
    }
    let moved = Run { phase: to, ..run };
    for ToldSkip { phase, skip } in told.skips {
        store::phase::add_skip(tx, &moved, &phase, &skip, Some(event_id), stamp)?;
        undone.skips.push(phase);
    }
    Ok(undone)
}

fn read(event: &Event) -> Result<(RunId, Told), OpsError> {
    let not_one = || OpsError::NotARollback(event.id, String::new());
    if event.source != Source::PHASE || event.kind != "rollback" {
        return Err(not_one());
    }
    let envelope: serde_json::Value =
        event.envelope.as_deref().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(not_one)?;
    let told = serde_json::from_value(envelope["rollback"].clone()).map_err(|_| not_one())?;
    Ok((event.run_id.clone().ok_or_else(not_one)?, told))
}

/// Describes the events of the run after a rollback. The rollback's own consequences do not count, nor do the
/// ends of the dispatches that it cancelled.
fn happened_since(
    tx: &ReadTx<'_>,
    rollback: &Event,
    run_id: &RunId,
    told: &Told,
) -> Result<Vec<String>, OpsError> {
    let mut since = Vec::new();
    let filter = Filter { run_id: Some(run_id.clone()), since: rollback.id, ..Filter::default() };
    store::event::for_each(tx, &filter, |event| {
        let consequence = event.data().get("cause").and_then(serde_json::Value::as_i64) == Some(rollback.id);
        let its_end =
            event.source == Source::DISPATCH && told.dispatches.iter().any(|id| id.as_str() == event.subject);
        if !consequence && !its_end {
            since.push(describe(&event));
        }
        Ok::<_, OpsError>(since.len() < NAMED)
    })?;
    Ok(since)
}

fn describe(event: &Event) -> String {
    let Event { id, kind, source, subject, from, to, .. } = event;
    if *source == Source::PHASE {
        format!("event {id}: {kind} {from} → {to}")
    } else {
        format!("event {id}: {source} {kind} {subject}")
    }
}
