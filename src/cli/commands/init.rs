//! `ic init`

use std::io::{self, Write};

use crate::app::init::{self, InitializedDatabase};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};
use crate::domain::text::one_line;

/// Create the project's database, or migrate it
///
/// The database is `.clavain/intercore.db` in the working directory, unless one is found further up, or another place is
/// named by --db or the environment. A second call changes nothing. The database is added to what git ignores, by a
/// `.gitignore` beside it or by `info/exclude`; if git tracks the database already, a warning says so.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: cd my-project && ic init")]
pub(in crate::cli) struct Init {}

impl Command for Init {
    type Answer = InitializedDatabase;
    const ACCESS: Access = Access::Write;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<InitializedDatabase>, Error> {
        init::init(cx)
    }
}

impl Text for InitializedDatabase {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "initialized {} (schema v{})", one_line(&self.path), self.schema)
    }
}
