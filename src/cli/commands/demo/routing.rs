//! The chapter on routing overrides.

use super::script::DemoScript;
use crate::app::Error;

/// Shows how a reviewer is left out by a commit of one file, and how that is reverted.
pub(super) fn routing(demo: &mut DemoScript<'_>) -> Result<(), Error> {
    demo.chapter("A reviewer is left out, by a commit of one file")?;
    // The demo must not depend on the machine's own configuration of git.
    for (key, value) in
        [("user.name", "ic demo"), ("user.email", "demo@example.org"), ("commit.gpgsign", "false")]
    {
        if demo.git(&["config", key, value])?.is_none() {
            return demo.explain("git is not installed: this chapter is left out.");
        }
    }
    demo.file("agents/review/fd-performance.md", "Looks at speed.\n")?;
    let rules = r#"{"modification_allow_list": [".claude/routing-overrides.json"]}"#;
    demo.file(".clavain/interspect/protected-paths.json", rules)?;
    demo.explain("Another file is staged: it is not part of the change, and stays staged.")?;
    demo.file("notes.md", "half a thought\n")?;
    demo.git(&["add", "notes.md"])?;
    let roster = "--roster=agents/review";
    demo.ic(&["interspect", "propose", "fd-performance", "--reason=slow, and never right", roster])?;
    let done = demo.json(&["interspect", "approve", "fd-performance", "--by=reviewer", roster])?;
    let commit = done["commit"].as_str().unwrap_or("");
    let changed = demo.git(&["show", "--format=", "--name-only", commit])?.unwrap_or_default();
    demo.check("the commit has that one file", changed == ".claude/routing-overrides.json")?;
    let status = demo.git(&["status", "--porcelain", "--", "notes.md", ".claude"])?.unwrap_or_default();
    demo.check("the note is still staged, and nothing else has changed", status == "A  notes.md")?;
    let triage = demo.json(&["interspect", "triage", roster])?;
    demo.check("the triage leaves it out", triage["agents"][0]["excluded"] == true)?;
    demo.explain("A second time is refused, naming the first.")?;
    demo.ic_exit(1, &["interspect", "apply", "fd-performance", "--reason=slow", roster])?;
    demo.ic(&["interspect", "revert", "fd-performance", "--blacklist", "--reason=it was right after all"])?;
    let events = demo.events(&["events", "tail", "--all", "--source=interspect", "--limit=1000"])?;
    demo.check("every step is in the log", events.len() == 4)
}
