//! `ic compat status`

use std::io::{self, Write};

use crate::app::compat::{self, KeyStatuses};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Show which files of older hooks still exist, and which of their keys the database has
///
/// The last column is n/a if there is no database.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic compat status")]
pub(in crate::cli) struct Status {}

impl Command for Status {
    type Answer = KeyStatuses;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<KeyStatuses>, Error> {
        compat::status(cx)
    }
}

impl Text for KeyStatuses {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let word = |yes| if yes { "yes" } else { "no" };
        writeln!(w, "KEY\t\t\tLEGACY\tDB")?;
        self.0.iter().try_for_each(|row| {
            writeln!(w, "{:<20}\t{}\t{}", row.key, word(row.legacy), row.db.map_or("n/a", word))
        })
    }
}
