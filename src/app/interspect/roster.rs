//! The roster: the agents that exist. An agent exists if a directory of the roster has a file for it,
//! `fd-x.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::app::Environment;
use crate::domain::interspect::AgentName;
use crate::domain::order;
use crate::os::paths;

/// The depth to which a user's plugins are searched for directories of agents.
const MAX_DEPTH: usize = 6;
/// The number of directories that are visited there at most.
const MAX_DIRECTORIES: usize = 2000;

/// Directories in which agents are defined.
pub(super) struct Roster {
    dirs: Vec<PathBuf>,
}

impl Roster {
    /// Returns the roster of the directories that are given, else of those in `INTERSPECT_ROSTER`, else of
    /// those of the project and of installed plugins.
    pub(super) fn find(env: &Environment, given: &[PathBuf], top: &Path, cwd: &Path) -> Self {
        let clean = |dirs: &[PathBuf]| dirs.iter().map(|dir| paths::clean(dir, cwd)).collect();
        let dirs = match env.paths("INTERSPECT_ROSTER") {
            _ if !given.is_empty() => clean(given),
            Some(dirs) => clean(&dirs),
            None => defaults(env, top),
        };
        Self { dirs }
    }

    /// Checks whether an agent exists.
    pub(super) fn has(&self, agent: &str) -> bool {
        let file = format!("{agent}.md");
        self.dirs.iter().any(|dir| dir.join(&file).is_file())
    }

    /// Returns all agents that can be excluded, sorted by name.
    pub(super) fn members(&self) -> BTreeSet<AgentName> {
        let files = self.dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
        order::set(files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".md")?.parse().ok()))
    }
}

fn defaults(env: &Environment, top: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![top.join(".claude/agents"), top.join("agents/review")];
    for plugin in fs::read_dir(top.join("plugins")).into_iter().flatten().flatten() {
        dirs.push(plugin.path().join("agents/review"));
    }
    if let Some(home) = env.path("HOME") {
        let mut remaining = MAX_DIRECTORIES;
        collect_installed(&home.join(".claude/plugins"), MAX_DEPTH, &mut remaining, &mut dirs);
    }
    dirs
}

/// Collects the directories of installed plugins: every `agents` below `dir`, and the `review` in it.
fn collect_installed(dir: &Path, depth: usize, remaining: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // Symlinks are not followed: they may lead in a circle.
        if *remaining == 0 || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        *remaining -= 1;
        let path = entry.path();
        if entry.file_name() == "agents" {
            found.extend([path.clone(), path.join("review")]);
        } else if depth > 0 {
            collect_installed(&path, depth - 1, remaining, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IS-07
    #[test]
    fn agents_are_found_where_projects_and_plugins_have_them() {
        let dir = tempfile::tempdir().unwrap();
        let agent = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        agent(".claude/agents/fd-a.md");
        agent("agents/review/fd-b.md");
        agent("plugins/x/agents/review/fd-c.md");
        agent("plugins/x/agents/other/fd-no.md");
        agent(".claude/agents/README.md");
        let nowhere = Environment::Values { variables: [].into(), cwd: dir.path().to_owned() };
        let mut roster = Roster { dirs: defaults(&nowhere, dir.path()) };
        assert!(roster.has("fd-a") && roster.has("fd-b") && roster.has("fd-c") && !roster.has("fd-no"));
        agent("home/cache/market/plug/1.0/agents/review/fd-d.md");
        agent("home/cache/market/plug/1.0/agents/fd-e.md");
        let mut found = Vec::new();
        collect_installed(&dir.path().join("home"), MAX_DEPTH, &mut 100, &mut found);
        roster.dirs = found;
        let members: Vec<_> = roster.members().iter().map(ToString::to_string).collect();
        assert_eq!(members, ["fd-d", "fd-e"]);
        let given = [PathBuf::from("home/../agents/review")];
        assert!(Roster::find(&nowhere, &given, Path::new("/none"), dir.path()).has("fd-b"));
        let variables = [("INTERSPECT_ROSTER".into(), "none:agents/review".into())].into();
        let env = Environment::Values { variables, cwd: dir.path().to_owned() };
        let roster = Roster::find(&env, &[], Path::new("/none"), dir.path());
        assert!(roster.has("fd-b") && !roster.has("fd-a"));
    }
}
