//! Showing dispatches, after their records were brought up to date.

use super::settle::{self, counters, is_elsewhere};
use super::{DispatchAnswer, Dispatches};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::DispatchId;
use crate::store;

/// Returns a dispatch.
///
/// # Errors
/// [`Error::Ops`] if the dispatch does not exist.
pub(crate) fn status(cx: &mut CommandContext, id: &DispatchId) -> Result<Reply<DispatchAnswer>, Error> {
    settle::settle(cx)?;
    Ok(Reply::yes(get(cx, id)?))
}

/// Returns dispatches, newest first: those of `scope` if it is given, and only live ones if `active`.
pub(crate) fn list(
    cx: &mut CommandContext,
    active: bool,
    scope: Option<&str>,
) -> Result<Reply<Dispatches>, Error> {
    settle::settle(cx)?;
    let found = cx.read(|tx| store::dispatch::list(tx, active, scope))?;
    Ok(Reply::yes(found.into_iter().collect()))
}

/// Reads the counters of a live child, records them, and returns the dispatch.
///
/// # Errors
/// [`Error::Ops`] if the dispatch does not exist.
pub(crate) fn poll(cx: &mut CommandContext, id: &DispatchId) -> Result<Reply<DispatchAnswer>, Error> {
    settle::settle(cx)?;
    let dispatch = cx.read(|tx| store::dispatch::get(tx, id))?;
    if !dispatch.status.is_terminal()
        && !is_elsewhere(&dispatch) // its pid is another process's here
        && let Some(counters) = counters(&dispatch)
    {
        let stamp = cx.stamp.clone();
        cx.write(|tx| store::dispatch::heartbeat(tx, id, Some(counters), &stamp))?;
    }
    Ok(Reply::yes(get(cx, id)?))
}

fn get(cx: &mut CommandContext, id: &DispatchId) -> Result<DispatchAnswer, Error> {
    Ok(cx.read(|tx| store::dispatch::get(tx, id))?.into())
}
