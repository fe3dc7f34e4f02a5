//! Removing the records of old dispatches, with the output of their children.

use schemars::JsonSchema;
use serde::Serialize;

use super::{launch, settle};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::dispatch::Dispatch;
use crate::os::rotated::older;
use crate::store;
use crate::store::StoreError;

/// The number of records that were removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pruned {
    pub pruned: usize,
}

/// Removes dispatches that are over and were recorded more than `older_than` seconds ago.
pub(crate) fn prune(cx: &mut CommandContext, older_than: i64) -> Result<Reply<Pruned>, Error> {
    settle::settle(cx)?;
    let stamp = cx.stamp.clone();
    let before = stamp.secs().saturating_sub(older_than);
    let removed = cx.write(|tx| {
        let old = store::dispatch::ended_before(tx, before)?;
        // The record of a process that has not been seen gone is still needed to stop it.
        let removed: Vec<_> =
            old.into_iter().filter(|dispatch| dispatch.stop_requested_at.is_none()).collect();
        removed.iter().try_for_each(|dispatch| store::dispatch::remove(tx, dispatch, &stamp))?;
        Ok::<_, StoreError>(removed)
    })?;
    let db = cx.existing()?.path().to_owned();
    for dispatch in &removed {
        let (stdout, stderr) = launch::log_paths(&db, &dispatch.id)?;
        for log in [&stdout, &stderr, &older(&stdout), &older(&stderr)] {
            let _ = std::fs::remove_file(log); // it may not exist
        }
        remove_answer(dispatch);
    }
    Ok(Reply::yes(Pruned { pruned: removed.len() }))
}

/// Removes the output file of a dispatch whose caller chose no place for it.
fn remove_answer(dispatch: &Dispatch) {
    let Some(output) = dispatch.output_file.as_deref().filter(|output| launch::is_own_output(output)) else {
        return;
    };
    for suffix in ["", ".verdict", ".summary"] {
        let _ = std::fs::remove_file(format!("{output}{suffix}")); // it may not exist
    }
}
