//! `ic dispatch record`

use std::io::{self, Write};

use crate::app::dispatch::record::{self, RecordRequest, Recorded};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::dispatch::DispatchStatus;
use crate::domain::stored::Stored;

/// Record a child process that was started elsewhere
///
/// With --pid the process must exist. Its start time is recorded with it, so that another process that gets
/// the same pid later is never taken for it. The dispatch of a run has the run's id as its scope.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch record --run=k3x9q2ab --type=codex --pid=4711 --name=builder")]
pub(in crate::cli) struct Record {
    /// Its process
    #[arg(long, value_parser = clap::value_parser!(i32).range(2..))]
    pid: Option<i32>,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = "codex", visible_alias = "agent")]
    agent_type: Stored,
    /// The directory that it works in [default: the working directory]
    #[arg(long, value_name = "DIR")]
    project: Option<Stored>,
    /// Its name, free text
    #[arg(long)]
    name: Option<Stored>,
    /// Its model, free text
    #[arg(long)]
    model: Option<Stored>,
    /// The file with its prompt
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<Stored>,
    /// The file that it writes its answer to
    #[arg(long, value_name = "FILE")]
    output: Option<Stored>,
    /// The run that it works for, or a caller-defined scope
    #[arg(long, value_name = "ID", visible_aliases = ["run", "run-id"])]
    scope_id: Option<Stored>,
    /// The agent or the tool that asked for it, free text
    #[arg(long, value_name = "TEXT")]
    parent_id: Option<Stored>,
    /// The dispatch that started it
    #[arg(long, value_name = "ID")]
    parent_dispatch: Option<Stored>,
    /// Its status: spawned, running, completed, failed, timeout or cancelled [default: running with --pid,
    /// else spawned]
    #[arg(long)]
    status: Option<DispatchStatus>,
    /// Its verdict, such as pass, warn, fail or reject
    #[arg(long)]
    verdict: Option<Stored>,
    /// One sentence about the verdict
    #[arg(long, value_name = "TEXT")]
    summary: Option<Stored>,
    /// The exit status of its process
    #[arg(long, value_name = "N")]
    exit_code: Option<i64>,
    /// Do this once per key: a repeated call returns the same answer
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Record {
    type Answer = Recorded;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Recorded>, Error> {
        let request = RecordRequest {
            pid: self.pid,
            agent_type: args::given_stored(Some(self.agent_type)),
            project: args::given_stored(self.project),
            name: args::given_stored(self.name),
            model: args::given_stored(self.model),
            prompt_file: args::given_stored(self.prompt_file),
            output: args::given_stored(self.output),
            scope_id: args::given_stored(self.scope_id),
            parent_id: args::given_stored(self.parent_id),
            parent_dispatch: args::given_stored(self.parent_dispatch),
            status: self.status,
            verdict: args::given(self.verdict.map(|verdict| verdict.trim().to_owned())),
            summary: args::given_stored(self.summary),
            exit_code: self.exit_code,
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        record::record(cx, request)
    }
}

impl Text for Recorded {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}
