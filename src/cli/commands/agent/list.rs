//! `ic agent list`

use std::io::{self, Write};

use crate::app::agent::{self, AgentAnswer, Agents};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// List the agents of a run, oldest first
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic agent list k3x9q2ab --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    run: RunRef,
}

impl Command for List {
    type Answer = Agents;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Agents>, Error> {
        agent::list(cx, self.run.into())
    }
}

impl Text for Agents {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        for AgentAnswer { id, agent_type, status, name, .. } in &self.0 {
            let name = name.as_deref().unwrap_or_default();
            writeln!(w, "{id}\t{}\t{status}\t{}", one_line(agent_type), one_line(name))?;
        }
        Ok(())
    }
}
