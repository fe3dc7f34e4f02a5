//! `ic lock stale`

use crate::app::lock::{self, HeldLocks};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command};

/// List the locks that have been held for long
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock stale --older-than=10m")]
pub(in crate::cli) struct Stale {
    /// Minimum age of a lock
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Command for Stale {
    type Answer = HeldLocks;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HeldLocks>, Error> {
        lock::list(cx, self.older_than)
    }
}
