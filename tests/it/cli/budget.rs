//! Tokens and budgets.

use serde_json::json;

use crate::support::Sandbox;

/// PH-09: the condition is reported every time; each crossing is one event.
#[test]
fn a_budget_is_reported_every_time_and_crossed_once() {
    let sandbox = Sandbox::new();
    let run = sandbox.ok(["run", "create", "--goal=g", "--token-budget=1000"]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={run}")]);
    let mut told = Vec::new();
    for (tokens, exit, warning, exceeded) in
        [(799, 0, false, false), (800, 0, true, false), (1000, 1, true, true), (1500, 1, true, true)]
    {
        sandbox.ok(["dispatch", "tokens", &dispatch, &format!("--in={tokens}")]);
        for _ in 0..2 {
            let output = sandbox.ic(["run", "budget", &run, "--json"]);
            assert_eq!(output.status.code(), Some(exit), "{tokens}");
            let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&shown["warning"], &shown["exceeded"], &shown["used"]),
                (&json!(warning), &json!(exceeded), &json!(tokens))
            );
        }
        told.push(
            sandbox.events().iter().filter(|e| e["type"].as_str().unwrap().starts_with("budget.")).count(),
        );
    }
    assert_eq!(told, [0, 1, 2, 2]);
}

#[test]
fn a_run_without_a_budget_says_so() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    assert_eq!(sandbox.ok(["run", "budget", &run]), format!("Run {run}: no budget set"));
    assert_eq!(
        sandbox.json(["run", "budget", &run]),
        json!({"budget": null, "message": "no budget set", "run_id": run})
    );
}

/// PH-09: the gate follows the same rule, and a check of it changes nothing.
#[test]
fn the_budget_gate_follows_the_same_rule() {
    let sandbox = Sandbox::new();
    let chain = r#"--phases=["a","b"]"#;
    let run = sandbox.ok(["run", "create", "--goal=g", chain, "--token-budget=10", "--budget-enforce"]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={run}")]);
    sandbox.ok(["dispatch", "tokens", &dispatch, "--in=4", "--out=5"]);
    sandbox.ok(["gate", "check", &run]);
    sandbox.ok(["dispatch", "tokens", &dispatch, "--out=6"]);
    let first = sandbox.fails(["gate", "check", &run], 1);
    assert_eq!(sandbox.fails(["gate", "check", &run], 1), first);
    sandbox.fails(["run", "advance", &run], 1);
    // A rule without --budget-enforce counts as well; without a budget there is nothing to exceed.
    let rules = r#"--gates={"a→b":[{"check":"budget_not_exceeded"}]}"#;
    let ruled = sandbox.ok(["run", "create", "--goal=g", chain, "--token-budget=1", rules]);
    let dispatch = sandbox.ok(["dispatch", "record", &format!("--scope-id={ruled}")]);
    sandbox.ok(["dispatch", "tokens", &dispatch, "--in=1"]);
    sandbox.fails(["run", "advance", &ruled], 1);
    let free = sandbox.ok(["run", "create", "--goal=g", chain, "--budget-enforce"]);
    sandbox.ok(["run", "advance", &free]);
}

#[test]
fn tokens_are_added_up_over_a_run() {
    let sandbox = Sandbox::new();
    let run = sandbox.new_run();
    for _ in 0..2 {
        let dispatch = sandbox.ok(["dispatch", "record", &format!("--run={run}")]);
        sandbox.ok(["dispatch", "tokens", &dispatch, "--in=30", "--out=5", "--cache=10", "--set"]);
        sandbox.ok(["dispatch", "tokens", &dispatch, "--out=6"]);
    }
    assert_eq!(
        sandbox.json(["run", "tokens", &run]),
        json!({"run_id": run, "input_tokens": 60, "output_tokens": 12, "cache_hits": 20, "total_tokens": 72, "cache_ratio": 25.0})
    );
    sandbox.ok(["run", "tokens", &run, "--project=anywhere"]);
    sandbox.fails(["dispatch", "tokens", "nope", "--in=1"], 1);
    for bad in [&["--in=-1"][..], &[], &["--in=x"], &["--in"]] {
        sandbox.fails([&["dispatch", "tokens", "nope"], bad].concat(), 3);
    }
}
