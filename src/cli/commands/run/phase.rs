//! `ic run phase`, `ic phase show`

use std::io::{self, Write};

use crate::app::run::phase::{self, CurrentPhase};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};

/// Print the phase that a run is in
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: phase=$(ic run phase \"$run\")")]
pub(in crate::cli) struct ShowPhase {
    #[command(flatten)]
    run: RunRef,
}

impl Command for ShowPhase {
    type Answer = CurrentPhase;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CurrentPhase>, Error> {
        phase::phase(cx, self.run.into())
    }
}

impl Text for CurrentPhase {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.phase)
    }
}
