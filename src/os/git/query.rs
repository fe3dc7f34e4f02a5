//! Queries of git hooks: the commit that is being made, and where hooks are.
//!
//! Git sets variables for a hook (`GIT_DIR`, `GIT_INDEX_FILE`). These calls keep them, because they name the
//! index of the commit.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::error::GitError;
use super::run::{self, Git};
use crate::os::paths;

/// Returns the output of a call of git, which has to succeed.
fn ask<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> io::Result<Vec<u8>> {
    let output = Git::inside_hook(dir).run(args, b"").map_err(|err| match err {
        GitError::Io(err) => err,
        err => io::Error::other(err.to_string()),
    })?;
    if output.code == Some(0) {
        return Ok(output.stdout);
    }
    Err(io::Error::other(output.said().lines().next().unwrap_or("git failed").to_owned()))
}

fn line(mut bytes: Vec<u8>) -> OsString {
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    OsString::from_vec(bytes)
}

/// Returns the top of the work tree that holds `dir`.
///
/// # Errors
/// If there is no git, or git fails: the message is its own.
pub fn top(dir: &Path) -> io::Result<PathBuf> {
    ask(dir, ["rev-parse", "--show-toplevel"]).map(|out| PathBuf::from(line(out)))
}

/// Returns the paths that the next commit changes, adds or removes, relative to the top.
///
/// # Errors
/// As [`top`].
pub fn staged(top: &Path) -> io::Result<Vec<PathBuf>> {
    let out = ask(top, ["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z"])?;
    Ok(names(&out))
}

/// Returns those of the paths, relative to the top, that the next commit has.
///
/// # Errors
/// As [`top`].
pub fn in_index(top: &Path, paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let question = ["ls-files", "-z", "--"].map(OsStr::new);
    let out = ask(top, question.into_iter().chain(paths.iter().map(|path| path.as_os_str())))?;
    Ok(names(&out))
}

/// Splits paths that git ends with NUL bytes.
fn names(out: &[u8]) -> Vec<PathBuf> {
    out.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(run::path_of).collect()
}

/// Returns the email address of the committer.
///
/// # Errors
/// As [`top`]; also if git has no identity.
pub fn committer(dir: &Path) -> io::Result<String> {
    let ident = String::from_utf8_lossy(&ask(dir, ["var", "GIT_COMMITTER_IDENT"])?).into_owned();
    let address = ident.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    address.map(|(address, _)| address.to_owned()).ok_or_else(|| io::Error::other("git names no committer"))
}

/// Returns the directory of the hooks of the repository around `dir`; `core.hooksPath` may put it elsewhere.
///
/// # Errors
/// As [`top`].
pub fn hooks(dir: &Path) -> io::Result<PathBuf> {
    let found = PathBuf::from(line(ask(dir, ["rev-parse", "--git-path", "hooks"])?));
    Ok(paths::clean(&found, dir))
}
