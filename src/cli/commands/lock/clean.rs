//! `ic lock clean`

use std::io::{self, Write};

use crate::app::lock::{self, Cleaned};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};

/// Remove locks whose owner has ended
///
/// Locks that do not name an owner are removed too, once they are old enough. Locks of a process on another
/// machine, or in a container with pids of its own, are kept: clean them up there.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic lock clean --older-than=1m")]
pub(in crate::cli) struct Clean {
    /// Minimum age of a lock
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = args::duration_seconds)]
    older_than: i64,
}

impl Command for Clean {
    type Answer = Cleaned;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Cleaned>, Error> {
        lock::clean(cx, self.older_than)
    }
}

impl Text for Cleaned {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} cleaned", self.cleaned)
    }
}
