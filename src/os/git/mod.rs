//! The version control of a project: what its working tree is at, and commits of named paths only.
//!
//! [`Repository::commit`] makes a commit that holds just the paths it is given, whatever else is staged or changed: the
//! tree is built in an index of its own, the branch moves only if it is still where it was (somebody else's commit is
//! neither lost nor taken for ours), and of the real index just these entries follow, under git's own `index.lock`.
//! Until the branch moves, nothing has changed.
//!
//! What a killed process left in the git directory (its scratch directory, named after the process; perhaps its lock; an
//! index behind the branch) is put in order by the next commit, or by [`Repository::recover`].
//!
//! Git is started without a shell, with its arguments as they are, with paths taken literally, under a time limit, and
//! without what an enclosing git call (a hook, say) has left in the environment. A commit is signed if `commit.gpgsign`
//! says so, as `git commit` does. The hooks `pre-commit` and `commit-msg` run if asked for; what git runs around a
//! commit beside them (`prepare-commit-msg`, `post-commit`) does not.

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
    /// The working tree that holds `dir`: an ordinary one, a linked one, or a submodule's.
    ///
    /// # Errors
    /// [`GitError::NotARepository`] also for a bare one; [`GitError::NoGit`].
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
        // A name with a line break in it cannot be told from two names.
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

    /// The top of the working tree, without symlinks.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The commit that the working tree is at; `None` before the first.
    ///
    /// # Errors
    /// If git cannot be asked.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        let found = self.git().run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], b"")?;
        Ok((found.code == Some(0)).then(|| found.text()))
    }

    /// The newest commit that carries the trailer, among those that the working tree's commit has and `since` has not.
    ///
    /// # Errors
    /// If git cannot be asked.
    pub fn find(&self, (key, value): (&str, &str), since: Option<&str>) -> Result<Option<String>, GitError> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let wanted = format!("--grep={key}: {value}");
        let mut args = vec!["rev-list", "--max-count=1", "--fixed-strings", &wanted, "HEAD"];
        let not = since.map(|since| format!("^{since}"));
        // A commit that is gone leaves nothing out.
        if let Some(not) = not.as_deref().filter(|_| since.is_some_and(|since| self.has(since))) {
            args.push(not);
        }
        args.push("--");
        let found = self.git().ok("read the history", args, b"")?.text();
        Ok((!found.is_empty()).then_some(found))
    }

    /// Whether the repository has that commit.
    fn has(&self, commit: &str) -> bool {
        let name = format!("{commit}^{{commit}}");
        self.git().run(["cat-file", "-e", &name], b"").is_ok_and(|found| found.code == Some(0))
    }

    /// What a commit has at `path`, relative to the top; `None` if nothing. Filters (line ends) are applied.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] beyond what is kept of an output; if git cannot be asked.
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

    /// Puts in order what killed processes left: their locks, scratch directories, and entries of the index that did not
    /// follow the branch. Of processes that live, or that cannot be judged from here, nothing is touched.
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

    /// Whether the working tree's commit is that one or comes after it.
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

/// The commit that a working tree is at; `None` where there is no repository, no commit, or no `git`.
pub fn head(dir: &Path) -> Option<String> {
    // Without a repository nearby `git` need not be started.
    super::paths::git_top_level(dir)?;
    let found = Git::at(dir).run(["rev-parse", "--verify", "--quiet", "HEAD"], b"").ok()?;
    let commit = found.text();
    (found.code == Some(0) && !commit.is_empty()).then_some(commit)
}

#[cfg(test)]
mod tests;
