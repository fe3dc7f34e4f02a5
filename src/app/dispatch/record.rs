//! Recording a child that was started elsewhere.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{DEFAULT_AGENT_TYPE, absolute_if_given, path_text, settle};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::dispatch::DispatchStatus;
use crate::domain::ids::DispatchId;
use crate::domain::process::ProcessKey;
use crate::ops;
use crate::ops::once::{Key, once};
use crate::os::process;
use crate::store::dispatch::NewDispatch;

/// A child to record, as the caller describes it. Its serialized form, with absolute paths, is the identity
/// of a call with an idempotency key.
#[derive(Debug, Serialize)]
pub(crate) struct RecordRequest {
    pub pid: Option<i32>,
    pub agent_type: Option<String>,
    pub project: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub prompt_file: Option<String>,
    pub output: Option<String>,
    pub scope_id: Option<String>,
    pub parent_id: Option<String>,
    pub parent_dispatch: Option<String>,
    /// Without one, `running` if there is a pid, otherwise `spawned`.
    pub status: Option<DispatchStatus>,
    pub verdict: Option<String>,
    pub summary: Option<String>,
    pub exit_code: Option<i64>,
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// A dispatch that was recorded.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Recorded {
    pub id: DispatchId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

/// Records a child, with the start time of its process if a pid is given.
///
/// # Errors
/// [`Error::NoProcess`] if no process has the pid, [`Error::Ops`] for an unknown parent or a reused key.
pub(crate) fn record(cx: &mut CommandContext, request: RecordRequest) -> Result<Reply<Recorded>, Error> {
    let request = resolve(cx, request)?;
    let pid = request.pid;
    let process = pid.map(identify).transpose()?.flatten();
    let missing = pid.filter(|_| process.is_none());
    let new = NewDispatch { process, ..row(&request) };
    match settle::stop_processes(cx) {
        // Without a database there is nothing to stop: the first record may create it.
        Err(Error::Ops(err)) if err.is_missing_database() => {}
        stopped => _ = stopped?,
    }
    let stamp = cx.stamp.clone();
    let key = Key { command: "dispatch record", key: request.idempotency_key.as_deref() };
    let id = cx.write(|tx| {
        // A repeated call returns the same answer also if the process has ended since.
        let recorded = once(tx, key, &request, &stamp, || match missing {
            Some(_) => Ok(None),
            None => Ok(Some(ops::dispatch::record(tx, &new, &stamp)?.id)),
        })?;
        match (recorded, missing) {
            (Some(id), _) => Ok(id),
            (None, pid) => Err(Error::NoProcess(pid.unwrap_or_default().into())),
        }
    })?;
    Ok(Reply::yes(Recorded { id, pid }))
}

/// Fills in defaults, and makes paths absolute.
fn resolve(cx: &CommandContext, request: RecordRequest) -> Result<RecordRequest, Error> {
    let cwd = cx.cwd()?;
    let project = absolute_if_given(request.project.as_deref(), &cwd)?;
    let status = if request.pid.is_some() { DispatchStatus::Running } else { DispatchStatus::Spawned };
    Ok(RecordRequest {
        agent_type: request.agent_type.or_else(|| Some(DEFAULT_AGENT_TYPE.to_owned())),
        status: request.status.or(Some(status)),
        project: Some(project.map_or_else(|| path_text(&cwd), Ok)?),
        prompt_file: absolute_if_given(request.prompt_file.as_deref(), &cwd)?,
        output: absolute_if_given(request.output.as_deref(), &cwd)?,
        ..request
    })
}

/// Returns the row of a resolved request.
fn row(request: &RecordRequest) -> NewDispatch {
    NewDispatch {
        agent_type: request.agent_type.clone().unwrap_or_default(),
        status: request.status.unwrap_or(DispatchStatus::Spawned),
        project_dir: request.project.clone().unwrap_or_default(),
        prompt_file: request.prompt_file.clone(),
        output_file: request.output.clone(),
        name: request.name.clone(),
        model: request.model.clone(),
        scope_id: request.scope_id.clone(),
        run_phase: None,
        parent_id: request.parent_id.clone(),
        parent_dispatch_id: request.parent_dispatch.as_ref().and_then(|id| id.parse().ok()),
        spawn_depth: 0,
        process: None,
        verdict_status: request.verdict.clone(),
        verdict_summary: request.summary.clone(),
        exit_code: request.exit_code,
        launch: None,
    }
}

/// Returns the process that has this pid now, if there is one.
fn identify(pid: i32) -> Result<Option<ProcessKey>, Error> {
    let found = process::identify(pid).map_err(|source| Error::File {
        what: "looking up",
        path: PathBuf::from(format!("process {pid}")),
        source,
    })?;
    Ok(found.map(ProcessKey::from))
}
