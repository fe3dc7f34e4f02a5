//! The chapter on routing overrides.

use super::stage::Stage;
use crate::app::Error;

/// A reviewer is left out: by a commit of one file, with its record, and back again.
pub(super) fn routing(stage: &mut Stage) -> Result<(), Error> {
    stage.chapter("A reviewer is left out, by a commit of one file")?;
    // Whatever the machine's own configuration says.
    for (key, value) in
        [("user.name", "ic demo"), ("user.email", "demo@example.org"), ("commit.gpgsign", "false")]
    {
        if stage.git(&["config", key, value])?.is_none() {
            return stage.say("git is not installed: this chapter is left out.");
        }
    }
    stage.file("agents/review/fd-performance.md", "Looks at speed.\n")?;
    let rules = r#"{"modification_allow_list": [".claude/routing-overrides.json"]}"#;
    stage.file(".clavain/interspect/protected-paths.json", rules)?;
    stage.say("Something else is staged: it is not ours, and stays staged.")?;
    stage.file("notes.md", "half a thought\n")?;
    stage.git(&["add", "notes.md"])?;
    let roster = "--roster=agents/review";
    stage.ic(&["interspect", "propose", "fd-performance", "--reason=slow, and never right", roster])?;
    let done = stage.json(&["interspect", "approve", "fd-performance", "--by=reviewer", roster])?;
    let commit = done["commit"].as_str().unwrap_or("");
    let brought = stage.git(&["show", "--format=", "--name-only", commit])?.unwrap_or_default();
    stage.check("the commit has that one file", brought == ".claude/routing-overrides.json")?;
    let status = stage.git(&["status", "--porcelain", "--", "notes.md", ".claude"])?.unwrap_or_default();
    stage.check("the note is still staged, and nothing else is to be done", status == "A  notes.md")?;
    let triage = stage.json(&["interspect", "triage", roster])?;
    stage.check("whoever picks reviewers leaves it out", triage["agents"][0]["excluded"] == true)?;
    stage.say("A second time is refused, naming the first.")?;
    stage.ic_exit(1, &["interspect", "apply", "fd-performance", "--reason=slow", roster])?;
    stage.ic(&[
        "interspect",
        "revert",
        "fd-performance",
        "--blacklist",
        "--reason=it was right after all",
    ])?;
    let told = stage.events(&["events", "tail", "--all", "--source=interspect", "--limit=1000"])?;
    stage.check("every step is in the log", told.len() == 4)
}
