//! `ic sentinel prune`

use crate::app::sentinel::{self, Pruned};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};

/// Delete the sentinels that last fired long ago
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic sentinel prune --older-than=168h")]
pub(in crate::cli) struct Prune {
    /// Time since the sentinel last fired
    #[arg(long, value_name = "DURATION", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Command for Prune {
    type Answer = Pruned;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Pruned>, Error> {
        sentinel::prune(cx, self.older_than)
    }
}
