//! The replacement of several files that change together or not at all.
//!
//! Outside the write transaction: the intent, the new contents beside the files, and all waiting. Inside it,
//! once: the check that the files are still what was read, the renames, and the verification of the result.
//! No lock is held on any of the files. The write lock of the database keeps their writers apart for these
//! few milliseconds, and is released when its process dies.

use std::path::{Path, PathBuf};

use super::files::{FilePath, TaskDirectory, TaskTexts};
use super::intent::{IntentDetail, KIND};
use super::probe;
use crate::app::{CommandContext, Error};
use crate::db::{DbError, WriteTx};
use crate::domain::process::ProcessKey;
use crate::domain::task::change::Change;
use crate::ops::OpsError;
use crate::os::{atomic, files, process};
use crate::store::StoreError;
use crate::store::intent::{self, Intent};

/// A file with its content before and after.
#[derive(Clone, Debug)]
pub(super) struct FileChange {
    pub file: FilePath,
    pub old: String,
    pub new: String,
}

/// Why the files were not changed.
pub(super) enum RewriteError {
    /// A file could not be written, and the files before it have their old contents again. A retry may
    /// succeed.
    Write(String),
    /// A file could not be written, and the files before it could not be restored: the next attempt or the
    /// next call has to finish the change.
    Split(String),
    /// The database failed, or something else that is not retried.
    Other(Error),
}

impl From<Error> for RewriteError {
    fn from(err: Error) -> Self {
        Self::Other(err)
    }
}

impl From<DbError> for RewriteError {
    fn from(err: DbError) -> Self {
        Self::Other(err.into())
    }
}

impl From<StoreError> for RewriteError {
    fn from(err: StoreError) -> Self {
        Self::Other(err.into())
    }
}

impl From<OpsError> for RewriteError {
    fn from(err: OpsError) -> Self {
        Self::Other(err.into())
    }
}

/// Returns the files that a change modifies, in the order in which they are replaced.
pub(super) fn file_changes(
    directory: &TaskDirectory,
    plan: Option<&FilePath>,
    texts: &TaskTexts,
    change: &Change,
) -> Vec<FileChange> {
    let mut out = Vec::new();
    let mut add = |file: FilePath, old: &str, new: &str| {
        if old != new {
            out.push(FileChange { file, old: old.to_owned(), new: new.to_owned() });
        }
    };
    add(directory.state(), &texts.state, &change.state);
    add(directory.todo(), &texts.todo, &change.todo);
    if let (Some(file), Some(old), Some(new)) = (plan, &texts.plan, &change.plan) {
        add(file.clone(), old, new);
    }
    out
}

/// A change that is under way, with its recorded intent.
pub(super) struct Rewrite {
    intent: Intent,
}

impl Rewrite {
    /// Records the intent of a change.
    pub(super) fn begin(
        cx: &mut CommandContext,
        directory: &TaskDirectory,
        detail: &IntentDetail,
    ) -> Result<Self, Error> {
        let process = process::myself().map_err(|err| Error::Unexpected(err.into()))?;
        let (resource, stamp) = (directory.resource(), cx.stamp.clone());
        let (detail, process) = (detail.to_json(), ProcessKey::from(process));
        let intent = cx.write(|tx| intent::begin(tx, KIND, &resource, &detail, &process, &stamp))?;
        Ok(Self { intent })
    }

    /// Continues the change of another process.
    pub(super) fn of(intent: Intent) -> Self {
        Self { intent }
    }

    /// Records a new detail, because the files changed since the last one.
    pub(super) fn update(&self, cx: &mut CommandContext, detail: &IntentDetail) -> Result<(), Error> {
        let detail = detail.to_json();
        cx.write(|tx| intent::update(tx, &self.intent.id, &detail))?;
        Ok(())
    }

    pub(super) fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Removes the intent, in the transaction that records the outcome.
    pub(super) fn settle(&self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        intent::settle(tx, &self.intent.id)?;
        Ok(())
    }

    /// Gives the change up: no file was changed. The temporary files go first, because the intent holds their
    /// names.
    pub(super) fn abandon(self, cx: &mut CommandContext, files: &[FileChange]) -> Result<(), Error> {
        self.discard(files);
        cx.write(|tx| intent::settle(tx, &self.intent.id))?;
        Ok(())
    }

    /// Removes the temporary files.
    pub(super) fn discard(&self, files: &[FileChange]) {
        for change in files {
            let _ = atomic::discard(&self.temp(&change.file.path)); // the next call removes what is left
        }
    }

    /// Writes the new contents beside the files.
    pub(super) fn prepare(&self, files: &[FileChange]) -> Result<(), String> {
        for FileChange { file, new, .. } in files {
            let written = probe::pass("temp")
                .and_then(|()| atomic::prepare(&self.temp(&file.path), new.as_bytes(), &file.path));
            if let Err(err) = written {
                self.discard(files);
                return Err(format!("{} could not be written: {err}", file.name));
            }
        }
        Ok(())
    }

    /// Replaces the files by their new contents. If one of them cannot be replaced, those before it are
    /// restored, unless another program has changed them since. `renamed` counts the files that have their
    /// new contents.
    pub(super) fn rename(&self, files: &[FileChange], renamed: &mut usize) -> Result<(), RewriteError> {
        for FileChange { file, .. } in files {
            let done = probe::pass("rename")
                .and_then(|()| atomic::replace(&self.temp(&file.path), &file.path))
                .map_err(|err| format!("{} could not be replaced: {err}", file.name));
            if let Err(message) = done {
                let restored = self.restore(&files[..*renamed]);
                *renamed = 0;
                self.discard(files);
                return Err(match restored {
                    Ok(()) => RewriteError::Write(message),
                    Err(err) => RewriteError::Split(format!("{message}; {err}")),
                });
            }
            *renamed += 1;
            let _ = probe::pass("renamed");
        }
        let mut paths: Vec<&Path> = files.iter().map(|change| change.file.path.as_path()).collect();
        paths.dedup_by_key(|path| path.parent());
        for path in paths {
            atomic::sync_directory(path).map_err(|source| Error::File {
                what: "making durable",
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(())
    }

    /// Restores the old contents from memory where the files still have the new ones.
    pub(super) fn restore(&self, files: &[FileChange]) -> Result<(), String> {
        let mut failed = Ok(());
        for FileChange { file, old, new } in files.iter().rev() {
            let path = &file.path;
            let is_ours = files::read(path).is_ok_and(|content| content == new.as_bytes());
            let temp = self.temp(path);
            let back = || {
                probe::pass("restore")?;
                atomic::prepare(&temp, old.as_bytes(), path)?;
                atomic::replace(&temp, path)
            };
            if is_ours && let Err(err) = back() {
                failed = Err(format!("{} could not be put back: {err}", file.name));
            }
        }
        failed
    }

    fn temp(&self, path: &Path) -> PathBuf {
        atomic::beside(path, self.intent.id.as_str())
    }
}
