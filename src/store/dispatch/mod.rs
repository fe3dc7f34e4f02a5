//! Dispatches: records of child processes.

mod life;
mod usage;

use serde_json::Map;

use super::cells::{self, Cells};
use super::{StoreError, event};
use crate::db::{Column, ReadTx, Row, WriteTx};
use crate::domain::dispatch::{Dispatch, DispatchStatus, Tokens};
use crate::domain::envelope::{self, Writer};
use crate::domain::event::{NewEvent, Source};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::phase::Phase;
use crate::domain::process::ProcessKey;
use crate::domain::time::Stamp;
use crate::params;

pub use life::{
    Decision, Ending, Stopping, claim, decide, finish, heartbeat, note_stop, remove, started, to_stop,
};
pub use usage::{NewTokens, Usage, Verdicts, set_tokens, tokens_used, usage, verdicts};

/// A dispatch to record.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewDispatch {
    pub agent_type: String,
    pub status: DispatchStatus,
    /// Its working directory.
    pub project_dir: String,
    /// The file of its prompt.
    pub prompt_file: Option<String>,
    /// The file of its output.
    pub output_file: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    /// Grouping: a run's id, or the run's own scope.
    pub scope_id: Option<String>,
    pub run_phase: Option<Phase>,
    /// Free text of the caller.
    pub parent_id: Option<String>,
    /// The dispatch that started it.
    pub parent_dispatch_id: Option<DispatchId>,
    /// The depth below the first dispatch.
    pub spawn_depth: i64,
    #[serde(skip)]
    pub process: Option<ProcessKey>,
    /// The verdict of a reviewer.
    pub verdict_status: Option<String>,
    /// One sentence about it.
    pub verdict_summary: Option<String>,
    /// The exit status of the process.
    pub exit_code: Option<i64>,
    /// How the kernel starts it; `None` if another program does.
    pub launch: Option<NewLaunch>,
}

/// The details of a dispatch that the kernel starts.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewLaunch {
    /// JSON with `argv` and `cwd`.
    pub command: String,
    /// The first 16 hexadecimal digits of the prompt's SHA-256.
    pub prompt_hash: Option<String>,
    /// The file in which the child leaves its verdict.
    pub verdict_file: Option<String>,
    /// The name of the sandbox.
    pub sandbox: Option<String>,
    /// JSON.
    pub sandbox_spec: Option<String>,
    /// In seconds.
    pub timeout_sec: Option<i64>,
    /// The current commit of the project.
    pub base_repo_commit: Option<String>,
    /// The number of attempts before.
    pub retry_count: i64,
    /// The dispatch that this one retries.
    pub retry_of: Option<DispatchId>,
    /// The process that watches it until its supervisor does: the caller itself.
    #[serde(skip)]
    pub keeper: ProcessKey,
}

/// Records a dispatch.
pub fn insert(tx: &WriteTx<'_>, new: &NewDispatch, stamp: &Stamp) -> Result<Dispatch, StoreError> {
    let id = DispatchId::fresh(|id| cells::taken(tx, "dispatches", id))?;
    let now = stamp.secs();
    let started = (new.status != DispatchStatus::Spawned).then_some(now);
    let ended = new.status.is_terminal().then_some(now);
    let process = new.process.as_ref();
    let launch = new.launch.as_ref();
    // A supervisor runs in the namespace of the process that starts it.
    let here = process.or(launch.map(|launch| &launch.keeper));
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
        ("boot_id", here.map(|p| p.boot_id.clone()).encode()),
        ("host", here.map(|p| p.host.clone()).encode()),
        ("pid_namespace", cells::space(here).encode()),
        ("verdict_status", new.verdict_status.encode()),
        ("verdict_summary", new.verdict_summary.encode()),
        ("exit_code", new.exit_code.encode()),
        ("error_message", None::<String>.encode()),
        ("created_at", now.encode()),
        ("started_at", started.encode()),
        ("completed_at", ended.encode()),
        ("retry_count", launch.map_or(0, |launch| launch.retry_count).encode()),
        ("prompt_hash", launch.and_then(|launch| launch.prompt_hash.clone()).encode()),
        ("verdict_file", launch.and_then(|launch| launch.verdict_file.clone()).encode()),
        ("sandbox", launch.and_then(|launch| launch.sandbox.clone()).encode()),
        ("sandbox_spec", launch.and_then(|launch| launch.sandbox_spec.clone()).encode()),
        ("timeout_sec", launch.and_then(|launch| launch.timeout_sec).encode()),
        ("base_repo_commit", launch.and_then(|launch| launch.base_repo_commit.clone()).encode()),
        ("command", launch.map(|launch| launch.command.clone()).encode()),
    ];
    let mut row = cells.clone();
    row.extend(
        ["turns", "commands", "messages", "input_tokens", "output_tokens"].map(|name| (name, 0_i64.encode())),
    );
    row.push(("supervisor_pid", launch.map(|launch| launch.keeper.pid).encode()));
    row.push(("supervisor_start", launch.map(|launch| launch.keeper.start_time).encode()));
    cells::insert(tx, "dispatches", &row)?;
    let dispatch = get(tx, &id)?;
    let told = Told { kind: "created", from: "", reason: None, data: cells::created(&cells) };
    note(tx, &dispatch, told, stamp)?;
    Ok(dispatch)
}

/// Returns a dispatch by its id.
///
/// # Errors
/// [`StoreError::DispatchNotFound`] if there is none.
pub fn get(tx: &ReadTx<'_>, id: &DispatchId) -> Result<Dispatch, StoreError> {
    tx.query_opt("SELECT * FROM dispatches WHERE id = $1", params![*id], from_row)?
        .ok_or_else(|| StoreError::DispatchNotFound(id.clone()))
}

/// Lists dispatches, newest first. Both conditions must hold.
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

/// Returns every live dispatch, oldest first.
pub fn live(tx: &ReadTx<'_>) -> Result<Vec<Dispatch>, StoreError> {
    let sql = "SELECT * FROM dispatches WHERE status IN ('spawned', 'running') ORDER BY seq";
    tx.query(sql, &[], from_row)
}

/// Returns the next attempt at a dispatch, if there was one.
pub fn retry_of(tx: &ReadTx<'_>, id: &DispatchId) -> Result<Option<DispatchId>, StoreError> {
    let sql =
        "SELECT id FROM dispatches WHERE parent_dispatch_id = $1 AND retry_count > 0 ORDER BY seq LIMIT 1";
    tx.query_opt(sql, params![*id], |row| Ok(row.get("id")?))
}

/// Returns the ended dispatches that were recorded before `before` (Unix seconds), oldest first.
pub fn ended_before(tx: &ReadTx<'_>, before: i64) -> Result<Vec<Dispatch>, StoreError> {
    let sql = "SELECT * FROM dispatches WHERE status NOT IN ('spawned', 'running') AND created_at < $1 ORDER BY seq";
    tx.query(sql, params![before], from_row)
}

/// Returns the number of dispatches: of a scope or of all, live ones or of any status.
pub fn count(tx: &ReadTx<'_>, scope: Option<&str>, live: bool) -> Result<i64, StoreError> {
    let live = if live { " AND status IN ('spawned', 'running')" } else { "" };
    Ok(match scope {
        Some(scope) => {
            let sql = format!("SELECT count(*) FROM dispatches WHERE scope_id = $1{live}");
            tx.scalar(&sql, params![scope.to_owned()])?
        }
        None => tx.scalar(&format!("SELECT count(*) FROM dispatches WHERE 1 = 1{live}"), &[])?,
    })
}

/// Returns the live dispatches of a run, oldest first.
pub fn live_of_run(tx: &ReadTx<'_>, run_id: &RunId) -> Result<Vec<Dispatch>, StoreError> {
    tx.query(
        "SELECT * FROM dispatches WHERE scope_id = $1 AND status IN ('spawned', 'running') ORDER BY seq",
        params![run_id.to_string()],
        from_row,
    )
}

/// The content of a dispatch event besides the row.
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
        process: cells::process_of(row)?,
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
        supervisor: cells::process_in(row, "supervisor_pid", "supervisor_start")?,
        heartbeat_at: row.get("heartbeat_at")?,
        command: row.get("command")?,
        verdict_file: row.get("verdict_file")?,
        sandbox: row.get("sandbox")?,
        sandbox_spec: row.get("sandbox_spec")?,
        sandbox_effective: row.get("sandbox_effective")?,
        timeout_sec: row.get("timeout_sec")?,
        retry_count: row.get("retry_count")?,
    })
}
