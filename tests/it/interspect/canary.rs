//! Canaries: how an override turns out.

use serde_json::{Value, json};

use super::Project;
use crate::support::{render, run};

/// One session of an agent, at so many seconds after the usual time: overrides, of which so many say it was wrong, and
/// as many other rows.
fn session(project: &Project, name: &str, later: i64, overrides: usize, wrong: usize) {
    for nth in 0..overrides.max(1) {
        let kind = if nth < overrides { "--type=override" } else { "--type=agent_dispatch" };
        let reason = if nth < wrong { "--reason=agent_wrong" } else { "--reason=stale" };
        let session = format!("--session={name}");
        let output = project.at(later, &["record", "--agent=fd-a", kind, reason, &session]);
        assert!(output.status.success());
    }
}

fn canary(project: &Project, later: i64) -> Value {
    let output = project.at(later, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["canaries"].as_array().unwrap().last().unwrap().clone()
}

fn prepared() -> Project {
    let project = Project::new();
    project.thresholds(r#"{"canary_min_baseline":2,"canary_window_uses":2}"#);
    session(&project, "b1", -900_000, 1, 0);
    session(&project, "b2", -800_000, 1, 0);
    project.ok(&["apply", "fd-a", "--reason=r", "--force"]);
    project
}

/// IS-12: the window is a matter of the program; a canary that nobody has looked at shows as expired.
#[test]
fn a_window_that_is_over_shows_as_such() {
    let project = Project::new();
    project.apply("fd-a");
    let days = 14 * 24 * 3600;
    assert_eq!(canary(&project, 0)["status"], "monitoring", "too few sessions before it to compare with");
    assert_eq!(canary(&project, 0)["window_expires_at"], 1_700_000_000 + days);
    assert_eq!(canary(&project, days - 1)["status"], "monitoring");
    assert_eq!(canary(&project, days)["status"], "expired");
    let output = project.at(days, &["canary", "check", "--json"]);
    assert!(output.status.success(), "{}", render(&output));
    assert_eq!(canary(&project, 0)["status"], "expired_unused");
    assert_eq!(canary(&project, 0)["verdict"], "no session in its window");
    project.check();
}

#[test]
fn a_canary_passes_or_raises_an_alert() {
    let project = prepared();
    assert_eq!(canary(&project, 1)["baseline"]["sessions"], 2);
    session(&project, "a1", 10, 1, 0);
    session(&project, "a1", 11, 1, 0);
    let seen = canary(&project, 12);
    assert_eq!((&seen["status"], &seen["uses"]), (&json!("active"), &json!(1)), "one sample a session");
    session(&project, "a2", 20, 0, 0);
    let output = project.at(21, &["canary", "check"]);
    assert!(render(&output).contains("fd-a\tpassed\t2/2"), "{}", render(&output));
    assert_eq!(output.status.code(), Some(0));
    let told = project.sandbox.events().len();
    project.at(22, &["canary", "check"]);
    assert_eq!(project.sandbox.events().len(), told, "judged once");

    let project = prepared();
    session(&project, "a1", 10, 3, 3);
    session(&project, "a2", 20, 3, 3);
    let output = project.at(21, &["canary", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", render(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        found[0]["verdict"],
        "override_rate rose from 1.000 to 3.000, fp_rate rose from 0.000 to 1.000"
    );
    let events = project.sandbox.events();
    let told = events.iter().find(|event| event["type"] == "canary.alert").unwrap();
    assert_eq!((&told["source"], &told["from_state"]), (&json!("interspect"), &json!("fd-a")));
    project.check();
    project.ok(&["revert", "fd-a"]);
    assert_eq!(project.at(22, &["canary", "check"]).status.code(), Some(0), "it is taken back");
    project.check();
}

/// Nobody judges twice, however many look at once.
#[test]
fn many_judges_one_verdict() {
    let project = prepared();
    session(&project, "a1", 10, 1, 0);
    session(&project, "a2", 20, 1, 0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut command = project.command(&["canary", "check"]);
                command.env("IC_TEST_NOW", "1700000100");
                assert!(run(command).status.success());
            });
        }
    });
    let events = project.sandbox.events();
    let verdicts = events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("canary."));
    assert_eq!(verdicts.count(), 1);
}
