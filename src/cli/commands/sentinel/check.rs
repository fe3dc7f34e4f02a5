//! `ic sentinel check`

use crate::app::sentinel::{self, SentinelAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};
use crate::domain::state::Scope;
use crate::domain::stored::Stored;

/// Check whether something may happen now, and claim it
///
/// The first call is allowed; until the interval is over every other call is throttled (exit 1). With an
/// interval of 0 only the first call is ever allowed. Checking and claiming are one step: of any number of
/// simultaneous calls, one is allowed.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel check drift s42 --interval=60s || exit 0")]
pub(in crate::cli) struct Check {
    /// The name of the sentinel
    name: Stored<Scope>,
    /// The scope, such as a session
    scope: Stored<Scope>,
    /// Time during which other calls are throttled: seconds, or a duration such as 60s
    #[arg(long, value_name = "SECONDS", value_parser = args::seconds)]
    interval: i64,
}

impl Command for Check {
    type Answer = SentinelAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<SentinelAnswer>, Error> {
        sentinel::check(cx, &self.name, &self.scope, self.interval)
    }
}
