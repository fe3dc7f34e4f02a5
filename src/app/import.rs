//! Imports a database of the Go program of the same name.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::git_exclude::exclude_from_git;
use super::locate;
use super::{CommandContext, Error, Reply};
use crate::db::{Db, DbError, GoDb, NewDb};
use crate::domain::time::compact_time;
use crate::ops;
use crate::os::paths;
use crate::store::event::Head;
use crate::store::import::Report;

/// An import that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Import {
    /// The imported database.
    pub from: String,
    /// The version of its schema.
    pub from_schema: i64,
    pub path: String,
    /// The file that keeps the imported database. Absent if it was not in the place of the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// The number and the hash of the last event.
    pub head: String,
    #[serde(flatten)]
    pub report: Report,
}

/// Imports the database in `from`; without one, the database that is in the project's place.
///
/// # Errors
/// [`Error::Ops`] if there is no such database, or the project has a database with content.
pub(crate) fn import(cx: &mut CommandContext, from: Option<&Path>) -> Result<Reply<Import>, Error> {
    let import = match from {
        Some(file) => from_file(file, cx)?,
        None => in_place(cx)?,
    };
    cx.mark_committed();
    Ok(Reply::yes(import))
}

/// Imports a file into the project's place, which has to be free.
fn from_file(file: &Path, cx: &mut CommandContext) -> Result<Import, Error> {
    let cwd = cx.cwd()?;
    let go = GoDb::open_apart(&paths::clean(file, &cwd), cx.options.timeout)?;
    let path = locate::for_init(cx)?;
    let mut db = match Db::open(&path, cx.options.timeout) {
        Err(DbError::Missing(_)) => {
            let mut new = NewDb::beside(&path)?;
            let (report, head) = fill(new.db(), &go, &path, cx)?;
            exclude_from_git(cx, &path);
            new.publish(&path, &go)?;
            return Ok(Import::new(&go, &path, None, report, &head));
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
    let (report, head) = fill(&mut db, &go, &path, cx)?;
    Ok(Import::new(&go, &path, None, report, &head))
}

/// Replaces the old database in the project's place with a new one.
fn in_place(cx: &mut CommandContext) -> Result<Import, Error> {
    let path = locate::locate(cx)?.path;
    let go = GoDb::open_in_place(&path, cx.options.timeout)?;
    let mut new = NewDb::beside(&path)?;
    let (report, head) = fill(new.db(), &go, &path, cx)?;
    exclude_from_git(cx, &path);
    let kept = new.replace(&go, &compact_time(cx.stamp.secs()))?;
    Ok(Import::new(&go, &path, Some(kept), report, &head))
}

/// Imports everything in one transaction.
fn fill(db: &mut Db, go: &GoDb, path: &Path, cx: &CommandContext) -> Result<(Report, Head), Error> {
    // A canonical path that is not UTF-8 cannot be a key: such a directory keeps the name that it has.
    let key = |dir: &str| {
        paths::canonical_key(Path::new(dir)).to_str().map_or_else(|| dir.to_owned(), ToOwned::to_owned)
    };
    Ok(db.write(|tx| ops::import::import(tx, go, path, &key, &cx.stamp))?)
}

impl Import {
    fn new(go: &GoDb, path: &Path, kept: Option<PathBuf>, report: Report, head: &Head) -> Self {
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
