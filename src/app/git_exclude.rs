//! Keeps databases out of git, which would replace them under their writers.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{CommandContext, locate};
use crate::domain::text::one_line;
use crate::os::worktree::WorkTree;
use crate::os::{atomic, files};

/// The directory of a project's database.
const OWN: &str = ".clavain";

/// How much of git's index a search for a tracked database reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effort {
    /// For calls before every edit: the first few hundred files. A `.clavain` at the top comes early.
    Little,
    /// For frequent calls, such as `ic health`.
    Some,
    /// All of it.
    All,
}

impl Effort {
    fn bytes(self) -> u64 {
        match self {
            Self::Little => 64 << 10,
            Self::Some => 1 << 20,
            Self::All => u64::MAX,
        }
    }
}

/// Makes git ignore the database at the absolute `path` and the files beside it: by a `.gitignore` in its `.clavain`, or by
/// the repository's `info/exclude` where that file is tracked or the database is in another directory.
///
/// A failure is a warning, because the database works without it.
pub(crate) fn exclude_from_git(cx: &CommandContext, path: &Path) {
    if let Err((file, err)) = ignore(path) {
        cx.warn(format_args!(
            "git is not told to ignore the database, because writing {} failed: {err}; add {} to a .gitignore",
            one_line(&file.display().to_string()),
            one_line(&format!("{}*", path.display()))
        ));
    }
}

fn ignore(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let tree = WorkTree::around(dir);
    let own = dir.file_name() == Some(OsStr::new(OWN));
    let database = [b"/", escaped(name).as_slice(), b"*"].concat();
    let mut patterns = vec![database, b"/.intercore-*".to_vec(), b"/dispatch-logs/".to_vec()];
    if own {
        patterns.push(b"/keys/".to_vec());
        let beside = dir.join(".gitignore");
        if may_change(&beside, tree.as_ref()) {
            patterns.insert(0, b"/.gitignore".to_vec());
            return add_lines(&beside, &patterns, 0o600).map_err(|err| (beside, err));
        }
        if read(&beside).is_ok_and(|text| missing(&text, &patterns).is_empty()) {
            return Ok(());
        }
    }
    let Some(tree) = tree else { return Ok(()) };
    let Ok(within) = dir.strip_prefix(tree.top()) else { return Ok(()) };
    if !within.as_os_str().is_empty() {
        let within = [b"/", escaped(within.as_os_str()).as_slice()].concat();
        for pattern in &mut patterns {
            *pattern = [within.as_slice(), pattern].concat();
        }
    }
    let exclude = tree.exclude_file();
    let made = exclude.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| add_lines(&exclude, &patterns, 0o644)).map_err(|err| (exclude, err))
}

/// Checks whether a `.gitignore` may be changed: git honours it, and it is not tracked.
fn may_change(file: &Path, tree: Option<&WorkTree>) -> bool {
    let found = file.symlink_metadata();
    if found.is_ok_and(|found| !found.is_file()) {
        return false;
    }
    let tracked = tree.map(|tree| {
        let within = file.strip_prefix(tree.top()).unwrap_or(file);
        tree.tracked(within, u64::MAX)
            .map(|found| found.is_none_or(|all| all.iter().any(|path| path == within)))
    });
    matches!(tracked, None | Some(Ok(false)))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    match files::read(file) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// Returns the patterns that are not among the lines of a text.
fn missing<'a>(text: &[u8], patterns: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
    let has = |pattern: &[u8]| text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii_end() == pattern);
    patterns.iter().map(Vec::as_slice).filter(|pattern| !has(pattern)).collect()
}

/// Adds to a file of patterns those that it lacks.
fn add_lines(file: &Path, patterns: &[Vec<u8>], mode: u32) -> io::Result<()> {
    let mut text = read(file)?;
    let missing = missing(&text, patterns);
    if missing.is_empty() {
        return Ok(());
    }
    if missing.iter().any(|pattern| pattern.contains(&b'\n')) {
        return Err(io::Error::other("the path has a line break"));
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(b"# The database of ic: git would replace it while it is in use.\n");
    for pattern in missing {
        text.extend_from_slice(pattern);
        text.push(b'\n');
    }
    atomic::put(file, &text, mode)
}

/// Returns a path as a pattern that matches this path alone.
fn escaped(path: &OsStr) -> Vec<u8> {
    let mut pattern = Vec::new();
    for byte in path.as_bytes() {
        if b"\\*?[ ".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern
}

/// Warns if git tracks the database at the absolute `path`, or files beside it that are part of it.
pub(crate) fn warn_if_tracked(cx: &CommandContext, path: &Path, effort: Effort) {
    let Some(tree) = path.parent().and_then(WorkTree::around) else { return };
    let Ok(within) = path.strip_prefix(tree.top()) else { return };
    // git itself reports an index that cannot be read.
    if let Ok(Some(found)) = tree.tracked(within, effort.bytes())
        && !found.is_empty()
    {
        cx.warn(format_args!(
            "git tracks the database {}, and will replace it while it is in use; {}",
            one_line(&within.display().to_string()),
            way_out(within)
        ));
    }
}

/// Says how a database below the top of a repository is taken out of git.
pub(crate) fn way_out(within: &Path) -> String {
    let within = within.display().to_string().replace('\'', "'\\''");
    format!("`git rm --cached -f -- ':/{within}*'` takes it out and leaves the file, then commit that")
}

/// Returns those of some paths, relative to the top of a repository, that belong to a database: that of a `.clavain`, or
/// the one at the absolute `path`.
pub(crate) fn databases(staged: &[PathBuf], top: &Path, path: &Path) -> Vec<PathBuf> {
    let own = Path::new(locate::RELATIVE);
    let name = own.file_name().unwrap_or_default().as_bytes();
    let other = path.strip_prefix(top).ok().map(|within| within.as_os_str().as_bytes());
    let belongs = |staged: &&PathBuf| {
        let in_own = staged.parent().is_some_and(|dir| dir.file_name() == Some(OsStr::new(OWN)));
        let named = staged.file_name().is_some_and(|file| file.as_bytes().starts_with(name));
        (in_own && named) || other.is_some_and(|other| staged.as_os_str().as_bytes().starts_with(other))
    };
    staged.iter().filter(belongs).cloned().collect()
}
