//! The roster: which agents there are. An agent is there if a directory of the roster has a file for it, `fd-x.md` (IS-07).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Where;
use crate::domain::order;
use crate::domain::routing::AgentName;
use crate::os::paths;

/// How deep below a user's plugins directories of agents are looked for.
const DEPTH: usize = 6;
/// How many directories are looked at there.
const MOST: usize = 2000;

/// Directories in which agents are defined.
pub(super) struct Roster {
    dirs: Vec<PathBuf>,
}

impl Roster {
    /// The directories that `--roster` names, else `INTERSPECT_ROSTER`, else those of the project and of installed plugins.
    pub(super) fn find(given: &Where, top: &Path, cwd: &Path) -> Self {
        let dirs = if given.roster.is_empty() {
            match std::env::var_os("INTERSPECT_ROSTER").filter(|dirs| !dirs.is_empty()) {
                Some(dirs) => std::env::split_paths(&dirs).map(|dir| paths::clean(&dir, cwd)).collect(),
                None => defaults(top),
            }
        } else {
            given.roster.iter().map(|dir| paths::clean(Path::new(dir), cwd)).collect()
        };
        Self { dirs }
    }

    /// Whether an agent is there.
    pub(super) fn has(&self, agent: &str) -> bool {
        let file = format!("{agent}.md");
        self.dirs.iter().any(|dir| dir.join(&file).is_file())
    }

    /// Every agent that can be left out, by name.
    pub(super) fn members(&self) -> BTreeSet<AgentName> {
        let files = self.dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
        order::set(files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".md")?.parse().ok()))
    }
}

fn defaults(top: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![top.join(".claude/agents"), top.join("agents/review")];
    for plugin in fs::read_dir(top.join("plugins")).into_iter().flatten().flatten() {
        dirs.push(plugin.path().join("agents/review"));
    }
    if let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        let mut left = MOST;
        installed(&Path::new(&home).join(".claude/plugins"), DEPTH, &mut left, &mut dirs);
    }
    dirs
}

/// The directories of agents of installed plugins: wherever below there is one called `agents`, it and its `review`.
fn installed(dir: &Path, depth: usize, left: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // Not through symlinks: they may lead in a circle.
        if *left == 0 || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        *left -= 1;
        let path = entry.path();
        if entry.file_name() == "agents" {
            found.extend([path.clone(), path.join("review")]);
        } else if depth > 0 {
            installed(&path, depth - 1, left, found);
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
        let mut roster = Roster { dirs: defaults(dir.path()) };
        assert!(roster.has("fd-a") && roster.has("fd-b") && roster.has("fd-c") && !roster.has("fd-no"));
        agent("home/cache/market/plug/1.0/agents/review/fd-d.md");
        agent("home/cache/market/plug/1.0/agents/fd-e.md");
        let mut found = Vec::new();
        installed(&dir.path().join("home"), DEPTH, &mut 100, &mut found);
        roster.dirs = found;
        let members: Vec<_> = roster.members().iter().map(ToString::to_string).collect();
        assert_eq!(members, ["fd-d", "fd-e"]);
        let given = Where { roster: vec!["home/../agents/review".to_owned()], ..Where::default() };
        assert!(Roster::find(&given, Path::new("/none"), dir.path()).has("fd-b"));
    }
}
