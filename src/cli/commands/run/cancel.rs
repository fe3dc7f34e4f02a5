//! `ic run cancel`

use std::io::{self, Write};

use crate::app::run::cancel::{self, CancelAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::RunId;

/// Cancel a run with its dispatches and agents
///
/// Live dispatches are cancelled and their processes asked to end; active agents are marked failed. The
/// active children of a portfolio are cancelled with it. A cancelled run stays cancelled.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic run cancel \"$run\"")]
pub(in crate::cli) struct Cancel {
    /// The run
    id: RunId,
    /// Leave the processes of cancelled dispatches alone
    #[arg(long)]
    no_signal: bool,
}

impl Command for Cancel {
    type Answer = CancelAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CancelAnswer>, Error> {
        cancel::cancel(cx, self.id, !self.no_signal)
    }
}

impl Text for CancelAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.children {
            Some(children) => writeln!(w, "cancelled (portfolio + {} children)", children.len()),
            None => writeln!(w, "cancelled"),
        }
    }
}
