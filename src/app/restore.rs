//! Replaces the database with a backup.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::git_exclude::exclude_from_git;
use super::locate;
use super::{CommandContext, Error, Reply};
use crate::db::{self, Db, DbError, Draft, Replaced};
use crate::domain::secret::redact;
use crate::domain::time;
use crate::ops::restore;
use crate::os::paths;
use crate::store::event::Head;
use crate::store::{self, StoreError};

/// A database that was restored.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RestoredDatabase {
    pub path: String,
    /// The backup.
    pub from: String,
    /// The number of the last event.
    pub events: i64,
    /// The number and the hash of the last event.
    pub head: String,
    /// The file that keeps the previous database. Null if there was none.
    pub kept: Option<String>,
}

/// Replaces the project's database with a backup.
///
/// # Errors
/// [`Error::Ops`] if the backup is damaged or no database of this program, or if other processes use a damaged database.
pub(crate) fn restore(cx: &mut CommandContext, file: &Path) -> Result<Reply<RestoredDatabase>, Error> {
    let path = locate::for_init(cx)?;
    let from = paths::clean(file, &cx.cwd()?);
    if paths::canonical_key(&from) == paths::canonical_key(&path) {
        return Err(Error::usage(format!("{} is the database itself", from.display())));
    }
    let unusable = |source| DbError::Unusable { path: from.clone(), source: Box::new(source) };
    let mut draft = Draft::of_file(&from, &path, cx.options.timeout)?;
    draft.db().check().map_err(unusable)?;
    verify_log(draft.db()).map_err(|err| unusable(DbError::Corrupt(err.to_string())))?;
    if path.try_exists().is_ok_and(|exists| !exists) {
        exclude_from_git(cx, &path);
    }
    let label = time::compact_time(cx.stamp.secs());
    // The log records where the backup was, but no secret.
    let source = redact(&from.display().to_string()).into_owned();
    let seal = |draft: &mut Db, old: Option<&db::ReadTx<'_>>, replaced: &Replaced| {
        // Sound pages may hold a damaged schema. Then nothing can be carried over, which is no reason to refuse the
        // backup.
        let old = old.map_or_else(restore::Old::default, |old| {
            restore::read_old(old).unwrap_or_else(|err| {
                cx.remark(format_args!("the cursors of the previous database cannot be read: {err}"));
                restore::Old::default()
            })
        });
        let kept = kept_file(replaced);
        draft.write(|tx| restore::seal(tx, &old, &source, kept.as_deref(), &cx.stamp))
    };
    let (head, replaced) = db::restore(draft, &path, cx.options.timeout, &label, seal)?;
    cx.mark_committed();
    // Until now the file at this path may have been another program's.
    exclude_from_git(cx, &path);
    if let Replaced::Damaged(_, why) = &replaced {
        cx.remark(format_args!("the previous database was damaged: {why}"));
    }
    let kept = kept_file(&replaced);
    if let Some(kept) = &kept {
        cx.remark(format_args!("the previous database is kept in {kept}"));
    }
    Ok(Reply::yes(RestoredDatabase {
        path: path.display().to_string(),
        from: from.display().to_string(),
        events: head.id,
        head: head.to_string(),
        kept,
    }))
}

/// Returns the file that keeps the previous database.
fn kept_file(replaced: &Replaced) -> Option<String> {
    match replaced {
        Replaced::Nothing => None,
        Replaced::Sound(file) | Replaced::Damaged(file, _) => Some(file.display().to_string()),
    }
}

/// Verifies the whole hash chain, and returns its head.
///
/// # Errors
/// [`Error::Ops`] if the chain is broken.
pub(super) fn verify_log(db: &Db) -> Result<Head, Error> {
    let verdict = db.read(store::event::verify)?;
    Ok(verdict.map_err(StoreError::ChainBroken)?)
}
