//! `ic coordination explain`

use std::io::{self, Write};

use crate::app::coordination::query::{self, Overlap};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Check whether two patterns overlap, and where
///
/// Prints a path that both patterns cover. Exit code 1 if there is none.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic coordination explain 'src/**' '**/*.rs'")]
pub(in crate::cli) struct Explain {
    /// A pattern
    a: String,
    /// Another pattern
    b: String,
}

impl Command for Explain {
    type Answer = Overlap;
    const ACCESS: Access = Access::Read;

    fn run(self, _: &mut CommandContext) -> Result<Reply<Overlap>, Error> {
        query::explain(&self.a, &self.b)
    }
}

impl Text for Overlap {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.witness {
            Some(path) => writeln!(w, "overlap: {}", one_line(path)),
            None => writeln!(w, "no overlap"),
        }
    }
}
