//! `ic interspect import`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::interspect::import::{self, ImportAnswer};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Import the evidence of an interspect.db
///
/// Every row becomes a recorded event, as if `ic interspect record` had been called for it, with the time at
/// which it was noticed. Rows that were imported before are left out, so the command can be repeated. The
/// file is not changed.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic interspect import --from=.clavain/interspect/interspect.db")]
pub(in crate::cli) struct Import {
    /// The file [default: .clavain/interspect/interspect.db of the repository]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Command for Import {
    type Answer = ImportAnswer;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<ImportAnswer>, Error> {
        import::import(cx, self.from)
    }
}

impl Text for ImportAnswer {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let Self { read, written, known, left_out } = self;
        writeln!(w, "{read} rows: {written} recorded, {known} known already, {left_out} left out")
    }
}
