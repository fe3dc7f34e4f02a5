//! `ic artifact …`, also below `run`.

use serde_json::json;

use crate::support::{NOW, Sandbox};

/// RT-04
#[test]
fn an_artifact_records_where_it_is_and_what_was_in_it() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    std::fs::write(sandbox.dir().join("f.md"), "hello\n").unwrap();
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={run}")]);
    let id = sandbox.ok([
        "artifact",
        "add",
        &run,
        "--phase=planned",
        "--path=f.md",
        "--type=plan",
        &format!("--dispatch={dispatch}"),
    ]);
    let missing = sandbox.ok(["run", "artifact", "add", &run, "--phase=planned", "--path=none.md"]);
    sandbox.ok(["artifact", "add", &run, "--phase=planned", "--path=.clavain"]);
    let listed = sandbox.json(["artifact", "list", &run, "--phase=planned"]);
    assert_eq!(
        listed[0],
        json!({
            "id": id, "run_id": run, "phase": "planned", "path": "f.md", "type": "plan", "status": "active",
            "content_hash": "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
            "dispatch_id": dispatch, "created_at": NOW.parse::<i64>().unwrap(),
        })
    );
    assert_eq!(listed[1]["id"], missing.as_str());
    assert_eq!((listed[1].get("content_hash"), listed[2].get("content_hash")), (None, None));
    for noun in [&["artifact"][..], &["run", "artifact"]] {
        let get = |id: &str| [noun, &["get", id]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(sandbox.json(get(&id)), listed[0]);
        assert_eq!(sandbox.ok(get(&id)), format!("{id}\tplanned\tplan\tf.md"));
        let (_, stderr) = sandbox.fails(get("nosuchid"), 1);
        assert!(stderr.contains("nosuchid") && stderr.contains("ic artifact list"), "{stderr}");
    }
    let (_, stderr) = (
        sandbox.ok(["artifact", "list", &run]),
        sandbox.ic(["artifact", "add", &run, "--phase=free", "--path=x"]).stderr,
    );
    let warning = String::from_utf8(stderr).unwrap();
    assert!(warning.contains("free") && warning.contains("brainstorm"), "{warning}");
    sandbox.fails(["artifact", "add", &run, "--phase=planned"], 3);
    sandbox.fails(["artifact", "add", &run, "--path=x"], 3);
}
