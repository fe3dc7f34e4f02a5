//! Dispatches: child processes, their supervision, and their records.

mod answer;
pub(crate) mod auto;
pub(crate) mod guard;
pub(crate) mod kill;
pub(crate) mod launch;
pub(crate) mod logs;
mod persist;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod retry;
pub(crate) mod settle;
pub(crate) mod spawn;
pub(crate) mod supervise;
pub(crate) mod tokens;
pub(crate) mod wait;

use std::io;
use std::path::Path;

use super::Error;
use crate::os::paths;

pub(crate) use answer::{DispatchAnswer, Dispatches};

/// The kind of agent of a dispatch whose caller names none.
pub(crate) const DEFAULT_AGENT_TYPE: &str = "codex";
/// The sandbox of a dispatch whose caller names none.
pub(crate) const DEFAULT_SANDBOX: &str = "workspace-write";

/// Returns a path as text. Only text can be stored.
fn path_text(path: &Path) -> Result<String, Error> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| Error::Usage {
        message: format!("the path {} is not valid UTF-8", path.display()),
        hint: Some("rename it: paths are stored as text".to_owned()),
    })
}

/// Returns the absolute form of a path, as text.
fn absolute(path: &str, cwd: &Path) -> Result<String, Error> {
    path_text(&paths::clean(Path::new(path), cwd))
}

/// Returns the absolute form of a path, if one is given.
fn absolute_if_given(path: Option<&str>, cwd: &Path) -> Result<Option<String>, Error> {
    path.map(|path| absolute(path, cwd)).transpose()
}

/// Returns the error for a system call that should not fail.
fn unexpected(err: io::Error) -> Error {
    Error::Unexpected(err.into())
}
