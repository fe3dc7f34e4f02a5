//! `ic dispatch spawn`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::dispatch::DEFAULT_SANDBOX;
use crate::app::dispatch::spawn::{self, SpawnAnswer, SpawnRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::stored::Stored;

/// Start a child agent and supervise it
///
/// The child runs under a supervisor, in a process group of its own; the caller need not wait for it. Its
/// output is kept (`ic dispatch logs`); its exit status, verdict and tokens are recorded and appear in
/// events. It is started by the script that --dispatch-sh or `$CLAVAIN_DISPATCH_SH` names, or by codex; any
/// other program is given after --. The limits of the run and the project decide how many children there may
/// be.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic dispatch spawn --run=\"$run\" --prompt-file=task.md --timeout=30m\n         \
                        ic dispatch spawn --run=\"$run\" --name=tests -- cargo test"
)]
pub(in crate::cli) struct Spawn {
    /// The file with the prompt; needed unless a program is given
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<Stored>,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "codex", visible_alias = "agent")]
    agent_type: Stored,
    /// The directory that it works in [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<Stored>,
    /// The file that it writes its answer to [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    output: Option<Stored>,
    /// Its name, free text
    #[arg(long)]
    name: Option<Stored>,
    /// Its model, free text
    #[arg(long)]
    model: Option<Stored>,
    /// Its sandbox
    #[arg(long, default_value = DEFAULT_SANDBOX)]
    sandbox: Stored,
    /// More about the sandbox
    #[arg(long, value_name = "JSON")]
    sandbox_spec: Option<Stored>,
    /// The run that it works for, or a caller-defined scope
    #[arg(long, value_name = "ID", visible_aliases = ["run", "run-id"])]
    scope_id: Option<Stored>,
    /// The agent or the tool that asked for it, free text
    #[arg(long, value_name = "TEXT")]
    parent_id: Option<Stored>,
    /// The dispatch that it is started from [default: `$IC_DISPATCH_ID`]
    #[arg(long, value_name = "ID")]
    parent_dispatch: Option<Stored>,
    /// The script that starts agents
    #[arg(long, value_name = "FILE")]
    dispatch_sh: Option<PathBuf>,
    /// The longest time that it may take; then it is ended
    #[arg(long, value_name = "DURATION", value_parser = args::ttl)]
    timeout: Option<i64>,
    /// Not supported yet
    #[arg(long, hide = true)]
    scheduled: bool,
    /// Not supported yet
    #[arg(long, value_name = "ID", hide = true)]
    scheduler_session: Option<String>,
    /// Do this once per key: a repeated call returns the same answer
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
    /// A program and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<Stored>,
}

impl Command for Spawn {
    type Answer = SpawnAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SpawnAnswer>, Error> {
        if self.scheduled || self.scheduler_session.is_some() {
            return Err(Error::usage(
                "dispatch spawn: --scheduled and --scheduler-session: there is no scheduler yet",
            ));
        }
        let request = SpawnRequest {
            prompt_file: args::given_stored(self.prompt_file),
            agent_type: args::given_stored(Some(self.agent_type)),
            project: args::given_stored(self.project),
            output: args::given_stored(self.output),
            name: args::given_stored(self.name),
            model: args::given_stored(self.model),
            sandbox: args::given_stored(Some(self.sandbox)),
            sandbox_spec: self.sandbox_spec.map(Stored::into_inner),
            scope_id: args::given_stored(self.scope_id),
            parent_id: args::given_stored(self.parent_id),
            parent_dispatch: args::given_stored(self.parent_dispatch),
            script: self.dispatch_sh,
            timeout_sec: self.timeout,
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
            program: self.program.into_iter().map(Stored::into_inner).collect(),
        };
        spawn::spawn(cx, request)
    }
}

impl Text for SpawnAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Started { id, .. } => writeln!(w, "{id}"),
            Self::Rejected(_) => Ok(()),
        }
    }
}
