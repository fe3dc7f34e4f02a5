//! `ic state prune`

use std::io::{self, Write};

use crate::app::state::{self, Pruned};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Delete the values that have expired
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic state prune")]
pub(in crate::cli) struct Prune {}

impl Command for Prune {
    type Answer = Pruned;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Pruned>, Error> {
        state::prune(cx)
    }
}

impl Text for Pruned {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} pruned", self.pruned)
    }
}
