//! Checking that the versions from which changes were made are still there when the commit is made.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::change::{Built, Change, Content};
use super::index;
use super::record::Entries;
use super::scratch::Scratch;
use super::{GitError, Repository, Version};

/// The names of the objects from which changes were made, where that matters.
pub type MadeFrom = BTreeMap<PathBuf, Option<String>>;

impl Repository {
    /// Checks whether the branch, the index and the working tree have the versions of [`Content::Edit`];
    /// returns one that differs.
    ///
    /// # Errors
    /// If git cannot be asked.
    pub fn differs(&self, changes: &[Change<'_>]) -> Result<Option<GitError>, GitError> {
        let made_from = self.made_from(changes)?;
        let paths: Vec<_> = changes.iter().map(|change| change.path).collect();
        let scratch = Scratch::new(&self.git_dir)?;
        let git = self.git().with_index(&scratch.file("index"));
        if let Some(head) = self.head()? {
            git.ok("read the branch", ["read-tree", &head], b"")?;
        }
        let before = index::entries(&git, &paths)?;
        let built = Built { tree: String::new(), after: before.clone(), before };
        let found = check_base(changes, &built.before, &made_from)
            .and_then(|()| check_index(changes, &index::entries(&self.git(), &paths)?, &built, &made_from))
            .and_then(|()| self.check_files(changes));
        match found {
            Ok(()) => Ok(None),
            Err(found @ GitError::Changed { .. }) => Ok(Some(found)),
            Err(err) => Err(err),
        }
    }

    /// Computes the object names of the versions from which the changes were made.
    pub(super) fn made_from(&self, changes: &[Change<'_>]) -> Result<MadeFrom, GitError> {
        let mut names = MadeFrom::new();
        for change in changes {
            let from = match change.content {
                Content::WorkTreeFrom(from) => Some(from),
                Content::Edit { base, .. } => base,
                Content::WorkTree | Content::Bytes(_) => continue,
            };
            let name = from.map(|from| self.name_of(change.path, from)).transpose()?;
            names.insert(change.path.to_owned(), name);
        }
        Ok(names)
    }

    /// Checks the files in the working tree that were to be edited.
    pub(super) fn check_files(&self, changes: &[Change<'_>]) -> Result<(), GitError> {
        for change in changes {
            let Content::Edit { file, .. } = change.content else { continue };
            let now = match fs::read(self.top.join(change.path)) {
                Err(err) if err.kind() == io::ErrorKind::NotFound => None,
                now => Some(now?),
            };
            if now.as_deref() != file {
                return Err(GitError::Changed { path: change.path.to_owned(), place: Version::Working });
            }
        }
        Ok(())
    }

    /// Returns the name that content gets at a path, without storing it.
    fn name_of(&self, path: &Path, bytes: &[u8]) -> Result<String, GitError> {
        let mut named = std::ffi::OsString::from("--path=");
        named.push(path);
        let args = ["hash-object".as_ref(), "--stdin".as_ref(), named.as_os_str()];
        Ok(self.git().ok("name the content", args, bytes)?.text())
    }
}

/// Checks that the branch has what the changes were made from.
pub fn check_base(changes: &[Change<'_>], before: &Entries, made_from: &MadeFrom) -> Result<(), GitError> {
    for change in changes.iter().filter(|change| matches!(change.content, Content::Edit { .. })) {
        let there = before.get(change.path).and_then(Option::as_ref).map(|(_, object)| object);
        let from = made_from.get(change.path).and_then(Option::as_ref);
        if there != from {
            return Err(GitError::Changed { path: change.path.to_owned(), place: Version::Committed });
        }
    }
    Ok(())
}

/// Checks the staged versions, which must be those of the branch. Must be called under the lock.
pub fn check_index(
    changes: &[Change<'_>],
    staged: &Entries,
    built: &Built,
    made_from: &MadeFrom,
) -> Result<(), GitError> {
    for change in changes {
        let [staged, before, after] =
            [staged, &built.before, &built.after].map(|entries| entries.get(change.path).cloned().flatten());
        let is_from = || {
            let staged = staged.as_ref().map(|(_, object)| object);
            matches!(change.content, Content::WorkTreeFrom(_))
                && made_from.get(change.path).is_some_and(|from| from.as_ref() == staged)
        };
        let matters = matches!(change.content, Content::WorkTreeFrom(_) | Content::Edit { .. });
        if matters && staged != before && staged != after && !is_from() {
            return Err(GitError::Changed { path: change.path.to_owned(), place: Version::Staged });
        }
    }
    Ok(())
}
