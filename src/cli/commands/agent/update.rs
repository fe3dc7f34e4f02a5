//! `ic agent update`

use std::io::{self, Write};

use crate::app::agent::{self, AgentUpdated};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::agent::AgentStatus;
use crate::domain::ids::{AgentId, RunId};

/// Change the status of an agent
///
/// With two ids, the first is the run that the agent must belong to.
#[derive(Debug, clap::Parser)]
#[command(
    override_usage = "ic agent update [OPTIONS] --status <STATUS> [RUN] <AGENT>",
    after_help = "Example: ic agent update p4m7z1cd --status=completed"
)]
pub(in crate::cli) struct Update {
    /// The agent, or the run and the agent
    #[arg(required = true, num_args = 1..=2, value_name = "AGENT")]
    ids: Vec<String>,
    /// The new status: active, completed or failed
    #[arg(long)]
    status: AgentStatus,
}

impl Update {
    /// Returns the run, if it is given, and the agent.
    fn ids(&self) -> Result<(Option<RunId>, AgentId), Error> {
        let empty = |_| Error::usage("an agent or run id must not be empty");
        match self.ids.as_slice() {
            [agent] => Ok((None, agent.parse().map_err(empty)?)),
            [run, agent] => Ok((Some(run.parse().map_err(empty)?), agent.parse().map_err(empty)?)),
            _ => Err(Error::usage("want <agent> or <run> <agent>")),
        }
    }
}

impl Command for Update {
    type Answer = AgentUpdated;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<AgentUpdated>, Error> {
        let (run, agent) = self.ids()?;
        agent::update(cx, run.as_ref(), &agent, self.status)
    }
}

impl Text for AgentUpdated {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "updated")
    }
}
