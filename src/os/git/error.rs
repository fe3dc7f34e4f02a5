//! Failures of git and of commits, after which nothing has changed.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A version of a file that is not the one from which a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// That of the branch.
    Committed,
    /// That of the index.
    Staged,
    /// That of the working tree.
    Working,
}

impl Display for Version {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed => "has changes in the working tree that are not committed",
            Self::Staged => "has a staged version that is not committed",
            Self::Working => "was edited by another process meanwhile",
        })
    }
}

/// A failure of a commit, or of a call of git.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no `git` program.
    #[error("git is not installed, or not in PATH")]
    NoGit,
    /// The directory is in no working tree.
    #[error("{} is not in a git working tree{}", dir.display(), tail(said))]
    NotARepository {
        /// The directory.
        dir: PathBuf,
        /// Git's words.
        said: String,
    },
    /// `HEAD` is detached, and that was not allowed.
    #[error("HEAD is detached: there is no branch to commit to")]
    Detached,
    /// A merge, rebase, cherry-pick or revert is in progress.
    #[error("a {0} is in progress in this working tree")]
    InProgress(&'static str),
    /// Another process has locked the index.
    #[error("the index is locked: {} exists", .0.display())]
    IndexLocked(PathBuf),
    /// The path cannot be one of this working tree.
    #[error("{} is not a path inside this working tree: {why}", path.display())]
    BadPath {
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The path is ignored, and was never committed.
    #[error("{} is ignored by git (see `git check-ignore -v`)", .0.display())]
    Ignored(PathBuf),
    /// The committer has no identity.
    #[error("git does not know who you are{}", tail(.0))]
    NoIdentity(String),
    /// A hook of the repository refused, or could not be run.
    #[error("the {hook} hook refused the commit{}", tail(said))]
    Hook {
        /// Its name.
        hook: &'static str,
        /// What it printed.
        said: String,
    },
    /// A hook changed the content of the commit.
    #[error("the pre-commit hook changed what was to be committed")]
    HookMeddled,
    /// The version from which a change was made has been replaced.
    #[error("{} {place}", path.display())]
    Changed {
        /// Which path.
        path: PathBuf,
        /// Which version differs.
        place: Version,
    },
    /// The paths have no changes.
    #[error("nothing to commit: the branch has it already")]
    Nothing,
    /// Other processes moved the branch again and again.
    #[error("the branch kept moving: others commit all the time")]
    KeepsMoving,
    /// A call took too long and was killed.
    #[error("{0} did not end in time")]
    TimedOut(String),
    /// The output of git is too long.
    #[error("{} is too large", path.display())]
    TooLarge {
        /// Which path.
        path: PathBuf,
    },
    /// Git failed otherwise.
    #[error("git could not {what}{}", tail(said))]
    Failed {
        /// What was attempted.
        what: &'static str,
        /// Git's words.
        said: String,
    },
    /// A file of ours beside the repository's could not be read or written.
    #[error("the git directory: {0}")]
    Io(#[from] io::Error),
}

/// Returns git's message to append to ours, if there is one.
fn tail(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
