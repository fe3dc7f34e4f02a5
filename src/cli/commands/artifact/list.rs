//! `ic artifact list`

use std::io::{self, Write};

use crate::app::artifact::{self, Artifacts};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::args::RunRef;
use crate::cli::command::{Access, Command, Text};

/// List the artifacts of a run, in the order in which they were added
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic artifact list k3x9q2ab --phase=planned")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    run: RunRef,
    /// Only artifacts of this phase
    #[arg(long)]
    phase: Option<String>,
}

impl Command for List {
    type Answer = Artifacts;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Artifacts>, Error> {
        artifact::list(cx, self.run.into(), self.phase.as_deref())
    }
}

impl Text for Artifacts {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|artifact| artifact.text(w))
    }
}
