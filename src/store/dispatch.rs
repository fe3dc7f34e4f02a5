//! Dispatches: records of child processes.

use serde_json::Map;

use super::cells::{self, Cells};
use super::quiet::{self, Quiet};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus, ProcessKey, Tokens};
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::run::Run;
use crate::domain::time::Stamp;
use crate::params;

/// What a caller says of a dispatch that it records.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewDispatch {
    /// Kind of agent.
    pub agent_type: String,
    /// Where it stands.
    pub status: DispatchStatus,
    /// Where it works.
    pub project_dir: String,
    /// The prompt that it was given.
    pub prompt_file: Option<String>,
    /// Where it writes its answer.
    pub output_file: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Grouping: a run's id, or the run's own scope.
    pub scope_id: Option<String>,
    /// The phase that its run is in (RB-15).
    pub run_phase: Option<Phase>,
    /// Free text of the caller's.
    pub parent_id: Option<String>,
    /// The dispatch that started it.
    pub parent_dispatch_id: Option<DispatchId>,
    /// Depth below the first.
    pub spawn_depth: i64,
    /// Its process.
    #[serde(skip)]
    pub process: Option<ProcessKey>,
    /// What a reviewer said.
    pub verdict_status: Option<String>,
    /// One sentence to go with it.
    pub verdict_summary: Option<String>,
    /// Exit status of the process.
    pub exit_code: Option<i64>,
}

/// Records a dispatch.
///
/// # Errors
/// What the engine says.
pub fn insert(tx: &WriteTx<'_>, new: &NewDispatch, stamp: &Stamp) -> Result<Dispatch, StoreError> {
    let id = DispatchId::fresh(|id| cells::taken(tx, "dispatches", id))?;
    let now = stamp.secs();
    let started = (new.status != DispatchStatus::Spawned).then_some(now);
    let ended = new.status.is_terminal().then_some(now);
    let process = new.process.as_ref();
    let cells: Cells = vec![
        ("id", id.encode()),
        ("agent_type", new.agent_type.encode()),
        ("status", new.status.encode()),
        ("project_dir", new.project_dir.encode()),
        ("prompt_file", new.prompt_file.encode()),
        ("output_file", new.output_file.encode()),
        ("name", new.name.encode()),
        ("model", new.model.encode()),
        ("scope_id", new.scope_id.encode()),
        ("run_phase", new.run_phase.encode()),
        ("parent_id", new.parent_id.encode()),
        ("parent_dispatch_id", new.parent_dispatch_id.encode()),
        ("spawn_depth", new.spawn_depth.encode()),
        ("pid", process.map(|p| p.pid).encode()),
        ("pid_start", process.map(|p| p.start_time).encode()),
        ("boot_id", process.map(|p| p.boot_id.clone()).encode()),
        ("host", process.map(|p| p.host.clone()).encode()),
        ("verdict_status", new.verdict_status.encode()),
        ("verdict_summary", new.verdict_summary.encode()),
        ("exit_code", new.exit_code.encode()),
        ("error_message", None::<String>.encode()),
        ("created_at", now.encode()),
        ("started_at", started.encode()),
        ("completed_at", ended.encode()),
        ("retry_count", 0_i64.encode()),
    ];
    let mut row = cells.clone();
    row.extend(
        ["turns", "commands", "messages", "input_tokens", "output_tokens"].map(|name| (name, 0_i64.encode())),
    );
    cells::insert(tx, "dispatches", &row)?;
    let dispatch = get(tx, &id)?;
    let told = Told { kind: "created", from: "", reason: None, data: cells::created(&cells) };
    note(tx, &dispatch, told, stamp)?;
    Ok(dispatch)
}

/// One dispatch by id.
///
/// # Errors
/// [`StoreError::DispatchNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &DispatchId) -> Result<Dispatch, StoreError> {
    tx.query_opt("SELECT * FROM dispatches WHERE id = $1", params![*id], from_row)?
        .ok_or_else(|| StoreError::DispatchNotFound(id.clone()))
}

/// Lists dispatches, newest first; both conditions hold together.
///
/// # Errors
/// What the engine says.
pub fn list(tx: &ReadTx<'_>, active: bool, scope: Option<&str>) -> Result<Vec<Dispatch>, StoreError> {
    let mut sql = "SELECT * FROM dispatches WHERE 1 = 1".to_owned();
    let mut values = Vec::new();
    if let Some(scope) = scope {
        values.push(scope.to_owned().encode());
        sql.push_str(" AND scope_id = $1");
    }
    if active {
        sql.push_str(" AND status IN ('spawned', 'running')");
    }
    sql.push_str(" ORDER BY seq DESC");
    tx.query(&sql, &values, from_row)
}

/// The dispatches of a run that are not over, oldest first.
///
/// # Errors
/// What the engine says.
pub fn live_of_run(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Vec<Dispatch>, StoreError> {
    tx.query(
        "SELECT * FROM dispatches WHERE scope_id = $1 AND status IN ('spawned', 'running') ORDER BY seq",
        params![run_id.to_string()],
        from_row,
    )
}

/// Calls a dispatch off: its own event with the true status before, and, if it has a process that shall end, a note that
/// it has to be stopped (RB-06, RB-16).
///
/// # Errors
/// What the engine says.
pub fn cancel(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    reason: &str,
    cause: i64,
    stop: bool,
    stamp: &Stamp,
) -> Result<(), StoreError> {
    let stop_at = (stop && dispatch.process.is_some()).then(|| stamp.secs());
    let status = DispatchStatus::Cancelled;
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
    data.insert("cause".to_owned(), cause.into());
    let from = dispatch.status.as_str();
    let told = Told { kind: "status_change", from, reason: Some(reason.to_owned()), data };
    note(tx, &Dispatch { status, ..dispatch.clone() }, told, stamp)
}

/// The dispatches whose process is to be stopped and has not been seen gone.
///
/// # Errors
/// What the engine says.
pub fn to_stop(tx: &ReadTx<'_>) -> Result<Vec<Dispatch>, StoreError> {
    tx.query("SELECT * FROM dispatches WHERE stop_requested_at IS NOT NULL ORDER BY seq", &[], from_row)
}

/// How far stopping a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// It was asked to end.
    Asked,
    /// It is gone, or not ours to stop.
    Over,
}

/// Notes how far stopping the process of a dispatch has come.
///
/// # Errors
/// What the engine says.
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

/// New token counters of a dispatch; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewTokens {
    /// Read by the model.
    pub input: Option<i64>,
    /// Written by the model.
    pub output: Option<i64>,
    /// Read from a cache.
    pub cache: Option<i64>,
}

/// Sets the tokens of a dispatch.
///
/// # Errors
/// What the engine says.
pub fn set_tokens(tx: &WriteTx<'_>, id: &DispatchId, tokens: &NewTokens) -> Result<(), StoreError> {
    quiet::execute(
        tx,
        Quiet::DispatchTelemetry,
        "UPDATE dispatches SET input_tokens = coalesce($1, input_tokens), \
         output_tokens = coalesce($2, output_tokens), cache_hits = coalesce($3, cache_hits) WHERE id = $4",
        params![tokens.input, tokens.output, tokens.cache, *id],
    )?;
    Ok(())
}

/// Everything that the dispatches of a scope have reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many dispatches there are.
    pub dispatches: i64,
    /// Tokens read by models.
    pub input: i64,
    /// Tokens written by models.
    pub output: i64,
    /// Tokens read from caches.
    pub cache: i64,
}

/// Adds up what the dispatches of a scope have reported.
///
/// # Errors
/// What the engine says.
pub fn usage(tx: &ReadTx<'_>, scope: &str) -> Result<Usage, StoreError> {
    let usage = |row: &Row| {
        Ok::<_, StoreError>(Usage {
            dispatches: row.get("n")?,
            input: row.get("input")?,
            output: row.get("output")?,
            cache: row.get("cache")?,
        })
    };
    let found = tx.query_opt(
        "SELECT count(*) AS n, coalesce(sum(input_tokens), 0) AS input, coalesce(sum(output_tokens), 0) AS output, \
         coalesce(sum(cache_hits), 0) AS cache FROM dispatches WHERE scope_id = $1",
        params![scope.to_owned()],
        usage,
    )?;
    Ok(found.unwrap_or_default())
}

/// Tokens that the dispatches of a scope have used, in and out.
///
/// # Errors
/// What the engine says.
pub fn tokens_used(tx: &ReadTx<'_>, scope: &str) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM dispatches WHERE scope_id = $1";
    Ok(tx.scalar(sql, params![scope.to_owned()])?)
}

/// The verdicts given so far on a run: by dispatches whose scope is the run's id, or the run's own scope.
///
/// # Errors
/// What the engine says.
pub fn verdicts(tx: &ReadTx<'_>, run: &Run) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT verdict_status FROM dispatches WHERE scope_id IN ($1, $2) AND verdict_status IS NOT NULL ORDER BY seq",
        params![run.id, run.scope_id.clone().unwrap_or_else(|| run.id.to_string())],
        |row| Ok(row.get("verdict_status")?),
    )
}

/// What a dispatch event says beside the dispatch itself.
struct Told<'a> {
    kind: &'static str,
    from: &'a str,
    reason: Option<String>,
    data: Map<String, serde_json::Value>,
}

fn note(tx: &WriteTx<'_>, dispatch: &Dispatch, told: Told<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    let run_id: Option<RunId> = match &dispatch.scope_id {
        None => None,
        Some(scope) => {
            tx.query_opt("SELECT id FROM runs WHERE id = $1", params![scope.clone()], |row: &Row| {
                Ok::<_, StoreError>(row.get("id")?)
            })?
        }
    };
    let (id, to) = (dispatch.id.as_str(), dispatch.status.as_str());
    let envelope = envelope::build(
        &Writer {
            policy_version: "dispatch-lifecycle/v2",
            caller_identity: "dispatch.store",
            capability_scope: &run_id
                .as_ref()
                .map_or_else(|| format!("dispatch:{id}"), |run| format!("run:{run}")),
            trace_id: run_id.as_ref().map_or(id, RunId::as_str),
            span: &format!("dispatch:{id}"),
            parent_span_id: None,
            input: told.from,
            output: to,
        },
        stamp,
    );
    let new = NewEvent {
        run_id,
        source: Source::DISPATCH,
        kind: told.kind.to_owned(),
        subject: id.to_owned(),
        from: told.from.to_owned(),
        to: to.to_owned(),
        reason: told.reason,
        data: told.data,
        envelope,
    };
    event::append(tx, &new, stamp)?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Dispatch, StoreError> {
    let process = match row.get::<Option<i64>>("pid")? {
        None => None,
        Some(pid) => Some(ProcessKey {
            pid,
            start_time: row.get::<Option<i64>>("pid_start")?.unwrap_or(0),
            boot_id: row.get::<Option<String>>("boot_id")?.unwrap_or_default(),
            host: row.get::<Option<String>>("host")?.unwrap_or_default(),
        }),
    };
    Ok(Dispatch {
        id: row.get("id")?,
        agent_type: row.get("agent_type")?,
        status: row.get("status")?,
        project_dir: row.get("project_dir")?,
        prompt_file: row.get("prompt_file")?,
        output_file: row.get("output_file")?,
        name: row.get("name")?,
        model: row.get("model")?,
        scope_id: row.get("scope_id")?,
        run_phase: row.get("run_phase")?,
        parent_id: row.get("parent_id")?,
        parent_dispatch_id: row.get("parent_dispatch_id")?,
        spawn_depth: row.get("spawn_depth")?,
        process,
        turns: row.get("turns")?,
        commands: row.get("commands")?,
        messages: row.get("messages")?,
        tokens: Tokens {
            input: row.get("input_tokens")?,
            output: row.get("output_tokens")?,
            cache: row.get("cache_hits")?,
        },
        verdict_status: row.get("verdict_status")?,
        verdict_summary: row.get("verdict_summary")?,
        exit_code: row.get("exit_code")?,
        error_message: row.get("error_message")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        stop_requested_at: row.get("stop_requested_at")?,
        stop_signalled_at: row.get("stop_signalled_at")?,
    })
}
