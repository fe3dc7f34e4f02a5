//! `ic run …`, but for its phases, agents, artifacts and actions.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{NOW, Sandbox};

#[test]
fn a_new_run_starts_in_the_first_phase_of_its_own_chain() {
    let sandbox = Sandbox::new();
    let created = sandbox.json(["run", "create", "--goal=g", r#"--phases=["x","y"]"#]);
    assert_eq!(created["phase"], "x");
    let id = created["id"].as_str().unwrap();
    assert_eq!(sandbox.ok(["run", "phase", id]), "x");
    assert_eq!(sandbox.json(["phase", "show", id]), json!({ "id": id, "phase": "x" }));
}

/// CL-04, K-15: the whole of a run as JSON; metadata is text.
#[test]
fn a_run_is_shown_with_everything_that_is_set() {
    let sandbox = Sandbox::new();
    let rules = r#"--gates={"a→b":[{"check":"artifact_exists"}],"b→c":[]}"#;
    let id = sandbox.ok([
        "run",
        "create",
        "--goal=all of it",
        r#"--phases=["a","b","c"]"#,
        rules,
        "--complexity",
        "4",
        "--scope-id=s",
        "--goal-id=g1",
        "--token-budget=100",
        "--budget-warn-pct=70",
        "--budget-enforce",
        "--max-agents=3",
        "--max-dispatches=2",
        r#"--metadata={"z":1,"a":2.50}"#,
        "--force-full",
    ]);
    let mut shown = sandbox.json(["run", "status", &id]);
    shown.as_object_mut().unwrap().remove("project_dir");
    let at: i64 = NOW.parse().unwrap();
    assert_eq!(
        shown,
        json!({
            "id": id, "goal": "all of it", "status": "active", "phase": "a", "complexity": 4, "force_full": true,
            "auto_advance": true, "created_at": at, "updated_at": at, "phases": ["a", "b", "c"], "scope_id": "s",
            "goal_id": "g1", "token_budget": 100, "budget_warn_pct": 70, "budget_enforce": true, "max_agents": 3,
            "max_dispatches": 2, "metadata": r#"{"a":2.50,"z":1}"#,
            "gate_rules": { "a→b": [{ "Check": "artifact_exists", "Phase": "a", "Tier": "" }], "b→c": [] },
        })
    );
    let text = sandbox.ok(["run", "status", &id]);
    assert!(
        text.contains("Goal:       all of it\n") && text.contains("Budget:     100 tokens (warn at 70%)"),
        "{text}"
    );
}

#[test]
fn gate_rules_are_read_from_a_file() {
    let sandbox = Sandbox::new();
    let chain = r#"--phases=["a","b"]"#;
    std::fs::write(sandbox.dir().join("rules.json"), r#"{"a→b":[{"check":"agents_complete"}]}"#).unwrap();
    let id = sandbox.ok(["run", "create", "--goal=g", chain, "--gates-file=rules.json"]);
    assert_eq!(
        sandbox.json(["gate", "rules", &format!("--run={id}")])[0]["checks"][0]["check"],
        "agents_complete"
    );
    std::fs::write(sandbox.dir().join("rules.json"), "").unwrap();
    let id = sandbox.ok(["run", "create", "--goal=g", chain, "--gates-file=rules.json"]);
    assert!(sandbox.json(["run", "status", &id]).get("gate_rules").is_none());
}

#[test]
fn bad_settings_of_a_new_run_are_usage_errors() {
    let sandbox = Sandbox::new();
    for bad in [
        &["--goal="][..],
        &["--goal= "],
        &[],
        &["--goal=g", "--complexity=6"],
        &["--goal=g", "--complexity=0"],
        &["--goal=g", "--complexity"],
        &["--goal=g", "--complexity=x"],
        &["--goal=g", "--phases=[\"a\"]"],
        &["--goal=g", "--phases=[\"a\",\"a\"]"],
        &["--goal=g", "--phases=nonsense"],
        &["--goal=g", "--gates={\"a->b\":[]}"],
        &["--goal=g", "--gates={}"],
        &["--goal=g", "--gates={}", "--gates-file=x"],
        &["--goal=g", "--token-budget=0"],
        &["--goal=g", "--token-budget=99999999999999999999"],
        &["--goal=g", "--budget-warn-pct=100"],
        &["--goal=g", "--max-agents=-1"],
        &["--goal=g", "--metadata=[]"],
        &["--goal=g", "--metadata={} x"],
        &["--goal=g", "--actions={\"planned\":{\"command\":\"\"}}"],
        &["--goal=g", "--actions={\"nowhere\":{\"command\":\"x\"}}"],
        &["--goal=g", "--actions={\"planned\":{\"command\":\"x\",\"mode\":\"odd\"}}"],
        &["--goal=g", "--actions=nonsense"],
        &["--goal=g", "--projects=one"],
        &["--goal=g", "--projects=one,"],
        &["--goal=g", "--projects=one,./one"],
        &["--goal=g", "--projects=one,two", "--project=x"],
        &["--goal=g", "--auto-skip", "--phases=[\"a\",\"b\"]"],
        &["--goal=g", "--idempotency-key="],
    ] {
        let (stdout, stderr) = sandbox.fails([&["run", "create"], bad].concat(), 3);
        assert!(stdout.is_empty() && stderr.starts_with("ic: "), "{bad:?}: {stderr}");
    }
    sandbox.fails(["run", "create", "--goal=g", "--gates-file=missing"], 2);
    for content in ["nonsense", "{}", "{\"a\u{0}\":[]}"] {
        std::fs::write(sandbox.dir().join("rules.json"), content).unwrap();
        let (_, stderr) =
            sandbox.fails(["run", "create", "--goal=g", "--gates-file=rules.json", "--json"], 2);
        assert!(stderr.contains("invalid_input") && stderr.contains("rules.json"), "{stderr}");
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM runs"), 0);
    assert_eq!(sandbox.events().len(), 0);
}

/// PH-12: what the complexity leaves out is recorded at creation, by the kernel itself.
#[test]
fn automatic_skips_are_recorded_at_creation() {
    let sandbox = Sandbox::new();
    let id = sandbox.ok(["run", "create", "--goal=g", "--complexity=1", "--auto-skip"]);
    let history = sandbox.json(["run", "events", &id]);
    let skips: Vec<_> = history.as_array().unwrap().iter().map(|e| e["to_phase"].as_str().unwrap()).collect();
    assert_eq!(skips, ["brainstorm-reviewed", "strategized", "review", "polish", "reflect"]);
    assert_eq!(history[0]["reason"], "actor=auto: complexity 1");
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "planned");
    let full = sandbox.ok(["run", "create", "--goal=g", "--complexity=1", "--auto-skip", "--force-full"]);
    assert_eq!(sandbox.json(["run", "events", &full]), json!([]));
    let plain = sandbox.ok(["run", "create", "--goal=g", "--complexity=1"]);
    assert_eq!(sandbox.json(["run", "events", &plain]), json!([]));
}

/// PH-12: a rollback leaves the kernel's skips in force and clears the user's.
#[test]
fn a_rollback_clears_the_user_s_skips_and_leaves_the_automatic_ones() {
    let sandbox = Sandbox::new();
    let id = sandbox.ok(["run", "create", "--goal=g", "--complexity=2", "--auto-skip"]);
    sandbox.ok(["run", "skip", &id, "planned", "--reason=mine"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "executing");
    let back = sandbox.json(["run", "rollback", &id, "--to-phase=brainstorm"]);
    assert_eq!(back["unskipped_phases"], json!(["planned"]));
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    sandbox.ok(["run", "advance", &id, "--priority=4"]);
    assert_eq!(sandbox.ok(["run", "phase", &id]), "planned", "strategized is still skipped, planned is not");
}

#[test]
fn a_portfolio_has_a_child_per_project() {
    let sandbox = Sandbox::new();
    let text = sandbox.ok([
        "run",
        "create",
        "--goal=both",
        "--projects=one, two",
        "--actions={\"planned\":{\"command\":\"/go\"}}",
    ]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("  child: "));
    let shown = sandbox.json(["run", "status", lines[0]]);
    assert_eq!(shown["project_dir"], "");
    assert_eq!(shown["children"].as_array().unwrap().len(), 2);
    assert_eq!(shown["children"][0]["project_dir"], sandbox.dir().join("one").to_str().unwrap());
    assert_eq!(sandbox.json(["run", "list", "--portfolio"]).as_array().unwrap().len(), 1);
    assert_eq!(sandbox.json(["run", "action", "list", lines[0]])[0]["command"], "/go");
    // Children lag behind: the portfolio's gate knows.
    let gate = sandbox.fails(["gate", "check", lines[0], "--json"], 1).0;
    assert!(gate.contains("children_at_phase"), "{gate}");
    let child = lines[1].trim_start_matches("  child: ");
    sandbox.ok(["run", "cancel", child]);
    assert_eq!(sandbox.ok(["run", "cancel", lines[0]]), "cancelled (portfolio + 1 children)");
    let cancels = sandbox.events().iter().filter(|e| e["type"] == "cancel").count();
    assert_eq!(cancels, 3, "one for each run that was cancelled, once");
}

/// K-12
#[test]
fn every_creating_command_answers_a_repeat_with_the_first_answer() {
    let sandbox = Sandbox::new();
    let id = sandbox.new_run();
    let scope = format!("--scope-id={id}");
    for call in [
        &["run", "create", "--goal=g"][..],
        &["agent", "add", &id, "--name=n"],
        &["artifact", "add", &id, "--phase=planned", "--path=p"],
        &["run", "action", "add", &id, "--phase=planned", "--command=c"],
        &["dispatch", "record", &scope, "--name=n"],
    ] {
        let keyed = [call, &["--idempotency-key=k"]].concat();
        let first = sandbox.ok(&keyed);
        let events = sandbox.events().len();
        assert_eq!(sandbox.ok(&keyed), first, "{call:?}");
        assert_eq!(sandbox.events().len(), events, "{call:?}");
        let other = [&keyed[..], &["--json"]].concat();
        assert!(!sandbox.ok(&other).is_empty(), "rendered per call");
        // The last of the values is another one: another call under the same key.
        let mut changed = keyed.clone();
        let last = call.len() - 1;
        let value = format!("{}x", call[last]);
        changed[last] = &value;
        let (_, stderr) = sandbox.fails(&changed, 1);
        assert!(stderr.contains("used before with other arguments"), "{stderr}");
        assert_eq!(sandbox.events().len(), events, "{call:?}");
    }
}

/// K-12: every argument of `run create` counts for its idempotency key, the chain and the gate rules too.
#[test]
fn another_chain_or_other_gates_are_other_arguments_of_a_key() {
    let sandbox = Sandbox::new();
    let create = ["run", "create", "--goal=g", "--idempotency-key=k"];
    let chain = r#"--phases=["a","b"]"#;
    let gates = r#"--gates={"a→b":[]}"#;
    let id = sandbox.ok([&create[..], &[chain, gates]].concat());
    assert_eq!(sandbox.ok([&create[..], &[chain, gates]].concat()), id);
    let others: [&[&str]; 5] = [
        &[chain],
        &[chain, r#"--gates={"a→b":[{"check":"agents_complete"}]}"#],
        &[r#"--phases=["a","b","c"]"#],
        &[chain, gates, "--phase=a"],
        &[],
    ];
    for other in others {
        let (_, stderr) = sandbox.fails([&create[..], other, &["--json"]].concat(), 1);
        assert!(stderr.contains("idempotency_conflict"), "{other:?}: {stderr}");
    }
}

/// RT-02: the newest active run, however the project is spelled.
#[test]
fn the_current_run_is_found_however_the_project_is_spelled() {
    let sandbox = Sandbox::new();
    let (stdout, stderr) = sandbox.fails(["run", "current", "--json"], 1);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("{\"found\":false,\"code\":\"no_current_run\"}\n", ""));
    assert_eq!(sandbox.fails(["run", "current"], 1), (String::new(), String::new()));
    sandbox.new_run();
    let newest = sandbox.new_run();
    std::fs::create_dir(sandbox.dir().join("sub")).unwrap();
    symlink(sandbox.dir(), sandbox.dir().join("sub/link")).unwrap();
    symlink(sandbox.dir(), sandbox.dir().parent().unwrap().join("alias")).unwrap();
    let absolute = sandbox.dir().to_str().unwrap();
    let spellings =
        [".", "./", "sub/..", "sub/link", "../alias", "../project/", "", absolute, &format!("{absolute}/")];
    for spelling in spellings {
        assert_eq!(sandbox.ok(["run", "current", &format!("--project={spelling}")]), newest, "{spelling:?}");
    }
    // Through a symlinked working directory, as a shell has it in $PWD.
    let alias = sandbox.dir().parent().unwrap().join("alias");
    let mut command = sandbox.command(["run", "create", "--goal=logical"]);
    command.current_dir(&alias).env("PWD", &alias);
    let logical = String::from_utf8(crate::support::run(command).stdout).unwrap().trim().to_owned();
    assert_eq!(sandbox.ok(["run", "current"]), logical);
    assert_eq!(sandbox.json(["run", "status", &logical])["project_dir"], alias.to_str().unwrap());
    sandbox.ok(["run", "cancel", &logical]);
    assert_eq!(sandbox.ok(["run", "current"]), newest);
    assert_eq!(
        sandbox.json(["run", "current"]),
        json!({"found": true, "goal": "test", "id": newest, "phase": "brainstorm"})
    );
}

/// CL-06: filters combine, and a run need not be named.
#[test]
fn lists_filter_and_readers_default_to_the_current_run() {
    let sandbox = Sandbox::new();
    let first = sandbox.ok(["run", "create", "--goal=1", "--scope-id=s"]);
    let second = sandbox.ok(["run", "create", "--goal=2", "--scope-id=s"]);
    let third = sandbox.ok(["run", "create", "--goal=3"]);
    sandbox.ok(["run", "cancel", &first]);
    let ids = |args: &[&str]| -> Vec<String> {
        sandbox.ok(args).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(
        ids(&["run", "list"]),
        [third.as_str(), &second, &first],
        "newest first, also within a second"
    );
    assert_eq!(ids(&["run", "list", "--active", "--scope=s"]), [second.as_str()]);
    assert_eq!(ids(&["run", "list", "--scope="]), Vec::<String>::new());
    assert_eq!(sandbox.json(["run", "list", "--scope=none"]), json!([]));
    assert_eq!(sandbox.json(["run", "status", "--scope=s"])["id"], second.as_str());
    assert_eq!(sandbox.json(["run", "status"])["id"], third.as_str());
    assert_eq!(sandbox.ok(["run", "phase"]), "brainstorm");
    for reader in [&["artifact", "list"][..], &["run", "events"], &["run", "tokens"], &["agent", "list"]] {
        sandbox.ok(reader);
    }
    let elsewhere = Sandbox::new();
    let (_, stderr) = elsewhere.fails(["run", "phase", "--json"], 1);
    assert!(stderr.contains("no_current_run"), "{stderr}");
}

/// RT-06
#[test]
fn listing_anything_of_an_unknown_run_exits_1() {
    let sandbox = Sandbox::new();
    for call in [
        &["run", "status", "nope"][..],
        &["run", "phase", "nope"],
        &["run", "events", "nope"],
        &["run", "tokens", "nope"],
        &["run", "budget", "nope"],
        &["run", "cancel", "nope"],
        &["run", "advance", "nope"],
        &["run", "skip", "nope", "b", "--reason=r"],
        &["run", "rollback", "nope", "--to-phase=a"],
        &["run", "rollback", "nope", "--to-phase=a", "--dry-run"],
        &["run", "rollback", "nope", "--layer=code"],
        &["run", "set", "nope", "--complexity=1"],
        &["agent", "list", "nope"],
        &["agent", "add", "nope"],
        &["artifact", "list", "nope"],
        &["artifact", "add", "nope", "--phase=a", "--path=p"],
        &["run", "action", "list", "nope"],
        &["run", "action", "add", "nope", "--phase=a", "--command=c"],
        &["gate", "check", "nope"],
        &["gate", "override", "nope", "--reason=r", "--justified"],
        &["gate", "rules", "--run=nope"],
        &["events", "tail", "nope"],
    ] {
        let (stdout, stderr) = sandbox.fails([call, &["--json"]].concat(), 1);
        assert!(stdout.is_empty(), "{call:?}: {stdout}");
        assert!(stderr.contains("run_not_found"), "{call:?}: {stderr}");
    }
}

/// RT-07
#[test]
fn everything_that_changes_leaves_its_event() {
    let sandbox = Sandbox::new();
    let run = sandbox.short_run();
    let agent = sandbox.ok(["agent", "add", &run]);
    sandbox.ok(["agent", "update", &agent, "--status=completed"]);
    sandbox.ok(["artifact", "add", &run, "--phase=a", "--path=p"]);
    sandbox.ok(["run", "set", &run, "--complexity=5"]);
    sandbox.ok(["run", "cancel", &run]);
    let told: Vec<_> = sandbox
        .events()
        .iter()
        .map(|e| {
            format!("{} {} {}→{}", e["source"], e["type"], e["from_state"], e["to_state"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "run create →a",
            "agent add →active",
            "agent status_change active→completed",
            "artifact add →active",
            "phase set a→a",
            "phase cancel a→a"
        ]
    );
    let set = &sandbox.events()[4]["data"];
    assert_eq!((&set["old"]["complexity"], &set["new"]["complexity"]), (&json!(3), &json!(5)));
    assert_eq!(sandbox.events()[4]["timestamp"], "2023-11-14T22:13:20.000Z");
}

#[test]
fn settings_are_changed_and_metadata_is_merged() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok(["run", "create", "--goal=g", r#"--metadata={"a":{"x":1},"b":1}"#]);
    assert_eq!(
        sandbox.ok([
            "run",
            "set",
            &run,
            r#"--metadata-merge={"a":{"y":null},"b":[2]}"#,
            "--max-dispatches=4"
        ]),
        "updated"
    );
    let shown = sandbox.json(["run", "status", &run]);
    assert_eq!(shown["metadata"], r#"{"a":{"x":1,"y":null},"b":[2]}"#);
    assert_eq!(shown["max_dispatches"], 4);
    for bad in [
        &["run", "set", &run][..],
        &["run", "set", &run, "--auto-advance"],
        &["run", "set", &run, "--auto-advance=maybe"],
        &["run", "set", &run, "--metadata-merge=[]"],
    ] {
        sandbox.fails(bad, 3);
    }
    let output = sandbox.ic(["run", "set", &run, "--auto-advance=false"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("note:").count(), 2);
    let metadata = sandbox.json(["run", "status", &run])["metadata"].as_str().unwrap().to_owned();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["autonomy_override"]["auto_advance"], false);
}

/// RT-01: what callers of other tools say of a run has its place, and a run may start in any phase but the last.
#[test]
fn a_run_has_a_title_a_description_a_bead_and_a_phase() {
    let sandbox = Sandbox::new();
    let created = sandbox.json([
        "run",
        "create",
        "--title=Ship it",
        "--description=all of it",
        "--bead=b-7",
        "--metadata={\"x\":1}",
        "--complexity=1",
        "--auto-skip",
        "--phase=executing",
    ]);
    assert_eq!(created["phase"], "executing");
    let run = created["id"].as_str().unwrap();
    let shown = sandbox.json(["run", "status", run]);
    assert_eq!((&shown["goal"], &shown["phase"]), (&json!("Ship it"), &json!("executing")));
    let metadata: Value = serde_json::from_str(shown["metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata, json!({"bead_id": "b-7", "description": "all of it", "x": 1}));
    let skipped = sandbox.json(["run", "events", run]);
    let skipped: Vec<_> = skipped.as_array().unwrap().iter().map(|event| event["to_phase"].clone()).collect();
    assert_eq!(skipped, ["review", "polish", "reflect"], "what lies behind it is not skipped");
    sandbox.ok(["run", "advance", run]);
    assert_eq!(sandbox.ok(["run", "phase", run]), "done");
    sandbox.ok(["run", "rollback", run, "--to-phase=planned"]);
    for bad in ["done", "nowhere"] {
        let (_, stderr) = sandbox.fails(["run", "create", "--goal=g", &format!("--phase={bad}")], 3);
        assert!(stderr.contains(bad) && stderr.contains("brainstorm"), "{stderr}");
    }
    let children = sandbox.json(["run", "create", "--goal=g", "--projects=p,q", "--phase=planned"]);
    let child = children["children"][0].as_str().unwrap();
    assert_eq!(sandbox.ok(["run", "phase", child]), "planned");
}
