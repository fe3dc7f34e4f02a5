//! The chapter on reservations: a conflict, a wait, an edit that is denied.

use serde_json::json;

use super::script::DemoScript;
use crate::app::Error;

/// Shows how two agents share one file.
pub(super) fn files(demo: &mut DemoScript<'_>) -> Result<(), Error> {
    demo.chapter("Two agents, one file")?;
    let reserve = ["coordination", "reserve", "--scope=.", "--pattern"];
    let ann = [&reserve[..], &["src/**", "--owner=ann", "--reason=new grammar"]].concat();
    let lock = demo.json(&ann)?;
    let bob = [&reserve[..], &["src/parser.txt", "--owner=bob"]].concat();
    demo.ic_exit(1, &bob)?;
    demo.explain("Bob's editor asks before each edit, through a hook; the answer denies this one.")?;
    let edit =
        json!({ "session_id": "bob", "tool_name": "Edit", "tool_input": { "file_path": "src/parser.txt" } });
    let denied = demo.ic_with_stdin(&["hook", "pre-edit"], &edit)?;
    demo.check(
        "the edit is denied, and the agent is told which owner has the file",
        denied.contains("reserved by ann"),
    )?;
    demo.explain("So bob waits, and gets the file when ann releases it.")?;
    let waiting = demo.start_call(&[&bob[..], &["--wait=30s"]].concat())?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    demo.ic(&["coordination", "release", "--owner=ann", "--scope=."])?;
    demo.finish_call(waiting)?;
    let allowed = demo.ic_with_stdin(&["hook", "pre-edit"], &edit)?;
    demo.check("now the hook allows the edit", allowed.is_empty())?;
    demo.explain("Ann's lock has ended: its token no longer holds, so nothing is written under it.")?;
    let (id, token) = (lock["lock"]["id"].as_str().unwrap_or(""), lock["lock"]["fence"].to_string());
    demo.ic_exit(1, &["coordination", "verify", id, "--token", &token])?;
    Ok(())
}
