//! Cancelling a run.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply, effects};
use crate::domain::ids::RunId;
use crate::domain::run::RunStatus;
use crate::ops;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CancelAnswer {
    pub cancelled_dispatches: usize,
    /// The children that were cancelled with their portfolio; left out for other runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<Vec<RunId>>,
    pub id: RunId,
    /// The number of processes that were asked to end.
    pub signalled: usize,
    pub status: RunStatus,
}

/// Cancels a run with its dispatches and agents. If `signal` is set, the processes of its dispatches are
/// asked to end.
///
/// # Errors
/// [`Error::Ops`] if the run does not exist or has ended.
pub(crate) fn cancel(cx: &mut CommandContext, id: RunId, signal: bool) -> Result<Reply<CancelAnswer>, Error> {
    let stamp = cx.stamp.clone();
    let done = cx.write(|tx| ops::cancel::cancel(tx, &id, signal, &stamp))?;
    let signalled = if signal && !done.dispatches.is_empty() { effects::stop_processes(cx)? } else { 0 };
    Ok(Reply::yes(CancelAnswer {
        cancelled_dispatches: done.dispatches.len(),
        children: done.portfolio.then_some(done.children),
        id,
        signalled,
        status: RunStatus::Cancelled,
    }))
}
