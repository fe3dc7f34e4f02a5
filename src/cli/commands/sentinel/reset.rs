//! `ic sentinel reset`

use crate::app::sentinel::{self, SentinelAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::state::Scope;

/// Reset a sentinel, so that the next check is allowed
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:\n  ic sentinel reset drift s42\n  ic sentinel reset drift --all")]
pub(in crate::cli) struct Reset {
    /// The name of the sentinel
    name: Scope,
    /// The scope, such as a session
    scope: Option<Scope>,
    /// Reset the sentinel in every scope, in one step
    #[arg(long)]
    all: bool,
}

impl Command for Reset {
    type Answer = SentinelAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SentinelAnswer>, Error> {
        if self.all == self.scope.is_some() {
            return Err(Error::usage("sentinel reset: want a scope, or --all"));
        }
        sentinel::reset(cx, &self.name, self.scope.as_ref())
    }
}
