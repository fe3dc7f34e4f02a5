//! `ic interspect unblock`

use crate::app::interspect::blacklist::{self, BlacklistChange};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::text::Required;

/// Remove a pattern from the blacklist
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect unblock fd-safety")]
pub(in crate::cli) struct Unblock {
    /// The pattern, as it is on the blacklist
    #[arg(value_name = "PATTERN")]
    pattern: Required,
}

impl Command for Unblock {
    type Answer = BlacklistChange;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<BlacklistChange>, Error> {
        blacklist::remove(cx, self.pattern.as_str())
    }
}
