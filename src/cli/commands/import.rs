//! `ic import`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::import;
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Number of remarks that the text form shows; the JSON form has all of them.
const MAX_REMARKS: usize = 20;

/// Import a database of the Go program of the same name
///
/// Copies a database of the Go program (schema up to v39) into a new one: runs, skips, agents, artifacts, actions,
/// dispatches, locks, state, sentinels, cursors, and the whole history as one log. The import is one transaction: if it is
/// killed or fails, nothing has changed, and it can be called again. The old database is kept: under a new name if it was
/// in the place of the new one, else unchanged.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic import --from ../old/.clavain/intercore.db")]
pub(in crate::cli) struct Import {
    /// The database to copy, which is not changed [default: the one in the project's place]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Command for Import {
    type Answer = import::Import;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<import::Import>, Error> {
        import::import(cx, self.from.as_deref())
    }
}

impl Text for import::Import {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(
            w,
            "imported {} (Go program, schema v{}) into {}",
            one_line(&self.from),
            self.from_schema,
            one_line(&self.path)
        )?;
        writeln!(w, "{:<22} {:>9} {:>9}", "table", "read", "written")?;
        for count in self.report.tables.iter().filter(|count| count.read > 0) {
            let only = match count.only_in_log {
                0 => String::new(),
                only => format!("  ({only} only in the event log)"),
            };
            writeln!(w, "{:<22} {:>9} {:>9}{only}", one_line(&count.table), count.read, count.written)?;
        }
        writeln!(
            w,
            "events: {} of the history, {} for the rows",
            self.report.history, self.report.row_events
        )?;
        writeln!(w, "head: {}", self.head)?;
        for left in &self.report.left_behind {
            writeln!(w, "not imported: {}, rows: {}", one_line(&left.table), left.rows)?;
        }
        for remark in self.report.remarks.iter().take(MAX_REMARKS) {
            let place = [&remark.table, &remark.row, &remark.column].map(|part| one_line(part));
            let place =
                place.iter().filter(|part| !part.is_empty()).map(AsRef::as_ref).collect::<Vec<&str>>();
            writeln!(w, "remark: {}: {}", place.join(" "), one_line(&remark.said))?;
        }
        let more = self.report.remarks.len().saturating_sub(MAX_REMARKS);
        if more > 0 {
            writeln!(w, "remark: {more} more, see --json")?;
        }
        match &self.renamed_to {
            Some(kept) => writeln!(w, "the old database is kept as {}", one_line(kept)),
            None => Ok(()),
        }
    }
}
