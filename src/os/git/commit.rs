//! Committing named paths only.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::change::{Built, Change, Content};
use super::index::{self, LOCK_TIMEOUT};
use super::record::{Entries, Record};
use super::run::{Git, Output};
use super::scratch::Scratch;
use super::versions::{MadeFrom, check_base, check_index};
use super::{GitError, Repository};

/// How often a commit is attempted while other processes move the branch.
const ATTEMPTS: usize = 20;

/// A commit to make.
pub struct Commit<'a> {
    /// The paths, relative to the top, without symlinks on the way.
    pub changes: &'a [Change<'a>],
    /// The message: subject, empty line, body.
    pub message: &'a str,
    /// A last line of the message, `key: value`, which no hook can remove and [`Repository::find`] looks for.
    pub trailer: Option<(&'a str, &'a str)>,
    /// Whether the repository's hooks run.
    pub hooks: Hooks,
    /// Whether a commit may be made where no branch is checked out.
    pub detached: bool,
    /// Called after each step, for crash tests.
    pub step: &'a dyn Fn(Step),
}

/// Whether `pre-commit` and `commit-msg` run. They see the index of the commit, and the unchanged working
/// tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// They run, each with this time limit, and may refuse.
    Run(Duration),
    /// They do not run, as with `git commit --no-verify`.
    Skip,
}

/// The steps of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The commit exists, on no branch.
    Made,
    /// The index is locked.
    Locked,
    /// The branch is moved to it.
    Moved,
    /// The index is updated.
    Indexed,
}

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its name.
    pub commit: String,
    /// The commit before it; `None` for the first.
    pub parent: Option<String>,
    /// Why the index could not be updated, if so. The next commit, or [`Repository::recover`], updates them.
    pub behind: Option<String>,
}

/// The branch has been moved.
struct Moved {
    /// Why the index was not updated, if it was not.
    behind: Option<String>,
}

/// The state of the branch when the commit was built.
struct Base {
    /// The commit and its tree.
    head: Option<(String, String)>,
}

impl Repository {
    /// Commits the given paths and nothing else.
    ///
    /// Other staged or changed paths stay as they are. The entries of these paths in the index become those
    /// of the commit. If another process commits at the same time, its commit stays and ours comes after it.
    ///
    /// # Errors
    /// Every [`GitError`] but `NotARepository`. Branch, index and working tree are then unchanged.
    pub fn commit(&self, commit: &Commit<'_>) -> Result<Committed, GitError> {
        self.recover()?;
        let paths: Vec<_> = commit.changes.iter().map(|change| change.path).collect();
        for path in &paths {
            self.check_path(path)?;
        }
        let made_from = self.made_from(commit.changes)?;
        let scratch = Scratch::new(&self.git_dir)?;
        for _ in 0..ATTEMPTS {
            let base = self.base(commit.detached)?;
            let built = self.build(&scratch, &base, commit, &paths, &made_from)?;
            let made = self.make(&scratch, &base, &built.tree, commit)?;
            (commit.step)(Step::Made);
            if let Some(Moved { behind }) =
                self.publish(&scratch, &base, &made, &built, commit, &made_from)?
            {
                let parent = base.head.map(|(head, _)| head);
                return Ok(Committed { commit: made, parent, behind });
            }
        }
        Err(GitError::KeepsMoving)
    }

    /// Refuses a path that git would refuse, or that leads out of this working tree.
    fn check_path(&self, path: &Path) -> Result<(), GitError> {
        let bad = |why| GitError::BadPath { path: path.to_owned(), why };
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if path.as_os_str().is_empty() || path.is_absolute() || !path.components().all(plain) {
            return Err(bad("it has to be relative, without `.` and `..`"));
        }
        if path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git")) {
            return Err(bad("it is git's own"));
        }
        let mut dir = self.top.clone();
        for part in path.parent().unwrap_or(Path::new("")).components() {
            dir.push(part);
            if fs::symlink_metadata(&dir).is_ok_and(|found| found.is_symlink()) {
                return Err(bad("a symlink is on the way"));
            }
            if dir.join(".git").exists() {
                return Err(bad("it belongs to another repository"));
            }
        }
        if self.git().ignores(path)? { Err(GitError::Ignored(path.to_owned())) } else { Ok(()) }
    }

    /// Returns the state of the branch, if a commit may be made now.
    fn base(&self, detached: bool) -> Result<Base, GitError> {
        self.check_idle()?;
        if !detached && self.git().run(["symbolic-ref", "--quiet", "HEAD"], b"")?.code != Some(0) {
            return Err(GitError::Detached);
        }
        let found = self.git().run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], b"")?;
        if found.code != Some(0) {
            return Ok(Base { head: None });
        }
        let head = found.text();
        let name = format!("{head}^{{tree}}");
        let tree = self.git().ok("read the branch", ["rev-parse", "--verify", &name], b"")?.text();
        Ok(Base { head: Some((head, tree)) })
    }

    /// Refuses during a merge, rebase, cherry-pick or revert.
    fn check_idle(&self) -> Result<(), GitError> {
        let marks = [
            ("MERGE_HEAD", "merge"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
        ];
        let found = marks.iter().find(|(mark, _)| fs::symlink_metadata(self.git_dir.join(mark)).is_ok());
        found.map_or(Ok(()), |(_, what)| Err(GitError::InProgress(what)))
    }

    /// Builds the commit's tree, and returns its entries at the given paths.
    fn build(
        &self,
        scratch: &Scratch,
        base: &Base,
        commit: &Commit<'_>,
        paths: &[&Path],
        made_from: &MadeFrom,
    ) -> Result<Built, GitError> {
        let git = self.git().with_index(&scratch.file("index"));
        match &base.head {
            Some((head, _)) => drop(git.ok("read the branch", ["read-tree", head], b"")?),
            None => drop(git.ok("begin an index", ["read-tree", "--empty"], b"")?),
        }
        let before = index::entries(&git, paths)?;
        let mut named = Entries::new();
        let mut from_tree = Vec::new();
        for change in commit.changes {
            match change.content {
                Content::WorkTree | Content::WorkTreeFrom(_) => {
                    from_tree.extend_from_slice(change.path.as_os_str().as_bytes());
                    from_tree.push(0);
                }
                Content::Bytes(bytes) | Content::Edit { new: bytes, .. } => {
                    let object = self.store(change.path, bytes)?;
                    let mode = before.get(change.path).cloned().flatten().map(|(mode, _)| mode);
                    let mode = mode.filter(|mode| mode.starts_with("100")).unwrap_or("100644".into());
                    named.insert(change.path.to_owned(), Some((mode, object)));
                }
            }
        }
        index::set_entries(&git, &named, "")?;
        if !from_tree.is_empty() {
            let args = ["update-index", "--add", "--remove", "-z", "--stdin"];
            git.ok("read the working tree", args, &from_tree)?;
        }
        let after = index::entries(&git, paths)?;
        if before == after {
            return Err(GitError::Nothing);
        }
        check_base(commit.changes, &before, made_from)?;
        let write = || Ok::<_, GitError>(git.ok("write a tree", ["write-tree"], b"")?.text());
        let tree = write()?;
        if let Hooks::Run(limit) = commit.hooks {
            self.hook("pre-commit", &[], &git, limit)?;
            if write()? != tree {
                return Err(GitError::HookMeddled);
            }
        }
        Ok(Built { tree, before, after })
    }

    /// Stores content as the filters of the path convert it. Returns the object's name.
    fn store(&self, path: &Path, bytes: &[u8]) -> Result<String, GitError> {
        let mut named = std::ffi::OsString::from("--path=");
        named.push(path);
        let args = ["hash-object".as_ref(), "-w".as_ref(), "--stdin".as_ref(), named.as_os_str()];
        Ok(self.git().ok("store the content", args, bytes)?.text())
    }

    /// Creates the commit object, on no branch yet.
    fn make(
        &self,
        scratch: &Scratch,
        base: &Base,
        tree: &str,
        commit: &Commit<'_>,
    ) -> Result<String, GitError> {
        let git = self.git();
        let mut message = commit.message.trim_end().to_owned();
        if let Hooks::Run(limit) = commit.hooks {
            let file = scratch.file("message");
            fs::write(&file, message.clone() + "\n")?;
            let with_index = self.git().with_index(&scratch.file("index"));
            self.hook("commit-msg", &[file.as_os_str()], &with_index, limit)?;
            String::from_utf8_lossy(&fs::read(&file)?).trim_end().clone_into(&mut message);
        }
        if let Some((key, value)) = commit.trailer {
            message = format!("{message}\n{key}: {value}");
        }
        message.push('\n');
        let mut args = vec!["commit-tree", tree];
        if let Some((head, _)) = &base.head {
            args.extend(["-p", head]);
        }
        let sign = git.run(["config", "--type=bool", "--get", "commit.gpgsign"], b"")?;
        if sign.text() == "true" {
            args.push("-S");
        }
        args.extend(["-F", "-"]);
        let made = git.run(args, message.as_bytes())?;
        if made.code == Some(0) {
            return Ok(made.text());
        }
        for who in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
            let asked = git.run(["var", who], b"")?;
            if asked.code != Some(0) {
                return Err(GitError::NoIdentity(asked.said()));
            }
        }
        Err(GitError::Failed { what: "make the commit", said: made.said() })
    }

    /// Moves the branch and updates the index; returns why the index could not be updated, if so. Returns
    /// `None` if another process has moved the branch.
    fn publish(
        &self,
        scratch: &Scratch,
        base: &Base,
        made: &str,
        built: &Built,
        commit: &Commit<'_>,
        made_from: &MadeFrom,
    ) -> Result<Option<Moved>, GitError> {
        let after = &built.after;
        // Under git's own lock, so that no process stages or commits while branch and index differ.
        let held = scratch.lock(&self.lock_path(), LOCK_TIMEOUT)?;
        (commit.step)(Step::Locked);
        self.check_idle()?;
        let paths: Vec<_> = after.keys().map(PathBuf::as_path).collect();
        let before = index::entries(&self.git(), &paths)?;
        let old = base.head.as_ref().map(|(head, _)| head.as_str());
        if let Err(err) = check_index(commit.changes, &before, built, made_from) {
            // The index may be that of a newer commit, on which the change is built again.
            return if self.head()?.as_deref() == old { Err(err) } else { Ok(None) };
        }
        let next = self.next_index(scratch, after, &"0".repeat(made.len()))?;
        scratch.note(&Record { commit: made.to_owned(), before, after: after.clone() })?;
        let subject = commit.message.lines().next().unwrap_or_default();
        let log = format!("commit: {subject}");
        // Checked as late as possible, a few milliseconds before the file changes.
        self.check_files(commit.changes)?;
        // This git may outlive this process. A process that recovers from that has to wait for it.
        let git = self.git().holding(scratch.mark())?;
        let moved =
            git.ok("move the branch", ["update-ref", "-m", &log, "HEAD", made, old.unwrap_or_default()], b"");
        if let Err(err) = moved {
            // The state of the branch counts and not the error: git may have been killed after it moved the
            // branch.
            let now = self.head()?;
            if now.as_deref() == old {
                return Err(err);
            }
            if now.as_deref() != Some(made) {
                return Ok(None);
            }
        }
        (commit.step)(Step::Moved);
        let behind = self.replace_index(&next).err().map(|err| err.to_string());
        if behind.is_some() {
            scratch.leave(); // The next call updates the index.
        }
        (commit.step)(Step::Indexed);
        drop(held);
        Ok(Some(Moved { behind }))
    }

    /// Runs a hook, if there is one.
    fn hook(&self, name: &'static str, args: &[&OsStr], git: &Git, limit: Duration) -> Result<(), GitError> {
        let ran = if self.git_runs_hooks()? {
            let mut all: Vec<&OsStr> =
                vec!["hook".as_ref(), "run".as_ref(), "--ignore-missing".as_ref(), name.as_ref()];
            if !args.is_empty() {
                all.push("--".as_ref());
                all.extend(args);
            }
            git.run_foreign("git".as_ref(), all, limit)?
        } else {
            let path = format!("hooks/{name}");
            let found = self.git().ok("find its hooks", ["rev-parse", "--git-path", &path], b"")?;
            let hook = self.top.join(found.text());
            let executable = |found: fs::Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
            if !fs::metadata(&hook).is_ok_and(executable) {
                return Ok(());
            }
            git.run_foreign(hook.as_os_str(), args, limit)?
        };
        let Output { code, .. } = ran;
        if code == Some(0) { Ok(()) } else { Err(GitError::Hook { hook: name, said: ran.said() }) }
    }

    /// Returns true if this git has `git hook run` (since 2.36).
    fn git_runs_hooks(&self) -> Result<bool, GitError> {
        let version = self.git().ok("say its version", ["version"], b"")?.text();
        let mut numbers =
            version.trim_start_matches("git version ").split('.').map_while(|n| n.parse::<u32>().ok());
        Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (2, 36))
    }
}
