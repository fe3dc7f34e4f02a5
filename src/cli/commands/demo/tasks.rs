//! The chapter on tasks: both files change, or neither.

use super::script::DemoScript;
use crate::app::Error;

/// Shows a task from research to its report, and a second start that is refused.
pub(super) fn tasks(demo: &mut DemoScript<'_>) -> Result<(), Error> {
    demo.chapter("Tasks in TODO.md and state.json")?;
    let todo = "# TODO\n\n### 7. Write the parser\n- **Status**: [NOT STARTED]\n\n### 8. Write the printer\n- **Status**: [NOT STARTED]\n";
    demo.file("specs/TODO.md", todo)?;
    let objects = "{\"active_projects\": [{\"project_number\": 7, \"status\": \"not_started\"}, {\"project_number\": 8, \"status\": \"not_started\"}]}\n";
    demo.file("specs/state.json", objects)?;
    demo.ic(&["task", "preflight", "7", "--to=researching"])?;
    demo.explain(
        "A second start is refused, because the task is already being worked on, and nothing changes.",
    )?;
    demo.ic_exit(1, &["task", "preflight", "7", "--to=researching"])?;
    demo.file("specs/7_parser/reports/research-001.md", "Three ways, one of them short.\n")?;
    let report = "--artifact=research:specs/7_parser/reports/research-001.md";
    let done = demo.json(&["task", "postflight", "7", "--to=researched", report, "--no-commit"])?;
    demo.check("both files were changed, and one link is new", {
        done["files_updated"].as_array().map(Vec::len) == Some(2)
            && done["links_added"].as_array().map(Vec::len) == Some(1)
    })?;
    let link = "--artifact=specs/7_parser/reports/research-001.md";
    demo.ic(&["task", "verify", "7", "--status=researched", link])?.expect_same("task 7: ok")?;
    let again = demo.json(&["task", "postflight", "7", "--to=researched", report, "--no-commit"])?;
    demo.check("a second time there is nothing to change", again["files_updated"] == serde_json::json!([]))?;
    demo.ic(&["task", "list"])?;
    let found = demo.json(&["task", "audit"])?;
    demo.check("the files agree", found == serde_json::json!([]))
}
