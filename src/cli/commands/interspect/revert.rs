//! `ic interspect revert`

use super::{AgentArg, ChangeArgs};
use crate::app::interspect::change::{self, ChangeAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::stored::Stored;
use crate::domain::text::Required;

/// Revert an override or a proposal
///
/// Nothing happens if there is none (exit code 0).
#[derive(Debug, clap::Parser)]
#[command(
    after_help = "Example: ic interspect revert fd-performance --reason='it was right after all' --blacklist"
)]
pub(in crate::cli) struct Revert {
    #[command(flatten)]
    agent: AgentArg,
    /// The reason, free text
    #[arg(long, value_name = "TEXT")]
    reason: Option<Stored<Required>>,
    /// Put the agent on the blacklist, so that it cannot be proposed again
    #[arg(long)]
    blacklist: bool,
    #[command(flatten)]
    options: ChangeArgs,
}

impl Command for Revert {
    type Answer = ChangeAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ChangeAnswer>, Error> {
        let reason = self.reason.map(|reason| reason.to_string());
        change::revert(cx, self.agent.agent, reason, self.blacklist, &self.options.into_options())
    }
}
