//! `ic hook install`, `ic hook uninstall`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::Error;
use crate::cli::output::View;
use crate::cli::verb::Verb;
use crate::cli::{Answer, Cx};
use crate::domain::install::{self, Change};
use crate::domain::text::one_line;
use crate::os::{commit, files, paths, swap};

/// Which files to change.
#[derive(Debug, clap::Args)]
struct Which {
    /// The agent's settings, `.claude/settings.json` at the top of the repository
    #[arg(long)]
    claude: bool,
    /// Git's pre-commit hook
    #[arg(long)]
    git: bool,
    /// Only say what would be changed, and to what
    #[arg(long)]
    dry_run: bool,
}

/// Call the hooks from an agent's settings and from git
///
/// Adds `ic hook pre-edit`, `post-edit` and, for the end of a session, `stop` to the agent's settings, and
/// `ic hook pre-commit` to git's hook; without --claude or --git to both. Hooks that an earlier release added
/// are replaced; other content stays as it is, and doing it again changes nothing.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook install --dry-run\n         ic hook install --claude")]
pub(in crate::cli) struct Install {
    #[command(flatten)]
    which: Which,
}

/// Take the hooks out again
///
/// Removes what `ic hook install` of this or an earlier release added and nothing else, from both places or
/// from the one that is named.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Example: ic hook uninstall")]
pub(in crate::cli) struct Uninstall {
    #[command(flatten)]
    which: Which,
}

#[derive(Serialize)]
struct Done {
    file: PathBuf,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct All(Vec<Done>);

impl View for All {
    fn human(&self, w: &mut dyn Write) -> io::Result<()> {
        for Done { file, change, content } in &self.0 {
            writeln!(w, "{change}\t{}", one_line(&file.display().to_string()))?;
            if let Some(content) = content {
                writeln!(w, "{}", content.trim_end())?;
            }
        }
        Ok(())
    }
}

impl Verb for Install {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let settings = |text: Option<&str>| install::settings_with(text);
        self.which.carry_out(cx, &settings, &|text| install::script_with(text))
    }
}

impl Verb for Uninstall {
    fn run(self, cx: &mut Cx) -> Result<Answer, Error> {
        let settings = |text: Option<&str>| install::settings_without(text);
        self.which.carry_out(cx, &settings, &|text| Ok(install::script_without(text)))
    }
}

/// From what a file holds to what it is to become.
type Plan<'a> = &'a dyn Fn(Option<&str>) -> Result<Change, String>;

impl Which {
    fn carry_out(&self, cx: &mut Cx, settings: Plan<'_>, script: Plan<'_>) -> Result<Answer, Error> {
        let cwd = paths::canonical_key(&cx.cwd()?);
        let top = paths::git_top_level(&cwd).unwrap_or_else(|| cwd.clone());
        let both = !self.claude && !self.git;
        let mut planned = Vec::new();
        if self.claude || both {
            planned.push(plan(top.join(".claude/settings.json"), 0o644, settings)?);
        }
        if self.git || both {
            match commit::hooks(&top) {
                Ok(hooks) if both && hooks.exists() && !hooks.is_dir() => {
                    cx.out.warn(format_args!("no git hook: {} is no directory", hooks.display()));
                }
                Ok(hooks) => planned.push(plan(hooks.join("pre-commit"), 0o755, script)?),
                Err(err) if both => cx.out.warn(format_args!("no git hook: {}", one_line(&err.to_string()))),
                Err(source) => {
                    return Err(Error::File { what: "asking git in", path: top, source });
                }
            }
        }
        // Nothing is written before all of it is known to be possible.
        let mut done = Vec::new();
        for Planned { file, mode, exists, change } in planned {
            let word = match &change {
                Change::None => "unchanged",
                Change::Write(_) if exists => "changed",
                Change::Write(_) => "created",
                Change::Remove(_) => "removed",
            };
            if !self.dry_run {
                apply(&file, mode, &change)?;
            }
            if mode & 0o100 != 0
                && exists
                && !matches!(change, Change::Remove(_))
                && !files::is_executable(&file)
            {
                cx.out.warn(format_args!("{} is not executable: git does not run it", file.display()));
            }
            let content = match change {
                Change::Write(text) if self.dry_run => Some(text),
                _ => None,
            };
            done.push(Done { file, change: word, content });
        }
        cx.out.show(&All(done))?;
        Ok(Answer::Yes)
    }
}

struct Planned {
    file: PathBuf,
    mode: u32,
    exists: bool,
    change: Change,
}

fn plan(file: PathBuf, mode: u32, plan: Plan<'_>) -> Result<Planned, Error> {
    if file.is_symlink() && !file.exists() {
        let err = io::Error::other("it is a symlink to a file that is not there");
        return Err(Error::File { what: "reading", path: file, source: err });
    }
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(err) if err.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::File { what: "reading", path: file, source }),
    };
    let change = plan(text.as_deref())
        .map_err(|err| Error::Input(format!("{}: {err}; nothing was changed", file.display())))?;
    Ok(Planned { file, mode, exists: text.is_some(), change })
}

fn apply(file: &Path, mode: u32, change: &Change) -> Result<(), Error> {
    let done = match change {
        Change::None => Ok(()),
        Change::Write(text) => file
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| swap::put(file, text.as_bytes(), mode)),
        // A link is somebody's way to the file: it stays, and so does the file.
        Change::Remove(left) if file.is_symlink() => swap::put(file, left.as_bytes(), mode),
        Change::Remove(_) => std::fs::remove_file(file),
    };
    done.map_err(|source| Error::File { what: "writing", path: file.to_owned(), source })
}
