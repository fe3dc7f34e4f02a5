//! Starting a dispatch: recorded first, then handed to a supervisor.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::settle;
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

/// Where a script that starts agents is looked for, from the working directory upwards.
const SCRIPT: &str = "hub/clavain/scripts/dispatch.sh";
/// The sandbox when nobody says otherwise.
pub(super) const SANDBOX: &str = "workspace-write";

/// What the name of an answer begins with that nobody gave a place, in the directory for temporary files.
const OUTPUT: &str = "ic-dispatch-";

/// Whether an answer lies where this program puts those that nobody gave a place.
pub(super) fn is_own_output(output: &str) -> bool {
    let path = Path::new(output);
    path.parent() == Some(files::temp_dir().as_path())
        && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OUTPUT))
}

/// What is to be started.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Wanted {
    pub agent_type: String,
    pub program: Program,
    pub project: String,
    pub prompt: Option<String>,
    pub output: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub sandbox: String,
    pub sandbox_spec: Option<String>,
    pub scope_id: Option<String>,
    pub parent_id: Option<String>,
    pub parent_dispatch: Option<DispatchId>,
    pub timeout_sec: Option<i64>,
    /// How many attempts there were before, and at what.
    pub retry: Option<(i64, DispatchId)>,
}

/// What starting it came to.
pub(in crate::cli) enum Launched {
    /// It runs, or waits for its time.
    Started { id: DispatchId, pid: Option<i64> },
    /// A limit forbids it.
    Rejected(Rejection),
    /// The agent is not what it was: somebody else has dispatched it, or it is not to work any more.
    Overtaken,
}

/// The program that starts agents here: a script that is named or found, or else `codex`.
pub(in crate::cli) fn program(named: Option<&Path>) -> Result<Program, Error> {
    let cwd = crate::app::locate::cwd()?;
    let script = |path: PathBuf| {
        let path = crate::os::paths::clean(&path, &cwd);
        Ok(Program::Script { path: text(&path)?, cwd: text(&cwd)? })
    };
    if let Some(named) = named {
        return script(named.to_owned());
    }
    let from_environment = std::env::var_os("CLAVAIN_DISPATCH_SH").filter(|path| !path.is_empty());
    if let Some(path) = from_environment.map(PathBuf::from).filter(|path| path.is_file()) {
        return script(path);
    }
    match cwd.ancestors().map(|dir| dir.join(SCRIPT)).find(|path| path.is_file()) {
        Some(path) => script(path),
        None => Ok(Program::Codex),
    }
}

fn text(path: &Path) -> Result<String, Error> {
    let unreadable = || Error::usage(format!("the path {} is not valid UTF-8", path.display()));
    path.to_str().map(ToOwned::to_owned).ok_or_else(unreadable)
}

impl Wanted {
    /// Writes model, prompt and command line of this task into a row of the same one.
    pub(super) fn rewrite(&self, row: &mut NewDispatch) {
        row.model.clone_from(&self.model);
        row.prompt_file.clone_from(&self.prompt);
        let command = self.program.command(&self.task(row.output_file.as_deref().unwrap_or_default()));
        if let Some(launch) = &mut row.launch {
            // Text and lists of text can always be written.
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

    /// The row that is to be recorded.
    ///
    /// # Errors
    /// If the prompt cannot be read, or the process table does not show us.
    pub(in crate::cli) fn row(&self, cx: &CommandContext) -> Result<NewDispatch, Error> {
        let prompt_hash = self.prompt.as_deref().map(prompt_hash).transpose()?;
        let output = if let Some(output) = &self.output {
            output.clone()
        } else {
            let name = format!("{OUTPUT}{}-{}.md", cx.now().nanos(), std::process::id());
            text(&files::temp_dir().join(name))?
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
            keeper: keeper()?,
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

/// The first 16 hexadecimal digits of a prompt's SHA-256.
fn prompt_hash(prompt: &str) -> Result<String, Error> {
    let failed =
        |source| Error::File { what: "spawn: hash prompt: open --prompt-file", path: prompt.into(), source };
    let hash = files::sha256_file(Path::new(prompt)).map_err(failed)?;
    let missing = || failed(std::io::ErrorKind::NotFound.into());
    Ok(hash.ok_or_else(missing)?.chars().skip("sha256:".len()).take(16).collect())
}

/// This process, which looks after a dispatch until its supervisor does.
fn keeper() -> Result<ProcessKey, Error> {
    let me = process::myself().map_err(|err| Error::Unexpected(err.into()))?;
    Ok(me.into())
}

/// Records the dispatch, links it to an agent if one is given, and starts it. `idempotency` is the caller's key, and what it
/// was given for.
pub(in crate::cli) fn launch(
    cx: &mut CommandContext,
    row: &NewDispatch,
    idempotency: Option<(&str, &serde_json::Value)>,
    agent: Option<&Agent>,
) -> Result<Launched, Error> {
    match settle::settle(cx) {
        // No database, nothing to settle: the first dispatch may be what makes one.
        Err(Error::Ops(err)) if err.is_missing_database() => {}
        settled => settled?,
    }
    let stamp = cx.stamp.clone();
    let key = once::Key { command: "dispatch spawn", key: idempotency.map(|(key, _)| key) };
    let arguments = idempotency.map(|(_, arguments)| arguments);
    let mut fresh = false;
    let mut unenforced = false;
    let accepted = cx.write(|tx: &WriteTx<'_>| {
        (fresh, unenforced) = (false, false);
        let mut rejected = None;
        if let Some(seen) = agent {
            let now = store::agent::get(tx, &seen.id)?;
            if (&now.status, &now.dispatch_id) != (&seen.status, &seen.dispatch_id) {
                return Ok(Err(Launched::Overtaken));
            }
        }
        let recorded = once::once(tx, key, &arguments, &stamp, || match spawn::spawn(tx, row, &stamp)? {
            Spawned::Accepted { dispatch, unenforced: so } => {
                (fresh, unenforced) = (true, so);
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
            // Nothing was written, so nothing is lost by not rolling back.
            (Err(OpsError::SpawnRejected), Some(rejection)) => Ok(Err(Launched::Rejected(rejection))),
            (recorded, _) => recorded.map(Ok),
        }
    })?;
    if unenforced {
        cx.warn("dispatch spawn: no relay data for portfolio, dispatch limit not enforced");
    }
    match accepted {
        Err(otherwise) => Ok(otherwise),
        Ok(id) if fresh => {
            let pid = start(cx, &id, 0)?;
            Ok(Launched::Started { id, pid })
        }
        Ok(id) => {
            let known = cx.read(|tx| store::dispatch::get(tx, &id))?;
            Ok(Launched::Started { id, pid: known.process.map(|process| process.pid) })
        }
    }
}

/// What a supervisor says once it has started the child, or could not.
#[derive(Deserialize)]
pub(super) struct Report {
    pub pid: Option<i64>,
    pub error: Option<String>,
}

/// Starts the supervisor of a recorded dispatch, which waits for `delay_ms` before it starts the child. Answers the child's
/// pid, if it runs by now.
pub(super) fn start(cx: &mut CommandContext, id: &DispatchId, delay_ms: i64) -> Result<Option<i64>, Error> {
    let db = cx.existing()?.path().as_os_str().to_owned();
    let env: [(&str, OsString); 2] = [("INTERCORE_DB", db), (DETACHED, "1".into())];
    let delay = delay_ms.to_string();
    let args = ["dispatch", "supervise", id.as_str(), "--delay-ms", &delay];
    let begun = std::env::current_exe().and_then(|ic| child::start_own(&ic, &args, &env, &[settle::MARK]));
    let report = begun.and_then(|mut supervisor| {
        let mut text = String::new();
        match supervisor.stdout.take() {
            Some(mut stdout) => stdout.read_to_string(&mut text).map(|_| text),
            None => Ok(text),
        }
    });
    let error = match report {
        Ok(text) => match serde_json::from_str::<Report>(&text) {
            Ok(Report { error: None, pid }) => return Ok(pid),
            Ok(Report { error: Some(error), .. }) => return Err(Error::NotStarted(error)),
            Err(_) => "the supervisor ended without a word".to_owned(),
        },
        Err(err) => err.to_string(),
    };
    Err(not_started(cx, id, error)?)
}

/// Closes the record of a dispatch whose child cannot be started, and answers what there is to say.
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

/// Where the output of a dispatch is kept, beside the database at `db`.
pub(super) fn logs(db: &Path, id: &DispatchId) -> Result<(PathBuf, PathBuf), DbError> {
    let dir = crate::db::private_dir(db, "dispatch-logs")?;
    Ok((dir.join(format!("{id}.out")), dir.join(format!("{id}.err"))))
}
