//! The directory of a project's task files, and the contents of the files.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::app::{CommandContext, Error};
use crate::domain::task::change::Texts;
use crate::domain::task::link::Artifact;
use crate::domain::task::problem::{Kind, Problem};
use crate::os::{files, paths};

/// The default directories, searched below the working directory and then below the top of its repository.
const DEFAULT_DIRECTORIES: [&str; 3] = ["specs", ".claude/specs", ".opencode/specs"];

/// The time after which missing artifacts are looked for once more.
const ARTIFACT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// One of the files that change together.
#[derive(Clone, Debug)]
pub(super) struct FilePath {
    /// The name for people, as the caller wrote it.
    pub name: String,
    /// Words before the name in messages.
    pub label: &'static str,
    /// The file itself, never a symlink to it: replacing the file must not replace the link.
    pub path: PathBuf,
}

/// The directory of the task files.
#[derive(Clone, Debug)]
pub(super) struct TaskDirectory {
    /// Absolute and without symlinks.
    pub path: PathBuf,
    /// The top of its repository, or the directory that takes its place.
    pub root: PathBuf,
    /// The directory relative to `root`.
    pub relative: String,
}

/// The contents of the files, read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskTexts {
    pub state: String,
    pub todo: String,
    /// The plan, if the change names one.
    pub plan: Option<String>,
}

impl TaskTexts {
    /// Returns the texts as the rules take them.
    pub(super) fn as_texts(&self) -> Texts<'_> {
        Texts { todo: &self.todo, state: &self.state, plan: self.plan.as_deref() }
    }
}

impl TaskDirectory {
    /// Returns the directory that was named, or the first default directory that has task files.
    ///
    /// # Errors
    /// [`Error::NoTasks`] if there is none.
    pub(super) fn find(cx: &CommandContext, given: Option<&str>) -> Result<Self, Error> {
        let cwd = cx.cwd()?;
        let top = paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
        let has_tasks = |dir: &PathBuf| dir.join("TODO.md").exists() || dir.join("state.json").exists();
        let found = match given {
            Some(given) => Some(paths::clean(Path::new(given), &cwd)).filter(|dir| dir.is_dir()),
            None => [cwd.as_path(), &top]
                .iter()
                .flat_map(|base| DEFAULT_DIRECTORIES.map(|name| base.join(name)))
                .find(has_tasks),
        };
        let found = found.and_then(|dir| dir.canonicalize().ok());
        let path = found.ok_or_else(|| Error::NoTasks(given.unwrap_or("specs").to_owned()))?;
        let root = paths::git_top_level(&path)
            .or_else(|| {
                let name = DEFAULT_DIRECTORIES.into_iter().rev().find(|name| path.ends_with(name))?;
                path.ancestors().nth(name.split('/').count()).map(Path::to_owned)
            })
            .unwrap_or_else(|| path.parent().unwrap_or(&path).to_owned());
        let relative = path.strip_prefix(&root).ok().and_then(Path::to_str);
        let relative = relative
            .ok_or_else(|| Error::usage(format!("--dir is not valid UTF-8: {}", path.display())))?
            .to_owned();
        Ok(Self { path, root, relative })
    }

    /// Returns the resource under which intents of changes in the directory are recorded.
    pub(super) fn resource(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    pub(super) fn todo(&self) -> FilePath {
        self.file("TODO.md")
    }

    pub(super) fn state(&self) -> FilePath {
        self.file("state.json")
    }

    fn file(&self, name: &str) -> FilePath {
        let full = self.path.join(name);
        FilePath { name: name.to_owned(), label: "", path: full.canonicalize().unwrap_or(full) }
    }

    /// Returns the plan that the caller named.
    pub(super) fn plan(&self, name: &str) -> FilePath {
        let full = self.resolve(name);
        FilePath { name: name.to_owned(), label: "the plan ", path: full.canonicalize().unwrap_or(full) }
    }

    /// Returns a path in the form in which the files keep it: an absolute path inside the repository becomes
    /// relative to the repository's top.
    pub(super) fn stored_path(&self, path: &str) -> String {
        let inner = Path::new(path).is_absolute().then(|| {
            let real = paths::canonical_key(Path::new(path));
            real.strip_prefix(&self.root).ok().and_then(Path::to_str).map(ToOwned::to_owned)
        });
        inner.flatten().unwrap_or_else(|| path.to_owned())
    }

    /// Returns the file that a path names, relative to the repository's top or else to this directory.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let from_top = self.root.join(path);
        let from_here = self.path.join(path);
        if !from_top.exists() && from_here.exists() { from_here } else { from_top }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// One problem for each file that cannot be used.
    pub(super) fn read(&self, plan: Option<&FilePath>) -> Result<TaskTexts, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read =
            |file: &FilePath| read_text(file).map_err(|problem| problems.push(problem)).unwrap_or_default();
        let state = read(&self.state());
        let todo = read(&self.todo());
        let plan = plan.map(&mut read);
        if problems.is_empty() { Ok(TaskTexts { state, todo, plan }) } else { Err(problems) }
    }

    /// Checks that artifacts are files with content. If some are not, all are checked once more after one
    /// second, because a writer may be about to finish.
    pub(super) fn check_artifacts(&self, artifacts: &[Artifact]) -> Vec<Problem> {
        let check = || -> Vec<Problem> {
            artifacts.iter().filter_map(|one| self.check_artifact(&one.path)).collect()
        };
        let found = check();
        if found.is_empty() {
            return found;
        }
        thread::sleep(ARTIFACT_RETRY_DELAY);
        check()
    }

    fn check_artifact(&self, path: &str) -> Option<Problem> {
        let why = match self.resolve(path).metadata() {
            Err(err) if err.kind() == io::ErrorKind::NotFound => "is not there".to_owned(),
            Err(err) => format!("cannot be looked at: {err}"),
            Ok(found) if found.is_dir() => "is a directory".to_owned(),
            Ok(found) if !found.is_file() => "is not a file".to_owned(),
            Ok(found) if found.len() == 0 => "is empty".to_owned(),
            Ok(_) => return None,
        };
        Some(Problem::new(Kind::ArtifactValidationFailed, format!("the artifact {path} {why}")))
    }
}

/// Reads the text of a file, which must not be empty.
pub(super) fn read_text(file: &FilePath) -> Result<String, Problem> {
    let name = format!("{}{}", file.label, file.name);
    let content = files::read(&file.path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => {
            Problem::new(Kind::FileNotFound, format!("{name} is not there ({})", file.path.display()))
        }
        _ => Problem::new(Kind::FileUnreadable, format!("{name} cannot be read: {err}")),
    })?;
    let text = String::from_utf8(content)
        .map_err(|_| Problem::new(Kind::ParseError, format!("{name} is not valid UTF-8")))?;
    if text.trim().is_empty() {
        return Err(Problem::new(Kind::ParseError, format!("{name} is empty")));
    }
    Ok(text)
}
