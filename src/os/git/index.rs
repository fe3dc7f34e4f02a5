//! Entries of an index: reading and writing them, and updating them after the branch has moved.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::record::{Entries, Record};
use super::run::{self, Git};
use super::scratch::Scratch;
use super::{GitError, Repository};

/// How long to wait for the lock of the index, which git itself holds briefly.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

impl Repository {
    /// Creates a copy of the real index with the entries of a commit. Must be called under the lock.
    pub(super) fn next_index(
        &self,
        scratch: &Scratch,
        entries: &Entries,
        zero: &str,
    ) -> Result<PathBuf, GitError> {
        let next = scratch.file("next");
        match fs::copy(&self.index, &next) {
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(err.into()),
        }
        set_entries(&self.git().with_index(&next), entries, zero)?;
        Ok(next)
    }

    /// Replaces the real index. Must be called under the lock.
    pub(super) fn replace_index(&self, next: &Path) -> io::Result<()> {
        fs::rename(next, &self.index)
    }

    /// Updates the entries of the real index that still are as they were before the commit. Must be called
    /// under the lock.
    pub(super) fn follow(&self, scratch: &Scratch, record: &Record) -> Result<(), GitError> {
        let paths: Vec<_> = record.before.keys().map(PathBuf::as_path).collect();
        let now = entries(&self.git(), &paths)?;
        let stale = |path: &PathBuf| now.get(path) == record.before.get(path);
        let behind: Entries = record
            .after
            .iter()
            .filter(|(path, _)| stale(path))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect();
        if behind.is_empty() {
            return Ok(());
        }
        let next = self.next_index(scratch, &behind, &"0".repeat(record.commit.len()))?;
        Ok(self.replace_index(&next)?)
    }
}

/// Reads the entries of `paths` in an index.
pub fn entries(git: &Git, paths: &[&Path]) -> Result<Entries, GitError> {
    let mut entries: Entries = paths.iter().map(|path| ((*path).to_owned(), None)).collect();
    let args = ["ls-files", "--stage", "-z", "--"].iter().map(AsRef::as_ref);
    let args = args.chain(paths.iter().map(|path| path.as_os_str()));
    let listed = git.ok("read the index", args, b"")?;
    for line in listed.stdout.split(|byte| *byte == 0) {
        let Some((head, path)) = split_at_byte(line, b'\t') else { continue };
        let head = String::from_utf8_lossy(head);
        let words: Vec<_> = head.split(' ').collect();
        // A path in conflict has no entry at stage 0. A path below a directory of that name is another path.
        if let ([mode, object, "0"], Some(slot)) = (&words[..], entries.get_mut(&run::path_of(path))) {
            *slot = Some(((*mode).to_owned(), (*object).to_owned()));
        }
    }
    Ok(entries)
}

/// Writes the entries into an index.
pub fn set_entries(git: &Git, entries: &Entries, zero: &str) -> Result<(), GitError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut input = Vec::new();
    for (path, entry) in entries {
        let (mode, object) = entry.as_ref().map_or(("0", zero), |(mode, object)| (mode, object));
        input.extend_from_slice(format!("{mode} {object}\t").as_bytes());
        input.extend_from_slice(path.as_os_str().as_bytes());
        input.push(0);
    }
    git.ok("write the index", ["update-index", "-z", "--index-info"], &input)?;
    Ok(())
}

fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
