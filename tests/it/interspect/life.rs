//! The life of an override: proposed, approved, applied, changed, taken back.

use serde_json::json;

use super::{FILE, Project};
use crate::support::render;

/// IS-04, IS-05, IS-08: the whole life, with what the file, the history and the tables say at each step.
#[test]
fn an_override_is_proposed_approved_and_taken_back() {
    let project = Project::new();
    let said =
        project.ok(&["propose", "interflux:fd-a", "--reason=wrong 5 of 5", "--evidence=1,2", "--by=s1"]);
    let head = || project.git(&["rev-parse", "HEAD"]);
    assert_eq!(said, format!("SUCCESS: Proposed excluding fd-a. Commit: {}", head()));
    assert_eq!(
        project.read(FILE),
        "{\n  \"version\": 1,\n  \"overrides\": [\n    {\n      \"agent\": \"fd-a\",\n      \"action\": \"propose\",\n      \
         \"reason\": \"wrong 5 of 5\",\n      \"evidence_ids\": [\n        \"1\",\n        \"2\"\n      ],\n      \
         \"created\": \"2023-11-14T22:13:20Z\",\n      \"created_by\": \"s1\"\n    }\n  ]\n}\n"
    );
    let message = || project.git(&["log", "-1", "--format=%B"]);
    assert!(message().starts_with(
        "[interspect] Propose excluding fd-a from flux-drive triage\n\nReason: wrong 5 of 5\nEvidence: [\"1\",\"2\"]\nCreated-by: s1\nIntercore-Intent: "
    ), "{}", message());
    assert_eq!(project.sandbox.count("SELECT count(*) FROM modifications"), 0, "a proposal leaves no row");
    let again = project.json(&["propose", "fd-a", "--reason=other"]);
    assert_eq!((&again["changed"], again["info"].is_string()), (&json!(false), true));

    let output = project.at(0, &["approve", "fd-a", "--by=s1"]);
    assert!(render(&output).contains("proposed and approved by the same"), "{}", render(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("SUCCESS: Approved exclusion for fd-a. Commit: {}\n", head()));
    assert!(message().starts_with(
        "[interspect] Approve: exclude fd-a from flux-drive triage\n\nPromoted from proposal to active exclusion.\nAgent: fd-a\nApproved-by: s1\n"
    ));
    let entry = &project.file()["overrides"][0];
    assert_eq!(
        entry["canary"],
        json!({"status":"active","window_uses":20,"expires_at":"2023-11-28T22:13:20Z"})
    );
    assert_eq!((&entry["confidence"], &entry["approved"]), (&json!(1), &json!("2023-11-14T22:13:20Z")));
    project.check();

    let detail: String =
        project.sandbox.open().query_row("SELECT detail FROM modifications", [], |row| row.get(0)).unwrap();
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
    assert_eq!((&detail["reason"], &detail["evidence"]), (&json!("wrong 5 of 5"), &json!([1, 2])));

    let approved = head();
    let said = project.refused(&["apply", "fd-a", "--reason=again"], 1, "already_applied");
    assert_eq!(said, format!("fd-a is already excluded, by s1 in commit {approved}"));
    project.refused(&["approve", "fd-a"], 1, "already_applied");
    project.refused(&["propose", "fd-a", "--reason=r"], 1, "already_applied");
    project.refused(&["approve", "fd-b"], 1, "no_proposal");

    // IS-05: what it says of itself changes; the same again makes no commit.
    let update = ["apply", "fd-a", "--reason=slower", "--evidence=3", "--domain=tui-app", "--update"];
    let done = project.json(&update);
    assert_eq!((&done["action"], &done["changed"]), (&json!("amend"), &json!(true)));
    let after = head();
    assert_eq!(project.file()["overrides"][0]["scope"], json!({"domains":["tui-app"]}));
    assert_eq!(project.json(&update)["changed"], json!(false));
    assert_eq!(head(), after);
    assert_eq!(project.sandbox.count("SELECT count(*) FROM modifications"), 1);
    assert_eq!(project.git(&["status", "--porcelain"]), "");

    assert_eq!(
        project.ok(&["revert", "fd-a", "--blacklist"]),
        "SUCCESS: Reverted routing override for fd-a."
    );
    assert!(message().starts_with(
        "[interspect] Revert routing override for fd-a\n\nReason: User requested revert via /interspect:interspect-revert\n"
    ));
    assert_eq!(project.file()["overrides"], json!([]));
    let (status, canary): (String, String) = project
        .sandbox
        .open()
        .query_row("SELECT status, canary FROM modifications", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!((status.as_str(), canary.as_str()), ("reverted", "reverted"));
    project.check();
    for verb in ["apply", "propose"] {
        project.refused(&[verb, "fd-a", "--reason=r"], 1, "blacklisted");
    }
    let reverted = head();
    assert!(project.ok(&["revert", "fd-a"]).starts_with("INFO: no override for fd-a"));
    assert_eq!(head(), reverted);

    assert_eq!(project.ok(&["unblock", "fd-a"]), "SUCCESS: Unblocked fd-a.");
    project.refused(&["unblock", "fd-a"], 1, "not_blacklisted");
    project.apply("fd-a");
    project.check();
    let kinds: Vec<_> = project
        .sandbox
        .events()
        .iter()
        .filter(|event| event["source"] == "interspect")
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "override.proposed",
            "override.approved",
            "override.amended",
            "override.reverted",
            "blacklist.added",
            "blacklist.removed",
            "override.applied"
        ]
    );
    assert_eq!(project.ok(&["query"]), "", "what the kernel tells is no record of anybody");
}

/// A proposal may be applied at once, and keeps who made it.
#[test]
fn a_proposal_is_applied_in_its_place() {
    let project = Project::new();
    project.ok(&["propose", "fd-a", "--reason=r", "--by=s1"]);
    project.ok(&["propose", "fd-b", "--reason=r", "--by=s1"]);
    project.ok(&["apply", "fd-a", "--reason=sure", "--by=s2"]);
    let entry = &project.file()["overrides"][0];
    assert_eq!((&entry["agent"], &entry["action"]), (&json!("fd-a"), &json!("exclude")));
    assert_eq!((&entry["created_by"], &entry["reason"]), (&json!("s1"), &json!("sure")));
    project.check();
    project.ok(&["revert", "fd-b"]);
    assert_eq!(project.file()["overrides"].as_array().unwrap().len(), 1, "a proposal can be taken back, too");
    project.check();
}

/// IS-08: one row for a pattern, whoever adds it how often.
#[test]
fn the_blacklist_has_a_pattern_once() {
    let project = Project::new();
    assert_eq!(project.ok(&["blacklist", "interflux:fd-a", "--reason=one"]), "SUCCESS: Blacklisted fd-a.");
    project.ok(&["blacklist", "fd-a", "--reason=two"]);
    assert!(project.ok(&["blacklist", "fd-a", "--reason=two"]).starts_with("INFO"));
    project.ok(&["revert", "fd-a", "--blacklist", "--reason=three"]);
    project.ok(&["blacklist", "some|pattern"]);
    assert_eq!(project.ok(&["blacklist"]), "fd-a\tthree\nsome|pattern\tblacklisted");
    let listed = project.json(&["blacklist"]);
    assert_eq!(listed[0]["pattern_key"], "fd-a");
    project.ok(&["unblock", "some|pattern"]);
    assert_eq!(project.sandbox.count("SELECT count(*) FROM blacklist"), 1);
    assert_eq!(crate::fold::fold(&project.sandbox.events()), crate::fold::stored(&project.sandbox));
}

/// IS-09: the roster decides; whoever knows better says so.
#[test]
fn an_unknown_agent_is_refused() {
    let project = Project::new();
    for verb in ["apply", "propose"] {
        project.refused(&[verb, "fd-none", "--reason=r"], 1, "unknown_agent");
    }
    let output = project.at(0, &["apply", "fd-none", "--reason=r", "--allow-unknown"]);
    assert!(
        output.status.success() && render(&output).contains("fd-none is not in the roster"),
        "{}",
        render(&output)
    );
    project.check();
    // IS-07: the directories are the caller's to name.
    project.write("mine/fd-own.md", "");
    project.refused(&["apply", "fd-a", "--reason=r", "--roster=mine"], 1, "unknown_agent");
    project.ok(&["apply", "fd-own", "--reason=r", "--roster=mine"]);
    let mut command = project.command(&["apply", "fd-a", "--reason=r"]);
    command.env("INTERSPECT_ROSTER", "nowhere:mine");
    assert_eq!(crate::support::run(command).status.code(), Some(1));
}

/// IS-16: an override whose agent has gone is shown as such, and can be taken back.
#[test]
fn an_override_without_its_agent_is_an_orphan() {
    let project = Project::new();
    project.apply("fd-a");
    std::fs::remove_file(project.sandbox.dir().join("agents/review/fd-a.md")).unwrap();
    let status = project.json(&["status"]);
    assert_eq!(status["overrides"][0]["orphaned"], true);
    let triage = project.json(&["triage"]);
    let of = |agent: &str| {
        triage["agents"].as_array().unwrap().iter().find(|one| one["agent"] == agent).cloned().unwrap()
    };
    assert_eq!((&of("fd-a")["orphaned"], &of("fd-a")["excluded"]), (&json!(true), &json!(true)));
    assert_eq!(of("fd-b").get("orphaned"), None);
    project.ok(&["revert", "fd-a"]);
    project.check();
}

/// What an orchestrator asks: who is left out for this work, and why.
#[test]
fn triage_goes_by_the_scope() {
    let project = Project::new();
    project.ok(&["apply", "fd-a", "--reason=slow"]);
    project.ok(&["apply", "fd-b", "--reason=noisy", "--domain=tui-app", "--file-pattern=src/**"]);
    project.ok(&["propose", "fd-c", "--reason=perhaps"]);
    let triage = |args: &[&str]| project.ok(&[&["triage"], args].concat());
    assert_eq!(triage(&[]), "fd-a\texclude\tslow\t\nfd-b\tuse\t\t\nfd-c\tpropose\tperhaps\t\nfd-safety\tuse");
    assert!(triage(&["--domain=tui-app", "--file", "README", "src/x.rs"]).contains("fd-b\texclude\tnoisy"));
    for args in [
        &["--domain=web", "--file=src/x.rs"][..],
        &["--domain=tui-app", "--file=lib/x"],
        &["--file=src/x.rs"],
    ] {
        assert!(triage(args).contains("fd-b\tuse"), "{args:?}");
    }
    // What others write: expired, of another kind, without sense, a pattern that leads out.
    project.write(
        FILE,
        r#"{"version":1,"overrides":[
        {"agent":"fd-a","action":"exclude","expires_at":"2023-11-14T22:13:20Z"},
        {"agent":"interflux:review:fd-b","action":"exclude","reason":"r","expires_at":"2099-01-01T00:00:00Z"},
        {"agent":"fd-c","action":"exclude","scope":{"file_patterns":["../x","/etc/*"]}},
        {"kind":"skill_tune","agent":"fd-safety","action":"exclude"},
        {"agent":"fd-safety"},{"agent":"fd-safety","action":"exclude","scope":7}]}"#,
    );
    let output = project.at(0, &["triage", "--file=x", "--domain=d"]);
    let shown = render(&output);
    assert!(shown.contains("fd-a\tuse\t\t\nfd-b\texclude\tr\t\nfd-c\tuse\t\t\nfd-safety\tuse"), "{shown}");
    assert!(shown.contains("2 entries make no sense"), "{shown}");
    project.write(FILE, r#"{"version":1,"overrides":[{"agent":"fd-safety","action":"exclude"}]}"#);
    assert!(render(&project.at(0, &["triage"])).contains("fd-safety looks at all work"));
    // A file that cannot be read leaves nobody out, and stops nobody.
    project.write(FILE, "{");
    let output = project.at(0, &["triage"]);
    assert!(output.status.success() && render(&output).contains("cannot be used"), "{}", render(&output));
    project.fails(&["list"], 2, "overrides_unreadable");
}
