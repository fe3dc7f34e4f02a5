//! `ic coordination sweep`

use std::io::{self, Write};

use crate::app::coordination::release::{self, Swept};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};

/// End locks whose time is over, and those whose process is gone
///
/// A reservation clears what is in its own way; a sweep clears everything, and the places in the queue at which no process
/// waits. A lock lives with a process only if one was named with it, and processes of another machine are not judged.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination sweep --older-than=1h --dry-run")]
pub(in crate::cli) struct Sweep {
    /// Only locks whose time has been over for this long
    #[arg(long, value_name = "DURATION", value_parser = args::seconds, default_value = "0")]
    older_than: i64,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
}

impl Command for Sweep {
    type Answer = Swept;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Swept>, Error> {
        release::sweep(cx, self.older_than, self.dry_run)
    }
}

impl Text for Swept {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let dry_run = if self.dry_run { "(dry-run) " } else { "" };
        writeln!(w, "{dry_run}{} expired, {} total", self.expired, self.total)
    }
}
