//! Ending a dispatch together with all processes that belong to it.

use schemars::JsonSchema;
use serde::Serialize;

use super::settle;
use crate::app::{CommandContext, Error, Reply};
use crate::domain::dispatch::DispatchStatus;
use crate::domain::ids::DispatchId;
use crate::store;
use crate::store::StoreError;
use crate::store::dispatch::Decision;

/// A dispatch that was ended, or was over already.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Killed {
    pub id: DispatchId,
    pub status: DispatchStatus,
}

/// Cancels a dispatch that is live, and waits until its processes are gone.
///
/// # Errors
/// [`Error::Ops`] if the dispatch does not exist.
pub(crate) fn kill(cx: &mut CommandContext, id: DispatchId) -> Result<Reply<Killed>, Error> {
    settle::settle(cx)?;
    let stamp = cx.stamp.clone();
    cx.write(|tx| {
        let dispatch = store::dispatch::get(tx, &id)?;
        if dispatch.status.is_terminal() {
            return Ok::<_, StoreError>(());
        }
        let is_known = dispatch.process.is_some() || dispatch.supervisor.is_some();
        let decision = Decision {
            status: DispatchStatus::Cancelled,
            reason: if is_known { "killed by user" } else { "no PID to kill" },
            cause: None,
            stop: true,
        };
        store::dispatch::decide(tx, &dispatch, &decision, &stamp)
    })?;
    settle::wait_until_gone(cx, std::slice::from_ref(&id))?;
    let status = cx.read(|tx| store::dispatch::get(tx, &id))?.status;
    Ok(Reply::yes(Killed { id, status }))
}
