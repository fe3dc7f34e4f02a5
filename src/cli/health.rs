//! `ic health`

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, restore};
use crate::app::Error;
use crate::app::coordination::Surroundings;
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::db::newest;
use crate::domain::text::one_line;
use crate::ops::coordination;
use crate::os::files;
use crate::store::event::Head;

/// Free space that a database needs beside it, in bytes: 10 MiB.
const NEEDED: u64 = 10 * 1024 * 1024;

/// Check that the database can be used
///
/// Cheap enough to run before every other command: opens the database, checks whose it is and its version, and asks for
/// the free space beside it. With --deep it reads all of it: every page, index and reference, the schema, the hash chain of
/// the log, and who may read the files. It then also names the locks that cannot be understood.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic health && ic run current\n         ic health --deep")]
pub(super) struct Health {
    /// Read everything, which takes its time
    #[arg(long)]
    deep: bool,
}

impl Verb for Health {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let path = cx.existing()?.path().to_owned();
        let dir = path.parent().unwrap_or(&path);
        let free = files::free_bytes(dir).map_err(|source| Error::File {
            what: "asking for the free space of",
            path: dir.to_owned(),
            source,
        })?;
        if free < NEEDED {
            return Err(Error::DiskNearlyFull(free, NEEDED));
        }
        // What needs the schema costs six times as much as all of the above.
        let head = if self.deep { Some(deep(cx, &path)?.to_string()) } else { None };
        let unreadable_locks = if self.deep { odd(cx)? } else { Vec::new() };
        warn_if_tracked(cx, &path, if self.deep { Effort::All } else { Effort::Some });
        let schema = cx.existing()?.schema();
        let older = (schema < newest()).then(|| Older { schema, migrates_to: newest() });
        cx.out.show(&Shown { status: "ok", older, head, unreadable_locks })?;
        Ok(Answer::Yes)
    }
}

/// Names the locks that cannot be understood, of which another program may have written any.
fn odd(cx: &mut Cx) -> Result<Vec<String>, Error> {
    let named = std::env::var_os("INTERMUTE_DB").is_some();
    let around = match named.then(|| Surroundings::with_foreign_locks(cx)).transpose() {
        Ok(around) => around,
        // This database can be used all the same.
        Err(err) => {
            cx.out.warn(format_args!("INTERMUTE_DB: {}", one_line(&err.to_string())));
            None
        }
    };
    let locks = match around {
        Some(around) => around.with(|outside| cx.read(|tx| coordination::odd(tx, outside.theirs)))?,
        None => cx.read(|tx| coordination::odd(tx, &[]))?,
    };
    for lock in &locks {
        let columns: Vec<_> = lock.unreadable.iter().map(|one| one.column).collect();
        let (id, columns) = (one_line(&lock.id), columns.join(", "));
        cx.out.warn(format_args!(
            "lock {id} cannot be understood ({columns}) and holds all that it may mean; \
             `ic coordination release '{id}'` ends it"
        ));
    }
    Ok(locks.into_iter().map(|lock| lock.id).collect())
}

fn deep(cx: &mut Cx, path: &Path) -> Result<Head, Error> {
    for open in files::open_to_others(path).map_err(|source| Error::File {
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
    #[serde(flatten)]
    older: Option<Older>,
    /// The end of the log, after a deep check.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// Locks that cannot be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable_locks: Vec<String>,
}

/// The version of a database that lacks additive migrations.
#[derive(Serialize)]
struct Older {
    schema: i64,
    /// The version that the next command that writes brings it to.
    migrates_to: i64,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        match &self.older {
            None => writeln!(w, "{}", self.status),
            Some(Older { schema, migrates_to }) => writeln!(
                w,
                "{} (schema v{schema}: the next command that writes migrates it to v{migrates_to})",
                self.status
            ),
        }
    }
}
