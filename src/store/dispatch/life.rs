//! The life of a dispatch: claimed by its supervisor, started, ended, cancelled, removed.

use super::{Told, from_row, note};
use crate::db::{Column, ReadTx, Value, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::params;
use crate::store::StoreError;
use crate::store::cells::{self, Cells};
use crate::store::quiet::{self, Quiet};

/// Claims the dispatch for its supervisor. Returns `false` if it is not waiting for one any more.
pub fn claim(
    tx: &WriteTx<'_>,
    id: &DispatchId,
    supervisor: &ProcessKey,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE dispatches SET supervisor_pid = $1, supervisor_start = $2, heartbeat_at = $3 \
               WHERE id = $4 AND status = 'spawned'";
    let values = params![supervisor.pid, supervisor.start_time, stamp.secs(), *id];
    Ok(quiet::execute(tx, Quiet::DispatchTelemetry, sql, values)? > 0)
}

/// Records that the supervisor is running.
pub fn heartbeat(
    tx: &WriteTx<'_>,
    id: &DispatchId,
    counters: Option<[i64; 3]>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let [turns, commands, messages] = counters.map_or([None; 3], |counters| counters.map(Some));
    let sql = "UPDATE dispatches SET heartbeat_at = $1, turns = coalesce($2, turns), \
               commands = coalesce($3, commands), messages = coalesce($4, messages) WHERE id = $5";
    let values = params![stamp.secs(), turns, commands, messages, *id];
    quiet::execute(tx, Quiet::DispatchTelemetry, sql, values).map(drop)
}

/// Returns the guard of an update: the row, in this status.
fn still(dispatch: &Dispatch, status: DispatchStatus) -> [(&'static str, Value); 2] {
    [("id", dispatch.id.encode()), ("status", status.encode())]
}

/// Records the child's process. Returns `false` if the dispatch is not waiting for it any more.
pub fn started(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    process: &ProcessKey,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let status = DispatchStatus::Running;
    let new: Cells = vec![
        ("status", status.encode()),
        ("pid", process.pid.encode()),
        ("pid_start", process.start_time.encode()),
        ("boot_id", process.boot_id.encode()),
        ("host", process.host.encode()),
        ("pid_namespace", cells::space(Some(process)).encode()),
        ("started_at", stamp.secs().encode()),
    ];
    let before = dispatch.supervisor.as_ref();
    let old: Cells = vec![
        ("status", DispatchStatus::Spawned.encode()),
        ("pid", None::<i64>.encode()),
        ("pid_start", None::<i64>.encode()),
        ("boot_id", before.map(|key| key.boot_id.clone()).encode()),
        ("host", before.map(|key| key.host.clone()).encode()),
        ("pid_namespace", cells::space(before).encode()),
        ("started_at", None::<i64>.encode()),
    ];
    let from = DispatchStatus::Spawned;
    if !cells::update(tx, "dispatches", &still(dispatch, from), &new)? {
        return Ok(false);
    }
    let told =
        Told { kind: "status_change", from: from.as_str(), reason: None, data: cells::changed(&old, &new) };
    note(tx, &Dispatch { status, ..dispatch.clone() }, told, stamp)?;
    Ok(true)
}

/// The end of a dispatch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The child's exit status; after a signal, 128 plus the signal's number.
    pub exit_code: Option<i64>,
    /// The reason of a failure.
    pub error: Option<String>,
    /// Its verdict.
    pub verdict_status: Option<String>,
    /// One sentence about it.
    pub verdict_summary: Option<String>,
}

/// Ends a live dispatch. Returns `false`, and changes nothing, if another process was first.
pub fn finish(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    status: DispatchStatus,
    ending: &Ending,
    stamp: &Stamp,
) -> Result<bool, StoreError> {
    let verdict = ending.verdict_status.as_ref().or(dispatch.verdict_status.as_ref());
    let summary = ending.verdict_summary.as_ref().or(dispatch.verdict_summary.as_ref());
    let new: Cells = vec![
        ("status", status.encode()),
        ("completed_at", stamp.secs().encode()),
        ("exit_code", ending.exit_code.encode()),
        ("error_message", ending.error.encode()),
        ("verdict_status", verdict.cloned().encode()),
        ("verdict_summary", summary.cloned().encode()),
    ];
    let old: Cells = vec![
        ("status", dispatch.status.encode()),
        ("completed_at", dispatch.completed_at.encode()),
        ("exit_code", dispatch.exit_code.encode()),
        ("error_message", dispatch.error_message.encode()),
        ("verdict_status", dispatch.verdict_status.encode()),
        ("verdict_summary", dispatch.verdict_summary.encode()),
    ];
    if dispatch.status.is_terminal()
        || !cells::update(tx, "dispatches", &still(dispatch, dispatch.status), &new)?
    {
        return Ok(false);
    }
    let told = Told {
        kind: "status_change",
        from: dispatch.status.as_str(),
        reason: ending.error.clone(),
        data: cells::changed(&old, &new),
    };
    note(tx, &Dispatch { status, ..dispatch.clone() }, told, stamp)?;
    Ok(true)
}

/// Removes a dispatch that has ended. Its event keeps the row.
pub fn remove(tx: &WriteTx<'_>, dispatch: &Dispatch, stamp: &Stamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM dispatches WHERE id = $1 AND status = $2";
    tx.execute(sql, params![dispatch.id, dispatch.status])?;
    let old: Cells = vec![
        ("id", dispatch.id.encode()),
        ("status", dispatch.status.encode()),
        ("agent_type", dispatch.agent_type.encode()),
        ("name", dispatch.name.encode()),
        ("scope_id", dispatch.scope_id.encode()),
        ("exit_code", dispatch.exit_code.encode()),
        ("verdict_status", dispatch.verdict_status.encode()),
        ("created_at", dispatch.created_at.encode()),
        ("completed_at", dispatch.completed_at.encode()),
    ];
    let told =
        Told { kind: "pruned", from: dispatch.status.as_str(), reason: None, data: cells::removed(&old) };
    note(tx, dispatch, told, stamp)
}

/// A decision to end a dispatch.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The new status: cancelled, or timed out.
    pub status: DispatchStatus,
    pub reason: &'a str,
    /// The event that caused it.
    pub cause: Option<i64>,
    /// Whether its process must be stopped.
    pub stop: bool,
}

/// Ends a live dispatch by a decision. Its event has the status before. If its process must be stopped, that
/// is marked in the row.
pub fn decide(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    decision: &Decision<'_>,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let Decision { status, reason, cause, stop } = *decision;
    let has_process = dispatch.process.is_some() || dispatch.supervisor.is_some();
    let stop_at = (stop && has_process).then(|| stamp.secs());
    tx.execute(
        "UPDATE dispatches SET status = $1, completed_at = $2, error_message = $3, stop_requested_at = $4 \
         WHERE id = $5 AND status = $6",
        params![status, stamp.secs(), reason.to_owned(), stop_at, dispatch.id, dispatch.status],
    )?;
    let old: Cells = vec![
        ("status", dispatch.status.encode()),
        ("completed_at", dispatch.completed_at.encode()),
        ("error_message", dispatch.error_message.encode()),
    ];
    let new: Cells = vec![
        ("status", status.encode()),
        ("completed_at", stamp.secs().encode()),
        ("error_message", reason.to_owned().encode()),
    ];
    let mut data = cells::changed(&old, &new);
    data.extend(cause.map(|id| ("cause".to_owned(), id.into())));
    let from = dispatch.status.as_str();
    let told = Told { kind: "status_change", from, reason: Some(reason.to_owned()), data };
    note(tx, &Dispatch { status, ..dispatch.clone() }, told, stamp)
}

/// Returns the dispatches whose process must be stopped and is not known to be gone.
pub fn to_stop(tx: &ReadTx<'_>) -> Result<Vec<Dispatch>, StoreError> {
    tx.query("SELECT * FROM dispatches WHERE stop_requested_at IS NOT NULL ORDER BY seq", &[], from_row)
}

/// The steps of stopping a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// SIGTERM was sent.
    Asked,
    /// It is gone, or must not be stopped from here.
    Over,
}

/// Records a step of stopping the process of a dispatch.
pub fn note_stop(tx: &WriteTx<'_>, id: &DispatchId, step: Stopping, stamp: &Stamp) -> Result<(), StoreError> {
    let sql = match step {
        Stopping::Asked => "UPDATE dispatches SET stop_signalled_at = $1 WHERE id = $2",
        Stopping::Over => {
            "UPDATE dispatches SET stop_signalled_at = $1, stop_requested_at = NULL WHERE id = $2"
        }
    };
    quiet::execute(tx, Quiet::DispatchTelemetry, sql, params![stamp.secs(), *id])?;
    Ok(())
}
