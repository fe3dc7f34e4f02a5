//! Settings of the project.

use serde_json::json;

use crate::support::Sandbox;

#[test]
fn settings_are_checked_kept_and_listed_in_order() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok(["config", "list"]), "no config values set (use --verbose to see available keys)");
    assert_eq!(sandbox.json(["config", "list"]), json!({}));
    assert_eq!(sandbox.ok(["config", "set", "max_spawn_depth", "3"]), "max_spawn_depth = 3");
    assert_eq!(
        sandbox.json(["config", "set", "autonomy.delegation_level", "L4"]),
        json!({"key": "autonomy.delegation_level", "value": 4})
    );
    sandbox.ok(["config", "set", "a.mine", "{\"x\":[1]}"]);
    assert_eq!(sandbox.json(["config", "get", "a.mine"]), json!({"key": "a.mine", "value": {"x": [1]}}));
    assert_eq!(sandbox.fails(["config", "get", "other"], 1).0, "other: not set\n");
    assert_eq!(
        sandbox.fails(["config", "get", "other", "--json"], 1).0,
        "{\"key\":\"other\",\"value\":null,\"code\":\"not_set\"}\n"
    );
    let names: Vec<_> = sandbox
        .ok(["config", "list"])
        .lines()
        .map(|l| l.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a.mine", "autonomy.delegation_level", "max_spawn_depth"]);
    assert!(sandbox.ok(["config", "list", "--verbose"]).contains("global_max_dispatches       (not set) — "));
    for bad in [
        &["config", "set", "max_spawn_depth", "-1"][..],
        &["config", "set", "autonomy.delegation_level", "9"],
        &["config", "set", "mine", "bar"],
        &["config", "set", "MINE", "1"],
        &["config", "set", "mine", "{\"password\":\"hunter2hunter2\"}"],
        &["config", "set", "mine"],
        &["config", "get"],
        &["config", "get", ""],
    ] {
        sandbox.fails(bad, 3);
    }
}

/// K-16: also where only the key and the value together are a secret; never echoed.
#[test]
fn secrets_are_no_settings() {
    let sandbox = Sandbox::new();
    for [key, value] in [
        ["smtp.password", "\"hunter2hunter2\""],
        ["api_key", "\"hunter2hunter2\""],
        ["mine", "\"sk-hunterhunterhunterhunter\""],
    ] {
        let (stdout, stderr) = sandbox.fails(["config", "set", key, value], 3);
        assert!(stdout.is_empty() && !stderr.contains("hunter"), "{stderr}");
    }
    sandbox.ok(["config", "set", "smtp.password", "\"$SMTP_PASSWORD\""]);
    for odd in ["007", "+5", "1.5", "1e3", "9223372036854775808", ""] {
        sandbox.fails(["config", "set", "global_max_dispatches", odd], 3);
    }
    assert_eq!(sandbox.count("SELECT count(*) FROM state"), 1);
}

/// The delegation level decides whether new runs advance by themselves.
#[test]
fn the_delegation_level_decides_how_new_runs_begin() {
    let sandbox = Sandbox::new();
    for (level, advances) in [("0", false), ("L1", false), ("2", true), ("5", true)] {
        sandbox.ok(["config", "set", "autonomy.delegation_level", level]);
        let run = sandbox.new_run();
        assert_eq!(sandbox.json(["run", "status", &run])["auto_advance"], advances, "{level}");
        let output = sandbox.ic(["run", "set", &run, &format!("--auto-advance={advances}")]);
        assert!(output.stderr.is_empty(), "nothing is overridden");
    }
}
