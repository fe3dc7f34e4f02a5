//! `ic version`

use std::io::{self, Write};

use crate::app::version::{self, CommitSource, Versions};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Print the version of the program and of the local database
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic version --json")]
pub(in crate::cli) struct Version {}

impl Command for Version {
    type Answer = Versions;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<Versions>, Error> {
        Ok(version::version(cx))
    }
}

impl Text for Versions {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "ic {}", self.version)?;
        match self.source {
            CommitSource::Build => writeln!(w, "commit: {}", self.commit)?,
            CommitSource::Unknown => writeln!(w, "commit: {} (built without VCS info)", self.commit)?,
        }
        writeln!(w, "target: {}/{}", self.os, self.arch)?;
        match self.schema {
            Some(schema) => writeln!(w, "schema: v{schema} (local database)"),
            None => writeln!(w, "schema: unknown (no database)"),
        }
    }
}
