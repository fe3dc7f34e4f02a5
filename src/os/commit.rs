//! What a git hook has to know of the commit that is about to be made, and where hooks are.
//!
//! Git runs a hook with its own environment (`GIT_DIR`, `GIT_INDEX_FILE`), which is handed on: the index that counts is the
//! one that git names.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What git prints, of a call that has to succeed.
fn ask<I: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = I>) -> io::Result<Vec<u8>> {
    let output = Command::new("git").arg("-C").arg(dir).args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("git failed").to_owned();
    Err(io::Error::other(first))
}

fn line(mut bytes: Vec<u8>) -> OsString {
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    OsString::from_vec(bytes)
}

/// The top of the work tree that holds `dir`, as git sees it.
///
/// # Errors
/// What git says, or that there is no git.
pub fn top(dir: &Path) -> io::Result<PathBuf> {
    ask(dir, ["rev-parse", "--show-toplevel"]).map(|out| PathBuf::from(line(out)))
}

/// The paths that the next commit changes, adds or removes, relative to the top.
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
    let question = ["--literal-pathspecs", "ls-files", "-z", "--"].map(OsStr::new);
    let out = ask(top, question.into_iter().chain(paths.iter().map(|path| path.as_os_str())))?;
    Ok(names(&out))
}

/// Paths that git ends with NUL bytes.
fn names(out: &[u8]) -> Vec<PathBuf> {
    let names = out.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec()))).collect()
}

/// The address of whoever commits.
///
/// # Errors
/// As [`top`]: git has no identity, say.
pub fn committer(dir: &Path) -> io::Result<String> {
    let ident = String::from_utf8_lossy(&ask(dir, ["var", "GIT_COMMITTER_IDENT"])?).into_owned();
    let address = ident.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    address.map(|(address, _)| address.to_owned()).ok_or_else(|| io::Error::other("git names no committer"))
}

/// Where git looks for the hooks of the repository around `dir`; also elsewhere, if it is told to.
///
/// # Errors
/// As [`top`].
pub fn hooks(dir: &Path) -> io::Result<PathBuf> {
    let found = PathBuf::from(line(ask(dir, ["rev-parse", "--git-path", "hooks"])?));
    Ok(super::paths::clean(&found, dir))
}
