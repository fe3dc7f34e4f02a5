//! Who holds which files: a conflict, a wait, an edit that is denied.

use serde_json::json;

use super::stage::Stage;
use crate::app::Error;

pub(super) fn files(stage: &mut Stage) -> Result<(), Error> {
    stage.chapter("Two agents, one file")?;
    let reserve = ["coordination", "reserve", "--scope=.", "--pattern"];
    let ann = [&reserve[..], &["src/**", "--owner=ann", "--reason=new grammar"]].concat();
    let lock = stage.json(&ann)?;
    let bob = [&reserve[..], &["src/parser.txt", "--owner=bob"]].concat();
    stage.ic_exit(1, &bob)?;
    stage.say("Bob's editor asks before each edit, through a hook; the answer denies this one.")?;
    let edit =
        json!({ "session_id": "bob", "tool_name": "Edit", "tool_input": { "file_path": "src/parser.txt" } });
    let denied = stage.fed(&["hook", "pre-edit"], &edit)?;
    stage.check(
        "the edit is denied, and the agent hears who has the file",
        denied.contains("reserved by ann"),
    )?;
    stage.say("So bob stands in line, and gets the file when ann gives it back.")?;
    let waiting = stage.behind(&[&bob[..], &["--wait=30s"]].concat())?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    stage.ic(&["coordination", "release", "--owner=ann", "--scope=."])?;
    stage.joined(waiting)?;
    let allowed = stage.fed(&["hook", "pre-edit"], &edit)?;
    stage.check("now the hook has nothing to say", allowed.is_empty())?;
    stage
        .say("Ann slept through it; what she holds is not hers any more, and nothing is written under it.")?;
    let (id, token) = (lock["lock"]["id"].as_str().unwrap_or(""), lock["lock"]["fence"].to_string());
    stage.ic_exit(1, &["coordination", "verify", id, "--token", &token])?;
    Ok(())
}
