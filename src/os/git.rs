//! What the version control of a project says.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit that a working tree is at; `None` where there is no repository, no commit, or no `git`.
pub fn head(dir: &Path) -> Option<String> {
    // Without a repository nearby `git` need not be started.
    super::paths::git_top_level(dir)?;
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["rev-parse", "--verify", "--quiet", "HEAD"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
