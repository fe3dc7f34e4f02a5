//! `ic backup`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx, restore};
use crate::app::Error;
use crate::db::Draft;
use crate::domain::text::one_line;
use crate::os::paths;

/// Copy the database to a file
///
/// The copy is one consistent snapshot; nobody has to stop writing. It is checked, page by page and event by event, before
/// it gets its name, and a file that is there already is never overwritten. Keep the head that is printed: `ic events
/// verify --head` tells from it whether a log was cut or computed anew.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic backup ~/backups/ic-$(date +%F).db")]
pub(super) struct Backup {
    /// The file to make
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

impl Verb for Backup {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let to = paths::clean(&self.path, &cx.cwd()?);
        if to.symlink_metadata().is_ok() {
            return Err(crate::db::DbError::Exists(to).into());
        }
        let dir = to.parent().unwrap_or(Path::new("/"));
        let mut draft = Draft::of(cx.existing()?, dir)?;
        draft.db().check()?;
        let head = restore::verify(draft.db())?;
        let bytes = draft.publish(&to)?;
        cx.mark_committed();
        let shown = Shown { path: to.display().to_string(), bytes, events: head.id, head: head.to_string() };
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Shown {
    path: String,
    bytes: u64,
    events: i64,
    head: String,
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(w, "{}: {} events, head {}", one_line(&self.path), self.events, self.head)
    }
}
