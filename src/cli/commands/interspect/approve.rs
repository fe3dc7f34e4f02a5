//! `ic interspect approve`

use super::{AgentArg, ChangeArgs};
use crate::app::interspect::change::{self, ChangeAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Approve a proposal
///
/// From then on the agent is excluded, and a canary compares the sessions that follow with those before.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect approve fd-game-design")]
pub(in crate::cli) struct Approve {
    #[command(flatten)]
    agent: AgentArg,
    #[command(flatten)]
    options: ChangeArgs,
}

impl Command for Approve {
    type Answer = ChangeAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ChangeAnswer>, Error> {
        change::approve(cx, self.agent.agent, &self.options.into_options())
    }
}
