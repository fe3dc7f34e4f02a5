//! Copies the database to a file.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::{CommandContext, Error, Reply, restore};
use crate::db::{DbError, Draft};
use crate::os::paths;

/// A backup that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Backup {
    pub path: String,
    /// The size of the file.
    pub bytes: u64,
    /// The number of the last event, 0 if there is none.
    pub events: i64,
    /// The number and the hash of the last event.
    pub head: String,
}

/// Copies the database to a new file, which is checked before it gets its name.
///
/// # Errors
/// [`Error::Ops`] if the file exists, the database is damaged, or the copy cannot be written.
pub(crate) fn backup(cx: &mut CommandContext, file: &Path) -> Result<Reply<Backup>, Error> {
    let to = paths::clean(file, &cx.cwd()?);
    if to.symlink_metadata().is_ok() {
        return Err(DbError::Exists(to).into());
    }
    let dir = to.parent().unwrap_or(Path::new("/"));
    let mut draft = Draft::of(cx.existing()?, dir)?;
    draft.db().check()?;
    let head = restore::verify_log(draft.db())?;
    let bytes = draft.publish(&to)?;
    cx.mark_committed();
    let (path, events, head) = (to.display().to_string(), head.id, head.to_string());
    Ok(Reply::yes(Backup { path, bytes, events, head }))
}
