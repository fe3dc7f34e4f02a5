//! Tasks in files: both change, or none.

use super::stage::Stage;
use crate::app::Error;

/// A task's way from research to a plan, and what is refused on it.
pub(super) fn tasks(stage: &mut Stage) -> Result<(), Error> {
    stage.chapter("Tasks in TODO.md and state.json")?;
    let todo = "# TODO\n\n### 7. Write the parser\n- **Status**: [NOT STARTED]\n\n### 8. Write the printer\n- **Status**: [NOT STARTED]\n";
    stage.file("specs/TODO.md", todo)?;
    let objects = "{\"active_projects\": [{\"project_number\": 7, \"status\": \"not_started\"}, {\"project_number\": 8, \"status\": \"not_started\"}]}\n";
    stage.file("specs/state.json", objects)?;
    stage.ic(&["task", "preflight", "7", "--to=researching"])?;
    stage.say("Somebody else who wants to begin is told that it is taken, and nothing changes.")?;
    stage.ic_exit(1, &["task", "preflight", "7", "--to=researching"])?;
    stage.file("specs/7_parser/reports/research-001.md", "Three ways, one of them short.\n")?;
    let report = "--artifact=research:specs/7_parser/reports/research-001.md";
    let done = stage.json(&["task", "postflight", "7", "--to=researched", report, "--no-commit"])?;
    stage.check("both files were changed, and one link is new", {
        done["files_updated"].as_array().map(Vec::len) == Some(2)
            && done["links_added"].as_array().map(Vec::len) == Some(1)
    })?;
    let link = "--artifact=specs/7_parser/reports/research-001.md";
    stage.ic(&["task", "verify", "7", "--status=researched", link])?.expect_same("task 7: ok")?;
    let again = stage.json(&["task", "postflight", "7", "--to=researched", report, "--no-commit"])?;
    stage
        .check("a second time there is nothing to change", again["files_updated"] == serde_json::json!([]))?;
    stage.ic(&["task", "list"])?;
    let found = stage.json(&["task", "audit"])?;
    stage.check("the files agree", found == serde_json::json!([]))
}
