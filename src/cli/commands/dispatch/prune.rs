//! `ic dispatch prune`

use std::io::{self, Write};

use crate::app::dispatch::prune::{self, Pruned};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args;
use crate::cli::command::{Access, Command, Text};

/// Remove the records of dispatches that are over
///
/// The output of their children is removed too. Their events stay.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch prune --older-than=30d")]
pub(in crate::cli) struct Prune {
    /// Only dispatches that were recorded longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = args::seconds)]
    older_than: i64,
}

impl Command for Prune {
    type Answer = Pruned;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Pruned>, Error> {
        prune::prune(cx, self.older_than)
    }
}

impl Text for Pruned {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} pruned", self.pruned)
    }
}
