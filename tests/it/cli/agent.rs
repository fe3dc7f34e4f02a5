//! `ic agent …`, also below `run`.

use serde_json::json;

use crate::support::Sandbox;

/// RT-03, K-15: the same commands under both nouns; an agent is named alone or after its run.
#[test]
fn agents_are_added_listed_and_updated_under_both_nouns() {
    let sandbox = Sandbox::new();
    let (run, other) = (sandbox.new_run(), sandbox.new_run());
    let first = sandbox.ok(["run", "agent", "add", &run, "--type=codex", "--name=one"]);
    let second = sandbox.ok(["agent", "add", &run, "--phase=planned"]);
    assert_eq!(sandbox.ok(["agent", "update", &first, "--status=completed"]), "updated");
    assert_eq!(
        sandbox.json(["run", "agent", "update", &run, &second, "--status=failed"])["status"],
        "failed"
    );
    let listed = sandbox.json(["agent", "list", &run]);
    assert_eq!(listed, sandbox.json(["run", "agent", "list", &run]));
    assert_eq!(
        (&listed[0]["created_at"], &listed[0]["updated_at"]),
        (&json!("2023-11-14T22:13:20Z"), &json!(1_700_000_000))
    );
    assert_eq!((&listed[0]["agent_type"], &listed[0]["status"]), (&json!("codex"), &json!("completed")));
    assert_eq!((&listed[1]["phase"], &listed[1]["status"]), (&json!("planned"), &json!("failed")));
    assert_eq!(
        sandbox.ok(["agent", "list", &run]).lines().next().unwrap(),
        format!("{first}\tcodex\tcompleted\tone")
    );
    for bad in [
        &["agent", "update", "nope", "--status=failed"][..],
        &["agent", "update", &other, &first, "--status=failed"],
    ] {
        let (_, stderr) = sandbox.fails([bad, &["--json"]].concat(), 1);
        assert!(stderr.contains("agent_not_found"), "{stderr}");
    }
    let (_, stderr) = sandbox.fails(["agent", "update", &first, "--status=odd"], 3);
    assert!(stderr.contains("active, completed, failed"), "{stderr}");
    sandbox.fails(["agent", "update", &first], 3);
    sandbox.ok(["run", "cancel", &other]);
    sandbox.fails(["agent", "add", &other], 1);
}
