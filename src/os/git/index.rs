//! Entries of an index: read, written, and brought after the branch.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::{self, Git};
use super::scratch::Scratch;
use super::{GitError, Repository};

/// How long others may hold the index: git itself holds it for moments.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What an index has at each of some paths: mode and object, `None` for nothing.
pub type Entries = BTreeMap<PathBuf, Option<(String, String)>>;

/// What is about to happen to the real index.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The commit that it follows.
    pub commit: String,
    /// The entries before.
    pub before: Entries,
    /// The entries after.
    pub after: Entries,
}

impl Repository {
    /// A copy of the real index with the entries that follow a commit. To be called under the lock.
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

    /// Puts the prepared index in the place of the real one. To be called under the lock.
    pub(super) fn replace_index(&self, next: &Path) -> io::Result<()> {
        fs::rename(next, &self.index)
    }

    /// Brings entries of the real index after a commit, as far as they still are what they were before it. To be called
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

/// The entries of `paths` in an index.
pub fn entries(git: &Git, paths: &[&Path]) -> Result<Entries, GitError> {
    let mut entries: Entries = paths.iter().map(|path| ((*path).to_owned(), None)).collect();
    let args = ["ls-files", "--stage", "-z", "--"].iter().map(AsRef::as_ref);
    let args = args.chain(paths.iter().map(|path| path.as_os_str()));
    let listed = git.ok("read the index", args, b"")?;
    for line in listed.stdout.split(|byte| *byte == 0) {
        let Some((head, path)) = split_at_byte(line, b'\t') else { continue };
        let head = String::from_utf8_lossy(head);
        let words: Vec<_> = head.split(' ').collect();
        // A path that is in conflict has no entry at stage 0; one below a directory of that name is another path.
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

/// Written as fields that each end in a NUL, which no path has in it.
impl Record {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut field = |field: &[u8]| {
            bytes.extend_from_slice(field);
            bytes.push(0);
        };
        field(self.commit.as_bytes());
        for (path, after) in &self.after {
            field(path.as_os_str().as_bytes());
            for entry in [self.before.get(path).and_then(Option::as_ref), after.as_ref()] {
                let (mode, object) = entry.map_or(("", ""), |(mode, object)| (mode, object));
                field(mode.as_bytes());
                field(object.as_bytes());
            }
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let text = |field: &[u8]| String::from_utf8(field.to_owned()).ok();
        let commit = text(fields.next()?)?;
        let mut record = Self { commit, before: Entries::new(), after: Entries::new() };
        while let Some(path) = fields.next() {
            let path = run::path_of(path);
            for entries in [&mut record.before, &mut record.after] {
                let (mode, object) = (text(fields.next()?)?, text(fields.next()?)?);
                entries.insert(path.clone(), (!mode.is_empty()).then_some((mode, object)));
            }
        }
        Some(record)
    }
}
