//! `ic interspect apply`

use super::{AgentArg, ChangeArgs, GroundsArgs};
use crate::app::interspect::change::{self, ChangeAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Exclude an agent
///
/// Works without a proposal, or replaces one. File, commit and record change together or not at all; other
/// files that are staged or changed are not touched. An agent that is excluded already is refused (exit code
/// 1), unless --update changes the override.
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect apply fd-performance --reason=slow --domain=tui-app --file-pattern='src/**'"
)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    agent: AgentArg,
    #[command(flatten)]
    grounds: GroundsArgs,
    /// Change the reason, evidence and scope of an override that exists; nothing happens if they are the same
    #[arg(long)]
    update: bool,
    /// Apply by the decision of an agent alone: only if the project allows it, and within its limits
    #[arg(long, conflicts_with = "force")]
    auto: bool,
    #[command(flatten)]
    options: ChangeArgs,
}

impl Command for Apply {
    type Answer = ChangeAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ChangeAnswer>, Error> {
        let grounds = self.grounds.into_grounds();
        let options = self.options.into_options();
        change::apply(cx, self.agent.agent, grounds, (self.update, self.auto), &options)
    }
}
