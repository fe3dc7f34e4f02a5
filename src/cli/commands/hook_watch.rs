//! The hidden command `ic hook-watch`, which runs beside the command that changed a phase.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::hook::watch::{self, HookEnd};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Run a project's hook, fed from stdin, and end it when its time is over
#[derive(Debug, clap::Parser)]
pub(in crate::cli) struct HookWatch {
    hook: PathBuf,
    project: PathBuf,
}

impl Command for HookWatch {
    type Answer = HookEnd;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<HookEnd>, Error> {
        watch::watch(cx, &self.hook, &self.project)
    }
}

impl Text for HookEnd {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
