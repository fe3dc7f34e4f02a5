//! `ic dispatch guard`, which a supervisor starts

use std::io::{self, Write};

use crate::app::dispatch::guard::{self, GuardAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::ids::DispatchId;

/// End what is left of a dispatch when its supervisor is killed
#[derive(Debug, clap::Parser)]
pub(in crate::cli) struct Guard {
    id: DispatchId,
}

impl Command for Guard {
    type Answer = GuardAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<GuardAnswer>, Error> {
        guard::guard(cx, self.id, &mut io::stdin().lock())
    }
}

impl Text for GuardAnswer {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
