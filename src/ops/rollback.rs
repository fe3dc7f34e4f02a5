//! Rollback: moving a run back to an earlier phase, and undoing what followed from the later ones.

use serde_json::{Map, json};

use super::OpsError;
use crate::db::{ReadTx, WriteTx};
use crate::domain::agent::{Agent, AgentStatus};
use crate::domain::artifact::{Artifact, ArtifactStatus};
use crate::domain::coordination::Lock;
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::agent::Because;
use crate::store::coordination::End;
use crate::store::dispatch::Decision;
use crate::store::phase::{AUTO, PhaseEvent, Place, Skip};

/// The request of a caller.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: RunId,
    /// The phase to go back to.
    pub to: Phase,
    /// The phase in which the caller expects the run.
    pub expect: Option<Phase>,
    pub reason: Option<String>,
    /// Whether the processes of cancelled dispatches are stopped.
    pub signal: bool,
}

/// Everything that a rollback changes. A dry run shows the same value that the real one carries out, so they
/// cannot differ.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run before.
    pub run: Run,
    /// The phase that it returns to.
    pub to: Phase,
    /// The phases that are undone, first to last.
    pub rolled_back: Vec<Phase>,
    /// The artifacts that stop counting.
    pub artifacts: Vec<Artifact>,
    /// The dispatches that are cancelled.
    pub dispatches: Vec<Dispatch>,
    /// The agents that are failed.
    pub agents: Vec<Agent>,
    /// The locks that were held for those dispatches.
    pub locks: Vec<Lock>,
    /// The skips that are cleared.
    pub skips: Vec<(Phase, Skip)>,
}

/// Determines what a rollback would change. Reads the run once and writes nothing.
///
/// # Errors
/// * [`StoreError`](store::StoreError) for an unknown run or one in another phase than expected.
/// * [`OpsError::NotRollable`] for a cancelled or failed run.
/// * [`OpsError::NotBehind`] for a target that is not before the run's phase.
pub fn plan(tx: &ReadTx<'_>, request: &Request) -> Result<Plan, OpsError> {
    let run = store::run::get(tx, &request.id)?;
    if matches!(run.status, RunStatus::Cancelled | RunStatus::Failed) {
        return Err(OpsError::NotRollable(run.status));
    }
    super::require_phase(&run, request.expect.as_ref())?;
    super::require_in_chain(&run)?;
    let chain = run.chain();
    let here = chain.index(&run.phase);
    let target = chain.index(&request.to).filter(|at| Some(*at) < here);
    let (Some(here), Some(target)) = (here, target) else {
        return Err(OpsError::NotBehind { target: request.to.clone(), current: run.phase });
    };
    let rolled_back = chain.phases()[target + 1..=here].to_vec();
    let later = chain.after(&request.to);
    let artifacts = store::artifact::list(tx, &run.id, None)?;
    let artifacts = artifacts
        .into_iter()
        .filter(|artifact| artifact.status == ArtifactStatus::Active && later.contains(&artifact.phase))
        .collect();
    let dispatches: Vec<Dispatch> = store::dispatch::live_of_run(tx, &run.id)?
        .into_iter()
        .filter(|dispatch| dispatch.run_phase.as_ref().is_none_or(|phase| later.contains(phase)))
        .collect();
    let is_cancelled = |agent: &Agent| dispatches.iter().any(|d| Some(&d.id) == agent.dispatch_id.as_ref());
    let mut locks = Vec::new();
    for dispatch in &dispatches {
        locks.extend(store::coordination::of_dispatch(tx, &dispatch.id)?);
    }
    let agents = store::agent::list(tx, &run.id)?;
    let agents = agents
        .into_iter()
        .filter(|agent| agent.status == AgentStatus::Active)
        .filter(|agent| later.contains(&agent.phase) || is_cancelled(agent))
        .collect();
    let skips = store::phase::skips(tx, &run)?;
    let skips = skips
        .into_iter()
        .filter(|(phase, skip)| rolled_back.contains(phase) && skip.actor.as_deref() != Some(AUTO))
        .collect();
    Ok(Plan { to: request.to.clone(), rolled_back, artifacts, dispatches, agents, locks, skips, run })
}

/// Carries out a rollback. Returns what it changed and the number of its event.
///
/// Each changed row has its own event, after the one that moves the run, which it names as its cause. A
/// completed run becomes active again, which is the only way out of a terminal status. The event keeps its
/// `completed_at`.
///
/// # Errors
/// As [`plan`].
pub fn rollback(tx: &WriteTx<'_>, request: &Request, stamp: &Stamp) -> Result<(Plan, i64), OpsError> {
    let plan = plan(tx, request)?;
    let told = json!({
        "prev_status": plan.run.status,
        "prev_completed_at": plan.run.completed_at,
        "phases": plan.rolled_back,
        "dispatches": plan.dispatches.iter().map(|d| &d.id).collect::<Vec<_>>(),
        "agents": plan.agents.iter().map(|a| &a.id).collect::<Vec<_>>(),
        "artifacts": plan.artifacts.iter().map(|a| &a.id).collect::<Vec<_>>(),
        "locks": plan.locks.iter().map(|lock| &lock.id).collect::<Vec<_>>(),
        "skips": plan.skips.iter().map(|(phase, skip)| json!({ "phase": phase, "skip": skip })).collect::<Vec<_>>(),
    });
    let event = PhaseEvent {
        kind: "rollback",
        from: &plan.run.phase,
        to: &plan.to,
        reason: request.reason.clone(),
        gate: None,
        data: Map::new(),
        envelope: Map::from_iter([("rollback".to_owned(), told)]),
    };
    let place = Place { phase: plan.to.clone(), status: RunStatus::Active, completed_at: None };
    let cause = store::phase::transit(tx, &plan.run, &place, event, stamp)?;
    let why = match &request.reason {
        Some(reason) => format!("rollback: {reason}"),
        None => format!("rollback: to {}", plan.to),
    };
    for artifact in &plan.artifacts {
        let status = ArtifactStatus::RolledBack;
        store::artifact::set_status(tx, artifact, status, Some(why.clone()), cause, stamp)?;
    }
    for dispatch in &plan.dispatches {
        let decision = Decision {
            status: DispatchStatus::Cancelled,
            reason: &why,
            cause: Some(cause),
            stop: request.signal,
        };
        store::dispatch::decide(tx, dispatch, &decision, stamp)?;
    }
    for lock in &plan.locks {
        store::coordination::end(tx, lock, End::Released, Some(&why), stamp)?;
    }
    let because = Because { reason: Some(why.clone()), cause: Some(cause) };
    for agent in &plan.agents {
        store::agent::set_status(tx, agent, AgentStatus::Failed, &because, stamp)?;
    }
    let moved = Run { phase: plan.to.clone(), ..plan.run.clone() };
    for (phase, skip) in &plan.skips {
        store::phase::clear_skip(tx, &moved, phase, skip, Some(why.clone()), Some(cause), stamp)?;
    }
    Ok((plan, cause))
}
