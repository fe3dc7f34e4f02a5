//! `ic import`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output::View;
use super::verb::Verb;
use super::{Answer, Cx};
use crate::app::Error;
use crate::app::git_exclude::exclude_from_git;
use crate::app::locate;
use crate::db::{Db, DbError, GoDb, NewDb};
use crate::domain::text::one_line;
use crate::domain::time::compact_time;
use crate::ops;
use crate::os::paths;
use crate::store::event::Head;
use crate::store::import::Report;

/// How many remarks are shown to people; all of them with --json.
const SHOWN: usize = 20;

/// Move in from the Go program of the same name
///
/// Copies a database of the Go program (schema up to v39) into a new one: runs, skips, agents, artifacts, actions,
/// dispatches, locks, state, sentinels, cursors, and everything that happened as one log. All of it or nothing: killed or
/// failed, it has changed nothing and can be called again. The old database is kept: under a new name if it stood where the
/// new one goes, else as it is.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic import --from ../old/.clavain/intercore.db")]
pub(super) struct Import {
    /// The database to copy, which is not touched; without it, the one that stands in the project's place
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Verb for Import {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let shown = match &self.from {
            Some(file) => apart(file, cx)?,
            None => in_place(cx)?,
        };
        cx.mark_committed();
        cx.out.show(&shown)?;
        Ok(Answer::Yes)
    }
}

/// From a file of the caller's into the project's place, which has to be free.
fn apart(file: &Path, cx: &mut Cx) -> Result<Shown, Error> {
    let cwd = cx.cwd()?;
    let go = GoDb::open_apart(&paths::clean(file, &cwd), cx.options.timeout)?;
    let path = locate::for_init(cx)?;
    let mut db = match Db::open(&path, cx.options.timeout) {
        Err(DbError::Missing(_)) => {
            let mut new = NewDb::beside(&path)?;
            let done = fill(new.db(), &go, &path, cx)?;
            exclude_from_git(cx, &path);
            new.publish(&path, &go)?;
            return Ok(Shown::new(&go, &path, None, done));
        }
        Err(DbError::NotInitialised(_)) => {
            cx.prepare(&path)?;
            Db::open(&path, cx.options.timeout)?
        }
        Ok(db) if db.is_older() => {
            cx.prepare(&path)?;
            Db::open(&path, cx.options.timeout)?
        }
        opened => opened?,
    };
    let done = fill(&mut db, &go, &path, cx)?;
    Ok(Shown::new(&go, &path, None, done))
}

/// From the old database in the project's place into a new one in the same.
fn in_place(cx: &mut Cx) -> Result<Shown, Error> {
    let path = locate::locate(cx)?.path;
    let go = GoDb::open_in_place(&path, cx.options.timeout)?;
    let mut new = NewDb::beside(&path)?;
    let done = fill(new.db(), &go, &path, cx)?;
    exclude_from_git(cx, &path);
    let kept = new.replace(&go, &compact_time(cx.stamp.secs()))?;
    Ok(Shown::new(&go, &path, Some(&kept), done))
}

/// Imports everything in one transaction.
fn fill(db: &mut Db, go: &GoDb, path: &Path, cx: &Cx) -> Result<(Report, Head), Error> {
    // A directory that is not text has a key that is not: then the directory is its own.
    let key = |dir: &str| {
        paths::canonical_key(Path::new(dir)).to_str().map_or_else(|| dir.to_owned(), ToOwned::to_owned)
    };
    Ok(db.write(|tx| ops::import::import(tx, go, path, &key, &cx.stamp))?)
}

#[derive(Serialize)]
struct Shown {
    from: String,
    from_schema: i64,
    path: String,
    /// Where the old database is kept, if it had to make room.
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_to: Option<String>,
    head: String,
    #[serde(flatten)]
    report: Report,
}

impl Shown {
    fn new(go: &GoDb, path: &Path, kept: Option<&Path>, (report, head): (Report, Head)) -> Self {
        Self {
            from: go.path().display().to_string(),
            from_schema: go.version(),
            path: path.display().to_string(),
            renamed_to: kept.map(|kept| kept.display().to_string()),
            head: head.to_string(),
            report,
        }
    }
}

impl View for Shown {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        writeln!(
            w,
            "imported {} (Go program, schema v{}) into {}",
            one_line(&self.from),
            self.from_schema,
            one_line(&self.path)
        )?;
        writeln!(w, "{:<22} {:>9} {:>9}", "table", "read", "written")?;
        for count in self.report.tables.iter().filter(|count| count.read > 0) {
            let only = match count.only_in_log {
                0 => String::new(),
                only => format!("  ({only} only in the event log)"),
            };
            writeln!(w, "{:<22} {:>9} {:>9}{only}", one_line(&count.table), count.read, count.written)?;
        }
        writeln!(
            w,
            "events: {} of the history, {} for the rows",
            self.report.history, self.report.row_events
        )?;
        writeln!(w, "head: {}", self.head)?;
        for left in &self.report.left_behind {
            writeln!(w, "not imported: {}, rows: {}", one_line(&left.table), left.rows)?;
        }
        for remark in self.report.remarks.iter().take(SHOWN) {
            let place = [&remark.table, &remark.row, &remark.column].map(|part| one_line(part));
            let place =
                place.iter().filter(|part| !part.is_empty()).map(AsRef::as_ref).collect::<Vec<&str>>();
            writeln!(w, "remark: {}: {}", place.join(" "), one_line(&remark.said))?;
        }
        let more = self.report.remarks.len().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(w, "remark: {more} more, see --json")?;
        }
        match &self.renamed_to {
            Some(kept) => writeln!(w, "the old database is kept as {}", one_line(kept)),
            None => Ok(()),
        }
    }
}
