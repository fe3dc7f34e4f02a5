//! Finding files that are as they were committed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::GitError;
use super::run::{Git, path_of};

/// The maximum number of bytes of paths in one command line.
const MOST_BYTES: usize = 64 << 10;

/// Returns those of `paths`, relative to the top of a working tree, that git tracks and that are as they were
/// committed, in the index and on disk. Files with `assume-unchanged` or `skip-worktree` are left out.
///
/// # Errors
/// If git cannot be asked, or `top` is in no working tree.
pub fn clean(top: &Path, paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, GitError> {
    let git = Git::at(top);
    let mut found = BTreeSet::new();
    let mut rest = paths;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |path: &&PathBuf| {
            bytes += path.as_os_str().len() + 1;
            bytes <= MOST_BYTES
        };
        let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        rest = later;
        // The printed names are relative to the repository's top, and `paths` to `top`. If those differ, no
        // file is found to be clean.
        let tracked = names(&git, &["ls-files", "-z", "-v", "--full-name"], now)?;
        let changed =
            names(&git, &["status", "--porcelain", "-z", "--untracked-files=no", "--no-renames"], now)?;
        let changed: BTreeSet<&[u8]> = changed.iter().filter_map(|line| line.get(3..)).collect();
        let as_committed = tracked.iter().filter_map(|line| line.strip_prefix(b"H "));
        let tracked: BTreeSet<PathBuf> =
            as_committed.filter(|name| !changed.contains(name)).map(path_of).collect();
        found.extend(now.iter().filter(|path| tracked.contains(*path)).cloned());
    }
    Ok(found)
}

/// Returns the names that a command of git prints for these paths.
fn names(git: &Git, args: &[&str], paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, GitError> {
    let args = args.iter().map(OsStr::new).chain([OsStr::new("--")]);
    let output =
        git.ok("compare the files with the last commit", args.chain(paths.iter().map(AsRef::as_ref)), b"")?;
    if output.cut {
        return Err(GitError::TooLarge { path: paths.first().cloned().unwrap_or_default() });
    }
    Ok(output.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}
