//! `ic events cursor get`

use super::CursorArgs;
use crate::app::events::cursor::{self, CursorStatus};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command};

/// Print the position of a consumer
///
/// The number of the last event that it has seen. Exit code 1 if the consumer is not known, or its cursor
/// has expired or is ahead of the log.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events tail --all --since=\"$(ic events cursor get dashboard)\"")]
pub(in crate::cli) struct Get {
    #[command(flatten)]
    cursor: CursorArgs,
}

impl Command for Get {
    type Answer = CursorStatus;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CursorStatus>, Error> {
        cursor::get(cx, self.cursor.into())
    }
}
