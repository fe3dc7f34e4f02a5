//! `ic events verify`

use std::io::{self, Write};

use crate::app::events::verify::{self, KeptHead, LogVerified, VerifyRequest};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Check the hash chain of the event log
///
/// Prints the head, or fails with the first event that was altered, removed or inserted. A cut tail, or a
/// chain that was computed anew, shows only against a head that was kept elsewhere: pass it as --head.
/// --from and --to check a part of the log.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events verify --head=\"$(cat ~/ic-head)\"")]
pub(in crate::cli) struct Verify {
    /// A head printed earlier, kept elsewhere
    #[arg(long, value_name = "ID:HASH")]
    head: Option<KeptHead>,
    /// The first event to check; the hash of the one before it is trusted
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// The last event to check [default: the last one]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
}

impl Command for Verify {
    type Answer = LogVerified;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<LogVerified>, Error> {
        verify::verify(cx, &VerifyRequest { head: self.head, from: self.from, to: self.to })
    }
}

impl Text for LogVerified {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ok: {} events, head {}", self.events, self.head)
    }
}
