//! `ic init`

use std::io::{self, Write};

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::app::git_exclude::{Effort, warn_if_tracked};
use crate::app::locate;
use crate::db::{Prepared, newest};
use crate::domain::text::one_line;

/// Create the project's database, or migrate it
///
/// The database is `.clavain/intercore.db` in the working directory, unless one is found further up, or another place is
/// named by --db or the environment. Running it again changes nothing. Git is told to ignore the database, by a `.gitignore`
/// beside it or by `info/exclude`; a database that git tracks already is warned of.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: cd my-project && ic init")]
pub(super) struct Init {}

impl Verb for Init {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let path = locate::for_init(cx)?;
        let done = cx.prepare(&path)?;
        if done != Prepared::Current {
            cx.mark_committed();
        }
        warn_if_tracked(cx, &path, Effort::All);
        let (status, backup) = match done {
            Prepared::Created => ("created", None),
            Prepared::Current => ("current", None),
            Prepared::Migrated { from, backup } => {
                cx.out.info(format_args!("migrated from schema v{from}, backup in {}", backup.display()));
                ("migrated", Some(backup.display().to_string()))
            }
        };
        cx.out.show(&Shown { path: path.display().to_string(), schema: newest(), status, backup })?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    path: String,
    schema: i64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<String>,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "initialized {} (schema v{})", one_line(&self.path), self.schema)
    }
}
