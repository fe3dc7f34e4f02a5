//! Starting a child on behalf of a caller.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::launch::{self, LaunchRequest, Launched};
use super::{DEFAULT_AGENT_TYPE, DEFAULT_SANDBOX, absolute_if_given, path_text};
use crate::app::{CommandContext, Error, Reply};
use crate::domain::ids::{DispatchId, RunId};
use crate::domain::launch::Program;
use crate::domain::state;
use crate::ops::spawn::Rejection;
use crate::store;

/// A child to start, as the caller describes it. Paths may be relative.
#[derive(Debug)]
pub(crate) struct SpawnRequest {
    pub prompt_file: Option<String>,
    pub agent_type: Option<String>,
    pub project: Option<String>,
    pub output: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub sandbox: Option<String>,
    /// JSON.
    pub sandbox_spec: Option<String>,
    pub scope_id: Option<String>,
    pub parent_id: Option<String>,
    /// The dispatch that the child is started from; without one, the dispatch that the caller runs in.
    pub parent_dispatch: Option<String>,
    /// The script that starts agents.
    pub script: Option<PathBuf>,
    pub timeout_sec: Option<i64>,
    pub idempotency_key: Option<String>,
    /// The program to start instead of an agent, with its arguments.
    pub program: Vec<String>,
}

/// The outcome of a spawn.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum SpawnAnswer {
    Started {
        id: DispatchId,
        /// Null if a repeated call finds that the child never ran.
        pid: Option<i64>,
    },
    Rejected(SpawnRejection),
}

/// The limit that forbids a child.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SpawnRejection {
    /// The name of the limit, such as `budget_exceeded` or `concurrency_limit_per_run`.
    pub reason: &'static str,
    /// The run whose limit it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    pub current: i64,
    pub limit: i64,
}

impl SpawnRejection {
    /// Returns the rejection as an answer's part, and the error that goes with it.
    pub(super) fn of(rejection: Rejection) -> (Self, Error) {
        let Rejection { reason, run_id, current, limit } = rejection;
        (Self { reason, run_id, current, limit }, Error::Rejected(reason, current, limit))
    }
}

/// Records and starts a child, unless a limit forbids it.
///
/// # Errors
/// [`Error::Usage`] if the request is not sound, [`Error::NotStarted`] if the child cannot be started,
/// [`Error::Ops`] for an unknown parent or a reused key.
pub(crate) fn spawn(cx: &mut CommandContext, request: SpawnRequest) -> Result<Reply<SpawnAnswer>, Error> {
    let key = request.idempotency_key.clone();
    let mut request = resolve(cx, request)?;
    if request.parent_dispatch.is_none() {
        request.parent_dispatch = calling_dispatch(cx);
    }
    let row = request.row(cx)?;
    let idempotency = key.as_deref().map(|key| (key, &request));
    match launch::launch(cx, &row, idempotency, None)? {
        Launched::Started { id, pid } => Ok(Reply::yes(SpawnAnswer::Started { id, pid })),
        Launched::Rejected(rejection) => {
            let (answer, error) = SpawnRejection::of(rejection);
            Ok(Reply::refused(SpawnAnswer::Rejected(answer), error))
        }
        Launched::Overtaken => Err(Error::Unexpected(anyhow::anyhow!("BUG: no agent was to be dispatched"))),
    }
}

/// Checks a request, and makes its paths absolute.
fn resolve(cx: &CommandContext, request: SpawnRequest) -> Result<LaunchRequest, Error> {
    if let Some(spec) = &request.sandbox_spec {
        state::check_json(spec)
            .map_err(|err| Error::usage(format!("dispatch spawn: --sandbox-spec: {err}")))?;
    }
    if request.prompt_file.is_none() && request.program.is_empty() {
        return Err(Error::usage("dispatch spawn: --prompt-file is required"));
    }
    let program = if request.program.is_empty() {
        if let Some(script) = request.script.as_deref().filter(|script| !script.is_file()) {
            return Err(Error::usage(format!(
                "dispatch spawn: --dispatch-sh: {} is not a file",
                script.display()
            )));
        }
        launch::program(cx, request.script.as_deref())?
    } else {
        Program::Given(request.program)
    };
    let cwd = cx.cwd()?;
    let project = absolute_if_given(request.project.as_deref(), &cwd)?;
    let project = project.map_or_else(|| path_text(&cwd), Ok)?;
    if !Path::new(&project).is_dir() {
        return Err(Error::usage(format!("dispatch spawn: --project: {project} is not a directory")));
    }
    Ok(LaunchRequest {
        agent_type: request.agent_type.unwrap_or_else(|| DEFAULT_AGENT_TYPE.to_owned()),
        program,
        project,
        prompt: absolute_if_given(request.prompt_file.as_deref(), &cwd)?,
        output: absolute_if_given(request.output.as_deref(), &cwd)?,
        name: request.name,
        model: request.model,
        sandbox: request.sandbox.unwrap_or_else(|| DEFAULT_SANDBOX.to_owned()),
        sandbox_spec: request.sandbox_spec,
        scope_id: request.scope_id,
        parent_id: request.parent_id,
        parent_dispatch: request.parent_dispatch.and_then(|id| id.parse().ok()),
        timeout_sec: request.timeout_sec.filter(|secs| *secs > 0),
        retry: None,
    })
}

/// Returns the dispatch that this call runs in, if it is one of this database.
fn calling_dispatch(cx: &mut CommandContext) -> Option<DispatchId> {
    let id: DispatchId = cx.env.var("IC_DISPATCH_ID")?.parse().ok()?;
    cx.read(|tx| store::dispatch::get(tx, &id)).ok().map(|dispatch| dispatch.id)
}
