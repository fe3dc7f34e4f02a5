//! `ic dispatch record`: makes a child that was started elsewhere known.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::settle;
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::dispatch::DispatchStatus;
use crate::domain::ids::DispatchId;
use crate::domain::process::ProcessKey;
use crate::ops;
use crate::ops::once::{Key, once};
use crate::os::{paths, process};
use crate::store::dispatch::NewDispatch;

/// Record a child process that was started elsewhere
///
/// With --pid the process has to be there; its start time is recorded with it, so that a pid that is handed out again is
/// never taken for it. The dispatch of a run has the run's id as its scope.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch record --run=k3x9q2ab --type=codex --pid=4711 --name=builder")]
pub(in crate::cli) struct Record {
    /// Its process
    #[arg(long, value_parser = clap::value_parser!(i32).range(2..))]
    pid: Option<i32>,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "codex", visible_alias = "agent")]
    agent_type: String,
    /// Where it works [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// Its name, free text
    #[arg(long)]
    name: Option<String>,
    /// Its model, free text
    #[arg(long)]
    model: Option<String>,
    /// The prompt that it was given
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<String>,
    /// Where it writes its answer
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The run that it works for, or a grouping of the caller's
    #[arg(long, value_name = "ID", visible_aliases = ["run", "run-id"])]
    scope_id: Option<String>,
    /// Who asked for it, free text
    #[arg(long, value_name = "TEXT")]
    parent_id: Option<String>,
    /// The dispatch that started it
    #[arg(long, value_name = "ID")]
    parent_dispatch: Option<String>,
    /// Where it stands: spawned, running, completed, failed, timeout or cancelled [default: running with --pid, else
    /// spawned]
    #[arg(long)]
    status: Option<DispatchStatus>,
    /// What it found, such as pass, warn, fail or reject
    #[arg(long)]
    verdict: Option<String>,
    /// One sentence to go with the verdict
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// Exit status of its process
    #[arg(long, value_name = "N")]
    exit_code: Option<i64>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct Recorded {
    id: DispatchId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
}

impl View for Recorded {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}

impl Verb for Record {
    const KEPT: &'static [&'static str] = &[
        "agent_type",
        "project",
        "name",
        "model",
        "prompt_file",
        "output",
        "scope_id",
        "parent_id",
        "parent_dispatch",
        "verdict",
        "summary",
        "idempotency_key",
    ];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let pid = self.pid;
        let key = self.idempotency_key.clone();
        let asked = self.asked()?;
        let process = pid.map(identify).transpose()?.flatten();
        let gone = pid.filter(|_| process.is_none());
        let new = NewDispatch { process, ..asked };
        match settle::stop_processes(cx) {
            // No database, nothing to stop: the first record may be what makes one.
            Err(Error::Ops(err)) if err.is_missing_database() => {}
            settled => _ = settled?,
        }
        let stamp = cx.stamp.clone();
        let key = Key { command: "dispatch record", key: key.as_deref() };
        let id = cx.write(|tx| {
            // A repeat answers the same also when the process has ended meanwhile.
            let recorded = once(tx, key, &(&new, pid), &stamp, || match gone {
                Some(_) => Ok(None),
                None => Ok(Some(ops::dispatch::record(tx, &new, &stamp)?.id)),
            })?;
            match (recorded, gone) {
                (Some(id), _) => Ok(id),
                (None, pid) => Err(Error::NoProcess(pid.unwrap_or_default().into())),
            }
        })?;
        cx.out.show(&Recorded { id, pid })?;
        Ok(Answer::Yes)
    }
}

impl Record {
    /// The dispatch as the command line describes it.
    fn asked(self) -> Result<NewDispatch, Error> {
        let cwd = crate::app::locate::cwd()?;
        let begun = if self.pid.is_some() { DispatchStatus::Running } else { DispatchStatus::Spawned };
        Ok(NewDispatch {
            agent_type: args::given(Some(self.agent_type)).unwrap_or_else(|| "codex".to_owned()),
            status: self.status.unwrap_or(begun),
            project_dir: args::project(self.project.as_deref())?.dir,
            prompt_file: absolute(self.prompt_file, &cwd)?,
            output_file: absolute(self.output, &cwd)?,
            name: args::given(self.name),
            model: args::given(self.model),
            scope_id: args::given(self.scope_id),
            run_phase: None,
            parent_id: args::given(self.parent_id),
            parent_dispatch_id: self.parent_dispatch.and_then(|id| id.parse().ok()),
            spawn_depth: 0,
            process: None,
            verdict_status: args::given(self.verdict.map(|verdict| verdict.trim().to_owned())),
            verdict_summary: args::given(self.summary),
            exit_code: self.exit_code,
            launch: None,
        })
    }
}

/// An absolute path as text.
pub(super) fn absolute(file: Option<String>, cwd: &Path) -> Result<Option<String>, Error> {
    let Some(file) = args::given(file) else { return Ok(None) };
    let path = paths::clean(Path::new(&file), cwd).into_os_string().into_string();
    path.map(Some).map_err(|path| Error::usage(format!("the path {} is not valid UTF-8", path.display())))
}

/// Which process has this pid now, if any.
fn identify(pid: i32) -> Result<Option<ProcessKey>, Error> {
    let found = process::identify(pid).map_err(|source| Error::File {
        what: "looking up",
        path: PathBuf::from(format!("process {pid}")),
        source,
    })?;
    Ok(found.map(ProcessKey::from))
}
