//! `ic health`

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::error::CliError;
use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, restore};
use crate::os::files;
use crate::store::event::Head;

/// Free space that a database needs beside it, in bytes: 10 MiB.
const NEEDED: u64 = 10 * 1024 * 1024;

/// Check that the database can be used
///
/// Cheap enough to run before every other command: opens the database, checks whose it is and its version, and asks for
/// the free space beside it. With --deep it reads all of it: every page, index and reference, the schema, the hash chain of
/// the log, and who may read the files.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic health && ic run current\n         ic health --deep")]
pub(super) struct Health {
    /// Read everything, which takes its time
    #[arg(long)]
    deep: bool,
}

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
        let head = if self.deep { Some(deep(cx, &path)?.to_string()) } else { None };
        cx.out.show(&Shown { status: "ok", head })?;
        Ok(Answer::Yes)
    }
}

fn deep(cx: &mut Cx, path: &Path) -> Result<Head, CliError> {
    for open in files::open_to_others(path).map_err(|source| CliError::File {
        what: "looking at",
        path: path.to_owned(),
        source,
    })? {
        cx.out.warn(format_args!("{} is open to other users (mode {:04o})", open.0.display(), open.1));
    }
    let db = cx.existing()?;
    db.check()?;
    restore::verify(db)
}

#[derive(Serialize)]
struct Shown {
    status: &'static str,
    /// The end of the log, after a deep check.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}", self.status)
    }
}
