//! `ic dispatch poll`

use crate::app::dispatch::{DispatchAnswer, query};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};
use crate::domain::ids::DispatchId;

/// Bring the record of a dispatch up to date and show it
///
/// Supervised dispatches keep their records up to date by themselves. For a child that was started elsewhere,
/// the counters are read and, once it is gone, the files that it left.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic dispatch poll w8d2f5gh --json")]
pub(in crate::cli) struct Poll {
    /// The dispatch
    id: DispatchId,
}

impl Command for Poll {
    type Answer = DispatchAnswer;
    const ACCESS: Access = Access::Process;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<DispatchAnswer>, Error> {
        query::poll(cx, &self.id)
    }
}
