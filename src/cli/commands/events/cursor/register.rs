//! `ic events cursor register`

use std::io::{self, Write};

use super::NewCursorArgs;
use crate::app::events::cursor::{self, ConsumerRegistered};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Register a consumer
///
/// A new consumer starts before the first event. A known one keeps its position; one whose cursor has
/// expired continues where it stopped. A cursor expires a day after it was moved; a durable one does not
/// expire.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor register dashboard --durable")]
pub(in crate::cli) struct Register {
    #[command(flatten)]
    cursor: NewCursorArgs,
    /// Let the cursor never expire
    #[arg(long)]
    durable: bool,
}

impl Command for Register {
    type Answer = ConsumerRegistered;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ConsumerRegistered>, Error> {
        cursor::register(cx, self.cursor.into(), self.durable)
    }
}

impl Text for ConsumerRegistered {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let kept = if self.durable { "durable" } else { "ttl: 24h" };
        writeln!(w, "registered {} ({kept})", one_line(&self.consumer))
    }
}
