//! `ic dispatch spawn`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::launch::{self, Launched, SANDBOX, Wanted};
use super::record::absolute;
use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx, args};
use crate::domain::ids::DispatchId;
use crate::domain::launch::Program;
use crate::domain::state;
use crate::store;

/// Start a child agent and see it through
///
/// The child runs under a supervisor, in a process group of its own; nobody has to wait for it. What it writes is kept (`ic
/// dispatch logs`), its exit status, verdict and tokens end up in the record and in events. It is started by the script
/// that --dispatch-sh or `$CLAVAIN_DISPATCH_SH` names, or by codex; behind -- stands any other program. How many there may be
/// is decided by the limits of the run and the project.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic dispatch spawn --run=\"$run\" --prompt-file=task.md --timeout=30m\n         \
                        ic dispatch spawn --run=\"$run\" --name=tests -- cargo test"
)]
pub(in crate::cli) struct Spawn {
    /// The prompt; needed unless a program is given
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<String>,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "codex", visible_alias = "agent")]
    agent_type: String,
    /// Where it works [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// Where it writes its answer [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// Its name, free text
    #[arg(long)]
    name: Option<String>,
    /// Its model, free text
    #[arg(long)]
    model: Option<String>,
    /// Its sandbox
    #[arg(long, default_value = SANDBOX)]
    sandbox: String,
    /// More about the sandbox
    #[arg(long, value_name = "JSON")]
    sandbox_spec: Option<String>,
    /// The run that it works for, or a grouping of the caller's
    #[arg(long, value_name = "ID", visible_aliases = ["run", "run-id"])]
    scope_id: Option<String>,
    /// Who asked for it, free text
    #[arg(long, value_name = "TEXT")]
    parent_id: Option<String>,
    /// The dispatch that it is started from [default: `$IC_DISPATCH_ID`]
    #[arg(long, value_name = "ID")]
    parent_dispatch: Option<String>,
    /// The script that starts agents
    #[arg(long, value_name = "FILE")]
    dispatch_sh: Option<PathBuf>,
    /// How long it may take; then it is ended
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    timeout: Option<i64>,
    /// Not there yet
    #[arg(long, hide = true)]
    scheduled: bool,
    /// Not there yet
    #[arg(long, value_name = "ID", hide = true)]
    scheduler_session: Option<String>,
    /// Do this once per key: a repeat answers the same
    #[arg(long, value_name = "KEY", value_parser = args::key)]
    idempotency_key: Option<String>,
    /// A program and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

impl Verb for Spawn {
    const KEPT: &'static [&'static str] = &[
        "prompt_file",
        "agent_type",
        "project",
        "output",
        "name",
        "model",
        "sandbox",
        "sandbox_spec",
        "scope_id",
        "parent_id",
        "parent_dispatch",
        "idempotency_key",
        "program",
    ];

    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let key = self.idempotency_key.clone();
        let mut wanted = self.wanted()?;
        if wanted.parent_dispatch.is_none() {
            wanted.parent_dispatch = caller(cx);
        }
        let arguments = arguments(&wanted);
        let row = wanted.row(cx)?;
        let idempotency = key.as_deref().map(|key| (key, &arguments));
        let launched = launch::launch(cx, &row, idempotency, None);
        answer(cx, launched)
    }
}

impl Spawn {
    fn wanted(self) -> Result<Wanted, Error> {
        if self.scheduled || self.scheduler_session.is_some() {
            return Err(Error::usage(
                "dispatch spawn: --scheduled and --scheduler-session: there is no scheduler yet",
            ));
        }
        if let Some(spec) = &self.sandbox_spec {
            state::check_json(spec)
                .map_err(|err| Error::usage(format!("dispatch spawn: --sandbox-spec: {err}")))?;
        }
        let prompt = args::given(self.prompt_file);
        if prompt.is_none() && self.program.is_empty() {
            return Err(Error::usage("dispatch spawn: --prompt-file is required"));
        }
        let program = if self.program.is_empty() {
            if let Some(script) = self.dispatch_sh.as_deref().filter(|script| !script.is_file()) {
                return Err(Error::usage(format!(
                    "dispatch spawn: --dispatch-sh: {} is not a file",
                    script.display()
                )));
            }
            launch::program(self.dispatch_sh.as_deref())?
        } else {
            Program::Given(self.program)
        };
        let project = args::project(self.project.as_deref())?.dir;
        if !Path::new(&project).is_dir() {
            return Err(Error::usage(format!("dispatch spawn: --project: {project} is not a directory")));
        }
        let cwd = crate::app::locate::cwd()?;
        let parent = args::given(self.parent_dispatch).and_then(|id| id.parse::<DispatchId>().ok());
        Ok(Wanted {
            agent_type: args::given(Some(self.agent_type)).unwrap_or_else(|| "codex".to_owned()),
            program,
            project,
            prompt: absolute(prompt, &cwd)?,
            output: absolute(self.output, &cwd)?,
            name: args::given(self.name),
            model: args::given(self.model),
            sandbox: args::given(Some(self.sandbox)).unwrap_or_else(|| SANDBOX.to_owned()),
            sandbox_spec: args::given(self.sandbox_spec),
            scope_id: args::given(self.scope_id),
            parent_id: args::given(self.parent_id),
            parent_dispatch: parent,
            timeout_sec: self.timeout.filter(|secs| *secs > 0),
            retry: None,
        })
    }
}

/// The dispatch that this call comes from, if it is one of this database.
fn caller(cx: &mut Cx) -> Option<DispatchId> {
    let id: DispatchId = std::env::var("IC_DISPATCH_ID").ok()?.parse().ok()?;
    cx.read(|tx| store::dispatch::get(tx, &id)).ok().map(|dispatch| dispatch.id)
}

/// What a key stands for: all that the caller said.
fn arguments(wanted: &Wanted) -> Value {
    json!([
        wanted.agent_type,
        format!("{:?}", wanted.program),
        wanted.project,
        wanted.prompt,
        wanted.output,
        wanted.name,
        wanted.model,
        wanted.sandbox,
        wanted.sandbox_spec,
        wanted.scope_id,
        wanted.parent_id,
        wanted.parent_dispatch,
        wanted.timeout_sec,
    ])
}

/// Shows what starting came to.
pub(super) fn answer(cx: &Cx, launched: Result<Launched, Error>) -> Result<Answer, Error> {
    match launched? {
        Launched::Started { id, pid } => {
            cx.out.show(&Shown { id, pid })?;
            Ok(Answer::Yes)
        }
        // Told of agents only, which are not spawned by hand.
        Launched::Overtaken => Ok(Answer::No),
        Launched::Rejected(rejection) => {
            if cx.out.is_json() {
                cx.out.document(&rejection)?;
            }
            Err(Error::Rejected(rejection.reason, rejection.current, rejection.limit))
        }
    }
}

#[derive(Serialize)]
struct Shown {
    id: DispatchId,
    pid: Option<i64>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}
