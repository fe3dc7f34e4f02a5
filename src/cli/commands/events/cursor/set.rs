//! `ic events cursor set`

use super::NewCursorArgs;
use crate::app::events::cursor::{self, CursorStatus};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Set the position of a consumer
///
/// With `ic events tail --ack` this is what moves the cursor: pass the number of the last event that was
/// handled. Going back needs --force.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor set dashboard 120")]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    cursor: NewCursorArgs,
    /// Number of the last event that the consumer has seen
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    position: i64,
    /// Also go back
    #[arg(long)]
    force: bool,
}

impl Command for Set {
    type Answer = CursorStatus;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CursorStatus>, Error> {
        cursor::set(cx, self.cursor.into(), self.position, self.force)
    }
}
