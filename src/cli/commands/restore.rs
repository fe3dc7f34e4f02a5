//! `ic restore`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::restore::{self, RestoredDatabase};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Replace the database with a backup
///
/// A sound database is replaced in one transaction while other processes use it, and a backup of it is kept beside it. A
/// damaged one is replaced only while no other process uses it, and its file is kept. The log continues from the backup
/// with an event of source `log`; consumers that had read further get the error `cursor_ahead`.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic restore ~/backups/ic-2026-11-20.db")]
pub(in crate::cli) struct Restore {
    /// A file that `ic backup` made, or a backup that a migration kept; it is not changed
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

impl Command for Restore {
    type Answer = RestoredDatabase;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<RestoredDatabase>, Error> {
        restore::restore(cx, &self.from)
    }
}

impl Text for RestoredDatabase {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let (path, from) = (one_line(&self.path), one_line(&self.from));
        writeln!(w, "{path} restored from {from}: {} events, head {}", self.events, self.head)
    }
}
