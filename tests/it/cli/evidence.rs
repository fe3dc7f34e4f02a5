//! Runs that may end only with runtime evidence (`close_gate` in their metadata).

use std::fs;

use serde_json::{Value, json};

use crate::support::Sandbox;

const ASKS: &str = r#"--metadata={"close_gate":{"requirements":["runtime-evidence/v1"]},"bead_id":"b-1"}"#;
const CHAIN: &str = r#"--phases=["build","review","done"]"#;

/// A new run in review of build, review, done, which asks for evidence.
fn in_review(sandbox: &Sandbox) -> String {
    let run = sandbox.ok(["run", "create", "--goal=g", CHAIN, ASKS]);
    sandbox.ok(["run", "advance", &run]);
    run
}

/// What a call that ends with 1 has on stdout.
fn refused(sandbox: &Sandbox, call: &[&str]) -> (Value, String) {
    let (stdout, stderr) = sandbox.fails([call, &["--json"]].concat(), 1);
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

fn file(sandbox: &Sandbox, run: &str, name: &str, flags: &[&str]) {
    let path = format!("--path={name}");
    sandbox.ok([&["artifact", "add", run, "--phase=review", &path], flags].concat());
}

/// RT-04, PH-05 to PH-08: the last transition is shut for every priority until there is evidence that is unchanged, and
/// the refusal says what to do. The steps before it are not concerned.
#[test]
fn the_last_step_needs_evidence_whatever_the_priority() {
    let sandbox = Sandbox::new();
    let run = in_review(&sandbox);
    for priority in ["--priority=0", "--priority=3", "--priority=4"] {
        let (shown, stderr) = refused(&sandbox, &["run", "advance", &run, priority]);
        assert_eq!((&shown["event_type"], &shown["gate_tier"]), (&json!("block"), &json!("hard")), "{shown}");
        assert!(stderr.contains("runtime evidence receipt is missing"), "{stderr}");
        assert!(
            stderr.contains("ic artifact add") && stderr.contains("--type=runtime-evidence/v1"),
            "{stderr}"
        );
        let (shown, _) = refused(&sandbox, &["gate", "check", &run, priority]);
        assert_eq!((&shown["result"], &shown["source"]), (&json!("fail"), &json!("required")), "{shown}");
    }
    let rules = sandbox.json(["gate", "rules", &format!("--run={run}")]);
    assert_eq!(rules[0]["checks"], json!([{"check": "runtime_evidence", "tier": "hard"}]));

    // Another type, no hash, a changed file, a file that has gone, or evidence that was rolled back does not do.
    fs::write(sandbox.dir().join("receipt.json"), "{}").unwrap();
    file(&sandbox, &run, "receipt.json", &[]);
    file(&sandbox, &run, "none.json", &["--type=runtime-evidence/v1"]);
    refused(&sandbox, &["run", "advance", &run]);
    file(&sandbox, &run, "receipt.json", &["--type=runtime-evidence/v1"]);
    fs::write(sandbox.dir().join("receipt.json"), "{ }").unwrap();
    let (_, stderr) = refused(&sandbox, &["run", "advance", &run, "--priority=4"]);
    assert!(stderr.contains("changed since it was filed"), "{stderr}");
    fs::remove_file(sandbox.dir().join("receipt.json")).unwrap();
    refused(&sandbox, &["run", "advance", &run]);
    fs::write(sandbox.dir().join("receipt.json"), "{}").unwrap();
    sandbox.ok(["run", "rollback", &run, "--to-phase=build"]);
    sandbox.ok(["run", "advance", &run]);
    refused(&sandbox, &["run", "advance", &run]);

    file(&sandbox, &run, "receipt.json", &["--type=runtime-evidence/v1"]);
    sandbox.ok(["gate", "check", &run]);
    // From another directory the file is looked for where the run's project is.
    fs::create_dir(sandbox.dir().join("below")).unwrap();
    let mut command = sandbox.command(["run", "advance", &run, "--json"]);
    command.current_dir(sandbox.dir().join("below")).env("PWD", sandbox.dir().join("below"));
    let output = crate::support::run(command);
    assert!(output.status.success(), "{}", crate::support::render(&output));
    assert_eq!(sandbox.json(["run", "status", &run])["status"], "completed");
    sandbox.check_integrity();
}

/// PH-07, PH-08: the gate can neither be disabled nor overridden; the attempt is on record. `--priority=4` waives every
/// other condition once the evidence is there.
#[test]
fn the_evidence_gate_cannot_be_switched_off() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"build→review":[],"review→done":[{"check":"artifact_exists","phase":"build"}]}"#;
    let run = sandbox.ok(["run", "create", "--goal=g", CHAIN, rules, ASKS]);
    sandbox.ok(["run", "advance", &run, "--disable-gates"]);
    fs::write(sandbox.dir().join("receipt.json"), "{}").unwrap();
    file(&sandbox, &run, "receipt.json", &["--type=runtime-evidence/v1"]);
    let (shown, stderr) = refused(&sandbox, &["run", "advance", &run, "--disable-gates"]);
    assert!(
        shown["reason"].as_str().unwrap().contains("runtime evidence gate cannot be disabled"),
        "{shown}"
    );
    assert!(stderr.contains("--priority=4"), "{stderr}");
    let (shown, stderr) = refused(&sandbox, &["gate", "override", &run, "--reason=late", "--expedient"]);
    assert_eq!(
        (&shown["code"], &shown["to_phase"]),
        (&json!("evidence_required"), &json!("done")),
        "{shown}"
    );
    assert!(stderr.contains("cannot be disabled"), "{stderr}");
    let history = sandbox.json(["run", "events", &run]);
    let kinds: Vec<_> = history.as_array().unwrap().iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(kinds, ["advance", "block", "block"]);
    assert!(history[2]["reason"].as_str().unwrap().contains("late"));
    assert_eq!(sandbox.ok(["run", "phase", &run]), "review");
    sandbox.fails(["run", "advance", &run], 1);
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &run]), "done");
}

/// RT-09: a run may be made to ask for evidence later, and cannot be made to stop asking.
#[test]
fn what_was_asked_for_stays_asked_for() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok(["run", "create", "--goal=g", CHAIN, r#"--metadata={"bead_id":"b-1"}"#]);
    let set =
        |merge: &str| vec!["run".into(), "set".into(), run.clone(), format!("--metadata-merge={merge}")];
    sandbox.ok(set(r#"{"close_gate":{"requirements":["runtime-evidence/v1"]}}"#));
    sandbox.ok(set(r#"{"note":1,"config_digest":"sha256:1","close_gate":{"adoption":{"at":1}}}"#));
    for bad in [
        r#"{"close_gate":{"requirements":[]}}"#,
        r#"{"close_gate":null}"#,
        r#"{"close_gate":{"adoption":{"at":2}}}"#,
        r#"{"bead_id":"b-2"}"#,
        r#"{"config_digest":null}"#,
    ] {
        let (_, stderr) = sandbox.fails(set(bad), 3);
        assert!(stderr.contains("sealed close-gate metadata cannot be changed: "), "{bad}: {stderr}");
    }
    sandbox.ok(set(r#"{"note":2,"bead_id":"b-1","runtime_expectations":["x"]}"#));
    sandbox.fails(set(r#"{"runtime_expectations":[]}"#), 3);
    sandbox.ok(["run", "advance", &run]);
    sandbox.fails(["run", "advance", &run], 1);
}
