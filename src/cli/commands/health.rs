//! `ic health`

use std::io::{self, Write};

use crate::app::health::{self, DatabaseHealth, HealthStatus};
use crate::app::{CommandContext, Error, Reply};
use crate::cli::command::{Access, Command, Text};

/// Check that the database can be used
///
/// Cheap enough to run before every other command: opens the database, checks which program made it and its version, and
/// checks the free space beside it. With --deep, reads all of it: every page, index and reference, the schema, the hash
/// chain of the log, and the modes of the files. It then also names the locks that cannot be understood.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic health && ic run current\n         ic health --deep")]
pub(in crate::cli) struct Health {
    /// Read everything, which may take a while
    #[arg(long)]
    deep: bool,
}

impl Command for Health {
    type Answer = DatabaseHealth;
    const ACCESS: Access = Access::Read;

    fn run(self, cx: &mut CommandContext) -> Result<Reply<DatabaseHealth>, Error> {
        health::health(cx, self.deep)
    }
}

impl Text for DatabaseHealth {
    fn text(&self, w: &mut dyn Write) -> io::Result<()> {
        let HealthStatus::Ok = self.status;
        match (self.schema, self.migrates_to) {
            (Some(schema), Some(newest)) => {
                writeln!(w, "ok (schema v{schema}: the next command that writes migrates it to v{newest})")
            }
            _ => writeln!(w, "ok"),
        }
    }
}
