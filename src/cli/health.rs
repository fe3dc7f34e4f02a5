//! `ic health`

use std::io::{self, Write};

use serde::Serialize;

use super::error::CliError;
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::os::files;

/// Free space that a database needs beside it, in bytes: 10 MiB.
const NEEDED: u64 = 10 * 1024 * 1024;

/// Check that the database can be used
///
/// Cheap enough to run before every other command: opens the database, checks whose it is and its version, and asks for
/// the free space beside it.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic health && ic run current")]
pub(super) struct Health {}

impl Verb for Health {
    fn run(self, cx: &mut Cx) -> Result<Answer, CliError> {
        let path = cx.existing()?.path().to_owned();
        let dir = path.parent().unwrap_or(&path);
        let free = files::free_bytes(dir).map_err(|source| CliError::File {
            what: "asking for the free space of",
            path: dir.to_owned(),
            source,
        })?;
        if free < NEEDED {
            return Err(CliError::DiskNearlyFull(free, NEEDED));
        }
        cx.out.show(&Shown { status: "ok" })?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    status: &'static str,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}
