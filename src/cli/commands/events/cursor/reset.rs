//! `ic events cursor reset`

use std::io::{self, Write};

use super::CursorArgs;
use crate::app::events::cursor::{self, CursorReset};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Remove the cursor of a consumer
///
/// The consumer starts again before the first event. The cursor of one run's events is named CONSUMER:RUN,
/// or with --run.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic events cursor reset dashboard")]
pub(in crate::cli) struct Reset {
    #[command(flatten)]
    cursor: CursorArgs,
}

impl Command for Reset {
    type Answer = CursorReset;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<CursorReset>, Error> {
        cursor::reset(cx, self.cursor.into())
    }
}

impl Text for CursorReset {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", if self.reset { "reset" } else { "not found" })
    }
}
