//! The version control of a project: its current commit, and commits of named paths only.
//!
//! [`Repository::commit`] commits the given paths only, whatever else is staged or changed: the tree is built
//! in a separate index, the branch moves only if it has not moved since (the commit of another process is
//! neither lost nor taken for ours), and in the real index only these entries are updated, under git's own
//! `index.lock`. Until the branch moves, nothing has changed.
//!
//! The next commit, or [`Repository::recover`], cleans up after a killed process: its scratch directory,
//! which is named after the process, perhaps its lock, and an index that was not updated.
//!
//! Git is started without a shell, with literal paths, with a time limit, and without the variables of an
//! enclosing git call such as a hook. A commit is signed if `commit.gpgsign` is set, as by `git commit`. The
//! hooks `pre-commit` and `commit-msg` run on request; `prepare-commit-msg` and `post-commit` never do.

mod change;
mod clean;
mod commit;
mod error;
mod index;
pub mod query;
mod record;
mod run;
mod scratch;
mod versions;

pub use change::{Change, Content};
pub use clean::clean;
pub use commit::{Commit, Committed, Hooks, Step};
pub use error::{GitError, Version};

use std::path::{Path, PathBuf};

use run::Git;
use scratch::Scratch;

/// A working tree with its repository.
#[derive(Clone, Debug)]
pub struct Repository {
    top: PathBuf,
    git_dir: PathBuf,
    index: PathBuf,
}

impl Repository {
    /// Returns the working tree that holds `dir`: an ordinary one, a linked one, or a submodule's.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], also for a bare repository; [`GitError::NoGit`].
    pub fn discover(dir: &Path) -> Result<Self, GitError> {
        let git = Git::at(dir);
        let args = ["rev-parse", "--show-toplevel", "--git-dir", "--git-path", "index"];
        let found = git.run(args, b"")?;
        let no_repository = || GitError::NotARepository { dir: dir.to_owned(), said: found.said() };
        if found.code != Some(0) {
            return Err(no_repository());
        }
        let lines: Vec<_> =
            found.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        // A name that contains a line break cannot be told from two names.
        let [top, git_dir, index] = lines[..] else { return Err(no_repository()) };
        let real = |path: &[u8]| dir.join(run::path_of(path));
        let git_dir = real(git_dir).canonicalize()?;
        let index = real(index);
        let index = match (index.parent(), index.file_name()) {
            (Some(parent), Some(name)) => parent.canonicalize()?.join(name),
            _ => index,
        };
        Ok(Self { top: real(top).canonicalize()?, git_dir, index })
    }

    /// Returns the top of the working tree, without symlinks.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Returns the commit that the working tree is at; `None` before the first.
    ///
    /// # Errors
    /// If git fails.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        let found = self.git().run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], b"")?;
        Ok((found.code == Some(0)).then(|| found.text()))
    }

    /// Returns the newest commit that carries the trailer, among the ancestors of the working tree's commit
    /// that are not ancestors of `since`.
    ///
    /// # Errors
    /// If git fails.
    pub fn find(&self, (key, value): (&str, &str), since: Option<&str>) -> Result<Option<String>, GitError> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let wanted = format!("--grep={key}: {value}");
        let mut args = vec!["rev-list", "--max-count=1", "--fixed-strings", &wanted, "HEAD"];
        let not = since.map(|since| format!("^{since}"));
        // A `since` that does not exist any more excludes nothing.
        if let Some(not) = not.as_deref().filter(|_| since.is_some_and(|since| self.has(since))) {
            args.push(not);
        }
        args.push("--");
        let found = self.git().ok("read the history", args, b"")?.text();
        Ok((!found.is_empty()).then_some(found))
    }

    /// Returns true if the repository has that commit.
    fn has(&self, commit: &str) -> bool {
        let name = format!("{commit}^{{commit}}");
        self.git().run(["cat-file", "-e", &name], b"").is_ok_and(|found| found.code == Some(0))
    }

    /// Returns the content of a commit at `path`, relative to the top, after filters (line ends); `None` if
    /// there is none.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] for more than is captured of an output; if git fails.
    pub fn content(&self, commit: &str, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let mut name = std::ffi::OsString::from(format!("{commit}:"));
        name.push(path);
        let found = self.git().run(["cat-file".as_ref(), "--filters".as_ref(), name.as_os_str()], b"")?;
        match found.code {
            Some(0) if found.cut => Err(GitError::TooLarge { path: path.to_owned() }),
            Some(0) => Ok(Some(found.stdout)),
            _ => Ok(None),
        }
    }

    /// Cleans up after killed processes: their locks, their scratch directories, and entries of the index
    /// that were not updated. Nothing of a process is touched that runs, or of which this is not known.
    ///
    /// # Errors
    /// If the git directory cannot be read or changed.
    pub fn recover(&self) -> Result<(), GitError> {
        for left in Scratch::abandoned(&self.git_dir)? {
            let Some(_alone) = left.alone()? else { continue };
            left.release_lock(&self.lock_path());
            if let Some(record) = left.record()
                && self.is_behind_us(&record.commit)?
            {
                let scratch = Scratch::new(&self.git_dir)?;
                let _lock = scratch.lock(&self.lock_path(), index::LOCK_TIMEOUT)?;
                self.follow(&scratch, &record)?;
            }
            left.remove();
        }
        Ok(())
    }

    /// Returns true if that commit is the working tree's commit or an ancestor of it.
    fn is_behind_us(&self, commit: &str) -> Result<bool, GitError> {
        let found = self.git().run(["merge-base", "--is-ancestor", commit, "HEAD"], b"")?;
        Ok(found.code == Some(0))
    }

    fn git(&self) -> Git {
        Git::at(&self.top)
    }

    fn lock_path(&self) -> PathBuf {
        let mut name = self.index.as_os_str().to_owned();
        name.push(".lock");
        PathBuf::from(name)
    }
}

/// Returns the commit that a working tree is at; `None` where there is no repository, no commit, or no `git`.
pub fn head(dir: &Path) -> Option<String> {
    // Without a repository nearby `git` need not be started.
    super::paths::git_top_level(dir)?;
    let found = Git::at(dir).run(["rev-parse", "--verify", "--quiet", "HEAD"], b"").ok()?;
    let commit = found.text();
    (found.code == Some(0) && !commit.is_empty()).then_some(commit)
}

#[cfg(test)]
mod tests;
