//! Reading takes the same memory however much there is: real processes under a limit.

use std::process::{Command, Output};

use crate::support::{Sandbox, render, run};

/// Under a limit on the memory of its own that a process may have, in KiB.
fn with_limit(sandbox: &Sandbox, limit: u32, args: &[&str]) -> Output {
    let mut command = Command::new("sh");
    sandbox.seal(&mut command);
    command
        .args(["-c", "ulimit -d \"$1\"; shift; exec \"$@\" >/dev/null", "sh", &limit.to_string()])
        .arg(assert_cmd::cargo::cargo_bin!("ic"))
        .args(args);
    run(command)
}

/// EV-07: a log many times larger than the limit is tailed, listed, exported, checked, and copied.
#[test]
fn a_large_log_is_read_in_little_memory() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(90_000);
    let agents: Vec<_> = (0..9).map(|nth| format!("\"a{nth}\":\"{long}\"")).collect();
    let payload = format!(
        r#"{{"finding_id":"f","resolution":"r","chosen_severity":"P1","impact":"i","agents":{{{}}}}}"#,
        agents.join(",")
    );
    std::fs::write(sandbox.dir().join("payload.json"), payload).unwrap();
    for _ in 0..30 {
        let kind = "--type=execution_defect";
        sandbox.ok(["events", "record", "--source=review", kind, "--payload=@payload.json"]);
    }
    for args in [
        &["events", "tail", "--all", "--limit=1000000"][..],
        &["events", "tail", "--all", "--limit=1000000", "--page"],
        &["events", "tail", "--consumer=c", "--limit=1000000", "--format=cloudevents"],
        &["events", "list-review"],
        &["events", "export", "-"],
        &["events", "export", "log.jsonl"],
        &["events", "verify"],
        &["events", "stats"],
        &["health", "--deep"],
        &["backup", "copy.db"],
        &["restore", "copy.db"],
    ] {
        let output = with_limit(&sandbox, 24 * 1024, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", render(&output));
    }
    let other = Sandbox::new();
    std::fs::rename(sandbox.dir().join("log.jsonl"), other.dir().join("log.jsonl")).unwrap();
    let output = with_limit(&other, 24 * 1024, &["events", "import", "log.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", render(&output));
}
