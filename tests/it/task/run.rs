//! The run that a task belongs to.

use serde_json::json;

use super::{Specs, types};
use crate::fold::{fold, stored};

/// What a task produced is filed on its run, and the run goes on in the same step, or says what it waits for.
#[test]
fn a_run_gets_the_artifacts_and_goes_on() {
    let specs = Specs::new(2);
    specs.file("specs/1_a/r.md", "report");
    let run = specs.sandbox.short_run();
    let line = format!(
        "postflight 1 --to=researched --force --no-commit --artifact=research:specs/1_a/r.md --run={run} --advance"
    );
    let (code, result) = specs.result(&line);
    assert_eq!(
        (code, &result["run"]["advanced"], &result["run"]["to_phase"]),
        (0, &json!(true), &json!("b"))
    );
    let filed = specs.sandbox.json(["artifact", "list", &run]);
    assert_eq!(
        (&filed[0]["path"], &filed[0]["type"], &filed[0]["phase"]),
        (&json!("specs/1_a/r.md"), &json!("research"), &json!("a"))
    );
    assert!(filed[0]["content_hash"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(specs.sandbox.ok(["run", "phase", &run]), "b");
    let told = specs.sandbox.json(["run", "events", &run, "--all-sources"]);
    assert!(
        told.as_array().unwrap().iter().any(|event| event["source"] == "task" && event["subject"] == "1")
    );

    // A gate that stays shut is a warning: the task is done.
    let run = specs.sandbox.new_run();
    let (code, result) = specs.result(&format!("preflight 2 --to=researching --run={run} --advance"));
    assert_eq!((code, &result["run"]["advanced"]), (0, &json!(false)));
    assert!(types(&result).contains(&"run_not_advanced"));
    assert_eq!(specs.sandbox.ok(["run", "phase", &run]), "brainstorm");
    // The same artifact is filed once.
    let line = format!("set 2 --to=researched --artifact=research:specs/1_a/r.md --run={run}");
    assert_eq!(specs.result(&line).1["run"]["artifacts"].as_array().unwrap().len(), 1);
    assert_eq!(specs.result(&line).1["run"]["artifacts"], json!([]));
    // What is told of tasks is no row of a table (K-02).
    assert_eq!(fold(&specs.sandbox.events()), stored(&specs.sandbox));
    specs.sandbox.check_integrity();
}

#[test]
fn a_run_that_is_not_there_or_over_refuses() {
    let specs = Specs::new(1);
    let (code, types, messages) = specs.refused("preflight 1 --to=researching --run=nothere1");
    assert_eq!((code, &types[..]), (1, &["validation_failed".to_owned()][..]));
    assert!(messages.contains("nothere1"), "{messages}");
    let run = specs.sandbox.short_run();
    specs.sandbox.ok(["run", "cancel", &run]);
    assert_eq!(specs.refused(&format!("preflight 1 --to=researching --run={run} --advance")).0, 1);
}
