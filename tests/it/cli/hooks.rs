//! The on-phase-advance hook (PH-10).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Sandbox;

fn install(sandbox: &Sandbox, script: &str) -> PathBuf {
    let hooks = sandbox.dir().join(".clavain/hooks");
    fs::create_dir_all(&hooks).unwrap();
    let hook = hooks.join("on-phase-advance");
    fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    hook
}

/// Waits until the hook has left `n` lines, or fails; answers them.
fn calls(sandbox: &Sandbox, n: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(sandbox.dir().join("calls")).unwrap_or_default();
        if text.lines().count() >= n || Instant::now() > deadline {
            let calls: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(calls.len(), n, "{text}");
            return calls;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// PH-10: ten advances fire ten hooks, each told of its event.
#[test]
fn ten_advances_fire_ten_hooks() {
    let sandbox = Sandbox::new();
    install(&sandbox, "cat >> calls");
    let chain = r#"--phases=["p0","p1","p2","p3","p4","p5","p6","p7","p8","p9","p10"]"#;
    let run = sandbox.ok(["run", "create", "--goal=g", chain]);
    for _ in 0..10 {
        sandbox.ok(["run", "advance", &run]);
    }
    let mut calls = calls(&sandbox, 10);
    calls.sort_by_key(|call| call["id"].as_i64());
    for (at, (call, event)) in calls.iter().zip(&sandbox.events()[1..]).enumerate() {
        assert_eq!(call["id"], event["id"]);
        assert_eq!(
            (&call["run_id"], &call["source"], &call["type"]),
            (&event["run_id"], &"phase".into(), &"advance".into())
        );
        assert_eq!(call["from_state"], format!("p{at}"));
        assert_eq!(call["to_state"], format!("p{}", at + 1));
        assert_eq!(call["timestamp"], event["timestamp"]);
    }
}

/// PH-07, PH-10: a refusal, a rollback and an override fire it too; a skip, a setting and a cancel do not.
#[test]
fn moves_and_refusals_fire_the_hook() {
    let sandbox = Sandbox::new();
    install(&sandbox, "cat >> calls");
    let run = sandbox.new_run();
    sandbox.fails(["run", "advance", &run], 1);
    sandbox.ok(["gate", "override", &run, "--reason=because", "--justified"]);
    sandbox.ok(["run", "skip", &run, "planned", "--reason=r"]);
    sandbox.ok(["run", "set", &run, "--auto-advance=false"]);
    sandbox.fails(["run", "advance", &run], 1);
    sandbox.ok(["run", "rollback", &run, "--to-phase=brainstorm", "--reason=back"]);
    sandbox.ok(["run", "cancel", &run]);
    let mut calls = calls(&sandbox, 4);
    calls.sort_by_key(|call| call["id"].as_i64());
    let kinds: Vec<_> = calls.iter().map(|call| call["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["block", "override", "pause", "rollback"]);
    assert!(calls[1]["reason"].as_str().unwrap().contains("because"));
    assert_eq!(calls[3]["reason"], "back");
}

/// PH-10: a slow hook delays nobody, not even a caller who reads stdout to its end.
#[test]
fn a_slow_hook_delays_nobody() {
    let sandbox = Sandbox::new();
    install(&sandbox, "echo $$ > pid; sleep 4; cat >> calls");
    let run = sandbox.short_run();
    sandbox.ok(["run", "advance", &run]);
    assert!(!sandbox.dir().join("calls").exists(), "the call returned while the hook was at work");
    calls(&sandbox, 1);
}

/// Design: regular, executable files of the user's own.
#[test]
fn other_files_are_not_run() {
    let sandbox = Sandbox::new();
    let hook = install(&sandbox, "cat >> calls");
    let run = sandbox.short_run();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    sandbox.ok(["run", "advance", &run]);
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let moved = sandbox.dir().join("elsewhere");
    fs::rename(&hook, &moved).unwrap();
    symlink(&moved, &hook).unwrap();
    sandbox.ok(["run", "rollback", &run, "--to-phase=a"]);
    fs::remove_file(&hook).unwrap();
    fs::rename(&moved, &hook).unwrap();
    sandbox.ok(["run", "advance", &run]);
    assert_eq!(calls(&sandbox, 1)[0]["to_state"], "b", "only the last of the three");
}
