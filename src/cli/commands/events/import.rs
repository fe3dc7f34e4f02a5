//! `ic events import`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::events::import::{self, LogImported};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Import an exported log
///
/// The log only: the runs and other records that it describes are not created (`ic restore` brings a whole
/// database back). The log here has to be the beginning of the imported one. Imports all of it or, if it
/// does not verify, nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: INTERCORE_DB=/tmp/audit/.clavain/intercore.db ic events import log.jsonl")]
pub(in crate::cli) struct Import {
    /// A file that `ic events export` wrote, or - for stdin
    file: PathBuf,
}

impl Command for Import {
    type Answer = LogImported;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<LogImported>, Error> {
        import::import(cx, &self.file, &mut io::stdin().lock())
    }
}

impl Text for LogImported {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{} events imported of {}, head {}", self.new, self.events, self.head)
    }
}
