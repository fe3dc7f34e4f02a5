//! Which verdicts a gate counts: those of the run's present stay in its phase.

use std::fs;

use serde_json::{Value, json};

use crate::support::Sandbox;

const CHAIN: &str = r#"--phases=["build","review","done"]"#;
const EXISTS: &str = r#"--gates={"build→review":[],"review→done":[{"check":"verdict_exists"}]}"#;
const CLEAN: &str = r#"--gates={"build→review":[],"review→done":[{"check":"verdict_clean"}]}"#;

/// A new run in review of build, review, done.
fn in_review(sandbox: &Sandbox, gates: &str) -> String {
    let run = sandbox.ok(["run", "create", "--goal=x", CHAIN, gates]);
    sandbox.ok(["run", "advance", &run]);
    run
}

/// Records a dispatch of the scope that has ended with a verdict; returns its id.
fn record(sandbox: &Sandbox, scope: &str, verdict: &str) -> String {
    let flags = [format!("--run={scope}"), format!("--verdict={verdict}")];
    sandbox.ok(["dispatch", "record", "--status=completed", &flags[0], &flags[1]])
}

/// What the only condition of the gate says now: result, count and detail.
fn condition(sandbox: &Sandbox, run: &str) -> Value {
    let output = sandbox.ic(["gate", "check", run, "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["evidence"]["conditions"].as_array().unwrap().len(), 1, "{shown}");
    shown["evidence"]["conditions"][0].clone()
}

fn passes(sandbox: &Sandbox, run: &str) -> bool {
    condition(sandbox, run)["result"] == "pass"
}

/// Rolls the run back; returns the number of the event.
fn rollback(sandbox: &Sandbox, run: &str, to: &str) -> String {
    let shown = sandbox.json(["run", "rollback", run, &format!("--to-phase={to}")]);
    shown["event_id"].to_string()
}

/// RB-18: the review that was undone opens nothing, neither for `gate check` nor for `run advance` nor in the record of
/// an override, also where its dispatch was cancelled by the rollback.
#[test]
fn a_verdict_of_an_undone_review_opens_no_gate() {
    for status in [None, Some("--status=completed")] {
        let sandbox = Sandbox::new();
        let run = in_review(&sandbox, EXISTS);
        let of = format!("--run={run}");
        let mut call = vec!["dispatch", "record", &of, "--verdict=pass"];
        call.extend(status);
        sandbox.ok(call);
        assert!(passes(&sandbox, &run));
        rollback(&sandbox, &run, "build");
        sandbox.ok(["run", "advance", &run]);
        let (stdout, _) = sandbox.fails(["gate", "check", &run], 1);
        assert!(stdout.contains("[FAIL] verdict_exists"), "{stdout}");
        sandbox.fails(["run", "advance", &run], 1);
        sandbox.ok(["gate", "override", &run, "--reason=late", "--expedient"]);
        let told = sandbox.json(["run", "events", &run]);
        let last = told.as_array().unwrap().last().unwrap();
        assert_eq!((&last["event_type"], &last["gate_result"]), (&json!("override"), &json!("fail")));
    }
}

/// RB-18: a bad verdict of an undone review keeps no gate shut.
#[test]
fn a_bad_verdict_of_an_undone_review_keeps_no_gate_shut() {
    let sandbox = Sandbox::new();
    let run = in_review(&sandbox, CLEAN);
    record(&sandbox, &run, "fail");
    rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "advance", &run]);
    record(&sandbox, &run, "pass");
    assert_eq!(condition(&sandbox, &run), json!({"check": "verdict_clean", "result": "pass", "count": 0}));
    sandbox.ok(["run", "advance", &run]);
}

/// RB-18: in the default chain a verdict that was given in brainstorm does not open the gate of the review.
#[test]
fn a_verdict_counts_in_the_phase_in_which_it_was_given() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    record(&sandbox, &run, "pass");
    for _ in 0..5 {
        sandbox.ok(["run", "advance", &run, "--priority=4"]);
    }
    assert_eq!(sandbox.ok(["run", "phase", &run]), "review");
    let found = condition(&sandbox, &run);
    assert_eq!(found["result"], "fail");
    let detail = found["detail"].as_str().unwrap();
    assert!(detail.contains("no passing verdict found") && detail.contains("review"), "{detail}");
    rollback(&sandbox, &run, "planned");
    for _ in 0..2 {
        sandbox.ok(["run", "advance", &run, "--priority=4"]);
    }
    sandbox.fails(["run", "advance", &run], 1);
    record(&sandbox, &run, "pass");
    sandbox.ok(["run", "advance", &run]);
}

/// RB-18: an undo gives back what the rollback voided, once and again, good and bad alike; in between it does not count.
#[test]
fn an_undo_gives_the_verdicts_back() {
    let sandbox = Sandbox::new();
    let run = in_review(&sandbox, CLEAN);
    record(&sandbox, &run, "pass");
    for _ in 0..2 {
        let event = rollback(&sandbox, &run, "build");
        sandbox.ok(["run", "rollback", &run, "--undo", &event]);
        assert!(passes(&sandbox, &run));
    }
    record(&sandbox, &run, "fail");
    let event = rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "rollback", &run, "--undo", &event]);
    assert_eq!(condition(&sandbox, &run)["count"], 1, "the bad one came back as well");
    rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "advance", &run]);
    assert!(!passes(&sandbox, &run));
    record(&sandbox, &run, "pass");
    assert!(passes(&sandbox, &run), "the undone rollbacks of before change nothing");
}

/// RB-18: what happens without a move leaves the stay as it is; skips, walks and rollbacks to the phase itself do not.
#[test]
fn a_stay_lasts_from_one_move_to_the_next() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[],"b→c":[],"c→d":[{"check":"verdict_exists"}],"d→e":[]}"#;
    let run = sandbox.ok(["run", "create", "--goal=x", r#"--phases=["a","b","c","d","e"]"#, rules]);
    sandbox.ok(["run", "skip", &run, "b", "--reason=small"]);
    sandbox.ok(["run", "advance", &run]);
    assert_eq!(sandbox.ok(["run", "phase", &run]), "c");
    sandbox.fails(["run", "advance", &run], 1);
    record(&sandbox, &run, "pass");
    sandbox.ok(["run", "skip", &run, "d", "--reason=small"]);
    sandbox.ok(["run", "unskip", &run, "d", "--reason=large"]);
    sandbox.ok(["run", "set", &run, "--complexity=2"]);
    sandbox.ok(["events", "record", "--source=ci", "--type=note", &format!("--run={run}")]);
    assert!(passes(&sandbox, &run));
    sandbox.ok(["run", "advance", &run]);
    let event = rollback(&sandbox, &run, "c");
    assert!(!passes(&sandbox, &run), "a new stay needs a new verdict");
    sandbox.ok(["run", "rollback", &run, "--undo", &event]);
    rollback(&sandbox, &run, "a");
    sandbox.ok(["run", "advance", &run]);
    assert_eq!(sandbox.ok(["run", "phase", &run]), "b", "its skip was cleared");
    sandbox.ok(["run", "advance", &run]);
    sandbox.fails(["run", "advance", &run], 1);
    sandbox.ok(["gate", "override", &run, "--reason=r", "--justified"]);
}

/// RB-18: in the first phase a run counts from its creation, also what was given to its own scope; what that scope has from
/// before is another piece of work's.
#[test]
fn the_first_stay_begins_with_the_run() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[{"check":"verdict_clean"}],"b→c":[{"check":"verdict_clean"}]}"#;
    record(&sandbox, "team", "fail");
    let run =
        sandbox.ok(["run", "create", "--goal=x", r#"--phases=["a","b","c"]"#, rules, "--scope-id=team"]);
    assert_eq!(condition(&sandbox, &run)["count"], 0);
    record(&sandbox, "team", "warn");
    assert!(passes(&sandbox, &run));
    record(&sandbox, &run, "fail");
    assert!(!passes(&sandbox, &run));
    sandbox.ok(["run", "advance", &run, "--priority=4"]);
    assert!(!passes(&sandbox, &run), "a new phase, and none given in it");
    record(&sandbox, "team", "pass");
    assert!(passes(&sandbox, &run));
    rollback(&sandbox, &run, "a");
    assert!(!passes(&sandbox, &run));
}

/// RB-18: a run that is created in a phase counts there from its creation.
#[test]
fn a_run_created_in_a_phase_counts_from_its_creation() {
    let sandbox = Sandbox::new();
    record(&sandbox, "team", "pass");
    let run = sandbox.ok(["run", "create", "--goal=x", CHAIN, EXISTS, "--phase=review", "--scope-id=team"]);
    assert!(!passes(&sandbox, &run), "given before the run");
    record(&sandbox, "team", "pass");
    assert!(passes(&sandbox, &run));
    let event = rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "rollback", &run, "--undo", &event]);
    assert!(passes(&sandbox, &run));
    rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "advance", &run]);
    assert!(!passes(&sandbox, &run));
}

/// RB-18: a rule that names an earlier phase looks at the last stay there, as long as it is not undone.
#[test]
fn a_rule_may_name_the_phase_of_the_verdict() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"build→review":[],"review→ship":[],"ship→done":[{"check":"verdict_exists","phase":"review"}]}"#;
    let chain = r#"--phases=["build","review","ship","done"]"#;
    let run = sandbox.ok(["run", "create", "--goal=x", chain, rules]);
    sandbox.ok(["run", "advance", &run]);
    record(&sandbox, &run, "pass");
    sandbox.ok(["run", "advance", &run]);
    assert!(passes(&sandbox, &run));
    let event = rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "rollback", &run, "--undo", &event]);
    assert!(passes(&sandbox, &run));
    rollback(&sandbox, &run, "build");
    sandbox.ok(["run", "advance", &run]);
    sandbox.ok(["run", "advance", &run]);
    record(&sandbox, &run, "pass");
    assert!(!passes(&sandbox, &run), "given in ship");
}

/// RB-18: the last attempt at a dispatch speaks for all of them; another dispatch speaks for itself alone.
#[test]
fn a_retry_replaces_the_verdict_of_the_attempt_before() {
    let sandbox = Sandbox::new();
    let run = in_review(&sandbox, CLEAN);
    let of = format!("--run={run}");
    let script = "echo x >> tries; case $(wc -l < tries) in 1|2) s=fail;; *) s=pass;; esac; \
                  echo \"STATUS: $s\" > $IC_DISPATCH_VERDICT";
    let mut id = sandbox.ok(["dispatch", "spawn", &of, "--", "sh", "-c", script]);
    for _ in 0..2 {
        sandbox.fails(["dispatch", "wait", &id], 1);
        assert_eq!(condition(&sandbox, &run)["count"], 1);
        let next = sandbox.json(["dispatch", "retry", &id, "--now"]);
        id = next["new_id"].as_str().unwrap().to_owned();
    }
    sandbox.ok(["dispatch", "wait", &id]);
    assert!(passes(&sandbox, &run), "{}", condition(&sandbox, &run));
    record(&sandbox, &run, "fail");
    record(&sandbox, &run, "pass");
    assert_eq!(condition(&sandbox, &run)["count"], 1, "another dispatch does not replace it");
}

/// RB-18: a dispatch that ends after its run has moved on gives its verdict where the run is then.
#[test]
fn a_late_verdict_belongs_to_the_stay_in_which_it_arrives() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[],"b→c":[{"check":"verdict_exists"}]}"#;
    let run = sandbox.ok(["run", "create", "--goal=x", r#"--phases=["a","b","c"]"#, rules]);
    let of = format!("--run={run}");
    let script = "while test ! -e go; do sleep 0.01; done; echo 'STATUS: pass' > $IC_DISPATCH_VERDICT";
    let late = sandbox.ok(["dispatch", "spawn", &of, "--timeout=60s", "--", "sh", "-c", script]);
    // A verdict given at the start, which the end only repeats as a column, stays where it was given.
    let early = record_running(&sandbox, &run);
    sandbox.ok(["run", "advance", &run]);
    let _ = sandbox.ic(["dispatch", "poll", &early]);
    assert!(!passes(&sandbox, &run));
    fs::write(sandbox.dir().join("go"), "").unwrap();
    sandbox.ok(["dispatch", "wait", &late]);
    assert!(passes(&sandbox, &run));
}

/// Records a dispatch with a verdict whose process has ended since.
fn record_running(sandbox: &Sandbox, run: &str) -> String {
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let flags = [format!("--run={run}"), format!("--pid={}", child.id())];
    let id = sandbox.json(["dispatch", "record", &flags[0], &flags[1], "--verdict=pass"])["id"].clone();
    child.kill().unwrap();
    child.wait().unwrap();
    id.as_str().unwrap().to_owned()
}
