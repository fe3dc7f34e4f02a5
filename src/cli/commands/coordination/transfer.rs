//! `ic coordination transfer`

use std::io::{self, Write};

use crate::app::coordination::release::{self, TransferAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};
use crate::domain::coordination::word;
use crate::domain::stored::Stored;
use crate::domain::text::one_line;

/// Hand every lock that an owner holds in a scope to another owner
///
/// Live locks move, with new tokens. Refused with exit code 1 if one of them overlaps a lock of the new owner, unless both are
/// shared; --force moves them all the same.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination transfer --from=me --to=you --scope=.")]
pub(in crate::cli) struct Transfer {
    /// The present owner
    #[arg(long, value_parser = word)]
    from: String,
    /// The new owner
    #[arg(long, value_parser = args::stored(word))]
    to: Stored,
    /// The scope
    #[arg(long, value_parser = word)]
    scope: String,
    /// Move locks that overlap, too
    #[arg(long)]
    force: bool,
}

impl Command for Transfer {
    type Answer = TransferAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<TransferAnswer>, Error> {
        release::transfer(cx, &self.from, &self.to, &self.scope, self.force)
    }
}

impl Text for TransferAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Transferred { transferred } => writeln!(w, "{transferred} transferred"),
            Self::Refused { .. } => Ok(()),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let Self::Refused { conflict } = self else { return Vec::new() };
        let (pattern, other) = (one_line(&conflict.pattern), one_line(&conflict.blocker_pattern));
        vec![format!("transfer conflict: {pattern} overlaps with existing lock {other}")]
    }
}
