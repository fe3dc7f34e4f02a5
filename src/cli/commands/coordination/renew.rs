//! `ic coordination renew`

use std::io::{self, Write};

use crate::app::coordination::reserve::{self, Renewed};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::word;

/// Extend a lock
///
/// The heartbeat of a process that works under a lock. Exit code 1 if the lock does not hold any more.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination renew l3k9x2ab --owner=me --ttl=15m")]
pub(in crate::cli) struct Renew {
    /// The lock
    id: String,
    /// Refuse if the lock is another owner's
    #[arg(long, value_parser = word)]
    owner: Option<String>,
    /// Time from now on [default: the time for which it was reserved]
    #[arg(long, value_name = "DURATION", value_parser = args::lease)]
    ttl: Option<i64>,
}

impl Command for Renew {
    type Answer = Renewed;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Renewed>, Error> {
        reserve::renew(cx, &self.id, self.owner.as_deref(), self.ttl)
    }
}

impl Text for Renewed {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.lock.id)
    }
}
