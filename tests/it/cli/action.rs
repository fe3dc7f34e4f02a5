//! `ic run action …`

use serde_json::json;

use crate::support::Sandbox;

#[test]
fn actions_are_registered_and_come_up_when_their_phase_is_entered() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let add = ["run", "action", "add", &run, "--phase=b", "--command=/do"];
    assert_eq!(
        sandbox.ok([&add[..], &[r#"--args=["${artifact:plan}","${run_id}","${project_dir}"]"#]].concat()),
        "Added action 1: b → /do"
    );
    sandbox.fails(add, 1);
    sandbox.ok([
        "run",
        "action",
        "add",
        &run,
        "--phase=b",
        "--command=/first",
        "--priority=-1",
        "--mode=both",
    ]);
    for bad in ["--mode=odd", "--type=odd", "--args={"] {
        sandbox.fails(["run", "action", "add", &run, "--phase=b", "--command=/x", bad], 3);
    }
    sandbox.ok(["artifact", "add", &run, "--phase=a", "--path=old \"plan\".md", "--type=plan"]);
    let done = sandbox.json(["run", "advance", &run, "--priority=4"]);
    let actions = done["actions"].as_array().unwrap();
    assert_eq!(actions[0]["command"], "/first");
    assert_eq!(actions[1]["args"], json!(["old \"plan\".md", run, sandbox.dir().to_str().unwrap()]));
    sandbox.ok(["run", "action", "update", &run, "--phase=b", "--command=/do", "--priority=5"]);
    sandbox.fails(["run", "action", "update", &run, "--phase=b", "--command=/none"], 1);
    sandbox.ok(["run", "action", "delete", &run, "--phase=b", "--command=/do"]);
    sandbox.fails(["run", "action", "delete", &run, "--phase=b", "--command=/do"], 1);
    assert_eq!(sandbox.json(["run", "action", "list", &run]).as_array().unwrap().len(), 1);
}
