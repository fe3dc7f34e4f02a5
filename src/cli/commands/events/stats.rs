//! `ic events stats`

use std::io::{self, Write};

use crate::app::events::stats::{self, LogStats};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::event::Origin;
use crate::domain::text::one_line;

/// Show the event log in numbers
///
/// The number of events by source and type, the times of the first and the last event, and the size of the
/// database. Counts the whole log.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events stats")]
pub(in crate::cli) struct Stats {}

impl Command for Stats {
    type Answer = LogStats;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<LogStats>, Error> {
        stats::stats(cx)
    }
}

impl Text for LogStats {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} events, {} bytes", self.events, self.bytes)?;
        if let (Some(first), Some(last)) = (&self.first, &self.last) {
            writeln!(w, "{first} to {last}")?;
        }
        for kind in &self.kinds {
            let origin = if kind.origin == Origin::External { "\texternal" } else { "" };
            writeln!(w, "{}\t{}\t{}{origin}", kind.count, kind.source, one_line(&kind.r#type))?;
        }
        Ok(())
    }
}
