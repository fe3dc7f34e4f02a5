//! Adding the hooks to an agent's settings and to git, and removing them.

use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{CommandContext, Error, Reply};
use crate::domain::install::{self, Change};
use crate::domain::text::one_line;
use crate::os::{atomic, files, git::query, paths};

/// Which files are changed; both if neither is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InstallRequest {
    /// The agent's settings.
    pub claude: bool,
    /// Git's pre-commit hook.
    pub git: bool,
    pub dry_run: bool,
}

/// The files that hold the hooks.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct InstallAnswer(pub Vec<FileChange>);

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileChange {
    pub file: PathBuf,
    pub change: ChangeKind,
    /// What a dry run would write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChangeKind {
    Unchanged,
    Changed,
    Created,
    Removed,
}

impl ChangeKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Created => "created",
            Self::Removed => "removed",
        }
    }
}

/// Adds the hooks.
///
/// # Errors
/// * [`Error::Input`] if a file is not of the expected form; nothing is changed then.
/// * [`Error::File`] if a file cannot be read or written, or git names no directory for hooks.
pub(crate) fn install(cx: &CommandContext, request: InstallRequest) -> Result<Reply<InstallAnswer>, Error> {
    let settings = |text: Option<&str>| install::settings_with(text);
    change(cx, request, &settings, &|text| install::script_with(text))
}

/// Removes the hooks, and nothing else.
///
/// # Errors
/// As [`install`].
pub(crate) fn uninstall(cx: &CommandContext, request: InstallRequest) -> Result<Reply<InstallAnswer>, Error> {
    let settings = |text: Option<&str>| install::settings_without(text);
    change(cx, request, &settings, &|text| Ok(install::script_without(text)))
}

/// Computes the change of a file from its text; `None` if it does not exist.
type Edit<'a> = &'a dyn Fn(Option<&str>) -> Result<Change, String>;

fn change(
    cx: &CommandContext,
    request: InstallRequest,
    settings: Edit<'_>,
    script: Edit<'_>,
) -> Result<Reply<InstallAnswer>, Error> {
    let InstallRequest { claude, git, dry_run } = request;
    let cwd = paths::canonical_key(&cx.cwd()?);
    let top = paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
    let both = !claude && !git;
    let mut planned = Vec::new();
    if claude || both {
        planned.push(plan(top.join(".claude/settings.json"), 0o644, settings)?);
    }
    if git || both {
        match query::hooks(&top) {
            Ok(hooks) if both && hooks.exists() && !hooks.is_dir() => {
                cx.warn(format_args!("no git hook: {} is no directory", hooks.display()));
            }
            Ok(hooks) => planned.push(plan(hooks.join("pre-commit"), 0o755, script)?),
            Err(err) if both => cx.warn(format_args!("no git hook: {}", one_line(&err.to_string()))),
            Err(source) => return Err(Error::File { what: "asking git in", path: top, source }),
        }
    }
    // Every change was computed before the first is made: a file that cannot be changed leaves the other
    // alone.
    let mut changes = Vec::new();
    for PlannedChange { file, mode, exists, change } in planned {
        let kind = match &change {
            Change::None => ChangeKind::Unchanged,
            Change::Write(_) if exists => ChangeKind::Changed,
            Change::Write(_) => ChangeKind::Created,
            Change::Remove(_) => ChangeKind::Removed,
        };
        if !dry_run {
            apply(&file, mode, &change)?;
        }
        let is_script = mode & 0o100 != 0;
        if is_script && exists && kind != ChangeKind::Removed && !files::is_executable(&file) {
            cx.warn(format_args!("{} is not executable: git does not run it", file.display()));
        }
        let content = match change {
            Change::Write(text) if dry_run => Some(text),
            _ => None,
        };
        changes.push(FileChange { file, change: kind, content });
    }
    Ok(Reply::yes(InstallAnswer(changes)))
}

struct PlannedChange {
    file: PathBuf,
    mode: u32,
    exists: bool,
    change: Change,
}

fn plan(file: PathBuf, mode: u32, edit: Edit<'_>) -> Result<PlannedChange, Error> {
    if file.is_symlink() && !file.exists() {
        let err = io::Error::other("it is a symlink to a file that is not there");
        return Err(Error::File { what: "reading", path: file, source: err });
    }
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(err) if err.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::File { what: "reading", path: file, source }),
    };
    let change = edit(text.as_deref())
        .map_err(|err| Error::Input(format!("{}: {err}; nothing was changed", file.display())))?;
    Ok(PlannedChange { file, mode, exists: text.is_some(), change })
}

fn apply(file: &Path, mode: u32, change: &Change) -> Result<(), Error> {
    let done = match change {
        Change::None => Ok(()),
        Change::Write(text) => file
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| atomic::put(file, text.as_bytes(), mode)),
        // The symlink and its target belong to the user, so both stay.
        Change::Remove(left) if file.is_symlink() => atomic::put(file, left.as_bytes(), mode),
        Change::Remove(_) => std::fs::remove_file(file),
    };
    done.map_err(|source| Error::File { what: "writing", path: file.to_owned(), source })
}
