//! `ic dispatch status`

use crate::app::dispatch::{DispatchAnswer, query};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::ids::DispatchId;

/// Show a dispatch
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch status w8d2f5gh --json")]
pub(in crate::cli) struct Status {
    /// The dispatch
    id: DispatchId,
}

impl Command for Status {
    type Answer = DispatchAnswer;
    // Every dispatch command also ends the processes of cancelled dispatches, and closes the records of lost
    // ones.
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<DispatchAnswer>, Error> {
        query::status(cx, &self.id)
    }
}
