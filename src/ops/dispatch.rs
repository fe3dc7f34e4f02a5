//! Recording dispatches.

use super::OpsError;
use crate::db::WriteTx;
use crate::domain::dispatch::Dispatch;
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::time::Stamp;
use crate::store;
use crate::store::dispatch::NewDispatch;

/// Records a dispatch that was started elsewhere, with the phase of its run and its depth (RB-15).
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

/// Sets the tokens of a dispatch; `None` leaves a counter as it is.
///
/// # Errors
/// [`StoreError::DispatchNotFound`](store::StoreError::DispatchNotFound).
pub fn set_tokens(
    tx: &WriteTx<'_>,
    id: &DispatchId,
    input: Option<i64>,
    output: Option<i64>,
    cache: Option<i64>,
) -> Result<(), OpsError> {
    store::dispatch::get(tx, id)?;
    Ok(store::dispatch::set_tokens(tx, id, input, output, cache)?)
}
