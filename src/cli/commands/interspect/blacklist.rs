//! `ic interspect blacklist`

use std::io::{self, Write};

use crate::app::interspect::blacklist::{self, BlacklistAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::interspect::modification::BlacklistEntry;
use crate::domain::stored::Stored;
use crate::domain::text::{Required, one_line};

/// List the blacklist, or put a pattern on it
///
/// A pattern, usually an agent, that is on the blacklist cannot be proposed or applied.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect blacklist fd-safety --reason='we need it'")]
pub(in crate::cli) struct Blacklist {
    /// An agent, or any other name of a pattern
    #[arg(value_name = "PATTERN")]
    pattern: Option<Stored<Required>>,
    /// The reason, free text
    #[arg(long, value_name = "TEXT", requires = "pattern")]
    reason: Option<Stored<Required>>,
}

impl Command for Blacklist {
    type Answer = BlacklistAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<BlacklistAnswer>, Error> {
        match &self.pattern {
            None => blacklist::list(cx),
            Some(pattern) => {
                let reason = self.reason.as_ref().map(|reason| reason.as_str());
                blacklist::add(cx, pattern.as_str(), reason)
            }
        }
    }
}

impl Text for BlacklistAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Entries(entries) => entries.iter().try_for_each(|entry| {
                let BlacklistEntry { pattern_key, reason, .. } = entry;
                writeln!(w, "{}\t{}", one_line(pattern_key), one_line(reason))
            }),
            Self::Change(change) => change.text(w),
        }
    }
}
