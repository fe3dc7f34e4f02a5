//! Why there was no commit. Whatever it is, everything is as it was before.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A version of a file that is not the one from which a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one that the branch has.
    Committed,
    /// The one in the index.
    Staged,
    /// The one in the working tree.
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

/// What kept a commit from being made, or git from being asked.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no `git` to be started.
    #[error("git is not installed, or not in PATH")]
    NoGit,
    /// The directory is in no working tree.
    #[error("{} is not in a git working tree{}", dir.display(), tail(said))]
    NotARepository {
        /// Where it was looked for.
        dir: PathBuf,
        /// Git's words.
        said: String,
    },
    /// `HEAD` is no branch, and that was not allowed.
    #[error("HEAD is detached: there is no branch to commit to")]
    Detached,
    /// A merge, rebase, cherry-pick or revert is under way.
    #[error("a {0} is in progress in this working tree")]
    InProgress(&'static str),
    /// Somebody holds the index.
    #[error("the index is locked: {} exists", .0.display())]
    IndexLocked(PathBuf),
    /// The path is not one that this working tree can have.
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
    /// Nobody knows who commits.
    #[error("git does not know who you are{}", tail(.0))]
    NoIdentity(String),
    /// A hook of the repository said no, or could not be run.
    #[error("the {hook} hook refused the commit{}", tail(said))]
    Hook {
        /// Its name.
        hook: &'static str,
        /// What it printed.
        said: String,
    },
    /// A hook changed what was to be committed.
    #[error("the pre-commit hook changed what was to be committed")]
    HookMeddled,
    /// What a change was made from is not there any more.
    #[error("{} {place}", path.display())]
    Changed {
        /// Which path.
        path: PathBuf,
        /// Where it is another one.
        place: Version,
    },
    /// The paths are already committed as they are.
    #[error("nothing to commit: the branch has it already")]
    Nothing,
    /// The branch was moved by others again and again.
    #[error("the branch kept moving: others commit all the time")]
    KeepsMoving,
    /// It took too long and was ended.
    #[error("{0} did not end in time")]
    TimedOut(String),
    /// What git answered is longer than it is read.
    #[error("{} is too large", path.display())]
    TooLarge {
        /// Which path.
        path: PathBuf,
    },
    /// Git failed otherwise.
    #[error("git could not {what}{}", tail(said))]
    Failed {
        /// What it was to do.
        what: &'static str,
        /// Git's words.
        said: String,
    },
    /// A file of ours beside the repository's could not be read or written.
    #[error("the git directory: {0}")]
    Io(#[from] io::Error),
}

/// Git's words behind ours, if it had any.
fn tail(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
