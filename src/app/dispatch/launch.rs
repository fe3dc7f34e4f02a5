//! Recording a dispatch and handing it to a supervisor, which starts the child.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::supervise::SupervisorReport;
use super::{absolute, path_text, settle, unexpected};
use crate::app::{CommandContext, Error};
use crate::db::{DbError, WriteTx};
use crate::domain::agent::Agent;
use crate::domain::dispatch::{Dispatch, DispatchStatus};
use crate::domain::ids::DispatchId;
use crate::domain::launch::{Program, Task};
use crate::domain::process::ProcessKey;
use crate::ops::spawn::{self, Rejection, Spawned};
use crate::ops::{OpsError, once};
use crate::os::child::{self, DETACHED};
use crate::os::{files, git, process};
use crate::store;
use crate::store::dispatch::{Ending, NewDispatch, NewLaunch};

/// The script that starts agents. It is searched for from the working directory upwards.
const SCRIPT: &str = "hub/clavain/scripts/dispatch.sh";

/// The start of the names of output files whose caller chose no place, in the directory for temporary files.
const OUTPUT_PREFIX: &str = "ic-dispatch-";

/// Checks whether an output file lies where it is put if the caller chooses no place.
pub(super) fn is_own_output(output: &str) -> bool {
    let path = Path::new(output);
    path.parent() == Some(files::temp_dir().as_path())
        && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OUTPUT_PREFIX))
}

/// A child to start. Its serialized form is the identity of a call with an idempotency key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LaunchRequest {
    pub agent_type: String,
    pub program: Program,
    /// Absolute, as are the other paths.
    pub project: String,
    pub prompt: Option<String>,
    pub output: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub sandbox: String,
    /// JSON.
    pub sandbox_spec: Option<String>,
    pub scope_id: Option<String>,
    pub parent_id: Option<String>,
    pub parent_dispatch: Option<DispatchId>,
    pub timeout_sec: Option<i64>,
    /// The number of earlier attempts, and the last one of them.
    #[serde(skip)]
    pub retry: Option<(i64, DispatchId)>,
}

/// The outcome of a launch.
pub(super) enum Launched {
    /// The child runs, or waits for its time to start.
    Started { id: DispatchId, pid: Option<i64> },
    /// A limit forbids it.
    Rejected(Rejection),
    /// The agent has changed since it was read: another process has dispatched it, or it is not active any
    /// more.
    Overtaken,
}

/// Returns the program that starts agents here: a script that is named or found, otherwise `codex`.
///
/// # Errors
/// [`Error::Usage`] if the path of the script is not valid UTF-8.
pub(super) fn program(cx: &CommandContext, named: Option<&Path>) -> Result<Program, Error> {
    let cwd = cx.cwd()?;
    let script = |path: &Path| {
        let path = absolute(&path_text(path)?, &cwd)?;
        Ok(Program::Script { path, cwd: path_text(&cwd)? })
    };
    if let Some(named) = named {
        return script(named);
    }
    if let Some(path) = cx.env.path("CLAVAIN_DISPATCH_SH").filter(|path| path.is_file()) {
        return script(&path);
    }
    match cwd.ancestors().map(|dir| dir.join(SCRIPT)).find(|path| path.is_file()) {
        Some(path) => script(&path),
        None => Ok(Program::Codex),
    }
}

impl LaunchRequest {
    /// Replaces model, prompt and command line in a row that was made of a similar request.
    pub(super) fn rewrite(&self, row: &mut NewDispatch) {
        row.model.clone_from(&self.model);
        row.prompt_file.clone_from(&self.prompt);
        let command = self.program.command(&self.task(row.output_file.as_deref().unwrap_or_default()));
        if let Some(launch) = &mut row.launch {
            // Strings and lists of strings always serialize.
            launch.command = serde_json::to_string(&command).unwrap_or_default();
        }
    }

    fn task(&self, output: &str) -> Task {
        Task {
            project: self.project.clone(),
            output: output.to_owned(),
            prompt: self.prompt.clone(),
            name: self.name.clone(),
            model: self.model.clone(),
            sandbox: self.sandbox.clone(),
            timeout_sec: self.timeout_sec,
        }
    }

    /// Returns the row to record.
    ///
    /// # Errors
    /// [`Error::File`] if the prompt cannot be read, [`Error::Unexpected`] if the process table does not show
    /// this process.
    pub(super) fn row(&self, cx: &CommandContext) -> Result<NewDispatch, Error> {
        let prompt_hash = self.prompt.as_deref().map(prompt_hash).transpose()?;
        let output = if let Some(output) = &self.output {
            output.clone()
        } else {
            let name = format!("{OUTPUT_PREFIX}{}-{}.md", cx.now().nanos(), std::process::id());
            path_text(&files::temp_dir().join(name))?
        };
        let command = serde_json::to_string(&self.program.command(&self.task(&output)));
        let launch = NewLaunch {
            command: command.map_err(|err| Error::Unexpected(err.into()))?,
            prompt_hash,
            verdict_file: Some(format!("{output}.verdict")),
            sandbox: Some(self.sandbox.clone()),
            sandbox_spec: self.sandbox_spec.clone(),
            timeout_sec: self.timeout_sec,
            base_repo_commit: git::head(Path::new(&self.project)),
            retry_count: self.retry.as_ref().map_or(0, |(count, _)| *count),
            retry_of: self.retry.as_ref().map(|(_, id)| id.clone()),
            // This process looks after the dispatch until its supervisor does.
            keeper: ProcessKey::from(process::myself().map_err(unexpected)?),
        };
        Ok(NewDispatch {
            agent_type: self.agent_type.clone(),
            status: DispatchStatus::Spawned,
            project_dir: self.project.clone(),
            prompt_file: self.prompt.clone(),
            output_file: Some(output),
            name: self.name.clone(),
            model: self.model.clone(),
            scope_id: self.scope_id.clone(),
            run_phase: None,
            parent_id: self.parent_id.clone(),
            parent_dispatch_id: self.parent_dispatch.clone(),
            spawn_depth: 0,
            process: None,
            verdict_status: None,
            verdict_summary: None,
            exit_code: None,
            launch: Some(launch),
        })
    }
}

/// Returns the first 16 hexadecimal digits of a prompt's SHA-256.
fn prompt_hash(prompt: &str) -> Result<String, Error> {
    let failed =
        |source| Error::File { what: "spawn: hash prompt: open --prompt-file", path: prompt.into(), source };
    let hash = files::sha256_file(Path::new(prompt)).map_err(failed)?;
    let missing = || failed(std::io::ErrorKind::NotFound.into());
    Ok(hash.ok_or_else(missing)?.chars().skip("sha256:".len()).take(16).collect())
}

/// Records a dispatch, links it to an agent if one is given, and starts it. `idempotency` is the caller's key
/// together with the request that it identifies.
///
/// # Errors
/// [`Error::NotStarted`] if the child cannot be started, [`Error::Ops`] for an unknown parent or a reused
/// key.
pub(super) fn launch(
    cx: &mut CommandContext,
    row: &NewDispatch,
    idempotency: Option<(&str, &LaunchRequest)>,
    agent: Option<&Agent>,
) -> Result<Launched, Error> {
    match settle::settle(cx) {
        // Without a database there is nothing to settle: the first dispatch may create it.
        Err(Error::Ops(err)) if err.is_missing_database() => {}
        settled => settled?,
    }
    let stamp = cx.stamp.clone();
    let key = once::Key { command: "dispatch spawn", key: idempotency.map(|(key, _)| key) };
    let arguments = idempotency.map(|(_, arguments)| arguments);
    let mut is_new = false;
    let mut is_unenforced = false;
    let accepted = cx.write(|tx: &WriteTx<'_>| {
        (is_new, is_unenforced) = (false, false);
        let mut rejected = None;
        if let Some(seen) = agent {
            let now = store::agent::get(tx, &seen.id)?;
            if (&now.status, &now.dispatch_id) != (&seen.status, &seen.dispatch_id) {
                return Ok(Err(Launched::Overtaken));
            }
        }
        let recorded = once::once(tx, key, &arguments, &stamp, || match spawn::spawn(tx, row, &stamp)? {
            Spawned::Accepted { dispatch, unenforced } => {
                (is_new, is_unenforced) = (true, unenforced);
                if let Some(agent) = agent {
                    store::agent::link(tx, &store::agent::get(tx, &agent.id)?, &dispatch.id, &stamp)?;
                }
                Ok(dispatch.id)
            }
            Spawned::Rejected(rejection) => {
                rejected = Some(rejection);
                Err(OpsError::SpawnRejected)
            }
        });
        match (recorded, rejected) {
            // Nothing was written, so there is nothing to roll back.
            (Err(OpsError::SpawnRejected), Some(rejection)) => Ok(Err(Launched::Rejected(rejection))),
            (recorded, _) => recorded.map(Ok),
        }
    })?;
    if is_unenforced {
        cx.warn("dispatch spawn: no relay data for portfolio, dispatch limit not enforced");
    }
    match accepted {
        Err(otherwise) => Ok(otherwise),
        Ok(id) if is_new => {
            let pid = start(cx, &id, 0)?;
            Ok(Launched::Started { id, pid })
        }
        Ok(id) => {
            let known = cx.read(|tx| store::dispatch::get(tx, &id))?;
            Ok(Launched::Started { id, pid: known.process.map(|process| process.pid) })
        }
    }
}

/// Starts the supervisor of a recorded dispatch, which waits for `delay_ms` before it starts the child.
/// Returns the child's pid, unless the child has yet to start.
///
/// # Errors
/// [`Error::NotStarted`] if the supervisor or the child cannot be started; the record is closed then.
pub(super) fn start(cx: &mut CommandContext, id: &DispatchId, delay_ms: i64) -> Result<Option<i64>, Error> {
    let db = cx.existing()?.path().as_os_str().to_owned();
    let env: [(&str, OsString); 2] = [("INTERCORE_DB", db), (DETACHED, "1".into())];
    let delay = delay_ms.to_string();
    let args = ["dispatch", "supervise", id.as_str(), "--delay-ms", &delay];
    let started = child::own_program().and_then(|ic| child::start_own(&ic, &args, &env, &[settle::MARK]));
    let report = started.and_then(|mut supervisor| {
        let mut text = String::new();
        match supervisor.stdout.take() {
            Some(mut stdout) => stdout.read_to_string(&mut text).map(|_| text),
            None => Ok(text),
        }
    });
    let error = match report {
        Ok(text) => match serde_json::from_str::<SupervisorReport>(&text) {
            Ok(SupervisorReport { error: None, pid }) => return Ok(pid),
            Ok(SupervisorReport { error: Some(error), .. }) => return Err(Error::NotStarted(error)),
            Err(_) => "the supervisor ended without a report".to_owned(),
        },
        Err(err) => err.to_string(),
    };
    Err(not_started(cx, id, error)?)
}

/// Closes the record of a dispatch whose child cannot be started, and returns the error for it.
pub(super) fn not_started(cx: &mut CommandContext, id: &DispatchId, error: String) -> Result<Error, Error> {
    let stamp = cx.now();
    cx.write(|tx| {
        let dispatch: Dispatch = store::dispatch::get(tx, id)?;
        let ending = Ending { error: Some(format!("start: {error}")), ..Ending::default() };
        store::dispatch::finish(tx, &dispatch, DispatchStatus::Failed, &ending, &stamp)?;
        Ok::<_, OpsError>(())
    })?;
    Ok(Error::NotStarted(error))
}

/// Returns the paths of a child's stdout and stderr logs, beside the database at `db`.
pub(super) fn log_paths(db: &Path, id: &DispatchId) -> Result<(PathBuf, PathBuf), DbError> {
    let dir = crate::db::private_dir(db, "dispatch-logs")?;
    Ok((dir.join(format!("{id}.out")), dir.join(format!("{id}.err"))))
}
