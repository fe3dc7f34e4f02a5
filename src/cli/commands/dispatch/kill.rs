//! `ic dispatch kill`

use std::io::{self, Write};

use crate::app::dispatch::kill::{self, Killed};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::DispatchId;

/// End a dispatch, with all processes that its child started
///
/// The process group gets SIGTERM and five seconds later SIGKILL, and so do the processes that have left it.
/// A process is identified by its start time: another process that has its pid now is not signalled.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch kill w8d2f5gh")]
pub(in crate::cli) struct Kill {
    /// The dispatch
    id: DispatchId,
}

impl Command for Kill {
    type Answer = Killed;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Killed>, Error> {
        kill::kill(cx, self.id)
    }
}

impl Text for Killed {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "killed")
    }
}
