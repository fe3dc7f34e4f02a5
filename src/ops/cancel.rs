//! Cancel: ending a run with everything that works on it.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::agent::AgentStatus;
use crate::domain::dispatch::DispatchStatus;
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::run::{Run, RunStatus};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::agent::Because;
use crate::store::dispatch::Decision;
use crate::store::phase::{PhaseEvent, Place};

/// The outcome of cancelling a run.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// Whether the run is a portfolio.
    pub portfolio: bool,
    /// The children that were cancelled with it.
    pub children: Vec<RunId>,
    /// The dispatches that were cancelled.
    pub dispatches: Vec<DispatchId>,
}

/// Cancels a run, its live dispatches and its active agents; of a portfolio also every active child.
///
/// # Errors
/// [`StoreError`](store::StoreError) for an unknown run, or one that has ended.
pub fn cancel(tx: &WriteTx<'_>, id: &RunId, signal: bool, stamp: &Stamp) -> Result<Cancelled, OpsError> {
    let run = store::run::get(tx, id)?;
    super::require_active(&run)?;
    let mut dispatches = Vec::new();
    end(tx, &run, None, signal, &mut dispatches, stamp)?;
    let mut children = Vec::new();
    for child in store::run::children(tx, id)?.into_iter().filter(|child| !child.status.is_terminal()) {
        end(tx, &child, Some("portfolio cancelled"), signal, &mut dispatches, stamp)?;
        children.push(child.id);
    }
    Ok(Cancelled { portfolio: run.is_portfolio(), children, dispatches })
}

fn end(
    tx: &WriteTx<'_>,
    run: &Run,
    reason: Option<&str>,
    signal: bool,
    cancelled: &mut Vec<DispatchId>,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let place =
        Place { phase: run.phase.clone(), status: RunStatus::Cancelled, completed_at: Some(stamp.secs()) };
    let event = PhaseEvent { reason: reason.map(ToOwned::to_owned), ..PhaseEvent::here("cancel", run) };
    let cause = store::phase::transit(tx, run, &place, event, stamp)?;
    for dispatch in store::dispatch::live_of_run(tx, &run.id)? {
        let decision = Decision {
            status: DispatchStatus::Cancelled,
            reason: "run cancelled",
            cause: Some(cause),
            stop: signal,
        };
        store::dispatch::decide(tx, &dispatch, &decision, stamp)?;
        cancelled.push(dispatch.id);
    }
    super::coordination::release_run(tx, &run.id, "run cancelled", stamp)?;
    let because = Because { reason: Some("run cancelled".to_owned()), cause: Some(cause) };
    for agent in store::agent::list(tx, &run.id)?.iter().filter(|a| a.status == AgentStatus::Active) {
        store::agent::set_status(tx, agent, AgentStatus::Failed, &because, stamp)?;
    }
    Ok(())
}
