//! `ic interspect propose`

use super::{AgentArg, ChangeArgs, GroundsArgs};
use crate::app::interspect::change::{self, ChangeAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Propose to exclude an agent
///
/// Adds a proposal to the file and commits it. Programs that read the file treat it as information until it
/// is approved. If there is evidence about the agent, it has to suffice; without any evidence, the author of
/// the proposal decides. A proposal that exists stays as it is (exit code 0); an agent that is excluded
/// already is refused (exit code 1).
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect propose fd-game-design --reason='wrong 5 of 5' --evidence=12,15"
)]
pub(in crate::cli) struct Propose {
    #[command(flatten)]
    agent: AgentArg,
    #[command(flatten)]
    grounds: GroundsArgs,
    #[command(flatten)]
    options: ChangeArgs,
}

impl Command for Propose {
    type Answer = ChangeAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ChangeAnswer>, Error> {
        let grounds = self.grounds.into_grounds();
        change::propose(cx, self.agent.agent, grounds, &self.options.into_options())
    }
}
