//! `ic agent add`

use std::io::{self, Write};

use crate::app::agent::{self, AddRequest, AgentAdded};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;
use crate::domain::phase::Phase;
use crate::domain::stored::Stored;

const DEFAULT_TYPE: &str = "claude";

/// Add an agent to a run
///
/// The agent is active from the start. It belongs to the current phase of the run unless --phase names
/// another.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic agent add k3x9q2ab --type=claude --name=reviewer")]
pub(in crate::cli) struct Add {
    /// The run that the agent works on
    run: RunId,
    /// Kind of agent, free text
    #[arg(long = "type", value_name = "TYPE", default_value = DEFAULT_TYPE)]
    agent_type: Stored,
    /// The name of the agent, free text
    #[arg(long)]
    name: Option<Stored>,
    /// The phase that the agent belongs to [default: the run's phase]
    #[arg(long)]
    phase: Option<Stored<Phase>>,
    /// The dispatch that the agent runs in
    #[arg(long, value_name = "ID")]
    dispatch_id: Option<Stored>,
    /// Add the agent once per key: a repeat returns the first result
    #[arg(long, value_name = "KEY", value_parser = args::stored(args::key))]
    idempotency_key: Option<Stored>,
}

impl Command for Add {
    type Answer = AgentAdded;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<AgentAdded>, Error> {
        let request = AddRequest {
            run_id: self.run,
            agent_type: args::given_stored(Some(self.agent_type)).unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            name: args::given_stored(self.name),
            phase: self.phase.map(Stored::into_inner),
            dispatch_id: self.dispatch_id.and_then(|id| id.parse().ok()),
            idempotency_key: self.idempotency_key.map(Stored::into_inner),
        };
        agent::add(cx, request)
    }
}

impl Text for AgentAdded {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.id)
    }
}
