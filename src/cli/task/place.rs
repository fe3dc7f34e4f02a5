//! Where a project's task files are, and what they hold.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::app::Error;
use crate::domain::task::change::Texts;
use crate::domain::task::link::Artifact;
use crate::domain::task::problem::{Kind, Problem};
use crate::os::{paths, swap};

/// Where the files are looked for, below the working directory and then below the top of its repository.
const PLACES: [&str; 3] = ["specs", ".claude/specs", ".opencode/specs"];

/// How long an artifact that is not there yet is waited for (TS-11).
const PATIENCE: Duration = Duration::from_secs(1);

/// One of the files that change together.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As people know it.
    pub shown: String,
    /// What it is, before its name.
    pub what: &'static str,
    /// Where it really is: a symlink stays one.
    pub path: PathBuf,
}

/// The directory of the task files.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// Without symlinks.
    pub path: PathBuf,
    /// The top of its repository, or what stands for it.
    pub root: PathBuf,
    /// The directory from there.
    pub relative: String,
}

/// What was read at one time: the state, the list, and the plan if one is to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub state: String,
    pub todo: String,
    pub plan: Option<String>,
}

impl Held {
    /// For the rules.
    pub(super) fn texts(&self) -> Texts<'_> {
        Texts { todo: &self.todo, state: &self.state, plan: self.plan.as_deref() }
    }
}

impl Directory {
    /// The directory that was named, or the first that there is.
    pub(super) fn find(given: Option<&str>) -> Result<Self, Error> {
        let cwd = crate::app::locate::cwd()?;
        let top = paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
        let known = |dir: &PathBuf| dir.join("TODO.md").exists() || dir.join("state.json").exists();
        let found = match given {
            Some(given) => Some(paths::clean(Path::new(given), &cwd)).filter(|dir| dir.is_dir()),
            None => {
                [cwd.as_path(), &top].iter().flat_map(|base| PLACES.map(|place| base.join(place))).find(known)
            }
        };
        let found = found.and_then(|dir| dir.canonicalize().ok());
        let path = found.ok_or_else(|| Error::NoTasks(given.unwrap_or("specs").to_owned()))?;
        let root = paths::git_top_level(&path)
            .or_else(|| {
                let place = PLACES.into_iter().rev().find(|place| path.ends_with(place))?;
                path.ancestors().nth(place.split('/').count()).map(Path::to_owned)
            })
            .unwrap_or_else(|| path.parent().unwrap_or(&path).to_owned());
        let relative = path.strip_prefix(&root).ok().and_then(Path::to_str);
        let relative = relative
            .ok_or_else(|| Error::usage(format!("--dir is not valid UTF-8: {}", path.display())))?
            .to_owned();
        Ok(Self { path, root, relative })
    }

    /// The name under which work in it is known.
    pub(super) fn resource(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// The list of tasks.
    pub(super) fn todo(&self) -> Place {
        self.place("TODO.md")
    }

    /// Their state.
    pub(super) fn state(&self) -> Place {
        self.place("state.json")
    }

    /// A path as it is to be written: one that begins at the root of the file system, from the top of the repository.
    pub(super) fn written(&self, path: &str) -> String {
        let inner = Path::new(path).is_absolute().then(|| {
            let real = paths::canonical_key(Path::new(path));
            real.strip_prefix(&self.root).ok().and_then(Path::to_str).map(ToOwned::to_owned)
        });
        inner.flatten().unwrap_or_else(|| path.to_owned())
    }

    /// Where a path leads that is meant from the top of the repository, or else from this directory.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let from_top = self.root.join(path);
        let from_here = self.path.join(path);
        if !from_top.exists() && from_here.exists() { from_here } else { from_top }
    }

    /// A file of tasks, or a plan.
    pub(super) fn place(&self, path: &str) -> Place {
        let full = self.path.join(path);
        Place { shown: path.to_owned(), what: "", path: full.canonicalize().unwrap_or(full) }
    }

    /// A plan, as the caller names it.
    pub(super) fn plan(&self, path: &str) -> Place {
        let full = self.resolve(path);
        Place { shown: path.to_owned(), what: "the plan ", path: full.canonicalize().unwrap_or(full) }
    }

    /// Reads the files, or says which of them cannot be (TS-05).
    pub(super) fn read(&self, plan: Option<&Place>) -> Result<Held, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read = |place: &Place| match text(place) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem);
                String::new()
            }
        };
        let state = read(&self.state());
        let todo = read(&self.todo());
        let plan = plan.map(&mut read);
        if problems.is_empty() { Ok(Held { state, todo, plan }) } else { Err(problems) }
    }

    /// What is wrong with artifacts that have to be files with content. Who is not there yet is waited for, once.
    pub(super) fn check(&self, artifacts: &[Artifact]) -> Vec<Problem> {
        let look = || -> Vec<Problem> {
            artifacts.iter().filter_map(|artifact| self.wrong(&artifact.path)).collect()
        };
        let found = look();
        if found.is_empty() {
            return found;
        }
        thread::sleep(PATIENCE);
        look()
    }

    fn wrong(&self, path: &str) -> Option<Problem> {
        let why = match self.resolve(path).metadata() {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => "is not there".to_owned(),
            Err(err) => format!("cannot be looked at: {err}"),
            Ok(found) if found.is_dir() => "is a directory".to_owned(),
            Ok(found) if !found.is_file() => "is not a file".to_owned(),
            Ok(found) if found.len() == 0 => "is empty".to_owned(),
            Ok(_) => return None,
        };
        Some(Problem::new(Kind::ArtifactValidationFailed, format!("the artifact {path} {why}")))
    }
}

/// The text of a file that has to have one.
pub(super) fn text(place: &Place) -> Result<String, Problem> {
    let shown = format!("{}{}", place.what, place.shown);
    let content = swap::read(&place.path).map_err(|err| match err.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::new(Kind::FileNotFound, format!("{shown} is not there ({})", place.path.display()))
        }
        _ => Problem::new(Kind::FileUnreadable, format!("{shown} cannot be read: {err}")),
    })?;
    let text = String::from_utf8(content)
        .map_err(|_| Problem::new(Kind::ParseError, format!("{shown} is not valid UTF-8")))?;
    if text.trim().is_empty() {
        return Err(Problem::new(Kind::ParseError, format!("{shown} is empty")));
    }
    Ok(text)
}
