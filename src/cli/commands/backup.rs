//! `ic backup`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::backup;
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Copy the database to a file
///
/// The copy is one consistent snapshot, and other processes may write meanwhile. It is checked, page by page and event by
/// event, before it gets its name, and an existing file is never overwritten. Keep the head that is printed: `ic events
/// verify --head` uses it to tell whether a log was cut or computed anew.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic backup ~/backups/ic-$(date +%F).db")]
pub(in crate::cli) struct Backup {
    /// The file to create
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

impl Command for Backup {
    type Answer = backup::Backup;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<backup::Backup>, Error> {
        backup::backup(cx, &self.path)
    }
}

impl Text for backup::Backup {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}: {} events, head {}", one_line(&self.path), self.events, self.head)
    }
}
