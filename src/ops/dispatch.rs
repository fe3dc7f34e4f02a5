//! Recording dispatches and what they use.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::budget::{Budget, Standing};
use crate::domain::dispatch::Dispatch;
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::run::Run;
use crate::domain::time::Stamp;
use crate::store;
use crate::store::dispatch::{NewDispatch, NewTokens};
use crate::store::phase::PhaseEvent;

/// Records a dispatch that was started elsewhere, with the phase of its run and its depth.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound) for an unknown parent.
pub fn record(tx: &WriteTx<'_>, new: &NewDispatch, stamp: &Stamp) -> Result<Dispatch, OpsError> {
    let spawn_depth = match &new.parent_dispatch_id {
        None => 0,
        Some(parent) => store::dispatch::get(tx, parent)?.spawn_depth + 1,
    };
    let run_phase = match new.scope_id.as_deref().and_then(|scope| scope.parse::<RunId>().ok()) {
        None => None,
        Some(id) => store::run::find(tx, &id)?.map(|run| run.phase),
    };
    Ok(store::dispatch::insert(tx, &NewDispatch { run_phase, spawn_depth, ..new.clone() }, stamp)?)
}

/// A threshold of a run's budget that was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The state of the budget now.
    pub standing: Standing,
    /// Tokens used.
    pub used: i64,
    pub budget: Budget,
}

/// Sets the tokens of a dispatch; `None` leaves a counter as it is. Returns the thresholds of its run's
/// budget that are passed by it. Each is an event.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound).
pub fn set_tokens(
    tx: &WriteTx<'_>,
    id: &DispatchId,
    tokens: &NewTokens,
    stamp: &Stamp,
) -> Result<Vec<Crossing>, OpsError> {
    let dispatch = store::dispatch::get(tx, id)?;
    let run_id = dispatch.scope_id.as_deref().and_then(|scope| scope.parse::<RunId>().ok());
    let run = run_id.map(|id| store::run::find(tx, &id)).transpose()?.flatten();
    let used = |run: &Run| store::dispatch::tokens_used(tx, run.id.as_str());
    let before = run.as_ref().map(used).transpose()?;
    store::dispatch::set_tokens(tx, id, tokens)?;
    let (Some(run), Some(before)) = (run, before) else { return Ok(Vec::new()) };
    let Some(budget) = run.budget() else { return Ok(Vec::new()) };
    let now = used(&run)?;
    let mut crossings = Vec::new();
    for standing in [Standing::Warning, Standing::Exceeded] {
        if budget.standing(before) < standing && standing <= budget.standing(now) {
            note(tx, &run, standing, now, budget, stamp)?;
            crossings.push(Crossing { standing, used: now, budget });
        }
    }
    Ok(crossings)
}

fn note(
    tx: &WriteTx<'_>,
    run: &Run,
    standing: Standing,
    used: i64,
    budget: Budget,
    stamp: &Stamp,
) -> Result<(), OpsError> {
    let Budget { tokens, warn_pct } = budget;
    let (kind, reason) = match standing {
        Standing::Exceeded => ("budget.exceeded", format!("token usage {used} exceeded budget {tokens}")),
        _ => ("budget.warning", format!("token usage {used} reached {warn_pct}% of budget {tokens}")),
    };
    let event = PhaseEvent { reason: Some(reason), ..PhaseEvent::here(kind, run) };
    store::phase::note(tx, run, &event, stamp)?;
    Ok(())
}
